//! A small real ledger in memory: three parties, four households, one month, and receipts from it.
//!
//! ```text
//! block 0 genesis   1, 2 tariff versions   3 agreement   4 activation   5 contracts   6 batch   7 period   8 bills
//! 9 contracts
//! ```

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may unwrap as tests do")]
#![allow(dead_code, reason = "each test file uses its part of the town")]

pub mod corrected;
mod motions;

use tallywatt_core::agreement::{Agreement, Party, SplitRule};
use tallywatt_core::bill::Bill;
use tallywatt_core::calendar::{Day, Period, Zone, tzdb_version};
use tallywatt_core::contract::{Contract, in_order};
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::hash::{ContentHash, Published};
use tallywatt_core::market::MarketBook;
use tallywatt_core::money::{ExactAmount, PricePerKwh, Rounding};
use tallywatt_core::payment_terms::PaymentTerms;
use tallywatt_core::price_series::{PriceSeries, PriceSeriesParts, series_grid};
use tallywatt_core::quality::Quality;
use tallywatt_core::rate::{BillInputs, bill};
use tallywatt_core::reading::Source;
use tallywatt_core::register::Register;
use tallywatt_core::tariff::{
    DayKind, FixedCharges, MonthSet, Range, RangeRule, RoundEach, SeriesPrice, Tariff, TariffBook,
    TariffParts, TariffZone, Vat, Window,
};
use tallywatt_core::validity::Validity;
use tallywatt_ledger::activation::{Activation, consent_text};
use tallywatt_ledger::agreement_bytes::{encode_agreement, publish_agreement};
use tallywatt_ledger::attesters::Attesters;
use tallywatt_ledger::bill_bytes::encode_bill;
use tallywatt_ledger::blinding::BlindingSecret;
use tallywatt_ledger::block::{Attestation, Block, LogLeaf, Proposal};
use tallywatt_ledger::checkpoint::Checkpoint;
use tallywatt_ledger::command::{
    BatchCommit, BillsCommit, Command, DocumentKind, Genesis, PartyKeys, PeriodCommit, Publication,
};
use tallywatt_ledger::day_leaf::DayLeaf;
use tallywatt_ledger::digest::content_hash;
use tallywatt_ledger::document::{contracts_tree, encode_contract};
use tallywatt_ledger::governance::Governance;
use tallywatt_ledger::key::{Cosigner, LogSigner};
use tallywatt_ledger::log::{Log, LogHash};
use tallywatt_ledger::note::Note;
use tallywatt_ledger::policy::Policy;
use tallywatt_ledger::price_series_bytes::{encode_price_series, publish_price_series};
use tallywatt_ledger::receipt::{
    BillPart, LoggedBlock, Placed, PlacedBlock, PlacedPartition, Receipt, Subject,
};
use tallywatt_ledger::seal::{LeafProof, SealKind, SealedTree, partition_of};
use tallywatt_ledger::tariff_bytes::{encode_tariff, publish_tariff};
use tallywatt_ledger::tlog_proof::TlogProof;
use tallywatt_ledger::tree::{Tree, TreeKind};

pub const ORIGIN: &str = "tallywatt.example/region-66";
pub const BILLS_HEIGHT: usize = 8;
pub const ACTIVATION_HEIGHT: usize = 4;
/// Of the first series, where there are any; what comes after is as many blocks higher.
pub const SERIES_HEIGHT: usize = 5;
const BATCH_HEIGHT: usize = 6;

/// What may differ from town to town.
pub struct Plan {
    pub origin: &'static str,
    pub tzdb: String,
    pub attesters: Vec<Party>,
    pub edit_genesis: fn(&mut Genesis),
    /// Changes what is proposed at a height, before the parties sign it.
    pub edit_proposal: fn(u64, &mut Proposal),
    /// Changes a block after the parties signed what it proposes.
    pub edit_block: fn(&mut Block),
    /// The first block that may follow the agreement, as both parties sign it.
    pub active_from: u64,
    /// Changes the agreement's activation before it is proposed.
    pub edit_activation: fn(&mut Activation),
    pub agreement_from: &'static str,
    /// How many months after its month a bill may be raised.
    pub back_billing_months: Option<u8>,
    /// The agreement that the contracts name.
    pub contract_agreement: &'static str,
    /// Changes bills after they were computed and before they are sealed.
    pub edit_bill: fn(&mut Bill),
    /// Whether the newer tariff version prices its nights by a series.
    pub is_hourly: bool,
    /// A party whose keys change by a motion in front of the contracts, from the block after it on.
    pub rotates: Option<Party>,
    /// Changes a motion before it is proposed.
    pub edit_motion: fn(&mut Governance),
    /// Parties that attest with their first keys whatever the motions say.
    pub is_stubborn: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            origin: ORIGIN,
            tzdb: tzdb_version().to_owned(),
            attesters: Party::ALL.to_vec(),
            edit_genesis: |_| {},
            edit_proposal: |_, _| {},
            edit_block: |_| {},
            active_from: 0,
            edit_activation: |_| {},
            agreement_from: "2026-01-01",
            back_billing_months: None,
            contract_agreement: "grid-2026",
            edit_bill: |_| {},
            is_hourly: false,
            rotates: None,
            edit_motion: |_| {},
            is_stubborn: false,
        }
    }
}

pub struct Town {
    plan: Plan,
    pub blocks: Vec<(Block, LogLeaf)>,
    pub log: Log,
    pub tariffs: Vec<Published<Tariff>>,
    /// Published series; bills use the first.
    pub market: Vec<Published<PriceSeries>>,
    pub agreement: Published<Agreement>,
    pub contracts: Vec<Contract>,
    pub bills: Vec<Bill>,
    pub period: SealedTree,
    pub batch: SealedTree,
    pub leaves: Vec<DayLeaf>,
    /// From which block on a party signs with the next generation of its keys.
    pub changes: Vec<(u64, Party)>,
    pub motion_heights: Vec<usize>,
    secret: BlindingSecret,
}

pub fn day(text: &str) -> Day {
    text.parse().unwrap()
}

pub fn month() -> Period {
    "2026-03".parse().unwrap()
}

fn seed(party: Party, role: u8) -> [u8; 32] {
    [party.code() * 16 + role; 32]
}

/// What a party signs with: its first keys in generation 0, others in each generation after it.
pub struct Own {
    pub log: LogSigner,
    pub witness: Cosigner,
    pub exec: LogSigner,
}

impl Own {
    pub fn of(origin: &str, party: Party, generation: u8) -> Self {
        let seed = |role| seed(party, role + 4 * generation);
        Self {
            log: LogSigner::from_seed(origin, &seed(1)).unwrap(),
            witness: Cosigner::from_seed(&format!("{party}.example"), &seed(2)).unwrap(),
            exec: LogSigner::from_seed(&format!("{party}.example/exec"), &seed(3)).unwrap(),
        }
    }

    pub fn public(&self) -> PartyKeys {
        PartyKeys {
            log: self.log.verifier_key().to_string(),
            witness: self.witness.verifier_key().to_string(),
            exec: self.exec.verifier_key().to_string(),
        }
    }
}

pub fn log_signer(origin: &str, party: Party) -> LogSigner {
    Own::of(origin, party, 0).log
}

pub fn witness(party: Party) -> Cosigner {
    Own::of(ORIGIN, party, 0).witness
}

pub fn exec(party: Party) -> LogSigner {
    Own::of(ORIGIN, party, 0).exec
}

/// The log keys of all parties, and `threshold` of their witnesses.
pub fn policy_of(origin: &str, threshold: usize) -> Policy {
    let logs = Party::ALL.map(|party| log_signer(origin, party).verifier_key().clone());
    let witnesses = Party::ALL.map(|party| (party.name().to_owned(), witness(party).verifier_key().clone()));
    Policy::parties(&logs, &witnesses, threshold).unwrap()
}

pub fn policy(threshold: usize) -> Policy {
    policy_of(ORIGIN, threshold)
}

/// Two zones; `prices` are those of day and night.
pub fn tariff(title: &str, prices: [&str; 2], from: &str, to: Option<&str>) -> Published<Tariff> {
    let zone = |name: &str, from_minute, to_minute| TariffZone {
        name: name.parse().unwrap(),
        windows: vec![Window { months: MonthSet::ALL, days: DayKind::Every, from_minute, to_minute }],
    };
    let parts = TariffParts {
        id: "ekb-2t".parse().unwrap(),
        title: title.to_owned(),
        source: "illustrative".to_owned(),
        currency: "RUB".parse().unwrap(),
        validity: Validity::new(day(from), to.map(day)).unwrap(),
        zones: vec![zone("day", 7 * 60, 23 * 60), zone("night", 23 * 60, 7 * 60)],
        ranges: vec![Range::plain(None, prices.map(|price| price.parse().unwrap()).to_vec())],
        holidays: Vec::new(),
        range_rule: RangeRule::default(),
        demands: Vec::new(),
        fixed: FixedCharges::default(),
        minimum_per_month: PricePerKwh::default(),
        vat: Vat { rate_e4: 2_000, is_included: true },
        rounding: Rounding::HalfUp,
        round_each: RoundEach::Bill,
        series: Vec::new(),
        netting: None,
        carry: tallywatt_core::tariff::CarryRules::default(),
        deviation: None,
        eligibility: None,
    };
    publish_tariff(Tariff::new(parts).unwrap())
}

/// March by the hour: the series `x`, another of the same prices, one in euros, and one with a price that is another.
fn market() -> Vec<Published<PriceSeries>> {
    let zone = Zone::parse("Asia/Yekaterinburg").unwrap();
    let validity = Validity::new(month().first_day(), Some(month().end_day())).unwrap();
    let grid = series_grid(&zone, validity, 60).unwrap();
    let prices: Vec<PricePerKwh> =
        (0..grid.count).map(|at| PricePerKwh::from_e8((at * 7_919 % 701 - 200) * 1_000_003)).collect();
    let of = |name: &str, currency: &str, prices: &[PricePerKwh]| {
        let parts = PriceSeriesParts {
            id: name.parse().unwrap(),
            title: "Day-ahead".to_owned(),
            source: "illustrative".to_owned(),
            currency: currency.parse().unwrap(),
            validity,
            zone: zone.clone(),
            minutes: 60,
            start: grid.start,
            prices: prices.to_vec(),
        };
        publish_price_series(PriceSeries::new(parts).unwrap())
    };
    let mut other = prices.clone();
    // 01:00 of the 20th.
    other[19 * 24 + 1] = PricePerKwh::from_e8(other[19 * 24 + 1].as_e8() + 500_000_000);
    vec![of("x", "RUB", &prices), of("y", "RUB", &prices), of("x", "EUR", &prices), of("x", "RUB", &other)]
}

/// The tariff with its nights by the series `x`.
fn hourly(tariff: &Published<Tariff>) -> Published<Tariff> {
    let mut parts = tariff.body.parts().clone();
    parts.ranges[0].prices[1] = PricePerKwh::default();
    let (series, plus) = ("x".parse().unwrap(), "0.9".parse().unwrap());
    parts.series = vec![SeriesPrice { range: 0, zone: 1, series, times_e6: 1_070_000, plus }];
    publish_tariff(Tariff::new(parts).unwrap())
}

fn agreement(from: &str, back_billing_months: Option<u8>) -> Published<Agreement> {
    let body = Agreement {
        id: "grid-2026".parse().unwrap(),
        title: "Delivery".to_owned(),
        currency: "RUB".parse().unwrap(),
        validity: Validity::new(day(from), None).unwrap(),
        payee: Party::Grid,
        remainder: Party::Supplier,
        rule: SplitRule::PerKwh(vec![("all".parse().unwrap(), "1.95".parse().unwrap())]),
        terms: PaymentTerms { back_billing_months, ..PaymentTerms::default() },
    };
    publish_agreement(body.check().unwrap())
}

/// Account, usage point, first day of the contract.
fn households() -> Vec<(String, String, &'static str)> {
    let home = partition_of(&"EKB-000040".parse().unwrap());
    let neighbour = (41..)
        .map(|number| format!("EKB-{number:06}"))
        .find(|name| partition_of(&name.parse().unwrap()) == home)
        .unwrap();
    vec![
        ("A-000001".to_owned(), "EKB-000001".to_owned(), "2026-01-01"),
        ("A-000017".to_owned(), "EKB-000017".to_owned(), "2026-01-01"),
        ("A-000030".to_owned(), "EKB-000030".to_owned(), "2026-03-27"),
        ("A-000040".to_owned(), "EKB-000040".to_owned(), "2026-01-01"),
        ("A-000041".to_owned(), neighbour, "2026-01-01"),
    ]
}

fn contract((account, usage_point, from): &(String, String, &'static str)) -> Contract {
    Contract {
        account: account.parse().unwrap(),
        usage_point: usage_point.parse().unwrap(),
        register: Register::IMPORT,
        zone: Zone::parse("Asia/Yekaterinburg").unwrap(),
        tariff: "ekb-2t".parse().unwrap(),
        agreement: "grid-2026".parse().unwrap(),
        validity: Validity::new(day(from), None).unwrap(),
        overrides: Vec::new(),
    }
}

/// Half-hours of a household; every 40th is estimated.
pub fn block(contract: &Contract, day: Day) -> DayBlock {
    let key = BlockKey { usage_point: contract.usage_point, register: contract.register, day };
    let local = contract.zone.local_day(day);
    let salt = u64::from(content_hash(contract.usage_point.as_str().as_bytes()).0[1]);
    let mut state = salt + u64::try_from(day.number()).unwrap() * 1_000;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let values = (0..48).map(|_| i32::try_from(next() % 400).unwrap()).collect();
    let quality = |at: usize| if at == 40 { Quality::EstimatedLinear } else { Quality::Valid };
    let qualities = (0..48).map(quality).collect();
    DayBlock::from_parts(key, local.start, 30, Source::Synthetic, values, qualities).unwrap()
}

/// Account 40 has no readings on two days: the 10th, and the month's last.
fn is_read(contract: &Contract, date: Day) -> bool {
    let is_silent = contract.account.as_str() == "A-000040";
    contract.validity.contains(date)
        && !(is_silent && (date == day("2026-03-10") || date == day("2026-03-31")))
}

impl Town {
    pub fn new() -> Self {
        Self::planned(Plan::default())
    }

    pub fn planned(plan: Plan) -> Self {
        let secret = BlindingSecret::new([7; 32]);
        let agreement = agreement(plan.agreement_from, plan.back_billing_months);
        let of = |household| Contract {
            agreement: plan.contract_agreement.parse().unwrap(),
            ..contract(household)
        };
        let contracts = in_order(households().iter().map(of).collect()).unwrap();
        let mut tariffs = vec![
            tariff("Two zones, 6", ["6.43", "3.02"], "2026-01-01", Some("2026-03-15")),
            tariff("Two zones, 7", ["6.81", "3.24"], "2026-03-15", None),
        ];
        if plan.is_hourly {
            tariffs[1] = hourly(&tariffs[1]);
        }
        let market = if plan.is_hourly { market() } else { Vec::new() };
        let blocks: Vec<DayBlock> = contracts
            .iter()
            .flat_map(|contract| {
                let days = month().days().filter(|day| is_read(contract, *day));
                days.map(|day| block(contract, day)).collect::<Vec<_>>()
            })
            .collect();
        let leaf = |block: &DayBlock| DayLeaf::period(block.clone(), &secret);
        let mut leaves: Vec<DayLeaf> = blocks.iter().map(leaf).collect();
        sort(&mut leaves);
        let mut batch: Vec<DayLeaf> =
            blocks.iter().map(|block| DayLeaf::batch(block.clone(), 2, &secret)).collect();
        sort(&mut batch);
        let period = SealedTree::seal(SealKind::Period, &leaves).unwrap();
        let batch = SealedTree::seal(SealKind::Batch, &batch).unwrap();
        let mut town = Self {
            plan,
            blocks: Vec::new(),
            log: Log::new(),
            tariffs,
            market,
            agreement,
            contracts,
            bills: Vec::new(),
            period,
            batch,
            leaves,
            changes: Vec::new(),
            motion_heights: Vec::new(),
            secret,
        };
        town.bills = town.compute_bills();
        town.commit_all();
        town
    }

    fn compute_bills(&self) -> Vec<Bill> {
        let mut book = TariffBook::default();
        for version in &self.tariffs {
            book.publish(version.clone()).unwrap();
        }
        let mut market = MarketBook::new();
        if let Some(series) = self.market.first() {
            market.publish_series(series.clone()).unwrap();
        }
        let find = |key: &BlockKey| self.leaves.iter().map(DayLeaf::block).find(|block| block.key() == *key);
        self.contracts
            .iter()
            .map(|contract| {
                let inputs = BillInputs {
                    account: contract.account,
                    period: month(),
                    contracts: std::slice::from_ref(contract),
                    tariffs: &book,
                    agreement: &self.agreement,
                    readings: self.period.sealed().root.hash,
                    market: &market,
                };
                let mut bill = bill(&inputs, &find).unwrap();
                (self.plan.edit_bill)(&mut bill);
                bill
            })
            .collect()
    }

    fn commit_all(&mut self) {
        let keys = |party: Party| Own::of(self.plan.origin, party, 0).public();
        let mut genesis = Genesis {
            origin: self.plan.origin.to_owned(),
            currency: "RUB".parse().unwrap(),
            tzdb: self.plan.tzdb.clone(),
            parties: Party::ALL.map(keys),
            witness: None,
            attesters: Attesters::default(),
        };
        (self.plan.edit_genesis)(&mut genesis);
        self.commit(Command::Genesis(Box::new(genesis)));
        for version in self.tariffs.clone() {
            let parts = version.body.parts();
            self.publish(DocumentKind::Tariff, parts.id, version.hash, parts.validity);
        }
        let Published { hash, body } = self.agreement.clone();
        self.publish(DocumentKind::Agreement, body.id, hash, body.validity);
        let text = consent_text(self.plan.origin, &body.id, &hash, self.plan.active_from);
        let consent = |party: Party| {
            let signature = exec(party).sign(&text).unwrap().signature().try_into().unwrap();
            Attestation { party, signature }
        };
        let consents = [consent(Party::Grid), consent(Party::Supplier)];
        let mut activation = Activation { agreement: hash, from: self.plan.active_from, consents };
        (self.plan.edit_activation)(&mut activation);
        self.commit(Command::Activate(activation));
        for series in self.market.clone() {
            let parts = series.body.parts();
            self.publish(DocumentKind::PriceSeries, parts.id, series.hash, parts.validity);
        }
        if let Some(party) = self.plan.rotates {
            self.rotate(party, self.height() + 1);
        }
        let contracts = self.contracts_tree().root();
        self.commit(Command::Contracts(contracts));
        let file = ContentHash([9; 32]);
        self.commit(Command::Batch(BatchCommit { sequence: 1, file, sealed: self.batch.sealed() }));
        let sealed = self.period.sealed();
        self.commit(Command::Period(PeriodCommit { period: month(), revision: 0, batches: 1, sealed }));
        let payee_part = self.bills.iter().map(|bill| bill.payee_part).sum::<ExactAmount>();
        self.commit(Command::Bills(BillsCommit {
            period: month(),
            readings: sealed.root,
            contracts,
            bills: self.bills_tree().root(),
            file,
            energy_wh: self.bills.iter().map(|bill| bill.energy().as_wh()).sum(),
            total: self.bills.iter().map(|bill| bill.total).sum(),
            payee_part,
        }));
        self.commit(Command::Contracts(contracts));
    }

    fn publish(
        &mut self,
        kind: DocumentKind,
        id: tallywatt_core::label::Label,
        hash: ContentHash,
        validity: Validity,
    ) {
        self.commit(Command::Publish(Publication { kind, id, hash, validity }));
    }

    /// The height of the next block.
    pub fn height(&self) -> u64 {
        u64::try_from(self.blocks.len()).unwrap()
    }

    /// How many blocks stand in front of the contracts that other towns have not.
    fn shift(&self) -> usize {
        self.market.len() + usize::from(self.plan.rotates.is_some())
    }

    pub fn commit(&mut self, command: Command) {
        let height = self.height();
        let chain = self.blocks.first().map(|(genesis, _)| genesis.hash()).unwrap_or_default();
        let parent = self.blocks.last().map(|(block, _)| block.hash()).unwrap_or_default();
        let parent_leaf = self.blocks.last().map_or(LogHash::from_bytes([0; 32]), |(_, leaf)| leaf.hash());
        let (number, time_unix_s) = (height + 1, 1_775_000_000 + height);
        let mut proposal = Proposal { chain, parent, proposer: Party::Grid, number, time_unix_s, command };
        (self.plan.edit_proposal)(height, &mut proposal);
        let text = proposal.attest_text();
        let sign = |party: Party| {
            let exec = self.own(party, height).exec;
            let signature = exec.sign(&text).unwrap().signature().try_into().unwrap();
            Attestation { party, signature }
        };
        // Who is not to recompute it does not attest it.
        let asked = Attesters::default().of_command(&proposal.command);
        let attesters = self.plan.attesters.iter().copied().filter(|party| asked.contains(*party));
        let attestations = attesters.map(sign).collect();
        let mut block = Block { height, proposal, attestations };
        (self.plan.edit_block)(&mut block);
        let state = ContentHash([u8::try_from(height).unwrap(); 32]);
        let leaf = LogLeaf { height, block: block.hash(), parent: parent_leaf, state };
        self.log.append(leaf.hash()).unwrap();
        self.blocks.push((block, leaf));
    }

    fn contracts_tree(&self) -> Tree {
        contracts_tree(&self.contracts)
    }

    fn bills_tree(&self) -> Tree {
        let hashes = self.bills.iter().map(|bill| content_hash(&encode_bill(bill)));
        Tree::new(TreeKind::Bills, hashes.collect())
    }

    /// The checkpoint of the whole log, signed by the grid company's log key.
    pub fn checkpoint_text(&self) -> String {
        Checkpoint::new(self.plan.origin, self.log.size(), self.log.root()).unwrap().to_text()
    }

    pub fn note(&self, cosigners: &[Cosigner]) -> Note {
        let text = self.checkpoint_text();
        let mut lines = vec![self.own(Party::Grid, self.height() - 1).log.sign(&text).unwrap()];
        lines.extend(
            cosigners
                .iter()
                .zip(1_775_000_100..)
                .map(|(witness, time)| witness.sign_cosignature(&text, time).unwrap()),
        );
        Note::new(&text, lines).unwrap()
    }

    pub fn proof(&self, height: usize, cosigners: &[Cosigner]) -> TlogProof {
        let index = u64::try_from(height).unwrap();
        let path = self.log.prove_inclusion(index, self.log.size()).unwrap();
        TlogProof::new(None, index, path, self.note(cosigners)).unwrap()
    }

    pub fn logged(&self, height: usize) -> LoggedBlock {
        let (block, leaf) = &self.blocks[height];
        LoggedBlock { record: block.encode(), log_leaf: leaf.encode() }
    }

    pub fn placed_block(&self, height: usize) -> PlacedBlock {
        let index = u64::try_from(height).unwrap();
        let path = self.log.prove_inclusion(index, self.log.size()).unwrap();
        PlacedBlock { logged: self.logged(height), path }
    }

    pub fn leaf(
        &self,
        usage_point: &str,
        date: Day,
        tree: &SealedTree,
        leaf: &DayLeaf,
    ) -> (Placed, PlacedPartition) {
        let key =
            BlockKey { usage_point: usage_point.parse().unwrap(), register: Register::IMPORT, day: date };
        let LeafProof { index, path, summary, upper_path } = tree.prove(&key).unwrap();
        let leaf = Placed { record: leaf.bytes().to_vec(), index, path };
        (leaf, PlacedPartition { record: summary.encode(), path: upper_path })
    }

    /// The leaves of a usage point with their partition's summary.
    pub fn leaves_of(&self, usage_point: &str) -> (Vec<Placed>, PlacedPartition) {
        let own = self.leaves.iter().filter(|leaf| leaf.block().key().usage_point.as_str() == usage_point);
        let (leaves, partitions): (Vec<_>, Vec<_>) =
            own.map(|leaf| self.leaf(usage_point, leaf.block().key().day, &self.period, leaf)).unzip();
        (leaves, partitions.into_iter().next().unwrap())
    }

    pub fn placed_bill(&self, account: &str) -> Placed {
        let at = self.bills.iter().position(|bill| bill.account.as_str() == account).unwrap();
        let record = encode_bill(&self.bills[at]);
        Placed { record, index: u64::try_from(at).unwrap(), path: self.bills_tree().path(at).unwrap() }
    }

    pub fn placed_contract(&self, at: usize) -> Placed {
        let record = encode_contract(&self.contracts[at]);
        Placed { record, index: u64::try_from(at).unwrap(), path: self.contracts_tree().path(at).unwrap() }
    }

    /// The receipt of an account's bill; only the tariff versions that the bill names.
    pub fn bill_receipt(&self, account: &str) -> Receipt {
        let at = self.contracts.iter().position(|contract| contract.account.as_str() == account).unwrap();
        let bill = &self.bills[at];
        let used: Vec<usize> = (0..self.tariffs.len())
            .filter(|version| bill.tariffs.contains(&self.tariffs[*version].hash))
            .collect();
        let (leaves, partition) = self.leaves_of(self.contracts[at].usage_point.as_str());
        let part = BillPart {
            bill: self.placed_bill(account),
            correction: None,
            tariffs: used.iter().map(|version| encode_tariff(&self.tariffs[*version].body)).collect(),
            agreement: encode_agreement(&self.agreement.body),
            contracts: vec![self.placed_contract(at)],
            market: self.used(bill).map(|series| encode_price_series(&self.market[series].body)).collect(),
            previous: None,
        };
        let heights =
            [0].into_iter().chain(used.iter().map(|version| version + 1)).chain([3, ACTIVATION_HEIGHT]);
        let heights = heights.chain(self.used(bill).map(|series| SERIES_HEIGHT + series));
        let sealed = BILLS_HEIGHT + self.shift();
        Receipt {
            subject: Subject::Bill { period: month(), account: bill.account },
            bill: Some(part),
            partitions: vec![partition],
            leaves,
            blocks: heights.map(|height| self.placed_block(height)).collect(),
            motions: self.motions(),
            sealed_by: self.logged(sealed),
            proof: self.proof(sealed, &self.cosigners()),
        }
    }

    /// The series that a bill names, by number.
    fn used(&self, bill: &Bill) -> impl Iterator<Item = usize> {
        (0..self.market.len()).filter(|at| bill.market.contains(&self.market[*at].hash))
    }

    /// The receipt of one day of a usage point, as sealed in the batch.
    pub fn day_receipt(&self, usage_point: &str, date: &str) -> Receipt {
        let contract =
            self.contracts.iter().find(|contract| contract.usage_point.as_str() == usage_point).unwrap();
        let leaf = DayLeaf::batch(block(contract, day(date)), 2, &self.secret);
        let (leaf, partition) = self.leaf(usage_point, day(date), &self.batch, &leaf);
        let sealed = BATCH_HEIGHT + self.shift();
        Receipt {
            subject: Subject::Day {
                day: day(date),
                register: Register::IMPORT,
                usage_point: contract.usage_point,
            },
            bill: None,
            partitions: vec![partition],
            leaves: vec![leaf],
            blocks: vec![self.placed_block(0)],
            motions: self.motions(),
            sealed_by: self.logged(sealed),
            proof: self.proof(sealed, &self.cosigners()),
        }
    }
}

fn sort(leaves: &mut [DayLeaf]) {
    leaves.sort_by_key(|leaf| {
        let key = leaf.block().key();
        (partition_of(&key.usage_point), key)
    });
}
