//! How fast three nodes, a process each, agree on blocks: from the operator's asking to two signatures of three; and how
//! fast one that was away is back.
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
use tallywatt_node::running::status::Status;
use tallywatt_node::running::view::{Door, Proposed, Until};

use crate::failure::{Failure, code};
use crate::nodes::Children;
use crate::output::{Output, Report};
use crate::progress::Meter;

/// The most blocks of one measurement.
const BLOCK_COUNT_MAX: u64 = 100_000;

/// How long a node may take to catch up, or to answer after a start.
const BACK_WAIT: Duration = Duration::from_secs(600);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Measures it: `count` blocks with all three nodes, `missed` without the bank's, then how long that takes to come back; and to start
/// once more, after it was killed.
pub fn run(count: u64, missed: u64, folder: &Path, output: Output) -> Result<Report, Failure> {
    for (option, value) in [("blocks", count), ("missed", missed)] {
        if !(1..=BLOCK_COUNT_MAX).contains(&value) {
            return Err(Failure::usage(
                format!("--{option} {value}: need 1 to {BLOCK_COUNT_MAX}"),
                "name a number such as 1000",
            ));
        }
    }
    let place = tempfile::Builder::new().prefix("tallywatt-bench-").tempdir_in(folder);
    let place = place.map_err(|error| Failure::file("write below", folder, &error))?;
    let nodes = place.path().join("nodes");
    let currency = "RUB".parse().map_err(|_| Failure::usage("RUB is no currency", "this is a defect"))?;
    let mut children = Children::start(&nodes, "tallywatt.bench/blocks", currency, Secrets::Random, None)?;
    let mut door = Door::open(&nodes.join(Party::Supplier.name()), Party::Supplier)?;
    let mut meter = Meter::new(output, "bench", count + missed, "blocks");
    // What the nodes do is measured, not the making of documents.
    let documents = (0..count + missed).map(document).collect::<Result<Vec<_>, _>>()?;
    let (present, away) = documents.split_at(usize::try_from(count).expect("at most BLOCK_COUNT_MAX"));
    let begun = Instant::now();
    let mut taken = publish(&mut door, 0, present, &mut meter)?;
    let all = begun.elapsed();
    children.stop_one(Party::Bank);
    publish(&mut door, count, away, &mut meter)?;
    meter.finish();
    let size = count + missed + 1;
    let bank = nodes.join(Party::Bank.name());
    let caught_up = Instant::now();
    children.start_one(Party::Bank)?;
    wait(&bank, |status| status.signed >= size)?;
    let caught_up = caught_up.elapsed();
    children.kill_one(Party::Bank);
    let restarted = Instant::now();
    children.start_one(Party::Bank)?;
    wait(&bank, |status| status.blocks >= size)?;
    let restarted = restarted.elapsed();
    drop((door, children));
    taken.sort_unstable();
    let quantile = |per_mille: usize| {
        let at = (taken.len() - 1) * per_mille / 1_000;
        format!("{:.2}", taken[at].as_secs_f64() * 1e3)
    };
    let seconds = |time: Duration| format!("{:.2}", time.as_secs_f64());
    let mut report = Report::default();
    report.fact("blocks", count).fact("blocks/s", format!("{:.0}", taken.len() as f64 / all.as_secs_f64()));
    report.fact("to 2 of 3 ms, median", quantile(500)).fact("p99 ms", quantile(990));
    report.fact("most ms", quantile(1_000));
    report.fact("missed", missed).fact("catch-up s", seconds(caught_up));
    report.fact("restart blocks", size).fact("restart s", seconds(restarted));
    Ok(report)
}

/// Publishes documents one after the other, and says how long each took to two signatures.
fn publish(
    door: &mut Door,
    from: u64,
    documents: &[(Command, Vec<u8>)],
    meter: &mut Meter,
) -> Result<Vec<Duration>, Failure> {
    let mut taken = Vec::new();
    for (at, (command, bytes)) in (from..).zip(documents) {
        let asked = Instant::now();
        match door.propose(command, Some(bytes), Until::Final)? {
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
    Ok(taken)
}

/// Waits until the bank's node says that it is so.
fn wait(bank: &Path, holds: impl Fn(&Status) -> bool) -> Result<(), Failure> {
    let begun = Instant::now();
    while begun.elapsed() < BACK_WAIT {
        let status = Door::open(bank, Party::Bank).and_then(|mut door| door.status());
        if status.is_ok_and(|status| holds(&status)) {
            return Ok(());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let what = format!("the bank's node is not back within {} s", BACK_WAIT.as_secs());
    Err(Failure::with_code(code::NO_QUORUM, what, "see that the machine has time for three nodes"))
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
