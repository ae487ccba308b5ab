//! Netting as a person would do it, interval by interval in maps; and random months to hold it against.

use super::*;

/// What a month comes to: Wh taken and credited by (version, zone), and the credit left by zone.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub taken: BTreeMap<(usize, Label), i64>,
    pub credited: BTreeMap<(usize, Label), i64>,
    pub credit: BTreeMap<Option<Label>, i64>,
}

/// A register's interval minutes, and the local time, zone and Wh of each interval.
type Channel = (u8, Vec<(i64, Label, i64)>);

/// Moves one watt-hour after the other, from the first interval that has one.
pub fn naive(case: &Case) -> Totals {
    let mut totals = Totals::default();
    let credit_of = |one: &Carried| match one.kind {
        CarriedKind::Credit { zone, .. } => (zone, i64::try_from(one.quantity).unwrap()),
        _ => panic!("{one:?}"),
    };
    let mut credit: BTreeMap<Option<Label>, i64> = case.before.iter().map(credit_of).collect();
    let mut months: BTreeMap<usize, BTreeMap<Label, (i64, i64)>> = BTreeMap::new();
    let mut order: Vec<ContentHash> = Vec::new();
    for day in case.period.days() {
        let held: Vec<&Contract> = case.contracts.iter().filter(|one| one.validity.contains(day)).collect();
        if held.is_empty() {
            continue;
        }
        let version = case.book.version(&label("t"), day).unwrap();
        if !order.contains(&version.hash) {
            order.push(version.hash);
        }
        let at = order.iter().position(|hash| *hash == version.hash).unwrap();
        let netting = version.body.parts().netting.as_ref().unwrap();
        // Start within the day, zone, Wh, of both channels.
        let channel = |register: Register| -> Option<Channel> {
            let contract = held.iter().find(|one| one.register == register)?;
            let block = case.blocks.get(&BlockKey { usage_point: label("P"), register, day })?;
            let intervals = (0..block.interval_count()).map(|interval| {
                let start = block.interval_start(interval);
                let minute = contract.zone.wall_minute(start);
                let zone = version.body.zone_at(version.body.pattern_of(day), minute);
                let zone = version.body.parts().zones[zone].name;
                (start.0 - block.start().0, zone, i64::from(block.values_wh()[interval]))
            });
            Some((block.interval_minutes(), intervals.collect()))
        };
        let (mut taken, mut given) = (channel(Register::IMPORT), channel(EXPORT));
        if let (NettingMode::Interval, Some((a, taken)), Some((b, given))) =
            (netting.mode, &mut taken, &mut given)
        {
            let stretch_s = i64::from(netting.minutes.max(*a).max(*b)) * 60;
            for (start, _, wh) in taken.iter_mut() {
                let same =
                    |other: &&mut (i64, Label, i64)| other.0 / stretch_s == *start / stretch_s && other.2 > 0;
                while *wh > 0 {
                    let Some(other) = given.iter_mut().find(same) else { break };
                    other.2 -= 1;
                    *wh -= 1;
                }
            }
        }
        for (is_import, channel) in [(true, taken), (false, given)] {
            for (_, zone, wh) in channel.into_iter().flat_map(|(_, intervals)| intervals) {
                let sums = months.entry(at).or_default().entry(zone).or_default();
                if is_import { sums.0 += wh } else { sums.1 += wh }
            }
        }
    }
    let netting_at = |at: usize| {
        let version = case.book.versions().iter().find(|version| version.hash == order[at]).unwrap();
        version.body.parts()
    };
    let last_carrying = (0..order.len())
        .rev()
        .find(|&at| netting_at(at).netting.as_ref().unwrap().mode == NettingMode::MonthCarry);
    for (at, zones) in &mut months {
        let parts = netting_at(*at);
        let netting = parts.netting.as_ref().unwrap();
        let names: Vec<Label> = parts.zones.iter().map(|zone| zone.name).collect();
        if netting.mode == NettingMode::ZoneMonth {
            for sums in zones.values_mut() {
                while sums.0 > 0 && sums.1 > 0 {
                    sums.0 -= 1;
                    sums.1 -= 1;
                }
            }
        }
        if netting.mode == NettingMode::MonthCarry {
            for name in &names {
                let sums = zones.entry(*name).or_default();
                *credit.entry(Some(*name)).or_default() += std::mem::take(&mut sums.1);
                let own = credit.get_mut(&Some(*name)).unwrap();
                let both = sums.0.min(*own);
                sums.0 -= both;
                *own -= both;
            }
            let loose: Vec<Option<Label>> = credit
                .keys()
                .copied()
                .filter(|key| netting.pools_zones || key.is_none_or(|name| !names.contains(&name)))
                .collect();
            let mut pool: i64 = loose.iter().map(|key| credit.remove(key).unwrap()).sum();
            for name in &names {
                let sums = zones.entry(*name).or_default();
                while sums.0 > 0 && pool > 0 {
                    sums.0 -= 1;
                    pool -= 1;
                }
            }
            credit.insert(None, pool);
        }
        for (name, (taken, given)) in zones.iter() {
            *totals.taken.entry((*at, *name)).or_default() += taken;
            *totals.credited.entry((*at, *name)).or_default() += given;
        }
    }
    if let Some(at) = last_carrying {
        let parts = netting_at(at);
        let settles = parts.netting.as_ref().unwrap().settle_month;
        let month = u8::try_from(case.period.number() % 12 + 1).unwrap();
        let goes_on = case.contracts.iter().any(|one| one.validity.contains(case.period.end_day()));
        let ends = settles == Some(month) || !goes_on || at + 1 < order.len();
        for (zone, wh) in credit {
            if ends {
                let name = zone.filter(|name| parts.zones.iter().any(|zone| zone.name == *name));
                *totals.credited.entry((at, name.unwrap_or(parts.zones[0].name))).or_default() += wh;
            } else {
                totals.credit.insert(zone, wh);
            }
        }
    }
    totals.taken.retain(|_, wh| *wh != 0);
    totals.credited.retain(|_, wh| *wh != 0);
    totals.credit.retain(|_, wh| *wh != 0);
    totals
}

pub fn random_case(seed: u64) -> Case {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (zone, period) =
        random.pick(&[("Europe/Berlin", "2026-03"), ("Europe/Berlin", "2026-10"), ("+05:00", "2026-02")]);
    let (zone, period): (Zone, Period) = (Zone::parse(zone).unwrap(), period.parse().unwrap());
    let middle = random.one_in(2).then(|| period.first_day().plus(11).unwrap());
    let zone_count = 1 + usize::try_from(random.below(2)).unwrap();
    let mut versions = Vec::new();
    let spans = match middle {
        None => vec![(None, None)],
        Some(_) => vec![(None, middle), (middle, None)],
    };
    for (from, to) in spans {
        let mut parts = parts(zone_count, random.pick(&NettingMode::ALL), 1);
        let netting = parts.netting.as_mut().unwrap();
        match netting.mode {
            NettingMode::Interval => netting.minutes = random.pick(&[0, 30, 60]),
            NettingMode::MonthCarry => {
                netting.settle_month = random.pick(&[None, Some(3), Some(7)]);
                netting.pools_zones = random.one_in(2);
                netting.sell = vec![netting.sell[0]; zone_count];
            }
            _ => {}
        }
        parts.validity = validity(from, to);
        versions.push(parts);
    }
    let carries =
        versions.iter().any(|parts| parts.netting.as_ref().unwrap().mode == NettingMode::MonthCarry);
    let mut held = || {
        let from = random.one_in(4).then(|| period.first_day().plus(6).unwrap());
        validity(from, random.one_in(5).then(|| period.end_day()))
    };
    let contracts = vec![contract(Register::IMPORT, &zone, held()), contract(EXPORT, &zone, held())];
    let mut case = Case {
        period,
        contracts: in_order(contracts).unwrap(),
        book: TariffBook::default(),
        blocks: BTreeMap::new(),
        before: Vec::new(),
    };
    for register in [Register::IMPORT, EXPORT] {
        let minutes = random.pick(&[15, 30, 60]);
        let most = random.pick(&[2, 12, 40]);
        let mut value = |_| match random.below(20) {
            0 => (0, Quality::Missing),
            _ => (i32::try_from(random.below(most)).unwrap(), Quality::Valid),
        };
        month(&mut case.blocks, register, &zone, period, minutes, &mut value);
    }
    if carries {
        for zone in [None, Some("all"), Some("day"), Some("night")] {
            if random.one_in(3) {
                let kind = CarriedKind::Credit { usage_point: label("P"), zone: zone.map(label) };
                case.before.push(Carried { kind, quantity: i128::from(1 + random.below(9_000)) });
            }
        }
    }
    case.publish(versions).unwrap();
    case
}
