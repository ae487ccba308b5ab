//! The smallest ledger: one home, two days, one bill, proven.

mod common;

use common::Ledger;
use tallywatt_core::agreement::Party;
use tallywatt_ingest::profile::Profile;
use tallywatt_node::audit::audit;
use tallywatt_node::prove::bill_receipt;
use tallywatt_verify::report::Verdict;

const TARIFF: &str = r#"
kind = "tariff"
id = "one"
title = "One rate"
currency = "RUB"
valid_from = "2026-01-01"
rounding = "half-up"
round_each = "line"
source = "test"
vat = { rate_percent = "22", included = true }
[[zone]]
name = "all"
windows = ["00:00-24:00"]
[[range]]
price = { all = "5.00" }
"#;

const AGREEMENT: &str = r#"
kind = "agreement"
id = "split"
title = "Split"
currency = "RUB"
valid_from = "2026-01-01"
payee = "grid"
remainder = "supplier"
rounding = "cumulative"
rule = "per-kwh"
per_kwh = { all = "2.00" }
"#;

#[test]
fn one_home_two_days() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = Ledger::create(&folder.path().join("data"), 1);
    ledger.publish(&[TARIFF, AGREEMENT]);
    ledger.contracts(
        "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n\
         A-1,P-1,1-0:1.8.0,Asia/Yekaterinburg,one,split,2026-03-30,\n",
    );
    let row = |day: &str| format!("P-1,1-0:1.8.0,{day}{}\n", ",100".repeat(48));
    let columns: String = (1..=48).map(|slot| format!(",v{slot}")).collect();
    let text = format!("usage_point,obis,date{columns}\n{}{}", row("2026-03-30"), row("2026-03-31"));
    let file = folder.path().join("readings.csv");
    std::fs::write(&file, text).unwrap();
    let profile = Profile::builtin("tallywatt").unwrap().with_zone("Asia/Yekaterinburg").unwrap();
    let (reports, sealed) = ledger.ingest(&[file], &profile);
    assert_eq!((reports[0].counts.accepted, sealed.unwrap().totals.import_wh()), (96, 9_600));
    ledger.bill("2026-03".parse().unwrap());
    let node = ledger.consortium.node(Party::Supplier);
    let bill = &node.books().bills("2026-03".parse().unwrap()).unwrap()[0];
    assert_eq!((bill.total.as_minor(), bill.payee_part.to_string()), (4_800, "19.20".into()));

    let receipt = bill_receipt(node, "A-1".parse().unwrap(), "2026-03".parse().unwrap()).unwrap().encode();
    let report = tallywatt_verify::verify(&receipt, &ledger.folder.policy().unwrap());
    assert_eq!(report.verdict, Verdict::Valid, "{report}");
    let Ledger { folder: held, consortium, threads, .. } = ledger;
    drop(consortium);
    let found = audit(&held, &threads);
    assert_eq!(found.findings, []);
}
