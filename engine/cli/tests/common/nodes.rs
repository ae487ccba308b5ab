//! Three nodes as processes of the built binary, which tests stop, kill and start again.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tallywatt_core::agreement::Party;
use tallywatt_ingest::documents::parse_document;
use tallywatt_ledger::command::Command as ChainCommand;
use tallywatt_node::books::records::{document_bytes, publication_of};
use tallywatt_node::ledger_folder::Secrets;
use tallywatt_node::node::Node;
use tallywatt_node::node_folder::NodeFolder;
use tallywatt_node::running::founding::{Founding, NamedWitness, free_addresses};
use tallywatt_node::running::status::Status;
use tallywatt_node::running::view::{Door, Proposed, Until};
use tallywatt_node::store::StoredBlock;
use tallywatt_shards::threads::Threads;
use tempfile::TempDir;

use super::BINARY;

pub const ORIGIN: &str = "tallywatt.example/processes";
/// How long anything may take that should come soon: machines are busy.
pub const WAIT: Duration = Duration::from_secs(60);

/// A consortium of three processes.
pub struct Nodes {
    /// Where its data folders lie, and what removes it, if it is its own.
    folder: PathBuf,
    _own: Option<TempDir>,
    origin: String,
    pub addresses: [SocketAddr; 3],
    children: [Option<Child>; 3],
}

/// The place of a party among three.
pub fn at(party: Party) -> usize {
    usize::from(party.code()) - 1
}

impl Nodes {
    /// Founds a consortium; nothing runs yet.
    pub fn found() -> Self {
        Self::found_with(None)
    }

    /// The same, with a witness or none.
    pub fn found_with(witness: Option<NamedWitness<'_>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let addresses = free_addresses().unwrap();
        let (currency, secrets) = ("RUB".parse().unwrap(), Secrets::Demonstration(7));
        Founding { origin: ORIGIN, currency, secrets, addresses, heartbeat_ms: 150, witness }
            .make(folder.path())
            .unwrap();
        let (path, origin) = (folder.path().to_owned(), ORIGIN.to_owned());
        Self { folder: path, _own: Some(folder), origin, addresses, children: [None, None, None] }
    }

    /// A consortium whose data folders lie below another's folder; nothing runs yet.
    pub fn of(folder: &Path, origin: &str) -> Self {
        let (folder, origin) = (folder.to_owned(), origin.to_owned());
        let addresses = free_addresses().unwrap();
        Self { folder, _own: None, origin, addresses, children: [None, None, None] }
    }

    /// A consortium that runs and has its first block, signed by all.
    pub fn running() -> Self {
        let mut nodes = Self::found();
        nodes.start_all();
        nodes
    }

    /// Starts all three, and waits for the first block.
    pub fn start_all(&mut self) {
        for party in Party::ALL {
            self.start(party);
        }
        self.wait("the first block is sealed everywhere", |nodes| {
            Party::ALL.iter().all(|party| nodes.status(*party).is_some_and(|status| status.sealed_size > 0))
        });
    }

    /// Has a node that does not run look for a peer at another address.
    pub fn find_peer_at(&self, party: Party, peer: Party, address: SocketAddr) {
        let path = self.data(party).join("tallywatt.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let (old, new) = (self.addresses[at(peer)], format!("{peer} = \"{address}\""));
        let replaced = text.replace(&format!("{peer} = \"{old}\""), &new);
        assert!(replaced.contains(&new), "{text}");
        std::fs::write(path, replaced).unwrap();
    }

    pub fn data(&self, party: Party) -> PathBuf {
        self.folder.join(party.name())
    }

    pub fn start(&mut self, party: Party) {
        self.start_with(party, &[]);
    }

    /// Starts it with more words on its command line.
    pub fn start_with(&mut self, party: Party, words: &[&str]) {
        let mut command = Command::new(BINARY);
        command.arg("-C").arg(self.data(party)).args(words).arg("start");
        self.spawn(party, command);
    }

    /// Starts it with a desk at an address.
    pub fn start_with_desk(&mut self, party: Party, desk: SocketAddr) {
        let mut command = Command::new(BINARY);
        command.arg("-C").arg(self.data(party)).args(["start", "--desk", &desk.to_string()]);
        self.spawn(party, command);
    }

    /// Starts it in a shell that lets its process write no file past so many blocks of 512 bytes.
    pub fn start_with_files_below(&mut self, party: Party, block_count: u32) {
        let mut command = Command::new("sh");
        // The signal that comes with the limit is ignored: what is seen is the write that fails.
        let script = format!("trap '' XFSZ; ulimit -f {block_count}; exec \"$0\" -C \"$1\" start");
        command.arg("-c").arg(script).arg(BINARY).arg(self.data(party));
        self.spawn(party, command);
    }

    fn spawn(&mut self, party: Party, mut command: Command) {
        let log = File::options().create(true).append(true).open(self.data(party).join("node.log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let before = self.children[at(party)].replace(command.spawn().unwrap());
        assert!(before.is_none(), "{party} runs already");
    }

    /// Takes note that a process has ended by itself.
    pub fn forget(&mut self, party: Party) {
        let mut child = self.children[at(party)].take().expect("it ran");
        assert!(!child.wait().unwrap().success(), "{party} says that it failed\n{}", self.log(party));
    }

    /// Ends a process at once, as a power cut does.
    pub fn kill(&mut self, party: Party) {
        let mut child = self.children[at(party)].take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Stops a process as an operator does.
    pub fn stop(&mut self, party: Party) {
        let mut child = self.children[at(party)].take().expect("it runs");
        self.door(party).stop().unwrap();
        assert!(child.wait().unwrap().success(), "{party} stops well\n{}", self.log(party));
    }

    /// Whether the process of a party is still there.
    pub fn is_up(&mut self, party: Party) -> bool {
        self.children[at(party)].as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    pub fn log(&self, party: Party) -> String {
        std::fs::read_to_string(self.data(party).join("node.log")).unwrap_or_default()
    }

    pub fn door(&self, party: Party) -> Door {
        Door::open(&self.data(party), party).unwrap()
    }

    /// What a node says of itself; nothing if it is not there.
    pub fn status(&self, party: Party) -> Option<Status> {
        Door::open(&self.data(party), party).and_then(|mut door| door.status()).ok()
    }

    /// How many blocks a node has at this moment; its status may be a little older.
    pub fn size(&self, party: Party) -> u64 {
        self.door(party).blocks(u64::MAX).unwrap().1
    }

    /// Who leads, if two nodes say so.
    pub fn leader(&self) -> Option<Party> {
        let states: Vec<Status> = Party::ALL.iter().filter_map(|party| self.status(*party)).collect();
        let is_named = |party: &Party| {
            states.iter().filter(|state| state.leader.as_deref() == Some(party.name())).count() >= 2
        };
        Party::ALL.into_iter().find(is_named)
    }

    /// Looks again and again until something holds.
    pub fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            if begun.elapsed() > WAIT {
                let logs: Vec<String> =
                    Party::ALL.iter().map(|party| format!("--- {party}\n{}", self.log(*party))).collect();
                let states: Vec<_> = Party::ALL.iter().map(|party| self.status(*party)).collect();
                panic!("not within {WAIT:?}: {what}\n{states:#?}\n{}", logs.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until all three have `size` blocks, one root, and have signed it.
    pub fn wait_sealed(&self, size: u64) {
        self.wait(&format!("all three have sealed {size} blocks"), |nodes| {
            let states: Vec<Status> = Party::ALL.iter().filter_map(|party| nodes.status(*party)).collect();
            states.len() == 3
                && states.iter().all(|state| {
                    state.blocks >= size && state.sealed_size == state.blocks && state.root == states[0].root
                })
        });
    }

    /// Publishes a document at a party's node.
    pub fn publish(&self, party: Party, id: &str, until: Until) -> Proposed {
        propose(&mut self.door(party), id, until)
    }

    /// The blocks in the stores of nodes that do not run: each is opened, and so replayed and checked.
    pub fn stored(&self) -> [Vec<StoredBlock>; 3] {
        Party::ALL.map(|party| stored(&self.data(party), party, &self.origin))
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The blocks in the store of a node that does not run.
pub fn stored(data: &Path, party: Party, origin: &str) -> Vec<StoredBlock> {
    let folder = NodeFolder::below(data, party);
    let node = Node::open(folder, party, origin, Threads::new(1).unwrap()).unwrap();
    node.store().blocks().unwrap()
}

/// The first file below a folder in which these bytes occur.
pub fn is_below(folder: &Path, bytes: &[u8]) -> Option<PathBuf> {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = match path.is_dir() {
            true => is_below(&path, bytes),
            false => {
                let content = std::fs::read(&path).unwrap();
                content.windows(bytes.len()).any(|piece| piece == bytes).then_some(path)
            }
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// A small document of its own, and the command that publishes it.
pub fn document(id: &str) -> (ChainCommand, Vec<u8>) {
    let text = format!(
        "kind = \"tariff\"\nid = \"{id}\"\ntitle = \"Tariff {id}\"\ncurrency = \"RUB\"\n\
         valid_from = \"2010-01-01\"\nrounding = \"half-up\"\nround_each = \"bill\"\nsource = \"test\"\n\
         vat = {{ rate_percent = \"20\", included = true }}\n\
         zone = [{{ name = \"all\", windows = [\"00:00-24:00\"] }}]\nrange = [{{ price = {{ all = \"4.87\" }} }}]\n"
    );
    let bytes = document_bytes(&parse_document(id, &text).unwrap());
    (ChainCommand::Publish(publication_of(&bytes).unwrap()), bytes)
}

/// Publishes a document by an open door.
pub fn propose(door: &mut Door, id: &str, until: Until) -> Proposed {
    let (command, bytes) = document(id);
    door.propose(&command, Some(&bytes), until).unwrap_or_else(|error| Proposed::Failed(error.to_string()))
}
