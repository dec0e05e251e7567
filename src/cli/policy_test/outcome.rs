//! The result of a case, and the expected one.

use crate::challenge::{self, Terms};
use crate::decision::{Basis, Decision, Denial, Grant, Trace};
use crate::policy::{Forward, ForwardBy, Policy, Scope, TokenForwarding};
use std::collections::BTreeSet;

/// The placeholder for the token of a case in its path, its headers, and the headers expected upstream.
pub(super) const PLACEHOLDER: &str = "{token}";

/// What a case expects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expectation {
    pub status: Option<u16>,
    /// The name of a reason, or none.
    pub reason: Expected,
    /// The scopes that the challenge names, or none.
    pub scope: Expected,
    /// Headers as they reach the upstream, or their absence.
    pub headers: Vec<(String, Option<String>)>,
}

/// An expected value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Expected {
    #[default]
    Anything,
    Nothing,
    Text(String),
}

/// The observed result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Observed {
    status: u16,
    reason: Option<&'static str>,
    scope: Option<String>,
    /// The headers that reach the upstream; `None` when nothing does.
    upstream: Option<Vec<(String, String)>>,
    /// Why Envoy answers instead of the gate, if it does.
    by_envoy: Option<&'static str>,
    /// The token, which must never be shown.
    token: Option<String>,
}

impl Expected {
    /// The expected value, if the observed one differs.
    fn unless(&self, came: Option<&str>, same: fn(&str, &str) -> bool) -> Option<&str> {
        match (self, came) {
            (Self::Anything, _) | (Self::Nothing, None) => None,
            (Self::Nothing, Some(_)) => Some("none"),
            (Self::Text(text), Some(came)) if same(text, came) => None,
            (Self::Text(text), _) => Some(text),
        }
    }
}

impl Observed {
    /// The result of `decision` for a request with these headers.
    pub(super) fn of(
        decision: &Decision,
        headers: &[(String, String)],
        policy: &Policy,
        token: Option<String>,
    ) -> Self {
        match decision {
            Decision::Allow(grant) => {
                let reason = match &grant.basis {
                    Basis::ReportOnly(denial) => Some(denial),
                    _ => None,
                };
                Self {
                    status: 200,
                    reason: reason.map(|denial| denial.reason().name()),
                    scope: reason.and_then(scope),
                    upstream: Some(upstream(grant, headers, &policy.forward)),
                    by_envoy: None,
                    token,
                }
            }
            Decision::Deny(refusal) => Self::refused(&refusal.denial, token),
            Decision::Serve(served) => {
                let status = challenge::metadata(served, policy).status;
                Self { status, reason: None, scope: None, upstream: None, by_envoy: None, token }
            }
            Decision::Receive(received) => {
                let status = challenge::received(received).status;
                Self { status, reason: None, scope: None, upstream: None, by_envoy: None, token }
            }
            // All keys are there or have been awaited, so what is still awaited will not come.
            Decision::Await(_) => Self::refused(&Denial::KeysUnavailable, token),
        }
    }

    /// Envoy answers itself.
    pub(super) const fn by_envoy(status: u16, why: &'static str, token: Option<String>) -> Self {
        Self { status, reason: None, scope: None, upstream: None, by_envoy: Some(why), token }
    }

    fn refused(denial: &Denial, token: Option<String>) -> Self {
        Self {
            status: challenge::render(denial, &Trace::default(), &Terms::default(), false).status,
            reason: Some(denial.reason().name()),
            scope: scope(denial),
            upstream: None,
            by_envoy: None,
            token,
        }
    }

    /// The differences, a line each. Empty if the case passes.
    pub(super) fn compare(&self, expected: &Expectation) -> Vec<String> {
        let mut failures = Vec::new();
        let mut differs = |what: &str, expected: &str, came: &str| {
            failures.push(format!("{what}: expected {}, got {}", self.hide(expected), self.hide(came)));
        };
        let none = "none";
        // The reason explains a wrong status.
        let why = self.reason.or(self.by_envoy).map_or_else(String::new, |why| format!(" ({why})"));
        if let Some(status) = expected.status.filter(|status| *status != self.status) {
            differs("status", &status.to_string(), &format!("{}{why}", self.status));
        }
        if let Some(reason) = expected.reason.unless(self.reason, |left, right| left == right) {
            differs("reason", reason, self.reason.unwrap_or(none));
        }
        let scope = self.scope.as_deref();
        if let Some(wanted) = expected.scope.unless(scope, same_scopes) {
            differs("scope", wanted, scope.unwrap_or(none));
        }
        for (name, wanted) in &expected.headers {
            let wanted = &wanted.as_ref().map(|wanted| self.placed(wanted));
            let Some(headers) = &self.upstream else {
                if let Some(wanted) = wanted {
                    differs(&format!("header {name}"), wanted, &format!("no request upstream{why}"));
                }
                continue;
            };
            let values: Vec<&str> =
                headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect();
            let came = (!values.is_empty()).then(|| values.join(", "));
            if came != *wanted {
                let shown = |value: &Option<String>| match value {
                    None => none.to_owned(),
                    // This may contain a credential other than the token of the case.
                    Some(_) if matches!(name.as_str(), "authorization" | "cookie") => {
                        "a value that is not shown".into()
                    }
                    Some(value) => value.clone(),
                };
                differs(&format!("header {name}"), &shown(wanted), &shown(&came));
            }
        }
        failures
    }

    /// The expected value, with the token in place of the placeholder.
    fn placed(&self, text: &str) -> String {
        self.token.as_ref().map_or_else(|| text.to_owned(), |token| text.replace(PLACEHOLDER, token))
    }

    fn hide(&self, text: &str) -> String {
        match &self.token {
            Some(token) if !token.is_empty() => text.replace(token, "(the token)"),
            _ => text.to_owned(),
        }
    }
}

/// The scopes that a challenge names.
fn scope(denial: &Denial) -> Option<String> {
    match denial {
        Denial::NoCredential { scope } | Denial::InsufficientScope { scope, .. } if !scope.is_empty() => {
            Some(scope.iter().map(Scope::as_str).collect::<Vec<_>>().join(" "))
        }
        _ => None,
    }
}

/// Scopes are a set: their order does not matter.
fn same_scopes(left: &str, right: &str) -> bool {
    let set = |scopes| str::split_whitespace(scopes).collect::<BTreeSet<_>>();
    set(left) == set(right)
}

/// The headers as they reach the upstream. With `forward.by: router` this assumes routes that pass `scopegate check`.
fn upstream(grant: &Grant, headers: &[(String, String)], forward: &Forward) -> Vec<(String, String)> {
    let router_strips = forward.by == ForwardBy::Router && forward.token == TokenForwarding::Strip;
    let gone = |name: &str| {
        grant.remove.iter().any(|other| other == name)
            || grant.set.iter().any(|(other, _)| &**other == name)
            || grant.shortened.iter().any(|(other, _)| *other == name)
            || router_strips && name == "authorization"
    };
    let kept = headers.iter().filter(|(name, _)| !gone(name)).cloned();
    let key_of = |key: &str| forward.headers.iter().find(|header| &*header.key == key);
    let by_router =
        grant.identity().iter().filter_map(|(key, value)| Some((key_of(key)?.name.to_string(), value.clone())));
    let set = grant.set.iter().map(|(name, value)| (name.to_string(), value.clone()));
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let shortened = grant.shortened.iter().map(|(name, value)| ((*name).to_owned(), text(value)));
    kept.chain(set).chain(shortened).chain(by_router).collect()
}
