//! `synth`: a generated town's readings and documents.

use tallywatt_core::calendar::Day;
use tallywatt_fixtures::documents;
use tallywatt_fixtures::region::Region;
use tallywatt_fixtures::town::Town;
use tallywatt_fixtures::write::{ReadingFormat, write_readings};

use crate::args::{Arguments, Synth, SynthFormat};
use crate::failure::Failure;
use crate::open::data_option;
use crate::output::{Output, Report, word};
use crate::progress::Meter;

/// Writes a town.
pub fn run(synth: &Synth, arguments: &Arguments, output: &Output) -> Result<Report, Failure> {
    let first_day: Day =
        synth.first_day.parse().map_err(|error| Failure::usage(error, "write it as 2026-03-01"))?;
    let town = Town::new(synth.seed, synth.meters, synth.days, first_day)
        .map_err(|error| Failure::usage(error, "choose other --meters or --days"))?;
    let format = match synth.to {
        SynthFormat::Csv => ReadingFormat::DayCsv,
        SynthFormat::Layout80020 => ReadingFormat::Layout80020,
        SynthFormat::Nem12 => ReadingFormat::Nem12,
        SynthFormat::Frames => ReadingFormat::Frames,
        SynthFormat::Packs => ReadingFormat::Packs,
    };
    let mut meter = Meter::new(*output, "synth", town.register_day_count(), "register-days");
    let mut told = |written| meter.set(written, "written");
    let fail = |error: std::io::Error| Failure::file("write below", &synth.output, &error);
    std::fs::create_dir_all(&synth.output).map_err(fail)?;
    let files = write_readings(&town, format, &synth.output, &mut told).map_err(fail)?;
    meter.finish();
    let mut report = Report::default();
    report.fact("files", files.len()).fact("bytes", files.iter().map(|file| file.bytes).sum::<u64>());
    report.fact("households", town.household_count()).fact("register days", town.register_day_count());
    report.fact("readings", town.register_day_count() * 48);
    for file in files.iter().take(4) {
        report.fact("file", format!("{} BLAKE3 {}", file.path.display(), file.blake3));
    }
    if synth.documents {
        let written = documents::write_documents(&town, &synth.output).map_err(fail)?;
        report.fact("documents", written.len());
    }
    if !synth.documents {
        report.notes.push("with --documents it also writes tariffs, agreements and contracts".into());
    }
    let profile = match synth.to {
        SynthFormat::Csv => "tallywatt",
        SynthFormat::Layout80020 => "80020",
        SynthFormat::Nem12 => "nem12",
        SynthFormat::Frames => "frames",
        SynthFormat::Packs => "packs",
    };
    let option = data_option(arguments);
    if !arguments.data.exists() {
        report.then(format!("tallywatt{option} init"));
    }
    for region in Region::ALL {
        // A region without households has no files.
        let Some(file) = files.iter().find(|file| file.region == region) else { continue };
        let below = synth.output.join("readings");
        let place = file.path.strip_prefix(&below).ok().and_then(|path| path.components().next());
        let place = place.map_or_else(|| file.path.clone(), |first| below.join(first));
        let zone = region.zone_name();
        report.then(format!("tallywatt{option} ingest {} --profile {profile} --zone {zone}", word(&place)));
    }
    Ok(report)
}
