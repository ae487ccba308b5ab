//! Which register of a meter a value belongs to, by its OBIS code `1-B:C.8.E` (IEC 62056-6-1).

use std::fmt;
use std::str::FromStr;

/// What a register counts: group C of the OBIS code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flow {
    /// `1`: active energy taken from the grid, Wh.
    Import,
    /// `2`: active energy fed into the grid, Wh.
    Export,
    /// `3`: reactive energy imported, varh.
    ReactiveImport,
    /// `4`: reactive energy exported, varh.
    ReactiveExport,
}

impl Flow {
    /// Every flow, in the order of the OBIS group C.
    pub const ALL: [Self; 4] = [Self::Import, Self::Export, Self::ReactiveImport, Self::ReactiveExport];

    /// Group C of the OBIS code, 1 to 4.
    #[must_use]
    pub const fn group_c(self) -> u8 {
        match self {
            Self::Import => 1,
            Self::Export => 2,
            Self::ReactiveImport => 3,
            Self::ReactiveExport => 4,
        }
    }

    /// From group C; `None` for a quantity that is not energy.
    #[must_use]
    pub const fn from_group_c(group_c: u8) -> Option<Self> {
        match group_c {
            1 => Some(Self::Import),
            2 => Some(Self::Export),
            3 => Some(Self::ReactiveImport),
            4 => Some(Self::ReactiveExport),
            _ => None,
        }
    }
}

/// One register of a usage point: `1-channel:flow.8.zone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Register {
    /// Group C: what it counts.
    pub flow: Flow,
    /// Group B: measuring channel, 0 when the meter has one.
    pub channel: u8,
    /// Group E: tariff zone register, 0 for the total.
    pub zone: u8,
}

impl Register {
    /// `1-0:1.8.0`, total active import: what a household is billed by.
    pub const IMPORT: Self = Self::total(Flow::Import, 0);

    /// The total register of a flow on a channel.
    #[must_use]
    pub const fn total(flow: Flow, channel: u8) -> Self {
        Self { flow, channel, zone: 0 }
    }
}

impl fmt::Display for Register {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("1-{}:{}.8.{}", self.channel, self.flow.group_c(), self.zone);
        f.pad(&text)
    }
}

/// The text is not the code of an energy register.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the OBIS code of an energy register, such as 1-0:1.8.0")]
pub struct RegisterError(String);

impl FromStr for Register {
    type Err = RegisterError;

    /// Takes `1-0:1.8.0`, with or without the medium, channel and `*255` parts.
    fn from_str(text: &str) -> Result<Self, RegisterError> {
        let fail = || RegisterError(text.chars().take(40).collect());
        let rest = text.strip_suffix("*255").unwrap_or(text);
        let (channel, rest) = match rest.split_once(':') {
            Some((left, right)) => {
                let channel = left.strip_prefix("1-").ok_or_else(fail)?;
                (channel.parse().map_err(|_| fail())?, right)
            }
            None => (0, rest),
        };
        let mut groups = rest.split('.');
        let mut group = || -> Option<u8> { groups.next()?.parse().ok() };
        let (Some(c), Some(8), Some(zone)) = (group(), group(), group()) else {
            return Err(fail());
        };
        if groups.next().is_some() {
            return Err(fail());
        }
        let flow = Flow::from_group_c(c).ok_or_else(fail)?;
        Ok(Self { flow, channel, zone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        for (text, want) in [
            ("1-0:1.8.0", Register::IMPORT),
            ("1.8.0", Register::IMPORT),
            ("1-0:1.8.0*255", Register::IMPORT),
            ("1-2:2.8.1", Register { flow: Flow::Export, channel: 2, zone: 1 }),
        ] {
            assert_eq!(text.parse(), Ok(want), "{text}");
        }
        assert_eq!(Register::IMPORT.to_string(), "1-0:1.8.0");
        for text in ["", "1-0:5.8.0", "1-0:1.7.0", "0-0:1.8.0", "1-0:1.8", "1-0:1.8.0.0", "1-300:1.8.0"] {
            assert!(text.parse::<Register>().is_err(), "{text}");
        }
    }
}
