//! Register spans: what a decision says of one, and spans that reach past the estimated days.

use super::*;

#[test]
fn what_a_decision_says() {
    let gap: Vec<Cell> = (5..10).map(|hour| (2, hour)).collect();
    let mut days = without(&gap);
    let (from, to, day) = (days[2].start(), days[3].start(), days[2].key().day);
    let spans = [span(from, to, 1_181)];
    let evidence = Evidence { register_spans: &spans, ..Evidence::default() };
    let done = estimate_with(&mut days, &evidence, &EstimationParameters::default());
    let method = Method::Scaled {
        from,
        to,
        register_wh: 1_181,
        known_wh: 811,
        missing_count: 5,
        reference_sum: 185,
        reference: Reference::LowerRungs,
    };
    let want = Decision {
        day,
        first_interval: 5,
        interval_count: 5,
        energy_wh: 370,
        quality: Quality::Derived,
        method,
    };
    assert_eq!(done.decisions, [want]);
    assert_eq!(method.aemo_numbers(), [24]);
    // A register read that was itself an estimate makes no derived value.
    let mut days = without(&gap);
    let doubtful = [Span { how: How { quality: Quality::Other, ..spans[0].how }, ..spans[0] }];
    let evidence = Evidence { register_spans: &doubtful, ..Evidence::default() };
    let done = estimate_with(&mut days, &evidence, &EstimationParameters::default());
    assert_eq!(done.decisions[0].quality, Quality::EstimatedReferenceDay);
}

/// A register span that begins before the month: the days before are known.
#[test]
fn a_span_that_begins_before_the_days() {
    let gap: Vec<Cell> = (0..10).map(|hour| (0, hour)).collect();
    let days = without(&gap);
    let (first, monday) = (days[0].key().day, days[0].start());
    let sunday = first.plus(-1).unwrap();
    // From Sunday noon to Tuesday: 12 × 7 of Sunday, Monday's known 10 + hour for 10 … 23 = 140 + 231, and 90 more.
    let spans = [span(monday.plus(-12 * 3_600), days[1].start(), 84 + 371 + 90)];
    // A Sunday of the source's estimates is not known: like days then, the mean of 20, 30, 40, 50 plus hour.
    for (quality, want, refusal_count) in [(Quality::Valid, 90, 0), (Quality::Other, 395, 1)] {
        let around = reached(&[flat(sunday, 7, quality)]);
        let evidence = Evidence { outside: &around, register_spans: &spans, ..Evidence::default() };
        let mut got = days.clone();
        let done = estimate_with(&mut got, &evidence, &EstimationParameters::default());
        let sum: i32 = got[0].values_wh()[..10].iter().sum();
        assert_eq!((sum, done.refusals.len()), (want, refusal_count), "{quality}");
    }
    // A day that nobody knows between two that are known: the span is not known.
    let around = [-3, -1].map(|days| reached(&[flat(first.plus(days).unwrap(), 7, Quality::Valid)])).concat();
    let spans = [span(monday.plus(-3 * 86_400), days[1].start(), 2_000)];
    let evidence = Evidence { outside: &around, register_spans: &spans, ..Evidence::default() };
    let done = estimate_with(&mut days.clone(), &evidence, &EstimationParameters::default());
    assert_eq!(done.refusals[0].why, RefusedScaling::UnknownOutside);
}

/// What days are to a span that reaches them, by themselves.
fn reached(days: &[DayBlock]) -> Vec<OutsideInterval> {
    outside(days, &Evidence::default(), &EstimationParameters::default())
}

/// A gap over the end of a month, in one span: Tuesday's last four hours and Wednesday's first five.
#[test]
fn two_months_share_one_running_sum() {
    let gap: Vec<Cell> = (20..24).map(|hour| (1, hour)).chain((0..5).map(|hour| (2, hour))).collect();
    let week = without(&gap);
    let (early, late) = week.split_at(2);
    // The week is Σ 24 × (10 + 20 + 30 + 40 + 50) + 5 × 276 = 4 980; missing are 166 and 160: 4 654 are known, 500 more were
    // counted. Tuesday is laid over Monday's 30 … 33 = 126, Wednesday over 45 … 49 = 235, the means of Thursday and Friday.
    let spans = [span(week[0].start(), week[4].interval_start(24), 4_654 + 500)];
    let parameters = EstimationParameters { like_days_min: 1, ..EstimationParameters::default() };
    let close = |days: &[DayBlock], others: &[OutsideInterval]| {
        let mut days = days.to_vec();
        let evidence = Evidence { register_spans: &spans, outside: others, ..Evidence::default() };
        let done = estimate_with(&mut days, &evidence, &parameters);
        (days, done.refusals.iter().map(|refusal| refusal.why).collect::<Vec<_>>())
    };
    let open = |days: &[DayBlock]| outside(days, &Evidence::default(), &parameters);
    let sum = |days: &[DayBlock]| days.iter().map(DayBlock::total_wh).sum::<i64>();
    let closed = |days: &[DayBlock]| days.iter().flat_map(outside_closed).collect::<Vec<_>>();

    // 500 ÷ 361 over 30, 61, 93, 126: 41.6, 84.5, 128.8, 174.5 → 42, 84, 129, 175; the other 325 go to Wednesday.
    let (first, refused) = close(early, &open(late));
    assert_eq!((&first[1].values_wh()[20..], refused), (&[42, 42, 45, 46][..], vec![]));
    let (second, refused) = close(late, &open(early));
    assert_eq!((sum(&second) - sum(late), refused), (325, vec![]));
    assert_eq!(sum(&first) + sum(&second), 5_154);

    // Closed by like days alone, while nothing was known of Wednesday: 126, so that 374 are left.
    let (guessed, refused) = close(early, &[]);
    assert_eq!((sum(&guessed) - sum(early), refused), (126, vec![RefusedScaling::UnknownOutside]));
    let (second, refused) = close(late, &closed(&guessed));
    assert_eq!((sum(&guessed) + sum(&second), refused), (5_154, vec![]));

    // Closed without a value: what was used there is not Wednesday's.
    let (second, refused) = close(late, &closed(early));
    assert_eq!((sum(&second) - sum(late), refused), (235, vec![RefusedScaling::ClosedWithout]));
}
