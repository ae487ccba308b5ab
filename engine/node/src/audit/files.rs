//! One party's stored values and sealed files against the hashes stored with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tallywatt_core::agreement::Party;
use tallywatt_ledger::codec::Reader;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::digest;
use tallywatt_shards::durable;

use super::AuditReport;
use crate::compare;
use crate::node_folder::{self, SEALED_FILE_SIZE_MAX};
use crate::store::{self, ChainStore, TableName, Values};

/// The values of one table that have their own hash.
pub struct Table {
    /// Key and value.
    pub values: Values,
    /// Whether it was read whole and every value had its hash.
    pub is_whole: bool,
}

/// All tables, by name.
pub type Tables = BTreeMap<&'static str, Table>;

/// Every table's values that have their own hash; those that have not are found by name.
pub fn read_tables(party: Party, store: &ChainStore, report: &mut AuditReport) -> Tables {
    let mut tables = Tables::new();
    for name in TableName::ALL {
        let mut table = Table { values: Values::new(), is_whole: true };
        match store.sealed_values(name) {
            Err(error) => {
                table.is_whole = false;
                report.find(format!("{party}/chain.redb {}", name.name()), error.to_string());
            }
            Ok(sealed) => {
                report.count("stored values", sealed.len());
                for (key, value) in sealed {
                    if let Some(payload) = store::unseal(name, &key, &value) {
                        table.values.push((key, payload));
                    } else {
                        table.is_whole = false;
                        report.find(
                            format!("{party}/chain.redb {} {}", name.name(), store::printable(name, &key)),
                            "the value does not have the hash stored with it",
                        );
                    }
                }
            }
        }
        tables.insert(name.name(), table);
    }
    tables
}

/// Every file that a block stands for is recorded in the store, and no other.
pub fn audit_recorded(party: Party, commands: &[&Command], tables: &Tables, report: &mut AuditReport) {
    let recorded: BTreeSet<String> =
        tables["files"].values.iter().map(|(path, _)| path.escape_ascii().to_string()).collect();
    let named: BTreeSet<String> =
        commands.iter().filter_map(|command| node_folder::file_of(command)).collect();
    for path in named.difference(&recorded) {
        report.find(
            format!("{party}/chain.redb files {path}"),
            "a block names this file, nothing is recorded of it",
        );
    }
    for path in recorded.difference(&named) {
        report.find(format!("{party}/chain.redb files {path}"), "no block names this file");
    }
}

/// Every sealed file against the size and hash stored for it; a difference is traced to its record.
pub fn audit_sealed(data: &Path, party: Party, tables: &Tables, report: &mut AuditReport) {
    let files = &tables["files"].values;
    report.count("sealed files", files.len());
    for (path, value) in files {
        let relative = path.escape_ascii().to_string();
        let place = format!("{party}/{relative}");
        let mut reader = Reader::new(value);
        let (Ok(size), Ok(hash)) = (reader.u64("size"), reader.hash("hash")) else {
            report.find(place, "its stored size and hash cannot be read");
            continue;
        };
        let bytes =
            match durable::read_limited(&data.join(party.name()).join(&relative), SEALED_FILE_SIZE_MAX) {
                Ok(bytes) => bytes,
                Err(error) => {
                    report.find(place, error.to_string());
                    continue;
                }
            };
        report.count("bytes of sealed files", bytes.len());
        if u64::try_from(bytes.len()) == Ok(size) && digest::content_hash(&bytes) == hash {
            continue;
        }
        // An intact copy at another party tells which record it is.
        let intact = Party::ALL.into_iter().filter(|other| *other != party).find_map(|other| {
            let copy =
                durable::read_limited(&data.join(other.name()).join(&relative), SEALED_FILE_SIZE_MAX).ok()?;
            (digest::content_hash(&copy) == hash).then_some((other, copy))
        });
        match intact {
            Some((other, copy)) => {
                let (record, what) = compare::first_difference(&relative, &bytes, &copy);
                let place = if record.is_empty() { place } else { format!("{place} {record}") };
                report.find(place, format!("{what} in the copy of {other}"));
            }
            None => report.find(
                place,
                "its bytes do not have the hash stored with it, and no party has an intact copy",
            ),
        }
    }
}
