//! Rows of the ladder.

use super::*;
use crate::calendar::Zone;
use crate::day_block::MergeCounts;
use crate::reading::Source;
use crate::register::Register;

type Cell = (usize, usize);

/// Five working days (2026-03-02 is a Monday) of hourly values `10 * (day + 1) + hour`.
fn week() -> Vec<DayBlock> {
    let zone = Zone::parse("UTC").unwrap();
    (0..5)
        .map(|day| {
            let local = zone.local_day(format!("2026-03-{:02}", day + 2).parse().unwrap());
            let mut block =
                DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 60, Source::Automated)
                    .unwrap();
            for hour in 0..24 {
                let wh = 10 * (day + 1) + i32::try_from(hour).unwrap();
                block.put(hour, wh, Quality::Valid, &mut MergeCounts::default());
            }
            block
        })
        .collect()
}

/// The week with the named (day, hour) cells missing.
fn without(cells: &[(usize, usize)]) -> Vec<DayBlock> {
    let mut days = week();
    for (day, block) in days.iter_mut().enumerate() {
        let (mut values, mut qualities) = (block.values_wh().to_vec(), block.qualities().to_vec());
        for &(_, hour) in cells.iter().filter(|cell| cell.0 == day) {
            (values[hour], qualities[hour]) = (0, Quality::Missing);
        }
        *block =
            DayBlock::from_parts(block.key(), block.start(), 60, block.source(), values, qualities).unwrap();
    }
    days
}

#[test]
fn the_ladder() {
    use Quality::{EstimatedLinear, EstimatedReferenceDay, Missing};
    // missing cells; a cell; what stands there
    let long: Vec<(usize, usize)> = (5..10).map(|hour| (2, hour)).collect();
    let too_few: Vec<(usize, usize)> =
        [0, 1, 2].into_iter().flat_map(|day| (5..10).map(move |h| (day, h))).collect();
    let at_start = [(0, 0)];
    let table: [(&[Cell], Cell, (i32, Quality)); 6] = [
        (&[(1, 5)], (1, 5), (25, EstimatedLinear)), // between 24 and 26
        (&[(1, 5), (1, 6)], (1, 6), (26, EstimatedLinear)), // 24 … 27
        (&[(0, 23)], (0, 23), (26, EstimatedLinear)), // between 32 and 20, over midnight
        (&long, (2, 7), (37, EstimatedReferenceDay)), // mean of 17, 27, 47, 57
        (&at_start, (0, 0), (35, EstimatedReferenceDay)), // no left neighbour; mean of 20, 30, 40, 50
        (&too_few, (1, 7), (0, Missing)),           // two like days only
    ];
    for (missing, (day, hour), want) in table {
        let mut days = without(missing);
        estimate(&mut days);
        let got = (days[day].values_wh()[hour], days[day].qualities()[hour]);
        assert_eq!(got, want, "day {day} hour {hour} of {missing:?}");
    }
}

#[test]
fn nothing_missing_nothing_changed() {
    let mut days = week();
    estimate(&mut days);
    assert_eq!(days, week());
}
