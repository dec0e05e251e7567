//! Refusals over time by reason: stacked columns.

use super::html::{number, text};
use crate::cli::log::Millis;
use crate::cli::usage::{Reasons, Span, Usage};

/// The colours: seven reasons have their own, all others share the last.
pub(super) const COLOURS: usize = 8;
const WIDTH: u64 = 1000;
const HEIGHT: u64 = 230;
/// The room for the numbers at the left, and for the times below.
const LEFT: u64 = 46;
const BELOW: u64 = 24;
const ABOVE: u64 = 10;
/// About how many times are written below.
const TIMES: usize = 7;
const DAY: i64 = 86_400;

/// The names of the reasons that have a colour of their own, in the order of the colours.
pub(super) fn coloured<'u>(all: &Reasons, usage: &'u Usage) -> Vec<&'u str> {
    let ranked = all.ranked().into_iter().map(|(reason, _)| usage.reasons.name(reason));
    ranked.take(COLOURS.saturating_sub(1)).collect()
}

/// The place of the colour of a reason.
pub(super) fn colour(name: &str, coloured: &[&str]) -> usize {
    coloured.iter().position(|other| *other == name).unwrap_or(COLOURS.saturating_sub(1))
}

/// The chart with its key; `of` tells which reasons of a span are meant.
pub(super) fn columns(usage: &Usage, all: &Reasons, of: fn(&Span) -> &Reasons) -> String {
    let spans = usage.series.all();
    let coloured = coloured(all, usage);
    let most = spans.iter().map(|(_, span)| of(span).total()).max().unwrap_or_default();
    let top = nice(most);
    let plot = HEIGHT.saturating_sub(BELOW).saturating_sub(ABOVE);
    let bottom = HEIGHT.saturating_sub(BELOW);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
        text(&format!("{} requests by reason over time", all.total()))
    );
    for step in 0..=4_u64 {
        let y = bottom.saturating_sub(plot.saturating_mul(step) / 4);
        let (class, value) = (if step == 0 { "axis" } else { "grid" }, top.saturating_mul(step) / 4);
        svg.push_str(&format!(
            "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y}\" y2=\"{y}\"/><text x=\"{}\" y=\"{}\" \
             text-anchor=\"end\">{}</text>\n",
            LEFT.saturating_sub(8),
            y.saturating_add(4),
            number(value)
        ));
    }
    let count = u64::try_from(spans.len()).unwrap_or(u64::MAX).max(1);
    // In hundredths, so that columns of a fraction of a unit are even.
    let step = WIDTH.saturating_sub(LEFT).saturating_mul(100) / count;
    let width = (step.saturating_mul(78) / 100).min(4800);
    for (index, (at, span)) in spans.iter().enumerate() {
        let start =
            LEFT.saturating_mul(100).saturating_add(step.saturating_mul(u64::try_from(index).unwrap_or_default()));
        let x = start.saturating_add(step.saturating_sub(width) / 2);
        column(&mut svg, (x, width), (bottom, plot, top), &stacked(of(span), &coloured, usage), *at);
    }
    times(&mut svg, &spans, step, usage.series.seconds());
    svg.push_str("</svg>\n");
    format!("<figure>\n{svg}{}</figure>\n", key(all, &coloured, usage))
}

/// The reasons of a span, by colour.
fn stacked<'u>(reasons: &Reasons, coloured: &[&'u str], usage: &'u Usage) -> Vec<(usize, String, u64)> {
    let mut parts: Vec<(usize, String, u64)> = reasons
        .ranked()
        .into_iter()
        .map(|(reason, count)| (usage.reasons.name(reason), count))
        .map(|(name, count)| (colour(name, coloured), name.to_owned(), count))
        .collect();
    parts.sort_by_key(|(colour, _, _)| *colour);
    parts
}

fn column(
    svg: &mut String,
    (x, width): (u64, u64),
    (bottom, plot, top): (u64, u64, u64),
    parts: &[(usize, String, u64)],
    at: Millis,
) {
    let scaled = |value: u64| value.saturating_mul(plot).saturating_mul(100) / top.max(1);
    let mut below = 0_u64;
    for (colour, name, count) in parts {
        let (from, to) = (scaled(below), scaled(below.saturating_add(*count)));
        below = below.saturating_add(*count);
        // A little room between two parts, and what is there can be seen.
        let height = to.saturating_sub(from).saturating_sub(if from > 0 { 120 } else { 0 }).max(60);
        let y = bottom.saturating_mul(100).saturating_sub(from.saturating_add(height).max(to));
        svg.push_str(&format!(
            "<rect class=\"k{colour}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"1.5\"><title>{}</title></rect>\n",
            hundredths(x),
            hundredths(y),
            hundredths(width),
            hundredths(height),
            text(&format!("{}: {name} {count}", at.written()))
        ));
    }
}

/// The times below the columns.
fn times(svg: &mut String, spans: &[(Millis, Span)], step: u64, seconds: i64) {
    let every = spans.len().div_ceil(TIMES).max(1);
    let is_long = match (spans.first(), spans.last()) {
        (Some((first, _)), Some((last, _))) => last.seconds().0.saturating_sub(first.seconds().0) >= DAY,
        _ => false,
    };
    for (index, (at, _)) in spans.iter().enumerate().step_by(every) {
        let written = at.written();
        let part = if seconds >= DAY {
            written.get(..10)
        } else if is_long {
            written.get(5..16)
        } else if seconds >= 60 {
            written.get(11..16)
        } else {
            written.get(11..19)
        };
        let x = LEFT.saturating_mul(100).saturating_add(step.saturating_mul(u64::try_from(index).unwrap_or_default()));
        svg.push_str(&format!(
            "<text x=\"{}\" y=\"{}\">{}</text>\n",
            hundredths(x),
            HEIGHT.saturating_sub(6),
            part.unwrap_or(&written).replace('T', " ")
        ));
    }
}

fn key(all: &Reasons, coloured: &[&str], usage: &Usage) -> String {
    let ranked: Vec<(&str, u64)> =
        all.ranked().into_iter().map(|(reason, count)| (usage.reasons.name(reason), count)).collect();
    let own = ranked.iter().take(coloured.len());
    let mut items: Vec<(usize, String, u64)> =
        own.map(|(name, count)| (colour(name, coloured), (*name).to_owned(), *count)).collect();
    let rest: u64 = ranked.iter().skip(coloured.len()).map(|(_, count)| count).sum();
    if rest > 0 {
        items.push((COLOURS.saturating_sub(1), "others".to_owned(), rest));
    }
    let items: Vec<String> = items
        .iter()
        .map(|(colour, name, count)| {
            format!("<li><span class=\"dot k{colour}\"></span>{} {}</li>\n", text(name), number(*count))
        })
        .collect();
    format!("<ul class=\"key\">\n{}</ul>\n", items.concat())
}

/// The next number that an axis can end with, in four even steps.
fn nice(most: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        for factor in [4, 8, 12, 20, 40] {
            let top = unit.saturating_mul(factor);
            if top >= most {
                return top;
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// A number of hundredths, as SVG writes it.
fn hundredths(value: u64) -> String {
    format!("{}.{:02}", value / 100, value % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_the_next_round_number_in_four_steps() {
        for (most, top) in [(0, 4), (4, 4), (5, 8), (13, 20), (41, 80), (100, 120), (4001, 8000)] {
            assert_eq!(nice(most), top, "{most}");
            assert_eq!(top % 4, 0);
        }
        assert_eq!(nice(u64::MAX), u64::MAX);
        assert_eq!(hundredths(1205), "12.05");
    }
}
