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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Multiplier;
    use crate::quality::Quality;
    use crate::vee::consumption::How;

    fn span(from: UtcSeconds, to: UtcSeconds, energy_wh: i64) -> Span {
        let (quality, multiplier) = (Quality::Valid, Multiplier::ONE);
        Span { from, to, energy_wh, how: How { meter_count: 1, rolled_over: false, quality, multiplier } }
    }

    #[test]
    fn peer_trends() {
        // Reads at days 0, 10, 40, 50; 100, 600, 100 kWh between. Growth × 10⁴; estimated days; Wh, by hand.
        let day = |count: i64| UtcSeconds(count * 86_400);
        let spans = [
            span(day(0), day(10), 100_000),
            span(day(10), day(40), 600_000),
            span(day(40), day(50), 100_000),
        ];
        // The last two reads 28 days apart are 10 and 50: 700 kWh in 40 days, 17.5 a day.
        let table = [
            (10_000, 50, 60, Ok(175_000)),
            (11_234, 50, 60, Ok(196_595)), // × 1.1234
            (9_999, 60, 61, Ok(17_498)),   // 17 498.25
            (0, 50, 60, Ok(0)),
            (10_000, 49, 60, Ok(220_000)), // only reads until day 40: 10 and 40 are 30 apart, 20 kWh a day, 11 days
            (1_000_001, 50, 60, Err(NoTrend::Growth(1_000_001))),
            (10_000, 60, 60, Err(NoTrend::Period { from: day(60), to: day(60) })),
            (10_000, 39, 60, Err(NoTrend::NoPace)),
            (10_000, 0, 60, Err(NoTrend::NoPace)),
        ];
        for (growth, from, to, want) in table {
            let got = peer_trend(&spans, day(from), day(to), growth).map(|trend| trend.energy_wh);
            assert_eq!(got, want, "growth {growth}, days {from} to {to}");
        }
        let hole = [spans[0], spans[2]];
        assert_eq!(peer_trend(&hole, day(50), day(60), 10_000), Err(NoTrend::NoPace));
        // Peers now, peers then; growth × 10⁴, half to even
        for (now, then, want) in [
            (11_234, 10_000, Some(11_234)),
            (1, 3, Some(3_333)),
            (2, 3, Some(6_667)),
            (1, 80_000, Some(0)), // 0.125
            (1, 20_000, Some(0)), // a half goes to the even neighbour
            (3, 20_000, Some(2)), // 1.5
            (5, 0, None),
            (101, 1, None),
            (100, 1, Some(1_000_000)),
        ] {
            assert_eq!(growth_e4(now, then), want, "{now} over {then}");
        }
    }
}
