//! One partition of a use file.
//!
//! ```text
//!   names:  1 bytes shared with the name before │ 1 other bytes n │ n its end           for each usage point
//!   uses:   3 × i64 Wh by zone │ i32 demand │ u16 days │ u16 irregular days             32 bytes for each
//! ```

use std::cmp::Ordering;

use tallywatt_core::determinants::{RunningUse, UseError};
use tallywatt_core::label::{Label, UsagePointId};
use tallywatt_ledger::codec::CodecError;

use super::UseFileError;
use crate::use_fold::PartitionUse;

/// Bytes of one usage point's use.
pub const RECORD_SIZE: usize = 32;

/// The usage points of one partition, in order, and what each used; columns of one length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptUse {
    /// The partition.
    pub partition: u8,
    /// Its usage points.
    pub points: Vec<UsagePointId>,
    /// What each used on its regular days.
    pub uses: Vec<RunningUse>,
    /// How many other days each has: not 0, it is billed from its day blocks.
    pub irregular_counts: Vec<u16>,
}

impl KeptUse {
    /// The uses of one batch.
    ///
    /// # Errors
    /// [`UseError::Days`] past 65,535 irregular days of one usage point.
    pub fn of(folded: PartitionUse) -> Result<Self, UseError> {
        let PartitionUse { partition, points, uses, irregular } = folded;
        let mut irregular_counts = vec![0_u16; points.len()];
        let mut at = 0;
        for key in irregular {
            while points[at] != key.usage_point {
                at += 1;
            }
            irregular_counts[at] = irregular_counts[at].checked_add(1).ok_or(UseError::Days(u16::MAX))?;
        }
        Ok(Self { partition, points, uses, irregular_counts })
    }

    /// Both added up, usage point by usage point.
    ///
    /// # Errors
    /// [`UseError`] if sums are out of range, or of more than `day_count` days.
    pub fn merge(self, added: Self, day_count: u16) -> Result<Self, UseError> {
        let (before, count) = (self, added.points.len());
        let mut sum = Self {
            partition: before.partition,
            points: Vec::with_capacity(before.points.len().max(count)),
            uses: Vec::with_capacity(before.points.len().max(count)),
            irregular_counts: Vec::with_capacity(before.points.len().max(count)),
        };
        let (mut left, mut right) = (0, 0);
        while left < before.points.len() || right < count {
            let order = match (before.points.get(left), added.points.get(right)) {
                (Some(a), Some(b)) => a.cmp(b),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            match order {
                Ordering::Less => sum.push(before.row(left)),
                Ordering::Greater => sum.push(added.row(right)),
                Ordering::Equal => sum.push(add(before.row(left), added.row(right), day_count)?),
            }
            left += usize::from(order != Ordering::Greater);
            right += usize::from(order != Ordering::Less);
        }
        Ok(sum)
    }

    fn row(&self, at: usize) -> Row {
        (self.points[at], self.uses[at], self.irregular_counts[at])
    }

    fn push(&mut self, (point, running, irregular_count): Row) {
        self.points.push(point);
        self.uses.push(running);
        self.irregular_counts.push(irregular_count);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.points.len() * (RECORD_SIZE + 8));
        let mut before: &[u8] = b"";
        for point in &self.points {
            let name = point.as_str().as_bytes();
            let shared = before.iter().zip(name).take_while(|(a, b)| a == b).count();
            let small = |size: usize| u8::try_from(size).expect("a name has at most 33 bytes");
            bytes.extend([small(shared), small(name.len() - shared)]);
            bytes.extend_from_slice(&name[shared..]);
            before = name;
        }
        for (running, irregular_count) in self.uses.iter().zip(&self.irregular_counts) {
            let mut record = [0; RECORD_SIZE];
            let (zones, rest) = record.split_at_mut(24);
            for (field, wh) in zones.as_chunks_mut().0.iter_mut().zip(running.zones_wh()) {
                *field = wh.to_le_bytes();
            }
            rest[..4].copy_from_slice(&running.demand_wh().to_le_bytes());
            rest[4..6].copy_from_slice(&running.day_count().to_le_bytes());
            rest[6..].copy_from_slice(&irregular_count.to_le_bytes());
            bytes.extend(record);
        }
        bytes
    }

    pub(super) fn decode(partition: u8, bytes: &[u8], count: usize) -> Result<Self, UseFileError> {
        let (names, records) = bytes.split_at(bytes.len() - count * RECORD_SIZE);
        let points = read_names(names, count)?;
        let (mut uses, mut irregular_counts) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for record in records.as_chunks::<RECORD_SIZE>().0 {
            let (zones, rest) = record.split_at(24);
            let mut zones_wh = [0; 3];
            for (wh, field) in zones_wh.iter_mut().zip(zones.as_chunks().0) {
                *wh = i64::from_le_bytes(*field);
            }
            let demand_wh = i32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]);
            let day_count = u16::from_le_bytes([rest[4], rest[5]]);
            uses.push(RunningUse::from_parts(zones_wh, demand_wh, day_count)?);
            irregular_counts.push(u16::from_le_bytes([rest[6], rest[7]]));
        }
        Ok(Self { partition, points, uses, irregular_counts })
    }
}

type Row = (UsagePointId, RunningUse, u16);

fn add(before: Row, added: Row, day_count_max: u16) -> Result<Row, UseError> {
    let [before_wh, added_wh] = [before.1.zones_wh(), added.1.zones_wh()];
    let zones_wh = [0, 1, 2].map(|zone| before_wh[zone] + added_wh[zone]);
    let demand_wh = before.1.demand_wh().max(added.1.demand_wh());
    let day_count = before.1.day_count().checked_add(added.1.day_count());
    let day_count = day_count.filter(|count| *count <= day_count_max).ok_or(UseError::Days(day_count_max))?;
    let irregular_count = before.2.checked_add(added.2).ok_or(UseError::Days(u16::MAX))?;
    Ok((before.0, RunningUse::from_parts(zones_wh, demand_wh, day_count)?, irregular_count))
}

/// Names in order, each once, each in its shortest form.
fn read_names(mut bytes: &[u8], count: usize) -> Result<Vec<UsagePointId>, CodecError> {
    let size = bytes.len();
    let mut points: Vec<UsagePointId> = Vec::with_capacity(count);
    let mut name: Vec<u8> = Vec::new();
    for _ in 0..count {
        let at = size - bytes.len();
        let refuse = || CodecError::Value { field: "usage point", at };
        let [shared, other, rest @ ..] = bytes else { return Err(refuse()) };
        let (shared, other) = (usize::from(*shared), usize::from(*other));
        let (end, after) = rest.split_at_checked(other).ok_or_else(refuse)?;
        if shared > name.len() || (shared < name.len() && end.first() == name.get(shared)) {
            return Err(refuse());
        }
        name.truncate(shared);
        name.extend_from_slice(end);
        let point = Label::new(&name).map_err(|_| refuse())?;
        if points.last().is_some_and(|last| *last >= point) {
            return Err(refuse());
        }
        points.push(point);
        bytes = after;
    }
    match bytes.len() {
        0 => Ok(points),
        count => Err(CodecError::Trailing { count }),
    }
}
