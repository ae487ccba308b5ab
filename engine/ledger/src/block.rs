//! The block: one command with its attestations, chained; and its leaf in the outer log.
//!
//! ```text
//!   Block { chain, height, parent, time, proposer, number, command, attestations }
//!      │ BLAKE3 under the block domain
//!      ▼
//!   LogLeaf { height, block, parent leaf, state root }   ── SHA-256, RFC 6962 ──▶ checkpoint, cosigned
//! ```
//!
//! Invariants: heights have no gaps; a block names its parent; a proposer's numbers have no gaps, so nothing of
//! its own can be dropped unseen; a block is at most [`BLOCK_SIZE_MAX`]. Bytes in `FORMAT.md` §5.

use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;

use crate::codec::{CodecError, Reader, Writer};
use crate::command::Command;
use crate::digest::{self, Domain};
use crate::log::{LogHash, leaf_hash};

/// The largest block. Bulk travels outside, named by its hash.
pub const BLOCK_SIZE_MAX: usize = 256 * 1024;
const BLOCK_KIND: u8 = 0x41;
const LOG_LEAF_KIND: u8 = 0x42;
const SIGNATURE_SIZE: usize = 64;

/// What a party wants recorded, before anybody agrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// Hash of the genesis block; zero for the genesis itself.
    pub chain: ContentHash,
    /// Hash of the block it was computed on, and can follow alone; zero for the genesis.
    pub parent: ContentHash,
    /// Who proposes.
    pub proposer: Party,
    /// The proposer's own count of its proposals, from 1 without gaps.
    pub number: u64,
    /// When it was proposed, UTC seconds. Informative: nothing is computed from it, but it never runs back, and nobody
    /// attests one that lies ahead of its clock.
    pub time_unix_s: u64,
    /// What.
    pub command: Command,
}

impl Proposal {
    /// The text a party signs to attest it: bound to chain, parent, proposer, number, time and result.
    #[must_use]
    pub fn attest_text(&self) -> String {
        let Self { chain, parent, proposer, number, time_unix_s, command } = self;
        let digest = command.digest();
        format!("tallywatt/attest/v2\n{chain}\n{parent}\n{proposer} {number} {time_unix_s}\n{digest}\n")
    }

    /// What a party's answer to it is known by: the hash of the attested text.
    #[must_use]
    pub fn id(&self) -> ContentHash {
        digest::content_hash(self.attest_text().as_bytes())
    }
}

/// A party's signature under [`Proposal::attest_text`]: it computed the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attestation {
    /// Who attests.
    pub party: Party,
    /// Ed25519 signature by its exec key.
    pub signature: [u8; SIGNATURE_SIZE],
}

/// What a party computed instead of what was proposed, with its signature under [`dissent_text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherResult {
    /// Content hash of the file it was computed from, as it was given to that party; none of a command without one.
    pub input: Option<ContentHash>,
    /// What it computed.
    pub command: Command,
    /// Ed25519 signature by its exec key.
    pub signature: [u8; SIGNATURE_SIZE],
}

/// The text a party signs that computed something else than the proposal of this id: bound to that one proposal, so that what
/// a party says of another proposal in the same place can never be held against it.
#[must_use]
pub fn dissent_text(proposal: &ContentHash, input: Option<ContentHash>, computed: &Command) -> String {
    let input = input.map_or_else(|| "-".to_owned(), |hash| hash.to_string());
    format!("tallywatt/dissent/v1\n{proposal}\n{input}\n{}\n", computed.digest())
}

/// A command, agreed and placed in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Position in the chain, the genesis is 0.
    pub height: u64,
    /// The proposal; its parent is the block before.
    pub proposal: Proposal,
    /// Who attested it, by party, each once.
    pub attestations: Vec<Attestation>,
}

impl Block {
    /// The canonical bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(1, BLOCK_KIND);
        writer
            .hash(&self.proposal.chain)
            .u64(self.height)
            .hash(&self.proposal.parent)
            .u64(self.proposal.time_unix_s)
            .u8(self.proposal.proposer.code())
            .u64(self.proposal.number)
            .bytes(&self.proposal.command.encode())
            .count(self.attestations.len());
        for attestation in &self.attestations {
            writer.u8(attestation.party.code()).raw(&attestation.signature);
        }
        writer.finish()
    }

    /// From canonical bytes.
    ///
    /// # Errors
    /// [`CodecError`], also past [`BLOCK_SIZE_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        if bytes.len() > BLOCK_SIZE_MAX {
            let (count, max) = (bytes.len() as u64, BLOCK_SIZE_MAX as u64);
            return Err(CodecError::TooLong { field: "block", at: 0, count, max });
        }
        let mut reader = Reader::record(bytes, 1, BLOCK_KIND)?;
        let chain = reader.hash("chain")?;
        let (height, parent) = (reader.u64("height")?, reader.hash("parent")?);
        let time_unix_s = reader.u64("time")?;
        let proposer = read_party(&mut reader)?;
        let number = reader.u64("proposal number")?;
        let command = Command::decode(reader.bytes("command")?)?;
        let mut attestations: Vec<Attestation> = Vec::new();
        for _ in 0..reader.count("attestations", 3)? {
            let at = reader.at();
            let party = read_party(&mut reader)?;
            let signature = reader.raw("signature", SIGNATURE_SIZE)?.try_into();
            let signature = signature.map_err(|_| CodecError::Truncated { field: "signature", at })?;
            if attestations.last().is_some_and(|last| last.party >= party) {
                return Err(reader.refuse("attestations", at));
            }
            attestations.push(Attestation { party, signature });
        }
        reader.finish()?;
        let proposal = Proposal { chain, parent, proposer, number, time_unix_s, command };
        Ok(Self { height, proposal, attestations })
    }

    /// Its hash, under the block domain.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        digest::domain_hash(Domain::Block, &self.encode())
    }

    /// The hash of the chain it belongs to: its own, for the genesis.
    #[must_use]
    pub fn chain(&self) -> ContentHash {
        if self.height == 0 { self.hash() } else { self.proposal.chain }
    }
}

fn read_party(reader: &mut Reader<'_>) -> Result<Party, CodecError> {
    let at = reader.at();
    Party::from_code(reader.u8("party")?).ok_or(CodecError::Value { field: "party", at })
}

/// A block's leaf in the outer log: what a node's signature under a head vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLeaf {
    /// Height of the block; also the index of the leaf.
    pub height: u64,
    /// Hash of the block.
    pub block: ContentHash,
    /// Log hash of the leaf before; zero for the genesis.
    pub parent: LogHash,
    /// Root of the node's state after the block, computed by that node itself.
    pub state: ContentHash,
}

impl LogLeaf {
    /// The canonical bytes: 106 of them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(1, LOG_LEAF_KIND);
        writer.u64(self.height).hash(&self.block).raw(self.parent.as_bytes()).hash(&self.state);
        writer.finish()
    }

    /// From canonical bytes.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::record(bytes, 1, LOG_LEAF_KIND)?;
        let (height, block) = (reader.u64("height")?, reader.hash("block hash")?);
        let parent = LogHash::from_bytes(reader.hash("parent leaf")?.0);
        let state = reader.hash("state root")?;
        reader.finish()?;
        Ok(Self { height, block, parent, state })
    }

    /// The leaf hash in the outer log.
    #[must_use]
    pub fn hash(&self) -> LogHash {
        leaf_hash(&self.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{BatchCommit, SettlementCommit};
    use crate::seal::{Sealed, Totals};
    use crate::tree::Root;
    use tallywatt_core::money::{ExactAmount, Money};
    use tallywatt_core::split::{Leg, LegKind, RunningSplit};

    fn blocks() -> Vec<Block> {
        let root = Root { hash: ContentHash([3; 32]), count: 7 };
        let batch = BatchCommit {
            sequence: 1,
            file: ContentHash([4; 32]),
            sealed: Sealed { root, totals: Totals::default() },
        };
        let settlement = SettlementCommit {
            sequence: 1,
            file: ContentHash([5; 32]),
            payments: root,
            paid: Money::from_minor(300),
            reversed: Money::from_minor(50),
            credited: Money::ZERO,
            legs: vec![
                Leg { party: Party::Grid, kind: LegKind::Part, amount: Money::from_minor(100) },
                Leg { party: Party::Supplier, kind: LegKind::Remainder, amount: Money::from_minor(200) },
            ],
            back: vec![Leg { party: Party::Supplier, kind: LegKind::Advance, amount: Money::from_minor(50) }],
            running: vec![(
                ContentHash([6; 32]),
                RunningSplit { due: ExactAmount::from_e11(7), paid: Money::ZERO },
            )],
        };
        [Command::Batch(batch), Command::Settlement(settlement), Command::Contracts(root)]
            .into_iter()
            .map(|command| Block {
                height: 5,
                proposal: Proposal {
                    chain: ContentHash([2; 32]),
                    parent: ContentHash([1; 32]),
                    proposer: Party::Grid,
                    number: 4,
                    time_unix_s: 1_774_000_000,
                    command,
                },
                attestations: vec![
                    Attestation { party: Party::Grid, signature: [8; 64] },
                    Attestation { party: Party::Supplier, signature: [9; 64] },
                ],
            })
            .collect()
    }

    #[test]
    fn bytes_and_back_and_no_other_bytes() {
        for block in blocks() {
            let bytes = block.encode();
            assert_eq!(Block::decode(&bytes).as_ref(), Ok(&block));
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut other = bytes.clone();
                    other[at] ^= 1 << bit;
                    if let Ok(decoded) = Block::decode(&other) {
                        assert_eq!(decoded.encode(), other, "byte {at} bit {bit}");
                    }
                }
                assert!(Block::decode(&bytes[..at]).is_err(), "cut to {at}");
            }
        }
    }

    #[test]
    fn log_leaf() {
        let parent = LogHash::from_bytes([2; 32]);
        let leaf = LogLeaf { height: 5, block: ContentHash([1; 32]), parent, state: ContentHash([3; 32]) };
        assert_eq!(LogLeaf::decode(&leaf.encode()), Ok(leaf));
        assert_eq!(leaf.encode().len(), 106);
    }
}
