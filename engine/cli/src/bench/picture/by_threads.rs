//! A small picture a stage: its rate on 1, 2, 4, … threads.
//!
//! ```text
//!   take in and seal
//!   27.1 M readings/s, ×1.26      on the most threads
//!   ▁█                            pale: as many times the rate of one thread as there are threads
//!   1 2                           threads
//! ```

use super::super::figure::{Figure, digits};
use super::super::measure::real;
use super::svg::{Anchor, Svg};
use super::{MARGIN, WIDTH, rate};

/// Stages side by side.
const PANEL_COUNT: usize = 5;
/// From one row of stages to the next.
const PANEL_HEIGHT: f64 = 140.0;
/// The section's title, and the blank below it.
const TITLE_HEIGHT: f64 = 34.0;
/// Height of as many times the rate of one thread as there are threads.
const COLUMN: f64 = 56.0;
/// From the top of a panel to the foot of its columns.
const BASE: f64 = 94.0;
/// From one column to the next; less where there are many.
const STEP_MAX: f64 = 34.0;

/// How much room the section takes.
pub(super) fn height(groups: &[Vec<&Figure>]) -> f64 {
    if groups.is_empty() {
        return 0.0;
    }
    TITLE_HEIGHT + PANEL_HEIGHT * real(groups.len().div_ceil(PANEL_COUNT))
}

/// Draws a panel for each group: the figures of one stage, by threads.
pub(super) fn draw(svg: &mut Svg, groups: &[Vec<&Figure>], top: f64) {
    if groups.is_empty() {
        return;
    }
    svg.text("section", MARGIN, top, Anchor::Start, "By threads");
    let text = "Rate on the threads below each column. Pale: that many times the rate of one thread.";
    svg.text("quiet", MARGIN + 102.0, top, Anchor::Start, text);
    let width = (WIDTH - 2.0 * MARGIN) / real(PANEL_COUNT);
    for (at, group) in groups.iter().enumerate() {
        let (row, column) = (at / PANEL_COUNT, at % PANEL_COUNT);
        let left = MARGIN + width * real(column);
        panel(svg, group, left, width, top + TITLE_HEIGHT + PANEL_HEIGHT * real(row));
    }
}

fn panel(svg: &mut Svg, group: &[&Figure], left: f64, width: f64, top: f64) {
    let fastest = group[group.len() - 1];
    svg.text("name", left, top, Anchor::Start, fastest.name);
    let times = fastest.speed_up.unwrap_or(1.0);
    let told = format!("{}, ×{}", rate(fastest), digits(times));
    svg.text("small", left, top + 17.0, Anchor::Start, &told);
    let (base, most) = (top + BASE, real(fastest.threads));
    let step = ((width - 20.0) / real(group.len())).min(STEP_MAX);
    // More than so many times as fast is more than a panel has room for.
    let height = |times: f64| COLUMN * (times / most).clamp(0.0, 1.15);
    for (at, figure) in group.iter().enumerate() {
        let x = left + step * real(at);
        let (ideal, own) = (height(real(figure.threads)), height(figure.speed_up.unwrap_or(1.0)));
        svg.bar("pale", x, base - ideal, step - 4.0, ideal);
        svg.bar("full", x, base - own, step - 4.0, own);
        let middle = x + (step - 4.0) / 2.0;
        svg.text("tick", middle, base + 15.0, Anchor::Middle, &figure.threads.to_string());
    }
    svg.line("base", left, base, left + step * real(group.len()) - 4.0, base);
}
