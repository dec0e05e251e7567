//! One decision as one line of columns.

use crate::cli::log::{Record, Verdict};
use crate::cli::terminal::clean;

/// The heads of the columns and their widths in characters; the last is as wide as it becomes.
const COLUMNS: [(&str, usize); 7] =
    [("TIME (UTC)", 19), ("DECISION", 8), ("REASON", 22), ("ROUTE", 22), ("WHO", 30), ("TOKEN", 23), ("WHY", 0)];

const PLAIN: &str = "\u{1b}[0m";
const DIM: &str = "\u{1b}[2m";

/// The heads.
pub(in crate::cli) fn heads(coloured: bool) -> String {
    let cells = COLUMNS.map(|(head, _)| head.to_owned());
    if coloured { format!("{DIM}{}{PLAIN}", row(&cells, None)) } else { row(&cells, None) }
}

/// The line of a record.
pub(in crate::cli) fn line(record: &Record<'_>, coloured: bool) -> String {
    let cells = cells(record).map(|cell| clean(&cell).replace('\n', " "));
    row(&cells, coloured.then(|| colour(record.verdict)))
}

/// The cells, as wide as their columns. The colour is that of the decision; time and fingerprint are dim.
fn row(cells: &[String; 7], colour: Option<&str>) -> String {
    let mut line = String::new();
    for (index, (cell, (head, width))) in cells.iter().zip(COLUMNS).enumerate() {
        if index > 0 {
            line.push_str("  ");
        }
        let padded = format!("{cell:<width$}");
        let start = match head {
            "DECISION" | "REASON" => colour,
            "TIME (UTC)" | "TOKEN" => colour.map(|_| DIM),
            _ => None,
        };
        match start {
            Some(start) => line.push_str(&format!("{start}{padded}{PLAIN}")),
            None => line.push_str(&padded),
        }
    }
    line.trim_end().to_owned()
}

/// The colour of a decision on a terminal.
const fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "\u{1b}[32m",
        Verdict::Deny => "\u{1b}[31m",
        Verdict::WouldDeny => "\u{1b}[33m",
        Verdict::Serve | Verdict::Receive => "\u{1b}[36m",
        Verdict::Reuse => "\u{1b}[35m",
    }
}

/// The word of a decision that fits its column.
const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::WouldDeny => "would",
        Verdict::Reuse => "reuse",
        verdict => verdict.word(),
    }
}

fn cells(record: &Record<'_>) -> [String; 7] {
    let text = |name| record.text(name).map(std::borrow::Cow::into_owned);
    let time = record.time.map(|time| time.written().replacen('T', " ", 1).trim_end_matches('Z').to_owned());
    let route = [text("method"), text("route").or_else(|| text("requirement"))];
    let mut why: Vec<String> = record.why().into_iter().collect();
    if let (true, (Some(clients), window)) = (record.is_reuse, record.reuse()) {
        let within = window.map_or_else(String::new, |window| format!(" within {window} s"));
        why.push(format!("shown by {clients} clients{within}"));
    }
    if let (Verdict::Receive, Some(entries)) = (record.verdict, record.number("entries")) {
        let id = text("event_id").map_or_else(String::new, |id| format!(" {id}"));
        why.push(format!("event{id} revokes by {entries} entries"));
    }
    // The tool, prompt or URI of an MCP message.
    why.extend(text("mcp.name").or_else(|| text("mcp.method")));
    [
        time.unwrap_or_else(|| "-".to_owned()),
        word(record.verdict).to_owned(),
        text("reason").or_else(|| text("action").filter(|_| record.verdict == Verdict::Reuse)).unwrap_or_default(),
        route.into_iter().flatten().collect::<Vec<_>>().join(" "),
        who(record),
        record
            .fingerprint()
            .map(|(text, is_verified)| if is_verified { text.into_owned() } else { format!("{text}?") })
            .unwrap_or_default(),
        why.join("; "),
    ]
}

/// Who asked: the subject at its issuer, by way of a client; an issuer that a token only names has a question mark.
fn who(record: &Record<'_>) -> String {
    let text = |name| record.text(name);
    let issuer = text("issuer").map_or_else(
        || text("unverified_issuer").map(|issuer| format!("@{issuer}?")).unwrap_or_default(),
        |issuer| format!("@{issuer}"),
    );
    if let Some(operator) = text("operator") {
        return operator.into_owned();
    }
    let client = record.client();
    match (text("subject"), client) {
        (Some(subject), Some(client)) if subject != client => format!("{subject}{issuer} by {client}"),
        (Some(one), _) | (None, Some(one)) => format!("{one}{issuer}"),
        (None, None) => issuer,
    }
}
