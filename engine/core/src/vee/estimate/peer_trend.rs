//! Peer trend, for a point that has register reads only: what it used a day, times how its peers' use has grown.
//!
//! ```text
//!   last two reads at least 28 days apart   E ÷ S seconds          the point's own pace
//!   peers, then and now                     growth, 4 decimals     how the pace of such points changed since
//!   estimate of T seconds                   E × T × growth ÷ (S × 10⁴), rounded once, half to even
//! ```
//!
//! After the commercial metering code of Ukraine. It stands on no interval, so it is no rung: it gives a period.

use crate::calendar::UtcSeconds;
use crate::money::div_half_even;
use crate::vee::consumption::{Span, between};

/// The shortest time between two reads that a pace is taken from.
pub const PACE_DAYS_MIN: i64 = 28;
/// Growth of one: nothing changed.
pub const GROWTH_ONE_E4: u32 = 10_000;
/// The largest growth taken: a hundredfold.
pub const GROWTH_MAX_E4: u32 = 1_000_000;
/// The longest time estimated, and the longest pace, in days: three years.
pub const TREND_DAYS_MAX: i64 = 1_100;

/// An estimate and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerTrend {
    /// The estimate.
    pub energy_wh: i64,
    /// First read.
    pub pace_from: UtcSeconds,
    /// Last read.
    pub pace_to: UtcSeconds,
    /// Between them.
    pub pace_wh: i64,
    /// Growth coefficient × 10⁴.
    pub growth_e4: u32,
}

/// Why there is no trend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTrend {
    /// No two reads at least [`PACE_DAYS_MIN`] and at most [`TREND_DAYS_MAX`] days apart, with all between known.
    #[error("no two reads {PACE_DAYS_MIN} to {TREND_DAYS_MAX} days apart with consumption known between")]
    NoPace,
    /// The period is empty or longer than [`TREND_DAYS_MAX`].
    #[error("a period from {from} to {to} cannot be estimated, at most {TREND_DAYS_MAX} days")]
    Period {
        /// First instant.
        from: UtcSeconds,
        /// The instant after the last.
        to: UtcSeconds,
    },
    /// Growth above [`GROWTH_MAX_E4`].
    #[error("growth of {0} ten-thousandths, at most {GROWTH_MAX_E4}")]
    Growth(u32),
    /// Past 64-bit watt-hours.
    #[error("the energy is past 64-bit watt-hours")]
    PastRange,
}

/// Growth coefficient: the peers' average daily use now by that then, four decimals, half to even.
///
/// `None` if the peers used nothing then, or the result is past [`GROWTH_MAX_E4`].
#[must_use]
pub fn growth_e4(peers_now_wh: u64, peers_then_wh: u64) -> Option<u32> {
    if peers_then_wh == 0 {
        return None;
    }
    let growth =
        div_half_even(i128::from(peers_now_wh) * i128::from(GROWTH_ONE_E4), i128::from(peers_then_wh));
    u32::try_from(growth).ok().filter(|&growth| growth <= GROWTH_MAX_E4)
}

/// The estimate for a period, from the spans before it.
///
/// # Errors
/// [`NoTrend`].
pub fn peer_trend(
    spans: &[Span],
    from: UtcSeconds,
    to: UtcSeconds,
    growth_e4: u32,
) -> Result<PeerTrend, NoTrend> {
    let seconds = to.0.saturating_sub(from.0);
    if seconds <= 0 || seconds > TREND_DAYS_MAX * 86_400 {
        return Err(NoTrend::Period { from, to });
    }
    if growth_e4 > GROWTH_MAX_E4 {
        return Err(NoTrend::Growth(growth_e4));
    }
    let known = &spans[..spans.partition_point(|span| span.to <= from)];
    let last = known.last().ok_or(NoTrend::NoPace)?.to;
    let is_pace = |days: i64| (PACE_DAYS_MIN..=TREND_DAYS_MAX).contains(&days);
    let first =
        known.iter().rev().map(|span| span.from).find(|start| last.0 - start.0 >= PACE_DAYS_MIN * 86_400);
    let first = first.filter(|start| is_pace((last.0 - start.0) / 86_400)).ok_or(NoTrend::NoPace)?;
    let pace_wh = between(known, first, last).ok_or(NoTrend::NoPace)?;
    let wide = i128::from;
    let parts = wide(pace_wh).checked_mul(wide(seconds) * i128::from(growth_e4)).ok_or(NoTrend::PastRange)?;
    let energy = div_half_even(parts, wide(last.0 - first.0) * i128::from(GROWTH_ONE_E4));
    let energy_wh = i64::try_from(energy).map_err(|_| NoTrend::PastRange)?;
    Ok(PeerTrend { energy_wh, pace_from: first, pace_to: last, pace_wh, growth_e4 })
}
