//! Explains the decision of the engine. Everything here is read from the decision, and nothing is judged again.

use super::awaited::{asked, awaited, identities_of, keys_of};
use super::check_names::{check_of, check_of_denial};
use super::deciders::{Decider, deciders};
use super::event;
use super::signed::Signed;
use super::situation::Situation;
use super::{Request, Told, goes_on};
use crate::audit::{AuditRecord, Seen, listed};
use crate::base::text::shown;
use crate::challenge::{self, Reply, Terms};
use crate::cli::moment;
use crate::decision::{Basis, CredentialKind, Decision, Denial, FurtherReasons, Grant, Need, Pending, Reason};
use crate::engine::brings_events;
use crate::policy::{JUDGED_ROUTE, JUDGED_VIRTUAL_HOST};
use serde_json::{Map, Value, json};

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passing {
    Passed,
    Failed(Reason),
    Waits,
    WaitsForBody,
    NotReached,
    NotNeeded,
}

/// A decision with its reasons.
pub(super) struct Explanation<'s> {
    situation: &'s Situation,
    told: Told<'s>,
    method: String,
    decision: Decision,
    further: FurtherReasons,
    deciders: Vec<Decider>,
    checks: Vec<(&'static str, Passing)>,
    /// Whether it is no request for a resource, but brings an event.
    brings_event: bool,
    reply: Option<Reply>,
    signed: Option<Signed>,
    notes: Vec<String>,
}

/// Decides and explains.
pub(super) fn explain<'s>(situation: &'s Situation, request: &Request, told: Told<'s>) -> Explanation<'s> {
    let mut lines = request.lines();
    // As clients of a listener with TLS send it.
    lines.push((b":scheme", b"https"));
    let view = situation.view(&lines);
    let (decision, further) = situation.decide(&view);
    let mut notes = situation.notes.clone();
    let looks_at_host = situation.policy.rules.as_slice().iter().any(|rule| rule.matching.host.is_some());
    if looks_at_host && view.authority() == Some(b"localhost") {
        notes.push("rules look at the host, and the request names none: add --header 'host: NAME'".to_owned());
    }
    let names_route = situation.route.is_some() || situation.virtual_host.is_some();
    if situation.policy.rules.look_at_route() && !names_route {
        notes.push("rules look at the route: name the one that Envoy would choose with --route".to_owned());
    }
    if situation.is_unserved && goes_on(&decision) {
        notes.push("no route matches: Envoy answers 404 to what passes the gate".to_owned());
    }
    let reply = match &decision {
        Decision::Deny(refusal) => {
            let terms = Terms::of(&situation.policy, &situation.settings.realm);
            Some(challenge::render(&refusal.denial, &refusal.trace, &terms, view.is_grpc()))
        }
        Decision::Serve(served) => Some(challenge::metadata(served, &situation.policy)),
        Decision::Receive(received) => Some(challenge::received(received)),
        Decision::Allow(_) | Decision::Await(_) => None,
    };
    let method = String::from_utf8_lossy(view.method()).into_owned();
    let signed = Signed::of(situation, &view, &decision);
    let brings_event = brings_events(&situation.policy, &view);
    let deciders = if brings_event { vec![Decider::of_events()] } else { deciders(situation, &decision, &method) };
    Explanation {
        method,
        deciders,
        checks: if brings_event { vec![(EVENT, check_of_event(&decision))] } else { checks(&decision) },
        brings_event,
        situation,
        told,
        decision,
        further,
        reply,
        signed,
        notes,
    }
}

/// The result of the check of an event: a request that brings one goes through no other.
const fn check_of_event(decision: &Decision) -> Passing {
    match decision {
        Decision::Deny(refusal) => Passing::Failed(refusal.denial.reason()),
        Decision::Await(Pending { need: Need::Message(_), .. }) => Passing::WaitsForBody,
        Decision::Await(_) => Passing::Waits,
        Decision::Allow(_) | Decision::Serve(_) | Decision::Receive(_) => Passing::Passed,
    }
}

/// The checks in the order of the engine, with their results.
fn checks(decision: &Decision) -> Vec<(&'static str, Passing)> {
    // Where the decision ended: at a check, or after the last one that was needed.
    let (end, at_end, behind) = match decision {
        Decision::Deny(refusal) => failure(&refusal.denial),
        Decision::Await(Pending { need: Need::Introspection(_), .. }) => {
            ("introspection", Passing::Waits, Passing::NotReached)
        }
        Decision::Await(Pending { need: Need::Identities(_), .. }) => ("identity", Passing::Waits, Passing::NotReached),
        Decision::Await(Pending { need: Need::Message(_), trace, .. }) => {
            let check = if trace.message.is_some() { "message" } else { "signature" };
            (check, Passing::WaitsForBody, Passing::NotReached)
        }
        Decision::Await(_) => ("signature", Passing::Waits, Passing::NotReached),
        Decision::Serve(_) => ("metadata", Passing::Passed, Passing::NotNeeded),
        Decision::Receive(_) => (EVENT, Passing::Passed, Passing::NotNeeded),
        Decision::Allow(grant) => match &grant.basis {
            Basis::ReportOnly(denial) => failure(denial),
            Basis::Token => ("", Passing::Passed, Passing::Passed),
            Basis::Public | Basis::Preflight => ("access", Passing::Passed, Passing::NotNeeded),
            Basis::Missing => ("credential", Passing::NotNeeded, Passing::NotNeeded),
        },
    };
    let trace = decision.trace();
    // A check that has reasons at several places is made at the last of them.
    let mut names: Vec<&'static str> = Vec::new();
    for name in Reason::ALL.iter().map(|reason| check_of(*reason)) {
        names.retain(|other| *other != name);
        names.push(name);
    }
    names.retain(|name| *name != EVENT);
    names.retain(|name| *name != "identity" || trace.sources.is_some());
    // No issuer is asked about a JWT, and metadata is at few addresses.
    names.retain(|name| !matches!(*name, "introspection" | "metadata") || *name == end);
    names.retain(|name| !["transport", "message"].contains(name) || trace.message.is_some());
    // There is no response here to judge.
    let binds_sessions = trace.message.as_ref().is_some_and(|message| message.binds_sessions);
    names.retain(|name| *name != "response" && (*name != "session" || binds_sessions));
    // A key is judged alone unless a token has been recognised beside it; a token, unless the key comes first.
    let is_token = trace.credential.is_some_and(CredentialKind::is_token);
    let of_key_alone = trace.credential.is_some() && !is_token && trace.authority.is_none();
    let is_signed = matches!(trace.credential, Some(CredentialKind::Aksk(_) | CredentialKind::Signature(_)));
    let is_needless = |name: &str| match name {
        "identity" => is_token,
        "signature" | "once" if is_signed => false,
        name => of_key_alone && OF_TOKENS.contains(&name),
    };
    let mut current = Passing::Passed;
    let mut told = Vec::new();
    for name in names {
        let passing = match current {
            _ if name == end => at_end,
            Passing::Passed if is_needless(name) => Passing::NotNeeded,
            current => current,
        };
        told.push((name, passing));
        if name == end {
            current = behind;
        }
    }
    told
}

/// The check of events.
const EVENT: &str = "event";
/// The checks that only tokens go through.
const OF_TOKENS: [&str; 10] =
    ["form", "issuer", "type", "audience", "time", "claims", "signature", "sender", "step-up", "once"];

fn failure(denial: &Denial) -> (&'static str, Passing, Passing) {
    (check_of_denial(denial), Passing::Failed(denial.reason()), Passing::NotReached)
}

fn names(reasons: &[Reason]) -> Vec<&'static str> {
    reasons.iter().map(|reason| reason.name()).collect()
}

/// Whether the client gets a session id that only it can use.
fn binds_session(grant: &Grant) -> bool {
    grant.response.as_ref().is_some_and(|edits| edits.session.is_some())
}

/// The values in filter state for others, by key.
fn published(grant: &Grant) -> impl Iterator<Item = (&str, &str)> {
    let sealed = grant
        .judged()
        .map(|judged| [(JUDGED_VIRTUAL_HOST, judged.virtual_host.as_str()), (JUDGED_ROUTE, judged.route.as_str())]);
    grant.identity().iter().map(|(key, value)| (&**key, value.as_str())).chain(sealed.into_iter().flatten())
}

impl Passing {
    fn words(self) -> String {
        match self {
            Self::Passed => "passed".to_owned(),
            Self::Failed(reason) => format!("failed: {}", reason.name()),
            Self::Waits => "waits for keys".to_owned(),
            Self::WaitsForBody => "waits for the body".to_owned(),
            Self::NotReached => "not reached".to_owned(),
            Self::NotNeeded => "not needed".to_owned(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::Waits | Self::WaitsForBody => "waits",
            Self::NotReached => "not_reached",
            Self::NotNeeded => "not_needed",
        }
    }
}

impl Explanation<'_> {
    /// Whether the request goes on, or has brought what is taken.
    pub(super) const fn is_allowed(&self) -> bool {
        goes_on(&self.decision) || matches!(self.decision, Decision::Receive(_))
    }

    /// The decision in words.
    pub(super) fn verdict(&self) -> String {
        match &self.decision {
            Decision::Deny(refusal) => format!("refused: {}", refusal.denial.reason().name()),
            Decision::Serve(_) => "answered: the metadata of a resource".to_owned(),
            Decision::Receive(received) => event::verdict(received),
            Decision::Await(pending) => {
                let verdict = if pending.report_only { "allowed: report only;" } else { "undecided:" };
                let what = awaited(pending, &self.situation.policy, self.brings_event);
                format!("{verdict} would wait for {what}")
            }
            Decision::Allow(grant) => match &grant.basis {
                Basis::Token => {
                    let noun = grant.trace.credential.map_or("token", CredentialKind::noun);
                    format!("allowed: the {noun} meets everything")
                }
                Basis::Public => "allowed: public".to_owned(),
                Basis::Missing => "allowed: no credential, and none is needed".to_owned(),
                Basis::Preflight => "allowed: a CORS preflight".to_owned(),
                Basis::ReportOnly(denial) => {
                    format!("allowed: report only; would be refused: {}", denial.reason().name())
                }
            },
        }
    }

    /// The decision in words, with its cause.
    pub(super) fn verdict_with_cause(&self) -> String {
        let cause = self.cause().map_or_else(String::new, |cause| format!(": {cause}"));
        format!("{}{cause}", self.verdict())
    }

    /// The value received and the one wanted, or what else is known of the cause.
    fn cause(&self) -> Option<String> {
        self.record()?.why()
    }

    fn record(&self) -> Option<AuditRecord<'_>> {
        let record = AuditRecord::of(
            &self.decision,
            &self.situation.policy,
            self.situation.settings.audit,
            self.method.as_bytes(),
        )?;
        Some(record.with_further(self.further.clone()))
    }

    fn audit(&self) -> Option<String> {
        let now = u64::try_from(self.situation.now.0).ok().and_then(|now| now.checked_mul(1000));
        let seen = Seen::default().at(now).answered(self.reply.as_ref().map(|reply| reply.status));
        let route = self.situation.route.as_deref().map(str::as_bytes);
        let seen = match self.decision {
            Decision::Deny(_) => seen.with_places(route, None),
            Decision::Allow(_) | Decision::Serve(_) | Decision::Receive(_) | Decision::Await(_) => seen,
        };
        Some(self.record()?.with_seen(seen).to_line())
    }

    /// As text.
    pub(super) fn to_text(&self) -> String {
        let mut rows: Vec<(&str, String)> =
            vec![("request", format!("{} at {}", self.told.sent, moment::written(self.situation.now)))];
        rows.extend(self.told.before.iter().map(|told| ("envoy", told.clone())));
        rows.extend(self.situation.chosen.iter().map(|chosen| ("route", chosen.clone())));
        for decider in &self.deciders {
            let matching = decider.matching.as_ref().map_or_else(String::new, |value| format!(", match {value}"));
            rows.push(("decides", format!("{}{matching}", decider.place)));
            if self.brings_event {
                continue;
            }
            rows.push(("asks", decider.asks.as_ref().map_or_else(|| "a valid token".to_owned(), Value::to_string)));
        }
        for (index, (name, passing)) in self.checks.iter().enumerate() {
            let cause = match passing {
                Passing::Failed(_) => self.cause().map_or_else(String::new, |cause| format!(": {cause}")),
                _ => String::new(),
            };
            rows.push((if index == 0 { "checks" } else { "" }, format!("{name:<11} {}{cause}", passing.words())));
        }
        rows.push(("decision", self.verdict()));
        if let Decision::Receive(received) = &self.decision {
            rows.extend(event::rows(received, &self.situation.policy));
        }
        rows.extend(self.signed.iter().flat_map(Signed::rows));
        let FurtherReasons { certain, unverified } = &self.further;
        for (reasons, mark) in [(certain, ""), (unverified, " (unverified)")] {
            rows.extend((!reasons.is_empty()).then(|| ("further", format!("{}{mark}", listed(reasons)))));
        }
        if let Some(issuer) = keys_of(&self.decision, &self.situation.policy) {
            rows.push(("", format!("give them with --keys FILE; without them {issuer} cannot be checked offline")));
        }
        if let Some(reply) = &self.reply {
            rows.push(("answer", reply.status.to_string()));
            rows.extend(reply.headers.iter().map(|(name, value)| ("", format!("{name}: {value}"))));
            rows.push(("", reply.body.clone()));
        }
        if let Decision::Allow(grant) = &self.decision {
            let parts = grant.shortened.iter().map(|(name, _)| format!("a part of {name}"));
            let removed: Vec<String> = grant.remove.iter().map(ToString::to_string).chain(parts).collect();
            let removed = if removed.is_empty() { "nothing".to_owned() } else { removed.join(", ") };
            rows.push(("removes", shown(removed.as_bytes())));
            if grant.set.is_empty() {
                rows.push(("sets", "nothing".to_owned()));
            }
            for (index, (name, value)) in grant.set.iter().enumerate() {
                rows.push((if index == 0 { "sets" } else { "" }, format!("{name}: {}", shown(value.as_bytes()))));
            }
            for (index, (key, value)) in published(grant).enumerate() {
                rows.push((
                    if index == 0 { "publishes" } else { "" },
                    format!("wasm.{key}: {}", shown(value.as_bytes())),
                ));
            }
            if binds_session(grant) {
                rows.push(("binds", "mcp-session-id of the response".to_owned()));
            }
            if grant.left_out > 0 {
                rows.push(("", format!("{} left out: a claim that no header can carry", grant.left_out)));
            }
        }
        rows.extend(self.audit().map(|line| ("audit", line)));
        rows.extend(self.notes.iter().map(|note| ("note", note.clone())));
        let lines: Vec<String> = rows.iter().map(|(name, text)| format!("{name:<9} {text}")).collect();
        lines.join("\n")
    }

    /// As JSON.
    pub(super) fn to_json(&self) -> String {
        let (decision, reason) = match &self.decision {
            Decision::Await(_) => ("await", None),
            Decision::Deny(refusal) => ("deny", Some(refusal.denial.reason())),
            Decision::Serve(_) => ("serve", None),
            Decision::Receive(_) => ("receive", None),
            Decision::Allow(grant) => match &grant.basis {
                Basis::ReportOnly(denial) => ("would_deny", Some(denial.reason())),
                Basis::Token | Basis::Public | Basis::Missing | Basis::Preflight => ("allow", None),
            },
        };
        let checks = self.checks.iter().map(|(name, passing)| match passing {
            Passing::Failed(reason) => json!({ "check": name, "outcome": passing.name(), "reason": reason.name() }),
            _ => json!({ "check": name, "outcome": passing.name() }),
        });
        let deciders = self
            .deciders
            .iter()
            .map(|decider| json!({ "place": decider.place, "match": decider.matching, "asks": decider.asks }));
        let answer = self.reply.as_ref().map(|reply| {
            let headers: Map<String, Value> =
                reply.headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
            json!({ "status": reply.status, "headers": headers, "body": reply.body, "details": reply.details })
        });
        let upstream = match &self.decision {
            Decision::Allow(grant) => {
                let set: Map<String, Value> =
                    grant.set.iter().map(|(name, value)| (name.to_string(), value.as_str().into())).collect();
                let publish: Map<String, Value> =
                    published(grant).map(|(key, value)| (format!("wasm.{key}"), value.into())).collect();
                let shorten: Vec<&str> = grant.shortened.iter().map(|(name, _)| *name).collect();
                json!({ "remove": grant.remove, "shorten": shorten, "set": set, "publish": publish,
                        "left_out": grant.left_out, "binds_session": binds_session(grant) })
            }
            Decision::Deny(_) | Decision::Serve(_) | Decision::Receive(_) | Decision::Await(_) => Value::Null,
        };
        let event = match &self.decision {
            Decision::Receive(received) => event::to_json(received, &self.situation.policy),
            _ => Value::Null,
        };
        let told = json!({
            "request": self.told.sent,
            "envoy": self.told.before,
            "route": self.situation.route,
            "virtual_host": self.situation.virtual_host,
            "at": moment::written(self.situation.now),
            "decision": decision,
            "reason": reason.map(Reason::name),
            "further_reasons": names(&self.further.certain),
            "unverified_further_reasons": names(&self.further.unverified),
            "cause": self.cause(),
            "awaits_keys_of": keys_of(&self.decision, &self.situation.policy),
            "awaits_identities_of": identities_of(&self.decision, &self.situation.policy),
            "awaits_answer_of": asked(&self.decision, &self.situation.policy),
            "decides": deciders.collect::<Vec<_>>(),
            "checks": checks.collect::<Vec<_>>(),
            "signature": self.signed.as_ref().map(Signed::to_json),
            "event": event,
            "answer": answer,
            "upstream": upstream,
            "audit": self.audit(),
            "notes": self.notes,
        });
        format!("{told:#}")
    }
}
