//! A small ledger that has one of everything, its places on disk, and a clock-free random sequence.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "in a test, a failed unwrap is the failure")]

use std::fs;
use std::path::{Path, PathBuf};

use tallywatt_core::account::{Entry, Payment};
use tallywatt_core::agreement::Party;
use tallywatt_core::money::Money;
use tallywatt_ingest::profile::Profile;
use tallywatt_node::books::{Books, Input};
use tallywatt_node::intake::Intake;

use crate::common::{AGREEMENT, Ledger, TARIFF};

/// Two homes: what their accounts hold.
pub const CONTRACTS: &str = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n\
    A-1,P-1,1-0:1.8.0,Asia/Yekaterinburg,one,split,2026-03-30,\n\
    A-2,P-2,1-0:1.8.0,Asia/Yekaterinburg,one,split,2026-03-30,\n";
/// The month that is billed.
pub const MONTH: &str = "2026-03";

pub fn profile() -> Profile {
    Profile::builtin("tallywatt").unwrap().with_zone("Asia/Yekaterinburg").unwrap()
}

/// Writes one day of both homes, `wh` a half-hour at the first and one more at the second.
pub fn write_day(folder: &Path, day: &str, wh: u32) -> PathBuf {
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    let row = |point: &str, wh: u32| format!("{point},1-0:1.8.0,{day}{}\n", format!(",{wh}").repeat(48));
    let text = format!("usage_point,obis,date{columns}\n{}{}", row("P-1", wh), row("P-2", wh + 1));
    let path = folder.join(format!("{day}.csv"));
    fs::write(&path, text).unwrap();
    path
}

/// The first account pays a part; the second payment is for an account nobody has.
pub fn payments() -> Vec<Entry> {
    let payment = |id: &str, account: &str, minor| {
        Entry::Payment(Payment {
            id: id.parse().unwrap(),
            account: account.parse().unwrap(),
            booked: "2026-04-05".parse().unwrap(),
            amount: Money::from_minor(minor),
            period: None,
            remittance: None,
        })
    };
    vec![payment("PAY-1", "A-1", 3_000), payment("PAY-2", "A-9", 700)]
}

/// Publishes, takes in and seals two days, bills, settles, and leaves a third day taken in but not sealed.
pub fn build(folder: &Path) -> PathBuf {
    let mut ledger = Ledger::create(&folder.join("data"), 1);
    ledger.publish(&[TARIFF, AGREEMENT]);
    ledger.contracts(CONTRACTS);
    for (day, wh) in [("2026-03-30", 100), ("2026-03-31", 200)] {
        let (_, sealed) = ledger.ingest(&[write_day(folder, day, wh)], &profile());
        assert_eq!(sealed.unwrap().totals.leaf_count, 2);
    }
    ledger.bill(MONTH.parse().unwrap());
    ledger.propose(Party::Bank, Input::Payments(payments()));
    take_in(&ledger, &write_day(folder, "2026-04-01", 300));
    ledger.path
}

/// Takes a file in without sealing it.
pub fn take_in(ledger: &Ledger, file: &Path) -> Vec<tallywatt_node::intake::ImportReport> {
    let books = ledger.consortium.node(Party::Grid).books();
    import(&mut Intake::open(&ledger.path, books).unwrap(), books, file)
}

pub fn import(intake: &mut Intake, books: &Books, file: &Path) -> Vec<tallywatt_node::intake::ImportReport> {
    let interrupt = std::sync::atomic::AtomicBool::new(false);
    let now = tallywatt_core::calendar::UtcSeconds(i64::try_from(crate::common::NOW_UNIX_S).unwrap());
    let (profile, progress) = (profile(), &mut |_| {});
    let mut run = tallywatt_node::intake::ImportRun {
        profile: &profile,
        books,
        now,
        interrupt: &interrupt,
        progress,
        only_lines: None,
    };
    intake.import(file, &mut run).unwrap()
}

/// The sealed files of a party, by path in its folder, sorted.
pub fn sealed_files(data: &Path, party: Party) -> Vec<String> {
    let mut files = Vec::new();
    for folder in ["documents", "contracts", "batches", "periods", "bills", "settlements", "corrections"] {
        // The bank has no place for readings.
        let Ok(entries) = fs::read_dir(data.join(party.name()).join(folder)) else { continue };
        for entry in entries {
            files.push(format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy()));
        }
    }
    files.sort();
    files
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// `SplitMix64`: the same numbers for the same seed, everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(u64::try_from(count).unwrap())).unwrap()
    }
}
