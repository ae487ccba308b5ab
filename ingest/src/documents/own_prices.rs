//! Prices of a contract's own, as a field of the contract list: `day=6.10;night/2=3.00;fixed_per_month=100`.
//!
//! A zone's price holds in every range, unless a range, counted from 1 behind a slash, has one of its own.

use tallywatt_core::contract::{Overridden, PriceOverride, overrides_in_order};
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::tariff::{FixedPer, RANGE_COUNT_MAX};

const FIXED: [(&str, FixedPer); 3] = [
    ("fixed_per_day", FixedPer::Day),
    ("fixed_per_month", FixedPer::Month),
    ("fixed_per_year", FixedPer::Year),
];

/// The prices that the text says, in order; nothing for an empty text.
pub(super) fn parse(text: &str) -> Result<Vec<PriceOverride>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let prices = text.split(';').map(|part| {
        let (name, price) = part.rsplit_once('=').ok_or_else(|| format!("{part:?} names no price"))?;
        let price: PricePerKwh = price.parse().map_err(|error| format!("{part:?}: {error}"))?;
        Ok(PriceOverride { what: overridden(name)?, price })
    });
    overrides_in_order(prices.collect::<Result<_, String>>()?).map_err(|error| error.to_string())
}

fn overridden(name: &str) -> Result<Overridden, String> {
    if let Some((_, per)) = FIXED.into_iter().find(|(known, _)| *known == name) {
        return Ok(Overridden::Fixed(per));
    }
    let zone = |zone: &str| zone.parse().map_err(|error| format!("zone {zone:?}: {error}"));
    match name.rsplit_once('/') {
        None => Ok(Overridden::Energy { zone: zone(name)?, range: None }),
        Some((named, range)) => {
            let number: usize = range.parse().map_err(|_| format!("{range:?} is no number of a range"))?;
            if !(1..=RANGE_COUNT_MAX).contains(&number) {
                return Err(format!("range {number}, need 1 to {RANGE_COUNT_MAX}"));
            }
            let range = u8::try_from(number - 1).ok();
            Ok(Overridden::Energy { zone: zone(named)?, range })
        }
    }
}

/// The field's text of these prices.
#[must_use]
pub fn render_own_prices(overrides: &[PriceOverride]) -> String {
    let part = |one: &PriceOverride| match one.what {
        Overridden::Energy { zone, range: None } => format!("{zone}={}", one.price),
        Overridden::Energy { zone, range: Some(range) } => format!("{zone}/{}={}", range + 1, one.price),
        Overridden::Fixed(per) => {
            let name = FIXED.into_iter().find(|(_, known)| *known == per).map_or("", |(name, _)| name);
            format!("{name}={}", one.price)
        }
    };
    overrides.iter().map(part).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_and_mistakes() {
        for (text, want) in [
            ("", Ok("")),
            ("day=6.1", Ok("day=6.10")),
            ("night=3;day/2=7.5;day=6", Ok("day=6.00;day/2=7.50;night=3.00")),
            ("fixed_per_month=0;a=b=1", Ok("a=b=1.00;fixed_per_month=0.00")),
            ("day", Err("\"day\" names no price")),
            ("day=x", Err("\"day=x\": not a decimal number")),
            ("day=-1", Err("negative price -1.00")),
            ("day=1;day=2", Err("a contract overrides one price twice")),
            ("day/0=1", Err("range 0, need 1 to 16")),
            ("day/17=1", Err("range 17, need 1 to 16")),
            ("day/x=1", Err("\"x\" is no number of a range")),
            ("=1", Err("zone \"\": empty name")),
            ("day=1;", Err("\"\" names no price")),
        ] {
            let got = parse(text).map(|own| render_own_prices(&own));
            assert_eq!(got, want.map(str::to_owned).map_err(str::to_owned), "{text}");
            if let Ok(written) = got {
                assert_eq!(parse(&written).map(|own| render_own_prices(&own)), Ok(written));
            }
        }
        let many: Vec<String> = (0..65).map(|at| format!("z{at}=1")).collect();
        assert_eq!(parse(&many.join(";")), Err("65 prices of a contract's own, at most 64".into()));
    }
}
