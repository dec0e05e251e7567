//! Tables of calls: by reason, route, client, issuer, subject.

use super::{ROWS, code, left_out, none, number_cell, section, share, text, to_u64};
use crate::cli::log_report::chart::{self, colour};
use crate::cli::usage::{Calls, Counts, Few, NO_NAME, Table, Usage};

/// How many rows a table has that shares its width with another.
const ROWS_OF_PAIR: usize = 10;

/// The reasons, and where most of each come from.
pub(super) fn reasons(usage: &Usage) -> String {
    let (denied, would) = (&usage.counts.denied, &usage.counts.would_deny);
    let mut all = denied.clone();
    all.add(would);
    if all.total() == 0 {
        return String::new();
    }
    let coloured = chart::coloured(denied, usage);
    let ranked = all.ranked();
    let rows: Vec<String> = ranked
        .iter()
        .map(|(reason, count)| {
            let name = usage.reasons.name(*reason);
            let most = usage.routes.ranked().into_iter().map(|(route, row)| {
                (route, row.counts.denied.of(*reason).saturating_add(row.counts.would_deny.of(*reason)))
            });
            let (route, of_route) = most.max_by_key(|(_, count)| *count).unwrap_or((NO_NAME, 0));
            let most = if of_route == 0 { String::new() } else { format!("{} {}", code(route), share(of_route, *count)) };
            format!(
                "<tr><th scope=\"row\"><span class=\"dot k{}\"></span>{}</th>{}{}<td class=\"n\">{}</td><td>{most}</td></tr>\n",
                colour(name, &coloured),
                code(name),
                number_cell(denied.of(*reason)),
                number_cell(would.of(*reason)),
                share(*count, usage.counts.total())
            )
        })
        .collect();
    let heads = ["reason", "#refused", "#report-only", "#of all requests", "most on the route"];
    section("reasons", "Reasons", &super::table(&heads, &rows))
}

/// A table of calls; `others` says what the rows have beside their name, if that is shown.
pub(super) fn table(id: &str, title: &str, others: Option<&str>, calls: &Table<Calls>) -> String {
    let ranked = calls.ranked();
    if ranked.is_empty() {
        return section(id, title, &none("No record names one."));
    }
    let most = ranked.first().map_or(0, |(_, row)| row.counts.total());
    let has_would = ranked.iter().any(|(_, row)| row.counts.would_deny.total() > 0);
    let shown = if others.is_some() { ROWS } else { ROWS_OF_PAIR };
    let rows: Vec<String> =
        ranked.iter().take(shown).map(|(name, row)| self::row(name, row, most, has_would, others.is_some())).collect();
    let mut heads = vec!["name", "#requests", "#refused"];
    heads.extend(has_would.then_some("#report-only"));
    heads.push("");
    heads.extend(others);
    let (dropped, _) = calls.dropped;
    let rest = to_u64(ranked.len().saturating_sub(shown)).saturating_add(dropped);
    let would = if has_would { "<li><span class=\"dot would-deny\"></span>let pass by report-only</li>\n" } else { "" };
    let key = format!(
        "<ul class=\"key\">\n<li><span class=\"dot allow\"></span>allowed</li>\n\
         <li><span class=\"dot denied\"></span>refused</li>\n{would}</ul>\n"
    );
    let body = format!("{}{}{key}", super::table(&heads, &rows), left_out(rest, "more with fewer requests"));
    section(id, title, &body)
}

fn row(name: &str, row: &Calls, most: u64, has_would: bool, has_others: bool) -> String {
    let would = if has_would { number_cell(row.counts.would_deny.total()) } else { String::new() };
    let others = if has_others { format!("<td>{}</td>", few(&row.others)) } else { String::new() };
    format!(
        "<tr><th scope=\"row\">{}</th>{}{}{would}<td class=\"bar\">{}</td>{others}</tr>\n",
        code(name),
        number_cell(row.counts.total()),
        number_cell(row.counts.denied.total()),
        bar(&row.counts, most)
    )
}

/// A bar as long as its share of the longest.
fn bar(counts: &Counts, most: u64) -> String {
    let parts = [
        ("allow", counts.allowed.saturating_add(counts.served)),
        ("denied", counts.denied.total()),
        ("would-deny", counts.would_deny.total()),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(class, count)| {
            let tenths = count.saturating_mul(1000).checked_div(most).unwrap_or_default();
            format!("<i class=\"{class}\" style=\"width:{}.{}%\"></i>", tenths / 10, tenths % 10)
        })
        .collect();
    format!("<span>{}</span>", parts.concat())
}

/// The first of a few names, and how many more there are.
pub(super) fn few(all: &Few) -> String {
    const SHOWN: usize = 3;
    let ranked = all.ranked();
    let shown: Vec<String> = ranked.iter().take(SHOWN).map(|(name, _)| code(name)).collect();
    let more = ranked.len().saturating_sub(SHOWN);
    let more = match (more, all.others) {
        (0, 0) => String::new(),
        (more, 0) => format!(" and {more} more"),
        (more, _) => format!(" and more than {more} more"),
    };
    format!("{}{}", shown.join(", "), text(&more))
}
