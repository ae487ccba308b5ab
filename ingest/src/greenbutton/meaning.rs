//! What the values of a block mean: register, scale and whether they are energies or register reads.

use tallywatt_core::quality::Quality;
use tallywatt_core::register::{Flow, Register};
use tallywatt_core::rejection::RejectionCode;

use super::GreenButton;
use super::resource::{ReadingType, Written, quality_of};
use super::ties::Tied;
use crate::scale::{Scale, Unit};

/// The values of a block, understood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meaning {
    pub(super) register: Register,
    pub(super) scale: Scale,
    pub(super) is_cumulative: bool,
    pub(super) quality: Quality,
    /// Seconds, if the type says it.
    pub(super) interval_length_s: Option<u32>,
}

/// Why a block is rejected, and what is told of it.
pub(super) type Refused = (RejectionCode, String);

impl Meaning {
    pub(super) fn of(profile: &GreenButton, tied: &Tied<'_>) -> Result<Self, Refused> {
        let point_kind = tied.point.map(|(point, _)| &point.kind);
        match point_kind {
            None | Some(Written::Absent | Written::Whole(0)) => (),
            Some(kind) => {
                let what = match kind {
                    Written::Whole(1) => " (gas)",
                    Written::Whole(2) => " (water)",
                    _ => "",
                };
                return Err((RejectionCode::Register, format!("service category {}{what}", kind.told())));
            }
        }
        match tied.reading_type {
            Some(of_type) => of_type.meaning(profile),
            None => Self::untyped(profile),
        }
    }

    /// Of a block whose type is not in the file.
    fn untyped(profile: &GreenButton) -> Result<Self, Refused> {
        let (Some(scale), Some(register)) = (profile.untyped, profile.register) else {
            let what = "no ReadingType in the file: set unit and obis in the profile".to_owned();
            return Err((RejectionCode::Unit, what));
        };
        if !scale.unit.measures(register.flow) {
            return Err((RejectionCode::Unit, format!("the profile's unit does not measure {register}")));
        }
        Ok(Self { register, scale, is_cumulative: false, quality: Quality::Valid, interval_length_s: None })
    }
}

impl ReadingType {
    fn meaning(&self, profile: &GreenButton) -> Result<Meaning, Refused> {
        let unit = match self.uom {
            Written::Whole(72) => Unit::WH,
            Written::Whole(73) => Unit::VARH,
            _ => {
                return Err((
                    RejectionCode::Unit,
                    format!("uom {}{}", self.uom.told(), unit_name(&self.uom)),
                ));
            }
        };
        if !matches!(self.commodity, Written::Absent | Written::Whole(0..=2)) {
            return Err((
                RejectionCode::Register,
                format!("commodity {}, not electricity", self.commodity.told()),
            ));
        }
        let is_cumulative = match self.accumulation {
            Written::Absent | Written::Whole(0 | 4) => false,
            Written::Whole(1 | 9) => true,
            _ => {
                let what = format!("accumulationBehaviour {}", self.accumulation.told());
                return Err((RejectionCode::Register, what));
            }
        };
        let quality = match &self.default_quality {
            Written::Absent => Some(Quality::Valid),
            Written::Whole(code) => quality_of(*code),
            _ => None,
        };
        let quality = quality.ok_or_else(|| {
            (RejectionCode::QualityFlag, format!("defaultQuality {}", self.default_quality.told()))
        })?;
        let interval_length_s = match self.interval_length {
            Written::Whole(seconds) => u32::try_from(seconds).ok(),
            _ => None,
        };
        let register = self.register(unit, profile)?;
        Ok(Meaning { register, scale: self.scale(unit, profile)?, is_cumulative, quality, interval_length_s })
    }

    fn register(&self, unit: Unit, profile: &GreenButton) -> Result<Register, Refused> {
        let flow = match (&self.flow, unit == Unit::WH) {
            (Written::Whole(1), true) => Flow::Import,
            (Written::Whole(19), true) => Flow::Export,
            (Written::Whole(1), false) => Flow::ReactiveImport,
            (Written::Whole(19), false) => Flow::ReactiveExport,
            (Written::Absent | Written::Whole(0), _) => match profile.register {
                Some(register) if unit.measures(register.flow) => return Ok(register),
                _ => {
                    return Err((
                        RejectionCode::Register,
                        "no flowDirection: set obis in the profile".to_owned(),
                    ));
                }
            },
            (other, _) => return Err((RejectionCode::Register, format!("flowDirection {}", other.told()))),
        };
        let zone = match self.tou {
            Written::Absent => Some(0),
            Written::Whole(zone) => u8::try_from(zone).ok(),
            _ => None,
        };
        let zone = zone.ok_or_else(|| (RejectionCode::Register, format!("tou {}", self.tou.told())))?;
        Ok(Register { flow, channel: 0, zone })
    }

    fn scale(&self, unit: Unit, profile: &GreenButton) -> Result<Scale, Refused> {
        let power = match self.power_of_ten {
            Written::Absent => Some(0),
            Written::Whole(power) => i32::try_from(power).ok(),
            _ => None,
        };
        power.and_then(|power| Scale::of_power(unit, profile.rounds, power)).ok_or_else(|| {
            (RejectionCode::Unit, format!("powerOfTenMultiplier {}", self.power_of_ten.told()))
        })
    }
}

/// Of units that feeds have beside energy (ESPI `UomType`).
fn unit_name(uom: &Written) -> &'static str {
    match uom {
        Written::Whole(5) => " (A)",
        Written::Whole(29) => " (V)",
        Written::Whole(33) => " (Hz)",
        Written::Whole(38) => " (W)",
        Written::Whole(42) => " (m³)",
        Written::Whole(61) => " (VA)",
        Written::Whole(63) => " (var)",
        Written::Whole(65) => " (power factor)",
        Written::Whole(71) => " (VAh)",
        Written::Whole(106) => " (Ah)",
        Written::Whole(119) => " (ft³)",
        Written::Whole(128) => " (US gal)",
        Written::Whole(132) => " (Btu)",
        Written::Whole(134) => " (l)",
        Written::Whole(169) => " (therm)",
        _ => "",
    }
}
