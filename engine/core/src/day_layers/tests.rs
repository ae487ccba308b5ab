//! The set of layers against a naive one: every value ever put in, in a list, gone through for each interval.

use super::*;
use crate::calendar::{UtcSeconds, Zone};
use crate::day_block::{MergeCounts, join};
use crate::layer::{CorrectionReason, Origin};
use crate::meter_event::MeterEvent;
use crate::register::Register;
use proptest::prelude::*;

/// One value under a head.
type Said = (LayerHead, usize, (i32, Quality));

const INTERVAL_COUNT: usize = 24;

fn empty() -> DayBlock {
    let local = Zone::parse("UTC").unwrap().local_day("2026-03-01".parse().unwrap());
    DayBlock::empty("P".parse().unwrap(), Register::IMPORT, local, 60, Source::Automated).unwrap()
}

fn any_head() -> impl Strategy<Value = LayerHead> {
    (0..3_u64, 0..8_u8).prop_map(|(issued, draw)| {
        let issued = Issued(issued);
        match draw {
            0..=4 => LayerHead::delivered(issued),
            5 => {
                let (reason, who) = (CorrectionReason::ManualEdit, Some("anna".parse().unwrap()));
                let origin = Origin { reason, who, at: Some(UtcSeconds(5)) };
                LayerHead { kind: LayerKind::Delivered, issued: Issued(issued.0 + 1), origin }
            }
            _ => LayerHead { kind: LayerKind::Withdrawn, issued, origin: Origin::WITHDRAWN_BY_SOURCE },
        }
    })
}

fn any_said() -> impl Strategy<Value = Said> {
    let qualities: Vec<Quality> =
        Quality::ALL.into_iter().filter(|quality| *quality != Quality::Missing).collect();
    (any_head(), 0..3_usize, 0..4_i32, prop::sample::select(qualities))
        .prop_map(|(head, at, value_wh, quality)| (head, at, (value_wh, quality)))
}

fn set_of(said: &[Said]) -> DayLayers {
    let mut layers = DayLayers::on_grid_of(&empty());
    for (head, at, value) in said {
        let became = layers.put(*head, *at, *value);
        if became == Put::Full {
            assert!(!layers.holds(head, *at, *value));
            continue;
        }
        assert!(layers.holds(head, *at, *value) || *head == LayerHead::BASE);
        assert_eq!(layers.put(*head, *at, *value), Put::Known, "once in, it is known");
    }
    layers
}

/// What stands, from the list alone.
fn naive(said: &[Said], at: usize) -> (i32, Quality) {
    let own: Vec<&Said> = said.iter().filter(|(_, other, _)| *other == at).collect();
    let best_base = own.iter().filter(|(head, ..)| *head == LayerHead::BASE).map(|(.., v)| v.1.rank()).max();
    let is_struck = |head: &LayerHead, value_wh: i32| {
        own.iter().any(|(other, _, value)| other.strikes(head) && value.0 == value_wh)
    };
    let standing: Vec<((u8, Issued), (i32, Quality))> = own
        .iter()
        .filter(|(head, _, value)| {
            head.kind == LayerKind::Delivered
                && !is_struck(head, value.0)
                && (*head != LayerHead::BASE || Some(value.1.rank()) == best_base)
        })
        .map(|(head, _, value)| ((value.1.rank(), head.issued), *value))
        .collect();
    let best = standing.iter().map(|(order, _)| *order).max();
    let values = standing.iter().filter(|(order, _)| Some(*order) == best).map(|(_, value)| *value);
    values.reduce(join).unwrap_or((0, Quality::Missing))
}

proptest! {
    #[test]
    fn the_fold_is_the_naive_one(said in prop::collection::vec(any_said(), 0..24)) {
        let block = set_of(&said).fold();
        for at in 0..INTERVAL_COUNT {
            prop_assert_eq!(block.interval(at), naive(&said, at), "interval {} of {:?}", at, said);
        }
    }

    /// Union of sets: commutative, associative, idempotent, and the same however the values were split between them.
    #[test]
    fn the_union_is_a_join(
        said in prop::collection::vec((any_said(), 0..3_usize), 0..30),
        seed in any::<u64>(),
    ) {
        let part = |at: usize| {
            let own = said.iter().filter(|(_, part)| *part == at).map(|(said, _)| *said);
            set_of(&own.collect::<Vec<Said>>())
        };
        let unite = |a: &DayLayers, b: &DayLayers| {
            let mut all = a.clone();
            all.unite(b).unwrap();
            all
        };
        let [a, b, c] = [part(0), part(1), part(2)];
        let whole = unite(&unite(&a, &b), &c);
        prop_assert_eq!(&unite(&a, &a), &a);
        prop_assert_eq!(&unite(&a, &b), &unite(&b, &a));
        prop_assert_eq!(&whole, &unite(&a, &unite(&b, &c)));
        let mut shuffled: Vec<Said> = said.iter().chain(&said).map(|(said, _)| *said).collect();
        shuffled.sort_by_key(|said| {
            let text = format!("{said:?}{seed}");
            text.bytes().fold(seed, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
        });
        prop_assert_eq!(&whole, &set_of(&shuffled));
        // What is said of it as events says it again, and nothing else does.
        if let Some(state) = DayState::of(whole.clone()) {
            let events = state.events(whole.key());
            let again = DayState::of_events(&events).expect("they are what it gives");
            prop_assert_eq!(DayState::layers_of(Some(&again), &whole.fold()), whole);
        }
    }

    /// As long as nothing is said of issues, the set folds to what joined blocks give.
    #[test]
    fn without_issues_it_is_the_joined_block(
        said in prop::collection::vec(any_said(), 0..30),
    ) {
        let plain: Vec<Said> = said.into_iter().map(|(_, at, value)| (LayerHead::BASE, at, value)).collect();
        let mut block = empty();
        plain.iter().for_each(|(_, at, value)| block.put(*at, value.0, value.1, &mut MergeCounts::default()));
        prop_assert_eq!(set_of(&plain).fold(), block);
    }
}

#[test]
fn what_stands() {
    use Quality::{Edited, EstimatedLinear, Missing, Questionable, Valid};
    let source = Origin::WITHDRAWN_BY_SOURCE;
    let given = |issued: u64, value: i32, quality| (LayerHead::delivered(Issued(issued)), (value, quality));
    let taken = |issued: u64, value: i32| {
        let head = LayerHead { kind: LayerKind::Withdrawn, issued: Issued(issued), origin: source };
        (head, (value, Valid))
    };
    let set = |issued: u64, value: i32| {
        let (reason, who) = (CorrectionReason::ManualEdit, Some("anna".parse().unwrap()));
        let origin = Origin { reason, who, at: Some(UtcSeconds(9)) };
        (LayerHead { kind: LayerKind::Delivered, issued: Issued(issued), origin }, (value, Edited))
    };
    let table = [
        (vec![given(0, 5, Valid)], (5, Valid)),
        (vec![given(0, 5, Valid), given(0, 7, Valid)], (5, Questionable)),
        (vec![given(1, 5, Valid), given(2, 7, Valid)], (7, Valid)),
        (vec![given(2, 5, Valid), given(2, 7, Valid)], (5, Questionable)),
        (vec![given(9, 5, EstimatedLinear), given(0, 7, Valid)], (7, Valid)),
        (vec![given(1, 5, Valid), given(2, 7, Valid), taken(2, 7)], (5, Valid)),
        (vec![given(1, 5, Valid), given(2, 7, Valid), taken(2, 5)], (7, Valid)),
        (vec![given(1, 5, Valid), given(2, 5, Valid), taken(0, 5)], (0, Missing)),
        (vec![given(1, 5, Valid), given(2, 5, Valid), taken(2, 5)], (5, Valid)),
        // Taken back and delivered anew, all without a word of issues.
        (vec![given(0, 5, Valid), taken(0, 5), given(0, 7, Valid)], (7, Valid)),
        // A person sets what stands; and sets it back.
        (vec![given(0, 5, Valid), taken(0, 5), set(9, 8)], (8, Edited)),
        (vec![given(0, 5, Valid), taken(0, 5), set(9, 8), taken(9, 8), set(10, 5)], (5, Edited)),
    ];
    for (said, want) in table {
        let said: Vec<Said> = said.into_iter().map(|(head, value)| (head, 3, value)).collect();
        assert_eq!(set_of(&said).stands(3), want, "{said:?}");
    }
}

#[test]
fn a_day_that_is_plain_says_so() {
    let mut block = empty();
    block.put(0, 5, Quality::Valid, &mut MergeCounts::default());
    let plain = DayLayers::of(block.clone(), Issued::UNSAID);
    assert_eq!(DayState::of(plain.clone()), None);
    let stamped = DayLayers::of(block.clone(), Issued(4));
    assert_eq!(DayState::of(stamped.clone()), Some(DayState::Stamped(Issued(4))));
    assert_eq!(DayState::layers_of(Some(&DayState::Stamped(Issued(4))), &block), stamped);
    let mut both = plain;
    both.unite(&stamped).unwrap();
    let Some(DayState::Layered(_)) = DayState::of(both.clone()) else { panic!("two layers") };
    // What says no more than a plain day, or is not in its one form, is no state.
    let base = layer_event(&block, 0);
    for events in [vec![], vec![base.clone()], vec![layer_event(&block, 4)], vec![base.clone(), base]] {
        assert_eq!(DayState::of_events(&events), None, "{events:?}");
    }
}

/// Values of one issue that contradict each other, and issues without end, in any order: the same set, and the same stands.
#[test]
fn bounds_do_not_show_the_order() {
    let (count, many) =
        (i32::try_from(VALUE_COUNT_MAX).unwrap() + 30, u64::try_from(VALUE_COUNT_MAX).unwrap() + 30);
    let edit = |issued: u64| {
        let (reason, who) = (CorrectionReason::ManualEdit, Some("anna".parse().unwrap()));
        let at = Some(UtcSeconds(i64::try_from(issued).unwrap()));
        Origin { reason, who, at }
    };
    let taken =
        |issued: u64| LayerHead { kind: LayerKind::Withdrawn, issued: Issued(issued), origin: edit(issued) };
    let said: Vec<Said> = (0..many)
        .map(|issued| (LayerHead::delivered(Issued(issued)), 0, (3, Quality::Valid)))
        .chain((0..count).map(|value| (LayerHead::delivered(Issued(9)), 1, (count - value, Quality::Valid))))
        .chain((0..count).map(|value| (LayerHead::BASE, 2, (value, Quality::Valid))))
        .chain((0..many).map(|issued| (taken(issued), 0, (4, Quality::Valid))))
        .chain([(LayerHead::BASE, 5, (7, Quality::Valid))])
        .collect();
    let forwards = set_of(&said);
    let backwards = set_of(&said.iter().rev().copied().collect::<Vec<Said>>());
    assert_eq!(forwards, backwards);
    let (even, odd): (Vec<_>, Vec<_>) = said.iter().enumerate().partition(|(at, _)| at % 2 == 0);
    let half =
        |part: Vec<(usize, &Said)>| set_of(&part.iter().map(|(_, said)| **said).collect::<Vec<Said>>());
    let (mut united, odd) = (half(even), half(odd));
    united.unite(&odd).unwrap();
    assert_eq!(united, forwards);
    for (at, want) in
        [(0, (3, Quality::Valid)), (1, (1, Quality::Questionable)), (2, (0, Quality::Questionable))]
    {
        assert_eq!((forwards.stands(at), forwards.unstruck(at).count()), (want, VALUE_COUNT_MAX), "{at}");
    }
    // An interval of which little is said keeps it.
    assert_eq!(forwards.stands(5), (7, Quality::Valid));
    // What is taken back of any issue is kept.
    let any =
        forwards.layers().iter().find(|layer| layer.head == taken(0)).map(|layer| layer.block.interval(0));
    assert_eq!(any, Some((4, Quality::Valid)));
}

/// A person may set one value without end: what was set last stands.
#[test]
fn edits_without_end() {
    let mut layers = DayLayers::on_grid_of(&empty());
    layers.put(LayerHead::BASE, 3, (1_000, Quality::Valid));
    let head = |kind, issued| {
        let origin = Origin { reason: CorrectionReason::ManualEdit, who: None, at: Some(UtcSeconds(5)) };
        LayerHead { kind, issued, origin }
    };
    for round in 1..=300 {
        let standing: Vec<(LayerHead, (i32, Quality))> = layers.unstruck(3).collect();
        for (other, struck) in standing {
            assert_ne!(layers.put(head(LayerKind::Withdrawn, other.issued), 3, struck), Put::Full);
        }
        let issued = Issued(layers.last_issue().0 + 1);
        assert_eq!(layers.put(head(LayerKind::Delivered, issued), 3, (round, Quality::Edited)), Put::New);
        assert_eq!(layers.stands(3), (round, Quality::Edited), "{round}");
    }
}

/// A layer of one block as an event.
fn layer_event(block: &DayBlock, issued: u64) -> MeterEvent {
    MeterEvent::Layer(Layer { head: LayerHead::delivered(Issued(issued)), block: block.clone() })
}
