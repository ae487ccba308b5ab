//! `init` and `config`.

use serde_json::json;
use tallywatt_core::calendar::tzdb_version;
use tallywatt_ingest::profile::Profile;
use tallywatt_node::ledger_folder::{HeldFolder, POLICY_NAME, Secrets};

use crate::args::{Arguments, Config, ConfigAction, Init};
use crate::failure::Failure;
use crate::joining;
use crate::nodes;
use crate::open::{data_option, open_held};
use crate::output::{Report, Table};

/// Makes a data folder.
pub fn init(init: &Init, arguments: &Arguments) -> Result<Report, Failure> {
    let currency = init.currency.parse().map_err(|error: tallywatt_core::tariff::TariffError| {
        Failure::usage(error, "name a currency such as RUB")
    })?;
    if init.party.is_some() {
        return joining::prepare(init, currency, arguments);
    }
    if init.apart {
        return nodes::found(init, currency, arguments);
    }
    let secrets = init.demonstration_keys.map_or(Secrets::Random, Secrets::Demonstration);
    let folder = HeldFolder::create(&arguments.data, &init.origin, currency, secrets)?;
    let opened = open_held(folder, arguments)?;
    let mut report = Report::default();
    report.fact("data folder", arguments.data.display().to_string());
    report.fact("origin", init.origin.clone());
    report.fact("trust policy", opened.folder.path().join(POLICY_NAME).display().to_string());
    report.fact("blocks", opened.consortium.nodes()[0].member().size());
    report.fact("recomputed by", opened.folder.genesis()?.attesters.words());
    if init.demonstration_keys.is_some() {
        report.notes.push("these keys can be made again by anybody: for demonstrations only".into());
    }
    let option = data_option(arguments);
    report.then(format!("tallywatt{option} tariff publish TARIFF.toml AGREEMENT.toml --sign"));
    report.then(format!("tallywatt{option} ingest FILES --profile NAME"));
    Ok(report)
}

/// Settings.
pub fn run(config: &Config, arguments: &Arguments) -> Result<Report, Failure> {
    match &config.action {
        ConfigAction::Profiles { name } => profiles(name.as_deref()),
        ConfigAction::Check => {
            let folder = HeldFolder::hold_for_command(&arguments.data)?;
            let mut report = Report::default();
            report.fact("config", "sound").fact("origin", folder.config().origin.clone());
            report.then(format!("tallywatt{} config show", data_option(arguments)));
            Ok(report)
        }
        ConfigAction::Show => {
            let folder = HeldFolder::hold_for_command(&arguments.data)?;
            let config = folder.config();
            let mut report = Report::default();
            report
                .fact("origin", config.origin.clone())
                .fact("currency", config.currency.clone())
                .fact("threads", config.pool(arguments.threads)?.count())
                .fact("archive shards", config.archive_shards)
                .fact("time zone data", tzdb_version())
                .fact("version", env!("CARGO_PKG_VERSION"));
            report.then(format!("tallywatt{} chain status", data_option(arguments)));
            Ok(report)
        }
    }
}

fn profiles(name: Option<&str>) -> Result<Report, Failure> {
    let mut report = Report::default();
    match name {
        Some(name) => {
            let profile = Profile::builtin(name).map_err(|error| {
                Failure::usage(error, "see `tallywatt config profiles` for the names there are")
            })?;
            report.text = Some(profile.content().to_owned());
            report.fact("name", name).fact("text", profile.content());
            report.then(format!("tallywatt config profiles {name} > mine.toml"));
        }
        None => {
            let mut table = Table::new(&["profile", "zone", "what"]);
            for name in Profile::builtin_names() {
                if let Ok(profile) = Profile::builtin(name) {
                    let what =
                        profile.content().lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
                    table.row(vec![json!(name), json!(profile.zone().name()), json!(what)]);
                }
            }
            report.table = Some(table);
            report.then("tallywatt config profiles NAME > mine.toml");
            report.then("tallywatt ingest FILES --profile mine.toml");
        }
    }
    Ok(report)
}
