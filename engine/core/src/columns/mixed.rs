//! Rating rows of many plans: sorted by plan a block at a time, so that the kernel still runs over columns.

use super::{ColumnError, RatePlan, rate_columns, same_length};
use crate::determinants::RunningUse;

/// Rows sorted together: with their places, about 100 KiB.
const BLOCK_ROW_COUNT: usize = 2_048;

/// As [`rate_columns`], where row `i` is billed by `plans[plan_of[i]]`.
///
/// # Errors
/// [`ColumnError`]; a row of [`ColumnError::Overflow`] is the row in `uses`.
pub fn rate_mixed(
    plans: &[RatePlan],
    plan_of: &[u8],
    uses: &[RunningUse],
    totals_minor: &mut [i64],
) -> Result<(), ColumnError> {
    same_length(uses.len(), totals_minor.len())?;
    same_length(uses.len(), plan_of.len())?;
    let mut sorted = vec![RunningUse::default(); BLOCK_ROW_COUNT.min(uses.len())];
    let mut places = vec![0; sorted.len()];
    let mut totals = vec![0; sorted.len()];
    for start in (0..uses.len()).step_by(BLOCK_ROW_COUNT) {
        let end = uses.len().min(start + BLOCK_ROW_COUNT);
        let (block, plan_of) = (&uses[start..end], &plan_of[start..end]);
        let ends = sort(plans.len(), plan_of, block, &mut sorted, &mut places)
            .map_err(|row| unknown(start + row, plan_of[row], plans.len()))?;
        let mut from = 0;
        for (plan, &to) in plans.iter().zip(&ends) {
            rate_columns(plan, &sorted[from..to], &mut totals[from..to]).map_err(|error| match error {
                ColumnError::Overflow { row } => ColumnError::Overflow { row: start + places[from + row] },
                other => other,
            })?;
            from = to;
        }
        let found = &mut totals_minor[start..end];
        for (&place, &total) in places.iter().zip(&totals[..end - start]) {
            found[place] = total;
        }
    }
    Ok(())
}

/// Puts the rows of each plan side by side, in order; gives back where each plan's rows end, or a row without a plan.
fn sort(
    plan_count: usize,
    plan_of: &[u8],
    uses: &[RunningUse],
    sorted: &mut [RunningUse],
    places: &mut [usize],
) -> Result<Vec<usize>, usize> {
    let mut next = vec![0_usize; plan_count + 1];
    for (row, &plan) in plan_of.iter().enumerate() {
        *next.get_mut(usize::from(plan) + 1).ok_or(row)? += 1;
    }
    for plan in 1..next.len() {
        next[plan] += next[plan - 1];
    }
    for (row, (&plan, point)) in plan_of.iter().zip(uses).enumerate() {
        let place = &mut next[usize::from(plan)];
        sorted[*place] = *point;
        places[*place] = row;
        *place += 1;
    }
    next.truncate(plan_count);
    Ok(next)
}

fn unknown(row: usize, plan: u8, count: usize) -> ColumnError {
    ColumnError::Plan { row, plan: usize::from(plan), count }
}
