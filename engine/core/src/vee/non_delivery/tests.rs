//! Rows of what a point without readings is billed for.

use super::business::*;
use super::household::*;
use super::*;
use crate::calendar::{Period, Zone};
use crate::reading::Source;
use crate::register::Register;
use crate::vee::consumption::apportion::{Apportion, apportion};
use crate::vee::profile::ProfileDay;

fn since(day: &str) -> Validity {
    Validity::new(day.parse().unwrap(), None).unwrap()
}

/// Months by readings; age of the meter; period without; accesses refused; Wh, basis.
type Row<'a> = (&'a [i64], u16, u16, u8, i64, HouseholdBasis);

#[test]
fn households() {
    use HouseholdBasis::{Average, Normative, RaisedNormative};
    let rules = HouseholdRules::current(since("2017-01-01"));
    let [six, seven] =
        [6, 7].map(|count: i64| (1..=count).map(|month| month * 100_000).collect::<Vec<i64>>());
    let year: Vec<i64> = [900_000].into_iter().chain([120_000; 12]).collect();
    let (three, two) = ([100_000, 100_001, 100_001], [100_000, 100_000]);
    let mean = |month_count, sum_wh| Average { month_count, sum_wh };
    // The normative: 3 persons × 97 kWh.
    let table: [Row<'_>; 17] = [
        (&six, 60, 1, 0, 350_000, mean(6, 2_100_000)), // 100 + … + 600 = 2 100 kWh, ÷ 6
        (&seven, 60, 1, 0, 400_000, mean(7, 2_800_000)),
        (&six, 60, 3, 0, 350_000, mean(6, 2_100_000)), // the third period still
        (&six, 60, 4, 0, 291_000, Normative),
        (&six, 60, 400, 0, 291_000, Normative),
        (&year, 60, 1, 0, 120_000, mean(12, 1_440_000)), // the thirteenth month back is left out
        (&three, 3, 1, 0, 100_001, mean(3, 300_002)),    // a young meter: 100 000.67
        (&three, 3, 4, 0, 291_000, Normative),
        (&three, 5, 1, 0, 100_001, mean(3, 300_002)),
        (&three, 6, 1, 0, 291_000, Normative), // no young meter any more: three of six months are too few
        (&two, 2, 1, 0, 291_000, Normative),   // too young for an average
        (&[], 60, 1, 0, 291_000, Normative),
        (&six, 60, 1, 1, 350_000, mean(6, 2_100_000)), // one refusal is none
        (&six, 60, 4, 1, 291_000, Normative),
        (&six, 60, 1, 2, 436_500, RaisedNormative), // 291 × 1.5, from the period of the second refusal on
        (&six, 60, 4, 2, 436_500, RaisedNormative),
        (&[], 60, 9, 3, 436_500, RaisedNormative),
    ];
    for (measured_months_wh, meter_month_count, period_count, refused_access_count, energy_wh, basis) in table
    {
        let household = Household {
            measured_months_wh,
            meter_month_count,
            period_count,
            refused_access_count,
            normative_wh: 97_000,
            person_count: 3,
        };
        let got = household_volume(&rules, &household);
        assert_eq!(got, Ok(HouseholdVolume { energy_wh, basis }), "{household:?}");
    }
    let good = Household {
        measured_months_wh: &six,
        meter_month_count: 60,
        period_count: 1,
        refused_access_count: 0,
        normative_wh: 97_000,
        person_count: 3,
    };
    let negative = [1, 2, 3, 4, 5, -3];
    let table = [
        (Household { period_count: 0, ..good }, NoHouseholdVolume::Period(0)),
        (Household { normative_wh: -1, ..good }, NoHouseholdVolume::Volume(-1)),
        (Household { normative_wh: 100_000_001, ..good }, NoHouseholdVolume::Volume(100_000_001)),
        (Household { measured_months_wh: &negative, ..good }, NoHouseholdVolume::Volume(-3)),
    ];
    for (household, want) in table {
        assert_eq!(household_volume(&rules, &household), Err(want), "{household:?}");
    }
}

/// The texts differ by date: a year of readings and six periods in older ones.
#[test]
fn rules_are_those_of_the_day() {
    let until = "2017-01-01".parse().unwrap();
    let old = HouseholdRules {
        months_min: 12,
        months_young_min: 12,
        average_periods_max: 6,
        ..HouseholdRules::current(Validity::new("2012-09-01".parse().unwrap(), Some(until)).unwrap())
    };
    let versions = [old, HouseholdRules::current(since("2017-01-01"))];
    // day; months by readings; period without; Wh. The normative is 1 × 50 kWh.
    let table = [
        ("2012-08-31", 12, 1, None),
        ("2016-12-31", 11, 1, Some(50_000)),
        ("2016-12-31", 12, 6, Some(80_000)),
        ("2016-12-31", 12, 7, Some(50_000)),
        ("2017-01-01", 11, 1, Some(80_000)),
        ("2017-01-01", 12, 4, Some(50_000)),
    ];
    for (day, months, period_count, want) in table {
        let household = Household {
            measured_months_wh: &vec![80_000; months],
            meter_month_count: 60,
            period_count,
            refused_access_count: 0,
            normative_wh: 50_000,
            person_count: 1,
        };
        let got = in_force(&versions, day.parse().unwrap())
            .map(|rules| household_volume(rules, &household).unwrap().energy_wh);
        assert_eq!(got, want, "{day}, {months} months, period {period_count}");
    }
}

const THREE_PHASE: Capacity = Capacity::Line { current_ma: 100_000, voltage_v: 380, is_three_phase: true };
const ONE_PHASE: Capacity = Capacity::Line { current_ma: 25_000, voltage_v: 220, is_three_phase: false };

#[test]
fn businesses() {
    use BusinessBasis::{Capacity as ByCapacity, LastYear, Nearest};
    let rules = BusinessRules::current(since("2012-05-12"));
    let full = |hours: i64| ByCapacity { seconds: hours * 3_600 };
    let power = Capacity::Power(15_000);
    let (last, near) = (Some(4_000_000), Some(5_000_000));
    // zone and month; period without; last year; nearest; capacity; Wh; basis
    let table = [
        ("Asia/Yekaterinburg", "2026-03", 1, last, near, power, 4_000_000, LastYear),
        ("Asia/Yekaterinburg", "2026-03", 2, last, near, power, 4_000_000, LastYear),
        ("Asia/Yekaterinburg", "2026-03", 2, None, near, power, 5_000_000, Nearest),
        // 15 kW × 744 h; and × 743 h where the clocks change.
        ("Asia/Yekaterinburg", "2026-03", 3, last, near, power, 11_160_000, full(744)),
        ("Europe/Berlin", "2026-03", 3, last, near, power, 11_145_000, full(743)),
        ("Asia/Yekaterinburg", "2026-03", 1, None, None, power, 11_160_000, full(744)),
        // 25 A × 220 V × 0.9 = 4.95 kW × 744 h.
        ("Asia/Yekaterinburg", "2026-03", 3, None, None, ONE_PHASE, 3_682_800, full(744)),
        // √3 × 100 A × 380 V × 0.9 = 59 236.137 618 855 4… W × 744 h = 44 071 686.388 Wh.
        ("Asia/Yekaterinburg", "2026-03", 3, None, None, THREE_PHASE, 44_071_686, full(744)),
    ];
    for (zone, month, period_count, last_year_wh, nearest_wh, capacity, energy_wh, basis) in table {
        let (zone, month): (Zone, Period) = (Zone::parse(zone).unwrap(), month.parse().unwrap());
        let (from, to) = (zone.local_day(month.first_day()).start, zone.local_day(month.end_day()).start);
        let business = Business { from, to, period_count, last_year_wh, nearest_wh, capacity };
        let got = business_volume(&rules, &business);
        assert_eq!(got, Ok(BusinessVolume { energy_wh, basis }), "{business:?}");
    }
    let good = Business {
        from: UtcSeconds(0),
        to: UtcSeconds(3_600),
        period_count: 3,
        last_year_wh: None,
        nearest_wh: None,
        capacity: power,
    };
    let line = |current_ma, voltage_v| Capacity::Line { current_ma, voltage_v, is_three_phase: true };
    let table = [
        (Business { period_count: 0, ..good }, "period 0 without readings: they are counted from 1"),
        (Business { period_count: 1, last_year_wh: Some(-1), ..good }, "-1 Wh is no volume of a period"),
        (
            Business { to: UtcSeconds(0), ..good },
            "from 1970-01-01T00:00:00Z to 1970-01-01T00:00:00Z is not billed at once, at most 1100 days",
        ),
        (
            Business { to: UtcSeconds(i64::MAX), ..good },
            "from 1970-01-01T00:00:00Z to @9223372036854775807 is not billed at once, at most 1100 days",
        ),
        (
            Business { capacity: Capacity::Power(100_000_000_001), ..good },
            "100000000001 W is past what a connection has, at most 100000000000",
        ),
        (
            Business { capacity: line(100_000_001, 1), ..good },
            "100000001 mA is past what a connection has, at most 100000000",
        ),
        (
            Business { capacity: line(1, 1_200_001), ..good },
            "1200001 V is past what a connection has, at most 1200000",
        ),
    ];
    for (business, want) in table {
        assert_eq!(business_volume(&rules, &business).unwrap_err().to_string(), want, "{business:?}");
    }
    let odd = BusinessRules { cos_phi_e2: 101, ..rules };
    let got = business_volume(&odd, &Business { capacity: ONE_PHASE, ..good });
    assert_eq!(got, Err(NoBusinessVolume::PowerFactor(101)));
    // The most that is taken still fits.
    let most = Business { to: UtcSeconds(1_100 * 86_400), capacity: line(100_000_000, 1_200_000), ..good };
    assert!(business_volume(&BusinessRules { cos_phi_e2: 100, ..rules }, &most).is_ok());
}

#[test]
fn unmetered_use_goes_back_to_the_last_inspection() {
    let year = BusinessRules::current(since("2012-05-12"));
    let half_year = BusinessRules { look_back_days_max: 183, ..year };
    // rules; days since the last inspection; capacity; Wh
    let table = [
        (year, 10, Capacity::Power(1_000), 240_000),         // 1 kW × 240 h
        (year, 365, Capacity::Power(1_000), 8_760_000),      // a year
        (year, 1_000, Capacity::Power(1_000), 8_760_000),    // no longer than a year
        (half_year, 365, Capacity::Power(1_000), 4_392_000), // 183 × 24
        (year, 10, ONE_PHASE, 1_188_000),                    // 4.95 kW × 240 h
    ];
    for (rules, days, capacity, want) in table {
        let found = UtcSeconds(1_774_000_000);
        let got = unmetered_volume(&rules, capacity, found.plus(-days * 86_400), found).unwrap();
        assert_eq!(got.energy_wh, want, "{days} days, {capacity:?}");
    }
}

/// Last year's volume follows last year's hours, the most that may be drawn is the same every hour.
#[test]
fn hours_of_a_calculated_volume() {
    let zone = Zone::parse("Asia/Yekaterinburg").unwrap();
    let local = zone.local_day("2026-03-02".parse().unwrap());
    let weights = (0..24).map(|hour| if hour < 8 { 1 } else { 2 }).collect();
    let profile = [ProfileDay { day: local.day, start: local.start, interval_minutes: 60, weights }];
    let hours = |energy_wh: i64, rule: &Apportion<'_>| {
        let of = ("P".parse().unwrap(), Register::IMPORT);
        let span = as_span(local.start, local.end, energy_wh);
        apportion(&[span], of, &zone, 60, Source::Automated, rule).unwrap().days.remove(0)
    };
    // 8 × 1 + 16 × 2 = 40 parts of 100 Wh.
    let day = hours(4_000, &Apportion::ByProfile(&profile));
    assert_eq!((day.values_wh()[7], day.values_wh()[8], day.total_wh()), (100, 200, 4_000));
    assert_eq!(day.qualities()[0], Quality::EstimatedReferenceDay);
    let day = hours(24 * 15_000, &Apportion::EvenlyByTime);
    assert!(day.values_wh().iter().all(|&wh| wh == 15_000));
    assert_eq!(day.qualities()[0], Quality::EstimatedLinear);
}

#[test]
fn a_reading_that_comes_late() {
    // used between the two readings; billed meanwhile; to bill still, or give back
    let table: [(i64, &[i64], Option<i64>); 5] = [
        (1_000_000, &[350_000, 350_000], Some(300_000)),
        (500_000, &[350_000, 350_000, 291_000], Some(-491_000)),
        (700_000, &[350_000, 350_000], Some(0)),
        (700_000, &[], Some(700_000)),
        (0, &[i64::MAX, 1], None),
    ];
    for (actual_wh, billed_wh, want) in table {
        let got = TrueUp::of(actual_wh, billed_wh).map(|true_up| true_up.difference_wh());
        assert_eq!(got, want, "{actual_wh} against {billed_wh:?}");
    }
}
