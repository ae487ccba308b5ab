//! What a meter's days so far come to, in 256 bytes: so that rules over history cost next to nothing.
//!
//! ```text
//!   day 1, day 2, … ──push──▶ MeterState        in the order of days, each once
//! ```
//!
//! The state is a function of the days in their order and of nothing else. Two states are never joined: when a day
//! arrives late or is corrected, the meter's days are pushed again from the one before it. So it does not
//! depend on the order of arrival, and nobody has to store it for good.
//!
//! Days that are absent end what goes on from day to day: runs begin anew after them, there is no last value, and only
//! the month just before counts as the last one. They had no measured value. Within the days that are there, intervals
//! without a value are stepped over.

use crate::calendar::{Day, UtcSeconds};
use crate::meter::DialReading;
use crate::quality::Quality;
use crate::vee::columns::DayColumns;
use crate::vee::screen::DaySummary;

/// The most a state may take, bytes: 100 million meters then fit 24 GiB.
pub const STATE_SIZE_MAX: usize = 256;
/// Parts of a day that the profile tells apart: four hours each.
pub const PROFILE_PART_COUNT: usize = 6;
/// A new day moves a mean of the profile by one part in as many.
const PROFILE_WEIGHT: i32 = 8;
/// Months that daily use is kept of.
const MONTH_COUNT: usize = 12;

const _: () = assert!(size_of::<MeterState>() <= STATE_SIZE_MAX);

/// Days of one billing month, added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeriodUse {
    /// Energy of its whole days, Wh.
    pub energy_wh: i64,
    /// The three highest values of all its days, highest first; 0 where there were fewer.
    pub highest_wh: [i32; 3],
    /// Whole days: a part of a day says nothing of daily use.
    pub day_count: u16,
    /// Days that had a value, the whole ones with them.
    pub seen_day_count: u16,
}

/// Energy over whole days: a daily use that loses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyUse {
    /// Energy, Wh.
    pub energy_wh: i64,
    /// Over as many days; above zero.
    pub day_count: u16,
}

/// The rolling state of one register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeterState {
    current: PeriodUse,
    previous: PeriodUse,
    /// Energy of the whole days by month of the year, of the last twelve months that are over.
    monthly_wh: [i64; MONTH_COUNT],
    /// Whole days by month of the year; 0 where nothing is known.
    monthly_days: [u8; MONTH_COUNT],
    /// Mean value by kind of day and part of day; -1 before the first.
    profile_wh: [[i32; PROFILE_PART_COUNT]; 2],
    /// At the earliest instant before the first.
    last_read: (UtcSeconds, DialReading),
    last_seen: UtcSeconds,
    /// Number of the last day that was pushed or is absent; below any day's before the first.
    last_day_number: i32,
    /// The first day after the current period.
    period_end: Option<Day>,
    /// The last value; -1 before the first.
    last_wh: i32,
    zero_run_minutes: u32,
    flat_run: u16,
    estimated_days: u16,
    /// The current period's month of the year, counted from 0; so that no rule has to ask the calendar.
    month: u8,
}

/// Why a day cannot be pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{day} is not after {last}, the last day of the state")]
pub struct StateError {
    day: Day,
    last: Day,
}

impl Default for MeterState {
    fn default() -> Self {
        Self {
            current: PeriodUse::default(),
            previous: PeriodUse::default(),
            monthly_wh: [0; MONTH_COUNT],
            monthly_days: [0; MONTH_COUNT],
            profile_wh: [[-1; PROFILE_PART_COUNT]; 2],
            last_read: (UtcSeconds(i64::MIN), DialReading::default()),
            last_seen: UtcSeconds(i64::MIN),
            last_day_number: i32::MIN,
            period_end: None,
            last_wh: -1,
            zero_run_minutes: 0,
            flat_run: 0,
            estimated_days: 0,
            month: 0,
        }
    }
}

impl MeterState {
    /// Turns to `day`: passes over the days absent before it, and to its billing month, so that the rules see the month
    /// before as the last one. Before the day is validated; once more does nothing.
    ///
    /// # Errors
    /// [`StateError`] if the day is not after the last one.
    pub fn begin(&mut self, day: Day) -> Result<(), StateError> {
        let number = day.number();
        if number <= self.last_day_number {
            return Err(StateError { day, last: self.last_day().unwrap_or(day) });
        }
        match self.period_end {
            Some(end) => {
                if number - self.last_day_number > 1 {
                    self.pass_over(number - self.last_day_number - 1);
                }
                if day >= end {
                    self.turn(end, day);
                }
            }
            None => self.open(day),
        }
        self.last_day_number = number - 1;
        Ok(())
    }

    /// Passes over absent days: nothing goes on from before them, and none of them was measured.
    fn pass_over(&mut self, day_count: i32) {
        self.last_wh = -1;
        self.zero_run_minutes = 0;
        self.flat_run = 0;
        self.estimated_days =
            self.estimated_days.saturating_add(u16::try_from(day_count).unwrap_or(u16::MAX));
    }

    /// Closes the month that ended before `end` and opens the one of `day`.
    fn turn(&mut self, end: Day, day: Day) {
        let month_of = |day: Day| usize::try_from(day.period().number() % 12).unwrap_or(0);
        let closed = std::mem::take(&mut self.current);
        let opened = day.period().number();
        let next = end.period().number();
        // What lies more than a year back is forgotten, also where months were left out.
        for past in next..opened.min(next + 12) {
            self.monthly_days[usize::try_from(past % 12).unwrap_or(0)] = 0;
        }
        if let Some(last) = end.plus(-1)
            && opened - last.period().number() <= 12
        {
            let month = month_of(last);
            self.monthly_wh[month] = closed.energy_wh;
            self.monthly_days[month] = u8::try_from(closed.day_count).unwrap_or(u8::MAX);
        }
        self.previous = if opened == next { closed } else { PeriodUse::default() };
        self.open(day);
    }

    fn open(&mut self, day: Day) {
        let period = day.period();
        self.period_end = Some(period.end_day());
        self.month = u8::try_from(period.number() % 12).unwrap_or(0);
    }

    /// Adds a day.
    ///
    /// # Errors
    /// [`StateError`] if the day is not after the last one.
    pub fn push(&mut self, day: Day, columns: &DayColumns<'_>) -> Result<(), StateError> {
        self.begin(day)?;
        self.last_day_number = day.number();
        let is_measured = columns.qualities().iter().any(|quality| quality.is_measured());
        self.estimated_days = if is_measured { 0 } else { self.estimated_days.saturating_add(1) };
        let Some((last, last_wh)) = columns.present().next_back() else { return Ok(()) };
        let summary = DaySummary::of(columns);
        self.current.add(columns, &summary);
        self.last_seen = self.last_seen.max(columns.instant(last + 1));
        self.run_on(columns, last_wh);
        self.profile_on(usize::from(day.is_weekend()), columns, &summary);
        Ok(())
    }

    /// The runs that are not over at the end of the day.
    fn run_on(&mut self, columns: &DayColumns<'_>, last_wh: i32) {
        let mut present = columns.present().rev();
        let (mut same, mut is_whole_day) = (0_usize, true);
        while let Some((_, wh)) = present.next()
            && is_whole_day
        {
            is_whole_day = wh == last_wh;
            same += usize::from(is_whole_day);
        }
        let carried = if is_whole_day && self.last_wh == last_wh { self.flat_run } else { 0 };
        self.flat_run = carried.saturating_add(u16::try_from(same).unwrap_or(u16::MAX));
        let zero_minutes =
            u32::try_from(same).unwrap_or(u32::MAX).saturating_mul(columns.interval_minutes().into());
        self.zero_run_minutes = match (last_wh, is_whole_day) {
            (0, true) => self.zero_run_minutes.saturating_add(zero_minutes),
            (0, false) => zero_minutes,
            _ => 0,
        };
        self.last_wh = last_wh;
    }

    /// Moves the means of the parts of the day that are whole.
    fn profile_on(&mut self, kind: usize, columns: &DayColumns<'_>, summary: &DaySummary) {
        let (values, has_missing) = (columns.values_wh(), summary.missing_count > 0);
        let mut first = 0;
        for (part, mean_wh) in self.profile_wh[kind].iter_mut().enumerate() {
            let place = first..values.len() * (part + 1) / PROFILE_PART_COUNT;
            first = place.end;
            let is_whole = !has_missing || !columns.qualities()[place.clone()].contains(&Quality::Missing);
            if let Some(wh) = mean(&values[place], summary.adds_up_in_32_bits()).filter(|_| is_whole) {
                *mean_wh = if *mean_wh < 0 { wh } else { *mean_wh + (wh - *mean_wh) / PROFILE_WEIGHT };
            }
        }
    }

    /// Takes a read of the register, if it is the latest.
    pub fn read(&mut self, at: UtcSeconds, dial: DialReading) {
        if at > self.last_read.0 {
            self.last_read = (at, dial);
        }
    }

    /// The current billing month so far.
    #[must_use]
    pub const fn current(&self) -> &PeriodUse {
        &self.current
    }

    /// The billing month before the current one; empty if it had no day.
    #[must_use]
    pub const fn previous(&self) -> &PeriodUse {
        &self.previous
    }

    /// What daily use is held against: the same month of last year, else the last month; each only with at least so many
    /// whole days.
    #[must_use]
    pub fn reference(&self, days_min: i64) -> Option<DailyUse> {
        let month = usize::from(self.month);
        let of_last_year =
            DailyUse { energy_wh: self.monthly_wh[month], day_count: self.monthly_days[month].into() };
        let says = |daily: &DailyUse| daily.day_count > 0 && i64::from(daily.day_count) >= days_min;
        Some(of_last_year).filter(says).or_else(|| self.previous.daily().filter(says))
    }

    /// The third highest value of the last month and this one, Wh.
    #[must_use]
    pub fn third_highest_wh(&self) -> i32 {
        let [_, _, mut third] = self.previous.highest_wh;
        let mut both = self.previous;
        for wh in self.current.highest_wh {
            both.rank_in(wh);
            third = both.highest_wh[2];
        }
        third
    }

    /// Mean value by part of the day, Wh an interval; -1 where it is not known.
    #[must_use]
    pub const fn profile_wh(&self, is_weekend: bool) -> &[i32; PROFILE_PART_COUNT] {
        &self.profile_wh[is_weekend as usize]
    }

    /// The latest read of the register.
    #[must_use]
    pub fn last_read(&self) -> Option<(UtcSeconds, DialReading)> {
        (self.last_read.0.0 > i64::MIN).then_some(self.last_read)
    }

    /// Until when there are values; `None` before the first.
    #[must_use]
    pub fn last_seen(&self) -> Option<UtcSeconds> {
        (self.last_seen.0 > i64::MIN).then_some(self.last_seen)
    }

    /// The last day that was pushed or is absent; `None` before the first.
    #[must_use]
    pub fn last_day(&self) -> Option<Day> {
        Day::from_number(self.last_day_number)
    }

    /// The last value, whatever the rules said of it; `None` before the first and after days that are absent.
    #[must_use]
    pub fn last_wh(&self) -> Option<i32> {
        (self.last_wh >= 0).then_some(self.last_wh)
    }

    /// How long the last values were zero, minutes.
    #[must_use]
    pub const fn zero_run_minutes(&self) -> u32 {
        self.zero_run_minutes
    }

    /// How many of the last values are the same.
    #[must_use]
    pub const fn flat_run(&self) -> u16 {
        self.flat_run
    }

    /// How many of the last days had no measured value, absent ones with them.
    #[must_use]
    pub const fn estimated_days(&self) -> u16 {
        self.estimated_days
    }
}

/// Mean of values that are not negative, rounded down; `None` of none. Division by 32 bits is several times cheaper.
fn mean(values_wh: &[i32], adds_up_in_32_bits: bool) -> Option<i32> {
    if adds_up_in_32_bits {
        let total = values_wh.iter().fold(0_u32, |total, &wh| total.wrapping_add(wh.cast_unsigned()));
        return total.checked_div(u32::try_from(values_wh.len()).ok()?).map(u32::cast_signed);
    }
    let total: u64 = values_wh.iter().map(|&wh| u64::from(wh.unsigned_abs())).sum();
    i32::try_from(total.checked_div(u64::try_from(values_wh.len()).ok()?)?).ok()
}

impl PeriodUse {
    fn add(&mut self, columns: &DayColumns<'_>, summary: &DaySummary) {
        self.seen_day_count = self.seen_day_count.saturating_add(1);
        if summary.missing_count == 0 {
            self.energy_wh = self.energy_wh.saturating_add(summary.total_wh);
            self.day_count = self.day_count.saturating_add(1);
        }
        if summary.max_wh > self.highest_wh[2] {
            for &wh in columns.values_wh() {
                self.rank_in(wh);
            }
        }
    }

    /// Keeps the three highest.
    fn rank_in(&mut self, wh: i32) {
        let [first, second, third] = self.highest_wh;
        if wh > third {
            self.highest_wh = match () {
                () if wh > first => [wh, first, second],
                () if wh > second => [first, wh, second],
                () => [first, second, wh],
            };
        }
    }

    /// Its daily use; `None` without a whole day.
    #[must_use]
    pub fn daily(&self) -> Option<DailyUse> {
        let Self { energy_wh, day_count, .. } = *self;
        (day_count > 0).then_some(DailyUse { energy_wh, day_count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    /// Pushes a day of hours, written as values with `-` for a missing one; the rest of the day is missing.
    fn push(state: &mut MeterState, date: &str, text: &str) {
        let cells: Vec<Option<i32>> = text.split_whitespace().map(|cell| cell.parse().ok()).collect();
        let mut values = vec![0; 24];
        let mut qualities = vec![Quality::Missing; 24];
        for (at, wh) in cells.iter().enumerate().filter_map(|(at, cell)| cell.map(|wh| (at, wh))) {
            (values[at], qualities[at]) = (wh, Quality::Valid);
        }
        let start = UtcSeconds(i64::from(day(date).number()) * 86_400);
        let columns = DayColumns::new(start, 60, &values, &qualities).unwrap();
        state.push(day(date), &columns).unwrap();
    }

    #[test]
    fn runs_go_over_midnight_and_over_what_is_missing() {
        let mut state = MeterState::default();
        // day, values; last value, zeros in minutes, length of the last run, days without a measurement
        let table = [
            ("2026-03-01", "5 5 0 0", (Some(0), 120, 2, 0)),
            ("2026-03-02", "- 0 - 0", (Some(0), 240, 4, 0)),
            ("2026-03-03", "- -", (Some(0), 240, 4, 1)),
            ("2026-03-04", "0 7 7", (Some(7), 0, 2, 0)),
            ("2026-03-05", "7 - 7", (Some(7), 0, 4, 0)),
            ("2026-03-06", "7 8 7", (Some(7), 0, 1, 0)),
            ("2026-03-07", "8 8", (Some(8), 0, 2, 0)),
        ];
        for (date, values, want) in table {
            push(&mut state, date, values);
            let got = (state.last_wh(), state.zero_run_minutes(), state.flat_run(), state.estimated_days());
            assert_eq!(got, want, "{date}");
        }
        assert_eq!(
            state.last_seen(),
            Some(UtcSeconds(i64::from(day("2026-03-07").number()) * 86_400 + 7_200))
        );
        assert_eq!(state.current().highest_wh, [8, 8, 8]);
        assert_eq!((state.current().day_count, state.current().seen_day_count), (0, 6));
    }

    #[test]
    fn absent_days_end_what_goes_on() {
        let mut state = MeterState::default();
        let zeros = vec!["0"; 24].join(" ");
        // day, values; last value, zeros in minutes, length of the last run, days without a measurement before the day
        let table = [
            ("2026-01-01", "5 0 0", (None, 0, 0, 0)),
            ("2026-01-02", "0 7 7", (Some(0), 120, 2, 0)),
            // One day is absent.
            ("2026-01-04", "7", (None, 0, 0, 1)),
            ("2026-01-05", "-", (Some(7), 0, 1, 0)),
            // The 5th had nothing, and two days are absent.
            ("2026-01-08", "-", (None, 0, 0, 3)),
            ("2026-01-09", zeros.as_str(), (None, 0, 0, 4)),
            ("2026-03-15", zeros.as_str(), (None, 0, 0, 64)),
            ("2026-03-16", "1", (Some(0), 1_440, 24, 0)),
            ("2199-11-30", "1", (None, 0, 0, 63_445)),
        ];
        for (date, values, want) in table {
            // Once more does nothing.
            for _ in 0..2 {
                state.begin(day(date)).unwrap();
                let got =
                    (state.last_wh(), state.zero_run_minutes(), state.flat_run(), state.estimated_days());
                assert_eq!(got, want, "{date}");
            }
            push(&mut state, date, values);
        }
        assert_eq!(state.last_day(), Some(day("2199-11-30")));
        let mut state = MeterState::default();
        for date in ["1970-01-01", "2199-11-30"] {
            push(&mut state, date, "-");
        }
        assert_eq!(state.estimated_days(), u16::MAX, "83,975 days are more than are counted");
    }

    /// A whole day of so many watt-hours in all.
    fn push_whole(state: &mut MeterState, date: &str, total_wh: i32) {
        push(state, date, &format!("{total_wh} {}", vec!["0"; 23].join(" ")));
    }

    #[test]
    fn months_turn_and_last_year_is_the_reference() {
        let mut state = MeterState::default();
        let daily = |energy_wh, day_count| Some(DailyUse { energy_wh, day_count });
        push_whole(&mut state, "2025-03-30", 31);
        push_whole(&mut state, "2025-03-31", 70);
        assert_eq!(state.reference(1), None);
        state.begin(day("2025-04-01")).unwrap();
        assert_eq!((state.reference(1), state.current().day_count), (daily(101, 2), 0));
        assert_eq!((state.reference(2), state.reference(3)), (daily(101, 2), None));
        push_whole(&mut state, "2025-04-01", 7);
        assert_eq!(state.third_highest_wh(), 7);
        for month in 5..=12 {
            push_whole(&mut state, &format!("2025-{month:02}-01"), 8);
        }
        push_whole(&mut state, "2026-02-01", 9);
        state.begin(day("2026-03-01")).unwrap();
        assert_eq!(state.reference(2), daily(101, 2), "March of last year, to the watt-hour");
        assert_eq!(state.reference(3), None, "neither says enough");
        state.begin(day("2026-03-01")).unwrap();
        push_whole(&mut state, "2026-03-01", 1);
        push_whole(&mut state, "2026-03-02", 2);
        state.begin(day("2026-04-01")).unwrap();
        assert_eq!(state.reference(1), daily(7, 1));
        assert_eq!(state.reference(2), daily(3, 2), "one day of last year's April is not enough");
        state.begin(day("2026-05-01")).unwrap();
        assert_eq!(state.reference(1), daily(8, 1), "May of last year");
        assert_eq!(state.previous().daily(), None, "April had no day");
        state.begin(day("2027-05-01")).unwrap();
        assert_eq!(state.reference(1), None, "May of two years ago is forgotten");
    }

    #[test]
    fn the_last_month_is_the_one_before() {
        // The next day; the last month's energy and highest value by then.
        for (date, want) in [
            ("2026-01-31", (0, 0)),
            ("2026-02-01", (50, 50)),
            ("2026-02-28", (50, 50)),
            ("2026-03-01", (0, 0)),
            ("2029-02-01", (0, 0)),
        ] {
            let mut state = MeterState::default();
            push_whole(&mut state, "2026-01-10", 50);
            state.begin(day(date)).unwrap();
            assert_eq!((state.previous().energy_wh, state.previous().highest_wh[0]), want, "{date}");
        }
    }

    #[test]
    fn a_part_of_a_day_is_no_day_of_use() {
        let mut state = MeterState::default();
        push(&mut state, "2026-03-01", "5 6 7");
        push(&mut state, "2026-03-02", "-");
        push_whole(&mut state, "2026-03-03", 4);
        let current = PeriodUse { energy_wh: 4, highest_wh: [7, 6, 5], day_count: 1, seen_day_count: 2 };
        assert_eq!(state.current(), &current);
        state.begin(day("2026-04-01")).unwrap();
        assert_eq!(state.previous(), &current);
    }

    #[test]
    fn days_come_in_order() {
        let mut state = MeterState::default();
        push(&mut state, "2026-03-02", "1");
        for date in ["2026-03-01", "2026-03-02"] {
            assert!(state.begin(day(date)).is_err(), "{date}");
        }
        assert_eq!(
            state.begin(day("2026-03-01")).unwrap_err().to_string(),
            "2026-03-01 is not after 2026-03-02, the last day of the state"
        );
    }

    #[test]
    fn profile_moves_by_whole_parts() {
        let mut state = MeterState::default();
        let hours = |wh: i32| vec![wh.to_string(); 24].join(" ");
        // 2026-03-02 is a Monday.
        push(&mut state, "2026-03-02", &hours(80));
        push(&mut state, "2026-03-03", &hours(160));
        assert_eq!(state.profile_wh(false), &[90; 6]);
        assert_eq!(state.profile_wh(true), &[-1; 6]);
        push(&mut state, "2026-03-04", "10 10 10 10 10 10 - 10");
        assert_eq!(state.profile_wh(false), &[80, 90, 90, 90, 90, 90]);
    }

    #[test]
    fn the_latest_read_is_kept() {
        let mut state = MeterState::default();
        assert_eq!((state.last_read(), state.last_seen(), state.last_day()), (None, None, None));
        for (at, dial) in [(10, 5), (30, 9), (20, 7)] {
            state.read(UtcSeconds(at), DialReading::from_milliwatt_hours(dial));
        }
        assert_eq!(state.last_read(), Some((UtcSeconds(30), DialReading::from_milliwatt_hours(9))));
    }
}
