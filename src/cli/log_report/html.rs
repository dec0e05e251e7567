//! The page: one file, without script, font or network.

mod calls;
mod sections;

use super::chart;
use super::privilege::{uncalled, unused};
use super::style::STYLE;
use super::tokens::{long_lived, reused};
use crate::cli::markup;
use crate::cli::matrix::Section;
use crate::cli::terminal::is_unsafe;
use crate::cli::usage::Usage;

/// How many rows a table has; the rest is counted.
const ROWS: usize = 15;

/// The page.
pub(super) fn page(files: &[String], usage: &Usage, sections: &[Section]) -> String {
    let total = usage.counts.total();
    let body = [
        header(files, usage),
        tiles(usage, sections),
        over_time(usage),
        calls::reasons(usage),
        calls::table("routes", "Routes", Some("callers"), &usage.routes),
        calls::table("clients", "Clients", Some("routes"), &usage.clients),
        format!(
            "<div class=\"pair\">\n{}{}</div>\n",
            calls::table("issuers", "Issuers", None, &usage.issuers),
            calls::table("subjects", "Subjects", None, &usage.subjects),
        ),
        sections::reused(usage),
        sections::long_lived(usage),
        sections::privilege(usage, sections),
        sections::would_deny(usage),
        footer(usage),
    ]
    .concat();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>Decisions of Scopegate: {} requests</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         </body>\n</html>",
        number(total)
    )
}

fn header(files: &[String], usage: &Usage) -> String {
    let between = usage.series.between().map_or_else(
        || "The records have no time.".to_owned(),
        |(first, last)| format!("{} to {}.", first.written(), last.written()),
    );
    let names: Vec<String> = files.iter().map(|file| code(file)).collect();
    format!(
        "<header>\n<h1>Decisions of Scopegate</h1>\n<p>{} From {} in {}.</p>\n</header>\n",
        text(&between),
        counted(usage.tally.records, "record", "records"),
        names.join(", ")
    )
}

fn tiles(usage: &Usage, sections: &[Section]) -> String {
    let counts = &usage.counts;
    let total = counts.total();
    let (denied, would) = (counts.denied.total(), counts.would_deny.total());
    let reused = to_u64(reused(usage).len());
    let unused: u64 = unused(usage).iter().map(|row| to_u64(row.scopes.len())).sum();
    let mut tiles = vec![
        tile("", &number(total), "requests", None),
        tile(
            if denied > 0 { "deny" } else { "good" },
            &number(denied),
            &format!("refused, {}", share(denied, total)),
            Some("time"),
        ),
        tile(
            if would > 0 { "would" } else { "" },
            &number(would),
            &format!("let pass by report-only, {}", share(would, total)),
            Some("report-only"),
        ),
        tile(
            if reused > 0 { "deny" } else { "good" },
            &number(reused),
            "tokens seen from several clients",
            Some("reuse"),
        ),
        tile("", &number(to_u64(long_lived(usage).len())), "tokens that live too long", Some("lifetimes")),
        tile("", &number(unused), "scopes granted and never used", Some("privilege")),
    ];
    if !sections.is_empty() {
        let uncalled = to_u64(uncalled(sections, usage).len());
        tiles.push(tile("", &number(uncalled), "requirements without a call", Some("uncalled")));
    }
    format!("<ul class=\"tiles\">\n{}</ul>\n", tiles.concat())
}

fn tile(class: &str, value: &str, what: &str, link: Option<&str>) -> String {
    let what = match link {
        Some(link) => format!("<a href=\"#{link}\">{}</a>", text(what)),
        None => text(what),
    };
    format!("<li class=\"{class}\"><b>{value}</b><span>{what}</span></li>\n")
}

fn over_time(usage: &Usage) -> String {
    let denied = &usage.counts.denied;
    let body = if denied.total() == 0 {
        none("Nothing was refused.")
    } else if usage.series.between().is_none() {
        none("The records have no time, so there is no chart.")
    } else {
        let span = super::span(usage.series.seconds());
        format!(
            "<p class=\"soft\">Each column is {}; times are UTC.</p>\n{}",
            text(&span),
            chart::columns(usage, denied, |span| &span.denied)
        )
    };
    section("time", "Refusals over time", &body)
}

fn footer(usage: &Usage) -> String {
    let tally = usage.tally;
    let mut notes = vec![
        format!("{} lines were read; {} of them have no record.", number(tally.lines), number(tally.others)),
        "A subject, route or requirement is named as the record names it: text from outside is escaped there."
            .to_owned(),
    ];
    for (count, what) in [
        (tally.again, "records were in the access log and in Envoy's log, and count once."),
        (tally.unreadable, "lines could not be read, or are longer than a megabyte."),
        (
            tally.ambiguous,
            "lines have several texts that may be the record, and were left out: name its member with --record.",
        ),
        (usage.series.timeless, "records have no time, and are not in the chart."),
        (usage.tokens.dropped.0, "tokens with the fewest requests were left out, to bound the memory."),
    ] {
        if count > 0 {
            notes.push(format!("{} {what}", number(count)));
        }
    }
    let notes: Vec<String> = notes.iter().map(|note| format!("<li>{}</li>\n", text(note))).collect();
    format!("<footer>\n<ul>\n{}</ul>\n</footer>\n", notes.concat())
}

fn section(id: &str, title: &str, body: &str) -> String {
    format!("<section id=\"{id}\">\n<h2>{}</h2>\n{body}</section>\n", text(title))
}

/// A line in the place of a table that would be empty.
fn none(what: &str) -> String {
    format!("<p class=\"none\">{}</p>\n", text(what))
}

/// A table with these heads, those of numbers marked with a `#`.
fn table(heads: &[&str], rows: &[String]) -> String {
    let heads: String = heads
        .iter()
        .map(|head| match head.strip_prefix('#') {
            Some(head) => format!("<th scope=\"col\" class=\"n\">{}</th>", text(head)),
            None => format!("<th scope=\"col\">{}</th>", text(head)),
        })
        .collect();
    format!(
        "<div class=\"scroll\">\n<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{}</tbody>\n</table>\n</div>\n",
        rows.concat()
    )
}

/// A line below a table that says what it leaves out.
fn left_out(rows: u64, what: &str) -> String {
    if rows == 0 { String::new() } else { format!("<p class=\"none\">and {} {}</p>\n", number(rows), text(what)) }
}

/// Text from a log or a policy, as HTML takes it, without what would hide or turn it.
pub(super) fn text(from: &str) -> String {
    markup::escaped(&from.replace(is_unsafe, "\u{fffd}"))
}

fn code(from: &str) -> String {
    format!("<code>{}</code>", text(from))
}

/// A number, its thousands apart.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A cell with a number.
fn number_cell(value: u64) -> String {
    let class = if value == 0 { "n zero" } else { "n" };
    format!("<td class=\"{class}\">{}</td>", number(value))
}

fn counted(value: u64, one: &str, several: &str) -> String {
    format!("{} {}", number(value), if value == 1 { one } else { several })
}

/// A share in percent, with a decimal where it is small.
fn share(part: u64, of: u64) -> String {
    let tenths = part.saturating_mul(1000).checked_div(of).unwrap_or_default();
    match tenths {
        0 if part > 0 => "less than 0.1 %".to_owned(),
        0..100 => format!("{}.{} %", tenths / 10, tenths % 10),
        _ => format!("{} %", tenths / 10),
    }
}

fn to_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}
