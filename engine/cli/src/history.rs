//! How a day came to stand as it does: what each sealing changed, and what was known after a batch.

use serde_json::json;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::day_layers::DayLayers;
use tallywatt_core::layer::{LayerHead, LayerKind};
use tallywatt_core::quality::Quality;
use tallywatt_node::books::{Books, Revision};

use crate::args::Arguments;
use crate::by_hand::value_of;
use crate::failure::Failure;
use crate::open::{Opened, data_option};
use crate::output::{Report, Table};

/// What stood of a day after a batch, or what stands, and how many times it had been sealed before.
pub fn known(books: &Books, key: &BlockKey, batch: Option<u64>) -> Result<(DayBlock, u8), Failure> {
    if let Some(batch) = batch.filter(|batch| *batch > books.batch_count()) {
        return Err(Failure::usage(
            format!("batch {batch} is not sealed yet: the last is {}", books.batch_count()),
            "see `tallywatt chain log` for the batches there are",
        ));
    }
    let is_known = |revision: &Revision| batch.is_none_or(|batch| revision.batch <= batch);
    let last = books.history(key).into_iter().rev().find(is_known);
    last.map(|revision| (revision.block, revision.revision)).ok_or_else(|| {
        let when = batch.map(|batch| format!(" in batches 1 to {batch}")).unwrap_or_default();
        Failure::usage(
            format!(
                "no readings of {} register {} on {} are sealed{when}",
                key.usage_point, key.register, key.day
            ),
            "see `tallywatt readings totals` for what is there",
        )
    })
}

/// A row a revision and interval that changed.
pub fn changes(opened: &Opened, key: &BlockKey, arguments: &Arguments) -> Result<Report, Failure> {
    let books = opened.readings()?;
    known(books, key, None)?;
    let history = books.history(key);
    let columns = ["batch", "revision", "interval start", "Wh", "quality", "reason", "who", "when"];
    let mut table = Table::new(&columns);
    let mut before: Option<&DayBlock> = None;
    for revision in &history {
        let layers = DayLayers::union_of(&revision.layers).ok().flatten();
        for at in 0..revision.block.interval_count() {
            let value = revision.block.interval(at);
            if value == before.map_or((0, Quality::Missing), |block| block.interval(at)) {
                continue;
            }
            let origin = layers.as_ref().and_then(|layers| said_by(layers, at)).map(|head| head.origin);
            table.row(vec![
                json!(revision.batch),
                json!(revision.revision),
                json!(revision.block.interval_start(at).to_string()),
                value_of(value),
                json!(value.1.name()),
                json!(origin.map(|origin| origin.reason.name())),
                json!(origin.and_then(|origin| origin.who).map(|who| who.to_string())),
                json!(origin.and_then(|origin| origin.at).map(|at| at.to_string())),
            ]);
        }
        before = Some(&revision.block);
    }
    let mut report = Report { table: Some(table), ..Report::default() };
    report.fact("usage point", key.usage_point.to_string()).fact("register", key.register.to_string());
    report.fact("day", key.day.to_string()).fact("revisions", history.len());
    let point = crate::output::word(std::path::Path::new(key.usage_point.as_str()));
    let last = history.first().map_or(1, |revision| revision.batch);
    report.then(format!(
        "tallywatt{} readings show {point} {} --obis {} --as-of {last}",
        data_option(arguments),
        key.day,
        key.register
    ));
    Ok(report)
}

/// Whose word made an interval what it is: of the value that stands, else of the last one taken back.
fn said_by(layers: &DayLayers, at: usize) -> Option<LayerHead> {
    let standing = layers.unstruck(at).max_by_key(|(head, (_, quality))| (quality.rank(), head.issued));
    let withdrawn = || {
        let own = layers.layers().iter().filter(|layer| {
            layer.head.kind == LayerKind::Withdrawn && layer.block.interval(at).1 != Quality::Missing
        });
        own.map(|layer| layer.head).max_by_key(|head| (head.origin.at, head.issued))
    };
    standing.map(|(head, _)| head).or_else(withdrawn)
}
