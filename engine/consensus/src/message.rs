//! What nodes ask of each other, and what they answer: canonical bytes, version and kind first.
//!
//! Who sends is not in a message: the certificate of the connection says it.

use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::block::{Attestation, BLOCK_SIZE_MAX, Block, OtherResult, Proposal};
use tallywatt_ledger::codec::{CodecError, Reader, Writer};
use tallywatt_ledger::command::Command;
use tallywatt_ledger::key::KeyId;
use tallywatt_ledger::log::LogHash;
use tallywatt_ledger::note::SignatureLine;

use crate::machine::{Abstention, Cosignature, Dissent};
use crate::members::Signer;
use crate::order::Entry;

const REQUEST_KIND: u8 = 0x60;
const REPLY_KIND: u8 = 0x61;
const VERSION: u8 = 1;
/// The largest piece of a file in one message.
pub const CHUNK_SIZE_MAX: usize = 1 << 20;
/// The largest file that travels with its announcement, and in the order; larger ones are fetched.
pub const INLINE_SIZE_MAX: usize = 64 << 10;
/// The longest text in a message: a reason, a first difference.
pub const TEXT_SIZE_MAX: usize = 4 << 10;
const SIGNATURE_SIZE: usize = 64;
const KEY_ID_SIZE: usize = 4;

/// Which of the order's own messages it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderKind {
    /// Entries to append.
    Append,
    /// A request for a vote.
    Vote,
}

/// A file by its BLAKE3 and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileName {
    /// BLAKE3 of its bytes.
    pub hash: ContentHash,
    /// Bytes.
    pub size: u64,
}

/// How far a party's part of the order is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// The newest term it has seen.
    pub term: u64,
    /// Index of its last entry; 0 before the second.
    pub index: u64,
}

/// The file of an announced command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileGiven {
    /// It has none, or every party makes its own.
    None,
    /// It comes along.
    Inline(Vec<u8>),
    /// It is to be fetched.
    Named(FileName),
}

/// What a node asks of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// One of the order's own messages.
    Order(OrderKind, Vec<u8>),
    /// Append this entry to the order, with its file if that is small: the answerer leads it.
    Append(Entry, Vec<u8>),
    /// Up to which index is the order agreed? The answerer leads it.
    ReadIndex,
    /// Look at this proposal, which its proposer attests.
    Announce(Proposal, Attestation, FileGiven),
    /// An answer to the asked party's proposal: it computed the same.
    Attest(Attestation),
    /// It computed something else.
    Dissent(Dissent),
    /// It gives no answer now.
    Abstain(Abstention),
    /// A signature under a head.
    Cosign(Cosignature),
    /// Which file belongs to the proposal of this id?
    FileOf(ContentHash),
    /// A piece of a file.
    Chunk(ContentHash, u64),
    /// How far is the asked party's part of the order?
    Position,
    /// What does the asked party hold of the asker's signatures, and what did it sign itself? If so asked, it answers when it
    /// has applied all that was ordered when it was asked.
    Newest(bool),
}

/// What a node answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To one of the order's own messages.
    Order(Vec<u8>),
    /// Taken; at this index if one was asked for.
    Taken(u64),
    /// Not now: no leader, too busy, not known here.
    Not(String),
    /// The file's name.
    File(FileName),
    /// A piece of a file.
    Chunk(Vec<u8>),
    /// How far it is in the order.
    Position(Position),
    /// Signatures known.
    Newest {
        /// The asker's, under the largest head.
        own: Option<Cosignature>,
        /// The answerer's.
        newest: Option<Cosignature>,
        /// Blocks of the answerer.
        ordered_size: u64,
    },
}

impl Request {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(VERSION, REQUEST_KIND);
        match self {
            Self::Order(kind, bytes) => writer.u8(if *kind == OrderKind::Append { 1 } else { 2 }).raw(bytes),
            Self::Append(entry, file) => writer.u8(3).bytes(&encode_entry(entry)).bytes(file),
            Self::ReadIndex => writer.u8(4),
            Self::Announce(proposal, attestation, file) => {
                let (proposal, attestations) = (proposal.clone(), vec![*attestation]);
                writer.u8(5).bytes(&encode_entry(&Entry { proposal, attestations }));
                match file {
                    FileGiven::None => writer.u8(0),
                    FileGiven::Inline(bytes) => writer.u8(1).bytes(bytes),
                    FileGiven::Named(name) => write_name(writer.u8(2), name),
                }
            }
            Self::Attest(attestation) => {
                writer.u8(6).u8(attestation.party.code()).raw(&attestation.signature)
            }
            Self::Dissent(dissent) => {
                writer.u8(7).u8(dissent.party.code()).hash(&dissent.proposal);
                match &dissent.computed {
                    None => writer.u8(0),
                    Some(other) => write_other(&mut writer, other),
                };
                writer.text(cut(&dissent.detail))
            }
            Self::Abstain(abstention) => {
                writer.u8(8).u8(abstention.party.code()).hash(&abstention.proposal);
                writer.text(cut(&abstention.reason))
            }
            Self::Cosign(cosignature) => write_cosignature(writer.u8(9), cosignature),
            Self::FileOf(id) => writer.u8(10).hash(id),
            Self::Chunk(hash, offset) => writer.u8(11).hash(hash).u64(*offset),
            Self::Newest(is_exact) => writer.u8(12).u8(u8::from(*is_exact)),
            Self::Position => writer.u8(13),
        };
        writer.finish()
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`CodecError`] names the first field that is not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::record(bytes, VERSION, REQUEST_KIND)?;
        let at = reader.at();
        let request = match reader.u8("request")? {
            1 => Self::Order(OrderKind::Append, reader.rest("order")?.to_vec()),
            2 => Self::Order(OrderKind::Vote, reader.rest("order")?.to_vec()),
            3 => {
                let entry = decode_entry(reader.bytes("entry")?)?;
                Self::Append(entry, limited(&mut reader, "file", INLINE_SIZE_MAX)?.to_vec())
            }
            4 => Self::ReadIndex,
            5 => {
                let (proposal, attestation) = decode_proposal(reader.bytes("proposal")?)?;
                let at = reader.at();
                let file = match reader.u8("file")? {
                    0 => FileGiven::None,
                    1 => FileGiven::Inline(limited(&mut reader, "file", INLINE_SIZE_MAX)?.to_vec()),
                    2 => FileGiven::Named(read_name(&mut reader)?),
                    _ => return Err(reader.refuse("file", at)),
                };
                Self::Announce(proposal, attestation, file)
            }
            6 => {
                let party = read_party(&mut reader)?;
                Self::Attest(Attestation { party, signature: read_signature(&mut reader)? })
            }
            7 => {
                let (party, proposal) = (read_party(&mut reader)?, reader.hash("proposal")?);
                let at = reader.at();
                let computed = match reader.u8("computed")? {
                    0 => None,
                    code @ 1..=2 => Some(Box::new(read_other(&mut reader, code == 2)?)),
                    _ => return Err(reader.refuse("computed", at)),
                };
                Self::Dissent(Dissent { party, proposal, computed, detail: text(&mut reader, "detail")? })
            }
            8 => {
                let (party, proposal) = (read_party(&mut reader)?, reader.hash("proposal")?);
                Self::Abstain(Abstention { party, proposal, reason: text(&mut reader, "reason")? })
            }
            9 => Self::Cosign(read_cosignature(&mut reader)?),
            10 => Self::FileOf(reader.hash("proposal")?),
            11 => Self::Chunk(reader.hash("file")?, reader.u64("offset")?),
            12 => {
                let at = reader.at();
                match reader.u8("exact")? {
                    0 => Self::Newest(false),
                    1 => Self::Newest(true),
                    _ => return Err(reader.refuse("exact", at)),
                }
            }
            13 => Self::Position,
            _ => return Err(reader.refuse("request", at)),
        };
        reader.finish()?;
        Ok(request)
    }
}

impl Reply {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(VERSION, REPLY_KIND);
        match self {
            Self::Order(bytes) => writer.u8(1).raw(bytes),
            Self::Taken(index) => writer.u8(2).u64(*index),
            Self::Not(reason) => writer.u8(3).text(cut(reason)),
            Self::File(name) => write_name(writer.u8(4), name),
            Self::Chunk(bytes) => writer.u8(5).raw(bytes),
            Self::Newest { own, newest, ordered_size } => {
                writer.u8(6).u64(*ordered_size);
                for cosignature in [own, newest] {
                    match cosignature {
                        None => writer.u8(0),
                        Some(cosignature) => write_cosignature(writer.u8(1), cosignature),
                    };
                }
                &mut writer
            }
            Self::Position(Position { term, index }) => writer.u8(7).u64(*term).u64(*index),
        };
        writer.finish()
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::record(bytes, VERSION, REPLY_KIND)?;
        let at = reader.at();
        let reply = match reader.u8("reply")? {
            1 => Self::Order(reader.rest("order")?.to_vec()),
            2 => Self::Taken(reader.u64("index")?),
            3 => Self::Not(text(&mut reader, "reason")?),
            4 => Self::File(read_name(&mut reader)?),
            5 => {
                let (at, piece) = (reader.at(), reader.rest("piece")?);
                if piece.len() > CHUNK_SIZE_MAX {
                    return Err(too_long("piece", at, piece.len(), CHUNK_SIZE_MAX));
                }
                Self::Chunk(piece.to_vec())
            }
            6 => {
                let ordered_size = reader.u64("size")?;
                let mut read = || {
                    let at = reader.at();
                    match reader.u8("cosignature")? {
                        0 => Ok(None),
                        1 => read_cosignature(&mut reader).map(Some),
                        _ => Err(reader.refuse("cosignature", at)),
                    }
                };
                let (own, newest) = (read()?, read()?);
                Self::Newest { own, newest, ordered_size }
            }
            7 => Self::Position(Position { term: reader.u64("term")?, index: reader.u64("index")? }),
            _ => return Err(reader.refuse("reply", at)),
        };
        reader.finish()?;
        Ok(reply)
    }
}

/// An entry of the order as a block without a place: what a block is read by, with its limits.
#[must_use]
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    let (proposal, attestations) = (entry.proposal.clone(), entry.attestations.clone());
    Block { height: 0, proposal, attestations }.encode()
}

/// An entry from bytes, at most [`BLOCK_SIZE_MAX`] of them.
///
/// # Errors
/// [`CodecError`].
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, CodecError> {
    let Block { height, proposal, attestations } = Block::decode(bytes)?;
    if height != 0 {
        return Err(CodecError::Value { field: "height", at: 0 });
    }
    Ok(Entry { proposal, attestations })
}

/// A proposal with the attestation of its proposer, and no other.
fn decode_proposal(bytes: &[u8]) -> Result<(Proposal, Attestation), CodecError> {
    let Entry { proposal, attestations } = decode_entry(bytes)?;
    match attestations[..] {
        [own] if own.party == proposal.proposer => Ok((proposal, own)),
        _ => Err(CodecError::Value { field: "attestations", at: bytes.len().min(BLOCK_SIZE_MAX) }),
    }
}

/// 1, or 2 and the hash of the file it is computed from; the command; the signature.
fn write_other<'w>(writer: &'w mut Writer, other: &OtherResult) -> &'w mut Writer {
    match &other.input {
        None => writer.u8(1),
        Some(hash) => writer.u8(2).hash(hash),
    };
    writer.bytes(&other.command.encode()).raw(&other.signature)
}

fn read_other(reader: &mut Reader<'_>, has_input: bool) -> Result<OtherResult, CodecError> {
    let input = if has_input { Some(reader.hash("input")?) } else { None };
    let command = Command::decode(limited(reader, "computed", BLOCK_SIZE_MAX)?)?;
    Ok(OtherResult { input, command, signature: read_signature(reader)? })
}

fn read_signature(reader: &mut Reader<'_>) -> Result<[u8; SIGNATURE_SIZE], CodecError> {
    let at = reader.at();
    let signature = reader.raw("signature", SIGNATURE_SIZE)?.try_into();
    signature.map_err(|_| CodecError::Truncated { field: "signature", at })
}

fn write_name<'w>(writer: &'w mut Writer, name: &FileName) -> &'w mut Writer {
    writer.hash(&name.hash).u64(name.size)
}

fn read_name(reader: &mut Reader<'_>) -> Result<FileName, CodecError> {
    Ok(FileName { hash: reader.hash("file")?, size: reader.u64("size")? })
}

fn read_party(reader: &mut Reader<'_>) -> Result<Party, CodecError> {
    let at = reader.at();
    Party::from_code(reader.u8("party")?).ok_or(CodecError::Value { field: "party", at })
}

fn write_cosignature<'w>(writer: &'w mut Writer, cosignature: &Cosignature) -> &'w mut Writer {
    let Cosignature { signer, size, root, line } = cosignature;
    writer.u8(signer.code()).u64(*size).raw(root.as_bytes()).text(line.name()).raw(&line.key_id().0);
    writer.bytes(line.signature())
}

fn read_cosignature(reader: &mut Reader<'_>) -> Result<Cosignature, CodecError> {
    let at = reader.at();
    let signer = Signer::from_code(reader.u8("signer")?).ok_or(CodecError::Value { field: "signer", at })?;
    let size = reader.u64("size")?;
    let root = LogHash::from_bytes(reader.hash("root")?.0);
    let at = reader.at();
    let name = text(reader, "key name")?;
    let key_id = reader.raw("key id", KEY_ID_SIZE)?.try_into();
    let key_id = KeyId(key_id.map_err(|_| CodecError::Truncated { field: "key id", at })?);
    let signature = limited(reader, "signature", TEXT_SIZE_MAX)?.to_vec();
    let line = SignatureLine::new(&name, key_id, signature);
    let line = line.map_err(|_| CodecError::Value { field: "signature line", at })?;
    Ok(Cosignature { signer, size, root, line })
}

fn text(reader: &mut Reader<'_>, field: &'static str) -> Result<String, CodecError> {
    let at = reader.at();
    let bytes = limited(reader, field, TEXT_SIZE_MAX)?;
    let text = std::str::from_utf8(bytes).map_err(|_| CodecError::Value { field, at })?;
    Ok(text.to_owned())
}

fn limited<'a>(reader: &mut Reader<'a>, field: &'static str, max: usize) -> Result<&'a [u8], CodecError> {
    let (at, bytes) = (reader.at(), reader.bytes(field)?);
    if bytes.len() > max { Err(too_long(field, at, bytes.len(), max)) } else { Ok(bytes) }
}

const fn too_long(field: &'static str, at: usize, count: usize, max: usize) -> CodecError {
    CodecError::TooLong { field, at, count: count as u64, max: max as u64 }
}

/// As much of a text as a message takes.
fn cut(text: &str) -> &str {
    let mut size = text.len().min(TEXT_SIZE_MAX);
    while !text.is_char_boundary(size) {
        size -= 1;
    }
    &text[..size]
}

#[cfg(test)]
mod tests {
    use super::*;
    use tallywatt_ledger::tree::Root;

    fn cosignature() -> Cosignature {
        let line = SignatureLine::new("example/grid/witness", KeyId([1, 2, 3, 4]), vec![7; 72]);
        let line = line.expect("a name, an id and bytes");
        Cosignature { signer: Party::Bank.into(), size: 9, root: LogHash::from_bytes([3; 32]), line }
    }

    fn requests() -> Vec<Request> {
        let hash = ContentHash([5; 32]);
        let proposal = Proposal {
            chain: hash,
            parent: hash,
            proposer: Party::Supplier,
            number: 3,
            time_unix_s: 1_774_000_000,
            command: Command::Contracts(Root { hash, count: 2 }),
        };
        let attestation = Attestation { party: Party::Supplier, signature: [9; SIGNATURE_SIZE] };
        let other = |input| {
            let command = Command::Contracts(Root { hash, count: 3 });
            Some(Box::new(OtherResult { input, command, signature: [8; SIGNATURE_SIZE] }))
        };
        let entry = Entry { proposal: proposal.clone(), attestations: vec![attestation] };
        let name = FileName { hash, size: 70_000 };
        let (party, detail) = (Party::Bank, "bill 3: total 4 instead of 5".to_owned());
        vec![
            Request::Order(OrderKind::Append, vec![1, 2, 3]),
            Request::Order(OrderKind::Vote, vec![4]),
            Request::Append(entry.clone(), Vec::new()),
            Request::Append(entry, vec![3; 50]),
            Request::ReadIndex,
            Request::Announce(proposal.clone(), attestation, FileGiven::None),
            Request::Announce(proposal.clone(), attestation, FileGiven::Inline(vec![8; 100])),
            Request::Announce(proposal, attestation, FileGiven::Named(name)),
            Request::Attest(attestation),
            Request::Dissent(Dissent { party, proposal: hash, computed: None, detail: detail.clone() }),
            Request::Dissent(Dissent {
                party,
                proposal: hash,
                computed: other(None),
                detail: detail.clone(),
            }),
            Request::Dissent(Dissent {
                party,
                proposal: hash,
                computed: other(Some(hash)),
                detail: detail.clone(),
            }),
            Request::Abstain(Abstention { party, proposal: hash, reason: detail }),
            Request::Cosign(cosignature()),
            Request::FileOf(hash),
            Request::Chunk(hash, 1 << 40),
            Request::Newest(false),
            Request::Newest(true),
            Request::Position,
        ]
    }

    fn replies() -> Vec<Reply> {
        let own = Some(cosignature());
        vec![
            Reply::Order(vec![1]),
            Reply::Taken(7),
            Reply::Not("no leader".into()),
            Reply::File(FileName { hash: ContentHash([1; 32]), size: 3 }),
            Reply::Chunk(vec![6; 1000]),
            Reply::Newest { own: own.clone(), newest: None, ordered_size: 4 },
            Reply::Newest { own: None, newest: own, ordered_size: 4 },
            Reply::Position(Position { term: 3, index: 1 << 33 }),
        ]
    }

    /// Other bytes are other messages or none: what is read is what was written.
    fn check<M: PartialEq + std::fmt::Debug>(
        message: &M,
        bytes: &[u8],
        decode: impl Fn(&[u8]) -> Result<M, CodecError>,
        encode: impl Fn(&M) -> Vec<u8>,
    ) {
        assert_eq!(decode(bytes).as_ref(), Ok(message));
        for at in 0..bytes.len() {
            if let Ok(shorter) = decode(&bytes[..at]) {
                assert_eq!(encode(&shorter), bytes[..at], "{message:?} cut to {at}");
            }
            for bit in 0..8 {
                let mut other = bytes.to_vec();
                other[at] ^= 1 << bit;
                if let Ok(decoded) = decode(&other) {
                    assert_eq!(encode(&decoded), other, "{message:?}, byte {at} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn bytes_and_back_and_no_other_bytes() {
        for request in requests() {
            check(&request, &request.encode(), Request::decode, Request::encode);
        }
        for reply in replies() {
            check(&reply, &reply.encode(), Reply::decode, Reply::encode);
        }
    }

    /// An announcement is signed by its proposer, and by nobody else.
    #[test]
    fn no_announcement_in_the_name_of_another() {
        let announced = requests().into_iter().find_map(|request| match request {
            Request::Announce(proposal, attestation, FileGiven::None) => Some((proposal, attestation)),
            _ => None,
        });
        let (proposal, own) = announced.expect("there is one");
        let mut writer = Writer::record(VERSION, REQUEST_KIND);
        let attestations = vec![Attestation { party: Party::Grid, ..own }, own];
        writer.u8(5).bytes(&encode_entry(&Entry { proposal: proposal.clone(), attestations })).u8(0);
        let foreign = Attestation { party: Party::Grid, ..own };
        for bytes in [writer.finish(), Request::Announce(proposal, foreign, FileGiven::None).encode()] {
            assert!(Request::decode(&bytes).is_err());
        }
    }

    #[test]
    fn a_text_is_cut_between_letters() {
        let long = "ж".repeat(TEXT_SIZE_MAX);
        let Ok(Reply::Not(reason)) = Reply::decode(&Reply::Not(long).encode()) else {
            panic!("it is well-formed")
        };
        assert_eq!(reason.len(), TEXT_SIZE_MAX);
    }
}
