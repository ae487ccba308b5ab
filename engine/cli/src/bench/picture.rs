//! The figures as a picture: SVG text, the same for the same figures.
//!
//! ```text
//!   title
//!   stage  ████████░░░░░░░░░░░░░│   24 M/s   0.8 % of memory read     log scale; pale: what the limit allows
//!   …
//!   ▁█     ▁█     ▁█                rate by threads, a small picture a stage
//!   what is not told in readings; the machine
//! ```
//!
//! It brings its own background, so that it reads on light and dark pages, and needs no font, script or file.

mod by_threads;
mod svg;

use super::figure::{Figure, Kind, Unit, digits};
use super::measure::real;
use svg::{Anchor, Svg};

const WIDTH: f64 = 960.0;
const MARGIN: f64 = 28.0;
/// Stage names end here.
const NAME_END: f64 = 160.0;
/// Bars stand between these.
const BAR_START: f64 = 172.0;
const BAR_END: f64 = 640.0;
/// Rates end here, shares begin a little behind.
const RATE_END: f64 = 728.0;
const ROW: f64 = 30.0;
const BAR: f64 = 18.0;
/// Where the first row begins.
const ROWS_TOP: f64 = 112.0;
/// The longest text of a line.
const LINE_LENGTH_MAX: usize = 140;

/// Draws the picture.
pub fn draw(machine: &str, figures: &[Figure]) -> String {
    let stages: Vec<&Figure> = figures.iter().filter(|figure| figure.kind == Kind::Stage).collect();
    let fastest = of_most_threads(&stages);
    let (rows, others): (Vec<&Figure>, Vec<&Figure>) =
        fastest.iter().partition(|figure| figure.unit == Unit::READINGS);
    let groups: Vec<Vec<&Figure>> = stages
        .chunk_by(|a, b| a.name == b.name)
        .filter(|group| group.len() > 1)
        .map(<[&Figure]>::to_vec)
        .collect();
    let axis_y = ROWS_TOP + ROW * real(rows.len());
    let threads_top = axis_y + 64.0;
    let footer_y = threads_top + by_threads::height(&groups);
    let mut svg =
        Svg::new(WIDTH, footer_y + 46.0, "Tallywatt: readings a second, stage by stage", &told(&fastest));
    heading(&mut svg, &fastest);
    let axis = Axis::over(&rows);
    axis.draw(&mut svg, axis_y);
    for (at, figure) in rows.iter().enumerate() {
        row(&mut svg, &axis, figure, ROWS_TOP + ROW * real(at));
    }
    by_threads::draw(&mut svg, &groups, threads_top);
    footer(&mut svg, machine, &others, footer_y);
    svg.finish()
}

/// Of each stage, the figure on the most threads.
fn of_most_threads<'a>(stages: &[&'a Figure]) -> Vec<&'a Figure> {
    stages.chunk_by(|a, b| a.name == b.name).filter_map(|group| group.last().copied()).collect()
}

/// What the picture shows, in words.
fn told(fastest: &[&Figure]) -> String {
    let told: Vec<String> =
        fastest.iter().map(|figure| format!("{}: {}", figure.name, rate(figure))).collect();
    format!("Bars on a logarithmic scale. {}.", told.join("; "))
}

fn heading(svg: &mut Svg, fastest: &[&Figure]) {
    let threads = fastest.iter().map(|figure| figure.threads).max().unwrap_or(1);
    svg.text("title", MARGIN, 42.0, Anchor::Start, "Tallywatt: readings a second, stage by stage");
    let fewer: Vec<&str> =
        fastest.iter().filter(|figure| figure.threads < threads).map(|figure| figure.name).collect();
    let on = match (threads, fewer.as_slice()) {
        (1, _) => "On one thread.".to_owned(),
        (_, []) => format!("On {threads} threads."),
        _ => format!("On {threads} threads, {} on one.", fewer.join(", ")),
    };
    let text = format!(
        "{on} Log scale: each line is ten times the one before. Pale: as far as the limit would allow."
    );
    svg.text("quiet", MARGIN, 66.0, Anchor::Start, &text);
}

/// A logarithmic axis, in whole decades.
struct Axis {
    low: i32,
    high: i32,
}

impl Axis {
    /// Wide enough for the figures and for what their limits allow.
    fn over(rows: &[&Figure]) -> Self {
        let ends = rows.iter().flat_map(|figure| [figure.rate, allowed(figure)]).filter(|rate| *rate > 0.0);
        let (least, most) =
            ends.fold((f64::MAX, 1.0_f64), |(least, most), rate| (least.min(rate), most.max(rate)));
        let high = decade(most.log10().ceil());
        // A bar as short as nothing would say nothing: the least has a tenth of a decade at least.
        let low = decade((least.min(most).log10() - 0.1).floor());
        Self { low, high: high.max(low + 1) }
    }

    fn x(&self, rate: f64) -> f64 {
        let span = f64::from(self.high - self.low);
        let part = (rate.max(1e-9).log10() - f64::from(self.low)) / span;
        BAR_START + (BAR_END - BAR_START) * part.clamp(0.0, 1.0)
    }

    fn draw(&self, svg: &mut Svg, bottom: f64) {
        for decade in self.low..=self.high {
            let rate = 10_f64.powi(decade);
            svg.line("grid", self.x(rate), ROWS_TOP - 10.0, self.x(rate), bottom);
            svg.text(
                "tick",
                self.x(rate),
                bottom + 16.0,
                Anchor::Middle,
                &format!("{}/s", short(rate).replace(".00", "").replace(".0", "")),
            );
        }
    }
}

#[allow(clippy::cast_possible_truncation, reason = "logarithms of rates lie between -9 and 308")]
const fn decade(whole: f64) -> i32 {
    whole.clamp(-9.0, 308.0) as i32
}

/// What the limit allows, counted things a second.
fn allowed(figure: &Figure) -> f64 {
    figure.allowed_in_unit().map_or(figure.rate, |allowed| allowed * figure.unit.scale)
}

fn row(svg: &mut Svg, axis: &Axis, figure: &Figure, top: f64) {
    let middle = top + BAR / 2.0 + 5.0;
    let bar = |rate: f64| axis.x(rate) - BAR_START;
    svg.text("name", NAME_END, middle, Anchor::End, figure.name);
    svg.bar("pale", BAR_START, top, bar(allowed(figure)), BAR);
    svg.bar("full", BAR_START, top, bar(figure.rate), BAR);
    svg.text("rate", RATE_END, middle, Anchor::End, &format!("{}/s", short(figure.rate)));
    if let (Some(share), Some(limit)) = (figure.share, figure.limit) {
        let text = format!("{} % of {limit}", digits(100.0 * share));
        svg.text("quiet", RATE_END + 14.0, middle, Anchor::Start, &text);
    }
}

fn footer(svg: &mut Svg, machine: &str, others: &[&Figure], y: f64) {
    svg.line("grid", MARGIN, y - 8.0, WIDTH - MARGIN, y - 8.0);
    let threads = others.iter().map(|figure| figure.threads).max().unwrap_or(1);
    let besides: Vec<String> = others
        .iter()
        .map(|figure| {
            let fewer = if figure.threads < threads { " on one" } else { "" };
            format!("{}: {}{fewer}", figure.name, rate(figure))
        })
        .collect();
    if !besides.is_empty() {
        let on = if threads == 1 { "one thread".to_owned() } else { format!("{threads} threads") };
        let text = format!("On {on}: {}", besides.join(" · "));
        svg.text("plain", MARGIN, y + 12.0, Anchor::Start, &cut(&text));
    }
    let version = env!("CARGO_PKG_VERSION");
    let text = format!("tallywatt {version} bench, medians · {machine}");
    svg.text("quiet", MARGIN, y + 32.0, Anchor::Start, &cut(&text));
}

fn rate(figure: &Figure) -> String {
    let counted = figure.unit.name.rsplit(' ').next().unwrap_or_default();
    format!("{} {counted}", short(figure.rate))
}

/// `24.1 M`.
fn short(rate: f64) -> String {
    let scales = [(1e9, " G"), (1e6, " M"), (1e3, " k")];
    let (scale, name) = scales.into_iter().find(|(scale, _)| rate >= 0.9995 * scale).unwrap_or((1.0, ""));
    let text = digits(rate / scale);
    format!("{text}{name}")
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LINE_LENGTH_MAX {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LINE_LENGTH_MAX - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests;
