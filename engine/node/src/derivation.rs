//! Where two results of one command differ first, down to the value, and how each of them follows: what a node that computed
//! something else than was proposed finds out for people, once it has the proposer's file.
//!
//! ```text
//!   proposer's file ─▶ has the root that the command names? ─▶ first record that differs ─▶ first value ─▶ both derivations
//! ```
//!
//! Records stand in the order of the leaves over them, so the first that differs is the leaf at which a descent of the two trees
//! ends. Both files are here by then: a scan of the records finds it without hashing either tree again.

use tallywatt_core::bill::{Bill, ChargeLine};
use tallywatt_core::bill_change::line_name;
use tallywatt_core::contract::Contract;
use tallywatt_core::correction::Correction;
use tallywatt_core::energy::Energy;
use tallywatt_core::explain::Explained;
use tallywatt_core::split::{Leg, Settled};
use tallywatt_ledger::command::Command;
use tallywatt_ledger::tree::{Root, TreeKind};

use crate::books::records::{read_bills, read_corrections, read_settled, tree_over};
use crate::books::{Books, BooksError};
use crate::list_file::{self, ListKind};

/// Whether the file of such a command shows where results differ: bills, corrections, payments.
#[must_use]
pub const fn is_comparable(command: &Command) -> bool {
    matches!(command, Command::Bills(_) | Command::Corrections(_) | Command::Settlement(_))
}

/// The first value in which the proposer's file differs from this node's own, with both derivations; `None` of a command whose
/// file does not show it.
#[must_use]
pub fn first_difference(books: &Books, proposed: &Command, own: &[u8], theirs: &[u8]) -> Option<String> {
    let found = match proposed {
        Command::Bills(commit) => in_bills(books, own, theirs, &commit.bills),
        Command::Corrections(commit) => in_corrections(books, own, theirs, &commit.corrections),
        Command::Settlement(_) => in_settlement(own, theirs),
        _ => return None,
    };
    Some(found.unwrap_or_else(|error| format!("the proposer's file cannot be read: {error}")))
}

fn in_bills(books: &Books, own: &[u8], theirs: &[u8], root: &Root) -> Result<String, BooksError> {
    if let Some(told) = of_another_root(ListKind::Bills, TreeKind::Bills, theirs, root)? {
        return Ok(told);
    }
    let (own, theirs) = (read_bills(own)?, read_bills(theirs)?);
    Ok(match pair(&own, &theirs) {
        Pair::Both(own, theirs) if own.account == theirs.account => in_bill(books, own, theirs),
        Pair::Both(own, theirs) => format!(
            "where a bill of account {} is computed, one of account {} is proposed",
            own.account, theirs.account
        ),
        Pair::Count => format!("{} bills are computed, {} proposed", own.len(), theirs.len()),
        Pair::None => "no bill differs: what the proposal says does not follow from its own bills".to_owned(),
    })
}

fn in_corrections(books: &Books, own: &[u8], theirs: &[u8], root: &Root) -> Result<String, BooksError> {
    if let Some(told) = of_another_root(ListKind::Corrections, TreeKind::Corrections, theirs, root)? {
        return Ok(told);
    }
    let (own, theirs): (Vec<Correction>, Vec<Correction>) =
        (read_corrections(own)?, read_corrections(theirs)?);
    Ok(match pair(&own, &theirs) {
        Pair::Both(own, theirs) if own.bill.account != theirs.bill.account => format!(
            "where account {} is corrected, account {} is proposed",
            own.bill.account, theirs.bill.account
        ),
        Pair::Both(own, theirs) if own.bill == theirs.bill => format!(
            "correction of account {}: by {} computed, by {} proposed, to the same bill",
            own.bill.account, own.delta.total, theirs.delta.total
        ),
        Pair::Both(own, theirs) => in_bill(books, &own.bill, &theirs.bill),
        Pair::Count => format!("{} corrections are computed, {} proposed", own.len(), theirs.len()),
        Pair::None => "no correction differs: what the proposal says does not follow from its own".to_owned(),
    })
}

fn in_settlement(own: &[u8], theirs: &[u8]) -> Result<String, BooksError> {
    let (own, theirs) = (read_settled(own)?, read_settled(theirs)?);
    Ok(match pair(&own, &theirs) {
        Pair::Both(own, theirs) if own.id() != theirs.id() => {
            format!("where {} is settled, {} is proposed", own.id(), theirs.id())
        }
        Pair::Both(own, theirs) => format!(
            "payment {} of {} by account {}: computed {}; proposed {}",
            own.id(),
            own.amount(),
            own.account(),
            parts(own),
            parts(theirs)
        ),
        Pair::Count => format!("{} entries are settled, {} proposed", own.len(), theirs.len()),
        Pair::None => {
            "no payment is split otherwise: what the proposal says does not follow from its own file"
                .to_owned()
        }
    })
}

/// What there is to tell of a file whose records do not have the root that its command names.
fn of_another_root(
    kind: ListKind,
    tree: TreeKind,
    file: &[u8],
    root: &Root,
) -> Result<Option<String>, BooksError> {
    let records: Vec<Vec<u8>> = list_file::decode(kind, file)?.into_iter().map(<[u8]>::to_vec).collect();
    let found = tree_over(tree, &records).root();
    Ok((found != *root).then(|| {
        format!(
            "its file has root {} over {}, it names {} over {}",
            found.hash, found.count, root.hash, root.count
        )
    }))
}

enum Pair<'a, T> {
    Both(&'a T, &'a T),
    Count,
    None,
}

/// The first two records that differ.
fn pair<'a, T: PartialEq>(own: &'a [T], theirs: &'a [T]) -> Pair<'a, T> {
    match own.iter().zip(theirs).find(|(own, theirs)| own != theirs) {
        Some((own, theirs)) => Pair::Both(own, theirs),
        None if own.len() != theirs.len() => Pair::Count,
        None => Pair::None,
    }
}

fn in_bill(books: &Books, own: &Bill, theirs: &Bill) -> String {
    let head = format!("bill of account {}, {}", own.account, own.period);
    let at = own.lines.iter().zip(&theirs.lines).position(|(own, theirs)| own != theirs);
    let at = at.or_else(|| {
        let (count, other) = (own.lines.len(), theirs.lines.len());
        (count != other).then_some(count.min(other))
    });
    if let Some(at) = at {
        let (line, other) = (own.lines.get(at), theirs.lines.get(at));
        let computed = line.map_or_else(|| "nothing".to_owned(), |line| derived(books, own, line));
        let proposed = other.map_or_else(|| "nothing".to_owned(), in_words);
        return format!("{head}, line {}: computed {computed}; proposed {proposed}", at + 1);
    }
    let values = [
        ("readings", own.readings.to_string(), theirs.readings.to_string()),
        ("tariffs", format!("{:?}", own.tariffs), format!("{:?}", theirs.tariffs)),
        ("agreement", own.agreement.to_string(), theirs.agreement.to_string()),
        ("tax", format!("{:?}", own.vat), format!("{:?}", theirs.vat)),
        ("total", own.total.to_string(), theirs.total.to_string()),
        ("payee's part", own.payee_part.to_string(), theirs.payee_part.to_string()),
        ("completeness", format!("{:?}", own.completeness), format!("{:?}", theirs.completeness)),
    ];
    match values.into_iter().find(|(_, own, theirs)| own != theirs) {
        Some((name, own, theirs)) => format!("{head}, {name}: computed {own}; proposed {theirs}"),
        None => format!("{head}: what it stands on, or hands on, differs"),
    }
}

/// A line of this node's own, with what it counts in the readings.
fn derived(books: &Books, bill: &Bill, line: &ChargeLine) -> String {
    let contracts = books.contracts();
    // The list is in order of account.
    let from = contracts.partition_point(|contract: &Contract| contract.account < bill.account);
    let count = contracts[from..].partition_point(|contract| contract.account == bill.account);
    let contracts = &contracts[from..from + count];
    let explained = Explained { bill, contracts, tariffs: books.tariffs(), market: books.market() };
    let name = explained.version(line).map(|version| line_name(line, &version.body)).unwrap_or_default();
    let intervals = explained.intervals(line, &|key| books.block_behind(bill, key));
    let text = format!("{name}, {}", in_words(line));
    if intervals.is_empty() {
        return text;
    }
    let energy_wh: i64 = intervals.iter().map(|one| i64::from(one.energy_wh)).sum();
    let estimated = intervals.iter().filter(|one| one.quality.is_estimated()).count();
    format!(
        "{text}, of {} intervals with {} kWh, {estimated} of them estimated",
        intervals.len(),
        Energy::from_wh(energy_wh)
    )
}

/// Quantity × price, exact and rounded.
fn in_words(line: &ChargeLine) -> String {
    let (quantity, unit) = line.kind.quantity_in_words(line.quantity);
    let price = line.mean_price().map_or_else(|| line.price.to_string(), |mean| format!("mean {mean}"));
    format!("{quantity} {unit} × {price} = {}, rounded {}", line.exact, line.amount)
}

/// Who got what of a payment, and gave back.
fn parts(settled: &Settled) -> String {
    let written = |word: &'static str, legs: &[Leg]| -> Vec<String> {
        legs.iter().map(|leg| format!("{word}{} {} {}", leg.party, leg.kind.name(), leg.amount)).collect()
    };
    let mut all = written("", &settled.legs);
    all.extend(written("back from ", &settled.back));
    let against: Vec<String> = settled
        .allocations
        .iter()
        .map(|one| format!("{} on bill {}", one.amount, one.bill.short()))
        .collect();
    format!("{} ({})", all.join(", "), against.join(", "))
}
