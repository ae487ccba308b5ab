//! The access list file: whom a party grants what, as TOML.
//!
//! ```toml
//! kind = "access"
//! party = "supplier"            # whose list; grid names gateways, supplier consumers, each its own operators and the regulator
//! number = 1                    # lists of a party follow one another without gaps
//! valid_from = "2026-01-01"     # the first UTC day on which this one counts; what is not in it is revoked then
//! [[grant]]
//! key = "anna.example+1f0be24c+AYoz…"    # as `tallywatt ask new-key` prints it
//! role = "consumer"             # grid | bank | supplier | regulator | gateway | consumer
//! valid_from = "2026-01-01"
//! # valid_to = "2027-01-01"     # the first UTC day on which it no longer holds
//! accounts = ["A-000017"]       # of a consumer; usage_points of a gateway; neither of the others
//! ```

use serde::Deserialize;
use tallywatt_core::access::{AccessError, AccessList, AccessParts, Grant, Role};
use tallywatt_core::agreement::Party;
use tallywatt_core::label::Label;
use tallywatt_ledger::key::{KeyKind, VerifierKey};
use toml::{Spanned, Value};

use super::error::DocumentError;
use super::field::{Field, Source};

const PARTIES: &str = "write party = \"grid\", \"bank\" or \"supplier\"";
const NUMBER: &str = "number the lists of a party from 1 on, without gaps";
const DATE: &str = "write the date as \"2026-01-01\"";
const KEY: &str = "write the key as `tallywatt ask new-key` printed it, its name of at most 33 characters";
const ROLES: &str =
    "write role = \"grid\", \"bank\", \"supplier\", \"regulator\", \"gateway\" or \"consumer\"";
const NAMES: &str = "write names of 1 to 33 printable ASCII characters, as [\"A-000017\"]";
const SCOPE: &str =
    "write accounts = [..] for a consumer, usage_points = [..] for a gateway, neither for others";
const RIGHT: &str =
    "the grid company names gateways, the supplier consumers, and each its own operators and the regulator";
const ONCE: &str = "name each key once for each role, and each account and usage point once";
const FEWER: &str = "grant fewer";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessFile {
    #[serde(rename = "kind")]
    _kind: Field,
    party: Field,
    number: Field,
    valid_from: Field,
    #[serde(default)]
    grant: Vec<Spanned<GrantTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantTable {
    key: Field,
    role: Field,
    valid_from: Field,
    valid_to: Option<Field>,
    accounts: Option<Vec<Field>>,
    usage_points: Option<Vec<Field>>,
}

/// Reads an access list file.
pub(super) fn parse(source: &Source<'_>) -> Result<AccessList, DocumentError> {
    let file: AccessFile = source.read()?;
    let name = source.text("party", &file.party)?;
    let party = Party::from_name(name);
    let party = party
        .ok_or_else(|| source.fail(&file.party.span(), format!("no party is named {name:?}"), PARTIES))?;
    let mut grants = Vec::with_capacity(file.grant.len());
    for table in &file.grant {
        let grant = grant_of(source, table)?;
        // Alone first: so it is said at its own line.
        let alone =
            AccessParts { party, number: 1, from: grant.validity.from(), grants: vec![grant.clone()] };
        AccessList::new(alone).map_err(|error| {
            let next_step = match error {
                AccessError::Right { .. } => RIGHT,
                AccessError::Scope { .. } => SCOPE,
                AccessError::Holder(_) => KEY,
                AccessError::ScopeCount(_) => FEWER,
                _ => ONCE,
            };
            source.fail(&table.span(), error.to_string(), next_step)
        })?;
        grants.push(grant);
    }
    let parts = AccessParts {
        party,
        number: source.whole("number", &file.number, 1..=u32::MAX, NUMBER)?,
        from: source.parse("valid_from", &file.valid_from, DATE)?,
        grants,
    };
    AccessList::new(parts).map_err(|error| {
        let next_step = match error {
            AccessError::Count(_) | AccessError::ScopeCount(_) => FEWER,
            _ => ONCE,
        };
        // Two grants are at odds: the last of those named.
        let named = match &error {
            AccessError::Twice { holder, .. } => Some(*holder),
            AccessError::Names { other, .. } => Some(*other),
            _ => None,
        };
        let is_named = |table: &&Spanned<GrantTable>| {
            named.is_some_and(|name| holder_text(&table.get_ref().key) == Some(name.as_str()))
        };
        let span = file.grant.iter().rfind(is_named).map_or(file.party.span(), Spanned::span);
        source.fail(&span, error.to_string(), next_step)
    })
}

/// The name in front of a key.
fn holder_text(key: &Field) -> Option<&str> {
    match key.get_ref() {
        Value::String(text) => text.split('+').next(),
        _ => None,
    }
}

fn grant_of(source: &Source<'_>, table: &Spanned<GrantTable>) -> Result<Grant, DocumentError> {
    let (place, table) = (table.span(), table.get_ref());
    let refused = |problem: String| source.fail(&table.key.span(), problem, KEY);
    let key =
        VerifierKey::parse(source.text("key", &table.key)?).map_err(|error| refused(error.to_string()))?;
    if key.kind() != KeyKind::Log {
        return Err(refused(format!("{} is a cosigner's key, which signs no requests", key.key())));
    }
    let holder = key.name().parse().map_err(|error| refused(format!("key: {error}")))?;
    let name = source.text("role", &table.role)?;
    let role = Role::from_name(name);
    let role =
        role.ok_or_else(|| source.fail(&table.role.span(), format!("role {name:?} is not known"), ROLES))?;
    let is_wrong = match role {
        Role::Consumer => table.usage_points.is_some(),
        Role::Gateway => table.accounts.is_some(),
        _ => table.accounts.is_some() || table.usage_points.is_some(),
    };
    if is_wrong {
        return Err(source.fail(
            &place,
            format!("{} as {role} names what it cannot have", key.name()),
            SCOPE,
        ));
    }
    let names = table.accounts.iter().chain(&table.usage_points).flatten();
    let scope = names.map(|name| source.parse("name", name, NAMES)).collect::<Result<Vec<Label>, _>>()?;
    Ok(Grant {
        holder,
        role,
        key: *key.public_key(),
        validity: source.validity(&table.valid_from, table.valid_to.as_ref())?,
        scope,
    })
}
