//! Every mistake a document can hold, as a table: what was changed, the exact message with its line.

use tallywatt_core::account::Entry;
use tallywatt_core::agreement::{Party, SplitRule};
use tallywatt_core::label::Label;
use tallywatt_core::money::{Money, Rounding};
use tallywatt_core::payment_terms::{Limits, PaymentTerms, SplitRounding, Step};
use tallywatt_core::tariff::{DayKind, RoundEach, Vat};
use tallywatt_core::vee::estimate::parameters::{Apportioning, EstimationParameters};
use tallywatt_core::vee::pack::{ClassRules, RegisterClass};
use tallywatt_core::vee::rule::Rule;
use tallywatt_ingest::documents::{
    DOCUMENT_SIZE_MAX, Document, DocumentError, LINE_SIZE_MAX, PaymentRegistry, builtin_rule_pack,
    builtin_rule_packs, parse_contracts, parse_document, parse_feeders, parse_payments, parse_rule_pack,
};
use tallywatt_ledger::rule_pack_bytes::{decode_rule_pack, encode_rule_pack, publish_rule_pack};

const TARIFF: &str = r#"kind = "tariff"
id = "ekb-two-zone"
title = "Two zones, city, Yekaterinburg"
currency = "RUB"
valid_from = "2026-01-01"
valid_to = "2026-07-01"
rounding = "half-up"
round_each = "line"
fixed_per_day = "0"
source = "illustrative"
[vat]
rate_percent = "22"
included = true
[[zone]]
name = "day"
windows = ["07:00-23:00"]
[[zone]]
name = "night"
windows = ["23:00-07:00"]
[[range]]
up_to_kwh = "3900"
price = { day = "6.43", night = "3.02" }
[[range]]
price = { day = "8.27", night = "4.97" }
"#;

const PER_KWH: &str = r#"kind = "agreement"
id = "grid-2026"
title = "Grid and supplier"
currency = "RUB"
valid_from = "2026-01-01"
payee = "grid"
remainder = "supplier"
rounding = "cumulative"
rule = "per-kwh"
per_kwh = { night = "1.10", all = "2.30" }
"#;

const SHARE: &str = r#"kind = "agreement"
id = "grid-2026"
title = "Grid and supplier"
currency = "RUB"
valid_from = "2026-01-01"
payee = "grid"
remainder = "supplier"
rounding = "cumulative"
rule = "share"
share_percent = "45.123"
remainder_percent = "54.877"
"#;

const CONTRACTS: &str = "account,usage_point,obis,zone,tariff,agreement,valid_from,valid_to
B,P2,1-0:1.8.0,Europe/Amsterdam,t,a,2026-01-01,
A,P1,1-0:1.8.0,+05:00,t,a,2026-03-15,
C,P1,1-0:1.8.0,+05:00,t,a,2026-01-01,2026-03-15
";

const FEEDERS: &str = "head,usage_point,loss_permille_norm
TP-2,P3,40
TP-1,P2,60
TP-1,P1,60
TP-1,TP-2,60
";

const REVERSALS: &str = "payment_id,account,date,amount,period,reverses
p-2,A,2026-04-01,100.05,2026-03,
p-1,B,2026-04-02,3,,
r-1,A,2026-04-02,-3,,p-2
#TOTAL,3,100.05
";

const PAYMENTS: &str = "payment_id,account,date,amount
p-2,A,2026-04-01,100.05
p-1,B,2026-04-02,3
#TOTAL,2,103.05
";

/// Replaces `from`, which stands in the text, by `to`.
fn bent(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the file");
    text.replacen(from, to, 1)
}

/// The message without the file's name, and that a next step is given.
fn message<T>(result: Result<T, DocumentError>, what: &str) -> String {
    let error = result.err().unwrap_or_else(|| panic!("{what}: taken"));
    assert!(!error.next_step().is_empty(), "{what}");
    let text = error.to_string();
    text.strip_prefix("f").unwrap_or_else(|| panic!("{what}: {text}")).trim_start_matches(':').to_owned()
}

fn check_document(good: &str, table: &[(&str, &str, &str)]) {
    for (from, to, want) in table {
        assert_eq!(message(parse_document("f", &bent(good, from, to)), to), *want, "{from:?} to {to:?}");
    }
}

#[test]
fn a_tariff() {
    let Ok(Document::Tariff(tariff)) = parse_document("f", TARIFF) else { panic!("a tariff") };
    let parts = tariff.parts();
    assert_eq!(parts.validity.to_string(), "from 2026-01-01 until 2026-07-01");
    assert_eq!(parts.vat, Vat { rate_e4: 2_200, is_included: true });
    assert_eq!((parts.rounding, parts.round_each), (Rounding::HalfUp, RoundEach::Line));
    assert_eq!(parts.ranges[0].up_to_wh, Some(3_900_000));
    assert_eq!(parts.ranges[1].prices.iter().map(ToString::to_string).collect::<Vec<_>>(), ["8.27", "4.97"]);
    assert_eq!((tariff.zone_at(0, 22 * 60), tariff.zone_at(0, 23 * 60)), (0, 1));

    let windows = r#"["weekday 07:00-23:00", "weekend 10:00-24:00", "weekend 07:00-10:00", "23:00-07:00"]"#;
    let one = TARIFF
        .replace("windows = [\"07:00-23:00\"]\n[[zone]]\nname = \"night\"\n", "")
        .replace("[\"23:00-07:00\"]", &windows.replace("weekend 10:00-24:00", "weekend 10:00-23:00"))
        .replace(", night = \"3.02\"", "")
        .replace(", night = \"4.97\"", "")
        .replace("fixed_per_day = \"0\"\n", "")
        .replace("valid_to = \"2026-07-01\"\n", "");
    let Ok(Document::Tariff(tariff)) = parse_document("f", &one) else { panic!("{one}") };
    let days: Vec<DayKind> = tariff.parts().zones[0].windows.iter().map(|window| window.days).collect();
    assert_eq!(days, [DayKind::Weekday, DayKind::Weekend, DayKind::Weekend, DayKind::Every]);
    assert_eq!((tariff.parts().validity.to(), tariff.parts().fixed.per_day.as_e8()), (None, 0));
}

#[test]
fn mistakes_in_a_tariff() {
    let long = format!("title = \"{}\"", "x".repeat(241));
    check_document(
        TARIFF,
        &[
            ("kind = \"tariff\"", "kind = \"tarif\"", "1: kind \"tarif\" is not known"),
            ("kind = \"tariff\"", "", "1: missing field `kind`"),
            ("id = \"ekb-two-zone\"", "id = \"\"", "2: id: empty name"),
            ("title = \"Two zones, city, Yekaterinburg\"\n", "", "1: missing field `title`"),
            ("title = \"Two zones, city, Yekaterinburg\"", "title = [1]", "3: title is not text: [1]"),
            (
                "title = \"Two zones, city, Yekaterinburg\"",
                &long,
                "3: title is longer than 240 bytes or has control characters",
            ),
            ("\"RUB\"", "\"rub\"", "4: currency: \"rub\" is not a currency code such as RUB"),
            ("\"2026-01-01\"", "2026-01-01", "5: valid_from is not text: 2026-01-01"),
            (
                "\"2026-01-01\"",
                "\"2026-02-30\"",
                "5: valid_from: \"2026-02-30\" is not a date from 1970-01-01 to 2199-12-31, written YYYY-MM-DD",
            ),
            ("\"2026-07-01\"", "\"2026-01-01\"", "6: valid_to 2026-01-01 is not after valid_from 2026-01-01"),
            ("half-up", "half", "7: rounding \"half\" is not known"),
            ("\"line\"", "\"sum\"", "8: round_each \"sum\" is not known"),
            (
                "fixed_per_day = \"0\"",
                "fixed_per_day = 0.5",
                "9: write fixed_per_day as text, 0.5 loses digits as a number",
            ),
            ("fixed_per_day = \"0\"", "fixed_per_day = \"-1\"", "9: negative price -1.00"),
            (
                "fixed_per_day",
                "fixed_per_week",
                "9: unknown field `fixed_per_week`, expected one of `kind`, `id`, `title`, `currency`, `valid_from`, `valid_to`, `rounding`, `round_each`, `fixed_per_day`, `fixed_per_month`, `fixed_per_year`, `minimum_per_month`, `minimum_per_year`, `source`, `holidays`, `range_counting`, `range_unit`, `range_kind`, `vat`, `zone`, `range`, `demand`, `netting`, `deviation`, `eligibility`",
            ),
            ("\"22\"", "22", "12: write rate_percent as text, 22 loses digits as a number"),
            ("\"22\"", "\"22.005\"", "12: rate_percent 22.005 has more than 2 decimals"),
            ("\"22\"", "\"100.01\"", "12: rate_percent is not from 0 to 100"),
            ("\"22\"", "\"-1\"", "12: rate_percent is not from 0 to 100"),
            ("included = true", "included = \"yes\"", "13: invalid type: string \"yes\", expected a boolean"),
            ("name = \"night\"", "name = \"day\"", "18: two zones are named day"),
            ("\"07:00-23:00\"", "\"07:00-24:01\"", "16: window \"07:00-24:01\" is not a stretch of a day"),
            (
                "\"07:00-23:00\"",
                "\"sunday 07:00-23:00\"",
                "16: window \"sunday 07:00-23:00\" is not a stretch of a day",
            ),
            (
                "\"07:00-23:00\"",
                "\"07:02-23:00\"",
                "15: window 422 to 1380 of day: minutes must be multiples of 5 within a day",
            ),
            (
                "\"23:00-07:00\"",
                "\"22:00-07:00\"",
                "18: zones day and night both hold at 22:00 of a working day in jan",
            ),
            ("\"23:00-07:00\"", "\"23:00-06:00\"", "15: no zone holds at 06:00 of a working day in jan"),
            ("\"07:00-23:00\"", "\"weekday 07:00-23:00\"", "15: no zone holds at 07:00 of a weekend in jan"),
            ("\"6.43\"", "6.43", "22: write prices as text, 6.43 loses digits as a number"),
            ("\"6.43\"", "\"6,43\"", "22: prices \"6,43\": not a decimal number"),
            ("\"6.43\"", "\"6.430000001\"", "22: prices 6.430000001 has more than 8 decimals"),
            (", night = \"3.02\"", "", "22: range 1 has no price for zone night"),
            (
                "night = \"4.97\"",
                "nite = \"4.97\"",
                "24: range 2 has a price for \"nite\", which is no zone of this tariff",
            ),
            ("\"3900\"", "\"3900.0001\"", "21: up_to_kwh 3900.0001 has more than 3 decimals"),
            (
                "\"3900\"",
                "\"0\"",
                "22: range 1: bounds must ascend from above zero, and only the last has none",
            ),
            (
                "up_to_kwh = \"3900\"\n",
                "",
                "21: range 1: bounds must ascend from above zero, and only the last has none",
            ),
            ("[vat]", "[vat", "11: unclosed table, expected `]`"),
        ],
    );
}

#[test]
fn an_agreement() {
    let Ok(Document::Agreement(agreement)) = parse_document("f", PER_KWH) else { panic!("per kWh") };
    assert_eq!((agreement.payee, agreement.remainder), (Party::Grid, Party::Supplier));
    let rate = |zone: &str, rate: &str| (zone.parse().unwrap(), rate.parse().unwrap());
    assert_eq!(agreement.rule, SplitRule::PerKwh(vec![rate("all", "2.3"), rate("night", "1.1")]));
    for text in [SHARE, &bent(SHARE, "remainder_percent = \"54.877\"\n", "")] {
        let Ok(Document::Agreement(agreement)) = parse_document("f", text) else { panic!("share") };
        assert_eq!(agreement.rule, SplitRule::Share(45_123_000));
        assert_eq!(agreement.terms, PaymentTerms::default());
    }
    let text = bent(SHARE, "\"cumulative\"", "\"largest-remainder\"");
    let terms = "order = [\"current\", \"proportional\", \"advance\"]
payee_at_least = \"1\"
payee_at_most = \"20.5\"
remainder_at_least = \"0.01\"
";
    let Ok(Document::Agreement(agreement)) = parse_document("f", &(text + terms)) else { panic!("terms") };
    let (least, most) = (Money::from_minor(100), Some(Money::from_minor(2_050)));
    let want = PaymentTerms {
        order: vec![Step::Current, Step::Proportional],
        rounding: SplitRounding::LargestRemainder,
        payee: Limits { at_least: least, at_most: most },
        remainder: Limits { at_least: Money::from_minor(1), at_most: None },
        ..PaymentTerms::default()
    };
    assert_eq!(agreement.terms, want);
}

#[test]
fn mistakes_in_an_agreement() {
    check_document(
        PER_KWH,
        &[
            ("\"cumulative\"", "\"each\"", "8: rounding \"each\" is not known"),
            ("rule =", "order = [\"oldest\"]\nrule =", "9: step \"oldest\" is not known"),
            ("rule =", "order = [\n  1]\nrule =", "10: order is not text: 1"),
            (
                "rule =",
                "order = [\"advance\", \"proportional\"]\nrule =",
                "9: step advance is not the last of the order",
            ),
            (
                "rule =",
                "order = [\"designated\"]\nrule =",
                "9: the order does not reach every open bill: end with earlier and current, or with proportional",
            ),
            (
                "rule =",
                "order = [\"current\", \"current\"]\nrule =",
                "9: step current stands twice in the order",
            ),
            (
                "rule =",
                "order = [\"proportional\", \"current\"]\nrule =",
                "9: step current gets nothing: the steps before it reach every open bill",
            ),
            (
                "rule =",
                "payee_at_least = \"2.00\"\npayee_at_most = \"1.99\"\nrule =",
                "9: at least 2.00 is more than at most 1.99",
            ),
            ("rule =", "remainder_at_most = \"-1\"\nrule =", "9: a limit of -1.00 is below zero"),
            (
                "rule =",
                "payee_at_least = 1.5\nrule =",
                "9: write payee_at_least as text, 1.5 loses digits as a number",
            ),
            (
                "rule =",
                "payee_at_most = \"0.001\"\nrule =",
                "9: payee_at_most 0.001 has more than 2 decimals",
            ),
            (
                "rule =",
                "payee_at_most = \"1\"\nremainder_at_most = \"1\"\nrule =",
                "9: both parties have a cap: nobody would get what is above them",
            ),
            ("payee = \"grid\"", "payee = \"gird\"", "6: payee \"gird\" is no party"),
            (
                "payee = \"grid\"",
                "payee = \"supplier\"",
                "7: supplier is both payee and remainder taker: the shares add up to more than the payment",
            ),
            ("\"supplier\"", "\"bank\"", "7: the bank can be neither payee nor remainder taker"),
            ("\"per-kwh\"", "\"percent\"", "9: rule \"percent\" is not known"),
            (
                "\"per-kwh\"",
                "\"share\"",
                "9: rule share without its own numbers, or with those of the other rule",
            ),
            ("\"1.10\"", "1.10", "10: write rates as text, 1.10 loses digits as a number"),
            ("\"1.10\"", "\"-1.10\"", "10: negative price -1.10"),
            ("night", "\"\"", "10: rate for zone \"\": empty name"),
            ("{ night = \"1.10\", all = \"2.30\" }", "{}", "9: 0 rates, need 1 to 16, each zone once"),
            (
                "rule = ",
                "[extra]\nrule = ",
                "9: unknown field `extra`, expected one of `kind`, `id`, `title`, `currency`, `valid_from`, `valid_to`, `payee`, `remainder`, `rounding`, `rule`, `per_kwh`, `share_percent`, `remainder_percent`, `order`, `payee_at_least`, `payee_at_most`, `remainder_at_least`, `remainder_at_most`, `minimum_transfer`, `transfer_release`, `back_billing_months`, `basis`, `due_day`, `reserve_of`, `reserve_percent`, `reserve_while`",
            ),
        ],
    );
    check_document(
        SHARE,
        &[
            ("\"54.877\"", "\"54.777\"", "11: shares add up to 99.9 %, need 100 %"),
            ("\"54.877\"", "\"54.977\"", "11: shares add up to 100.1 %, need 100 %"),
            ("\"45.123\"", "45.123", "10: write share_percent as text, 45.123 loses digits as a number"),
            ("\"45.123\"", "\"100.5\"", "10: share_percent 100.5 is not from 0 to 100"),
            ("\"45.123\"", "\"45.1230001\"", "10: share_percent 45.1230001 has more than 6 decimals"),
            (
                "\"Grid and supplier\"",
                "\"\\u0007\"",
                "3: title is longer than 240 bytes or has control characters",
            ),
            (
                "\"share\"",
                "\"per-kwh\"",
                "9: rule per-kwh without its own numbers, or with those of the other rule",
            ),
        ],
    );
}

#[test]
fn documents_are_limited() {
    let large = format!("{TARIFF}#{}", "x".repeat(DOCUMENT_SIZE_MAX));
    let want = format!(" file of {} bytes, at most {DOCUMENT_SIZE_MAX}", large.len());
    assert_eq!(message(parse_document("f", &large), "large"), want);
    let deep = format!("kind = {}", "[".repeat(100_000));
    assert!(message(parse_document("f", &deep), "deep").starts_with("1: "));
}

#[test]
fn contracts() {
    let contracts = parse_contracts("f", CONTRACTS.as_bytes()).unwrap();
    let names: Vec<(&str, &str)> =
        contracts.iter().map(|contract| (contract.account.as_str(), contract.usage_point.as_str())).collect();
    assert_eq!(names, [("A", "P1"), ("B", "P2"), ("C", "P1")]);
    assert_eq!(contracts[2].validity.to_string(), "from 2026-01-01 until 2026-03-15");
    // The same rows under another order of columns, with a mark and another kind of line ends.
    let mut other = String::from("\u{feff}");
    for line in CONTRACTS.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        other += &format!("\"{}\",{}\r\n", fields[7], fields[..7].join(","));
    }
    assert_eq!(parse_contracts("f", other.as_bytes()).unwrap(), contracts);
    let unended = CONTRACTS.strip_suffix('\n').unwrap();
    assert_eq!(parse_contracts("f", unended.as_bytes()).unwrap(), contracts);
}

#[test]
fn mistakes_in_contracts() {
    let table = [
        ("agreement,", "", "1: no column agreement"),
        ("agreement,", "agreement,note,", "1: unknown column \"note\""),
        ("agreement,", "agreement,obis,", "1: repeated column \"obis\""),
        (CONTRACTS, "", "1: no column account"),
        ("B,P2", "B", "2: 7 fields, the header names 8"),
        ("B,P2", ",P2", "2: account: empty name"),
        ("B,P2", "B, P2", "2: usage_point: byte 0x20 at 0 is not allowed in a name"),
        (
            "A,P1,1-0:1.8.0",
            "A,P1,1-0:1.7.0",
            "3: obis: \"1-0:1.7.0\" is not the OBIS code of an energy register, such as 1-0:1.8.0",
        ),
        (
            "Europe/Amsterdam",
            "Europe/Delft",
            "2: zone: \"Europe/Delft\" is neither a time zone such as Asia/Yekaterinburg nor an offset such as +05:00",
        ),
        ("t,a,2026-03-15,", "t,,2026-03-15,", "3: agreement: empty name"),
        ("t,a,2026-03-15,", ",a,2026-03-15,", "3: tariff: empty name"),
        (
            "t,a,2026-03-15,",
            "t,a,15.03.2026,",
            "3: valid_from: \"15.03.2026\" is not a date from 1970-01-01 to 2199-12-31, written YYYY-MM-DD",
        ),
        (
            "01-01,2026-03-15",
            "01-01,2026",
            "4: valid_to: \"2026\" is not a date from 1970-01-01 to 2199-12-31, written YYYY-MM-DD",
        ),
        ("01-01,2026-03-15", "01-01,2026-01-01", "4: valid_to 2026-01-01 is not after valid_from 2026-01-01"),
        (
            "01-01,2026-03-15",
            "01-01,2026-03-16",
            "4: usage point P1 register 1-0:1.8.0 is billed on line 3 already",
        ),
        ("B,P2", "\"B,P2", "2: line is not comma-separated fields"),
        ("B,P2", "\n\n\"\",P2", "4: account: empty name"),
    ];
    for (from, to, want) in table {
        let text = bent(CONTRACTS, from, to);
        let crlf = text.replace('\n', "\r\n");
        for text in [text, crlf] {
            assert_eq!(message(parse_contracts("f", text.as_bytes()), to), want, "{from:?} to {to:?}");
        }
    }
    let mut bytes = CONTRACTS.as_bytes().to_vec();
    let at = CONTRACTS.find("B,P2").unwrap();
    bytes[at] = 0xff;
    assert_eq!(message(parse_contracts("f", &bytes[..]), "not UTF-8"), "2: line is not UTF-8 text");
    let long = bent(CONTRACTS, "B,P2", &"B".repeat(LINE_SIZE_MAX));
    let want = format!("2: line of more than {LINE_SIZE_MAX} bytes");
    assert_eq!(message(parse_contracts("f", long.as_bytes()), "long"), want);
}

#[test]
fn feeders() {
    let feeders = parse_feeders("f", FEEDERS.as_bytes()).unwrap();
    let shown: Vec<String> = feeders
        .iter()
        .map(|feeder| {
            let meters: Vec<&str> = feeder.meters.iter().map(|meter| meter.as_str()).collect();
            format!("{} {} {}", feeder.head, meters.join("+"), feeder.loss_thousandths_norm)
        })
        .collect();
    assert_eq!(shown, ["TP-1 P1+P2+TP-2 60", "TP-2 P3 40"]);
    assert_eq!(parse_feeders("f", FEEDERS.replace('\n', "\r\n").as_bytes()).unwrap(), feeders);
}

#[test]
fn mistakes_in_feeders() {
    let table = [
        ("head,", "", "1: no column head"),
        ("head,", "head,colour,", "1: unknown column \"colour\""),
        (FEEDERS, "", "1: no column head"),
        ("TP-2,P3,40", "TP-2,P3", "2: 2 fields, the header names 3"),
        ("TP-2,P3", ",P3", "2: head: empty name"),
        ("TP-2,P3", "TP-2,", "2: usage_point: empty name"),
        ("TP-2,P3", "P3,P3", "2: P3 is its own head"),
        ("P3,40", "P3,", "2: loss_permille_norm is not a norm"),
        ("P3,40", "P3,+40", "2: loss_permille_norm is not a norm"),
        ("P3,40", "P3,4.0", "2: loss_permille_norm is not a norm"),
        ("P3,40", "P3,1001", "2: loss_permille_norm is not a norm"),
        ("P1,60", "P1,61", "4: loss_permille_norm of TP-1 is 61, 60 above"),
        ("P1,60", "P2,60", "4: usage point P2 stands on line 3 already"),
        ("TP-1,P1,60", "TP-2,P2,40", "4: usage point P2 stands on line 3 already"),
    ];
    for (from, to, want) in table {
        let text = bent(FEEDERS, from, to);
        assert_eq!(message(parse_feeders("f", text.as_bytes()), to), want, "{from:?} to {to:?}");
    }
}

#[test]
fn payments() {
    let registry = parse_payments("f", PAYMENTS.as_bytes()).unwrap();
    let ids: Vec<Label> = registry.entries.iter().map(Entry::id).collect();
    let want = ["p-2", "p-1"].map(|id| id.parse().unwrap());
    assert_eq!((ids, registry.total), (want.to_vec(), Money::from_minor(10_305)));
    let Entry::Payment(payment) = &registry.entries[1] else { panic!("{:?}", registry.entries[1]) };
    assert_eq!((payment.booked.to_string(), payment.period), ("2026-04-02".into(), None));
    let none = parse_payments("f", "payment_id,account,date,amount\n#TOTAL,0,0\n\n".as_bytes());
    assert_eq!(none, Ok(PaymentRegistry::default()));
}

#[test]
fn a_month_named_and_a_reversal() {
    let registry = parse_payments("f", REVERSALS.as_bytes()).unwrap();
    let [Entry::Payment(paid), Entry::Payment(plain), Entry::Reversal(reversal)] = &registry.entries[..]
    else {
        panic!("{:?}", registry.entries)
    };
    assert_eq!(paid.period, Some("2026-03".parse().unwrap()));
    assert_eq!((plain.period, plain.amount), (None, Money::from_minor(300)));
    assert_eq!((reversal.payment, reversal.account, reversal.amount), (paid.id, paid.account, plain.amount));
    assert_eq!(registry.total, Money::from_minor(10_005));
    let only = "payment_id,account,date,amount,reverses\nr,A,2026-04-02,-1,p\n#TOTAL,1,-1.00\n";
    assert_eq!(parse_payments("f", only.as_bytes()).unwrap().total, Money::from_minor(-100));
}

#[test]
fn mistakes_in_reversals() {
    let table = [
        ("-3,", "3,", "4: amount \"3\": not below zero, as a reversal is"),
        ("-3,", "0,", "4: amount \"0\": not below zero, as a reversal is"),
        ("-3,", "-0.001,", "4: amount \"-0.001\": more decimals than the unit carries"),
        (
            "-3,,p-2",
            "-3,2026-03,p-2",
            "4: a reversal with a period: it goes back to the bills that its payment paid",
        ),
        ("-3,,p-2", "-3,,", "4: amount \"-3\": not above zero"),
        ("-3,,p-2", "-3,,\u{7}", "4: reverses: byte 0x07 at 0 is not allowed in a name"),
        ("2026-03,", "2026-3,", "2: period: \"2026-3\" is not a billing month, written YYYY-MM"),
        ("r-1,", "p-2,", "4: payment_id p-2 stands on line 2 already, with other content"),
        ("-3,,p-2", "-3,p-2", "4: 5 fields, the header names 6"),
        ("period,", "month,", "1: unknown column \"month\""),
        ("100.05\n", "106.05\n", "5: the #TOTAL line sums to 106.05, the payments to 100.05"),
    ];
    for (from, to, want) in table {
        let text = bent(REVERSALS, from, to);
        assert_eq!(message(parse_payments("f", text.as_bytes()), to), want, "{from:?} to {to:?}");
    }
}

#[test]
fn mistakes_in_payments() {
    let table = [
        ("payment_id,", "", "1: no column payment_id"),
        ("#TOTAL,2,103.05\n", "", "3: the file ends without its #TOTAL line: it was cut off"),
        (
            PAYMENTS,
            "payment_id,account,date,amount\n",
            "1: the file ends without its #TOTAL line: it was cut off",
        ),
        ("#TOTAL,2", "#TOTAL,3", "4: the #TOTAL line counts 3 payments, the file has 2"),
        ("103.05", "103.06", "4: the #TOTAL line sums to 103.06, the payments to 103.05"),
        ("#TOTAL,2,103.05", "#TOTAL,2", "4: the #TOTAL line is not #TOTAL,<count>,<sum>"),
        ("#TOTAL,2,103.05", "#TOTAL,two,103.05", "4: the #TOTAL line is not #TOTAL,<count>,<sum>"),
        ("103.05\n", "103.05\np-3,A,2026-04-02,1\n", "5: a row after the #TOTAL line"),
        ("100.05", "0", "2: amount \"0\": not above zero"),
        ("100.05", "-5", "2: amount \"-5\": not above zero"),
        ("100.05", "100.050", "2: amount \"100.050\": more than 2 decimals"),
        ("100.05", "100.005", "2: amount \"100.005\": more decimals than the unit carries"),
        ("100.05", "1e2", "2: amount \"1e2\": not a decimal number"),
        (
            "2026-04-01",
            "01.04.2026",
            "2: date: \"01.04.2026\" is not a date from 1970-01-01 to 2199-12-31, written YYYY-MM-DD",
        ),
        ("p-2,A", "p-2,", "2: account: empty name"),
        ("p-2,A", ",A", "2: payment_id: empty name"),
        ("p-2,A", "p-2,A,B", "2: 5 fields, the header names 4"),
        ("p-1,B", "p-2,B", "3: payment_id p-2 stands on line 2 already, with other content"),
        ("p-1,B,2026-04-02,3", "p-2,A,2026-04-01,100.05", "3: the payment of line 2 once more"),
    ];
    for (from, to, want) in table {
        let text = bent(PAYMENTS, from, to);
        assert_eq!(message(parse_payments("f", text.as_bytes()), to), want, "{from:?} to {to:?}");
    }
}

/// No prefix of a registry is a registry.
#[test]
fn a_registry_cut_anywhere_is_refused() {
    for size in 0..PAYMENTS.len() - 1 {
        let cut = parse_payments("f", &PAYMENTS.as_bytes()[..size]);
        assert!(cut.is_err(), "cut to {size} bytes: {cut:?}");
    }
}

#[test]
fn a_sum_past_64_bits_is_refused() {
    let rows: String = (0..10).map(|at| format!("p-{at},A,2026-04-01,9999999999999999.99\n")).collect();
    let text = format!("payment_id,account,date,amount\n{rows}#TOTAL,10,0\n");
    assert_eq!(message(parse_payments("f", text.as_bytes()), "sum"), "11: the sum passes 64-bit minor units");
}

const PACK: &str = r#"kind = "rule-pack"
id = "generic"
title = "Generic"
source = "catalogue"
valid_from = "2026-01-01"
[default]
off = ["V10", "V11"]
skew_s_max = 60
[class.industrial]
on = ["V11"]
flat_run_count = 24
[estimation]
linear_minutes_max = 60
like_days_min = 2
previous_year = false
apportioning = "evenly"
"#;

#[test]
fn a_rule_pack() {
    let pack = parse_rule_pack("f", PACK).unwrap();
    let (household, factory) =
        (pack.rules_of(RegisterClass::Residential), pack.rules_of(RegisterClass::Industrial));
    let asked =
        |rules: &ClassRules| [Rule::Spike, Rule::Outlier, Rule::Step].map(|rule| rules.asked.contains(rule));
    assert_eq!((asked(household), asked(factory)), ([true, false, false], [true, false, true]));
    let figures = |rules: &ClassRules| (rules.parameters.skew_s_max, rules.parameters.flat_run_count);
    assert_eq!((figures(household), figures(factory)), ((60, 12), (60, 24)));
    let want = EstimationParameters {
        linear_minutes_max: 60,
        like_days_min: 2,
        previous_year: false,
        apportioning: Apportioning::Evenly,
        ..EstimationParameters::default()
    };
    assert_eq!(*pack.estimation(), want);
    let bare = PACK.split_once("[default]").unwrap().0;
    let bare = parse_rule_pack("f", bare).unwrap();
    assert_eq!(bare.parts().classes, [ClassRules::default(); 5]);
}

#[test]
fn a_rule_pack_is_a_document() {
    let Ok(Document::RulePack(pack)) = parse_document("f", PACK) else { panic!("a rule pack") };
    assert_eq!(*pack, parse_rule_pack("f", PACK).unwrap());
    check_document(PACK, &[("source = \"catalogue\"\n", "", "1: missing field `source`")]);
}

#[test]
fn mistakes_in_a_rule_pack() {
    let range = "11: flat_run_count is not a whole number from 2 to 60000";
    for (from, to, want) in [
        ("\"rule-pack\"", "\"tariff\"", "1: not a rule pack"),
        ("id = \"generic\"", "id = \"\"", "2: id: empty name"),
        ("source = \"catalogue\"\n", "", "1: missing field `source`"),
        (
            "title = \"Generic\"",
            "title = \"\\u0007\"",
            "3: title is longer than 240 bytes or has control characters",
        ),
        ("\"2026-01-01\"", "2026-01-01", "5: valid_from is not text: 2026-01-01"),
        ("[\"V10\", \"V11\"]", "\"V10\"", "7: not a list of rules"),
        ("\"evenly\"", "\"daily\"", "16: apportioning is \"daily\""),
        ("\"V10\", ", "\"V31\", ", "7: \"V31\" is not a rule"),
        ("\"V10\", ", "\"V9\", ", "7: \"V9\" is not a rule"),
        ("\"V10\", ", "10, ", "7: 10 is not a rule"),
        ("skew_s_max", "skew", "8: parameter \"skew\" is not known"),
        ("[class.industrial]", "[class.industry]", "9: class \"industry\" is not known"),
        ("= 24", "= 1", range),
        ("= 24", "= 24.0", range),
        ("= 24", "= \"24\"", range),
        ("= 24", "= 24\nclock_warn_s = 3301", "12: industrial: clock_warn_s is above clock_invalid_s"),
        ("= 60\nlike", "= 65536\nlike", "13: linear_minutes_max is not a whole number from 0 to 65535"),
        (
            "like_days_min = 2",
            "like_days_min = 4\nlike_day_count = 3",
            "14: 4 like days are needed, 3 are taken",
        ),
        ("= false", "= 0", "15: previous_year is neither true nor false"),
        (
            "previous_year",
            "next_year",
            "15: unknown field `next_year`, expected one of `linear_minutes_max`, `like_day_count`, `like_days_back`, `like_days_min`, `uses_outage_neighbours`, `previous_year`, `class_profile`, `apportioning`",
        ),
    ] {
        assert_eq!(message(parse_rule_pack("f", &bent(PACK, from, to)), to), want, "{from:?} to {to:?}");
    }
    let long = format!("{PACK}{}", "#".repeat(DOCUMENT_SIZE_MAX));
    assert!(message(parse_rule_pack("f", &long), "long").contains("at most"));
}

/// A changed hash here is a changed pack: a decision, and a new `valid_from`.
#[test]
fn packs_of_the_program() {
    let table = [
        ("generic", "076b5cce236cda506dab0a6f7cbb19534b0ddc0e6d16c364921780ea1e028c10"),
        ("california-like", "8a3830e9e40baa387e58aa1061eb6b83aaa229c45bc473df4f6a33abce546d39"),
        ("aemo-like", "97e0bb89173dd46d451e95d99bb73e47b8f077a60e3c79d0ac29811e7aa5050a"),
        ("russia-households", "ca7bd1bae5b6ea6c4db05c71086ada5a293281c6c805ac0e34e6eb1b4a5a56fa"),
        ("russia-commercial", "4fe1f5cc9ebdb1c863aef7e23908e4f81768bcbb216c946527042992a4e47e85"),
    ];
    assert!(builtin_rule_packs().eq(table.iter().map(|(id, _)| *id)));
    let mut differing = Vec::new();
    for (id, want) in table {
        let pack =
            parse_rule_pack(id, builtin_rule_pack(id).unwrap()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(pack.parts().id.as_str(), id);
        assert!(pack.parts().source.ends_with("configurable defaults"), "{id}");
        let made = publish_rule_pack(pack.clone()).hash.to_string();
        if made != want {
            differing.push(format!("{id}: made {made}"));
        }
        assert_eq!(decode_rule_pack(&encode_rule_pack(&pack)), Ok(pack));
    }
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(builtin_rule_pack("none"), None);
}
