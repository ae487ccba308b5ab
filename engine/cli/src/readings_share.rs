//! `readings share`: what a sharing group's generation comes to for each participant, month by month.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use serde_json::json;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::energy::Energy;
use tallywatt_core::estimated::Share;
use tallywatt_core::sharing::{SharedRegister, SharingGroup};
use tallywatt_ingest::documents::{Document, parse_document};

use crate::args::Arguments;
use crate::failure::Failure;
use crate::open::{Opened, period_of};
use crate::output::{Report, Table};
use crate::tariffs::read_text;

#[derive(Debug, Args)]
pub struct ShareOptions {
    /// A sharing group: a file of kind = "sharing-group", or the name of a published one.
    pub group: String,
    /// Month, YYYY-MM, that is closed.
    pub period: String,
}

/// Shares a closed month. Nothing is recorded, and no bill follows from it.
pub fn share(opened: &Opened, options: &ShareOptions, _: &Arguments) -> Result<Report, Failure> {
    let period = period_of(&options.period)?;
    let books = opened.readings()?;
    let leaves = books.period_leaves(period).ok_or_else(|| {
        Failure::usage(format!("{period} is not closed"), format!("run `tallywatt bill run {period}` first"))
    })?;
    let blocks: BTreeMap<BlockKey, &DayBlock> =
        leaves.iter().map(|leaf| (leaf.block().key(), leaf.block())).collect();
    let of_file = Path::new(&options.group).is_file().then(|| read_group(Path::new(&options.group)));
    let of_file = of_file.transpose()?;
    let known: Vec<&SharingGroup> = match &of_file {
        Some(group) => vec![group],
        None => {
            let groups = books.sharing_groups().iter().map(|known| &known.body);
            groups.filter(|group| group.parts().id.as_str() == options.group).collect()
        }
    };
    let held = |day| known.iter().rev().find(move |group| group.parts().validity.contains(day)).copied();
    let Some(group) = period.days().find_map(held) else {
        let text = format!("no sharing group {} holds in {period}", options.group);
        return Err(Failure::usage(text, "name a file, or a group of `tallywatt tariff list`"));
    };
    let mut sums = Sums::default();
    for day in period.days() {
        let Some(group) = held(day) else { continue };
        let parts = group.parts();
        let find = |of: &SharedRegister| {
            blocks.get(&BlockKey { usage_point: of.usage_point, register: of.register, day }).copied()
        };
        let consumed: Vec<Option<&DayBlock>> =
            parts.participants.iter().map(|one| find(&one.consumes)).collect();
        for (one, block) in parts.participants.iter().zip(&consumed) {
            sums.of(&one.consumes).0 += block.map_or(0, DayBlock::total_wh);
        }
        let Some(generated) = find(&parts.generator) else {
            sums.days_without_generation += 1;
            continue;
        };
        let shared = group.share_day(generated, &consumed).map_err(|error| {
            Failure::usage(
                format!("{day}: {error}"),
                "share registers that are read in intervals of one length",
            )
        })?;
        sums.missing_count += shared.missing_count;
        sums.generated_wh += generated.total_wh();
        for interval in &shared.intervals {
            sums.fed_in_wh += interval.fed_in_wh;
            for (one, wh) in parts.participants.iter().zip(&interval.given_wh) {
                sums.of(&one.consumes).1 += wh;
            }
        }
    }
    Ok(sums.report(group, &options.period))
}

fn read_group(file: &Path) -> Result<SharingGroup, Failure> {
    let name = file.display().to_string();
    match parse_document(&name, &read_text(file)?)? {
        Document::SharingGroup(group) => Ok(group),
        _ => Err(Failure::usage(
            format!("{name} is no sharing group"),
            "name a file of kind = \"sharing-group\"",
        )),
    }
}

/// A month's watt-hours.
#[derive(Default)]
struct Sums {
    /// Consumed and given.
    participants: BTreeMap<SharedRegister, (i64, i64)>,
    generated_wh: i64,
    fed_in_wh: i64,
    missing_count: usize,
    days_without_generation: u64,
}

impl Sums {
    fn of(&mut self, register: &SharedRegister) -> &mut (i64, i64) {
        self.participants.entry(*register).or_default()
    }

    fn report(&self, group: &SharingGroup, period: &str) -> Report {
        let kwh = |wh: i64| Energy::from_wh(wh).to_string();
        let mut table =
            Table::new(&["usage point", "register", "consumed kWh", "given kWh", "left to buy kWh", "own %"]);
        for (of, &(consumed_wh, given_wh)) in &self.participants {
            table.row(vec![
                json!(of.usage_point.to_string()),
                json!(of.register.to_string()),
                json!(kwh(consumed_wh)),
                json!(kwh(given_wh)),
                json!(kwh(consumed_wh - given_wh)),
                json!(Share { part: given_wh, whole: consumed_wh }.to_string()),
            ]);
        }
        let given_wh: i64 = self.participants.values().map(|(_, given)| given).sum();
        assert_eq!(given_wh + self.fed_in_wh, self.generated_wh, "every watt-hour is given or fed in");
        let mut report = Report { table: Some(table), ..Report::default() };
        report.fact("group", group.parts().id.to_string()).fact("mode", group.parts().mode.name());
        report.fact("period", period).fact("generated kWh", kwh(self.generated_wh));
        report.fact("given kWh", kwh(given_wh)).fact("fed in kWh", kwh(self.fed_in_wh));
        report.fact("values missing", self.missing_count);
        report.fact("days without generation", self.days_without_generation);
        report.notes.push("shown only: bills do not follow from a sharing group yet".into());
        report
    }
}
