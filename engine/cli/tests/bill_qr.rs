//! The square code of a bill: what is open of it, to the payee that a file names.
#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

mod common;

use common::one_account::ledger;

const PAYEE: &str = "ST00012|Name=ООО «Три кита»|PersonalAcc=40702810138250123017|BankName=ОАО \"БАНК\"|BIC=044525225|CorrespAcc=30101810400000000225|PayeeINN=6200098765\n";

#[test]
fn what_is_open_is_asked_for() {
    let place = ledger();
    place.expect(0, "tallywatt bill run 2026-04");
    place.write("payee.txt", PAYEE);
    let shown = place.json("tallywatt bill qr A-1 2026-04 payee.txt");
    let text = shown["text"].as_str().unwrap();
    assert!(text.starts_with(PAYEE.trim_end()), "{text}");
    let rest = text.strip_prefix(PAYEE.trim_end()).unwrap();
    let fields: Vec<&str> = rest.split('|').skip(1).collect();
    assert_eq!(
        fields[..4],
        ["PersAcc=A-1", "PaymPeriod=042026", "TechCode=02", "Purpose=Electricity 2026-04, account A-1"]
    );
    assert!(fields[4].starts_with("BillHash=") && fields[4].len() == 9 + 64, "{text}");
    assert_eq!((fields[5], fields.len(), &shown["open"]), ("Sum=180000", 6, &"1800.00".into()));

    // Half of it is paid: the code asks for the other half; then for nothing.
    for (id, left) in [("P-1", Some("Sum=90000")), ("P-2", None)] {
        place.write(
            "paid.csv",
            format!("payment_id,account,date,amount\n{id},A-1,2026-05-02,900.00\n#TOTAL,1,900.00\n"),
        );
        place.expect(0, "tallywatt pay run paid.csv");
        match left {
            Some(sum) => {
                let shown = place.json("tallywatt bill qr A-1 2026-04 payee.txt");
                assert!(shown["text"].as_str().unwrap().ends_with(sum), "{shown}");
            }
            None => {
                let refused = place.expect(2, "tallywatt bill qr A-1 2026-04 payee.txt");
                assert!(
                    refused.err.contains("nothing is open of account A-1 for 2026-04"),
                    "{}",
                    refused.err
                );
            }
        }
    }
    let refused = place.expect(2, "tallywatt bill qr A-2 2026-04 payee.txt");
    assert!(refused.err.contains("account A-2 has no bill of 2026-04"), "{}", refused.err);
}

#[test]
fn a_payee_that_is_none_is_refused() {
    let place = ledger();
    place.expect(0, "tallywatt bill run 2026-04");
    place.write("payee.txt", PAYEE.replace("BIC=044525225", "BIC=1"));
    let refused = place.expect(2, "tallywatt bill qr A-1 2026-04 payee.txt");
    assert!(refused.err.contains("payee.txt: BIC \"1\" is not so many digits"), "{}", refused.err);
    place.write("payee.txt", "x".repeat(4_000));
    place.expect(2, "tallywatt bill qr A-1 2026-04 payee.txt");
}
