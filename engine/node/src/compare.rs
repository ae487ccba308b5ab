//! Where two copies of a sealed file differ first, in words: the record and the value.

use tallywatt_core::day_block::BlockKey;
use tallywatt_ledger::bill_bytes;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_shards::batch_file;

use crate::list_file::{self, ListKind};

/// The record (empty if none can be named) and what it holds here against there.
#[must_use]
pub fn first_difference(relative: &str, here: &[u8], there: &[u8]) -> (String, String) {
    let offset = here.iter().zip(there).position(|(a, b)| a != b).unwrap_or(here.len().min(there.len()));
    let named = if relative.starts_with("batches/") || relative.starts_with("periods/") {
        in_leaves(here, there, offset)
    } else if relative.starts_with("bills/") {
        in_list(ListKind::Bills, there, offset, &|record| {
            let bill = bill_bytes::decode_bill(record).ok()?;
            Some(format!(
                "bill of account {}, {}, {} {}",
                bill.account, bill.period, bill.total, bill.currency
            ))
        })
    } else if relative.starts_with("settlements/") {
        in_list(ListKind::Settlement, there, offset, &|record| {
            let settled = bill_bytes::decode_settled(record).ok()?;
            Some(format!("payment {} of {}", settled.payment.id, settled.payment.amount))
        })
    } else {
        None
    };
    match named {
        Some((record, what)) => (format!("offset {offset}: {record}"), what),
        None if here.len() != there.len() => {
            (format!("offset {offset}"), format!("{} bytes here, {}", here.len(), there.len()))
        }
        None => {
            let byte =
                |bytes: &[u8]| bytes.get(offset).map_or("nothing".into(), |byte| format!("{byte:#04x}"));
            (format!("offset {offset}"), format!("{} here, {}", byte(here), byte(there)))
        }
    }
}

/// The leaf that holds an offset of a batch or period file, and the value that differs.
fn in_leaves(here: &[u8], there: &[u8], offset: usize) -> Option<(String, String)> {
    let file = batch_file::decode(there).ok()?;
    let mut at = batch_file::HEADER_SIZE;
    for (index, leaf) in file.leaves.iter().enumerate() {
        let size = leaf.bytes().len();
        if (at..at + size).contains(&offset) {
            let BlockKey { usage_point, register, day } = leaf.block().key();
            let record = format!("leaf {index}: usage point {usage_point}, register {register}, {day}");
            return Some((record, value_at(leaf, here.get(at..at + size)?, offset - at)));
        }
        at += size;
    }
    None
}

fn value_at(there: &DayLeaf, here: &[u8], offset: usize) -> String {
    const VALUES_AT: usize = 80;
    let count = there.block().interval_count();
    let slot = offset.checked_sub(VALUES_AT).map(|within| within / 4).filter(|slot| *slot < count);
    match slot {
        Some(slot) => {
            let bytes = here.get(VALUES_AT + 4 * slot..VALUES_AT + 4 * slot + 4);
            let wh = bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_le_bytes);
            let start = there.block().interval_start(slot);
            format!("interval from {start}: {wh} Wh here, {} Wh", there.block().values_wh()[slot])
        }
        None => {
            let (a, b) = (here.get(offset).copied().unwrap_or(0), there.bytes()[offset]);
            format!("byte {offset} of the leaf: {a:#04x} here, {b:#04x}")
        }
    }
}

fn in_list(
    kind: ListKind,
    there: &[u8],
    offset: usize,
    name: &dyn Fn(&[u8]) -> Option<String>,
) -> Option<(String, String)> {
    let records = list_file::decode(kind, there).ok()?;
    let mut at = 20;
    for record in records {
        let end = at + 4 + record.len();
        if (at..end).contains(&offset) {
            return Some((name(record)?, "other bytes here than".into()));
        }
        at = end;
    }
    None
}
