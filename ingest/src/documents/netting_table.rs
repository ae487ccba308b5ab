//! The `[netting]` table of a tariff file, and the look-back of its demand charges: read, and written again.
//!
//! ```toml
//! [netting]
//! mode = "month-carry"                     # none | interval | zone-month | month-carry | net-billing
//! # minutes = 60                           # interval: netted over stretches of at least so long
//! sell = { day = "0.05", night = "0.03" }  # a kilowatt-hour fed in, by zone; month-carry may leave it out for nothing
//! # pool_zones = true                      # month-carry: credit of one zone nets the others too
//! # settle_month = 3                       # month-carry: at the end of this month credit is paid out
//!
//! # of a demand charge: at least so much of the peaks of the months before
//! # look_back_months = 11
//! # look_back = ["jun-sep 80"]             # per cent, of the peaks of these months; "80" of every month's
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use tallywatt_core::decimal::Decimal;
use tallywatt_core::money::PricePerKwh;
use tallywatt_core::tariff::{
    LOOK_BACK_MONTHS_MAX, LOOK_BACK_WHOLE, LookBack, Netting, NettingMode, TariffParts, TariffZone,
};
use toml::Spanned;

use super::error::DocumentError;
use super::field::{Field, Source};
use super::tariff_file::price_of;
use super::windows;

const MODES: &str = "write mode = \"none\", \"interval\", \"zone-month\", \"month-carry\" or \"net-billing\"";
const SELL: &str = "give each zone one sell price";
const MINUTES: &str = "write minutes = 5, 15, 30 or 60";
const MONTH: &str = "write the month as a number from 1 to 12";
const MONTHS: &str = "write look_back_months = 1 to 12";
const LOOK_BACK: &str = "write look_back = [\"80\"], or [\"jun-sep 80\"] for the peaks of some months";
const BOTH: &str = "write both look_back_months and look_back, or neither";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NettingTable {
    pub(super) mode: Field,
    minutes: Option<Field>,
    sell: Option<Spanned<BTreeMap<String, Field>>>,
    pool_zones: Option<Field>,
    settle_month: Option<Field>,
}

/// The netting that the table says.
pub(super) fn netting_of(
    source: &Source<'_>,
    table: &NettingTable,
    zones: &[TariffZone],
) -> Result<Netting, DocumentError> {
    let name = source.text("mode", &table.mode)?;
    let mode = NettingMode::ALL.into_iter().find(|mode| mode.name() == name);
    let mode = mode.ok_or_else(|| {
        source.fail(&table.mode.span(), format!("netting mode {name:?} is not known"), MODES)
    })?;
    let whole = |name: &str, field: &Option<Field>, range, next_step| {
        field.as_ref().map(|field| source.whole::<u8>(name, field, range, next_step)).transpose()
    };
    let sell = match &table.sell {
        Some(sell) => sell_of(source, sell, zones)?,
        None if mode == NettingMode::MonthCarry => vec![PricePerKwh::default(); zones.len()],
        None => return Err(source.fail(&table.mode.span(), "netting without sell prices", SELL)),
    };
    Ok(Netting {
        mode,
        minutes: whole("minutes", &table.minutes, 5..=60, MINUTES)?.unwrap_or(0),
        sell,
        pools_zones: match &table.pool_zones {
            Some(field) => source.flag("pool_zones", field)?,
            None => false,
        },
        settle_month: whole("settle_month", &table.settle_month, 1..=12, MONTH)?,
    })
}

fn sell_of(
    source: &Source<'_>,
    sell: &Spanned<BTreeMap<String, Field>>,
    zones: &[TariffZone],
) -> Result<Vec<PricePerKwh>, DocumentError> {
    let given = sell.get_ref();
    let is_zone = |name: &str| zones.iter().any(|zone| zone.name.as_str() == name);
    if let Some((name, field)) = given.iter().find(|(name, _)| !is_zone(name)) {
        let problem = format!("sell has a price for {name:?}, which is no zone of this tariff");
        return Err(source.fail(&field.span(), problem, SELL));
    }
    let price = |zone: &TariffZone| match given.get(zone.name.as_str()) {
        Some(field) => price_of(source, "sell", field),
        None => Err(source.fail(&sell.span(), format!("sell has no price for zone {}", zone.name), SELL)),
    };
    zones.iter().map(price).collect()
}

/// The look-back of the demand charge at `charge`; `place` is where it is named.
pub(super) fn look_back_of(
    source: &Source<'_>,
    charge: usize,
    months: Option<&Field>,
    peaks: Option<&Spanned<Vec<Field>>>,
) -> Result<Option<LookBack>, DocumentError> {
    let (months, peaks) = match (months, peaks) {
        (Some(months), Some(peaks)) => (months, peaks),
        (None, None) => return Ok(None),
        (Some(months), None) => return Err(source.fail(&months.span(), "look_back is missing", BOTH)),
        (None, Some(peaks)) => return Err(source.fail(&peaks.span(), "look_back_months is missing", BOTH)),
    };
    let mut percent_e2 = [0; 12];
    for field in peaks.get_ref() {
        let text = source.text("look_back", field)?;
        let refuse =
            || source.fail(&field.span(), format!("look_back {text:?} is no part of peaks"), LOOK_BACK);
        let (names, percent) =
            text.split_once(' ').map_or((None, text), |(names, percent)| (Some(names), percent));
        let percent = Decimal::parse(percent.as_bytes(), b'.').and_then(|number| number.scaled(2));
        let percent = percent.ok().and_then(|percent| u16::try_from(percent).ok());
        let percent = percent.filter(|percent| (1..=LOOK_BACK_WHOLE).contains(percent)).ok_or_else(refuse)?;
        let bits = match names {
            Some(names) => windows::parse_months(names).ok_or_else(refuse)?.bits(),
            None => 0xFFF,
        };
        for (month, own) in percent_e2.iter_mut().enumerate().filter(|(month, _)| bits >> month & 1 == 1) {
            if *own != 0 {
                let month = tallywatt_core::tariff::MONTH_NAMES[month];
                return Err(source.fail(&field.span(), format!("look_back has {month} twice"), LOOK_BACK));
            }
            *own = percent;
        }
    }
    let months = source.whole("look_back_months", months, 1..=LOOK_BACK_MONTHS_MAX, MONTHS)?;
    let charge = u8::try_from(charge).unwrap_or(u8::MAX);
    Ok(Some(LookBack { charge, months, percent_e2 }))
}

/// The lines of a demand charge's look-back.
pub(super) fn render_look_back(text: &mut String, look_back: &LookBack) {
    let mut by_percent: BTreeMap<u16, u16> = BTreeMap::new();
    for (month, percent) in look_back.percent_e2.iter().enumerate().filter(|(_, percent)| **percent > 0) {
        *by_percent.entry(*percent).or_default() |= 1 << month;
    }
    let part = |(percent, bits): (u16, u16)| {
        let percent = format!("{}.{:02}", percent / 100, percent % 100);
        match tallywatt_core::tariff::MonthSet::from_bits(bits) {
            Some(months) if bits != 0xFFF => format!("\"{} {percent}\"", windows::render_months(months)),
            _ => format!("\"{percent}\""),
        }
    };
    let parts: Vec<String> = by_percent.into_iter().map(part).collect();
    let _ = writeln!(text, "look_back_months = {}\nlook_back = [{}]", look_back.months, parts.join(", "));
}

/// The `[netting]` table; nothing if the tariff has none.
pub(super) fn render_netting(text: &mut String, parts: &TariffParts) {
    let Some(netting) = &parts.netting else { return };
    let _ = writeln!(text, "[netting]\nmode = \"{}\"", netting.mode.name());
    if netting.minutes != 0 {
        let _ = writeln!(text, "minutes = {}", netting.minutes);
    }
    let prices = parts.zones.iter().zip(&netting.sell);
    let prices: Vec<String> = prices
        .map(|(zone, price)| format!("{} = \"{price}\"", super::tariff_text::quoted(zone.name.as_str())))
        .collect();
    let _ = writeln!(text, "sell = {{ {} }}", prices.join(", "));
    if netting.pools_zones {
        text.push_str("pool_zones = true\n");
    }
    if let Some(month) = netting.settle_month {
        let _ = writeln!(text, "settle_month = {month}");
    }
}
