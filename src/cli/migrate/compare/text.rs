//! The comparison for people.

use super::counts::{Counts, Groups};
use crate::base::time::UnixSeconds;
use crate::cli::log::Tally;
use crate::cli::moment;
use crate::cli::terminal::clean;
use crate::cli::usage::{Few, parts};

/// How many groups are listed in each direction; JSON has all of them.
const LISTED: usize = 50;
/// How many names are listed in a cell.
const NAMES: usize = 4;
/// Claims whose values are times.
const TIMES: [&str; 4] = ["exp", "nbf", "iat", "auth_time"];
/// Numbers that are taken for times in Unix seconds: from the year 2001 to the year 2286.
const DATES: std::ops::Range<i64> = 1_000_000_000..10_000_000_000;

/// Counts, and a table for each direction in which the two disagree.
pub(super) fn tables(tally: &Tally, counts: &Counts) -> String {
    let mut lines = vec![format!("{} requests compared", counts.compared())];
    let mut say = |count: u64, what: &str| lines.push(format!("{count:>10}  {what}"));
    say(counts.both_allow, "both allow");
    say(counts.both_refuse, "both refuse");
    say(counts.newly_refused.requests, "the old filters allow, Scopegate would refuse");
    say(counts.newly_allowed.requests, "the old filters refuse, Scopegate would allow");
    let further = [
        (counts.decided_by_scopegate, "not compared: Scopegate answered itself".to_owned()),
        (counts.answered_by_neither(), format!("not compared: neither decided ({})", few(&counts.neither))),
        (counts.without_details, "not compared: the line has no details".to_owned()),
        (tally.unreadable, "lines that look like records and cannot be read".to_owned()),
        (tally.ambiguous, "lines in which several texts may be the record: name its member with --record".to_owned()),
    ];
    for (count, what) in further.iter().filter(|(count, _)| *count > 0) {
        say(*count, what);
    }
    if counts.newly_allowed.requests > 0 {
        lines.push("\nThe old filters refuse, Scopegate would allow. Do not enforce these routes:\n".to_owned());
        lines.extend(groups(&counts.newly_allowed, ["ROUTE", "THE OLD FILTERS SAY", "REQUIREMENT"], "CLIENTS"));
    }
    if counts.newly_refused.requests > 0 {
        lines.push("\nThe old filters allow, Scopegate would refuse:\n".to_owned());
        lines.extend(groups(&counts.newly_refused, ["ROUTE", "REQUIREMENT", "REASON"], "CLIENTS AND CAUSE"));
    }
    lines.join("\n")
}

/// A line for each group, those with most requests first.
fn groups(groups: &Groups, heads: [&str; 3], last: &str) -> Vec<String> {
    let mut cells: Vec<[String; 5]> = Vec::new();
    let [one, two, three] = heads.map(str::to_owned);
    cells.push(["REQUESTS".to_owned(), one, two, three, last.to_owned()]);
    let ranked = groups.table.ranked();
    for (name, group) in ranked.iter().take(LISTED) {
        let mut parts = parts(name).into_iter().map(|part| clean(part).replace('\n', " "));
        let mut part = || parts.next().unwrap_or_default();
        let mut told = vec![few(&group.callers)];
        told.extend((!group.causes.is_empty()).then(|| few_with(&group.causes, with_dates)));
        told.extend((!group.further.is_empty()).then(|| format!("also {}", few(&group.further))));
        cells.push([group.requests.to_string(), part(), part(), part(), told.join("; ")]);
    }
    let width = |column: usize| {
        cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths = [0, 1, 2, 3].map(width);
    let mut lines: Vec<String> = cells.iter().map(|row| line(row, widths)).collect();
    let (rows, requests) = groups.table.dropped;
    let listed = ranked.len().saturating_sub(LISTED);
    if listed > 0 || rows > 0 {
        lines.push(format!("  and {listed} further groups; {requests} requests are in groups that were not kept"));
    }
    lines
}

fn line(row: &[String; 5], widths: [usize; 4]) -> String {
    let [requests, one, two, three, last] = row;
    let [w0, w1, w2, w3] = widths;
    format!("  {requests:>w0$}  {one:<w1$}  {two:<w2$}  {three:<w3$}  {last}").trim_end().to_owned()
}

/// A cause with the times in it as dates, if it is about one.
fn with_dates(cause: &str) -> String {
    if !TIMES.iter().any(|claim| cause.split(' ').next() == Some(*claim)) {
        return cause.to_owned();
    }
    let words = cause.split(' ').map(|word| {
        let (number, end) = word.strip_suffix(';').map_or((word, ""), |number| (number, ";"));
        let at = number.parse().ok().filter(|seconds| DATES.contains(seconds));
        at.map_or_else(|| word.to_owned(), |seconds| format!("{}{end}", moment::written(UnixSeconds(seconds))))
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Names with their counts.
fn few(few: &Few) -> String {
    few_with(few, str::to_owned)
}

/// Names as `shown` has them, with their counts.
fn few_with(few: &Few, shown: impl Fn(&str) -> String) -> String {
    let ranked = few.ranked();
    let name = |name: &str| clean(&shown(name)).replace('\n', " ");
    let mut named: Vec<String> =
        ranked.iter().take(NAMES).map(|(own, count)| format!("{} {count}", name(own))).collect();
    let others: u64 = ranked.iter().skip(NAMES).map(|(_, count)| count).sum::<u64>().saturating_add(few.others);
    if others > 0 {
        named.push(format!("others {others}"));
    }
    named.join(", ")
}
