//! The comparison for machines: every group.

use super::counts::{Counts, Group, Groups};
use crate::cli::log::Tally;
use crate::cli::usage::{Few, parts};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// The figures as a JSON object.
pub(super) fn figures(logs: &[PathBuf], tally: &Tally, counts: &Counts) -> String {
    let names: Vec<String> = logs.iter().map(|log| log.display().to_string()).collect();
    json!({
        "version": 1,
        "log": {
            "files": names,
            "lines": tally.lines,
            "records": tally.records,
            "other_lines": tally.others,
            "unreadable_lines": tally.unreadable,
            "ambiguous_lines": tally.ambiguous,
        },
        "requests": {
            "compared": counts.compared(),
            "both_allow": counts.both_allow,
            "both_refuse": counts.both_refuse,
            "newly_allowed": counts.newly_allowed.requests,
            "newly_refused": counts.newly_refused.requests,
            "decided_by_scopegate": counts.decided_by_scopegate,
            "decided_by_neither": few(&counts.neither),
            "without_details": counts.without_details,
        },
        "newly_allowed": groups(&counts.newly_allowed, ["route", "details", "requirement"]),
        "newly_refused": groups(&counts.newly_refused, ["route", "requirement", "reason"]),
    })
    .to_string()
}

fn groups(groups: &Groups, names: [&str; 3]) -> Value {
    let of_group = |(name, group): (&str, &Group)| {
        let mut row: Map<String, Value> =
            names.iter().zip(parts(name)).map(|(name, part)| ((*name).to_owned(), part.into())).collect();
        row.insert("requests".to_owned(), group.requests.into());
        row.insert("clients".to_owned(), few(&group.callers));
        row.insert("causes".to_owned(), few(&group.causes));
        row.insert("further_reasons".to_owned(), few(&group.further));
        Value::Object(row)
    };
    let rows: Vec<Value> = groups.table.ranked().into_iter().map(of_group).collect();
    let (left_out, requests) = groups.table.dropped;
    json!({ "groups": rows, "left_out": { "groups": left_out, "requests": requests } })
}

/// Counts by name, and under no name those that are not told apart.
fn few(few: &Few) -> Value {
    let counts: Map<String, Value> =
        few.ranked().into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect();
    json!({ "counts": counts, "others": few.others })
}
