//! One block's generation shared among usage points, interval by interval.
//!
//! ```text
//!   generated ─┬─▶ given to each participant    static: its part of the whole, used or not
//!              │                                capped: its part, at most what it consumed (EnWG § 42b)
//!              │                                dynamic: in proportion to what it consumed, at most that
//!              └─▶ fed in: the rest             Σ given + fed in = generated, in every interval
//! ```
//!
//! Whole watt-hours by largest remainder: a part's fraction of a watt-hour goes to the largest remainders, among equal
//! ones to the first usage point by name, and to what is fed in last. So neither the order of participants in a file nor
//! anything else but the group decides who gets the odd watt-hour.

use std::cmp::Reverse;

use crate::day_block::DayBlock;
use crate::label::{Label, UsagePointId};
use crate::register::{Flow, Register};
use crate::validity::Validity;

/// The most participants in a group.
pub const PARTICIPANT_COUNT_MAX: usize = 256;
/// All of the generation, in the unit of [`Participant::part`]: 1 % is 1,000,000.
pub const PART_WHOLE: u32 = 100_000_000;
/// Longest title, bytes.
pub const SHARING_TITLE_SIZE_MAX: usize = 240;

/// How generation is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum SharingMode {
    /// Each participant gets its part, also above what it consumed.
    Static = 1,
    /// Each participant gets its part, but no more than it consumed; what it could not use is fed in, not passed on.
    Capped = 2,
    /// Each participant gets a share in proportion to its consumption in the interval, no more than that.
    Dynamic = 3,
}

impl SharingMode {
    /// All, in the order of their codes, which count from 1.
    pub const ALL: [Self; 3] = [Self::Static, Self::Capped, Self::Dynamic];

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Capped => "capped",
            Self::Dynamic => "dynamic",
        }
    }

    /// Whether what one participant gets depends on what the others consumed.
    #[must_use]
    pub const fn needs_neighbours(self) -> bool {
        matches!(self, Self::Dynamic)
    }
}

/// A register of a usage point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SharedRegister {
    /// Where.
    pub usage_point: UsagePointId,
    /// Which.
    pub register: Register,
}

/// Who gets a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Participant {
    /// Where it consumes.
    pub consumes: SharedRegister,
    /// Its part of [`PART_WHOLE`]; 0 in a dynamic group.
    pub part: u32,
}

/// The parts of a group, before they are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharingParts {
    /// Its name; versions share it.
    pub id: Label,
    /// What people call it.
    pub title: String,
    /// Local days it holds on.
    pub validity: Validity,
    /// What generates.
    pub generator: SharedRegister,
    /// How it is shared.
    pub mode: SharingMode,
    /// Among whom, in any order.
    pub participants: Vec<Participant>,
}

/// Why parts do not make a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharingError {
    /// Too many or none.
    #[error("{0} participants, need 1 to {PARTICIPANT_COUNT_MAX}")]
    Count(usize),
    /// The title is too long, or has control characters.
    #[error("title is longer than {SHARING_TITLE_SIZE_MAX} bytes or has control characters")]
    Title,
    /// A usage point stands twice.
    #[error("participant {0} stands twice")]
    Twice(UsagePointId),
    /// The generator would be given its own energy.
    #[error("the generator {0} is among the participants")]
    Generator(UsagePointId),
    /// The register counts another flow than its place asks for.
    #[error("register {register} of {usage_point} counts no {wanted}")]
    Flow {
        /// Where.
        usage_point: UsagePointId,
        /// Which.
        register: Register,
        /// `export` or `import`.
        wanted: &'static str,
    },
    /// Parts above the whole.
    #[error("parts add up to {0} of {PART_WHOLE}")]
    Parts(u64),
    /// A part where there may be none, or none where there must be one.
    #[error("participant {0}: a static part is above zero, a dynamic group has none")]
    Part(UsagePointId),
}

/// A checked group: participants by usage point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharingGroup(SharingParts);

/// What became of one interval's generation, Wh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedInterval {
    /// Given to each participant, in the group's order.
    pub given_wh: Vec<i64>,
    /// Fed in.
    pub fed_in_wh: i64,
}

/// Why a day cannot be shared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SharedDayError {
    /// Two registers differ in interval length or start.
    #[error("the intervals of {usage_point} do not stand beside those of the generator")]
    Intervals {
        /// Whose.
        usage_point: UsagePointId,
    },
}

/// A day's generation shared: an entry an interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedDay {
    /// In order of time.
    pub intervals: Vec<SharedInterval>,
    /// Values without which an interval was shared: the generator's count as nothing generated, a participant's as nothing
    /// consumed.
    pub missing_count: usize,
}

impl SharingGroup {
    /// Checks the parts, and puts the participants in order.
    ///
    /// # Errors
    /// [`SharingError`] names the first part that is wrong.
    pub fn new(mut parts: SharingParts) -> Result<Self, SharingError> {
        let count = parts.participants.len();
        if !(1..=PARTICIPANT_COUNT_MAX).contains(&count) {
            return Err(SharingError::Count(count));
        }
        if parts.title.len() > SHARING_TITLE_SIZE_MAX || parts.title.chars().any(char::is_control) {
            return Err(SharingError::Title);
        }
        check_flow(&parts.generator, Flow::Export)?;
        parts.participants.sort();
        for pair in parts.participants.windows(2) {
            if pair[0].consumes.usage_point == pair[1].consumes.usage_point {
                return Err(SharingError::Twice(pair[0].consumes.usage_point));
            }
        }
        for one in &parts.participants {
            let usage_point = one.consumes.usage_point;
            if usage_point == parts.generator.usage_point {
                return Err(SharingError::Generator(usage_point));
            }
            check_flow(&one.consumes, Flow::Import)?;
            if (one.part == 0) != (parts.mode == SharingMode::Dynamic) {
                return Err(SharingError::Part(usage_point));
            }
        }
        let sum: u64 = parts.participants.iter().map(|one| u64::from(one.part)).sum();
        if sum > u64::from(PART_WHOLE) {
            return Err(SharingError::Parts(sum));
        }
        Ok(Self(parts))
    }

    /// The checked parts, participants by usage point.
    #[must_use]
    pub const fn parts(&self) -> &SharingParts {
        &self.0
    }

    /// Shares one interval. `consumed_wh` are the participants' consumptions in the group's order; no value is negative.
    ///
    /// # Panics
    /// If there are more or fewer consumptions than participants, or one is negative, or generation is.
    #[must_use]
    pub fn share(&self, generated_wh: i32, consumed_wh: &[i32]) -> SharedInterval {
        let participants = &self.0.participants;
        assert_eq!(consumed_wh.len(), participants.len(), "a consumption for each participant");
        assert!(generated_wh >= 0 && consumed_wh.iter().all(|wh| *wh >= 0), "energy is not negative");
        let generated_wh = i64::from(generated_wh);
        let consumed = || consumed_wh.iter().map(|&wh| i64::from(wh));
        let given_wh = match self.0.mode {
            SharingMode::Static => self.allotted(generated_wh),
            SharingMode::Capped => self
                .allotted(generated_wh)
                .into_iter()
                .zip(consumed())
                .map(|(part, used)| part.min(used))
                .collect(),
            SharingMode::Dynamic => {
                let whole_wh = generated_wh.min(consumed().sum());
                largest_remainder(whole_wh, &consumed().collect::<Vec<_>>())
            }
        };
        let fed_in_wh = generated_wh - given_wh.iter().sum::<i64>();
        SharedInterval { given_wh, fed_in_wh }
    }

    /// Each participant's part; what is nobody's is a weight of its own, the last.
    fn allotted(&self, generated_wh: i64) -> Vec<i64> {
        let mut weights: Vec<i64> = self.0.participants.iter().map(|one| i64::from(one.part)).collect();
        weights.push(i64::from(PART_WHOLE) - weights.iter().sum::<i64>());
        let mut parts = largest_remainder(generated_wh, &weights);
        parts.pop();
        parts
    }

    /// Shares a local day. `consumed` are the participants' blocks in the group's order; one that is absent consumed
    /// nothing that is known.
    ///
    /// # Errors
    /// [`SharedDayError`] if the blocks differ in their intervals.
    ///
    /// # Panics
    /// If there are more or fewer blocks than participants.
    pub fn share_day(
        &self,
        generated: &DayBlock,
        consumed: &[Option<&DayBlock>],
    ) -> Result<SharedDay, SharedDayError> {
        assert_eq!(consumed.len(), self.0.participants.len(), "a block or none for each participant");
        let grid = |block: &DayBlock| (block.start(), block.interval_minutes(), block.interval_count());
        if let Some(other) = consumed.iter().flatten().find(|block| grid(block) != grid(generated)) {
            return Err(SharedDayError::Intervals { usage_point: other.key().usage_point });
        }
        let mut missing_count = 0;
        let mut value = |block: &DayBlock, at: usize| {
            let (wh, quality) = block.interval(at);
            if quality.is_billable() {
                wh
            } else {
                missing_count += 1;
                0
            }
        };
        let mut intervals = Vec::with_capacity(generated.interval_count());
        for at in 0..generated.interval_count() {
            let generated_wh = value(generated, at);
            let consumed_wh: Vec<i32> =
                consumed.iter().map(|block| block.map_or(0, |block| value(block, at))).collect();
            intervals.push(self.share(generated_wh, &consumed_wh));
        }
        let absent = consumed.iter().filter(|block| block.is_none()).count();
        missing_count += absent * generated.interval_count();
        Ok(SharedDay { intervals, missing_count })
    }
}

fn check_flow(of: &SharedRegister, flow: Flow) -> Result<(), SharingError> {
    if of.register.flow == flow {
        return Ok(());
    }
    let wanted = if flow == Flow::Export { "export" } else { "import" };
    Err(SharingError::Flow { usage_point: of.usage_point, register: of.register, wanted })
}

/// `whole` in proportion to weights: the odd watt-hours go to the largest remainders, the first of equal ones first. All
/// weights zero: nothing to anybody.
fn largest_remainder(whole_wh: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let product = |weight: i64| i128::from(whole_wh) * i128::from(weight);
    let quotient = |weight: i64| i64::try_from(product(weight) / sum).expect("a share is at most the whole");
    let mut shares: Vec<i64> = weights.iter().map(|&weight| quotient(weight)).collect();
    let left = usize::try_from(whole_wh - shares.iter().sum::<i64>()).expect("less than one is left of each");
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&at| Reverse(product(weights[at]) % sum));
    for &at in &order[..left] {
        shares[at] += 1;
    }
    shares
}
