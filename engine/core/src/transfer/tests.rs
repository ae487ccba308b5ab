//! What is transferred when: dues by day under a minimum, worked by hand.

use super::*;

/// A day and its line.
type Lines = &'static [(&'static str, &'static str)];

fn day(text: &str) -> Day {
    format!("2026-{text}").parse().unwrap()
}

/// `03-01 50, 03-02 -30`: booked on which day, and how much.
fn told(book: &mut TransferBook, key: TransferKey, text: &str) {
    for one in text.split(", ") {
        let (booked, minor) = one.split_once(' ').unwrap();
        let amount = Money::from_minor(minor.parse().unwrap());
        book.due(day(booked), &BTreeMap::from([(key, amount)]));
    }
}

/// `50+20=0+70`: due, carried in, transferred, carried out; `*5` is how much of it was late.
fn written(line: Option<&TransferLine>) -> String {
    let Some(line) = line else { return "-".into() };
    let TransferLine { due, late, carried_in, transferred, carried_out } = line;
    let late = if *late == Money::ZERO { String::new() } else { format!(" *{}", late.as_minor()) };
    let [due, carried_in, transferred, carried_out] =
        [due, carried_in, transferred, carried_out].map(|money| money.as_minor());
    format!("{due}+{carried_in}={transferred}+{carried_out}{late}")
}

#[test]
fn minimum_and_carry() {
    use TransferRelease::{Minimum, MonthEnd};
    // Minimum, release, what was booked, and the lines of days.
    #[rustfmt::skip]
    let table: &[(i64, TransferRelease, &str, Lines)] = &[
        // Without a minimum everything goes at once.
        (0, MonthEnd, "03-01 50", &[("03-01", "50+0=50+0"), ("03-02", "-"), ("03-31", "-")]),
        (0, Minimum, "03-01 50, 03-02 -20", &[("03-01", "50+0=50+0"), ("03-02", "-20+0=-20+0")]),
        // At the minimum, below it, and over it together.
        (100, MonthEnd, "03-01 100", &[("03-01", "100+0=100+0")]),
        (100, MonthEnd, "03-01 99", &[("03-01", "99+0=0+99"), ("03-02", "0+99=0+99"), ("03-31", "0+99=99+0"), ("04-01", "-")]),
        (100, MonthEnd, "03-01 60, 03-02 50", &[("03-01", "60+0=0+60"), ("03-02", "50+60=110+0"), ("03-03", "-")]),
        (100, MonthEnd, "03-01 60, 03-02 39, 03-05 1", &[("03-02", "39+60=0+99"), ("03-05", "1+99=100+0")]),
        // Days without money carry on, and are not written down.
        (100, MonthEnd, "03-01 60, 03-09 50", &[("03-01", "60+0=0+60"), ("03-04", "-"), ("03-09", "50+60=110+0")]),
        // Two amounts of a day are one.
        (100, MonthEnd, "03-01 60, 03-01 60", &[("03-01", "120+0=120+0")]),
        // The last of the month transfers what is left, whether anything comes that day or not; February has 28 days.
        (100, MonthEnd, "03-31 5", &[("03-31", "5+0=5+0")]),
        (100, MonthEnd, "02-10 5, 03-02 7", &[("02-10", "5+0=0+5"), ("02-28", "0+5=5+0"), ("03-02", "7+0=0+7"), ("03-31", "0+7=7+0")]),
        (100, MonthEnd, "02-10 5, 05-02 7", &[("02-28", "0+5=5+0"), ("03-31", "-"), ("05-02", "7+0=0+7")]),
        // Or it does not: then only the minimum does.
        (100, Minimum, "03-31 5", &[("03-31", "5+0=0+5"), ("04-30", "0+5=0+5")]),
        (100, Minimum, "02-10 60, 05-02 60", &[("02-28", "0+60=0+60"), ("03-31", "0+60=0+60"), ("05-02", "60+60=120+0")]),
        // Below zero it is the same: a small amount waits, a large one is handed back.
        (100, MonthEnd, "03-01 -99, 03-02 -1", &[("03-01", "-99+0=0+-99"), ("03-02", "-1+-99=-100+0")]),
        (100, MonthEnd, "03-01 90, 03-02 -90, 03-03 1", &[("03-02", "-90+90=0+0"), ("03-03", "1+0=0+1")]),
        (100, MonthEnd, "03-01 -40", &[("03-31", "0+-40=-40+0")]),
        (100, MonthEnd, "03-01 50, 03-02 -200", &[("03-02", "-200+50=-150+0")]),
        // What comes late counts to the newest day; a day that is over stays as it was.
        (100, MonthEnd, "03-01 60, 03-05 10, 03-02 50", &[("03-01", "60+0=0+60"), ("03-02", "-"), ("03-05", "60+60=120+0 *50")]),
        (0, MonthEnd, "03-05 10, 03-02 50, 03-05 1", &[("03-02", "-"), ("03-05", "61+0=61+0 *50")]),
    ];
    for (minimum, release, story, lines) in table {
        let hash = ContentHash([1; 32]);
        let terms = TransferTerms { minimum: Money::from_minor(*minimum), release: *release };
        let mut book = TransferBook::default();
        book.terms.insert(hash, terms);
        let key = (Party::Grid, Some(hash));
        told(&mut book, key, story);
        for (at, want) in *lines {
            assert_eq!(written(book.day(day(at)).get(&key)), *want, "{minimum} {release:?} {story}: {at}");
        }
    }
}

#[test]
fn keys_do_not_mix() {
    let hash = |tag| Some(ContentHash([tag; 32]));
    let mut book = TransferBook::default();
    for (tag, minor) in [(1, 100), (2, 10)] {
        let minimum = Money::from_minor(minor);
        book.terms.insert(ContentHash([tag; 32]), TransferTerms { minimum, ..TransferTerms::default() });
    }
    told(&mut book, (Party::Grid, hash(1)), "03-01 50");
    told(&mut book, (Party::Grid, hash(2)), "03-01 50");
    told(&mut book, (Party::Supplier, hash(1)), "03-01 120");
    told(&mut book, (Party::Supplier, None), "03-01 5");
    let sheet = book.day(day("03-01"));
    let lines: Vec<String> = sheet.values().map(|line| written(Some(line))).collect();
    assert_eq!(lines, ["50+0=0+50", "50+0=50+0", "5+0=5+0", "120+0=120+0"]);
    let grid = sheet.iter().filter(|((party, _), _)| *party == Party::Grid).map(|(_, line)| *line);
    let sum = grid.reduce(TransferLine::with);
    assert_eq!(written(sum.as_ref()), "100+0=50+50");
    assert_eq!((book.open_day(), book.day(day("02-28")).len()), (Some(day("03-01")), 0));
}

#[test]
fn codes_and_names() {
    for release in TransferRelease::ALL {
        assert_eq!(TransferRelease::from_code(release.code()), Some(release));
        assert_eq!(TransferRelease::from_name(release.name()), Some(release));
    }
    assert_eq!((0..=255_u8).filter_map(TransferRelease::from_code).count(), TransferRelease::ALL.len());
}
