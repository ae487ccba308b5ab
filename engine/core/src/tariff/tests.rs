use super::*;
use crate::hash::{ContentHash, Published};

/// Parses `day 07:00-23:00 23:00-24:00; night …` into zones.
pub(crate) fn zones(text: &str) -> Vec<TariffZone> {
    let minute = |clock: &str| -> u16 {
        let (hours, minutes) = clock.split_once(':').unwrap();
        hours.parse::<u16>().unwrap() * 60 + minutes.parse::<u16>().unwrap()
    };
    text.split("; ")
        .map(|zone| {
            let mut words = zone.split(' ');
            let name = words.next().unwrap().parse().unwrap();
            let windows = words
                .map(|word| {
                    let (days, clock) = match word.split_once('@') {
                        Some(("weekday", clock)) => (DayKind::Weekday, clock),
                        Some(("weekend", clock)) => (DayKind::Weekend, clock),
                        _ => (DayKind::Every, word),
                    };
                    let (from, to) = clock.split_once('-').unwrap();
                    let months = MonthSet::ALL;
                    Window { months, days, from_minute: minute(from), to_minute: minute(to) }
                })
                .collect();
            TariffZone { name, windows }
        })
        .collect()
}

pub(crate) fn parts(zone_text: &str, prices: &[&[&str]], bounds: &[i64]) -> TariffParts {
    let ranges = prices
        .iter()
        .enumerate()
        .map(|(at, prices)| {
            let prices = prices.iter().map(|price| price.parse().unwrap()).collect();
            Range::plain(bounds.get(at).copied(), prices)
        })
        .collect();
    TariffParts {
        id: "test".parse().unwrap(),
        title: "Test".into(),
        source: "test".into(),
        currency: "RUB".parse().unwrap(),
        validity: Validity::new("2000-01-01".parse().unwrap(), None).unwrap(),
        holidays: Vec::new(),
        zones: zones(zone_text),
        range_rule: RangeRule::default(),
        ranges,
        demands: Vec::new(),
        fixed: FixedCharges::default(),
        minimum_per_month: PricePerKwh::default(),
        vat: Vat { rate_e4: 2_000, is_included: true },
        rounding: Rounding::HalfUp,
        round_each: RoundEach::Bill,
        series: Vec::new(),
        netting: None,
        carry: CarryRules::default(),
        deviation: None,
        eligibility: None,
    }
}

/// Zones, prices by range and zone, bounds in Wh, what comes of them.
type Row<'r> = (&'r str, &'r [&'r [&'r str]], &'r [i64], &'r str);

#[test]
fn each_mistake_is_named() {
    let table: &[Row<'_>] = &[
        ("all 00:00-24:00", &[&["4.87"]], &[], "ok"),
        ("day 07:00-23:00; night 23:00-07:00", &[&["5.6", "1.63"]], &[], "ok"),
        ("p weekday@00:00-24:00; q weekend@00:00-24:00", &[&["1", "2"]], &[], "ok"),
        (
            "day 07:00-23:00; night 22:00-07:00",
            &[&["1", "2"]],
            &[],
            "zones day and night both hold at 22:00 of a working day in jan",
        ),
        (
            "day 07:00-23:00; night 23:00-06:00",
            &[&["1", "2"]],
            &[],
            "no zone holds at 06:00 of a working day in jan",
        ),
        ("p weekday@00:00-24:00", &[&["1"]], &[], "no zone holds at 00:00 of a weekend in jan"),
        ("a 00:00-12:00; a 12:00-24:00", &[&["1", "2"]], &[], "two zones are named a"),
        ("a 00:02-00:02", &[&["1"]], &[], "window 2 to 2 of a: minutes must be multiples of 5 within a day"),
        ("all 00:00-24:00", &[&["1", "2"]], &[], "range 1 has 2 prices for 1 zones"),
        (
            "all 00:00-24:00",
            &[&["1"], &["2"]],
            &[],
            "range 1: bounds must ascend from above zero, and only the last has none",
        ),
        (
            "all 00:00-24:00",
            &[&["1"], &["2"], &["3"]],
            &[5, 5],
            "range 2: bounds must ascend from above zero, and only the last has none",
        ),
        ("all 00:00-24:00", &[&["-1"]], &[], "ok"),
        ("all 00:00-24:00", &[], &[], "0 ranges, need 1 to 16"),
    ];
    for (zone_text, prices, bounds, want) in table {
        let got =
            Tariff::new(parts(zone_text, prices, bounds)).map_or_else(|e| e.to_string(), |_| "ok".into());
        assert_eq!(got, *want, "{zone_text}");
    }
}

#[test]
fn zones_over_midnight_and_weekends() {
    let day = |text: &str| -> Day { text.parse().unwrap() };
    let tariff = Tariff::new(parts("day 07:00-23:00; night 23:00-07:00", &[&["5.6", "1.63"]], &[])).unwrap();
    assert_eq!(tariff.pattern_count(), 1);
    for (minute, want) in [(0, 1), (419, 1), (420, 0), (1_379, 0), (1_380, 1), (1_439, 1)] {
        assert_eq!(tariff.zone_at(0, minute), want, "minute {minute}");
    }
    let weekly =
        Tariff::new(parts("p weekday@00:00-24:00; q weekend@00:00-24:00", &[&["1", "2"]], &[])).unwrap();
    for (date, want) in [("2026-03-06", 0), ("2026-03-07", 1), ("2026-03-08", 1), ("2026-03-09", 0)] {
        assert_eq!(weekly.zone_at(weekly.pattern_of(day(date)), 0), want, "{date}");
    }
}

/// The year of a tariff: months, kinds of day and holidays, to the zone at 12:00.
#[test]
fn months_and_holidays() {
    let window = |months: u16, days, from_minute, to_minute| Window {
        months: MonthSet::from_bits(months).unwrap(),
        days,
        from_minute,
        to_minute,
    };
    let zone = |name: &str, windows| TariffZone { name: name.parse().unwrap(), windows };
    let (summer, winter) = (0b0000_1110_0000, 0b1111_0001_1111);
    let mut parts = parts("all 00:00-24:00", &[&["1", "2", "3"]], &[]);
    parts.zones = vec![
        zone("winter", vec![window(winter, DayKind::Every, 0, 1_440)]),
        zone("peak", vec![window(summer, DayKind::Weekday, 12 * 60, 18 * 60)]),
        zone(
            "low",
            vec![
                window(summer, DayKind::Weekday, 18 * 60, 12 * 60),
                window(summer, DayKind::Weekend, 0, 1_440),
                window(summer, DayKind::Holiday, 0, 1_440),
            ],
        ),
    ];
    parts.holidays = vec!["2026-07-03".parse().unwrap(), "2026-12-25".parse().unwrap()];
    let tariff = Tariff::new(parts.clone()).unwrap();
    // A winter's day, a summer's working day, and its days off.
    assert_eq!(tariff.pattern_count(), 3);
    for (date, want) in [
        ("2026-01-01", 0),
        ("2026-05-29", 0),
        ("2026-06-01", 1),
        ("2026-07-02", 1),
        ("2026-07-03", 2),
        ("2026-07-04", 2),
        ("2026-08-31", 1),
        ("2026-09-01", 0),
        ("2026-12-25", 0),
    ] {
        let pattern = tariff.pattern_of(date.parse().unwrap());
        assert_eq!(tariff.zone_at(pattern, 12 * 60), want, "{date}");
    }
    let gap = |parts: &TariffParts| Tariff::new(parts.clone()).unwrap_err().to_string();
    parts.zones[2].windows.pop();
    assert_eq!(gap(&parts), "no zone holds at 00:00 of a holiday in jun");
    parts.zones[2].windows[1].days = DayKind::DayOff;
    assert!(Tariff::new(parts.clone()).is_ok());
    parts.zones[2].windows[1].days = DayKind::Weekend;
    parts.holidays.clear();
    assert!(Tariff::new(parts.clone()).is_ok(), "without holidays nothing has to hold on them");
    parts.zones[2].windows[1].months = MonthSet::from_bits(0b0000_0110_0000).unwrap();
    assert_eq!(gap(&parts), "no zone holds at 00:00 of a weekend in aug");
    parts.holidays = vec!["2026-07-04".parse().unwrap(); 2];
    assert_eq!(gap(&parts), "holidays must ascend, each once, at most 1024");
}

#[test]
fn each_mistake_of_charges_is_named() {
    let demand = |name: &str, minutes, bounds: &[Option<i64>]| DemandCharge {
        name: name.parse().unwrap(),
        windows: vec![Window {
            months: MonthSet::ALL,
            days: DayKind::Every,
            from_minute: 0,
            to_minute: 1_440,
        }],
        minutes,
        ranges: bounds.iter().map(|&up_to_w| DemandRange { up_to_w, price: "10".parse().unwrap() }).collect(),
        measure: DemandMeasure::Highest,
    };
    let fault = |change: &dyn Fn(&mut TariffParts)| {
        let mut parts = parts("day 07:00-23:00; night 23:00-07:00", &[&["1", "2"], &["3", "4"]], &[100]);
        change(&mut parts);
        Tariff::new(parts).map_or_else(|error| error.to_string(), |_| "ok".to_owned())
    };
    let rule = |counting, unit| RangeRule { counting, unit, kind: RangeKind::Graduated };
    type Change<'c> = &'c dyn Fn(&mut TariffParts);
    let table: &[(Change<'_>, &str)] = &[
        (&|parts| parts.demands = vec![demand("peak", 15, &[Some(5), None])], "ok"),
        (
            &|parts| parts.demands = vec![demand("peak", 20, &[None])],
            "demand charge peak: a window must be 5, 15, 30 or 60 minutes",
        ),
        (
            &|parts| parts.demands = vec![demand("peak", 30, &[None, None])],
            "demand charge peak: bounds must ascend from above zero, and only the last range has none",
        ),
        (&|parts| parts.demands = vec![demand("peak", 30, &[])], "0 ranges in a demand charge, need 1 to 16"),
        (&|parts| parts.demands = vec![demand("a", 30, &[None]); 2], "two demand charges are named a"),
        (&|parts| parts.demands = vec![demand("a", 30, &[None]); 17], "17 demand charges, need 1 to 16"),
        (
            &|parts| {
                parts.demands = vec![demand("a", 30, &[None])];
                parts.demands[0].windows[0].to_minute = 1_441;
            },
            "window 0 to 1441 of a: minutes must be multiples of 5 within a day",
        ),
        (
            &|parts| {
                parts.demands = vec![demand("a", 30, &[None])];
                parts.demands[0].ranges[0].price = "-1".parse().unwrap();
            },
            "negative price -1.00",
        ),
        (&|parts| parts.fixed.per_year = "-2".parse().unwrap(), "negative price -2.00"),
        (&|parts| parts.minimum_per_month = "-3".parse().unwrap(), "negative price -3.00"),
        (&|parts| parts.range_rule = rule(RangeCounting::EachZone, BoundUnit::Kw), "ok"),
        (&|parts| parts.range_rule = rule(RangeCounting::InOrder, BoundUnit::Day), "ok"),
        (
            &|parts| parts.range_rule = rule(RangeCounting::InOrder, BoundUnit::KwDay),
            "bounds per kW of several zones cannot be counted in order of time",
        ),
        (&|parts| parts.vat.rate_e4 = 10_001, "VAT of 10001 hundredths of a per cent, at most 10000"),
    ];
    for (row, (change, want)) in table.iter().enumerate() {
        assert_eq!(fault(change), *want, "row {row}");
    }
}

#[test]
fn bounds_follow_days_and_peak() {
    let mut parts = parts("all 00:00-24:00", &[&["1"], &["2"], &["3"]], &[3_900, 6_001]);
    for (unit, day_count, peak_w, want) in [
        (BoundUnit::Month, 31, 5_500, [3_900, 6_001]),
        (BoundUnit::Day, 30, 5_500, [117_000, 180_030]),
        (BoundUnit::Kw, 30, 5_500, [21_450, 33_005]),
        (BoundUnit::Kw, 30, 0, [0, 0]),
        (BoundUnit::KwDay, 30, 5_500, [643_500, 990_165]),
        (BoundUnit::KwDay, u32::MAX, i64::MAX, [i64::MAX; 2]),
    ] {
        parts.range_rule.unit = unit;
        let bounds = effective_bounds(&parts, day_count, peak_w);
        assert_eq!(bounds, [Some(want[0]), Some(want[1]), None], "{unit:?}, {day_count} days, {peak_w} W");
    }
}

#[test]
fn versions_do_not_overlap() {
    let mut book = TariffBook::default();
    let version = |from: &str, to: Option<&str>, tag: u8| {
        let mut parts = parts("all 00:00-24:00", &[&["1"]], &[]);
        parts.validity = Validity::new(from.parse().unwrap(), to.map(|to| to.parse().unwrap())).unwrap();
        Published { hash: ContentHash([tag; 32]), body: Tariff::new(parts).unwrap() }
    };
    book.publish(version("2026-07-01", None, 2)).unwrap();
    book.publish(version("2026-01-01", Some("2026-07-01"), 1)).unwrap();
    book.publish(version("2026-07-01", None, 2)).unwrap();
    assert!(book.publish(version("2026-06-30", Some("2026-07-02"), 3)).is_err());
    let id = "test".parse().unwrap();
    let tag = |day: &str| book.version(&id, day.parse().unwrap()).map(|version| version.hash.0[0]);
    assert_eq!((tag("2025-12-31"), tag("2026-06-30"), tag("2026-07-01")), (None, Some(1), Some(2)));
}
