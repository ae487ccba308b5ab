//! Access list files: what is read, and what is refused at which line.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use tallywatt_core::access::Role;
use tallywatt_core::agreement::Party;
use tallywatt_ingest::documents::{Document, parse_document};
use tallywatt_ledger::key::{Cosigner, LogSigner};

fn key(name: &str) -> String {
    // Each name has a key of its own.
    LogSigner::from_seed(name, &[name.as_bytes()[0]; 32]).unwrap().verifier_key().to_string()
}

fn list() -> String {
    let (desk, anna) = (key("desk.example"), key("anna.example.net"));
    format!(
        r#"kind = "access"
party = "supplier"
number = 1
valid_from = "2026-01-01"
[[grant]]
key = "{desk}"
role = "supplier"
valid_from = "2026-01-01"
[[grant]]
key = "{anna}"
role = "consumer"
valid_from = "2026-01-01"
valid_to = "2027-01-01"
accounts = ["A-2", "A-1"]
"#
    )
}

#[test]
fn an_access_list_is_read_or_refused() {
    let text = list();
    let Document::Access(list) = parse_document("a.toml", &text).unwrap() else { panic!("an access list") };
    let parts = list.parts();
    assert_eq!(
        (parts.party, parts.number, parts.from.to_string()),
        (Party::Supplier, 1, "2026-01-01".into())
    );
    let (anna, desk) = (&parts.grants[0], &parts.grants[1]);
    assert_eq!((anna.role, anna.holder.as_str()), (Role::Consumer, "anna.example.net"));
    assert_eq!(anna.scope.iter().map(ToString::to_string).collect::<Vec<_>>(), ["A-1", "A-2"]);
    assert_eq!(anna.validity.to_string(), "from 2026-01-01 until 2027-01-01");
    assert_eq!((desk.role, desk.scope.len()), (Role::Supplier, 0));

    let cosigner = Cosigner::from_seed("desk.example", &[1; 32]).unwrap().verifier_key().to_string();
    let (desk, long) = (key("desk.example"), key(&"long.".repeat(7)));
    let table = [
        ("\"supplier\"\nnumber", "\"city\"\nnumber", "2: no party is named \"city\""),
        ("number = 1", "number = 0", "3: number is not a whole number from 1 to 4294967295"),
        ("number = 1\n", "", "1: missing field `number`"),
        (
            "party = \"supplier\"",
            "party = \"grid\"",
            "5: desk.example is named as supplier, which is not for grid to grant",
        ),
        ("role = \"consumer\"", "role = \"king\"", "11: role \"king\" is not known"),
        (
            "role = \"consumer\"",
            "role = \"supplier\"",
            "9: anna.example.net as supplier names what it cannot have",
        ),
        (
            "role = \"consumer\"",
            "role = \"gateway\"",
            "9: anna.example.net as gateway names what it cannot have",
        ),
        ("accounts = [\"A-2\", \"A-1\"]\n", "", "9: anna.example.net as consumer needs accounts"),
        (
            "accounts = [\"A-2\", \"A-1\"]",
            "accounts = [\"A-1\", \"A-1\"]",
            "9: A-1 stands twice for anna.example.net",
        ),
        ("\"A-2\", ", "\" \", ", "14: name: byte 0x20 at 0 is not allowed in a name"),
        (
            "valid_to = \"2027-01-01\"",
            "valid_to = \"2026-01-01\"",
            "13: valid_to 2026-01-01 is not after valid_from 2026-01-01",
        ),
        ("+A", "+B", "6: "),
        (&desk, &cosigner, "6: desk.example+ "),
        (&desk, &long, "6: key: name of 35 bytes, at most 33"),
    ];
    for (from, to, want) in table {
        assert!(text.contains(from), "{from}");
        let error = parse_document("a.toml", &text.replacen(from, to, 1)).unwrap_err().to_string();
        let holds = match want.ends_with("+ ") {
            true => {
                error.starts_with("a.toml:6: desk.example+") && error.ends_with("which signs no requests")
            }
            false => error.starts_with(&format!("a.toml:{want}")),
        };
        assert!(holds, "{from} → {to}: {error}");
    }
    let again =
        format!("{text}[[grant]]\nkey = \"{desk}\"\nrole = \"supplier\"\nvalid_from = \"2026-02-01\"\n");
    let error = parse_document("a.toml", &again).unwrap_err();
    assert_eq!(error.to_string(), "a.toml:15: the key of desk.example stands twice as supplier");
}
