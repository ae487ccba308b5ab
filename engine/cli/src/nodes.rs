//! `init --apart`, `start`, `stop`, `status`: nodes as processes of their own.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tallywatt_core::agreement::Party;
use tallywatt_core::tariff::Currency;
use tallywatt_ledger::attesters::{Attesters, CommandKind};
use tallywatt_ledger::key::{KeyKind, VerifierKey};
use tallywatt_node::ledger_folder::{HeldFolder, Secrets};
use tallywatt_node::running::founding::{self, Founding, NamedWitness};
use tallywatt_node::running::settings::{NodeSettings, check_address};
use tallywatt_node::running::view::Door;
use tallywatt_node::running::{self, RunError, Start};
use tallywatt_node::witness::WITNESS_NAME;

use crate::args::{Arguments, Init};
use crate::failure::{Failure, code};
use crate::open::{self, data_option, now_unix_s};
use crate::output::{Report, Table, word};

/// Milliseconds between the leader's signs of life, of nodes in one house.
const HEARTBEAT_MS: u64 = 150;
/// How long children may take until they are a consortium.
const CHILDREN_WAIT: Duration = Duration::from_secs(60);

/// How a node is started.
#[derive(Debug, Args)]
pub struct StartOptions {
    /// Also listen here for holders of granted keys, who ask for receipts and hand in readings (`tallywatt ask`). The
    /// connection is not encrypted: keep it in the house, or behind a proxy that speaks TLS.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub desk: Option<SocketAddr>,
}

/// Makes three data folders that know one another.
pub fn found(init: &Init, currency: Currency, arguments: &Arguments) -> Result<Report, Failure> {
    let port = |at: u16| {
        let port = init.port.checked_add(at).filter(|port| *port > 0);
        port.ok_or_else(|| Failure::usage(format!("no port {} + {at}", init.port), "name another --port"))
    };
    let addresses = [port(0)?, port(1)?, port(2)?].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let secrets = init.demonstration_keys.map_or(Secrets::Random, Secrets::Demonstration);
    let origin = init.origin.as_str();
    let witness = named_witness(init.witness.as_deref(), init.witness_address.as_deref())?;
    Founding { origin, currency, secrets, addresses, heartbeat_ms: HEARTBEAT_MS, witness }
        .make(&arguments.data)?;
    let mut report = Report::default();
    report.fact("origin", origin).fact("recomputed by", Attesters::default().words());
    if let Some(NamedWitness { address, .. }) = witness {
        report.fact("witness", address);
        report.notes.push(format!(
            "the witness is given {}, and nothing else of these folders",
            arguments.data.join(Party::Grid.name()).join(founding::GENESIS_NAME).display()
        ));
    }
    let mut table = Table::new(&["node", "data folder", "listens on"]);
    for (party, address) in Party::ALL.into_iter().zip(addresses) {
        let folder = arguments.data.join(party.name());
        table.row(vec![json!(party.name()), json!(folder.display().to_string()), json!(address.to_string())]);
        report.then(format!("tallywatt -C {} start &", word(&folder)));
    }
    report.table = Some(table);
    report.then(format!("tallywatt -C {} status", word(&arguments.data.join(Party::Grid.name()))));
    report.notes.push(
        "all secrets were made in one place: for a pilot in one house; `init --party` and `join` make them apart"
            .into(),
    );
    Ok(report)
}

/// How far a test has this process's clock ahead, seconds.
static CLOCK_OFFSET_S: AtomicI64 = AtomicI64::new(0);

fn clock() -> u64 {
    now_unix_s().saturating_add_signed(CLOCK_OFFSET_S.load(Ordering::Relaxed))
}

/// The witness that is named on the command line, if its key and address are such.
pub fn named_witness<'a>(
    key: Option<&'a str>,
    address: Option<&'a str>,
) -> Result<Option<NamedWitness<'a>>, Failure> {
    let (Some(key), Some(address)) = (key, address) else { return Ok(None) };
    let fail = |option, problem: String| {
        Failure::usage(format!("{option}: {problem}"), "`tallywatt witness init` prints the key")
    };
    let parsed = VerifierKey::parse(key).map_err(|error| fail("--witness", error.to_string()))?;
    if parsed.kind() != KeyKind::Cosigner {
        return Err(fail("--witness", format!("{} is no cosigner's key", parsed.key())));
    }
    check_address(address).map_err(|problem| fail("--witness-address", problem))?;
    Ok(Some(NamedWitness { key, address }))
}

/// Runs the node of the data folder until it is stopped.
pub fn start(options: &StartOptions, arguments: &Arguments) -> Result<Report, Failure> {
    let folder = HeldFolder::hold(&arguments.data)?;
    let settings = settings(&folder)?;
    let threads = folder.config().pool(arguments.threads)?;
    let lie = open::liar(arguments)?.filter(|(party, _)| *party == settings.party).map(|(_, lie)| lie);
    CLOCK_OFFSET_S.store(arguments.clock_offset, Ordering::Relaxed);
    let start = Start {
        data: folder.path(),
        origin: &folder.config().origin,
        settings: &settings,
        genesis: folder.genesis()?,
        threads,
        desk: options.desk,
        lie,
        clock,
        log,
    };
    running::run(&start).map_err(failure)?;
    let mut report = Report::default();
    report.fact("node", settings.party.name()).fact("status", "stopped");
    Ok(report)
}

fn failure(error: RunError) -> Failure {
    match error {
        RunError::Node(error) => error.into(),
        RunError::Tls(error) => {
            Failure::with_code(code::KEY, error, "restore the file from where the certificates are kept")
        }
        RunError::System { .. } => Failure::usage(error, "mend the cause, then start it again"),
        other => Failure::with_code(code::NO, other, "`tallywatt status` of the others says what they hold"),
    }
}

/// Lines for people, on stderr with the time in front. Where nobody listens any more the node goes on.
pub fn log(line: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "{} {line}", now_unix_s());
}

/// Whose node a folder holds, and where the others are.
pub fn settings(folder: &HeldFolder) -> Result<NodeSettings, Failure> {
    folder.config().settings().ok_or_else(|| {
        let what = format!("{} holds three nodes in one, which need no start", folder.path().display());
        Failure::usage(what, "make nodes of their own with `tallywatt -C FOLDER init --apart`")
    })
}

fn door(arguments: &Arguments) -> Result<Door, Failure> {
    let folder = HeldFolder::hold_for_command(&arguments.data)?;
    Ok(Door::open(folder.path(), settings(&folder)?.party)?)
}

/// Stops the node of the data folder.
pub fn stop(arguments: &Arguments) -> Result<Report, Failure> {
    door(arguments)?.stop()?;
    let mut report = Report::default();
    report.fact("status", "asked to stop");
    report.then(format!("tallywatt{} start", data_option(arguments)));
    Ok(report)
}

/// How the node of the data folder is.
pub fn status(arguments: &Arguments) -> Result<Report, Failure> {
    let status = door(arguments)?.status()?;
    let folder = HeldFolder::hold_for_command(&arguments.data)?;
    let (attesters, party) = (folder.genesis()?.attesters, settings(&folder)?.party);
    let mut report = Report::default();
    report.fact("node", status.party).fact("blocks", status.blocks).fact("root", status.root);
    report.fact("signed", status.signed).fact("final", status.final_size).fact("sealed", status.sealed_size);
    report.fact("leader", status.leader.unwrap_or_else(|| "nobody".to_owned()));
    report.fact("term", status.term).fact("applied", status.applied);
    let recomputes = CommandKind::ALL.into_iter().filter(|kind| attesters.of(*kind).contains(party));
    let names = |kinds: &mut dyn Iterator<Item = CommandKind>| {
        kinds.map(CommandKind::name).collect::<Vec<_>>().join(", ")
    };
    report.fact("recomputes", names(&mut recomputes.into_iter()));
    report.fact("keeps no", names(&mut attesters.kept_from(party)));
    report.fact("keys", status.keys);
    report.fact(
        "state",
        match (&status.frozen, status.is_keyless) {
            (Some(_), _) => "frozen",
            (None, true) => "without keys",
            (None, false) => "signing",
        },
    );
    if status.is_keyless {
        report
            .notes
            .push("it signs nothing: none of its key sets is in force, see `tallywatt keys list`".into());
    }
    let mut table = Table::new(&["peer", "state", "signed"]);
    for (peer, seen) in &status.peers {
        let state = if seen.is_up { "there" } else { "away" };
        table.row(vec![json!(peer), json!(state), json!(seen.signed)]);
    }
    if let Some(witness) = &status.witness {
        let state = if witness.problem.is_some() { "not signing" } else { "there" };
        table.row(vec![json!(WITNESS_NAME), json!(state), json!(witness.signed)]);
        report
            .notes
            .extend(witness.problem.iter().map(|problem| format!("the witness does not sign: {problem}")));
    }
    report.table = Some(table);
    report.notes.extend(status.frozen.map(|reason| format!("it signs nothing any more: {reason}")));
    report.notes.extend(status.findings);
    report.then(format!("tallywatt{} chain log", data_option(arguments)));
    Ok(report)
}

/// Three nodes as children of this process, stopped when it is done with them.
pub struct Children {
    folder: PathBuf,
    liar: Option<Party>,
    children: BTreeMap<Party, Child>,
}

impl Children {
    /// Founds a consortium below `folder`, starts its nodes on free ports of the loopback, and waits for the first block.
    pub fn start(
        folder: &Path,
        origin: &str,
        currency: Currency,
        secrets: Secrets,
        liar: Option<Party>,
    ) -> Result<Self, Failure> {
        let fail =
            |error: std::io::Error| Failure::usage(format!("cannot start a node: {error}"), "run it again");
        let addresses = founding::free_addresses().map_err(fail)?;
        Founding { origin, currency, secrets, addresses, heartbeat_ms: HEARTBEAT_MS, witness: None }
            .make(folder)?;
        let mut started = Self { folder: folder.to_owned(), liar, children: BTreeMap::new() };
        for party in Party::ALL {
            started.start_one(party)?;
        }
        started.wait()?;
        Ok(started)
    }

    /// Starts the node of a party that does not run.
    pub fn start_one(&mut self, party: Party) -> Result<(), Failure> {
        let fail =
            |error: std::io::Error| Failure::usage(format!("cannot start a node: {error}"), "run it again");
        let data = self.folder.join(party.name());
        let log_path = data.join("node.log");
        let log = std::fs::File::options().create(true).append(true).open(&log_path);
        let log = log.map_err(|error| Failure::file("write", &log_path, &error))?;
        let mut command = Command::new(std::env::current_exe().map_err(fail)?);
        if self.liar == Some(party) {
            command.args(["--liar", party.name()]);
        }
        command.arg("-C").arg(&data).arg("start").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.children.insert(party, command.spawn().map_err(fail)?);
        Ok(())
    }

    /// Ends the node of a party at once, as a power cut does.
    pub fn kill_one(&mut self, party: Party) {
        let Some(mut child) = self.children.remove(&party) else { return };
        // One that has ended already is what is wanted.
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Stops the node of a party, and waits until it has ended.
    pub fn stop_one(&mut self, party: Party) {
        let Some(mut child) = self.children.remove(&party) else { return };
        let asked = Door::open(&self.folder.join(party.name()), party).and_then(|mut door| door.stop());
        // One that cannot be asked is ended: it is made for that.
        if asked.is_err() {
            let _ = child.kill();
        }
        let _ = child.wait();
    }

    fn wait(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        for party in Party::ALL {
            let data = self.folder.join(party.name());
            while !Door::open(&data, party)
                .and_then(|mut door| door.status())
                .is_ok_and(|status| status.sealed_size > 0)
            {
                if begun.elapsed() > CHILDREN_WAIT {
                    let what = format!(
                        "the nodes do not come to a first block within {} s",
                        CHILDREN_WAIT.as_secs()
                    );
                    return Err(Failure::with_code(
                        code::NO_QUORUM,
                        what,
                        format!("see {}", data.join("node.log").display()),
                    ));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    /// The data folders, by party.
    pub fn folders(&self) -> Vec<(PathBuf, Party)> {
        Party::ALL.into_iter().map(|party| (self.folder.join(party.name()), party)).collect()
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for party in Party::ALL {
            self.stop_one(party);
        }
    }
}
