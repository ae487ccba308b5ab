//! Evidence of a wrong result: who is contradicted, who is not, and that no byte of it may be another.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]

use tallywatt_core::agreement::Party;
use tallywatt_core::hash::ContentHash;
use tallywatt_core::money::{ExactAmount, Money};
use tallywatt_ledger::attesters::Attesters;
use tallywatt_ledger::block::{Attestation, Block, LogLeaf, OtherResult, Proposal, dissent_text};
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::{BillsCommit, Command, Genesis, PartyKeys, SettlementCommit};
use tallywatt_ledger::key::{Cosigner, LogSigner};
use tallywatt_ledger::log::{Log, LogHash};
use tallywatt_ledger::note::Note;
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::tlog_proof::TlogProof;
use tallywatt_ledger::tree::Root;
use tallywatt_ledger::wrong_result::{
    Dispute, Judgement, WRONG_RESULT_SIZE_MAX, WrongResult, WrongResultError,
};

const ORIGIN: &str = "tallywatt.example/region-66";
const GRID: Party = Party::Grid;
const BANK: Party = Party::Bank;
const SUPPLIER: Party = Party::Supplier;

fn log(party: Party) -> LogSigner {
    LogSigner::from_seed(ORIGIN, &[party.code(); 32]).unwrap()
}

fn witness(party: Party) -> Cosigner {
    Cosigner::from_seed(&format!("{party}.example"), &[party.code() + 16; 32]).unwrap()
}

fn exec(party: Party) -> LogSigner {
    LogSigner::from_seed(&format!("{party}.example/exec"), &[party.code() + 32; 32]).unwrap()
}

fn policy() -> Policy {
    let logs = Party::ALL.map(|party| log(party).verifier_key().clone());
    let witnesses = Party::ALL.map(|party| (party.name().to_owned(), witness(party).verifier_key().clone()));
    Policy::parties(&logs, &witnesses, 3).unwrap()
}

fn genesis() -> Block {
    let parties = Party::ALL.map(|party| PartyKeys {
        log: log(party).verifier_key().to_string(),
        witness: witness(party).verifier_key().to_string(),
        exec: exec(party).verifier_key().to_string(),
    });
    let (currency, attesters) = ("RUB".parse().unwrap(), Attesters::default());
    let (origin, tzdb) = (ORIGIN.to_owned(), "2026a".to_owned());
    let genesis = Genesis { origin, currency, tzdb, parties, witness: None, attesters };
    let none = ContentHash::default();
    let proposal = Proposal {
        chain: none,
        parent: none,
        proposer: GRID,
        number: 1,
        time_unix_s: 1_774_000_000,
        command: Command::Genesis(Box::new(genesis)),
    };
    Block { height: 0, proposal, attestations: Vec::new() }
}

fn leaf(genesis: &Block) -> LogLeaf {
    let parent = LogHash::from_bytes([0; 32]);
    LogLeaf { height: 0, block: genesis.hash(), parent, state: ContentHash([1; 32]) }
}

/// Of a log of two blocks.
fn proof(leaf: &LogLeaf) -> TlogProof {
    let mut log_of_two = Log::new();
    log_of_two.append(leaf.hash()).unwrap();
    log_of_two.append(LogHash::from_bytes([7; 32])).unwrap();
    let text = Checkpoint::new(ORIGIN, 2, log_of_two.root()).unwrap().to_text();
    let mut lines = vec![log(GRID).sign(&text).unwrap()];
    lines.extend(Party::ALL.map(|party| witness(party).sign_cosignature(&text, 1_795_000_000).unwrap()));
    let path = log_of_two.prove_inclusion(0, 2).unwrap();
    TlogProof::new(None, 0, path, Note::new(&text, lines).unwrap()).unwrap()
}

/// A settlement of nothing, from this file.
fn settlement(paid: u8, file: u8) -> Command {
    Command::Settlement(SettlementCommit {
        sequence: 1,
        file: ContentHash([file; 32]),
        payments: Root { hash: ContentHash([paid; 32]), count: 1 },
        paid: Money::ZERO,
        reversed: Money::ZERO,
        credited: Money::ZERO,
        legs: Vec::new(),
        back: Vec::new(),
        running: Vec::new(),
    })
}

fn bills(total: i64) -> Command {
    let root = Root { hash: ContentHash([3; 32]), count: 2 };
    Command::Bills(BillsCommit {
        period: "2026-03".parse().unwrap(),
        readings: root,
        contracts: root,
        bills: root,
        file: ContentHash([4; 32]),
        energy_wh: 1,
        total: Money::from_minor(total),
        payee_part: ExactAmount::from_e11(5),
    })
}

fn proposal(proposer: Party, command: Command) -> Proposal {
    let (chain, parent) = (genesis().hash(), ContentHash([9; 32]));
    Proposal { chain, parent, proposer, number: 4, time_unix_s: 1_774_000_100, command }
}

fn signature(party: Party, text: &str) -> [u8; 64] {
    exec(party).sign(text).unwrap().signature().try_into().unwrap()
}

fn attest(party: Party, proposal: &Proposal) -> Attestation {
    Attestation { party, signature: signature(party, &proposal.attest_text()) }
}

fn dissent(
    party: Party,
    proposal: &Proposal,
    input: Option<ContentHash>,
    command: &Command,
) -> (Party, OtherResult) {
    let signature = signature(party, &dissent_text(&proposal.id(), input, command));
    (party, OtherResult { input, command: command.clone(), signature })
}

fn evidence(dispute: Dispute) -> WrongResult {
    let genesis = genesis();
    let leaf = leaf(&genesis);
    let proof = proof(&leaf);
    WrongResult::new(genesis, leaf, dispute, proof)
}

/// Who attested, and who computed what from which file, of the bank's settlement 5 of file 6; then what it comes to.
type Row = (&'static [Party], &'static [(Party, u8, u8)], Judgement);

#[test]
fn whoever_two_contradict_is_named() {
    let table: [Row; 8] = [
        (&[BANK], &[(GRID, 1, 6), (SUPPLIER, 1, 6)], Judgement::Contradicted(BANK)),
        // Both were given another file than it names: by the bank, since nobody else gave them any.
        (&[BANK], &[(GRID, 1, 7), (SUPPLIER, 1, 7)], Judgement::Contradicted(BANK)),
        (&[GRID, BANK], &[(SUPPLIER, 1, 6)], Judgement::Contradicted(SUPPLIER)),
        (&[BANK, SUPPLIER], &[(GRID, 1, 6)], Judgement::Contradicted(GRID)),
        // It may have been given another file, and is then as honest as the two.
        (&[BANK, SUPPLIER], &[(GRID, 1, 7)], Judgement::OtherFile),
        (&[BANK], &[(GRID, 1, 6)], Judgement::Open),
        (&[BANK], &[(GRID, 1, 6), (SUPPLIER, 2, 6)], Judgement::Open),
        (&[BANK], &[(GRID, 1, 7)], Judgement::OtherFile),
    ];
    let file = |file| Some(ContentHash([file; 32]));
    for (attesting, others, want) in table {
        let proposal = proposal(BANK, settlement(5, 6));
        let attestations = attesting.iter().map(|party| attest(*party, &proposal)).collect();
        let others = others
            .iter()
            .map(|(party, paid, input)| dissent(*party, &proposal, file(*input), &settlement(*paid, 8)));
        let dispute = Dispute::new(proposal.clone(), attestations, others.collect()).unwrap();
        let text = evidence(dispute.clone()).encode();
        assert!(text.len() <= WRONG_RESULT_SIZE_MAX);
        let read = WrongResult::parse(text.as_bytes()).unwrap();
        assert_eq!(read.encode(), text);
        let shown = read.check(&policy()).unwrap();
        assert_eq!((shown.dispute, shown.judgement), (&dispute, want), "{attesting:?}");
        assert_eq!(shown.verdict.checkpoint.origin(), ORIGIN);
    }
}

/// Bills have no file that anybody gives; two recompute them, and it is one against one.
#[test]
fn one_against_one_convicts_nobody() {
    let proposal = proposal(SUPPLIER, bills(100));
    let own = vec![attest(SUPPLIER, &proposal)];
    let other = vec![dissent(GRID, &proposal, None, &bills(101))];
    let dispute = Dispute::new(proposal.clone(), own.clone(), other).unwrap();
    assert_eq!(evidence(dispute).check(&policy()).unwrap().judgement, Judgement::Open);
    // The bank recomputes no bill: its word does not make them two.
    for others in [vec![GRID, BANK], vec![BANK]] {
        let others = others.into_iter().map(|party| dissent(party, &proposal, None, &bills(101)));
        let mut others: Vec<_> = others.collect();
        others.sort_by_key(|(party, _)| *party);
        let dispute = Dispute::new(proposal.clone(), own.clone(), others).unwrap();
        let refused = evidence(dispute).check(&policy()).unwrap_err();
        assert_eq!(refused, WrongResultError::NotAsked { party: BANK, command: "bills" });
    }
}

#[test]
fn statements_that_are_no_dispute_are_refused() {
    let proposed = proposal(BANK, settlement(5, 6));
    let own = || attest(BANK, &proposed);
    let other = |party, paid| dissent(party, &proposed, None, &settlement(paid, 8));
    let refused = |attestations, others| Dispute::new(proposed.clone(), attestations, others).unwrap_err();
    assert_eq!(
        refused(vec![attest(GRID, &proposed)], vec![other(SUPPLIER, 1)]),
        WrongResultError::Unsigned(BANK)
    );
    let statements = [
        (vec![own()], vec![]),
        (vec![own(), own()], vec![other(GRID, 1)]),
        (vec![own(), attest(GRID, &proposed)], vec![other(SUPPLIER, 1)]),
        (vec![own()], vec![other(GRID, 1), other(GRID, 2)]),
        (vec![own()], vec![other(SUPPLIER, 1), other(GRID, 1)]),
        (vec![own()], vec![other(BANK, 1)]),
        (vec![attest(GRID, &proposed), own()], vec![other(GRID, 1)]),
    ];
    for (attestations, others) in statements {
        assert_eq!(refused(attestations, others), WrongResultError::Statements);
    }
    let equal = dissent(GRID, &proposed, None, &proposed.command);
    assert_eq!(refused(vec![own()], vec![equal]), WrongResultError::Same(GRID), "it says what was proposed");
    let of_bills = dissent(GRID, &proposed, None, &bills(1));
    assert_eq!(refused(vec![own()], vec![of_bills]), WrongResultError::Same(GRID), "it speaks of bills");
}

/// Each statement in the place of another's, of another proposal, of another chain or log.
#[test]
fn nothing_counts_that_was_not_signed_of_this_proposal() {
    let proposed = proposal(BANK, settlement(5, 6));
    let file = Some(ContentHash([6; 32]));
    let others = |of: &Proposal| {
        vec![dissent(GRID, of, file, &settlement(1, 8)), dissent(SUPPLIER, of, file, &settlement(1, 8))]
    };
    let own = || vec![attest(BANK, &proposed)];
    let checked = |attestations, others| {
        let dispute = Dispute::new(proposed.clone(), attestations, others).unwrap();
        evidence(dispute).check(&policy()).map(|shown| shown.judgement)
    };
    assert_eq!(checked(own(), others(&proposed)), Ok(Judgement::Contradicted(BANK)));
    // Of a proposal in the same place, that differs in the parent, the number, the time, or what is proposed.
    let edits: [fn(&mut Proposal); 5] = [
        |other| other.parent = ContentHash([8; 32]),
        |other| other.chain = ContentHash([8; 32]),
        |other| other.number += 1,
        |other| other.time_unix_s += 1,
        |other| other.command = settlement(4, 6),
    ];
    for edit in edits {
        let mut other = proposed.clone();
        edit(&mut other);
        assert_eq!(checked(own(), others(&other)), Err(WrongResultError::Signature(GRID)));
        assert_eq!(
            checked(vec![attest(BANK, &other)], others(&proposed)),
            Err(WrongResultError::Signature(BANK))
        );
        // An attestation of the same result, of a proposal of its own, is no dissent.
        let mut taken = others(&proposed);
        taken[1].1.signature = attest(SUPPLIER, &other).signature;
        assert_eq!(checked(own(), taken), Err(WrongResultError::Signature(SUPPLIER)));
    }
    let mut swapped = others(&proposed);
    swapped[0].1.signature = swapped[1].1.signature;
    assert_eq!(checked(own(), swapped), Err(WrongResultError::Signature(GRID)));
    let mut elsewhere = others(&proposed);
    elsewhere[1].1.input = None;
    assert_eq!(checked(own(), elsewhere), Err(WrongResultError::Signature(SUPPLIER)));
    let mut changed = others(&proposed);
    changed[0].1.command = settlement(2, 8);
    assert_eq!(checked(own(), changed), Err(WrongResultError::Signature(GRID)));

    // Of another chain: all signed, but not by parties of the log that the policy knows.
    let mut foreign = proposed.clone();
    foreign.chain = ContentHash([8; 32]);
    let dispute = Dispute::new(foreign.clone(), vec![attest(BANK, &foreign)], others(&foreign)).unwrap();
    assert_eq!(evidence(dispute.clone()).check(&policy()).unwrap_err(), WrongResultError::Genesis);
    // A genesis with other keys, which the log does not hold.
    let mut other = genesis();
    other.proposal.time_unix_s += 1;
    let held = leaf(&genesis());
    let made_up = WrongResult::new(other.clone(), held, dispute.clone(), proof(&held));
    assert_eq!(made_up.check(&policy()).unwrap_err(), WrongResultError::Genesis);
    let unlogged = WrongResult::new(other.clone(), leaf(&other), dispute, proof(&held));
    assert!(matches!(unlogged.check(&policy()), Err(WrongResultError::Proof(_))));
}

#[test]
fn no_other_byte_convicts() {
    let proposed = proposal(BANK, settlement(5, 6));
    let file = Some(ContentHash([6; 32]));
    let other = |party| dissent(party, &proposed, file, &settlement(1, 8));
    let (attestations, others) = (vec![attest(BANK, &proposed)], vec![other(GRID), other(SUPPLIER)]);
    let dispute = Dispute::new(proposed.clone(), attestations, others).unwrap();
    let text = evidence(dispute).encode().into_bytes();
    let policy = policy();
    let convicts =
        |bytes: &[u8]| WrongResult::parse(bytes).is_ok_and(|evidence| evidence.check(&policy).is_ok());
    assert!(convicts(&text));
    for at in 0..text.len() {
        for mask in [1, 32] {
            let mut bent = text.clone();
            bent[at] ^= mask;
            assert!(!convicts(&bent), "byte {at} ^ {mask}");
        }
    }
    for at in (0..text.len()).step_by(17) {
        assert!(!convicts(&text[..at]), "cut to {at}");
    }
    assert!(!convicts(&[&text[..], b"\n"].concat()));
    let endless = WrongResult::parse(&vec![b'x'; WRONG_RESULT_SIZE_MAX + 1]);
    assert!(matches!(endless, Err(WrongResultError::TooLong { .. })), "{endless:?}");
}
