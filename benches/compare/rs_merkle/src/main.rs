//! `rs_merkle` over SHA-256 on one core, spoken to as every worker is: a task a line in, a line of JSON out.
//!
//! Leaf `i` of 200 bytes is 25 little-endian words, `scramble(25 · i + j)`; leaf `scramble(k) mod count` is the `k`-th proved.
//! `leaf_sum`, the sum of all words, says that two workers hashed the same leaves, whatever their roots.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rs_merkle::algorithms::Sha256;
use rs_merkle::{Hasher, MerkleProof, MerkleTree};

const LEAF_WORDS: u64 = 25;
const LEAF_SIZE: usize = 200;
const PROOF_COUNT: u64 = 20_000;
const LEAF_COUNT: u64 = 1_000_000;

fn main() -> ExitCode {
    let leaf_count = match leaf_count(std::env::args().skip(1)) {
        Ok(count) => count,
        Err(fault) => {
            eprintln!("{fault}");
            return ExitCode::from(2);
        }
    };
    let bench = Bench::new(leaf_count);
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let answer = bench.answer(line.trim());
        if writeln!(io::stdout(), "{answer}").is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

/// Reads `[--leaves COUNT]`; the options that other workers need are passed over.
fn leaf_count(mut arguments: impl Iterator<Item = String>) -> Result<u64, String> {
    let mut count = LEAF_COUNT;
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--leaves" => count = value.parse().map_err(|_| format!("--leaves {value}: not a number"))?,
            "--dir" | "--threads" => {}
            _ => return Err(format!("unknown option {option}")),
        }
    }
    if count == 0 { Err("--leaves 0: at least 1".to_owned()) } else { Ok(count) }
}

/// The leaves, and the tree over them once, so that proofs are timed alone.
struct Bench {
    leaves: Vec<u8>,
    leaf_count: u64,
    leaf_sum: u64,
    tree: MerkleTree<Sha256>,
    proved: Vec<usize>,
}

impl Bench {
    fn new(leaf_count: u64) -> Self {
        let words = (0..leaf_count * LEAF_WORDS).map(scramble);
        let leaves: Vec<u8> = words.clone().flat_map(u64::to_le_bytes).collect();
        let tree = build(&leaves);
        let proved = (0..PROOF_COUNT)
            .map(|index| usize::try_from(scramble(index) % leaf_count).expect("an index of a leaf in memory"))
            .collect();
        Self { leaf_sum: words.fold(0, u64::wrapping_add), leaves, leaf_count, tree, proved }
    }

    fn answer(&self, task: &str) -> String {
        let (took, proofs) = match task {
            "hello" => {
                return r#"{"name": "rs_merkle", "version": "1.5.0 (SHA-256)", "tasks": ["merkle-build", "merkle-prove", "merkle-verify"]}"#.to_owned();
            }
            "merkle-build" => (self.build(), 0),
            "merkle-prove" => (self.prove(), PROOF_COUNT),
            "merkle-verify" => (self.verify(), PROOF_COUNT),
            _ => return format!(r#"{{"task": {task:?}, "unsupported": true}}"#),
        };
        format!(
            r#"{{"task": "{task}", "seconds": {}, "leaves": {}, "leaf_sum": {}, "proofs": {proofs}, "rss_mib": {}}}"#,
            took.as_secs_f64(),
            self.leaf_count,
            self.leaf_sum,
            peak_memory_mib(),
        )
    }

    /// Hashes every leaf and builds the tree over them.
    fn build(&self) -> Duration {
        let start = Instant::now();
        let tree = build(&self.leaves);
        let took = start.elapsed();
        assert_eq!(tree.root(), self.tree.root(), "the same leaves give the same root");
        took
    }

    fn prove(&self) -> Duration {
        let start = Instant::now();
        let proofs = self.proofs();
        let took = start.elapsed();
        assert_eq!(proofs.len(), self.proved.len());
        took
    }

    /// Hashes each proved leaf and checks its proof against the root.
    fn verify(&self) -> Duration {
        let proofs = self.proofs();
        let root = self.tree.root().expect("a tree with at least one leaf");
        let start = Instant::now();
        let valid = self.proved.iter().zip(&proofs).filter(|&(&index, proof)| {
            let leaf = &self.leaves[index * LEAF_SIZE..][..LEAF_SIZE];
            proof.verify(root, &[index], &[Sha256::hash(leaf)], self.tree.leaves_len())
        });
        let valid = valid.count();
        let took = start.elapsed();
        assert_eq!(valid, self.proved.len(), "every proof holds");
        took
    }

    fn proofs(&self) -> Vec<MerkleProof<Sha256>> {
        self.proved.iter().map(|&index| self.tree.proof(&[index])).collect()
    }
}

fn build(leaves: &[u8]) -> MerkleTree<Sha256> {
    let hashes: Vec<[u8; 32]> = leaves.chunks_exact(LEAF_SIZE).map(Sha256::hash).collect();
    let tree = MerkleTree::from_leaves(&hashes);
    assert!(tree.root().is_some(), "a tree with at least one leaf has a root");
    tree
}

/// The finaliser of splitmix64.
fn scramble(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The largest memory this process has held, or 0 where the kernel does not say.
fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
