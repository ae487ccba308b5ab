//! The regulator's witness in the simulated world: the pure one, with a disk that survives its crashes, asked over a bad network.

use tallywatt_consensus::machine::{Cosignature, Event};
use tallywatt_consensus::members::{Signer, Standing};
use tallywatt_core::agreement::Party;
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::log::LogHash;
use tallywatt_ledger::witness::{AddCheckpoint, WatchedLog, Witness};

use crate::truth;
use crate::world::{Happening, World};

/// What is wrong with the witness of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WitnessPlan {
    /// Nothing: it crashes now and then, and knows what it signed.
    Sound,
    /// It keeps nothing of what it signed.
    Forgets,
}

pub struct WitnessNode {
    plan: WitnessPlan,
    witness: Witness,
    disk: Option<Checkpoint>,
    /// Where each party thinks it stands.
    known: [u64; 3],
}

/// What it answers.
pub enum WitnessAnswer {
    Signed(Cosignature),
    Stands(u64),
}

impl WitnessNode {
    pub fn new(plan: WitnessPlan) -> Self {
        Self { plan, witness: started(None), disk: None, known: [0; 3] }
    }
}

fn started(last: Option<Checkpoint>) -> Witness {
    let Command::Genesis(genesis) = truth::genesis() else { unreachable!("it is the genesis") };
    let mut witness = Witness::new(truth::witness_key());
    witness.watch(WatchedLog::of_genesis(&genesis, &[]).unwrap(), last).unwrap();
    witness
}

impl World {
    /// A node asks for a signature under its newest head, if two parties signed that.
    pub fn ask_witness(&mut self, at: Party) {
        let is_due = self.witness.is_some() && self.random.chance(300);
        let (Some(node), Some(member)) = (&self.witness, &self.nodes[&at].member) else { return };
        let (size, old_size) = (member.size(), node.known[usize::from(at.code()) - 1]);
        let is_signed = member.cosigners(size).contains(&Signer::Witness);
        if member.standing(size) < Standing::Final || is_signed || old_size > size || !is_due {
            return;
        }
        let proof =
            if old_size == 0 { Ok(Vec::new()) } else { member.log().prove_consistency(old_size, size) };
        let (proof, note) = (proof.unwrap(), member.head_note(size).unwrap().unwrap());
        let request = AddCheckpoint { old_size, proof, note }.encode();
        self.pass_to_witness(at, |_| Happening::WitnessAsked { from: at, request });
    }

    fn pass_to_witness(&mut self, party: Party, happening: impl FnOnce(&Self) -> Happening) {
        if self.is_cut_off(party) || self.random.chance(100) {
            return;
        }
        let after = 1 + self.random.below(30);
        let happening = happening(self);
        self.schedule(after, happening);
    }

    pub fn witness_asked(&mut self, from: Party, request: &str) {
        let time_unix_s = self.unix_s(from);
        let crashes = self.random.chance(50);
        let Some(node) = &mut self.witness else { return };
        let request = AddCheckpoint::parse(request).unwrap();
        let answer = match node.witness.check(&request) {
            Ok(head) => {
                if node.plan == WitnessPlan::Sound {
                    node.disk = Some(head.clone());
                }
                let (size, root): (u64, LogHash) = (head.size(), head.root());
                // Between the disk and the signature.
                let line = (!crashes).then(|| node.witness.cosign(head, time_unix_s).unwrap());
                if crashes || node.plan == WitnessPlan::Forgets {
                    node.witness = started(node.disk.clone());
                }
                let Some(line) = line else { return };
                let signer = Signer::Witness;
                self.monitor.witness_signed(size, root);
                WitnessAnswer::Signed(Cosignature { signer, size, root, line })
            }
            Err(error) => match error.known_size() {
                Some(size) => WitnessAnswer::Stands(size),
                None => return,
            },
        };
        self.pass_to_witness(from, |_| Happening::WitnessAnswered { to: from, answer });
    }

    pub fn witness_answered(&mut self, to: Party, answer: WitnessAnswer) {
        let Some(node) = &mut self.witness else { return };
        let known = &mut node.known[usize::from(to.code()) - 1];
        match answer {
            WitnessAnswer::Stands(size) => *known = size,
            WitnessAnswer::Signed(cosignature) => {
                *known = cosignature.size;
                self.step(to, Event::Cosigned(cosignature));
            }
        }
    }
}
