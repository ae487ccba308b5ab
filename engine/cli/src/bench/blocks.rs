//! How fast three nodes, a process each, agree on blocks: from the operator's asking to two signatures of three.
//!
//! Each block publishes a small tariff of its own: computed by the proposer, announced, recomputed and attested by the other
//! two, ordered on two of three disks, stored, the sign lock stored, signed, and the signature back. All of it on one machine,
//! so three times the work that each would have.

use std::path::Path;
use std::time::{Duration, Instant};

use tallywatt_core::agreement::Party;
use tallywatt_ingest::documents::parse_document;
use tallywatt_ledger::command::Command;
use tallywatt_node::books::records::{document_bytes, publication_of};
use tallywatt_node::ledger_folder::Secrets;
use tallywatt_node::running::view::{Door, Proposed, Until};

use crate::failure::{Failure, code};
use crate::nodes::Children;
use crate::output::{Output, Report};
use crate::progress::Meter;

/// The most blocks of one measurement.
const BLOCK_COUNT_MAX: u64 = 100_000;

/// Measures it.
pub fn run(count: u64, folder: &Path, output: Output) -> Result<Report, Failure> {
    if !(1..=BLOCK_COUNT_MAX).contains(&count) {
        return Err(Failure::usage(
            format!("--blocks {count}: need 1 to {BLOCK_COUNT_MAX}"),
            "name a number such as 1000",
        ));
    }
    let place = tempfile::Builder::new().prefix("tallywatt-bench-").tempdir_in(folder);
    let place = place.map_err(|error| Failure::file("write below", folder, &error))?;
    let nodes = place.path().join("nodes");
    let currency = "RUB".parse().map_err(|_| Failure::usage("RUB is no currency", "this is a defect"))?;
    let children = Children::start(&nodes, "tallywatt.bench/blocks", currency, Secrets::Random, None)?;
    let data = nodes.join(Party::Supplier.name());
    let mut door = Door::open(&data, Party::Supplier)?;
    let mut meter = Meter::new(output, "bench", count, "blocks");
    let mut taken: Vec<Duration> = Vec::new();
    let begun = Instant::now();
    for at in 0..count {
        let (command, bytes) = document(at)?;
        let asked = Instant::now();
        match door.propose(&command, Some(&bytes), Until::Final)? {
            Proposed::Done { height: Some(_), cosigners, .. } if cosigners.len() >= 2 => {}
            other => {
                return Err(Failure::with_code(
                    code::NO_QUORUM,
                    format!("block {at} is not final: {other:?}"),
                    "see that the machine has time and disk for three nodes",
                ));
            }
        }
        taken.push(asked.elapsed());
        meter.set(at + 1, "");
    }
    let all = begun.elapsed();
    meter.finish();
    drop((door, children));
    taken.sort_unstable();
    let quantile = |per_mille: usize| {
        let at = (taken.len() - 1) * per_mille / 1_000;
        format!("{:.2}", taken[at].as_secs_f64() * 1e3)
    };
    let mut report = Report::default();
    report.fact("blocks", count).fact("blocks/s", format!("{:.0}", taken.len() as f64 / all.as_secs_f64()));
    report.fact("to 2 of 3 ms, median", quantile(500)).fact("p99 ms", quantile(990));
    report.fact("most ms", quantile(1_000));
    Ok(report)
}

fn document(at: u64) -> Result<(Command, Vec<u8>), Failure> {
    let text = format!(
        "kind = \"tariff\"\nid = \"bench-{at}\"\ntitle = \"Tariff {at}\"\ncurrency = \"RUB\"\n\
         valid_from = \"2010-01-01\"\nrounding = \"half-up\"\nround_each = \"bill\"\nsource = \"bench\"\n\
         vat = {{ rate_percent = \"20\", included = true }}\n\
         zone = [{{ name = \"all\", windows = [\"00:00-24:00\"] }}]\nrange = [{{ price = {{ all = \"4.87\" }} }}]\n"
    );
    let defect = |error: String| Failure::usage(error, "this is a defect: report it");
    let document = parse_document("bench", &text).map_err(|error| defect(error.to_string()))?;
    let bytes = document_bytes(&document);
    Ok((Command::Publish(publication_of(&bytes)?), bytes))
}
