//! Unit tests of tariffs, as a file: what is used when, and what the bill must be.
//!
//! ```toml
//! [[case]]
//! name = "January, two ranges"
//! tariffs = ["two-zone.toml"]             # versions of one tariff; paths from this file's folder
//! period = "2026-01"
//! zone = "Asia/Yekaterinburg"
//! minutes = 30                            # length of an interval
//! # held_from = "2026-01-10"              # days of the contract, else all
//! # held_to = "2026-01-20"
//! use = [{ wh = 500 }, { windows = ["weekday 17:00-21:00"], wh = 2000 }]   # Wh an interval; the last that holds
//! total = "1234.50"
//! lines = { "day" = "1000.00", "night, range 2" = "34.50" }                # optional, then all of them
//! # market = ["march-prices.csv"]                                        # price series and lists of hours
//! # error = "no version that holds on 2026-01-31"                          # instead: part of the reason why not
//! ```
//!
//! The bill is computed by the same rating as every other. The intervals must fill every day that is held: half an
//! hour of clock change leaves no bill to intervals of an hour.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tallywatt_core::agreement::{Agreement, Party, SplitRule};
use tallywatt_core::bill::Bill;
use tallywatt_core::bill_change::charge_name;
use tallywatt_core::calendar::{Day, LocalDay, Period, Zone};
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::label::Label;
use tallywatt_core::market::MarketBook;
use tallywatt_core::money::Money;
use tallywatt_core::payment_terms::PaymentTerms;
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillInputs, bill};
use tallywatt_core::reading::{INTERVAL_MINUTES, Source as ReadingSource};
use tallywatt_core::register::Register;
use tallywatt_core::tariff::{Tariff, TariffBook, Window};
use tallywatt_core::validity::Validity;
use toml::Spanned;

use super::field::{Field, Source};
use super::windows::{self, WINDOWS};
use super::{DOCUMENT_SIZE_MAX, DocumentError};

const PERIOD: &str = "write the month as \"2026-01\"";
const ZONE: &str =
    "write a zone of the time zone database, such as \"Europe/Amsterdam\", or an offset, such as \"+05:00\"";
const DATE: &str = "write a date as \"2026-01-10\"";
const MONEY: &str = "write an amount as \"1234.50\"";
const EXPECTED: &str = "write total, lines or error: what the bill must be";

/// A case: what is used when, and what must come of it.
#[derive(Debug, Clone)]
pub struct TariffCase {
    /// Its name.
    pub name: String,
    /// Where it stands, counted from 1.
    pub line: u64,
    /// Files of the tariff's versions, as they are written.
    pub tariffs: Vec<PathBuf>,
    /// Files of price series and lists of hours, as they are written.
    pub market: Vec<PathBuf>,
    period: Period,
    zone: Zone,
    minutes: u8,
    held: Validity,
    uses: Vec<Use>,
    want: Want,
}

#[derive(Debug, Clone)]
struct Use {
    windows: Vec<Window>,
    wh: i32,
}

#[derive(Debug, Clone)]
enum Want {
    Bill { total: Option<Money>, lines: Option<BTreeMap<String, Money>> },
    Error(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CasesFile {
    case: Vec<Spanned<CaseTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table of a case")]
struct CaseTable {
    name: Field,
    tariffs: Vec<Field>,
    period: Field,
    zone: Field,
    minutes: Spanned<u8>,
    held_from: Option<Field>,
    held_to: Option<Field>,
    #[serde(rename = "use")]
    uses: Vec<UseTable>,
    total: Option<Field>,
    lines: Option<Spanned<BTreeMap<String, Field>>>,
    error: Option<Field>,
    market: Option<Vec<Field>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { wh = 500 }")]
struct UseTable {
    windows: Option<Vec<Field>>,
    wh: Spanned<i32>,
}

/// Reads a file of cases; `file` is its name in messages.
///
/// # Errors
/// [`DocumentError`] names the first line that is wrong.
pub fn parse_tariff_cases(file: &str, text: &str) -> Result<Vec<TariffCase>, DocumentError> {
    if text.len() > DOCUMENT_SIZE_MAX {
        let problem = format!("file of {} bytes, at most {DOCUMENT_SIZE_MAX}", text.len());
        return Err(DocumentError::new(file, None, problem, "write several files"));
    }
    let source = Source::new(file, text);
    let file: CasesFile = source.read()?;
    file.case.iter().map(|case| case_of(&source, case)).collect()
}

fn case_of(source: &Source<'_>, table: &Spanned<CaseTable>) -> Result<TariffCase, DocumentError> {
    let case = table.get_ref();
    let minutes = *case.minutes.get_ref();
    if !INTERVAL_MINUTES.contains(&minutes) {
        let problem = format!("intervals of {minutes} minutes");
        return Err(source.fail(&case.minutes.span(), problem, "write minutes = 5, 15, 30 or 60"));
    }
    let period: Period = source.parse("period", &case.period, PERIOD)?;
    let from = case.held_from.as_ref().map(|field| source.parse("held_from", field, DATE)).transpose()?;
    let to = case.held_to.as_ref().map(|field| source.parse("held_to", field, DATE)).transpose()?;
    let from = from.unwrap_or(period.first_day());
    let held = Validity::new(from, to).map_err(|_| {
        let span = case.held_to.as_ref().map_or(table.span(), Spanned::span);
        let to = to.map_or_else(String::new, |to| to.to_string());
        source.fail(&span, format!("held_to {to} is not after {from}, the first day held"), DATE)
    })?;
    let zone = Zone::parse(source.text("zone", &case.zone)?)
        .map_err(|error| source.fail(&case.zone.span(), format!("zone: {error}"), ZONE))?;
    let paths = case.tariffs.iter().map(|field| source.text("tariff", field).map(PathBuf::from));
    let market = case.market.iter().flatten();
    let market = market.map(|field| source.text("market", field).map(PathBuf::from));
    Ok(TariffCase {
        name: source.text("name", &case.name)?.to_owned(),
        line: source.line(&table.span()),
        tariffs: paths.collect::<Result<_, _>>()?,
        market: market.collect::<Result<_, _>>()?,
        period,
        zone,
        minutes,
        held,
        uses: case.uses.iter().map(|one| use_of(source, one)).collect::<Result<_, _>>()?,
        want: want_of(source, table)?,
    })
}

fn use_of(source: &Source<'_>, table: &UseTable) -> Result<Use, DocumentError> {
    if *table.wh.get_ref() < 0 {
        return Err(source.fail(&table.wh.span(), "negative energy", "write zero or more watt-hours"));
    }
    let window = |field: &Field| {
        let text = source.text("window", field)?;
        windows::parse(text).filter(Window::is_sound).ok_or_else(|| {
            source.fail(&field.span(), format!("window {text:?} is not a stretch of a day"), WINDOWS)
        })
    };
    let windows = table.windows.iter().flatten().map(window).collect::<Result<_, _>>()?;
    Ok(Use { windows, wh: *table.wh.get_ref() })
}

fn want_of(source: &Source<'_>, table: &Spanned<CaseTable>) -> Result<Want, DocumentError> {
    let case = table.get_ref();
    let money = |name: &str, field: &Field| source.parse::<Money>(name, field, MONEY);
    match (&case.error, &case.total, &case.lines) {
        (Some(error), None, None) => Ok(Want::Error(source.text("error", error)?.to_owned())),
        (None, None, None) | (Some(_), _, _) => {
            Err(source.fail(&table.span(), "a case without one thing to expect", EXPECTED))
        }
        (None, total, lines) => {
            let total = total.as_ref().map(|field| money("total", field)).transpose()?;
            let lines = lines.as_ref().map(|lines| {
                let amounts = lines.get_ref().iter();
                amounts.map(|(name, field)| Ok((name.clone(), money("amount", field)?))).collect()
            });
            Ok(Want::Bill { total, lines: lines.transpose()? })
        }
    }
}

impl TariffCase {
    /// The files of its versions, seen from the folder of its own file.
    pub fn files<'c>(&'c self, folder: &'c Path) -> impl Iterator<Item = PathBuf> + 'c {
        self.tariffs.iter().map(move |file| folder.join(file))
    }

    /// Its price series and lists of hours, seen from the folder of its own file.
    pub fn market_files<'c>(&'c self, folder: &'c Path) -> impl Iterator<Item = PathBuf> + 'c {
        self.market.iter().map(move |file| folder.join(file))
    }

    /// Computes the bill under these versions; what differs from what is expected, a text each. None: it passes.
    #[must_use]
    pub fn run(&self, versions: Vec<Published<Tariff>>, market: &MarketBook) -> Vec<String> {
        let found = self.bill(versions, market);
        match (&self.want, found) {
            (Want::Error(part), Err(problem)) if problem.contains(part.as_str()) => Vec::new(),
            (Want::Error(part), Err(problem)) => vec![format!("the reason is {problem:?}, without {part:?}")],
            (Want::Error(part), Ok((bill, _))) => {
                vec![format!("a bill of {}, expected none for {part:?}", bill.total)]
            }
            (Want::Bill { .. }, Err(problem)) => vec![format!("no bill: {problem}")],
            (Want::Bill { total, lines }, Ok((bill, book))) => {
                let mut differing = Vec::new();
                if let Some(total) = total.filter(|total| *total != bill.total) {
                    differing.push(format!("total {}, expected {total}", bill.total));
                }
                if let Some(lines) = lines {
                    differing.extend(differing_lines(lines, &named_lines(&bill, &book)));
                }
                differing
            }
        }
    }

    fn bill(
        &self,
        versions: Vec<Published<Tariff>>,
        market: &MarketBook,
    ) -> Result<(Bill, TariffBook), String> {
        let mut tariffs = TariffBook::default();
        let first = versions.first().ok_or_else(|| "no tariff".to_owned())?.body.parts();
        let (tariff, currency) = (first.id, first.currency);
        for version in versions {
            if version.body.parts().id != tariff {
                return Err(format!("versions of {tariff} and of {}", version.body.parts().id));
            }
            tariffs.publish(version).map_err(|error| error.to_string())?;
        }
        let name = |text: &str| -> Label { text.parse().expect("a short name") };
        let contract = Contract {
            account: name("case"),
            usage_point: name("case"),
            register: Register::IMPORT,
            zone: self.zone.clone(),
            tariff,
            agreement: name("case"),
            validity: self.held,
        };
        let agreement = Agreement {
            id: name("case"),
            title: String::new(),
            currency,
            validity: self.held,
            payee: Party::Grid,
            remainder: Party::Supplier,
            rule: SplitRule::Share(0),
            terms: PaymentTerms::default(),
        };
        let mut blocks = BTreeMap::new();
        for day in self.period.days().filter(|day| self.held.contains(*day)) {
            let local = self.zone.local_day(day);
            // A day that the zone's calendar left out has nothing to read.
            if local.start < local.end {
                let block = self.block(&contract, &tariffs, local)?;
                blocks.insert(block.key(), block);
            }
        }
        let inputs = BillInputs {
            account: contract.account,
            period: self.period,
            contracts: std::slice::from_ref(&contract),
            tariffs: &tariffs,
            agreement: &Published { hash: ContentHash::default(), body: agreement },
            readings: ContentHash::default(),
            market,
        };
        let bill = bill(&inputs, &|key| blocks.get(key)).map_err(|error| error.to_string())?;
        Ok((bill, tariffs))
    }

    /// A day of what is used. Where the intervals do not fill it there is no bill: it would lack the day, and not say so.
    fn block(&self, contract: &Contract, tariffs: &TariffBook, local: LocalDay) -> Result<DayBlock, String> {
        let unfilled = || format!("intervals of {} minutes do not fill {}", self.minutes, local.day);
        let count = local.interval_count(self.minutes).ok_or_else(unfilled)?;
        let starts = (0..count).map(|at| local.start.plus(i64::from(at) * i64::from(self.minutes) * 60));
        let values = starts.map(|start| {
            let minute = self.zone.wall_minute(start);
            let holds = |one: &&Use| {
                one.windows.is_empty()
                    || one.windows.iter().any(|window| covers(window, tariffs, contract, local.day, minute))
            };
            self.uses.iter().rfind(holds).map_or(0, |one| one.wh)
        });
        let values: Vec<i32> = values.collect();
        let key = BlockKey { usage_point: contract.usage_point, register: contract.register, day: local.day };
        let qualities = vec![Quality::Valid; values.len()];
        DayBlock::from_parts(key, local.start, self.minutes, ReadingSource::Synthetic, values, qualities)
            .map_err(|error| format!("{}: {error}", local.day))
    }
}

/// Holidays are those of the tariff version of the day.
fn covers(window: &Window, tariffs: &TariffBook, contract: &Contract, day: Day, minute: u16) -> bool {
    match tariffs.version(&contract.tariff, day) {
        Some(version) => window.covers(day, version.body.class_of(day), minute),
        None => false,
    }
}

/// A bill's lines by name, versions of one name added up.
fn named_lines(bill: &Bill, tariffs: &TariffBook) -> BTreeMap<String, Money> {
    let mut named: BTreeMap<String, Money> = BTreeMap::new();
    for line in &bill.lines {
        let hash = bill.tariffs[usize::from(line.version)];
        let version = tariffs.versions().iter().find(|version| version.hash == hash);
        let version = version.expect("a bill names versions of the book");
        let sum = named.entry(charge_name(line.kind, &version.body)).or_default();
        *sum = [*sum, line.amount].into_iter().sum();
    }
    named
}

fn differing_lines(want: &BTreeMap<String, Money>, got: &BTreeMap<String, Money>) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = want.keys().chain(got.keys()).collect();
    let shown = |amount: Option<&Money>| amount.map_or("none".to_owned(), Money::to_string);
    let differing = names.into_iter().filter(|name| want.get(*name) != got.get(*name));
    differing
        .map(|name| format!("{name} {}, expected {}", shown(got.get(name)), shown(want.get(name))))
        .collect()
}
