//! Readings and completeness: which leaves the bill or the day rests on, and whether any is kept back.

use std::collections::BTreeMap;

use tallywatt_core::bill::Completeness;
use tallywatt_core::calendar::Day;
use tallywatt_core::contract::Contract;
use tallywatt_core::day_block::{BlockKey, DayBlock};
use tallywatt_core::estimated::EstimatedShare;
use tallywatt_core::quality::Quality;
use tallywatt_ledger::command::BatchCommit;
use tallywatt_ledger::day_leaf::LeafTag;
use tallywatt_ledger::receipt::Subject;
use tallywatt_ledger::seal::{PARTITION_COUNT, PartitionSummary, SealKind, partition_of};
use tallywatt_ledger::tree::{Root, verify_path};

use crate::chain::BillCommit;
use crate::evidence::{BillClaim, Evidence, Opened};
use crate::report::{Passed, Step};

/// How many missing stretches are named one by one.
const STRETCH_COUNT_MAX: usize = 20;

/// Day blocks that open their root.
pub(crate) struct OpenedReadings<'a> {
    blocks: BTreeMap<BlockKey, &'a DayBlock>,
    gaps: Gaps,
}

/// Days that a contract bills and that have no leaf here.
#[derive(Default)]
struct Gaps {
    /// Two opened neighbours stand on both sides: the tree holds nothing between.
    proven_count: usize,
    /// The tree may hold a leaf that was left out.
    open: Vec<BlockKey>,
}

impl<'a> OpenedReadings<'a> {
    pub fn block(&self, key: &BlockKey) -> Option<&'a DayBlock> {
        self.blocks.get(key).copied()
    }

    pub fn interval_count(&self) -> u64 {
        self.blocks.values().map(|block| u64::try_from(block.interval_count()).unwrap_or(u64::MAX)).sum()
    }

    /// No sum of leaves that fit one receipt comes near the end of `i64`.
    pub fn energy_wh(&self) -> i64 {
        self.blocks.values().map(|block| block.total_wh()).fold(0, i64::saturating_add)
    }

    pub fn quality_counts(&self) -> Vec<(Quality, u64)> {
        let mut counts: BTreeMap<Quality, u64> = BTreeMap::new();
        for quality in self.blocks.values().flat_map(|block| block.qualities()) {
            *counts.entry(*quality).or_default() += 1;
        }
        counts.into_iter().collect()
    }
}

/// **readings** of a bill: every leaf opens the month's root, is billed by a contract of the account, stands there
/// once, and no leaf between two of them is kept back.
///
/// Without it values could be changed, days dropped or counted twice, or a neighbour's energy billed.
pub(crate) fn of_bill<'a>(
    evidence: &'a Evidence,
    claim: &BillClaim,
    commit: &BillCommit,
) -> Step<OpenedReadings<'a>> {
    let blocks = open_leaves(evidence, SealKind::Period, &commit.readings)?;
    let billed = billed_days(claim);
    if let Some(key) = blocks.keys().find(|key| !billed.contains_key(key)) {
        return Err(format!("no contract bills the leaf of {}", named(key)).into());
    }
    check_nothing_withheld(evidence, &billed)?;
    let gaps = gaps(evidence, &billed);
    let opened = OpenedReadings { blocks, gaps };
    let mut detail = format!(
        "{} intervals of {} days open the readings of {}",
        opened.interval_count(),
        opened.blocks.len(),
        commit.period
    );
    if opened.gaps.proven_count > 0 {
        detail.push_str(&format!("; days proven to have none: {}", opened.gaps.proven_count));
    }
    Ok(Passed::new(opened, detail))
}

/// **readings** of a day: the one leaf opens the batch's root, and is of the subject's register and day.
///
/// Without it the readings of another day, or of somebody else, could be shown under this subject.
pub(crate) fn of_day<'a>(evidence: &'a Evidence, commit: &BatchCommit) -> Step<OpenedReadings<'a>> {
    let blocks = open_leaves(evidence, SealKind::Batch, &commit.sealed.root)?;
    let Subject::Day { day, register, usage_point } = evidence.subject else {
        return Err("the subject is not a day".to_owned().into());
    };
    let wanted = BlockKey { usage_point, register, day };
    if let Some(other) = blocks.keys().find(|key| **key != wanted) {
        return Err(format!("a leaf of {}, the subject is {}", named(other), named(&wanted)).into());
    }
    let opened = OpenedReadings { blocks, gaps: Gaps::default() };
    let detail = format!("{} intervals open batch {}", opened.interval_count(), commit.sequence);
    Ok(Passed::new(opened, detail))
}

fn named(key: &BlockKey) -> String {
    format!("{} {} on {}", key.usage_point, key.register, key.day)
}

/// Opens every leaf through its partition's summary up to the sealed root.
fn open_leaves<'a>(
    evidence: &'a Evidence,
    kind: SealKind,
    root: &Root,
) -> Result<BTreeMap<BlockKey, &'a DayBlock>, String> {
    let summaries = open_partitions(evidence, kind, root)?;
    let mut blocks = BTreeMap::new();
    let mut last: Option<BlockKey> = None;
    let mut used = BTreeMap::new();
    for leaf in &evidence.leaves {
        let key = leaf.body.block().key();
        if last.is_some_and(|last| last >= key) {
            return Err(format!("the leaf of {} stands twice or out of order", named(&key)));
        }
        last = Some(key);
        let expected = match kind {
            SealKind::Batch => LeafTag::Batch,
            SealKind::Period => LeafTag::Period,
        };
        if leaf.body.tag() != expected {
            return Err(format!("the leaf of {} is tagged {:?}", named(&key), leaf.body.tag()));
        }
        let partition = partition_of(&key.usage_point);
        let summary =
            summaries.get(&partition).ok_or_else(|| format!("partition {partition} is not there"))?;
        verify_path(kind.partition_tree(), &leaf.hash, leaf.index, &leaf.path, &summary.root)
            .map_err(|error| format!("leaf of {}: {error}", named(&key)))?;
        used.insert(partition, ());
        blocks.insert(key, leaf.body.block());
    }
    match summaries.keys().find(|partition| !used.contains_key(partition)) {
        Some(partition) => Err(format!("no leaf is of partition {partition}")),
        None => Ok(blocks),
    }
}

/// Opens the partition summaries, ascending, each once.
fn open_partitions<'a>(
    evidence: &'a Evidence,
    kind: SealKind,
    root: &Root,
) -> Result<BTreeMap<u8, &'a PartitionSummary>, String> {
    if usize::try_from(root.count) != Ok(PARTITION_COUNT) {
        return Err(format!("the sealed root is over {} partitions, {PARTITION_COUNT} expected", root.count));
    }
    let mut summaries: BTreeMap<u8, &PartitionSummary> = BTreeMap::new();
    for Opened { body, hash, index, path } in &evidence.partitions {
        if summaries.last_key_value().is_some_and(|(last, _)| *last >= body.partition) {
            return Err(format!("partition {} stands twice or out of order", body.partition));
        }
        verify_path(kind.upper_tree(), hash, *index, path, root)
            .map_err(|error| format!("partition {}: {error}", body.partition))?;
        summaries.insert(body.partition, body);
    }
    Ok(summaries)
}

/// Every register-day that a contract bills in the month; contracts of one register do not overlap.
fn billed_days(claim: &BillClaim) -> BTreeMap<BlockKey, &Contract> {
    let mut billed = BTreeMap::new();
    for Opened { body: contract, .. } in &claim.contracts {
        let Contract { usage_point, register, validity, .. } = *contract;
        for day in claim.bill.body.period.days().filter(|day| validity.contains(*day)) {
            billed.insert(BlockKey { usage_point, register, day }, contract);
        }
    }
    billed
}

/// Of each two neighbouring leaves of a register: their indices leave no room for a billed day between them.
///
/// The tree is sorted by day, so what stands between them is of days between; days that no contract bills may be.
fn check_nothing_withheld(evidence: &Evidence, billed: &BTreeMap<BlockKey, &Contract>) -> Result<(), String> {
    for pair in evidence.leaves.windows(2) {
        let [first, second] = pair else { continue };
        let (from, to) = (first.body.block().key(), second.body.block().key());
        if (from.usage_point, from.register) != (to.usage_point, to.register) {
            continue;
        }
        let between = second.index.checked_sub(first.index).and_then(|steps| steps.checked_sub(1));
        let is_unbilled = |number: &i32| {
            Day::from_number(*number).is_some_and(|day| !billed.contains_key(&BlockKey { day, ..from }))
        };
        let room = (from.day.number() + 1..to.day.number()).filter(is_unbilled).count();
        if between.is_none_or(|between| usize::try_from(between).map_or(true, |between| between > room)) {
            return Err(format!("a leaf between {} and {} is kept back", named(&from), named(&to)));
        }
    }
    Ok(())
}

/// Which billed days have no leaf, and of which of them the neighbours prove that there is none.
fn gaps(evidence: &Evidence, billed: &BTreeMap<BlockKey, &Contract>) -> Gaps {
    let counts = evidence.partitions.iter().map(|summary| (summary.body.partition, summary.body.root.count));
    let counts: BTreeMap<u8, u64> = counts.collect();
    let places = evidence.leaves.iter().map(|leaf| {
        let key = leaf.body.block().key();
        ((partition_of(&key.usage_point), key), leaf.index)
    });
    let places: BTreeMap<(u8, BlockKey), u64> = places.collect();
    let mut gaps = Gaps::default();
    for key in billed.keys() {
        let partition = partition_of(&key.usage_point);
        let place = (partition, *key);
        if places.contains_key(&place) {
            continue;
        }
        let before = places.range(..place).next_back().filter(|((found, _), _)| *found == partition);
        let after = places.range(place..).next().filter(|((found, _), _)| *found == partition);
        let is_proven = match (before, after) {
            (Some((_, before)), Some((_, after))) => before.checked_add(1) == Some(*after),
            (None, Some((_, after))) => *after == 0,
            (Some((_, before)), None) => before.checked_add(1) == counts.get(&partition).copied(),
            (None, None) => false,
        };
        if is_proven {
            gaps.proven_count += 1;
        } else {
            gaps.open.push(*key);
        }
    }
    gaps
}

/// **completeness**: the bill says how many intervals were measured, estimated and missing, and says it right. Gives how
/// much is estimated.
///
/// Without it a bill built on estimates could pass for a measured one. Days without a leaf are told to the reader.
pub(crate) fn completeness(claim: &BillClaim, opened: &OpenedReadings<'_>) -> Step<EstimatedShare> {
    let mut counted = Completeness::default();
    for (key, contract) in billed_days(claim) {
        let qualities = match opened.block(&key) {
            Some(block) => block.qualities().to_vec(),
            None => vec![Quality::Missing; expected_count(&key, contract, opened)],
        };
        for quality in qualities {
            counted.expected += 1;
            match (quality.is_billable(), quality.is_estimated()) {
                (false, _) => counted.missing += 1,
                (true, true) => counted.estimated += 1,
                (true, false) => counted.measured += 1,
            }
        }
    }
    let stated = claim.bill.body.completeness;
    if stated != counted {
        return Err(
            format!("the bill says {}, the readings give {}", counts(&stated), counts(&counted)).into()
        );
    }
    let share = EstimatedShare::of(&counted, opened.blocks.values().copied());
    let mut detail = counts(&counted);
    if counted.estimated > 0 {
        detail.push_str(&format!("; estimated {}", share.in_words()));
    }
    Ok(Passed::new(share, detail).but_not(stretches(&opened.gaps.open)))
}

/// How many intervals a day without readings would have: as long as those of the contract's first day with some
/// in the month.
fn expected_count(key: &BlockKey, contract: &Contract, opened: &OpenedReadings<'_>) -> usize {
    let mut own_days = key.day.period().days().filter(|day| contract.validity.contains(*day));
    let like = own_days.find_map(|day| opened.block(&BlockKey { day, ..*key }));
    let count =
        like.and_then(|like| contract.zone.local_day(key.day).interval_count(like.interval_minutes()));
    usize::from(count.unwrap_or(0))
}

fn counts(completeness: &Completeness) -> String {
    let Completeness { expected, measured, estimated, missing } = completeness;
    format!("{expected} intervals, {measured} measured, {estimated} estimated, {missing} missing")
}

/// Days without a leaf, run together: `that no readings exist for EKB-000017 1-0:1.8.0 on 2026-03-05 (3 days)`.
fn stretches(days: &[BlockKey]) -> Vec<String> {
    let runs = days.chunk_by(|a, b| {
        (a.usage_point, a.register) == (b.usage_point, b.register) && b.day.since(a.day) == 1
    });
    let mut texts: Vec<String> = runs
        .filter_map(|run| run.first().map(|first| (first, run.len())))
        .map(|(first, count)| match count {
            1 => format!("that no readings exist for {}", named(first)),
            _ => format!("that no readings exist for {} and {} days after", named(first), count - 1),
        })
        .collect();
    if texts.len() > STRETCH_COUNT_MAX {
        let more = texts.len() - STRETCH_COUNT_MAX;
        texts.truncate(STRETCH_COUNT_MAX);
        texts.push(format!("that no readings exist for {more} more stretches of days"));
    }
    texts
}
