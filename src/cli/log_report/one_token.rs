//! Everything that one token did.

use super::ReportArguments;
use super::json::decisions;
use crate::cli::log::{Filter, Finder, Millis, Record, each_record};
use crate::cli::tail::columns;
use crate::cli::terminal::clean;
use crate::cli::usage::{Few, Reasons, Terms, Usage};
use serde_json::{Map, Value, json};
use std::collections::VecDeque;
use std::error::Error;

/// How many of its first records are listed, and how many of its last.
const LISTED: usize = 500;
/// Members that tell who the token is, in the order in which they are shown.
const OF_TOKEN: [&str; 11] = [
    "issuer",
    "unverified_issuer",
    "subject",
    "client_id",
    "credential",
    "credential_set",
    "identity",
    "jti_hash",
    "kid",
    "algorithm",
    "scopes",
];

/// The first and the last of many.
#[derive(Default)]
struct Ends<T> {
    first: Vec<T>,
    last: VecDeque<T>,
    between: u64,
}

impl<T> Ends<T> {
    fn push(&mut self, item: T) {
        if self.first.len() < LISTED {
            self.first.push(item);
            return;
        }
        self.last.push_back(item);
        if self.last.len() > LISTED {
            self.last.pop_front();
            self.between = self.between.saturating_add(1);
        }
    }
}

/// What is told.
#[derive(Default)]
struct Told {
    /// The values of each member of [`OF_TOKEN`].
    values: Vec<Few>,
    routes: Few,
    methods: Few,
    networks: Few,
    lines: Ends<String>,
    records: Ends<Value>,
}

/// The report.
///
/// # Errors
/// When a log cannot be read, or has no record of the token.
pub(super) fn report(
    arguments: &ReportArguments,
    filter: &Filter,
    fingerprint: &str,
) -> Result<String, Box<dyn Error>> {
    let filter = filter.clone().with_fingerprint(fingerprint);
    let mut told = Told { values: vec![Few::default(); OF_TOKEN.len()], ..Told::default() };
    let mut usage = Usage::new(Terms::default());
    usage.tally = each_record(&arguments.files, Finder::new(arguments.record.clone()), &mut |record| {
        if filter.takes(record) {
            usage.count(record);
            told.see(record, arguments.json);
        }
    })?;
    if usage.counts.total() == 0 && usage.reuse_events == 0 {
        return Err(format!("no record of {} has the fingerprint {fingerprint}", usage.tally.records).into());
    }
    Ok(if arguments.json { told.json(fingerprint, &usage) } else { told.text(fingerprint, &usage) })
}

impl Told {
    fn see(&mut self, record: &Record<'_>, is_json: bool) {
        for (name, values) in OF_TOKEN.iter().zip(&mut self.values) {
            let text = record.list(name).filter(|_| *name == "scopes").map(|scopes| scopes.join(" ").into());
            if let Some(text) = text.or_else(|| record.text(name)) {
                values.count(&text);
            }
        }
        let places =
            [("route", &mut self.routes), ("method", &mut self.methods), ("client_network", &mut self.networks)];
        for (name, values) in places {
            if let Some(text) = record.text(name) {
                values.count(&text);
            }
        }
        if is_json {
            let members: Map<String, Value> =
                record.all().map(|(name, value)| (name.to_owned(), Value::String(value))).collect();
            self.records.push(Value::Object(members));
        } else {
            self.lines.push(columns::line(record, false));
        }
    }

    fn text(&self, fingerprint: &str, usage: &Usage) -> String {
        let mut lines = vec![format!("token      {fingerprint}")];
        let mut say = |name: &str, text: String| {
            if !text.is_empty() {
                lines.push(clean(&format!("{name:<10} {text}")).replace('\n', " "));
            }
        };
        for (name, values) in OF_TOKEN.iter().zip(&self.values) {
            say(&name.replace('_', " "), listed(values, false));
        }
        if let Some((first, last)) = usage.series.between() {
            say("seen", format!("{} to {}", first.written(), last.written()));
        }
        let counts = &usage.counts;
        let reasons = |reasons: &Reasons| {
            let all = reasons.ranked().into_iter();
            all.map(|(reason, count)| format!("{} {count}", usage.reasons.name(reason))).collect::<Vec<_>>().join(", ")
        };
        say("requests", format!("{}, of which {} allowed", counts.total(), counts.allowed));
        say("refused", reasons(&counts.denied));
        say("would be", reasons(&counts.would_deny));
        say("methods", listed(&self.methods, true));
        say("routes", listed(&self.routes, true));
        say("networks", listed(&self.networks, true));
        if let Some(token) = usage.tokens.get(fingerprint).filter(|token| token.events > 0) {
            say(
                "reuse",
                format!("{} events, at most {} clients within {} s", token.events, token.clients, token.window),
            );
        }
        lines.push(String::new());
        lines.push(columns::heads(false));
        lines.extend(self.lines.first.iter().cloned());
        if self.lines.between > 0 {
            lines.push(format!("… {} more", self.lines.between));
        }
        lines.extend(self.lines.last.iter().cloned());
        lines.join("\n")
    }

    fn json(&self, fingerprint: &str, usage: &Usage) -> String {
        let values: Map<String, Value> = OF_TOKEN
            .iter()
            .zip(&self.values)
            .filter(|(_, values)| !values.is_empty())
            .map(|(name, values)| ((*name).to_owned(), names(values)))
            .collect();
        let (first, last) = usage.series.between().unzip();
        let token = usage.tokens.get(fingerprint);
        json!({
            "version": 1,
            "fingerprint": fingerprint,
            "token": values,
            "from": first.map(Millis::written),
            "to": last.map(Millis::written),
            "decisions": decisions(&usage.counts, usage),
            "token_reuse_events": usage.reuse_events,
            "clients": token.map(|token| token.clients),
            "methods": names(&self.methods),
            "routes": names(&self.routes),
            "networks": names(&self.networks),
            "records": self.records.first.iter().chain(&self.records.last).collect::<Vec<_>>(),
            "records_left_out": self.records.between,
        })
        .to_string()
    }
}

fn names(few: &Few) -> Value {
    few.ranked().into_iter().map(|(name, count)| json!({ "value": name, "requests": count })).collect()
}

/// Names, with their counts where they are wanted.
fn listed(few: &Few, with_counts: bool) -> String {
    let mut all: Vec<String> = few
        .ranked()
        .into_iter()
        .map(|(name, count)| if with_counts { format!("{name} {count}") } else { name.to_owned() })
        .collect();
    if few.others > 0 {
        all.push(format!("others {}", few.others));
    }
    all.join(", ")
}
