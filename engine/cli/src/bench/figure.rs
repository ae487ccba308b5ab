//! One measured figure: what, on how many threads, how much a second, and of which limit.

use serde_json::{Value, json};

/// A limit of the machine, or a stage of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What the machine can do.
    Limit,
    /// What a stage does.
    Stage,
}

impl Kind {
    /// Its name in rows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Stage => "stage",
        }
    }
}

/// How a figure is told: what is counted, and how many of it make one unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// Its name.
    pub name: &'static str,
    /// How many counted things a unit is.
    pub scale: f64,
}

impl Unit {
    /// Bytes.
    pub const BYTES: Self = Self { name: "GB/s", scale: 1e9 };
    /// Values of one interval each.
    pub const READINGS: Self = Self { name: "M readings/s", scale: 1e6 };
    /// Bills of one account each, from what it used.
    pub const BILLS: Self = Self { name: "M bills/s", scale: 1e6 };
    /// Proofs of one register-day each.
    pub const PROOFS: Self = Self { name: "k proofs/s", scale: 1e3 };
    /// Receipts of one bill each.
    pub const RECEIPTS: Self = Self { name: "receipts/s", scale: 1.0 };
    /// Ed25519 signatures.
    pub const SIGNATURES: Self = Self { name: "k checks/s", scale: 1e3 };
    /// Time, where less is better. The rate is in seconds then.
    pub const MICROSECONDS: Self = Self { name: "µs", scale: 1e-6 };
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Limit or stage.
    pub kind: Kind,
    /// What was measured.
    pub name: &'static str,
    /// On how many threads.
    pub threads: usize,
    /// How it is told.
    pub unit: Unit,
    /// Counted things a second; seconds for [`Unit::MICROSECONDS`].
    pub rate: f64,
    /// Distance of the quartiles, as a part of the median.
    pub spread: f64,
    /// What limits it.
    pub limit: Option<&'static str>,
    /// Its part of what the limit allows.
    pub share: Option<f64>,
    /// How many times the rate of one thread.
    pub speed_up: Option<f64>,
}

impl Figure {
    /// The rate in its unit.
    pub fn in_unit(&self) -> f64 {
        self.rate / self.unit.scale
    }

    /// What the limit would allow, in the figure's unit.
    pub fn allowed_in_unit(&self) -> Option<f64> {
        self.share.filter(|share| *share > 0.0).map(|share| self.in_unit() / share)
    }
}

/// A number with about three digits that count.
pub fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.0995 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

/// The same for a cell of a table: a number for programs, too.
pub fn number(value: f64) -> Value {
    let text = digits(value);
    text.parse::<u64>()
        .map_or_else(|_| text.parse::<f64>().map_or(Value::Null, |value| json!(value)), |whole| json!(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_count() {
        let table = [
            (0.0, "0.000"),
            (0.01234, "0.012"),
            (0.4612, "0.46"),
            (0.9996, "1.00"),
            (1.0, "1.00"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (24.06, "24.1"),
            (99.96, "100"),
            (1_234.5, "1234"),
        ];
        for (value, want) in table {
            assert_eq!(digits(value), want, "{value}");
        }
        assert_eq!((number(24.06), number(241.3)), (json!(24.1), json!(241)));
    }
}
