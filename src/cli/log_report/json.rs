//! The figures for machines: the same ones that the page has.

use super::privilege::{uncalled, unused, weaker};
use super::tokens::{clients, long_lived, refused_for_age, reused};
use crate::cli::log::Millis;
use crate::cli::matrix::Section;
use crate::cli::usage::{Calls, Counts, Few, Reasons, Table, Token, Usage, parts};
use serde_json::{Map, Value, json};

/// The figures as a JSON object.
pub(super) fn figures(files: &[String], usage: &Usage, sections: &[Section]) -> String {
    let (first, last) = usage.series.between().unzip();
    let tally = usage.tally;
    let privilege = json!({
        "unused_scopes": unused(usage).into_iter().map(|row| json!({
            "client": row.client,
            "issuer": row.issuer,
            "requests": row.requests,
            "unused": counts(row.scopes),
            "used": row.used,
        })).collect::<Vec<_>>(),
        "records_with_scopes": usage.with_scopes,
        "records_with_scopes_needed": usage.with_needed,
        "uncalled": (!sections.is_empty()).then(|| uncalled(sections, usage).into_iter().map(|row| json!({
            "place": row.place,
            "match": row.matching,
            "methods": row.methods,
            "needs": row.needs,
        })).collect::<Vec<_>>()),
        "weaker": weaker(sections, usage).into_iter().map(|row| json!({
            "place": row.place,
            "needs": row.needs,
            "allowed": row.allowed,
            "could_ask_for": row.could,
        })).collect::<Vec<_>>(),
    });
    json!({
        "version": 1,
        "log": {
            "files": files,
            "lines": tally.lines,
            "records": tally.records,
            "seen_again": tally.again,
            "other_lines": tally.others,
            "unreadable_lines": tally.unreadable,
            "ambiguous_lines": tally.ambiguous,
            "records_without_time": usage.series.timeless,
            "from": first.map(Millis::written),
            "to": last.map(Millis::written),
        },
        "decisions": decisions(&usage.counts, usage),
        "token_reuse_events": usage.reuse_events,
        "over_time": {
            "seconds": usage.series.seconds(),
            "spans": usage.series.all().into_iter().map(|(at, span)| json!({
                "from": at.written(),
                "allowed": span.allowed,
                "denied": reasons(&span.denied, usage),
                "would_deny": reasons(&span.would_deny, usage),
            })).collect::<Vec<_>>(),
        },
        "routes": calls(&usage.routes, "callers", usage),
        "clients": calls(&usage.clients, "routes", usage),
        "issuers": calls(&usage.issuers, "callers", usage),
        "subjects": calls(&usage.subjects, "routes", usage),
        "reused_tokens": reused(usage).into_iter().map(|(name, token)| reused_token(name, token, usage)).collect::<Vec<_>>(),
        "long_lived": {
            "limit": usage.terms.lifetime_source(),
            "issuers": usage.lifetimes.ranked().into_iter().map(|(name, row)| json!({
                "issuer": name,
                "requests": row.requests,
                "over": row.over,
                "longest_seconds": row.longest,
                "limit_seconds": usage.terms.lifetime(Some(name)),
            })).collect::<Vec<_>>(),
            "tokens": long_lived(usage).into_iter().map(|(name, token, lifetime)| json!({
                "fingerprint": name,
                "lifetime_seconds": lifetime,
                "issuer": token.issuer,
                "subject": token.subject,
                "caller": token.caller,
                "requests": token.counts.total(),
            })).collect::<Vec<_>>(),
            "refused": counts(refused_for_age(usage)),
        },
        "least_privilege": privilege,
        "would_deny": usage.would_deny.ranked().into_iter().map(|(name, row)| {
            let parts = parts(name);
            json!({
                "reason": parts.first(),
                "requirement": parts.get(1),
                "route": parts.get(2),
                "requests": row.requests,
                "callers": few(&row.clients),
                "further_reasons": few(&row.further),
            })
        }).collect::<Vec<_>>(),
        "tokens_left_out": usage.tokens.dropped.0,
    })
    .to_string()
}

fn reused_token(name: &str, token: &Token, usage: &Usage) -> Value {
    json!({
        "fingerprint": name,
        "clients": clients(token),
        "window_seconds": token.window,
        "events": token.events,
        "action": token.action,
        "networks": few(&token.networks),
        "issuer": token.issuer,
        "subject": token.subject,
        "caller": token.caller,
        "decisions": decisions(&token.counts, usage),
        "from": token.first.map(Millis::written),
        "to": token.last.map(Millis::written),
    })
}

/// How many requests ended how.
pub(super) fn decisions(counts: &Counts, usage: &Usage) -> Value {
    json!({
        "requests": counts.total(),
        "allowed": counts.allowed,
        "served": counts.served,
        "denied": reasons(&counts.denied, usage),
        "would_deny": reasons(&counts.would_deny, usage),
    })
}

fn calls(table: &Table<Calls>, others: &str, usage: &Usage) -> Value {
    let rows: Vec<Value> = table
        .ranked()
        .into_iter()
        .map(
            |(name, row)| json!({ "name": name, "decisions": decisions(&row.counts, usage), others: few(&row.others) }),
        )
        .collect();
    let (left_out, requests) = table.dropped;
    json!({ "rows": rows, "left_out": { "rows": left_out, "requests": requests } })
}

fn reasons(all: &Reasons, usage: &Usage) -> Value {
    counts(all.ranked().into_iter().map(|(reason, count)| (usage.reasons.name(reason), count)).collect())
}

/// Counts by name, and under no name those that are not told apart.
fn few(all: &Few) -> Value {
    json!({ "counts": counts(all.ranked()), "others": all.others })
}

fn counts(all: Vec<(&str, u64)>) -> Value {
    Value::Object(all.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect::<Map<_, _>>())
}
