//! A rule pack: which rules are asked of which class of registers, with what parameters, from when to when.
//!
//! Dated and hashed as a tariff is, so that a finding names the pack it was made by, and three nodes find alike.

use crate::label::Label;
use crate::register::{Flow, Register};
use crate::validity::Validity;
use crate::vee::estimate::parameters::EstimationParameters;
use crate::vee::parameters::{ParameterError, RuleParameters};
use crate::vee::rule::RuleSet;

/// Longest title or source of a pack, bytes.
pub const PACK_TEXT_SIZE_MAX: usize = 240;

/// What a register measures, as far as rules differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RegisterClass {
    /// What a household takes.
    Residential = 0,
    /// What a shop, an office or a workshop takes.
    Commercial = 1,
    /// What is measured behind transformers.
    Industrial = 2,
    /// What a prosumer feeds in.
    Export = 3,
    /// Reactive energy.
    Reactive = 4,
}

/// Number of register classes.
pub const CLASS_COUNT: usize = 5;

impl RegisterClass {
    /// Every class, in the order of its code.
    pub const ALL: [Self; CLASS_COUNT] =
        [Self::Residential, Self::Commercial, Self::Industrial, Self::Export, Self::Reactive];

    /// Its name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Residential => "residential",
            Self::Commercial => "commercial",
            Self::Industrial => "industrial",
            Self::Export => "export",
            Self::Reactive => "reactive",
        }
    }

    /// The class of a register at a usage point of class `import`: the flow decides before the customer does.
    #[must_use]
    pub const fn of(register: Register, import: Self) -> Self {
        match register.flow {
            Flow::Import => import,
            Flow::Export => Self::Export,
            Flow::ReactiveImport | Flow::ReactiveExport => Self::Reactive,
        }
    }
}

/// The rules of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassRules {
    /// Which rules are asked.
    pub asked: RuleSet,
    /// With what parameters.
    pub parameters: RuleParameters,
}

impl Default for ClassRules {
    fn default() -> Self {
        Self { asked: RuleSet::ALL, parameters: RuleParameters::default() }
    }
}

/// What a pack is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePackParts {
    /// Its name.
    pub id: Label,
    /// What people call it.
    pub title: String,
    /// Where its figures come from.
    pub source: String,
    /// When it holds.
    pub validity: Validity,
    /// The rules by class, in the order of [`RegisterClass::ALL`].
    pub classes: [ClassRules; CLASS_COUNT],
    /// What gaps may be filled with.
    pub estimation: EstimationParameters,
}

/// Why parts are not a pack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// A title or source that is too long or not plain.
    #[error("{0} is longer than {PACK_TEXT_SIZE_MAX} bytes or has control characters")]
    Text(&'static str),
    /// A parameter of a class.
    #[error("{}: {error}", class.name())]
    Parameter {
        /// The class.
        class: RegisterClass,
        /// What is wrong.
        error: ParameterError,
    },
    /// A mean of more days than there may be, or of none.
    #[error("{min} like days are needed, {count} are taken")]
    LikeDays {
        /// The fewest whose mean stands.
        min: u8,
        /// How many a mean is made of.
        count: u8,
    },
}

/// A checked rule pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulePack {
    parts: RulePackParts,
}

impl RulePack {
    /// Checks that the parts are a pack.
    ///
    /// # Errors
    /// [`PackError`] names the first part that is not.
    pub fn new(parts: RulePackParts) -> Result<Self, PackError> {
        for (name, text) in [("title", &parts.title), ("source", &parts.source)] {
            if text.len() > PACK_TEXT_SIZE_MAX || text.chars().any(char::is_control) {
                return Err(PackError::Text(name));
            }
        }
        for (class, rules) in RegisterClass::ALL.into_iter().zip(&parts.classes) {
            rules.parameters.check().map_err(|error| PackError::Parameter { class, error })?;
        }
        let EstimationParameters { like_day_count: count, like_days_min: min, .. } = parts.estimation;
        if min > count || (count > 0 && min == 0) {
            return Err(PackError::LikeDays { min, count });
        }
        Ok(Self { parts })
    }

    /// What it is made from.
    #[must_use]
    pub const fn parts(&self) -> &RulePackParts {
        &self.parts
    }

    /// The rules of a class.
    #[must_use]
    pub const fn rules_of(&self, class: RegisterClass) -> &ClassRules {
        &self.parts.classes[class as usize]
    }

    /// What gaps may be filled with.
    #[must_use]
    pub const fn estimation(&self) -> &EstimationParameters {
        &self.parts.estimation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> RulePackParts {
        RulePackParts {
            id: "p".parse().unwrap(),
            title: "t".into(),
            source: "s".into(),
            validity: Validity::new("2026-01-01".parse().unwrap(), None).unwrap(),
            classes: [ClassRules::default(); CLASS_COUNT],
            estimation: EstimationParameters::default(),
        }
    }

    #[test]
    fn what_a_pack_may_not_hold() {
        assert!(RulePack::new(parts()).is_ok());
        let bent = |bend: &dyn Fn(&mut RulePackParts)| {
            let mut parts = parts();
            bend(&mut parts);
            RulePack::new(parts).map(|_| ()).map_err(|error| error.to_string())
        };
        let fail = |text: &str| Err(text.to_owned());
        let long = "x".repeat(PACK_TEXT_SIZE_MAX + 1);
        let text = "is longer than 240 bytes or has control characters";
        assert_eq!(bent(&|parts| parts.title = long.clone()), fail(&format!("title {text}")));
        assert_eq!(bent(&|parts| parts.source = "\n".into()), fail(&format!("source {text}")));
        let want = fail("industrial: flat_run_count is 1, need 2 to 60000");
        assert_eq!(bent(&|parts| parts.classes[2].parameters.flat_run_count = 1), want);
        let want = fail("4 like days are needed, 3 are taken");
        assert_eq!(
            bent(&|parts| (parts.estimation.like_day_count, parts.estimation.like_days_min) = (3, 4)),
            want
        );
        assert!(bent(&|parts| parts.estimation.like_days_min = 0).is_err());
    }

    #[test]
    fn classes_of_registers() {
        use RegisterClass::{Commercial, Export, Reactive};
        for (register, want) in
            [("1.8.0", Commercial), ("2.8.0", Export), ("3.8.0", Reactive), ("1-2:4.8.1", Reactive)]
        {
            assert_eq!(RegisterClass::of(register.parse().unwrap(), Commercial), want, "{register}");
        }
        for (at, class) in RegisterClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, at);
        }
    }
}
