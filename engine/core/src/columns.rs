//! The columnar money kernel: determinants in, whole minor units out, plain slices both.
//!
//! A bill *document* ([`crate::rate`]) shows every line. For the sum of a hundred million bills only totals are needed:
//! a [`RatePlan`] is a tariff compiled to lines over [`RunningUse`], and a line is priced for 256 bills at a time.
//!
//! ```text
//!   RunningUse × 256 ── quantity of line 1 ─▶ × price ─▶ ÷ 10^9, rounded ─┐
//!                    ── quantity of line 2 ─▶ × price ─▶ ÷ 10^9, rounded ─┼─▶ Σ ─▶ + tax, rounded ─▶ totals
//!                    ── …                                                 ┘
//!        64 bits when price × the chunk's largest quantity proves they suffice; else row by row in 128
//! ```
//!
//! The width is decided from bounds, once a chunk, never a row, and changes no result: the tests hold both equal to
//! `rust_decimal`, and to the documents for every tariff that [`RatePlan::of`] takes.
//!
//! ```
//! use tallywatt_core::columns::{PlanLine, Quantity, RatePlan, rate_columns};
//! use tallywatt_core::determinants::{RunningUse, ZoneSet};
//! use tallywatt_core::money::Rounding;
//! use tallywatt_core::tariff::{RoundEach, Vat};
//! let line = PlanLine { quantity: Quantity::Energy(ZoneSet::ALL), price: "6.43".parse()? };
//! let vat = Vat { rate_e4: 2_000, is_included: false };
//! let plan = RatePlan::new(vec![line], Rounding::HalfEven, RoundEach::Line, vat)?;
//! let point = RunningUse::from_parts([100_000, 50_500, 0], 0, 30)?;
//! let mut totals_minor = [0];
//! rate_columns(&plan, &[point], &mut totals_minor)?;
//! assert_eq!(totals_minor, [116_126]); // 967.715 rounds to 967.72, its tax 193.544 to 193.54
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::determinants::RunningUse;

mod mixed;
mod narrow;
mod plan;
mod split;
mod wide;

pub use mixed::rate_mixed;
pub use plan::{PLAN_LINE_COUNT_MAX, PlanError, PlanLine, Quantity, RatePlan};
pub use split::{SplitPlan, due_columns, split_columns};

/// Bills rated together: their columns stay in the first cache.
const CHUNK_ROW_COUNT: usize = 256;

/// Why columns cannot be computed. Rows are counted from 0 in the slices given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    /// Two columns differ in length.
    #[error("a column of {found} rows beside one of {expected}")]
    Lengths {
        /// Rows of the first column.
        expected: usize,
        /// Rows of the other.
        found: usize,
    },
    /// An amount beyond what can be written.
    #[error("an amount of row {row} does not fit 64-bit minor units")]
    Overflow {
        /// Which row.
        row: usize,
    },
    /// A total that cannot be split.
    #[error("the total of row {row} is negative: {total_minor} minor units")]
    Negative {
        /// Which row.
        row: usize,
        /// Its total.
        total_minor: i64,
    },
    /// A row names a plan that is not there.
    #[error("row {row} is billed by plan {plan}, of {count}")]
    Plan {
        /// Which row.
        row: usize,
        /// Its plan.
        plan: usize,
        /// How many plans there are.
        count: usize,
    },
}

/// The largest determinants of some rows: what they are multiplied by decides the width.
#[derive(Debug, Clone, Copy, Default)]
struct Largest {
    total_wh: i64,
    demand_wh: i32,
    day_count: u16,
}

impl Largest {
    fn of(uses: &[RunningUse]) -> Self {
        uses.iter().fold(Self::default(), |largest, point| Self {
            total_wh: largest.total_wh.max(point.total_wh()),
            demand_wh: largest.demand_wh.max(point.demand_wh()),
            day_count: largest.day_count.max(point.day_count()),
        })
    }
}

/// Rates one bill a row: `totals_minor[i]` becomes what `uses[i]` costs under `plan`, tax included, minor units.
///
/// # Errors
/// [`ColumnError::Lengths`], or [`ColumnError::Overflow`] for the first bill whose lines, tax or total do not fit;
/// totals from its chunk on are then left as they were.
pub fn rate_columns(
    plan: &RatePlan,
    uses: &[RunningUse],
    totals_minor: &mut [i64],
) -> Result<(), ColumnError> {
    same_length(uses.len(), totals_minor.len())?;
    let chunks = uses.chunks(CHUNK_ROW_COUNT).zip(totals_minor.chunks_mut(CHUNK_ROW_COUNT));
    for (number, (uses, totals_minor)) in chunks.enumerate() {
        if plan.fits_narrow(Largest::of(uses)) {
            narrow::rate(plan, uses, totals_minor);
        } else {
            wide::rate(plan, uses, totals_minor)
                .map_err(|row| ColumnError::Overflow { row: number * CHUNK_ROW_COUNT + row })?;
        }
    }
    Ok(())
}

/// As [`rate_columns`], all rows in 128 bits: what the fast path must equal, and what it is measured against.
///
/// # Errors
/// As [`rate_columns`].
pub fn rate_columns_wide(
    plan: &RatePlan,
    uses: &[RunningUse],
    totals_minor: &mut [i64],
) -> Result<(), ColumnError> {
    same_length(uses.len(), totals_minor.len())?;
    wide::rate(plan, uses, totals_minor).map_err(|row| ColumnError::Overflow { row })
}

const fn same_length(expected: usize, found: usize) -> Result<(), ColumnError> {
    if expected == found { Ok(()) } else { Err(ColumnError::Lengths { expected, found }) }
}
