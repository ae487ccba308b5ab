//! Windows of a tariff as text: `jun-sep weekday 07:00-23:00`; months and days may be left out.

use tallywatt_core::tariff::{DayKind, MONTH_NAMES, MonthSet, Window};

/// How windows are written, for messages.
pub(super) const WINDOWS: &str = "write windows as \"07:00-23:00\" on five-minute marks, before it months \"jun-sep,dec\" and days \"weekday\", \"weekend\", \"holiday\" or \"day-off\"; midnight at the end is 24:00";

/// The window of this text.
pub(super) fn parse(text: &str) -> Option<Window> {
    let words: Vec<&str> = text.split(' ').collect();
    let (months, days, clocks) = match words[..] {
        [clocks] => (MonthSet::ALL, DayKind::Every, clocks),
        [first, clocks] => match days_of(first) {
            Some(days) => (MonthSet::ALL, days, clocks),
            None => (parse_months(first)?, DayKind::Every, clocks),
        },
        [months, days, clocks] => (parse_months(months)?, days_of(days)?, clocks),
        _ => return None,
    };
    let (from, to) = clocks.split_once('-')?;
    let (from_minute, to_minute) = (minute_of(from)?, minute_of(to)?);
    (from_minute < 1_440 && to_minute > 0).then_some(Window { months, days, from_minute, to_minute })
}

fn days_of(word: &str) -> Option<DayKind> {
    DayKind::ALL.into_iter().find(|kind| !word.is_empty() && kind.name() == word)
}

/// `jun-sep,dec`; a span may go over the end of the year.
pub(super) fn parse_months(word: &str) -> Option<MonthSet> {
    let month = |name: &str| MONTH_NAMES.iter().position(|known| *known == name);
    let mut bits = 0_u16;
    for part in word.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (month(first)?, month(last)?);
        let count = (last + 12 - first) % 12 + 1;
        for at in first..first + count {
            bits |= 1 << (at % 12);
        }
    }
    MonthSet::from_bits(bits)
}

/// `07:05` → 425; up to `24:00`.
fn minute_of(clock: &str) -> Option<u16> {
    let (hours, minutes) = clock.split_once(':')?;
    let two_digits = |text: &str| -> Option<u16> {
        let is_plain = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_plain { text.parse().ok() } else { None }
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= 1_440).then_some(minute)
}

/// The text of a window.
#[must_use]
pub fn render(window: &Window) -> String {
    let mut words = Vec::new();
    if window.months != MonthSet::ALL {
        words.push(render_months(window.months));
    }
    if window.days != DayKind::Every {
        words.push(window.days.name().to_owned());
    }
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    words.push(format!("{}-{}", clock(window.from_minute), clock(window.to_minute)));
    words.join(" ")
}

pub(super) fn render_months(months: MonthSet) -> String {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for month in (0..12).filter(|&month| months.contains(month)) {
        match spans.last_mut() {
            Some((_, last)) if *last + 1 == month => *last = month,
            _ => spans.push((month, month)),
        }
    }
    // December and January are neighbours.
    if let [(0, end), .., (start, 11)] = spans[..] {
        spans.pop();
        spans[0] = (start, end);
    }
    let span = |&(first, last): &(usize, usize)| {
        if first == last {
            MONTH_NAMES[first].to_owned()
        } else {
            format!("{}-{}", MONTH_NAMES[first], MONTH_NAMES[last])
        }
    };
    spans.iter().map(span).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_months_is_written_and_read() {
        for bits in 1..=0xFFF {
            let months = MonthSet::from_bits(bits).unwrap();
            assert_eq!(parse_months(&render_months(months)), Some(months), "{}", render_months(months));
        }
        assert_eq!(render_months(MonthSet::from_bits(0b1100_0010_0011).unwrap()), "nov-feb,jun");
    }

    #[test]
    fn windows() {
        for text in [
            "00:00-24:00",
            "weekday 07:00-23:00",
            "jun-sep 23:00-07:00",
            "nov-feb,jun day-off 00:00-24:00",
            "dec holiday 17:05-17:10",
        ] {
            assert_eq!(render(&parse(text).unwrap()), text);
        }
        for text in [
            "",
            "sunday 07:00-23:00",
            "jun jul 07:00-23:00",
            "weekday jun 07:00-23:00",
            "jun-jux 07:00-23:00",
            " 07:00-23:00",
            "07:00",
            "7:00-23:00",
            "24:00-23:00",
            "07:00-00:00",
            "07:00-24:01",
            "a b c 07:00-23:00",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
