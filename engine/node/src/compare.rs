//! Where two copies of a sealed file differ first, in words: the record and the value.

use tallywatt_core::day_block::BlockKey;
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::seal::SealKind;
use tallywatt_ledger::{bill_bytes, correction_bytes, settled_bytes};
use tallywatt_shards::batch_file::places;

use crate::list_file::{self, ListKind};

/// The record (empty if none can be named) and what it holds here against there.
#[must_use]
pub fn first_difference(relative: &str, here: &[u8], there: &[u8]) -> (String, String) {
    let offset = here.iter().zip(there).position(|(a, b)| a != b).unwrap_or(here.len().min(there.len()));
    let named = if relative.starts_with("batches/") {
        in_leaves(SealKind::Batch, here, there, offset)
    } else if relative.starts_with("periods/") {
        in_leaves(SealKind::Period, here, there, offset)
    } else if relative.starts_with("bills/") {
        in_list(ListKind::Bills, there, offset, &|record| {
            let bill = bill_bytes::decode_bill(record).ok()?;
            Some(format!(
                "bill of account {}, {}, {} {}",
                bill.account, bill.period, bill.total, bill.currency
            ))
        })
    } else if relative.starts_with("corrections/") {
        in_list(ListKind::Corrections, there, offset, &|record| {
            let correction = correction_bytes::decode_correction(record).ok()?;
            let (bill, total) = (&correction.bill, correction.delta.total);
            Some(format!(
                "correction of account {}, {}, by {total} {}",
                bill.account, bill.period, bill.currency
            ))
        })
    } else if relative.starts_with("settlements/") {
        in_list(ListKind::Settlement, there, offset, &|record| {
            let settled = settled_bytes::decode_settled(record).ok()?;
            Some(format!("payment {} of {}", settled.id(), settled.amount()))
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
fn in_leaves(kind: SealKind, here: &[u8], there: &[u8], offset: usize) -> Option<(String, String)> {
    let (places, _) = places::places(kind, there);
    let at = places.iter().position(|place| place.bytes.contains(&offset))?;
    let place = &places[at];
    let BlockKey { usage_point, register, day } = place.leaf.block().key();
    let record = format!("leaf {at}: usage point {usage_point}, register {register}, {day}");
    let own = here.get(place.pack.clone()).and_then(|pack| places::leaf_in_pack(kind, pack, place.within));
    let what = own.and_then(|own| value_difference(&own, &place.leaf)).unwrap_or_else(|| {
        let byte = |bytes: &[u8]| bytes.get(offset).map_or("nothing".into(), |byte| format!("{byte:#04x}"));
        let within = offset - place.bytes.start;
        format!("byte {within} of the packed leaf: {} here, {}", byte(here), byte(there))
    });
    Some((record, what))
}

fn value_difference(here: &DayLeaf, there: &DayLeaf) -> Option<String> {
    let (here, there) = (here.block(), there.block());
    let mut values = here.values_wh().iter().zip(there.values_wh());
    let slot = values.position(|(here, there)| here != there)?;
    let (own, other) = (here.values_wh()[slot], there.values_wh()[slot]);
    Some(format!("interval from {}: {own} Wh here, {other} Wh", there.interval_start(slot)))
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
