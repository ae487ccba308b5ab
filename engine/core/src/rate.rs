//! Rating: an account's day blocks and contracts to a bill.
//!
//! ```text
//!  contract-days ─▶ usage: energy by (version, range, zone), ─▶ lines: quantity × price, exact ─▶ rounded ─▶ VAT ─▶ total
//!                   peaks by (version, demand charge), days                              by the tariff's rule
//!                   zone by local wall clock; range by the month's energy, as the tariff's range rule says
//! ```
//!
//! Never a zone look-up an interval on an ordinary day: one table of zones a (tariff version, kind of day,
//! interval length); only days with a clock change, and the day on which a range ends, are walked one by one.
//! The tables and the local days are kept in a [`RateRun`], for all the bills that one thread computes.

use crate::agreement::{Agreement, AgreementError};
use crate::bill::{Bill, MARKET_COUNT_MAX, VERSION_COUNT_MAX};
use crate::calendar::{Day, Period, UtcSeconds};
use crate::carried::{CARRIED_COUNT_MAX, PreviousBill};
use crate::contract::Contract;
use crate::day_block::{BlockKey, DayBlock};
use crate::hash::{ContentHash, Published};
use crate::label::{AccountId, Label, UsagePointId};
use crate::market::MarketBook;
use crate::register::{Flow, Register};
use crate::tariff::{Currency, TariffBook};

mod blocks;
mod carry;
mod deviation;
mod eligible;
mod lines;
mod measures;
mod netting;
mod own_prices;
mod packages;
mod peaks;
mod run;
mod series;
mod usage;

pub use blocks::{BlockCursor, BlockIndex};
pub use eligible::Ineligible;
pub(crate) use lines::tax;
pub use run::RateRun;

use carry::Carry;
use usage::Usage;

/// What a bill follows from.
pub struct BillInputs<'a> {
    /// Whose bill.
    pub account: AccountId,
    /// For which month.
    pub period: Period,
    /// The account's contracts, in canonical order.
    pub contracts: &'a [Contract],
    /// All tariff versions.
    pub tariffs: &'a TariffBook,
    /// The agreement that holds on the period's first day.
    pub agreement: &'a Published<Agreement>,
    /// Root of the period's readings.
    pub readings: ContentHash,
    /// Price series, lists of hours and plans.
    pub market: &'a MarketBook,
}

/// Why a bill cannot be computed. The account stays unbilled, and is listed with this reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// No contract holds on any day of the period.
    #[error("account {0} has no contract in {1}")]
    NoContract(AccountId, Period),
    /// A contract names a tariff that has no version for a day.
    #[error("tariff {tariff} has no version that holds on {day}")]
    NoTariff {
        /// The tariff.
        tariff: Label,
        /// The day.
        day: Day,
    },
    /// The period holds no readings of a usage point.
    #[error("usage point {usage_point} has no readings in {period}")]
    NoReadings {
        /// The usage point.
        usage_point: UsagePointId,
        /// The period.
        period: Period,
    },
    /// The day block does not start when the contract's zone says the day does.
    #[error("the readings of {usage_point} on {day} do not follow the local day of {zone}")]
    Zone {
        /// The usage point.
        usage_point: UsagePointId,
        /// The day.
        day: Day,
        /// The contract's zone.
        zone: String,
    },
    /// Tariff versions of one bill differ in currency or rounding, or from the agreement's currency.
    #[error("the tariffs and the agreement of account {0} differ in currency or rounding rule")]
    Mixed(AccountId),
    /// The agreement does not fit.
    #[error(transparent)]
    Agreement(#[from] AgreementError),
    /// More tariff versions than a bill may have.
    #[error("account {account} would be billed by {count} tariff versions, at most {VERSION_COUNT_MAX}")]
    TooManyVersions {
        /// The account.
        account: AccountId,
        /// How many.
        count: usize,
    },
    /// A series has no price for energy that was used.
    #[error("price series {series} has no price for {at}")]
    NoPrice {
        /// The series.
        series: Label,
        /// When.
        at: UtcSeconds,
    },
    /// Energy was read over several prices, so nobody knows how much of it each is of.
    #[error(
        "usage point {usage_point}: its {minutes} minutes from {start} have several prices of series {series}"
    )]
    Coarse {
        /// The usage point.
        usage_point: UsagePointId,
        /// Length of the interval.
        minutes: u8,
        /// When it begins.
        start: UtcSeconds,
        /// The series.
        series: Label,
    },
    /// A series is in another currency than the tariff that names it.
    #[error("price series {series} is in {found}, the tariff in {expected}")]
    SeriesCurrency {
        /// The series.
        series: Label,
        /// Its currency.
        found: Currency,
        /// The tariff's.
        expected: Currency,
    },
    /// A list of hours tells of no hour for a day that needs one.
    #[error("list of hours {hours} has no hour for {day}")]
    NoHour {
        /// The list.
        hours: Label,
        /// The day.
        day: Day,
    },
    /// Readings whose intervals do not begin and end with a published hour.
    #[error("the intervals of usage point {usage_point} do not tell the hour from {start}")]
    HourGrid {
        /// The usage point.
        usage_point: UsagePointId,
        /// When the hour begins.
        start: UtcSeconds,
    },
    /// A usage point has no plan for an hour that its tariff charges deviations of.
    #[error("usage point {usage_point} has no plan for the hour from {at}")]
    NoPlan {
        /// The usage point.
        usage_point: UsagePointId,
        /// When the hour begins.
        at: UtcSeconds,
    },
    /// A plan is of the total import register, and another is billed for deviations.
    #[error("usage point {usage_point}: register {register} has no plan, only 1-0:1.8.0 has")]
    PlanRegister {
        /// The usage point.
        usage_point: UsagePointId,
        /// The register.
        register: Register,
    },
    /// More price series, lists of hours and plans than a bill may name.
    #[error(
        "account {account} would be billed by {count} price series, lists of hours and plans, at most {MARKET_COUNT_MAX}"
    )]
    TooManyMarket {
        /// The account.
        account: AccountId,
        /// How many.
        count: usize,
    },
    /// A contract overrides a price that its tariff does not have.
    #[error("the contract of {usage_point} overrides a price that tariff {tariff} does not have")]
    Override {
        /// The usage point.
        usage_point: UsagePointId,
        /// The tariff.
        tariff: Label,
    },
    /// Contracts with prices of their own, and others, would share ranges or net each other's energy.
    #[error(
        "contracts of account {account} under tariff {tariff} differ in their own prices, and share ranges or netting"
    )]
    OverridesShared {
        /// The account.
        account: AccountId,
        /// The tariff.
        tariff: Label,
    },
    /// Versions with and without netting hold in one month, and energy is fed in.
    #[error("tariff {0} has versions with and without netting in one month")]
    NettingMixed(Label),
    /// A reactive register under a tariff that nets.
    #[error("usage point {0} has a reactive register under a tariff that nets energy")]
    NettingFlow(UsagePointId),
    /// More than one register of a flow to net.
    #[error(
        "usage point {usage_point} has two registers of one flow on {day} under a tariff that nets energy"
    )]
    NettingChannels {
        /// The usage point.
        usage_point: UsagePointId,
        /// The day.
        day: Day,
    },
    /// The bill before carried credit, and nothing of this one takes it.
    #[error("usage point {usage_point} has a credit of {wh} Wh that no tariff of this month nets or settles")]
    CreditLeft {
        /// The usage point.
        usage_point: UsagePointId,
        /// Its credit.
        wh: i128,
    },
    /// The bill given as the one before is not of the month before.
    #[error("a bill of {period} cannot stand on one of {previous}")]
    NotBefore {
        /// The month billed.
        period: Period,
        /// That of the other bill.
        previous: Period,
    },
    /// More to carry than a bill may.
    #[error("account {account} would carry {count} quantities, at most {CARRIED_COUNT_MAX}")]
    TooMuchCarried {
        /// The account.
        account: AccountId,
        /// How many.
        count: usize,
    },
    /// An amount beyond what can be written.
    #[error("an amount of account {0} does not fit 64-bit minor units")]
    Overflow(AccountId),
}

/// Computes one bill. `block` finds the period's day block of a register-day.
///
/// # Errors
/// [`BillError`].
pub fn bill<'b>(
    inputs: &BillInputs<'_>,
    block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
) -> Result<Bill, BillError> {
    RateRun::new(inputs.period).bill(inputs, block)
}

/// The same, of an account whose bill of the month before is this one.
///
/// # Errors
/// [`BillError`].
pub fn bill_after<'i, 'b>(
    inputs: &BillInputs<'i>,
    previous: Option<PreviousBill<'i>>,
    block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
) -> Result<Bill, BillError> {
    RateRun::new(inputs.period).bill_after(inputs, previous, block)
}

impl RateRun {
    /// Computes the next bill. `block` finds the period's day block of a register-day.
    ///
    /// # Errors
    /// [`BillError`].
    ///
    /// # Panics
    /// If the bill is for another period than the run.
    pub fn bill<'b>(
        &mut self,
        inputs: &BillInputs<'_>,
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Result<Bill, BillError> {
        self.bill_after(inputs, None, block)
    }

    /// Computes the next bill, of an account whose bill of the month before is given. Without one nothing was carried.
    ///
    /// # Errors
    /// [`BillError`].
    ///
    /// # Panics
    /// If the bill is for another period than the run.
    pub fn bill_after<'i, 'b>(
        &mut self,
        inputs: &BillInputs<'i>,
        previous: Option<PreviousBill<'i>>,
        block: &dyn Fn(&BlockKey) -> Option<&'b DayBlock>,
    ) -> Result<Bill, BillError> {
        assert_eq!(inputs.period, self.period(), "a run is over the bills of one period");
        let is_before = |one: &PreviousBill<'_>| one.period.number() + 1 == inputs.period.number();
        if let Some(PreviousBill { period: previous, .. }) = previous.filter(|one| !is_before(one)) {
            return Err(BillError::NotBefore { period: inputs.period, previous });
        }
        let mut usage = Usage { carry: Carry::new(previous), ..Usage::default() };
        // Contracts of one tariff share its ranges, if they share its prices; the sort is stable, so they keep their order.
        let mut contracts: Vec<&Contract> = inputs.contracts.iter().collect();
        contracts.sort_by(|a, b| (a.tariff, &a.overrides).cmp(&(b.tariff, &b.overrides)));
        for group in contracts.chunk_by(|a, b| a.tariff == b.tariff && a.overrides == b.overrides) {
            let nets = |contract: &&Contract| {
                contract.register.flow == Flow::Export || usage.carry.has_credit(contract.usage_point)
            };
            if group.iter().any(nets) {
                usage.add_netted_group(self, inputs, group, block)?;
            } else {
                let first_version = usage.versions.len();
                usage.add_group(self, inputs, group, block, first_version)?;
            }
        }
        own_prices::check(inputs, &usage)?;
        if usage.versions.is_empty() {
            return Err(BillError::NoContract(inputs.account, inputs.period));
        }
        let count = usage.versions.len();
        if count > VERSION_COUNT_MAX as usize {
            return Err(BillError::TooManyVersions { account: inputs.account, count });
        }
        let count = usage.market.len();
        if count > MARKET_COUNT_MAX as usize {
            return Err(BillError::TooManyMarket { account: inputs.account, count });
        }
        usage.into_bill(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agreement::{Party, SplitRule};
    use crate::calendar::Zone;
    use crate::payment_terms::PaymentTerms;
    use crate::quality::Quality;
    use crate::reading::Source;
    use crate::tariff::tests::parts;
    use crate::tariff::{RoundEach, Tariff};
    use crate::validity::Validity;

    /// Each line fits 64-bit minor units, their sum does not: said, not panicked over.
    #[test]
    fn a_sum_of_lines_past_the_range_is_an_error() {
        let day = |text: &str| -> Day { text.parse().unwrap() };
        let always = Validity::new(day("2000-01-01"), None).unwrap();
        let mut book = TariffBook::default();
        for (number, from, to) in [(1, "2026-03-01", Some("2026-03-02")), (2, "2026-03-02", None)] {
            let mut parts = parts("all 00:00-24:00", &[&["90000000000"]], &[]);
            parts.validity = Validity::new(day(from), to.map(day)).unwrap();
            parts.round_each = RoundEach::Line;
            let hash = ContentHash([number; 32]);
            book.publish(Published { hash, body: Tariff::new(parts).unwrap() }).unwrap();
        }
        let body = Agreement {
            id: "a".parse().unwrap(),
            title: String::new(),
            currency: "RUB".parse().unwrap(),
            validity: always,
            payee: Party::Grid,
            remainder: Party::Supplier,
            rule: SplitRule::Share(0),
            terms: PaymentTerms::default(),
        };
        let contract = Contract {
            account: "A".parse().unwrap(),
            usage_point: "P".parse().unwrap(),
            register: Register::IMPORT,
            zone: Zone::parse("UTC").unwrap(),
            tariff: "test".parse().unwrap(),
            agreement: "a".parse().unwrap(),
            validity: always,
            overrides: Vec::new(),
        };
        let blocks = ["2026-03-01", "2026-03-02"].map(|text| {
            let key =
                BlockKey { usage_point: contract.usage_point, register: Register::IMPORT, day: day(text) };
            let start = contract.zone.local_day(key.day).start;
            let values = vec![40_000_000; 24];
            DayBlock::from_parts(key, start, 60, Source::Synthetic, values, vec![Quality::Valid; 24]).unwrap()
        });
        let inputs = BillInputs {
            account: contract.account,
            period: "2026-03".parse().unwrap(),
            contracts: std::slice::from_ref(&contract),
            tariffs: &book,
            agreement: &Published { hash: ContentHash::default(), body },
            readings: ContentHash::default(),
            market: &MarketBook::new(),
        };
        let billed = bill(&inputs, &|key| blocks.iter().find(|block| block.key() == *key));
        assert_eq!(billed, Err(BillError::Overflow(contract.account)));
    }
}
