//! The `[deviation]` table of a tariff file: read, and written again.
//!
//! ```toml
//! [deviation]                # hour by hour, against the plan of each usage point
//! above = "excess-ural"      # the series that says what a kilowatt-hour above the plan costs
//! below = "shortfall-ural"   # what one costs that was planned and not taken
//! ```

use std::fmt::Write as _;

use serde::Deserialize;
use tallywatt_core::tariff::{Deviation, TariffParts};

use super::error::DocumentError;
use super::field::{Field, Source};
use super::tariff_text::quoted;

const NAMES: &str = "write the name of a price series, 1 to 33 printable ASCII characters";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviationTable {
    pub(super) above: Field,
    below: Field,
}

/// The rule that the table says.
pub(super) fn deviation_of(source: &Source<'_>, table: &DeviationTable) -> Result<Deviation, DocumentError> {
    Ok(Deviation {
        above: source.parse("above", &table.above, NAMES)?,
        below: source.parse("below", &table.below, NAMES)?,
    })
}

/// The `[deviation]` table; nothing if the tariff has none.
pub(super) fn render_deviation(text: &mut String, parts: &TariffParts) {
    if let Some(Deviation { above, below }) = &parts.deviation {
        let (above, below) = (quoted(above.as_str()), quoted(below.as_str()));
        let _ = writeln!(text, "[deviation]\nabove = {above}\nbelow = {below}");
    }
}
