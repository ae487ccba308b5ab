//! Who may ask what of a node: grants by role, kept in a list of each party, and the one function that decides.
//!
//! ```text
//!   grid company's list ─┐   gateways, its own operators
//!   bank's list ─────────┼─▶ AccessBook ── permits(key, action, day) ─▶ the grant that permits it | why not
//!   supplier's list ─────┘   consumers, its own operators
//!                            each may name the regulator, who counts once two of them do
//! ```
//!
//! Invariants: nothing is permitted that no grant permits; a party's list grants no more than the party may; of a party's
//! lists that have begun only the one with the highest number counts, so what is not in it is revoked.

use std::collections::{BTreeMap, BTreeSet};

use crate::agreement::Party;
use crate::calendar::Day;
use crate::label::{AccountId, Label, UsagePointId};
use crate::validity::Validity;

/// The most grants of one list.
pub const GRANT_COUNT_MAX: usize = 4_096;
/// The most accounts and usage points in one list, of all its grants together.
pub const SCOPE_COUNT_MAX: usize = 16_384;
/// How many parties must name a regulator: one alone can neither plant one in the others' nodes nor withhold one.
const REGULATOR_LIST_COUNT: usize = 2;

/// The public half of an Ed25519 key, by which its holder is known.
pub type HolderKey = [u8; 32];

/// What somebody is to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Role {
    /// An operator of the grid company.
    Grid = 1,
    /// An operator of the bank.
    Bank = 2,
    /// An operator of the supplier.
    Supplier = 3,
    /// Who oversees the parties.
    Regulator = 4,
    /// Collects the readings of some usage points.
    Gateway = 5,
    /// Is billed for some accounts.
    Consumer = 6,
}

impl Role {
    /// All, in the order of their codes, which count from 1.
    pub const ALL: [Self; 6] =
        [Self::Grid, Self::Bank, Self::Supplier, Self::Regulator, Self::Gateway, Self::Consumer];

    /// Its name in files and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Bank => "bank",
            Self::Supplier => "supplier",
            Self::Regulator => "regulator",
            Self::Gateway => "gateway",
            Self::Consumer => "consumer",
        }
    }

    /// From its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Of an operator the party.
    #[must_use]
    pub const fn party(self) -> Option<Party> {
        match self {
            Self::Grid => Some(Party::Grid),
            Self::Bank => Some(Party::Bank),
            Self::Supplier => Some(Party::Supplier),
            Self::Regulator | Self::Gateway | Self::Consumer => None,
        }
    }

    /// Whether a list of this party may grant it: each its own operators and the regulator; the grid company, which knows the
    /// meters, gateways; the supplier, which knows the customers, consumers.
    #[must_use]
    pub fn is_granted_by(self, party: Party) -> bool {
        match self {
            Self::Grid | Self::Bank | Self::Supplier => self.party() == Some(party),
            Self::Regulator => true,
            Self::Gateway => party == Party::Grid,
            Self::Consumer => party == Party::Supplier,
        }
    }

    /// What the names in a grant's scope are; `None` of a role that has no scope.
    #[must_use]
    pub const fn scope(self) -> Option<&'static str> {
        match self {
            Self::Gateway => Some("usage points"),
            Self::Consumer => Some("accounts"),
            Self::Grid | Self::Bank | Self::Supplier | Self::Regulator => None,
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A role given to the holder of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The name of the key: no space, no plus.
    pub holder: Label,
    /// What its holder is.
    pub role: Role,
    /// The key.
    pub key: HolderKey,
    /// UTC days on which it holds.
    pub validity: Validity,
    /// Accounts of a consumer, usage points of a gateway; ascending, each once; empty for the others.
    pub scope: Vec<Label>,
}

/// The parts of a list, before they are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessParts {
    /// Whose list.
    pub party: Party,
    /// Lists of a party are numbered from 1 without gaps.
    pub number: u32,
    /// The first UTC day on which it counts; until then the one before does.
    pub from: Day,
    /// The grants, in any order.
    pub grants: Vec<Grant>,
}

/// Why parts make no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Lists are numbered from 1.
    #[error("lists are numbered from 1")]
    Number,
    /// Too many.
    #[error("{0} grants, at most {GRANT_COUNT_MAX}")]
    Count(usize),
    /// Too many names.
    #[error("{0} accounts and usage points, at most {SCOPE_COUNT_MAX}")]
    ScopeCount(usize),
    /// The list grants more than its party may.
    #[error("{holder} is named as {role}, which is not for {party} to grant")]
    Right {
        /// Whose grant.
        holder: Label,
        /// Which role.
        role: Role,
        /// Whose list.
        party: Party,
    },
    /// A holder whose name no key can have.
    #[error("{0} is no name of a key: it has a space or a plus")]
    Holder(Label),
    /// A gateway or a consumer of nothing, or a scope where there is none.
    #[error("{holder} as {role} {}", match role.scope() {
        Some(scope) => format!("needs {scope}"),
        None => "has neither accounts nor usage points".to_owned(),
    })]
    Scope {
        /// Whose grant.
        holder: Label,
        /// Which role.
        role: Role,
    },
    /// A name stands twice in a scope.
    #[error("{name} stands twice for {holder}")]
    ScopeTwice {
        /// Whose grant.
        holder: Label,
        /// The name.
        name: Label,
    },
    /// One key has one role twice.
    #[error("the key of {holder} stands twice as {role}")]
    Twice {
        /// Whose grant.
        holder: Label,
        /// Which role.
        role: Role,
    },
    /// One key has two names.
    #[error("{one} and {other} have one key")]
    Names {
        /// One name.
        one: Label,
        /// The other.
        other: Label,
    },
}

/// A checked list: what its party may grant, by holder, role and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessList(AccessParts);

impl AccessList {
    /// Checks the parts, and puts the grants and their scopes in order.
    ///
    /// # Errors
    /// [`AccessError`] names the first part that is wrong.
    pub fn new(mut parts: AccessParts) -> Result<Self, AccessError> {
        if parts.number == 0 {
            return Err(AccessError::Number);
        }
        let count = parts.grants.len();
        if count > GRANT_COUNT_MAX {
            return Err(AccessError::Count(count));
        }
        let scope_count = parts.grants.iter().map(|grant| grant.scope.len()).sum();
        if scope_count > SCOPE_COUNT_MAX {
            return Err(AccessError::ScopeCount(scope_count));
        }
        let mut names: BTreeMap<HolderKey, Label> = BTreeMap::new();
        let mut roles: BTreeSet<(HolderKey, Role)> = BTreeSet::new();
        for grant in &mut parts.grants {
            grant.scope.sort();
            let (holder, role) = (grant.holder, grant.role);
            if !role.is_granted_by(parts.party) {
                return Err(AccessError::Right { holder, role, party: parts.party });
            }
            if holder.as_str().contains([' ', '+']) {
                return Err(AccessError::Holder(holder));
            }
            if role.scope().is_some() == grant.scope.is_empty() {
                return Err(AccessError::Scope { holder, role });
            }
            if let Some(pair) = grant.scope.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(AccessError::ScopeTwice { holder, name: pair[0] });
            }
            if !roles.insert((grant.key, role)) {
                return Err(AccessError::Twice { holder, role });
            }
            let one = *names.entry(grant.key).or_insert(holder);
            if one != holder {
                return Err(AccessError::Names { one, other: holder });
            }
        }
        parts.grants.sort();
        Ok(Self(parts))
    }

    /// The checked parts, in order.
    #[must_use]
    pub const fn parts(&self) -> &AccessParts {
        &self.0
    }
}

/// What somebody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action<'a> {
    /// To hand in readings of these usage points.
    SubmitReadings {
        /// All of them.
        points: &'a [UsagePointId],
    },
    /// For the receipt of an account's bill.
    OpenReceipt {
        /// Whose bill.
        account: AccountId,
    },
    /// For the signed head of the log.
    ReadLog,
    /// For the denials of a party's node.
    ReadDenials {
        /// Whose node.
        of: Party,
    },
}

impl std::fmt::Display for Action<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SubmitReadings { .. } => f.write_str("hand in readings"),
            Self::OpenReceipt { .. } => f.write_str("have receipts"),
            Self::ReadLog => f.write_str("read the log"),
            Self::ReadDenials { of } => write!(f, "read the denials of {of}"),
        }
    }
}

/// Why an action is denied, the least that is known of who asks first: of several reasons the last is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Denial {
    /// Nobody ever named the key.
    #[error("no party has granted this key anything")]
    Unknown,
    /// It was named once, and is not any more.
    #[error("the grant of {holder} as {role} is revoked by list {number} of {party}")]
    Revoked {
        /// Whose grant.
        holder: Label,
        /// As what.
        role: Role,
        /// Whose list.
        party: Party,
        /// Number of the list that counts, without it.
        number: u32,
    },
    /// It holds later.
    #[error("the grant of {holder} as {role} holds from {from} on")]
    Early {
        /// Whose grant.
        holder: Label,
        /// As what.
        role: Role,
        /// Its first day.
        from: Day,
    },
    /// It held before.
    #[error("the grant of {holder} as {role} expired on {until}")]
    Expired {
        /// Whose grant.
        holder: Label,
        /// As what.
        role: Role,
        /// The first day on which it no longer held.
        until: Day,
    },
    /// One party alone names this regulator.
    #[error("{holder} is named as regulator by one party alone: two must name the key")]
    Unconfirmed {
        /// Whose grant.
        holder: Label,
    },
    /// It is nothing for this role.
    #[error("{holder} is a {role}, who may not {action}")]
    Role {
        /// Whose grant.
        holder: Label,
        /// As what.
        role: Role,
        /// In words.
        action: String,
    },
    /// It is somebody else's.
    #[error("{object} is none of the {} of {holder}", role.scope().unwrap_or("objects"))]
    Foreign {
        /// Whose grant.
        holder: Label,
        /// As what.
        role: Role,
        /// The first that is not its own.
        object: Label,
    },
    /// It is of nobody.
    #[error("{holder} names no usage point")]
    Nothing {
        /// Whose grant.
        holder: Label,
    },
}

/// Why a list cannot follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("access list {got} of {party} does not follow: its next is {next}")]
pub struct AccessOrderError {
    /// Whose.
    pub party: Party,
    /// Its number.
    pub got: u32,
    /// The number that follows.
    pub next: u32,
}

/// Every list that was published.
#[derive(Debug, Clone, Default)]
pub struct AccessBook {
    lists: BTreeMap<Party, Vec<AccessList>>,
    /// Where a key is granted something: party, and indices of list and grant.
    by_key: BTreeMap<HolderKey, Vec<(Party, usize, usize)>>,
    /// The keys of a name.
    by_holder: BTreeMap<Label, BTreeSet<HolderKey>>,
}

impl AccessBook {
    /// Whether a list may be published next.
    ///
    /// # Errors
    /// [`AccessOrderError`] if its number is not its party's next.
    pub fn check(&self, list: &AccessList) -> Result<(), AccessOrderError> {
        let AccessParts { party, number, .. } = *list.parts();
        let next = u32::try_from(self.of(party).len() + 1).unwrap_or(u32::MAX);
        if number == next { Ok(()) } else { Err(AccessOrderError { party, got: number, next }) }
    }

    /// Takes a list in.
    ///
    /// # Errors
    /// As [`AccessBook::check`].
    pub fn publish(&mut self, list: AccessList) -> Result<(), AccessOrderError> {
        self.check(&list)?;
        let lists = self.lists.entry(list.parts().party).or_default();
        for (at, grant) in list.parts().grants.iter().enumerate() {
            self.by_key.entry(grant.key).or_default().push((list.parts().party, lists.len(), at));
            self.by_holder.entry(grant.holder).or_default().insert(grant.key);
        }
        lists.push(list);
        Ok(())
    }

    /// The lists of a party, in order of number.
    #[must_use]
    pub fn of(&self, party: Party) -> &[AccessList] {
        self.lists.get(&party).map_or(&[], Vec::as_slice)
    }

    /// The list of a party that counts on a UTC day.
    #[must_use]
    pub fn on(&self, party: Party, day: Day) -> Option<&AccessList> {
        self.of(party).iter().rev().find(|list| list.parts().from <= day)
    }

    /// Every key that was ever granted something under this name.
    pub fn keys_of(&self, holder: &Label) -> impl Iterator<Item = &HolderKey> {
        self.by_holder.get(holder).into_iter().flatten()
    }

    /// How many parties name a key as the regulator's on a day.
    fn regulator_count(&self, key: &HolderKey, day: Day) -> usize {
        let names = |party: &Party| {
            self.on(*party, day).is_some_and(|list| {
                let mut grants = list.parts().grants.iter();
                grants.any(|grant| {
                    grant.key == *key && grant.role == Role::Regulator && grant.validity.contains(day)
                })
            })
        };
        Party::ALL.iter().filter(|party| names(party)).count()
    }
}

/// Whether the holder of a key may do something on a UTC day, and by which grant. What no grant permits is denied.
///
/// # Errors
/// [`Denial`]: of all the grants of this key the reason that comes nearest to a permission.
pub fn permits<'b>(
    book: &'b AccessBook,
    key: &HolderKey,
    action: &Action<'_>,
    day: Day,
) -> Result<&'b Grant, Denial> {
    let mut denial = Denial::Unknown;
    for &(party, list_at, grant_at) in book.by_key.get(key).into_iter().flatten() {
        let list = &book.of(party)[list_at];
        let grant = &list.parts().grants[grant_at];
        match decide(book, list, grant, action, day) {
            Ok(()) => return Ok(grant),
            Err(why) => denial = denial.max(why),
        }
    }
    Err(denial)
}

fn decide(
    book: &AccessBook,
    list: &AccessList,
    grant: &Grant,
    action: &Action<'_>,
    day: Day,
) -> Result<(), Denial> {
    let Grant { holder, role, validity, .. } = *grant;
    let AccessParts { party, number, from, .. } = *list.parts();
    match book.on(party, day).map(|counts| counts.parts().number) {
        Some(counts) if counts > number => {
            return Err(Denial::Revoked { holder, role, party, number: counts });
        }
        Some(counts) if counts == number => {}
        // A list that has not begun.
        _ => return Err(Denial::Early { holder, role, from: from.max(validity.from()) }),
    }
    if let Some(until) = validity.to().filter(|until| day >= *until) {
        return Err(Denial::Expired { holder, role, until });
    }
    if day < validity.from() {
        return Err(Denial::Early { holder, role, from: validity.from() });
    }
    if role == Role::Regulator && book.regulator_count(&grant.key, day) < REGULATOR_LIST_COUNT {
        return Err(Denial::Unconfirmed { holder });
    }
    let is_own = |object: &Label| grant.scope.binary_search(object).is_ok();
    let foreign = |object: Label| Err(Denial::Foreign { holder, role, object });
    match (role, action) {
        (_, Action::ReadLog) => Ok(()),
        (Role::Gateway, Action::SubmitReadings { points: [] }) => Err(Denial::Nothing { holder }),
        (Role::Gateway, Action::SubmitReadings { points }) => {
            points.iter().find(|point| !is_own(point)).map_or(Ok(()), |point| foreign(*point))
        }
        (Role::Consumer, Action::OpenReceipt { account }) => {
            if is_own(account) {
                Ok(())
            } else {
                foreign(*account)
            }
        }
        (Role::Grid | Role::Supplier | Role::Regulator, Action::OpenReceipt { .. })
        | (Role::Regulator, Action::ReadDenials { .. }) => Ok(()),
        (_, Action::ReadDenials { of }) if role.party() == Some(*of) => Ok(()),
        _ => Err(Denial::Role { holder, role, action: action.to_string() }),
    }
}
