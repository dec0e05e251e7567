//! A request that brings an event: what it would revoke.

use super::situation::Situation;
use crate::base::text;
use crate::base::time::UnixSeconds;
use crate::checks::Unproven;
use crate::cli::moment;
use crate::decision::{Denial, ReceivedEvent};
use crate::policy::{EventKeys, Policy};
use crate::revocation::{Entry, EntryKind};
use crate::security_event::{EventForm, LOGOUT_PARAMETER, SET_TYPE};
use serde_json::{Map, Value, json};

/// What every JWT begins with: an encoded `{"`.
const JWT: &[u8] = b"eyJ";

/// The media type of a body that looks like an event.
pub(super) fn media_type(body: &[u8]) -> Option<&'static str> {
    let body = body.trim_ascii();
    let names_token =
        |pair: &[u8]| pair.strip_prefix(LOGOUT_PARAMETER.as_bytes()).is_some_and(|rest| rest.starts_with(b"="));
    if body.starts_with(JWT) {
        return Some(SET_TYPE);
    }
    body.split(|&byte| byte == b'&').any(names_token).then_some("application/x-www-form-urlencoded")
}

/// The decision in words.
pub(super) fn verdict(event: &ReceivedEvent) -> String {
    match event.entries.len() {
        0 => "taken: an event that revokes nothing here".to_owned(),
        1 => "taken: an event that revokes by one entry".to_owned(),
        count => format!("taken: an event that revokes by {count} entries"),
    }
}

/// What a gate makes of a token of events, in one line, and whether it takes it.
pub(in crate::cli) fn judge(situation: &Situation, token: &str, form: EventForm) -> (String, bool) {
    let policy = &situation.policy;
    let Some(events) = &policy.events else { return ("refused: it takes no `events`".to_owned(), false) };
    match situation.receive(events, token, form) {
        Ok(event) => {
            let (kind, name) = sender(&event, policy);
            let revokes: Vec<String> = event.entries.iter().map(words).collect();
            let revokes = if revokes.is_empty() { "nothing here".to_owned() } else { revokes.join("; ") };
            (format!("taken from the {kind} {name}; it revokes {revokes}"), true)
        }
        Err(Unproven::Deny(Denial::InvalidEvent(refusal))) => {
            (format!("refused: invalid_event: {}", refusal.why), false)
        }
        Err(Unproven::Deny(denial)) => (format!("refused: {}", denial.reason().name()), false),
        Err(Unproven::Await(need)) => {
            let issuer = need.issuer().and_then(|id| policy.issuers.get(id.0)).map_or("?", |issuer| &issuer.name);
            (format!("undecided: would wait for the keys of {issuer}: give them with --keys"), false)
        }
    }
}

/// Rows of the text: who sent it, and what it revokes.
pub(super) fn rows(event: &ReceivedEvent, policy: &Policy) -> Vec<(&'static str, String)> {
    let (kind, name) = sender(event, policy);
    let mut rows = vec![("event", format!("{} of the {kind} {name}", shown(&event.id)))];
    let revokes = event.entries.iter().enumerate();
    rows.extend(revokes.map(|(index, entry)| (if index == 0 { "revokes" } else { "" }, words(entry))));
    if event.without_effect > 0 {
        rows.push((
            "",
            format!("{} without effect: of another type, or about what no token tells", event.without_effect),
        ));
    }
    rows
}

/// As JSON.
pub(super) fn to_json(event: &ReceivedEvent, policy: &Policy) -> Value {
    let (kind, name) = sender(event, policy);
    let mut members = Map::new();
    members.insert(kind.to_owned(), name.into());
    members.insert("id".to_owned(), event.id.as_str().into());
    members.insert("revokes".to_owned(), event.entries.iter().map(|entry| Value::Object(entry.to_members())).collect());
    members.insert("without_effect".to_owned(), json!(event.without_effect));
    Value::Object(members)
}

/// Whether an issuer or an operator sent it, and its name.
fn sender<'p>(event: &ReceivedEvent, policy: &'p Policy) -> (&'static str, &'p str) {
    let source = policy.events.as_ref().and_then(|events| events.sources.get(event.source));
    source.map_or(("issuer", "?"), |source| match source.keys {
        EventKeys::Issuer(_) => ("issuer", &*source.name),
        EventKeys::Operator(_) => ("operator", &*source.name),
    })
}

/// What an entry revokes, in words.
fn words(entry: &Entry) -> String {
    let members = entry.to_members();
    let time = |name: &str| members.get(name).and_then(Value::as_i64).map(|at| moment::written(UnixSeconds(at)));
    let name = shown(entry.name());
    let what = match entry.kind() {
        EntryKind::TokenId => format!("the token {name}"),
        EntryKind::Fingerprint => format!("the token with the fingerprint {name}"),
        EntryKind::Subject => format!("all tokens of the user {name}"),
        EntryKind::Session => format!("all tokens of the session {name}"),
        EntryKind::Client => format!("all tokens of the client {name}"),
        EntryKind::SigningKey => format!("all tokens signed with the key {name}"),
        EntryKind::Identity => format!("the identity {name}"),
    };
    let of = entry.authority().map_or_else(String::new, |authority| format!(" of {}", shown(authority)));
    let before = time("issued_before").map_or_else(String::new, |at| format!(" that were issued before {at}"));
    let until = time("until").map_or_else(String::new, |at| format!(", until {at}"));
    format!("{what}{of}{before}{until}")
}

fn shown(text: &str) -> String {
    text::shown(text.as_bytes())
}
