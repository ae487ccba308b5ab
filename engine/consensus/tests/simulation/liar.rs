//! What one party may do that holds its keys and follows no rule.

use tallywatt_consensus::machine::{Cosignature, Dissent, Event};
use tallywatt_consensus::members::{self, Signer};
use tallywatt_consensus::order::Entry;
use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::block::{Attestation, Proposal};
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::Command;
use tallywatt_ledger::log::LogHash;
use tallywatt_ledger::wrong_result::input_named;

use crate::random::Random;
use crate::truth;
use crate::world::{Message, World};

/// The ways it lies in this run.
#[derive(Debug, Clone, Copy)]
pub struct Lies {
    /// Proposes a wrong root, a dropped reading, another tariff, another split.
    pub bends: bool,
    /// Proposes something else to each of the others, and orders each for whoever attested it.
    pub equivocates: bool,
    /// Signs every head it is shown.
    pub signs_anything: bool,
    /// Sends old messages and entries again.
    pub replays: bool,
    /// Answers nobody.
    pub withholds: bool,
    /// Sends what is no signature, or nobody's.
    pub sends_garbage: bool,
    /// Dates its proposals ahead.
    pub dates_ahead: bool,
    /// Orders entries that nobody else attested.
    pub forges: bool,
    /// Attests whatever is proposed, whether it was asked or not, and without looking.
    pub attests_anything: bool,
    /// Signs that it computed something else than what is proposed.
    pub contradicts: bool,
}

impl Lies {
    pub fn drawn(random: &mut Random) -> Self {
        let mut coin = || random.below(3) == 0;
        let mut lies = Self {
            bends: coin(),
            equivocates: coin(),
            signs_anything: coin(),
            replays: coin(),
            withholds: coin(),
            sends_garbage: coin(),
            dates_ahead: coin(),
            forges: coin(),
            attests_anything: coin(),
            contradicts: false,
        };
        lies.signs_anything |= lies.equivocates;
        lies
    }

    /// Results that are not so, of its own proposals and of others', each in its own signature.
    pub fn signed() -> Self {
        Self {
            bends: true,
            equivocates: false,
            signs_anything: false,
            replays: false,
            withholds: false,
            sends_garbage: false,
            dates_ahead: false,
            forges: false,
            attests_anything: false,
            contradicts: true,
        }
    }
}

/// A proposal made for one other party.
struct Twin {
    victim: Party,
    proposal: Proposal,
}

pub struct Liar {
    pub party: Party,
    lies: Lies,
    /// After the end of the faults it does nothing more.
    pub is_silent: bool,
    twins: Vec<Twin>,
    seen: Vec<(Party, Message)>,
}

/// How many messages it remembers.
const SEEN_COUNT_MAX: usize = 64;

impl Liar {
    pub fn new(party: Party, lies: Lies) -> Self {
        Self { party, lies, is_silent: false, twins: Vec::new(), seen: Vec::new() }
    }

    pub fn withholds(&self) -> bool {
        self.lies.withholds || self.is_silent
    }
}

fn others(party: Party) -> [Party; 2] {
    let others: Vec<Party> = Party::ALL.into_iter().filter(|other| *other != party).collect();
    [others[0], others[1]]
}

impl World {
    fn lies(&self) -> Option<(Party, Lies)> {
        self.plan_liar.as_ref().filter(|liar| !liar.is_silent).map(|liar| (liar.party, liar.lies))
    }

    /// What the liar proposes instead of an honest proposal; `false` if it is honest this time.
    pub fn liar_proposes(&mut self) -> bool {
        let Some((party, lies)) = self.lies() else { return true };
        if self.nodes[&party].disk.blocks.is_empty() {
            // Who founds a chain founds it on terms that the others took.
            return false;
        }
        if lies.replays {
            self.replay(party);
        }
        if lies.sends_garbage {
            self.send_garbage(party);
        }
        if lies.forges && self.random.chance(300) {
            self.forge(party);
        }
        if lies.equivocates && self.random.chance(500) {
            self.equivocate(party);
            return true;
        }
        if lies.bends && self.random.chance(500) {
            return self.bend(party);
        }
        if lies.dates_ahead && self.random.chance(500) {
            return self.date_ahead(party);
        }
        false
    }

    fn bend(&mut self, party: Party) -> bool {
        let now_unix_s = self.unix_s(party);
        let way = self.random.next();
        let Some(member) = &mut self.nodes.get_mut(&party).unwrap().member else { return false };
        let command = truth::bent(&truth::next_command(party, member.state(), false), way);
        self.announce_own(party, command, now_unix_s)
    }

    fn date_ahead(&mut self, party: Party) -> bool {
        let now_unix_s = self.unix_s(party) + 100_000;
        let Some(member) = &self.nodes[&party].member else { return false };
        let command = truth::next_command(party, member.state(), false);
        self.announce_own(party, command, now_unix_s)
    }

    fn announce_own(&mut self, party: Party, command: Command, now_unix_s: u64) -> bool {
        let Some(member) = &mut self.nodes.get_mut(&party).unwrap().member else { return false };
        let Ok(_) = member.step(Event::Propose { command, now_unix_s }) else { return false };
        let proposal = member.in_flight().cloned().unwrap();
        for to in others(party) {
            let own = members::attest(&truth::keys(party), party, &proposal);
            self.send(party, to, Message::Announce(Box::new(proposal.clone()), own));
        }
        // It gives up soon, and tries something else.
        let Some(member) = &mut self.nodes.get_mut(&party).unwrap().member else { return false };
        if self.now_ms.is_multiple_of(2) {
            let _ = member.step(Event::Overdue);
        }
        true
    }

    /// A proposal of its own on a victim's last block, which an honest node finds nothing wrong with.
    fn twin_for(&self, party: Party, victim: Party, later_s: u64) -> Option<Proposal> {
        let node = &self.nodes[&victim];
        let state = node.member.as_ref()?.state();
        let last = node.disk.blocks.last().map(|(block, _)| block);
        if last.map_or(0, |block| block.height + 1) != node.member.as_ref()?.size() {
            return None;
        }
        let last_s = last.map_or(0, |block| block.proposal.time_unix_s);
        Some(Proposal {
            chain: state.chain()?,
            parent: last?.hash(),
            proposer: party,
            number: state.next_number(party),
            time_unix_s: last_s.max(self.unix_s(party)) + later_s,
            command: truth::next_command(party, state, false),
        })
    }

    fn equivocate(&mut self, party: Party) {
        let mut twins = Vec::new();
        for (later_s, victim) in (0..).zip(others(party)) {
            let Some(proposal) = self.twin_for(party, victim, later_s) else { continue };
            let own = members::attest(&truth::keys(party), party, &proposal);
            self.send(party, victim, Message::Announce(Box::new(proposal.clone()), own));
            twins.push(Twin { victim, proposal });
        }
        self.plan_liar.as_mut().unwrap().twins = twins;
    }

    /// The liar reads what it gets before its node does.
    pub fn liar_hears(&mut self, from: Party, message: &Message) {
        let Some((party, lies)) = self.lies() else { return };
        let liar = self.plan_liar.as_mut().unwrap();
        if liar.seen.len() < SEEN_COUNT_MAX {
            liar.seen.push((from, message.clone()));
        }
        match message {
            Message::Announce(proposal, _) if lies.attests_anything => {
                let own = members::attest(&truth::keys(party), party, proposal);
                self.send(party, from, Message::Attest(own));
            }
            Message::Announce(proposal, _) if lies.contradicts => self.contradict(party, proposal),
            Message::Attest(attestation) => self.use_twin(party, from, attestation),
            Message::Cosign(cosignature) if lies.signs_anything => {
                let (size, root) = (cosignature.size, cosignature.root);
                let own = self.sign(party, size, root);
                self.send(party, from, Message::Cosign(own.clone()));
                if self.random.chance(300) {
                    others(party)
                        .into_iter()
                        .for_each(|to| self.send(party, to, Message::Cosign(own.clone())));
                }
            }
            Message::Dissent(dissent) => {
                let in_flight = self.nodes[&party].member.as_ref().and_then(|member| member.in_flight());
                if in_flight.is_some_and(|proposal| proposal.id() == dissent.proposal) {
                    self.monitor.dissented_from(party);
                }
            }
            _ => {}
        }
    }

    /// Signs another result than an honest proposal's, of the file that it names or of another, and tells everybody.
    fn contradict(&mut self, party: Party, proposal: &Proposal) {
        let command = truth::bent(&proposal.command, self.random.next());
        let input = input_named(&proposal.command).filter(|_| self.random.chance(800));
        let computed = members::dissent_by(&truth::keys(party).exec, &proposal.id(), input, command);
        let (proposal, detail) = (proposal.id(), "so it says".to_owned());
        let dissent = Dissent { party, proposal, computed: Some(Box::new(computed)), detail };
        others(party).into_iter().for_each(|to| self.send(party, to, Message::Dissent(dissent.clone())));
    }

    fn sign(&mut self, party: Party, size: u64, root: LogHash) -> Cosignature {
        let text = Checkpoint::new(truth::ORIGIN, size, root).unwrap().to_text();
        let now_unix_s = self.unix_s(party);
        let line = truth::keys(party).witness.sign_cosignature(&text, now_unix_s).unwrap();
        self.monitor.liar_signed(party, size, root);
        Cosignature { signer: party.into(), size, root, line }
    }

    /// Orders a twin, for its victim alone, and for itself the first.
    fn use_twin(&mut self, party: Party, from: Party, attestation: &Attestation) {
        let directory = truth::directory();
        let liar = self.plan_liar.as_mut().unwrap();
        let is_its = |twin: &Twin| twin.victim == from && directory.attests(&twin.proposal, attestation, 0);
        let Some(at) = liar.twins.iter().position(is_its) else { return };
        let Twin { victim, proposal } = liar.twins.remove(at);
        let own = members::attest(&truth::keys(party), party, &proposal);
        let mut attestations = vec![own, *attestation];
        attestations.sort_by_key(|attestation| attestation.party);
        let entry = Entry { proposal, attestations };
        self.monitor.forked();
        self.views.get_mut(&victim).unwrap().push(entry.clone());
        if at == 0 {
            self.views.get_mut(&party).unwrap().push(entry);
        }
    }

    /// A folder that was put back can be shown another order from there on.
    pub fn liar_sees_put_back(&mut self, at: Party) {
        let Some((party, lies)) = self.lies() else { return };
        if lies.equivocates && at != party {
            self.monitor.forked();
            let applied = self.nodes[&at].disk.applied;
            self.views.get_mut(&at).unwrap().truncate(applied);
        }
    }

    fn replay(&mut self, party: Party) {
        let count = self.plan_liar.as_ref().unwrap().seen.len();
        if count > 0 {
            let at = self.random.at(count);
            let (_, message) = self.plan_liar.as_ref().unwrap().seen[at].clone();
            others(party).into_iter().for_each(|to| self.send(party, to, message.clone()));
        }
        let old = &self.views[&party];
        if !old.is_empty() {
            let at = self.random.at(old.len());
            let entry = self.views[&party][at].clone();
            self.append(party, &entry);
        }
    }

    fn send_garbage(&mut self, party: Party) {
        let to = others(party)[self.random.at(2)];
        let other = others(party)[self.random.at(2)];
        let byte = u8::try_from(self.random.below(256)).unwrap();
        let message = match self.random.below(5) {
            0 => Message::Attest(Attestation { party: other, signature: [byte; 64] }),
            1 => {
                let proposal = ContentHash([byte; 32]);
                Message::Dissent(Dissent { party, proposal, computed: None, detail: "because".to_owned() })
            }
            2 => {
                // Another's name under its own signature.
                let own = self.sign(party, 1 + u64::from(byte), LogHash::from_bytes([byte; 32]));
                Message::Cosign(Cosignature { signer: other.into(), ..own })
            }
            3 => {
                let own = self.sign(party, 1 + u64::from(byte), LogHash::from_bytes([byte; 32]));
                Message::Cosign(Cosignature { signer: Signer::Witness, ..own })
            }
            _ => {
                let own = self.sign(party, 1_000_000, LogHash::from_bytes([byte; 32]));
                Message::TellOwn {
                    own: Some(Cosignature { signer: to.into(), ..own }),
                    ordered_size: u64::from(byte),
                }
            }
        };
        self.send(party, to, message);
    }

    /// An entry with its own attestation alone, twice, or with a made-up one.
    fn forge(&mut self, party: Party) {
        let Some(proposal) = self.twin_for(party, party, 0) else { return };
        let own = members::attest(&truth::keys(party), party, &proposal);
        let other = Attestation { party: others(party)[0], signature: own.signature };
        let attestations = match self.random.below(3) {
            0 => vec![own],
            1 => vec![own, own],
            _ => {
                let mut both = vec![own, other];
                both.sort_by_key(|attestation| attestation.party);
                both
            }
        };
        self.append(party, &Entry { proposal, attestations });
    }
}
