//! The picture holds every figure, and stands for given figures byte for byte.

use super::*;

fn figure(name: &'static str, threads: usize, unit: Unit, rate: f64, share: f64) -> Figure {
    Figure {
        kind: Kind::Stage,
        name,
        threads,
        unit,
        rate,
        spread: 0.0,
        limit: Some("memory read"),
        share: Some(share),
        speed_up: (threads > 1).then_some(1.75),
    }
}

fn figures() -> Vec<Figure> {
    vec![
        figure("decode frames", 1, Unit::READINGS, 40e6, 0.01),
        figure("decode frames", 2, Unit::READINGS, 70e6, 0.02),
        figure("append and sync", 1, Unit::READINGS, 60e6, 0.5),
        figure("prove a day", 2, Unit::PROOFS, 1.1e6, 0.1),
    ]
}

#[test]
fn every_stage_is_there_once_with_its_rate_and_share() {
    let text = draw("A & B", &figures());
    assert_eq!(text, draw("A & B", &figures()), "the same figures, the same bytes");
    for said in [
        "70.0 M/s",
        "2.00 % of memory read",
        "70.0 M readings/s, ×1.75",
        "On 2 threads: prove a day: 1.10 M proofs/s<",
        "A &amp; B",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(text.matches(">decode frames<").count(), 2, "beside its bar and above its columns");
    assert_eq!(text.matches(">append and sync<").count(), 1, "on one thread only");
    assert!(!text.contains("<script") && !text.contains("NaN") && !text.contains("inf"), "{text}");
}

#[test]
fn a_longer_bar_is_faster_and_the_limit_is_farther() {
    let figures = figures();
    let rows: Vec<&Figure> = figures.iter().collect();
    let axis = Axis::over(&rows);
    assert!(axis.x(70e6) > axis.x(40e6));
    assert!(axis.x(allowed(&figures[0])) > axis.x(figures[0].rate));
    for figure in &figures {
        let x = axis.x(figure.rate);
        assert!(x > BAR_START && x < BAR_END, "{}: {x}", figure.name);
    }
}

#[test]
fn odd_figures_make_a_picture_too() {
    for list in [
        Vec::new(),
        vec![figure("x", 1, Unit::READINGS, 0.0, 0.0)],
        vec![figure("x", 1, Unit::PROOFS, 1.0, 2.0)],
    ] {
        let text = draw("", &list);
        assert!(text.ends_with("</svg>\n") && !text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}

#[test]
fn names_and_lines_fit() {
    assert_eq!(cut(&"x".repeat(200)).chars().count(), LINE_LENGTH_MAX);
    for stage in super::super::stages::STAGES {
        assert!(stage.name.len() <= 18, "{} does not fit beside its bar", stage.name);
    }
    for (rate, want) in
        [(1e9, "1.00 G"), (24.06e6, "24.1 M"), (999.7e3, "1.00 M"), (740.0, "740"), (1.1e6, "1.10 M")]
    {
        assert_eq!(short(rate), want);
    }
}
