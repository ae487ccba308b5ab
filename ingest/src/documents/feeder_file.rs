//! The feeder list, as CSV: `head,usage_point,loss_permille_norm`.
//!
//! One row is one meter below a feeder's head. The norm is the technical loss of that feeder, thousandths of what the head
//! gave, and stands alike in every row of it.
//!
//! ```
//! use tallywatt_ingest::documents::parse_feeders;
//!
//! let list = "head,usage_point,loss_permille_norm\nTP-12,P-1,60\nTP-12,P-2,60\n";
//! let feeders = parse_feeders("feeders.csv", list.as_bytes())?;
//! assert_eq!((feeders[0].meters.len(), feeders[0].loss_thousandths_norm), (2, 60));
//! # Ok::<(), tallywatt_ingest::documents::DocumentError>(())
//! ```

use std::collections::BTreeMap;
use std::io::Read;

use tallywatt_core::label::UsagePointId;

use super::error::DocumentError;
use super::rows::{Columns, Rows};

const COLUMNS: [&str; 3] = ["head", "usage_point", "loss_permille_norm"];
/// The most that a norm can be: all that the head gave.
const NORM_MAX: i64 = 1_000;

const VALUE: &str = "correct the value";
const NORM: &str = "write a whole number from 0 to 1000, thousandths of what the head gave";
const ONCE: &str = "name each meter once, below the head that feeds it";

/// A head and the meters below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feeder {
    /// The usage point that measures what the feeder gave.
    pub head: UsagePointId,
    /// What it gave them to, in order of name, each once.
    pub meters: Vec<UsagePointId>,
    /// The technical loss to be expected, thousandths of what the head gave, 0 to 1000.
    pub loss_thousandths_norm: i64,
}

/// Reads a feeder list; gives the feeders in order of their heads. `file` is its name in messages.
///
/// A meter may be the head of another feeder, but stands below one head only.
///
/// # Errors
/// [`DocumentError`] names the first line that is wrong.
pub fn parse_feeders(file: &str, input: impl Read) -> Result<Vec<Feeder>, DocumentError> {
    let mut rows = Rows::new(file, input);
    let columns = rows.header(COLUMNS)?;
    let mut feeders: BTreeMap<UsagePointId, Feeder> = BTreeMap::new();
    let mut lines: BTreeMap<UsagePointId, u64> = BTreeMap::new();
    while let Some(row) = rows.next_row()? {
        let (head, meter, norm) = feeder_of(&rows, &columns, &row)?;
        if let Some(line) = lines.insert(meter, rows.line()) {
            let problem = format!("usage point {meter} stands on line {line} already");
            return Err(rows.fail(rows.line(), problem, ONCE));
        }
        let feeder = feeders.entry(head).or_insert_with(|| Feeder {
            head,
            meters: Vec::new(),
            loss_thousandths_norm: norm,
        });
        if feeder.loss_thousandths_norm != norm {
            let problem =
                format!("loss_permille_norm of {head} is {norm}, {} above", feeder.loss_thousandths_norm);
            return Err(rows.fail(rows.line(), problem, "give every row of a head the same norm"));
        }
        feeder.meters.push(meter);
    }
    let mut feeders: Vec<Feeder> = feeders.into_values().collect();
    feeders.iter_mut().for_each(|feeder| feeder.meters.sort_unstable());
    Ok(feeders)
}

fn feeder_of<R: Read>(
    rows: &Rows<'_, R>,
    columns: &Columns<3>,
    row: &[String],
) -> Result<(UsagePointId, UsagePointId, i64), DocumentError> {
    let fields = columns.pick(rows, row)?;
    let name = |at: usize| -> Result<UsagePointId, DocumentError> {
        let fail = |error| rows.fail(rows.line(), format!("{}: {error}", columns.name(at)), VALUE);
        fields[at].parse().map_err(fail)
    };
    let (head, meter) = (name(0)?, name(1)?);
    if head == meter {
        return Err(rows.fail(rows.line(), format!("{head} is its own head"), ONCE));
    }
    let is_plain = !fields[2].is_empty() && fields[2].bytes().all(|byte| byte.is_ascii_digit());
    let norm = fields[2].parse().ok().filter(|norm| is_plain && (0..=NORM_MAX).contains(norm));
    let norm =
        norm.ok_or_else(|| rows.fail(rows.line(), format!("{} is not a norm", columns.name(2)), NORM))?;
    Ok((head, meter, norm))
}
