//! Books: what of the ledger this party computes, what it takes as others attested it, and what it never gets.
//!
//! ```text
//!   recomputes     in the kind's set                                computes it anew before it attests
//!   takes          not in the set, and settles payments from it     its file against the roots in the block
//!   never gets     else                                             the block alone: roots and counts
//! ```

use tallywatt_core::agreement::Party;
use tallywatt_core::bill::Bill;
use tallywatt_core::correction::Correction;
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_ledger::attesters::CommandKind;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::tree::TreeKind;
use tallywatt_ledger::{bill_bytes, correction_bytes, digest, document};
use tallywatt_shards::threads::Threads;

use crate::books::records::{publication_of, read_bills, read_contracts, read_corrections, tree_over};
use crate::books::{Books, BooksError, Input};

impl Books {
    /// Empty books of one party, which keeps what the first block says. Who keeps no readings has no secret that blinds them.
    #[must_use]
    pub fn of_party(party: Party, secret: Option<BlindingSecret>, threads: Threads) -> Self {
        Self { party: Some(party), secret, ..Self::empty(threads) }
    }

    /// Whether files of a kind are kept here: computed, or taken.
    #[must_use]
    pub fn keeps(&self, kind: CommandKind) -> bool {
        match (self.party, self.genesis()) {
            (Some(party), Some(genesis)) => genesis.attesters.holds(party, kind),
            _ => true,
        }
    }

    /// Whether commands of a kind are computed here.
    #[must_use]
    pub fn recomputes(&self, kind: CommandKind) -> bool {
        match (self.party, self.genesis()) {
            (Some(party), Some(genesis)) => genesis.attesters.of(kind).contains(party),
            _ => true,
        }
    }

    /// Whether readings are kept here.
    #[must_use]
    pub fn keeps_readings(&self) -> bool {
        self.keeps(CommandKind::Batch)
    }

    /// The secret that blinds this ledger's leaves.
    ///
    /// # Errors
    /// [`BooksError::NotKept`] where no readings are kept.
    pub fn secret(&self) -> Result<&BlindingSecret, BooksError> {
        self.secret.as_ref().ok_or_else(|| self.not_kept(CommandKind::Batch))
    }

    /// Whether the secret is here.
    #[must_use]
    pub const fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    /// That commands of a kind are not computed here, and by whom they are.
    #[must_use]
    pub fn not_kept(&self, kind: CommandKind) -> BooksError {
        let keepers =
            self.genesis().map_or_else(String::new, |genesis| genesis.attesters.of(kind).to_string());
        BooksError::NotKept { party: self.party.map_or("", Party::name), what: kind.name(), keepers }
    }

    /// Refuses an input that this party is not to compute anything from.
    pub(super) fn check_own(&self, input: &Input) -> Result<(), BooksError> {
        let kind = match input {
            Input::Document(bytes) => CommandKind::Publish(publication_of(bytes)?.kind),
            Input::Genesis(_) => CommandKind::Genesis,
            Input::Contracts(_) => CommandKind::Contracts,
            Input::Batch(_) => CommandKind::Batch,
            Input::Period(_) => CommandKind::Period,
            Input::Bills(_) => CommandKind::Bills,
            Input::Activation(_) => CommandKind::Activate,
            Input::Motion(_) => CommandKind::Govern,
            Input::Payments(_) => CommandKind::Settlement,
            Input::Corrections(..) => CommandKind::Corrections,
        };
        if self.recomputes(kind) { Ok(()) } else { Err(self.not_kept(kind)) }
    }

    /// Moves the books on by a command whose file never comes here.
    pub(super) const fn absorb_unseen(&mut self, command: &Command) {
        if let Command::Batch(commit) = command {
            self.batch_count = commit.sequence;
        }
        self.height += 1;
    }

    /// Checks a file that is taken as others attested it against every figure that its block says of it. Whether it follows
    /// from the readings only who has them can tell.
    ///
    /// # Errors
    /// [`BooksError`] if it is not the file that the block stands for.
    pub fn check_taken(&self, command: &Command, file: &[u8]) -> Result<(), BooksError> {
        let found = match command {
            Command::Bills(commit) => {
                let bills = read_bills(file)?;
                let records: Vec<Vec<u8>> = bills.iter().map(bill_bytes::encode_bill).collect();
                let sum =
                    |of: &dyn Fn(&Bill) -> i64| sum_of(bills.iter().map(|bill| of(bill).into()), "bills");
                let mut own = *commit;
                own.bills = tree_over(TreeKind::Bills, &records).root();
                own.file = digest::content_hash(file);
                own.energy_wh = sum(&|bill| bill.energy().as_wh())?;
                own.total = Money::from_minor(sum(&|bill| bill.total.as_minor())?);
                own.payee_part = bills.iter().map(|bill| bill.payee_part).sum();
                Command::Bills(own)
            }
            Command::Corrections(commit) => {
                let corrections = read_corrections(file)?;
                let records: Vec<Vec<u8>> =
                    corrections.iter().map(correction_bytes::encode_correction).collect();
                let sum =
                    |of: &dyn Fn(&Correction) -> i128| sum_of(corrections.iter().map(of), "corrections");
                let part: i128 = corrections.iter().map(|one| one.delta.payee_part.as_e11()).sum();
                let mut own = *commit;
                own.corrections = tree_over(TreeKind::Corrections, &records).root();
                own.file = digest::content_hash(file);
                own.energy_wh = sum(&|one| one.delta.energy_wh())?;
                own.total = Money::from_minor(sum(&|one| one.delta.total.as_minor().into())?);
                own.payee_part = ExactAmount::from_e11(part);
                own.charged = Money::from_minor(sum(&|one| one.charged.total.as_minor().into())?);
                Command::Corrections(own)
            }
            Command::Contracts(_) => Command::Contracts(document::contracts_root(&read_contracts(file)?)),
            Command::Publish(_) => Command::Publish(publication_of(file)?),
            other => other.clone(),
        };
        if found == *command {
            return Ok(());
        }
        let (name, difference) = (command.name(), command.difference(&found));
        Err(BooksError::Conflict(format!("the file of the {name} is not what was attested: {difference}")))
    }
}

fn sum_of(amounts: impl Iterator<Item = i128>, of: &'static str) -> Result<i64, BooksError> {
    i64::try_from(amounts.sum::<i128>()).map_err(|_| BooksError::Overflow(of))
}
