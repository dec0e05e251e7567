//! Who called what a row is about, from logs.

use super::row::{Called, Row};
use crate::cli::usage::{Counts, Few, NO_NAME, Usage};

/// How many callers are named.
const NAMED: usize = 4;

/// Writes beside a row who called it.
pub(super) fn fill(row: &mut Row, usage: &Usage) {
    let calls = match &row.called {
        Some(Called::Requirement(name)) => usage.requirements.get(name).map(|asked| (&asked.counts, &asked.callers)),
        Some(Called::Route(name)) => usage.routes.get(name).map(|calls| (&calls.counts, &calls.others)),
        None => {
            row.used = Some(String::new());
            return;
        }
    };
    row.used = Some(calls.map_or_else(|| "no request".to_owned(), |(counts, callers)| told(counts, callers)));
}

/// A caller; a record may name none.
fn shown(name: &str) -> &str {
    if name == NO_NAME { "unnamed" } else { name }
}

/// Such as `120 requests, 3 refused: web 100, cron 20`.
fn told(counts: &Counts, callers: &Few) -> String {
    let total = counts.total();
    let mut text = format!("{total} request{}", if total == 1 { "" } else { "s" });
    for (count, what) in [(counts.denied.total(), "refused"), (counts.would_deny.total(), "let pass by report-only")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    let ranked = callers.ranked();
    let mut named: Vec<String> =
        ranked.iter().take(NAMED).map(|(name, count)| format!("{} {count}", shown(name))).collect();
    let rest = ranked.len().saturating_sub(NAMED);
    if rest > 0 || callers.others > 0 {
        let more = if callers.others > 0 { "more than " } else { "" };
        named.push(format!("and {more}{rest} others"));
    }
    format!("{text}: {}", named.join(", "))
}
