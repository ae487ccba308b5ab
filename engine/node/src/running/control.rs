//! The operator's door to a running node: loopback only, and only for who can read the node's folder.
//!
//! ```text
//!   <data>/control    address and token, a line each, readable by its owner     written at start, removed at stop
//!   token ─▶ then any of: put a piece of a file · propose · blocks · status · stop
//! ```

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tallywatt_consensus::members::Signer;
use tallywatt_core::hash::ContentHash;
use tallywatt_ledger::block::{Block, LogLeaf};
use tallywatt_ledger::codec::{CodecError, Reader, Writer};
use tallywatt_ledger::command::Command;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::node_folder::{SEALED_FILE_SIZE_MAX, write_secret};
use crate::peers::frame;
use crate::running::conductor::{BLOCKS_GIVEN_MAX, Told};
use crate::running::proposing::{Proposed, Until, Wanted};
use crate::running::status::Status;
use crate::store::StoredBlock;

/// Name of the file with address and token.
pub const CONTROL_NAME: &str = "control";
/// Operators at one time.
const OPERATOR_COUNT_MAX: usize = 16;
/// Findings of one outcome.
const FINDING_COUNT_MAX: u32 = 1_000;
const ASKED_KIND: u8 = 0x62;
const TOLD_KIND: u8 = 0x63;
const VERSION: u8 = 1;

/// What an operator asks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "messages live for one step")]
pub enum Asked {
    /// It may: the first message.
    Token(ContentHash),
    /// A piece of the file of the next proposal.
    Put(Vec<u8>),
    /// Propose this command, computed anew here, with the file that was put.
    Propose(Command, Until),
    /// Blocks from this height on.
    Blocks(u64),
    /// The node's status.
    Status,
    /// Stop the node.
    Stop,
}

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "messages live for one step")]
pub enum Answer {
    /// Go on.
    Taken,
    /// What became of a proposal.
    Proposed(Proposed),
    /// Blocks and leaves, how many there are in all, and the newest head.
    Blocks(Vec<(Block, LogLeaf)>, u64, String),
    /// The node's status, as JSON.
    Status(String),
    /// It cannot be done.
    Failed(String),
}

impl Asked {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(VERSION, ASKED_KIND);
        match self {
            Self::Token(token) => writer.u8(1).hash(token),
            Self::Put(piece) => writer.u8(2).raw(piece),
            Self::Propose(command, until) => {
                writer.u8(3).u8(if *until == Until::Final { 2 } else { 3 }).raw(&command.encode())
            }
            Self::Blocks(from) => writer.u8(4).u64(*from),
            Self::Status => writer.u8(5),
            Self::Stop => writer.u8(6),
        };
        writer.finish()
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::record(bytes, VERSION, ASKED_KIND)?;
        let at = reader.at();
        let asked = match reader.u8("request")? {
            1 => Self::Token(reader.hash("token")?),
            2 => Self::Put(reader.rest("piece")?.to_vec()),
            3 => {
                let at = reader.at();
                let until = match reader.u8("until")? {
                    2 => Until::Final,
                    3 => Until::Sealed,
                    _ => return Err(reader.refuse("until", at)),
                };
                Self::Propose(Command::decode(reader.rest("command")?)?, until)
            }
            4 => Self::Blocks(reader.u64("height")?),
            5 => Self::Status,
            6 => Self::Stop,
            _ => return Err(reader.refuse("request", at)),
        };
        reader.finish()?;
        Ok(asked)
    }
}

impl Answer {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::record(VERSION, TOLD_KIND);
        match self {
            Self::Taken => writer.u8(1),
            Self::Failed(what) | Self::Proposed(Proposed::Failed(what)) => writer.u8(2).text(what),
            Self::Proposed(Proposed::NoQuorum(what)) => writer.u8(3).text(what),
            Self::Proposed(Proposed::Done { height, cosigners, findings, command }) => {
                // A height is never the largest number: that one says there is none.
                writer.u8(4).u64(height.unwrap_or(u64::MAX)).count(cosigners.len());
                for signer in cosigners {
                    writer.u8(signer.code());
                }
                let told = &findings[..findings.len().min(FINDING_COUNT_MAX as usize)];
                writer.count(told.len());
                for finding in told {
                    writer.text(finding);
                }
                writer.raw(&command.encode())
            }
            Self::Blocks(blocks, size, head) => {
                writer.u8(5).u64(*size).text(head).count(blocks.len());
                for (block, leaf) in blocks {
                    writer.bytes(&block.encode()).bytes(&leaf.encode());
                }
                &mut writer
            }
            Self::Status(json) => writer.u8(6).text(json),
        };
        writer.finish()
    }

    /// From bytes.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::record(bytes, VERSION, TOLD_KIND)?;
        let at = reader.at();
        let answer = match reader.u8("answer")? {
            1 => Self::Taken,
            2 => Self::Failed(reader.text("reason")?.to_owned()),
            3 => Self::Proposed(Proposed::NoQuorum(reader.text("reason")?.to_owned())),
            4 => {
                let height = Some(reader.u64("height")?).filter(|height| *height != u64::MAX);
                let mut cosigners = Vec::new();
                for _ in 0..reader.count("cosigners", 4)? {
                    let at = reader.at();
                    let signer = Signer::from_code(reader.u8("signer")?);
                    cosigners.push(signer.ok_or(CodecError::Value { field: "signer", at })?);
                }
                let mut findings = Vec::new();
                for _ in 0..reader.count("findings", FINDING_COUNT_MAX)? {
                    findings.push(reader.text("finding")?.to_owned());
                }
                let command = Command::decode(reader.rest("command")?)?;
                Self::Proposed(Proposed::Done { height, cosigners, findings, command })
            }
            5 => {
                let (size, head) = (reader.u64("size")?, reader.text("head")?.to_owned());
                let mut blocks = Vec::new();
                for _ in 0..reader.count("blocks", u32::try_from(BLOCKS_GIVEN_MAX).unwrap_or(0))? {
                    let block = Block::decode(reader.bytes("block")?)?;
                    blocks.push((block, LogLeaf::decode(reader.bytes("leaf")?)?));
                }
                Self::Blocks(blocks, size, head)
            }
            6 => Self::Status(reader.text("status")?.to_owned()),
            _ => return Err(reader.refuse("answer", at)),
        };
        reader.finish()?;
        Ok(answer)
    }
}

/// Writes down where the node listens for its operator, and a new token.
pub(super) fn publish(data: &Path, listener: &TcpListener) -> std::io::Result<ContentHash> {
    let mut token = [0; 32];
    getrandom::fill(&mut token).map_err(std::io::Error::other)?;
    let token = ContentHash(token);
    withdraw(data);
    let text = format!("{}\n{token}\n", listener.local_addr()?);
    // Under another name first: who reads it finds it whole.
    let (path, new) = (data.join(CONTROL_NAME), data.join("control.new"));
    if new.exists() {
        fs::remove_file(&new)?;
    }
    write_secret(&new, &text).map_err(std::io::Error::other)?;
    fs::rename(new, path)?;
    Ok(token)
}

/// Removes what [`publish`] wrote.
pub(super) fn withdraw(data: &Path) {
    // One that stays behind leads nowhere.
    let _ = fs::remove_file(data.join(CONTROL_NAME));
}

/// Reads where a running node listens for its operator; nothing if none says so.
pub(super) fn find(data: &Path) -> Option<(SocketAddr, ContentHash)> {
    let text = fs::read_to_string(data.join(CONTROL_NAME)).ok()?;
    let (address, token) = text.trim_end().split_once('\n')?;
    Some((address.parse().ok()?, token.parse().ok()?))
}

/// Takes operators until the task is dropped.
pub(super) async fn listen(
    listener: TcpListener,
    token: ContentHash,
    teller: mpsc::Sender<Told>,
    status: watch::Receiver<Status>,
) {
    let room = Arc::new(Semaphore::new(OPERATOR_COUNT_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            continue;
        };
        let (teller, status) = (teller.clone(), status.clone());
        tokio::spawn(async move {
            serve(stream, token, teller, status).await;
            drop(permit);
        });
    }
}

async fn serve(
    mut stream: TcpStream,
    token: ContentHash,
    teller: mpsc::Sender<Told>,
    status: watch::Receiver<Status>,
) {
    // It is slower without, and as right.
    let _ = stream.set_nodelay(true);
    let (mut file, mut is_known) = (Vec::new(), false);
    loop {
        // A stranger has as long as a message may take, not as long as an operator may think.
        let read = match is_known {
            true => frame::read(&mut stream).await,
            false => {
                let wait = crate::peers::limits::HANDSHAKE_WAIT;
                match tokio::time::timeout(wait, frame::read(&mut stream)).await {
                    Ok(read) => read,
                    Err(_) => return,
                }
            }
        };
        let Ok(Some(bytes)) = read else { return };
        let answer = match (Asked::decode(&bytes), is_known) {
            (Ok(Asked::Token(given)), false) if given == token => {
                is_known = true;
                Answer::Taken
            }
            // Nothing is said to who does not know the token.
            (_, false) => return,
            (Err(error), true) => Answer::Failed(error.to_string()),
            (Ok(asked), true) => answer(asked, &mut file, &teller, &status).await,
        };
        if frame::write(&mut stream, &answer.encode()).await.is_err() {
            return;
        }
    }
}

async fn answer(
    asked: Asked,
    file: &mut Vec<u8>,
    teller: &mpsc::Sender<Told>,
    status: &watch::Receiver<Status>,
) -> Answer {
    let stopping = || Answer::Failed("the node is stopping".to_owned());
    match asked {
        Asked::Token(_) => Answer::Taken,
        Asked::Put(piece) => {
            let size = file.len().saturating_add(piece.len());
            if u64::try_from(size).unwrap_or(u64::MAX) > SEALED_FILE_SIZE_MAX {
                file.clear();
                return Answer::Failed(format!("a file of {size} bytes, at most {SEALED_FILE_SIZE_MAX}"));
            }
            file.extend_from_slice(&piece);
            Answer::Taken
        }
        Asked::Propose(command, until) => {
            let file = std::mem::take(file);
            let file = Some(file).filter(|file| !file.is_empty());
            let (reply, outcome) = oneshot::channel();
            let wanted = Box::new(Wanted { command, file, until, reply, tries: 0 });
            if teller.send(Told::Wanted(wanted)).await.is_err() {
                return stopping();
            }
            outcome.await.map_or_else(|_| stopping(), Answer::Proposed)
        }
        Asked::Blocks(from) => {
            let (reply, given) = oneshot::channel();
            if teller.send(Told::Blocks(from, reply)).await.is_err() {
                return stopping();
            }
            match given.await {
                Ok(Ok(given)) => {
                    let blocks = given.blocks.into_iter().map(|StoredBlock { block, leaf }| (block, leaf));
                    Answer::Blocks(blocks.collect(), given.size, given.head)
                }
                Ok(Err(what)) => Answer::Failed(what),
                Err(_) => stopping(),
            }
        }
        Asked::Stop => match teller.send(Told::Stop).await {
            Ok(()) => Answer::Taken,
            Err(_) => stopping(),
        },
        Asked::Status => {
            let text = serde_json::to_string(&*status.borrow());
            text.map_or_else(|error| Answer::Failed(error.to_string()), Answer::Status)
        }
    }
}
