//! A rate of the United States' utility rate database (URDB, the JSON of its versions 7 and 8) as a tariff.
//!
//! ```text
//!   energyweekday/weekendschedule 12 × 24 ─▶ zones: a period each, its hours as windows; holidays as weekends
//!   energyratestructure                   ─▶ ranges: the bounds of all periods together; price = rate + adj
//!   flatdemandmonths, -structure          ─▶ a demand charge a period, all day in its months
//!   demandweekday/weekendschedule         ─▶ a demand charge a period, in its hours
//!   coincidentrateschedule, -structure    ─▶ a demand charge a period, at the published hours that are its
//!   fixedchargefirstmeter, mincharge      ─▶ fixed charge, minimum
//!   peakkwcapacity, peakkwhusage min, max ─▶ who may take it
//! ```
//!
//! What reaches beyond the month's import (netting rules, look-back, minimum of a year) is in `urdb_prosumer.rs`, coincident
//! demand in `urdb_coincident.rs`, who may take the rate in `urdb_eligibility.rs`. Bounds count the energy of all periods, each period having its share: as NREL's engine bills it;
//! or, if the import says so, of each period by itself. What the tariff
//! could not bill (reactive power, other units) is refused with its place in the JSON;
//! what is no charge for energy taken (sell prices, voltage) is named and left out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use tallywatt_core::calendar::{Day, UtcSeconds};
use tallywatt_core::decimal::Decimal;
use tallywatt_core::label::Label;
use tallywatt_core::money::{PRICE_DECIMALS, PricePerKwh, Rounding};
use tallywatt_core::tariff::{
    BoundUnit, DayKind, DemandCharge, DemandMeasure, DemandRange, FixedCharges, MonthSet, Range,
    RangeCounting, RangeKind, RangeRule, RoundEach, Tariff, TariffParts, TariffZone, Vat, Window,
};
use tallywatt_core::validity::Validity;

use super::{DOCUMENT_SIZE_MAX, DocumentError};

pub(super) const COMPARE: &str = "compare the rate with its page in the database";
pub(super) const BY_HAND: &str =
    "write the tariff file by hand, or leave the charge out if it does not apply";
const NAME: &str = "give the tariff a name with --id";
const DAYS: &str = "give the first day with --from";
/// What power is averaged over where the rate does not say, minutes.
const DEMAND_MINUTES: u8 = 15;

/// What is not in the rate, or is to be another way.
#[derive(Debug, Clone, Default)]
pub struct UrdbOptions {
    /// Name of the tariff; else `urdb-` and the rate's label.
    pub id: Option<Label>,
    /// First day; else the rate's start.
    pub from: Option<Day>,
    /// The first day it no longer holds; else the day after the rate's end, if it has one.
    pub to: Option<Day>,
    /// Days billed as weekends, ascending: the database does not name them.
    pub holidays: Vec<Day>,
    /// Tiers count the energy of each period by itself, not of all together.
    pub each_period: bool,
    /// The list of hours at which coincident demand is taken: the database has its prices, not its hours.
    pub coincident_hours: Option<Label>,
}

/// A rate as a tariff, and what of it the tariff does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedTariff {
    /// The tariff.
    pub tariff: Tariff,
    /// What was left out, for people.
    pub left_out: Vec<String>,
}

/// A tier of energy or demand. Numbers stay text: a float would lose digits.
#[derive(Deserialize)]
pub(super) struct Tier<'j> {
    #[serde(borrow)]
    max: Option<&'j RawValue>,
    #[serde(borrow)]
    rate: Option<&'j RawValue>,
    #[serde(borrow)]
    adj: Option<&'j RawValue>,
    #[serde(borrow)]
    pub(super) sell: Option<&'j RawValue>,
    pub(super) unit: Option<String>,
}

type Structure<'j> = Vec<Vec<Tier<'j>>>;
pub(super) type Schedule = Vec<Vec<usize>>;

#[derive(Deserialize)]
pub(super) struct Rate<'j> {
    label: Option<String>,
    name: Option<String>,
    utility: Option<String>,
    uri: Option<String>,
    source: Option<String>,
    startdate: Option<i64>,
    enddate: Option<i64>,
    #[serde(borrow, default)]
    pub(super) energyratestructure: Structure<'j>,
    #[serde(default)]
    energyweekdayschedule: Schedule,
    #[serde(default)]
    energyweekendschedule: Schedule,
    #[serde(borrow, default)]
    demandratestructure: Structure<'j>,
    #[serde(default)]
    demandweekdayschedule: Schedule,
    #[serde(default)]
    demandweekendschedule: Schedule,
    #[serde(borrow, default)]
    flatdemandstructure: Structure<'j>,
    #[serde(default)]
    flatdemandmonths: Vec<usize>,
    #[serde(borrow, default)]
    pub(super) coincidentratestructure: Structure<'j>,
    #[serde(default)]
    pub(super) coincidentrateschedule: Schedule,
    pub(super) demandwindow: Option<u16>,
    #[serde(borrow)]
    fixedchargefirstmeter: Option<&'j RawValue>,
    fixedchargeunits: Option<String>,
    #[serde(borrow)]
    fixedmonthlycharge: Option<&'j RawValue>,
    #[serde(borrow)]
    mincharge: Option<&'j RawValue>,
    minchargeunits: Option<String>,
    #[serde(borrow)]
    minmonthlycharge: Option<&'j RawValue>,
}

/// Charges that a tariff cannot bill: present and not zero, they are refused.
const REFUSED: [&str; 2] = ["demandreactivepowercharge", "fixedchargeeaaddl"];
/// Units of power, all of which must be kilowatts.
const POWER_UNITS: [&str; 8] = [
    "demandrateunit",
    "demandRateUnits",
    "flatdemandunit",
    "flatDemandUnits",
    "demandunits",
    "demandunit",
    "coincidentrateunit",
    "coincidentRateUnits",
];
/// Reads a rate; `file` is its name in messages. The JSON may be the rate itself, or the database's answer of one item.
///
/// # Errors
/// [`DocumentError`] names the first place that is wrong or cannot be billed.
pub fn import_urdb(file: &str, text: &str, options: &UrdbOptions) -> Result<ImportedTariff, DocumentError> {
    #[derive(Deserialize)]
    struct Answer<'j> {
        #[serde(borrow)]
        items: Vec<&'j RawValue>,
    }
    let whole = |problem: String, next_step| DocumentError::new(file, None, problem, next_step);
    if text.len() > DOCUMENT_SIZE_MAX {
        let problem = format!("file of {} bytes, at most {DOCUMENT_SIZE_MAX}", text.len());
        return Err(whole(problem, "import one rate a file"));
    }
    let body = match serde_json::from_str::<Answer<'_>>(text) {
        Ok(Answer { items }) => match items[..] {
            [item] => item.get(),
            _ => return Err(whole(format!("{} rates", items.len()), "import one rate a file")),
        },
        Err(_) => text,
    };
    let not_read = |error: serde_json::Error| {
        let line = u64::try_from(error.line()).ok();
        DocumentError::new(file, line, error.to_string(), COMPARE)
    };
    let rate: Rate<'_> = serde_json::from_str(body).map_err(not_read)?;
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(body).map_err(not_read)?;
    Import { file, rate: &rate, fields: &fields }.tariff(options)
}

/// A rate being read.
pub(super) struct Import<'j> {
    file: &'j str,
    pub(super) rate: &'j Rate<'j>,
    /// Every field of it, for those that are no charge, or none that can be billed.
    pub(super) fields: &'j BTreeMap<String, &'j RawValue>,
}

impl Import<'_> {
    pub(super) fn fail(&self, place: &str, problem: &str, next_step: &'static str) -> DocumentError {
        DocumentError::new(self.file, None, format!("{place}: {problem}"), next_step)
    }

    fn tariff(&self, options: &UrdbOptions) -> Result<ImportedTariff, DocumentError> {
        self.refuse_others()?;
        let rate = self.rate;
        let zones = self.energy_zones()?;
        let netting = self.netting(&zones)?;
        let (ranges, unit) = self.ranges(&zones)?;
        let id = match (options.id, &rate.label) {
            (Some(id), _) => id,
            (None, Some(label)) => format!("urdb-{label}")
                .parse()
                .map_err(|error| self.fail("label", &format!("{error}"), NAME))?,
            (None, None) => return Err(self.fail("label", "the rate has none", NAME)),
        };
        let is_single = ranges.len() == 1;
        let counting = if options.each_period { RangeCounting::EachZone } else { RangeCounting::Shares };
        let range_rule = RangeRule { counting, unit, kind: RangeKind::Graduated };
        let utility = rate.utility.as_deref().unwrap_or("unnamed utility");
        let title = format!("{}, {utility}", rate.name.as_deref().unwrap_or("unnamed rate"));
        let source = rate.uri.as_deref().or(rate.source.as_deref()).unwrap_or("URDB");
        let mut demands = self.demands()?;
        // A look-back is for the highest peaks: what is taken at published hours has none.
        let mut carry = self.carry(&demands)?;
        let (minimum_per_month, minimum_per_year) = self.minimum()?;
        if minimum_per_year != PricePerKwh::default() {
            if carry.minimum_per_year != PricePerKwh::default() {
                return Err(self.fail("annualmincharge", "beside a mincharge in $/year", COMPARE));
            }
            carry.minimum_per_year = minimum_per_year;
        }
        demands.extend(self.coincident_demands(options.coincident_hours)?);
        let parts = TariffParts {
            id,
            title: short(&title),
            source: short(source),
            currency: "USD".parse().map_err(|error| self.fail("currency", &format!("{error}"), COMPARE))?,
            validity: self.validity(options)?,
            holidays: options.holidays.clone(),
            zones: zones.into_values().collect(),
            range_rule: if is_single { RangeRule::default() } else { range_rule },
            ranges,
            carry,
            deviation: None,
            eligibility: self.eligibility().rule,
            demands,
            fixed: self.fixed()?,
            minimum_per_month,
            vat: Vat { rate_e4: 0, is_included: false },
            rounding: Rounding::HalfUp,
            round_each: RoundEach::Line,
            series: Vec::new(),
            netting,
        };
        let tariff = Tariff::new(parts).map_err(|error| self.fail("rate", &error.to_string(), BY_HAND))?;
        Ok(ImportedTariff { tariff, left_out: self.left_out() })
    }

    /// Nothing that is billed may be dropped in silence.
    fn refuse_others(&self) -> Result<(), DocumentError> {
        for name in REFUSED {
            if self.fields.get(name).is_some_and(|value| has_content(value.get())) {
                return Err(self.fail(name, "this charge cannot be billed by a tariff file", BY_HAND));
            }
        }
        for name in POWER_UNITS {
            let unit = self.fields.get(name).map_or("\"kW\"", |value| value.get());
            if unit != "\"kW\"" && unit != "null" {
                return Err(self.fail(name, &format!("demand in {unit}, not in kW"), BY_HAND));
            }
        }
        Ok(())
    }

    fn left_out(&self) -> Vec<String> {
        let tiers = self.rate.energyratestructure.iter().flatten();
        let sells = tiers.filter_map(|tier| tier.sell).any(|sell| has_content(sell.get()));
        let sells = (sells && self.dg_rule().is_none())
            .then(|| "sell prices: energy given back needs a contract of its own".to_owned());
        self.eligibility().left_out.into_iter().chain(sells).chain(self.coincident_left_out()).collect()
    }

    fn validity(&self, options: &UrdbOptions) -> Result<Validity, DocumentError> {
        let day = |place: &str, at: i64| {
            let number = i32::try_from(UtcSeconds(at).0.div_euclid(86_400)).ok();
            number.and_then(Day::from_number).ok_or_else(|| self.fail(place, "no day", COMPARE))
        };
        let from = match (options.from, self.rate.startdate) {
            (Some(from), _) => from,
            (None, Some(start)) => day("startdate", start)?,
            (None, None) => return Err(self.fail("startdate", "the rate has none", DAYS)),
        };
        let to = match (options.to, self.rate.enddate) {
            (Some(to), _) => Some(to),
            (None, Some(end)) => day("enddate", end)?.plus(1),
            (None, None) => None,
        };
        Validity::new(from, to).map_err(|error| self.fail("enddate", &error.to_string(), COMPARE))
    }

    /// The periods of energy that hold at some time, by number.
    fn energy_zones(&self) -> Result<BTreeMap<usize, TariffZone>, DocumentError> {
        let rate = self.rate;
        let count = rate.energyratestructure.len();
        if count == 0 {
            return Err(self.fail("energyratestructure", "the rate has no energy prices", BY_HAND));
        }
        let weekday = self.schedule("energyweekdayschedule", &rate.energyweekdayschedule, count)?;
        let weekend = self.schedule("energyweekendschedule", &rate.energyweekendschedule, count)?;
        let zone = |(period, windows)| {
            let name = format!("period-{period}").parse().expect("a short name");
            (period, TariffZone { name, windows })
        };
        Ok(windows_of(weekday, weekend).into_iter().map(zone).collect())
    }

    /// A schedule of 12 months and 24 hours, each a period that there is.
    pub(super) fn schedule<'s>(
        &self,
        name: &str,
        schedule: &'s Schedule,
        period_count: usize,
    ) -> Result<&'s Schedule, DocumentError> {
        if schedule.len() != 12 {
            let problem = format!("{} months, need 12", schedule.len());
            return Err(self.fail(name, &problem, COMPARE));
        }
        for (month, hours) in schedule.iter().enumerate() {
            if hours.len() != 24 {
                let problem = format!("{} hours, need 24", hours.len());
                return Err(self.fail(&format!("{name}[{month}]"), &problem, COMPARE));
            }
            if let Some(hour) = hours.iter().position(|period| *period >= period_count) {
                let problem = format!("period {}, of which there are {period_count}", hours[hour]);
                return Err(self.fail(&format!("{name}[{month}][{hour}]"), &problem, COMPARE));
            }
        }
        Ok(schedule)
    }

    /// The bounds of all periods together, and what each zone costs between them.
    fn ranges(&self, zones: &BTreeMap<usize, TariffZone>) -> Result<(Vec<Range>, BoundUnit), DocumentError> {
        const NAME: &str = "energyratestructure";
        let mut unit = None;
        let mut tiers: Vec<Vec<(Option<i64>, PricePerKwh)>> = Vec::new();
        for &period in zones.keys() {
            let structure = &self.rate.energyratestructure[period];
            for (at, tier) in structure.iter().enumerate().take(structure.len().max(2) - 1) {
                if let (Some(_), Some(named)) = (tier.max, &tier.unit) {
                    let place = format!("{NAME}[{period}][{at}].unit");
                    let found = unit_of(named)
                        .ok_or_else(|| self.fail(&place, &format!("{named:?} is not known"), BY_HAND))?;
                    if *unit.get_or_insert(found) != found {
                        return Err(self.fail(&place, "bounds are in different units", BY_HAND));
                    }
                }
            }
            tiers.push(self.tiers(&format!("{NAME}[{period}]"), structure)?);
        }
        let mut bounds: Vec<i64> = tiers.iter().flatten().filter_map(|(bound, _)| *bound).collect();
        bounds.sort_unstable();
        bounds.dedup();
        let bounds = bounds.into_iter().map(Some).chain([None]);
        let price = |tiers: &Vec<(Option<i64>, PricePerKwh)>, up_to: Option<i64>| {
            let covers =
                |bound: &Option<i64>| bound.is_none_or(|bound| up_to.is_some_and(|up_to| up_to <= bound));
            let tier = tiers.iter().find(|(bound, _)| covers(bound));
            tier.expect("the last tier has no bound").1
        };
        let range =
            |up_to_wh| Range::plain(up_to_wh, tiers.iter().map(|tiers| price(tiers, up_to_wh)).collect());
        Ok((bounds.map(range).collect(), unit.unwrap_or_default()))
    }

    /// The bounds, in thousandths, and prices of a period's tiers. The last has no bound, whatever it says.
    pub(super) fn tiers(
        &self,
        place: &str,
        structure: &[Tier<'_>],
    ) -> Result<Vec<(Option<i64>, PricePerKwh)>, DocumentError> {
        let mut tiers = Vec::new();
        let mut last = 0;
        for (at, tier) in structure.iter().enumerate() {
            let place = |name: &str| format!("{place}[{at}].{name}");
            let rate = self.price(&place("rate"), tier.rate)?;
            let adjustment = self.price(&place("adj"), tier.adj)?;
            let sum = rate.checked_add(adjustment);
            let price =
                sum.ok_or_else(|| self.fail(&place("rate"), "rate and adj are too large", COMPARE))?;
            let bound = match tier.max {
                Some(max) if at + 1 < structure.len() => {
                    let bound = self.number(&place("max"), max, 3)?;
                    if bound <= last {
                        return Err(self.fail(&place("max"), "bounds do not ascend", COMPARE));
                    }
                    last = bound;
                    Some(bound)
                }
                None if at + 1 < structure.len() => {
                    return Err(self.fail(
                        &place("max"),
                        "only the last tier may be without a bound",
                        COMPARE,
                    ));
                }
                _ => None,
            };
            tiers.push((bound, PricePerKwh::from_e8(price)));
        }
        if tiers.is_empty() { Err(self.fail(place, "a period without tiers", COMPARE)) } else { Ok(tiers) }
    }

    fn demands(&self) -> Result<Vec<DemandCharge>, DocumentError> {
        let rate = self.rate;
        let mut demands = Vec::new();
        if !rate.flatdemandstructure.is_empty() && !rate.flatdemandmonths.is_empty() {
            const NAME: &str = "flatdemandmonths";
            if rate.flatdemandmonths.len() != 12 {
                let problem = format!("{} months, need 12", rate.flatdemandmonths.len());
                return Err(self.fail(NAME, &problem, COMPARE));
            }
            let mut months: BTreeMap<usize, u16> = BTreeMap::new();
            for (month, &period) in rate.flatdemandmonths.iter().enumerate() {
                if period >= rate.flatdemandstructure.len() {
                    let problem =
                        format!("period {period}, of which there are {}", rate.flatdemandstructure.len());
                    return Err(self.fail(&format!("{NAME}[{month}]"), &problem, COMPARE));
                }
                *months.entry(period).or_default() |= 1 << month;
            }
            for (period, bits) in months {
                let months = MonthSet::from_bits(bits).expect("a period has a month");
                let window = Window { months, days: DayKind::Every, from_minute: 0, to_minute: 1_440 };
                let structure = &rate.flatdemandstructure[period];
                demands.extend(self.demand(
                    "flatdemandstructure",
                    "flat",
                    period,
                    vec![window],
                    structure,
                )?);
            }
        }
        if !rate.demandratestructure.is_empty() {
            let count = rate.demandratestructure.len();
            let weekday = self.schedule("demandweekdayschedule", &rate.demandweekdayschedule, count)?;
            let weekend = self.schedule("demandweekendschedule", &rate.demandweekendschedule, count)?;
            for (period, windows) in windows_of(weekday, weekend) {
                let structure = &rate.demandratestructure[period];
                demands.extend(self.demand("demandratestructure", "zone", period, windows, structure)?);
            }
        }
        Ok(demands)
    }

    /// One demand charge; none if it costs nothing.
    fn demand(
        &self,
        place: &str,
        kind: &str,
        period: usize,
        windows: Vec<Window>,
        structure: &[Tier<'_>],
    ) -> Result<Option<DemandCharge>, DocumentError> {
        let tiers = self.tiers(&format!("{place}[{period}]"), structure)?;
        if tiers.iter().all(|(_, price)| *price == PricePerKwh::default()) {
            return Ok(None);
        }
        let minutes = match self.rate.demandwindow {
            None => DEMAND_MINUTES,
            Some(minutes) => u8::try_from(minutes)
                .map_err(|_| self.fail("demandwindow", &format!("{minutes} minutes"), BY_HAND))?,
        };
        let name = format!("{kind}-demand-{period}").parse().expect("a short name");
        let ranges = tiers.into_iter().map(|(up_to_w, price)| DemandRange { up_to_w, price }).collect();
        Ok(Some(DemandCharge { name, windows, minutes, ranges, measure: DemandMeasure::Highest }))
    }

    fn fixed(&self) -> Result<FixedCharges, DocumentError> {
        let rate = self.rate;
        // Older rates name the month in the field itself; where both stand, they mean that one.
        if let Some(charge) = rate.fixedmonthlycharge {
            let price = self.price("fixedmonthlycharge", Some(charge))?;
            return Ok(FixedCharges { per_month: PricePerKwh::from_e8(price), ..FixedCharges::default() });
        }
        let price = PricePerKwh::from_e8(self.price("fixedchargefirstmeter", rate.fixedchargefirstmeter)?);
        let none = FixedCharges::default();
        match rate.fixedchargeunits.as_deref() {
            None | Some("$/month") => Ok(FixedCharges { per_month: price, ..none }),
            Some("$/day") => Ok(FixedCharges { per_day: price, ..none }),
            Some("$/year") => Ok(FixedCharges { per_year: price, ..none }),
            Some(other) => Err(self.fail("fixedchargeunits", &format!("{other:?} is not known"), BY_HAND)),
        }
    }

    /// The minimum of a month and that of a year.
    fn minimum(&self) -> Result<(PricePerKwh, PricePerKwh), DocumentError> {
        let rate = self.rate;
        let (name, charge) = match rate.minmonthlycharge {
            Some(charge) => ("minmonthlycharge", Some(charge)),
            None => ("mincharge", rate.mincharge),
        };
        let (price, none) = (PricePerKwh::from_e8(self.price(name, charge)?), PricePerKwh::default());
        match rate.minchargeunits.as_deref() {
            _ if price == none || name == "minmonthlycharge" => Ok((price, none)),
            None | Some("$/month") => Ok((price, none)),
            Some("$/year") => Ok((none, price)),
            Some(other) => {
                let problem = format!("a minimum in {other}, not in $/month or $/year");
                Err(self.fail("minchargeunits", &problem, BY_HAND))
            }
        }
    }

    pub(super) fn price(&self, place: &str, number: Option<&RawValue>) -> Result<i64, DocumentError> {
        number.map_or(Ok(0), |number| self.number(place, number, PRICE_DECIMALS))
    }

    pub(super) fn number(&self, place: &str, number: &RawValue, decimals: u32) -> Result<i64, DocumentError> {
        let plain = plain_number(number.get());
        let scaled = Decimal::parse(plain.as_bytes(), b'.').and_then(|number| number.scaled(decimals));
        scaled.map_err(|error| self.fail(place, &format!("{}: {error}", short(number.get())), COMPARE))
    }
}

/// A JSON number without its exponent, if that is a small one; a text is left as it is, and refused.
fn plain_number(text: &str) -> String {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return text.to_owned() };
    let Ok(exponent @ -12..=0) = exponent.parse::<i32>() else { return text.to_owned() };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let places = usize::try_from(exponent.unsigned_abs()).unwrap_or(0);
    let padded = format!("{}{whole}", "0".repeat(places.saturating_sub(whole.len()) + 1));
    let (whole, moved) = padded.split_at(padded.len() - places);
    if places == 0 { format!("{sign}{mantissa}") } else { format!("{sign}{whole}.{moved}{decimals}") }
}

fn unit_of(text: &str) -> Option<BoundUnit> {
    match text.to_ascii_lowercase().as_str() {
        "kwh" => Some(BoundUnit::Month),
        "kwh daily" => Some(BoundUnit::Day),
        "kwh/kw" => Some(BoundUnit::Kw),
        "kwh/kw daily" => Some(BoundUnit::KwDay),
        _ => None,
    }
}

/// Whether a JSON value says more than nothing: zero, empty and lists of such say nothing.
pub(super) fn has_content(json: &str) -> bool {
    let is_word = matches!(json, "null" | "false");
    !is_word && json.chars().any(|character| matches!(character, '1'..='9') || character.is_alphabetic())
}

pub(super) fn short(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars().map(|character| if character.is_control() { ' ' } else { character }) {
        if shown.len() + character.len_utf8() > tallywatt_core::tariff::TEXT_SIZE_MAX {
            break;
        }
        shown.push(character);
    }
    shown
}

/// The windows of each period that holds at some time: runs of hours, alike months together; days off as weekends.
pub(super) fn windows_of(weekday: &Schedule, weekend: &Schedule) -> BTreeMap<usize, Vec<Window>> {
    let mut found: BTreeMap<(usize, u8, usize, usize), u16> = BTreeMap::new();
    for month in 0..12 {
        let alike = weekday[month] == weekend[month];
        let kinds: &[(DayKind, &Vec<usize>)] = if alike {
            &[(DayKind::Every, &weekday[month])]
        } else {
            &[(DayKind::Weekday, &weekday[month]), (DayKind::DayOff, &weekend[month])]
        };
        for &(days, hours) in kinds {
            let mut from = 0;
            for run in hours.chunk_by(|a, b| a == b) {
                let to = from + run.len();
                *found.entry((run[0], days as u8, from, to)).or_default() |= 1 << month;
                from = to;
            }
        }
    }
    let mut windows: BTreeMap<usize, Vec<Window>> = BTreeMap::new();
    for ((period, days, from, to), bits) in found {
        let minute = |hour: usize| u16::try_from(hour * 60).expect("a day has 24 hours");
        let days = DayKind::ALL[usize::from(days)];
        let months = MonthSet::from_bits(bits).expect("a window has a month");
        let window = Window { months, days, from_minute: minute(from), to_minute: minute(to) };
        windows.entry(period).or_default().push(window);
    }
    windows
}
