//! The contract list, as CSV: `account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to`, and `own_prices`, which may
//! be left out.
//!
//! One row is one usage point of one account. `valid_to` is the first day it no longer holds, or empty. `own_prices` are in the
//! place of the tariff's: `day=6.10;fixed_per_month=100`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Read;
use std::str::FromStr;

use tallywatt_core::calendar::{Day, Zone};
use tallywatt_core::contract::{Contract, in_order};
use tallywatt_core::validity::Validity;

use super::error::DocumentError;
use super::own_prices;
use super::rows::{Columns, Rows};

const COLUMNS: [&str; 9] =
    ["account", "usage_point", "obis", "zone", "tariff", "agreement", "valid_from", "valid_to", "own_prices"];
/// Those that must be there.
const REQUIRED: usize = 8;

const VALUE: &str = "correct the value";
const ONCE: &str = "end the earlier contract with valid_to, or drop one of the two rows";

/// Reads a contract list; gives the contracts in canonical order. `file` is its name in messages.
///
/// # Errors
/// [`DocumentError`] names the first line that is wrong.
pub fn parse_contracts(file: &str, input: impl Read) -> Result<Vec<Contract>, DocumentError> {
    let mut rows = Rows::new(file, input);
    let columns = rows.header_with(COLUMNS, REQUIRED)?;
    let mut zones = BTreeMap::new();
    let (mut contracts, mut lines) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next_row()? {
        contracts.push(contract_of(&rows, &columns, &row, &mut zones)?);
        lines.push(rows.line());
    }
    check_once(&rows, &contracts, &lines)?;
    in_order(contracts).map_err(|error| DocumentError::new(file, None, error.to_string(), ONCE))
}

fn contract_of<R: Read>(
    rows: &Rows<'_, R>,
    columns: &Columns<9>,
    row: &[String],
    zones: &mut BTreeMap<String, Zone>,
) -> Result<Contract, DocumentError> {
    let fields = columns.pick(rows, row)?;
    let [.., zone_name, _, _, _, valid_to, own_prices] = fields;
    let fail = |at: usize, error: &dyn Display| {
        rows.fail(rows.line(), format!("{}: {error}", columns.name(at)), VALUE)
    };
    let zone = match zones.get(zone_name) {
        Some(zone) => zone.clone(),
        None => {
            let zone = Zone::parse(zone_name).map_err(|error| fail(3, &error))?;
            zones.insert(zone_name.to_owned(), zone.clone());
            zone
        }
    };
    fn take<T: FromStr<Err: Display>>(
        fields: &[&str; 9],
        at: usize,
        fail: impl Fn(usize, &dyn Display) -> DocumentError,
    ) -> Result<T, DocumentError> {
        fields[at].parse().map_err(|error| fail(at, &error))
    }
    let from: Day = take(&fields, 6, fail)?;
    let to: Option<Day> = if valid_to.is_empty() { None } else { Some(take(&fields, 7, fail)?) };
    Ok(Contract {
        account: take(&fields, 0, fail)?,
        usage_point: take(&fields, 1, fail)?,
        register: take(&fields, 2, fail)?,
        zone,
        tariff: take(&fields, 4, fail)?,
        agreement: take(&fields, 5, fail)?,
        validity: Validity::new(from, to)
            .map_err(|error| rows.fail(rows.line(), error.to_string(), VALUE))?,
        overrides: own_prices::parse(own_prices).map_err(|error| fail(8, &error))?,
    })
}

/// Says which two lines bill one register on one day; [`in_order`] can only say that there are such.
fn check_once<R: Read>(
    rows: &Rows<'_, R>,
    contracts: &[Contract],
    lines: &[u64],
) -> Result<(), DocumentError> {
    let mut order: Vec<(&Contract, u64)> = contracts.iter().zip(lines.iter().copied()).collect();
    order.sort_by_key(|(contract, _)| (contract.usage_point, contract.register, contract.validity));
    for pair in order.windows(2) {
        let [(first, first_line), (second, second_line)] = pair else { continue };
        let same = first.usage_point == second.usage_point && first.register == second.register;
        if same && first.validity.overlaps(second.validity) {
            let earlier = first_line.min(second_line);
            let problem = format!(
                "usage point {} register {} is billed on line {earlier} already",
                first.usage_point, first.register
            );
            return Err(rows.fail(*first_line.max(second_line), problem, ONCE));
        }
    }
    Ok(())
}
