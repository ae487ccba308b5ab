//! Keys that change: who signs what at which height, and the motions that say so.

use tallywatt_core::agreement::Party;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::governance::{Governance, Motion, motion_text};
use tallywatt_ledger::key::Cosigner;
use tallywatt_ledger::note::Note;
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::receipt::PlacedBlock;

use super::{Own, Town};

impl Town {
    /// What a party signs a block of this height with.
    pub fn own(&self, party: Party, height: u64) -> Own {
        let changes = self.changes.iter().filter(|(from, of)| *from <= height && *of == party).count();
        Own::of(
            self.plan.origin,
            party,
            if self.plan.is_stubborn { 0 } else { u8::try_from(changes).unwrap() },
        )
    }

    /// Who signs the head of the whole log: the keys in force at its last block.
    pub fn cosigners(&self) -> Vec<Cosigner> {
        Party::ALL.map(|party| self.own(party, self.height() - 1).witness).into()
    }

    /// The log and witness keys in force for the head, three of three.
    pub fn policy(&self) -> Policy {
        let own = Party::ALL.map(|party| (party, self.own(party, self.height() - 1)));
        let logs = own.each_ref().map(|(_, own)| own.log.verifier_key().clone());
        let witnesses =
            own.each_ref().map(|(party, own)| (party.name().to_owned(), own.witness.verifier_key().clone()));
        Policy::parties(&logs, &witnesses, 3).unwrap()
    }

    /// A motion for a party's next keys, which all sign and attest.
    pub fn rotate(&mut self, party: Party, from: u64) {
        let height = self.height();
        let generation = 1 + self.changes.iter().filter(|(_, of)| *of == party).count();
        let keys = Own::of(self.plan.origin, party, u8::try_from(generation).unwrap()).public();
        self.govern(Motion::Keys { party, keys }, from);
        assert_eq!(self.height(), height + 1);
        self.changes.push((from, party));
    }

    /// A motion, which all sign and attest.
    pub fn govern(&mut self, motion: Motion, from: u64) {
        let height = self.height();
        let number = u64::try_from(self.motion_heights.len()).unwrap() + 1;
        let text = motion_text(self.plan.origin, number, &motion, from);
        let consents = Party::ALL
            .map(|party| self.own(party, height).exec.sign(&text).unwrap().signature().try_into().unwrap());
        let mut governance = Governance { number, from, motion, consents };
        (self.plan.edit_motion)(&mut governance);
        self.motion_heights.push(self.blocks.len());
        self.commit(Command::Govern(Box::new(governance)));
    }

    /// The note that all parties signed of the first motion.
    pub fn motion_note(&self) -> Note {
        let height = self.motion_heights[0];
        let Command::Govern(governance) = &self.blocks[height].0.proposal.command else {
            unreachable!("it is a motion")
        };
        let text = governance.text(self.plan.origin);
        let lines =
            Party::ALL.map(|party| self.own(party, u64::try_from(height).unwrap()).exec.sign(&text).unwrap());
        Note::new(&text, lines.to_vec()).unwrap()
    }

    /// The blocks of all motions.
    pub fn motions(&self) -> Vec<PlacedBlock> {
        self.motion_heights.iter().map(|height| self.placed_block(*height)).collect()
    }
}
