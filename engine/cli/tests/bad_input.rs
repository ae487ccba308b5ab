//! Wrong input, a row each: the exit code, the place named, a next step, and a ledger that stands as it stood.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use common::Place;

const EKB: &str = "--zone Asia/Yekaterinburg";
const LONG: &str = "format = \"csv\"\nlayout = \"long\"\nunit = \"UNIT\"\nstamp_format = \"YYYY-MM-DD HH:mm:ss\"\n\
                    zone = \"Europe/Berlin\"\ninterval_minutes = 30\n\n[columns]\nusage_point = \"id\"\n\
                    start = \"start\"\nvalue = \"v\"\n";
const PAYMENTS: &str = "payment_id,account,date,amount\n";

struct Row {
    what: &'static str,
    /// Files to write first: name and bytes.
    files: Vec<(&'static str, Vec<u8>)>,
    command: String,
    code: i32,
    /// What stderr must name.
    says: &'static [&'static str],
}

fn row(
    what: &'static str,
    files: &[(&'static str, &str)],
    command: &str,
    code: i32,
    says: &'static [&'static str],
) -> Row {
    let files = files.iter().map(|(name, text)| (*name, text.as_bytes().to_vec())).collect();
    Row { what, files, command: format!("tallywatt {command}"), code, says }
}

/// A register-day as the `tallywatt` profile reads it, one value replaced.
fn day_row(point: &str, value: &str) -> String {
    let mut values = vec!["10"; 48];
    values[7] = value;
    format!("{point},1-0:1.8.0,2026-03-02,{}\n", values.join(","))
}

fn day_header() -> String {
    let values: Vec<String> = (1..=48).map(|at| format!("v{at}")).collect();
    format!("usage_point,obis,date,{}\n", values.join(","))
}

fn nem12(unit: &str, end: &str) -> String {
    let values = vec!["0.5"; 48].join(",");
    format!(
        "100,NEM12,202603040000,SENDER,TAKER\n200,N-1,E1,E1,E1,N1,,{unit},30,\n300,20260302,{values},A,,,,\n{end}"
    )
}

/// A gzip member whose one stored block ends before its length is reached.
fn cut_gzip() -> Vec<u8> {
    let text = format!("{}{}", day_header(), day_row("X-1", "10"));
    let size = u16::try_from(text.len()).unwrap();
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    bytes.extend(size.to_le_bytes());
    bytes.extend((!size).to_le_bytes());
    bytes.extend(&text.as_bytes()[..text.len() / 2]);
    bytes
}

fn reading_rows() -> Vec<Row> {
    let header = day_header();
    let day = |value: &str| format!("{header}{}", day_row("X-1", value));
    let profile = |unit: &str| LONG.replace("UNIT", unit);
    let long = |stamp: &str| format!("id,start,v\nX-1,{stamp},10\n");
    let mut rows = vec![
        row(
            "unknown column",
            &[("a.csv", &header.replace(",v1,", ",colour,v1,"))],
            &format!("ingest a.csv {EKB}"),
            2,
            &["a.csv:1:", "colour", "[columns]"],
        ),
        row(
            "reactive unit of an active register",
            &[("u.toml", &profile("kvarh")), ("u.csv", &long("2026-03-02 00:00:00"))],
            "ingest u.csv --profile u.toml",
            78,
            &["u.toml:3:", "varh for reactive"],
        ),
        row(
            "unknown unit in the profile",
            &[("w.toml", &profile("BTU")), ("u.csv", &long("2026-03-02 00:00:00"))],
            "ingest u.csv --profile w.toml",
            78,
            &["w.toml:3:", "BTU"],
        ),
        row(
            "NEM12 unknown unit",
            &[("n.csv", &nem12("GJ", "900\n"))],
            "ingest n.csv --profile nem12",
            3,
            &["n.csv:"],
        ),
        row(
            "NEM12 without its end record",
            &[("n.csv", &nem12("kWh", ""))],
            "ingest n.csv --profile nem12",
            2,
            &["n.csv:3:", "900", "fetch the file again"],
        ),
        row(
            "negative energy",
            &[("wh.toml", &profile("Wh")), ("neg.csv", "id,start,v\nX-1,2026-03-02 00:00:00,-10\n")],
            "ingest neg.csv --profile wh.toml",
            3,
            &["neg.csv:2:", "1 readings set aside"],
        ),
        row(
            "cut in a row",
            &[("cut.csv", &day("10")[..header.len() + 60])],
            &format!("ingest cut.csv {EKB}"),
            3,
            &["cut.csv:2:"],
        ),
        row(
            "empty file",
            &[("empty.csv", "")],
            &format!("ingest empty.csv {EKB}"),
            2,
            &["empty.csv", "empty"],
        ),
        row(
            "a line past the limit",
            &[("line.csv", &format!("{header}{}\n", "9".repeat(70_000)))],
            &format!("ingest line.csv {EKB}"),
            3,
            &["line.csv:2:"],
        ),
        row(
            "a stamp that does not exist",
            &[("wh.toml", &profile("Wh")), ("gap.csv", &long("2026-03-29 02:30:00"))],
            "ingest gap.csv --profile wh.toml",
            3,
            &["gap.csv:2:"],
        ),
        row(
            "a date that does not exist",
            &[("wh.toml", &profile("Wh")), ("day.csv", &long("2026-02-30 00:00:00"))],
            "ingest day.csv --profile wh.toml",
            3,
            &["day.csv:2:"],
        ),
        row("missing file", &[], "ingest nothing.csv", 2, &["nothing.csv", "check the path"]),
        row(
            "unknown zone",
            &[("z.csv", &day("10"))],
            "ingest z.csv --zone Mars/Phobos",
            2,
            &["Mars/Phobos", "Asia/Yekaterinburg"],
        ),
        row(
            "unknown profile",
            &[("z.csv", &day("10"))],
            "ingest z.csv --profile telescope",
            2,
            &["telescope", "nem12"],
        ),
        row("no files", &[], "ingest", 2, &["no files"]),
        row("a month without readings", &[], "bill run 2026-07", 2, &["2026-07"]),
        row("a month billed twice", &[], "bill run 2026-03", 2, &["2026-03 is billed already"]),
        row("a month that is none", &[], "bill plan 2026-13", 2, &["2026-13"]),
        row("an account without a bill", &[], "bill show NOBODY 2026-03", 2, &["NOBODY", "bill list"]),
        row("a usage point without readings", &[], "readings show X-1 2026-03-02", 2, &["X-1"]),
        row("a block that is not there", &[], "chain show 999", 2, &["999"]),
    ];
    rows.push(Row {
        what: "a line that is not text",
        files: vec![("latin.csv", [header.as_bytes(), b"caf\xe9,1\n"].concat())],
        command: format!("tallywatt ingest latin.csv {EKB}"),
        code: 3,
        says: &["latin.csv:2:", "not text"],
    });
    rows.push(Row {
        what: "a header that is not text",
        files: vec![("head.csv", b"caf\xe9,obis\n".to_vec())],
        command: format!("tallywatt ingest head.csv {EKB}"),
        code: 2,
        says: &["head.csv:1:", "utf-8", "encoding"],
    });
    rows.push(Row {
        what: "cut gzip",
        files: vec![("cut.csv.gz", cut_gzip())],
        command: format!("tallywatt ingest cut.csv.gz {EKB}"),
        code: 2,
        says: &["cut.csv.gz", "fetch the file again"],
    });
    rows
}

fn document_rows() -> Vec<Row> {
    let contracts = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to\n";
    let contract = |tariff: &str| {
        format!("{contracts}A-1,X-1,1-0:1.8.0,Asia/Yekaterinburg,{tariff},grid-split-ekb,2026-01-01,\n")
    };
    let tariff = |from: &str, price: &str| {
        format!(
            "kind = \"tariff\"\nid = \"t\"\ntitle = \"T\"\ncurrency = \"RUB\"\nvalid_from = \"{from}\"\n\
             rounding = \"half-up\"\nround_each = \"line\"\nfixed_per_day = \"0\"\nsource = \"illustrative\"\n\
             [vat]\nrate_percent = \"22\"\nincluded = true\n[[zone]]\nname = \"all\"\nwindows = [\"00:00-24:00\"]\n\
             [[range]]\nprice = {{ all = {price} }}\n"
        )
    };
    let agreement = "kind = \"agreement\"\nid = \"a\"\ntitle = \"A\"\ncurrency = \"RUB\"\nvalid_from = \"2026-01-01\"\n\
                     payee = \"grid\"\nremainder = \"supplier\"\nrounding = \"cumulative\"\nrule = \"share\"\n\
                     share_percent = \"45.5\"\nremainder_percent = \"54.4\"\n";
    let pay = |rows: &str| format!("{PAYMENTS}{rows}");
    vec![
        row(
            "unknown tariff in the contracts",
            &[("c.csv", &contract("nothing"))],
            "contract publish c.csv",
            2,
            &["c.csv", "nothing", "tariff publish"],
        ),
        row(
            "contracts of another header",
            &[("c.csv", "who,what\n")],
            "contract publish c.csv",
            2,
            &["c.csv:1:", "who"],
        ),
        row(
            "overlapping validity",
            &[("t1.toml", &tariff("2026-01-01", "\"1\"")), ("t2.toml", &tariff("2026-02-01", "\"2\""))],
            "tariff publish t1.toml t2.toml",
            2,
            &["t2.toml", "valid_to"],
        ),
        row(
            "overlap with what is published",
            &[("t3.toml", &tariff("2026-02-01", "\"2\"").replace("\"t\"", "\"ekb-ranges\""))],
            "tariff publish t3.toml",
            2,
            &["ekb-ranges", "valid_to"],
        ),
        row(
            "a price as a float",
            &[("f.toml", &tariff("2026-01-01", "5.93"))],
            "tariff check f.toml",
            2,
            &["f.toml:17", "quotes"],
        ),
        row(
            "shares that do not make 100",
            &[("s.toml", agreement)],
            "tariff check s.toml",
            2,
            &["s.toml:1", "100"],
        ),
        row(
            "an unknown key",
            &[("k.toml", &format!("colour = 1\n{agreement}"))],
            "tariff check k.toml",
            2,
            &["k.toml:1", "colour"],
        ),
        row(
            "no trailer",
            &[("p.csv", &pay("P-1,A-000001,2026-04-02,10.00\n"))],
            "pay plan p.csv",
            2,
            &["p.csv:2:", "#TOTAL", "fetch the whole file"],
        ),
        row(
            "a wrong count",
            &[("p.csv", &pay("P-1,A-000001,2026-04-02,10.00\n#TOTAL,2,10.00\n"))],
            "pay run p.csv",
            2,
            &["p.csv:3:", "2"],
        ),
        row(
            "a wrong sum",
            &[("p.csv", &pay("P-1,A-000001,2026-04-02,10.00\n#TOTAL,1,10.01\n"))],
            "pay run p.csv",
            2,
            &["p.csv:3:", "10.01"],
        ),
        row(
            "an amount of three decimals",
            &[("p.csv", &pay("P-1,A-000001,2026-04-02,10.001\n#TOTAL,1,10.00\n"))],
            "pay run p.csv",
            2,
            &["p.csv:2:", "10.001"],
        ),
        row(
            "a settled id with another amount",
            &[("p.csv", &pay("P-SETTLED,A-000001,2026-04-02,99.00\n#TOTAL,1,99.00\n"))],
            "pay run p.csv",
            2,
            &["P-SETTLED"],
        ),
        row("a registry once more", &[], "pay run settled.csv", 0, &[]),
        row("not a receipt", &[("r.receipt", "hello\n")], "verify r.receipt", 1, &["do not rely"]),
        row("no receipt", &[], "verify nothing.receipt", 2, &["policy"]),
        row(
            "no policy",
            &[("r.receipt", "hello\n")],
            "verify r.receipt --policy nothing.policy",
            2,
            &["policy"],
        ),
        row("a receipt of a bill that is not there", &[], "prove bill NOBODY 2026-03", 2, &["NOBODY"]),
        row(
            "a plan of something else",
            &[("x.plan", "x")],
            "pay run new.csv --plan x.plan",
            4,
            &["x.plan", "nothing was recorded"],
        ),
    ]
}

/// A ledger with March billed and one payment settled.
fn billed() -> Place {
    let place = Place::new();
    place.town(20, 31);
    place.expect(0, "tallywatt bill run 2026-03");
    place.write("settled.csv", format!("{PAYMENTS}P-SETTLED,A-000001,2026-04-02,10.00\n#TOTAL,1,10.00\n"));
    place.expect(0, "tallywatt pay run settled.csv");
    place.write("new.csv", format!("{PAYMENTS}P-NEW,A-000002,2026-04-02,10.00\n#TOTAL,1,10.00\n"));
    place
}

fn check(place: &Place, rows: Vec<Row>) {
    let before = place.status();
    let mut wrong = Vec::new();
    for row in rows {
        for (name, bytes) in &row.files {
            place.write(name, bytes);
        }
        let ran = place.sh(&row.command);
        let mut problems: Vec<String> = row
            .says
            .iter()
            .filter(|said| !ran.err.contains(**said))
            .map(|said| format!("does not say {said:?}"))
            .collect();
        if ran.code != row.code {
            problems.push(format!("exit {}, expected {}", ran.code, row.code));
        }
        if !ran.err.contains("next: ") {
            problems.push("no next step".into());
        }
        if ran.err.contains("panicked") || ran.err.contains(&place.path().display().to_string()) {
            problems.push("says too much".into());
        }
        if place.status() != before {
            problems.push("the ledger has changed".into());
        }
        if !problems.is_empty() {
            wrong.push(format!("{}: {problems:?}\n$ {}\n{}{}", row.what, row.command, ran.out, ran.err));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_readings_change_nothing() {
    check(&billed(), reading_rows());
}

#[test]
fn wrong_documents_and_payments_change_nothing() {
    check(&billed(), document_rows());
}

#[test]
fn a_payment_for_no_account_is_held_and_counted() {
    let place = billed();
    place.write(
        "s.csv",
        format!("{PAYMENTS}P-2,NOBODY,2026-04-02,7.77\nP-3,A-000002,2026-04-02,1.23\n#TOTAL,2,9.00\n"),
    );
    let planned = place.expect(3, "tallywatt pay plan s.csv --format json").object();
    let ran = place.expect(3, "tallywatt pay run s.csv --format json");
    let object = ran.object();
    assert_eq!((&object["paid"], &object["sum_of_legs"]), (&"9.00".into(), &"9.00".into()));
    assert_eq!((&object["rows"], &object["in_suspense"]), (&planned["rows"], &1.into()));
    assert!(ran.err.contains("P-2") && ran.err.contains("NOBODY"), "{}", ran.err);
    let split = place.json("tallywatt pay split");
    assert_eq!((&split["received"], &split["sum_of_legs"]), (&"19.00".into(), &"19.00".into()));
}

#[test]
fn a_plan_that_no_longer_holds_records_nothing() {
    let place = Place::new();
    place.town(20, 31);
    place.expect(0, "tallywatt bill plan 2026-03 --output bills.plan");
    // Account 20 leaves: the plan was made with its bill in it.
    let contracts = place.text("town/contracts.csv");
    let left: Vec<&str> = contracts.lines().filter(|line| !line.starts_with("A-000020")).collect();
    place.write("left.csv", format!("{}\n", left.join("\n")));
    place.expect(0, "tallywatt contract publish left.csv");
    let before = place.status();
    let ran = place.expect(4, "tallywatt bill run 2026-03 --plan bills.plan");
    assert!(ran.err.contains("bills.plan") && ran.err.contains("nothing was recorded"), "{}", ran.err);
    assert_eq!(place.status(), before);
    place.expect(0, "tallywatt bill plan 2026-03 --output bills.plan");
    place.expect(0, "tallywatt bill run 2026-03 --plan bills.plan");
}
