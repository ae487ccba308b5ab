//! Canonical bytes of a party's access list.
//!
//! ```text
//! version = 1 ‖ 0x45 ‖ party[u8] number[u32] from[i32]
//!   grants[u32] × { holder[33] role[u8] key[32] from[i32] to[i32]; scope[u32] × name[33], ascending },
//!     by holder, role and key
//! ```
//!
//! Also in `FORMAT.md` §3.

use tallywatt_core::access::{
    AccessList, AccessParts, GRANT_COUNT_MAX, Grant, HolderKey, Role, SCOPE_COUNT_MAX,
};
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::Published;
use tallywatt_core::label::Label;

use crate::codec::{CodecError, Reader, Writer};
use crate::digest;
use crate::document::{read_code, read_count, read_day, read_validity, write_validity};
use crate::key::{KeyKind, VerifierKey};

/// The version of these bytes.
pub const ACCESS_VERSION: u8 = 1;
/// Kind byte of an access list.
pub const ACCESS_KIND: u8 = 0x45;

/// The canonical bytes of an access list.
#[must_use]
pub fn encode_access_list(list: &AccessList) -> Vec<u8> {
    let parts = list.parts();
    let mut writer = Writer::record(ACCESS_VERSION, ACCESS_KIND);
    writer.u8(parts.party.code()).u32(parts.number).i32(parts.from.number()).count(parts.grants.len());
    for grant in &parts.grants {
        writer.label(&grant.holder).u8(grant.role as u8).raw(&grant.key);
        write_validity(&mut writer, grant.validity);
        writer.count(grant.scope.len());
        for name in &grant.scope {
            writer.label(name);
        }
    }
    writer.finish()
}

/// The access list of these canonical bytes.
///
/// # Errors
/// [`CodecError`]: a field that is not canonical, bytes that are no key, or parts that [`AccessList::new`] refuses together,
/// as grants that are not the party's to give.
pub fn decode_access_list(bytes: &[u8]) -> Result<AccessList, CodecError> {
    let mut reader = Reader::record(bytes, ACCESS_VERSION, ACCESS_KIND)?;
    let start = reader.at();
    let party = read_code(&mut reader, "party", Party::from_code)?;
    let number = reader.u32("list number")?;
    let from = read_day(&mut reader, "first day")?;
    let mut grants = Vec::new();
    let mut scope_left = SCOPE_COUNT_MAX;
    for _ in 0..read_count(&mut reader, "grants", GRANT_COUNT_MAX)? {
        let holder = reader.label("holder")?;
        let role =
            read_code(&mut reader, "role", |code| Role::ALL.into_iter().find(|role| *role as u8 == code))?;
        let key = read_key(&mut reader, &holder)?;
        let validity = read_validity(&mut reader)?;
        let count = read_count(&mut reader, "scope", scope_left)?;
        scope_left -= count;
        let scope = (0..count).map(|_| reader.label("name in a scope")).collect::<Result<Vec<Label>, _>>()?;
        grants.push(Grant { holder, role, key, validity, scope });
    }
    let refused = reader.refuse("access list", start);
    reader.finish()?;
    let parts = AccessParts { party, number, from, grants };
    match AccessList::new(parts.clone()) {
        Ok(list) if *list.parts() == parts => Ok(list),
        _ => Err(refused),
    }
}

/// Takes the 32 bytes of a key that can be one.
fn read_key(reader: &mut Reader<'_>, holder: &Label) -> Result<HolderKey, CodecError> {
    let at = reader.at();
    let bytes = HolderKey::try_from(reader.raw("key", 32)?).ok();
    let key = bytes.filter(|key| VerifierKey::new(holder.as_str(), KeyKind::Log, key).is_ok());
    key.ok_or_else(|| reader.refuse("key", at))
}

/// The list together with the content hash of its canonical bytes.
#[must_use]
pub fn publish_access_list(list: AccessList) -> Published<AccessList> {
    Published { hash: digest::content_hash(&encode_access_list(&list)), body: list }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::check;
    use crate::key::LogSigner;
    use tallywatt_core::validity::Validity;

    fn grant(holder: &str, role: Role, scope: &[&str]) -> Grant {
        let signer = LogSigner::from_seed(holder, &[role as u8; 32]).unwrap();
        Grant {
            holder: holder.parse().unwrap(),
            role,
            key: *signer.verifier_key().public_key(),
            validity: Validity::new("2026-01-01".parse().unwrap(), Some("2027-01-01".parse().unwrap()))
                .unwrap(),
            scope: scope.iter().map(|name| name.parse().unwrap()).collect(),
        }
    }

    fn parts() -> AccessParts {
        AccessParts {
            party: Party::Supplier,
            number: 1,
            from: "2026-01-01".parse().unwrap(),
            grants: vec![
                grant("anna.example", Role::Consumer, &["A-000017", "A-000018"]),
                grant("desk.example", Role::Supplier, &[]),
                grant("watch.example", Role::Regulator, &[]),
            ],
        }
    }

    #[test]
    fn bytes_and_values_are_one_to_one() {
        check(&AccessList::new(parts()).unwrap(), encode_access_list, decode_access_list);
        let none = AccessParts { grants: Vec::new(), ..parts() };
        check(&AccessList::new(none).unwrap(), encode_access_list, decode_access_list);
    }

    /// A changed hash here is a change of every ledger that exists: never in passing.
    #[test]
    fn golden_hash() {
        let hash = publish_access_list(AccessList::new(parts()).unwrap()).hash.to_string();
        assert_eq!(hash, "2d5c017948de1279e5ff0abd3924c5cbb0f61837b610a035b94c5f2dab320896");
    }

    /// The offset of the first grant, of its role and of its key.
    const GRANT_AT: usize = 2 + 1 + 4 + 4 + 4;
    const ROLE_AT: usize = GRANT_AT + 33;

    #[test]
    fn more_than_a_party_may_grant_is_no_list() {
        let bytes = encode_access_list(&AccessList::new(parts()).unwrap());
        let field = |bytes: &[u8]| match decode_access_list(bytes) {
            Err(CodecError::Value { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        let bent = |at: usize, byte: u8| {
            let mut bent = bytes.clone();
            bent[at] = byte;
            bent
        };
        // The same grants as the grid company's; a consumer as a gateway; no role; out of order.
        assert_eq!(field(&bent(2, Party::Grid.code())), "access list");
        assert_eq!(field(&bent(ROLE_AT, Role::Gateway as u8)), "access list");
        assert_eq!(field(&bent(ROLE_AT, 7)), "role");
        assert_eq!(field(&bent(GRANT_AT, b'z')), "access list");
        let mut weak = bytes.clone();
        weak[ROLE_AT + 1..ROLE_AT + 33].fill(0);
        assert_eq!(field(&weak), "key");
    }
}
