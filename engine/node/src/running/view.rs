//! Running nodes as an operator's command sees them: a copy of the books in memory, and the door to propose by.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use tallywatt_consensus::message::CHUNK_SIZE_MAX;
use tallywatt_core::agreement::Party;
use tallywatt_ledger::command::Command;
use tallywatt_shards::threads::Threads;

use crate::books::{Computed, Input};
use crate::consortium::Outcome;
use crate::node::{Node, NodeError};
use crate::node_folder::NodeFolder;
use crate::peers::limits::FRAME_SIZE_MAX;
use crate::running::control::{self, Answer, Asked};
pub use crate::running::proposing::{Proposed, Until};
use crate::running::status::Status;
use crate::store::StoredBlock;

/// How long a running node may take to accept a connection.
const CONNECT_WAIT: Duration = Duration::from_secs(3);

/// The door to one running node.
pub struct Door {
    party: Party,
    stream: TcpStream,
}

impl Door {
    /// Goes to the node that runs on a data folder.
    ///
    /// # Errors
    /// [`NodeError::Running`] if none does.
    pub fn open(data: &Path, party: Party) -> Result<Self, NodeError> {
        let none = |what: String| NodeError::Running { party, what, is_quorum: false };
        let found = control::find(data);
        let (address, token) = found.ok_or_else(|| none("the node does not run".to_owned()))?;
        let stream = TcpStream::connect_timeout(&address, CONNECT_WAIT);
        let stream = stream.map_err(|error| none(format!("the node does not run: {error}")))?;
        // It is slower without, and as right.
        let _ = stream.set_nodelay(true);
        let mut door = Self { party, stream };
        match door.ask(&Asked::Token(token))? {
            Answer::Taken => Ok(door),
            _ => Err(door.odd()),
        }
    }

    /// The node's status.
    ///
    /// # Errors
    /// [`NodeError::Running`].
    pub fn status(&mut self) -> Result<Status, NodeError> {
        match self.ask(&Asked::Status)? {
            Answer::Status(json) => serde_json::from_str(&json).map_err(|_| self.odd()),
            _ => Err(self.odd()),
        }
    }

    /// Stops the node.
    ///
    /// # Errors
    /// [`NodeError::Running`].
    pub fn stop(&mut self) -> Result<(), NodeError> {
        match self.ask(&Asked::Stop)? {
            Answer::Taken => Ok(()),
            _ => Err(self.odd()),
        }
    }

    /// Has a command proposed; the node computes it anew from the same file.
    ///
    /// # Errors
    /// [`NodeError::Running`] if the node is gone: whether it is recorded is not known then.
    pub fn propose(
        &mut self,
        command: &Command,
        file: Option<&[u8]>,
        until: Until,
    ) -> Result<Proposed, NodeError> {
        for piece in file.unwrap_or_default().chunks(CHUNK_SIZE_MAX) {
            match self.ask(&Asked::Put(piece.to_vec()))? {
                Answer::Taken => {}
                Answer::Failed(what) => return Ok(Proposed::Failed(what)),
                _ => return Err(self.odd()),
            }
        }
        match self.ask(&Asked::Propose(command.clone(), until))? {
            Answer::Proposed(proposed) => Ok(proposed),
            Answer::Failed(what) => Ok(Proposed::Failed(what)),
            _ => Err(self.odd()),
        }
    }

    /// Blocks from a height on, how many there are in all, and the newest head.
    ///
    /// # Errors
    /// [`NodeError::Running`].
    pub fn blocks(&mut self, from: u64) -> Result<(Vec<StoredBlock>, u64, String), NodeError> {
        match self.ask(&Asked::Blocks(from))? {
            Answer::Blocks(blocks, size, head) => {
                let blocks = blocks.into_iter().map(|(block, leaf)| StoredBlock { block, leaf });
                Ok((blocks.collect(), size, head))
            }
            Answer::Failed(what) => Err(NodeError::Running { party: self.party, what, is_quorum: false }),
            _ => Err(self.odd()),
        }
    }

    fn ask(&mut self, asked: &Asked) -> Result<Answer, NodeError> {
        let party = self.party;
        let answer = self.exchange(&asked.encode());
        let answer = answer.map_err(|error| NodeError::Running {
            party,
            what: format!("the node gives no answer: {error}"),
            is_quorum: false,
        })?;
        Answer::decode(&answer).map_err(|_| self.odd())
    }

    fn exchange(&mut self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        let size = u32::try_from(bytes.len()).map_err(std::io::Error::other)?;
        let frame = [&size.to_be_bytes()[..], bytes].concat();
        self.stream.write_all(&frame)?;
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let size = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if size > FRAME_SIZE_MAX {
            return Err(std::io::Error::other(format!("an answer of {size} bytes")));
        }
        let mut answer = vec![0; size];
        self.stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    fn odd(&self) -> NodeError {
        let what = "the node gives an answer to something else: is it of another version?".to_owned();
        NodeError::Running { party: self.party, what, is_quorum: false }
    }
}

/// Copies of running nodes, one of each whose folder is at hand.
pub struct RunningNodes {
    nodes: Vec<Node>,
    doors: Vec<Door>,
}

impl RunningNodes {
    /// Goes to the nodes that run on these data folders, and reads their chains.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn open(folders: &[(&Path, Party)], origin: &str, threads: &Threads) -> Result<Self, NodeError> {
        let mut running = Self { nodes: Vec::new(), doors: Vec::new() };
        for (data, party) in folders {
            running.doors.push(Door::open(data, *party)?);
            let folder = NodeFolder::below(data, *party);
            running.nodes.push(Node::view(folder, *party, origin, threads.clone())?);
        }
        running.refresh()?;
        Ok(running)
    }

    /// The nodes at hand.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The nodes at hand, to change them.
    pub fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    /// Takes what the nodes stored since.
    ///
    /// # Errors
    /// [`NodeError`].
    pub fn refresh(&mut self) -> Result<(), NodeError> {
        for (node, door) in self.nodes.iter_mut().zip(&mut self.doors) {
            loop {
                let (blocks, size, head) = door.blocks(node.member().size())?;
                for stored in &blocks {
                    node.follow(stored)?;
                }
                if node.member().size() >= size || blocks.is_empty() {
                    if size > 0 && node.member().size() == size && !head.is_empty() {
                        node.see_head(size, &head)?;
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    /// Has a command proposed by the node of `proposer`, and takes what it stored.
    ///
    /// # Errors
    /// [`NodeError`]; [`NodeError::Running`] if that party's node is not at hand, or too few others are there.
    pub fn propose(&mut self, proposer: Party, input: Input) -> Result<Outcome, NodeError> {
        let running = |what: String, is_quorum| NodeError::Running { party: proposer, what, is_quorum };
        let at = self.nodes.iter().position(|node| node.party() == proposer);
        let at = at
            .ok_or_else(|| running(format!("that is the {proposer}'s to propose, at its own node"), false))?;
        let computed: Computed = self.nodes[at].compute(input)?;
        let proposed = self.doors[at].propose(&computed.command, computed.file.as_deref(), Until::Sealed)?;
        match proposed {
            Proposed::Done { height, cosigners, findings, command } => {
                if command != computed.command {
                    let what =
                        "the node computed something else than its books give here: see what was recorded"
                            .to_owned();
                    return Err(running(what, false));
                }
                self.refresh_until(height.map_or(0, |height| height + 1))?;
                Ok(Outcome { computed, height, cosigners, findings })
            }
            Proposed::Failed(what) => Err(running(what, false)),
            Proposed::NoQuorum(what) => Err(running(what, true)),
        }
    }

    /// Takes what the nodes stored, and waits a little for those that are not as far yet: what is read next may be of them.
    fn refresh_until(&mut self, size: u64) -> Result<(), NodeError> {
        for _ in 0..100 {
            self.refresh()?;
            if self.nodes.iter().all(|node| node.member().size() >= size) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}
