//! Events that revoke: whether they come to the gate, and whether what they revoke stays revoked.

use super::Findings;
use crate::base::time::Seconds;
use crate::cli::gates::{Gate, InEnvoy};
use crate::cli::moment::span;
use crate::cli::source::View;
use crate::policy::{EventKeys, EventSource, Issuer, Policy};

/// Filters that refuse who has no credential of theirs, by the ends of their types, and what they do with an event.
const REFUSING: [(&str, &str); 4] = [
    ("csrf.v3.CsrfPolicy", "refuses a POST without an Origin with 403"),
    ("basic_auth.v3.BasicAuth", "refuses a request without a password with 401"),
    ("api_key_auth.v3.ApiKeyAuth", "refuses a request without an API key with 401"),
    ("oauth2.v3.OAuth2", "sends who is not logged in to the issuer, or answers 401"),
];
const JWT_AUTHN: &str = "jwt_authn.v3.JwtAuthentication";

/// What takes events and holds their bodies, and what to do where a gate can hold none.
pub(super) fn holding(policy: &Policy) -> Option<(String, &'static str)> {
    let path = policy.events.as_ref()?.path.as_deref()?;
    let instead = "leave events.path out: ask issuers with poll, and revoke with a list what operators would push";
    Some((format!("takes events at {path}, whose bodies it has to read"), instead))
}

/// Whether events are pushed to the gate.
pub(super) fn are_pushed(policy: &Policy) -> bool {
    policy.events.as_ref().is_some_and(|events| events.path.is_some())
}

/// Checks for how long it is kept what events revoke.
pub(super) fn check(gate: &Gate<'_>, policy: &Policy, findings: &mut Findings) {
    for source in policy.events.iter().flat_map(|events| &events.sources) {
        let (kind, what) = match source.keys {
            EventKeys::Issuer(id) => ("issuers", policy.issuers.get(id.0).and_then(|issuer| too_short(source, issuer))),
            EventKeys::Operator(_) => ("operators", longest_of_all(source, policy)),
        };
        let Some(what) = what else { continue };
        let view = gate.values.at(&["events", kind, &source.name]).unwrap_or_else(|| gate.values.clone());
        findings.warn(
            "events-kept-too-short",
            gate.file,
            &view,
            what,
            "set max_lifetime of the issuer to what its tokens live, and keep to no less, or leave keep out",
        );
    }
}

/// What of the tokens of an issuer may outlive what its events revoke.
fn too_short(source: &EventSource, issuer: &Issuer) -> Option<String> {
    let kept = words(source.keep);
    let Some(max_lifetime) = issuer.max_lifetime else {
        let name = &issuer.name;
        return Some(format!(
            "is kept for {kept}, and {name} has no max_lifetime: a revoked token that lives longer is good again after that"
        ));
    };
    let accepted = Seconds(max_lifetime.0.saturating_add(issuer.leeway.0));
    (source.keep < accepted).then(|| {
        let (name, lived, leeway) = (&issuer.name, words(max_lifetime), words(issuer.leeway));
        format!(
            "is kept for {kept}, and tokens of {name} are accepted for {lived} and the leeway of {leeway}: a revoked one may be good again in between"
        )
    })
}

/// What of the tokens of any issuer may outlive what an operator revokes. Without a limit the default is long enough.
fn longest_of_all(source: &EventSource, policy: &Policy) -> Option<String> {
    policy.issuers.iter().filter(|issuer| issuer.max_lifetime.is_some()).find_map(|issuer| too_short(source, issuer))
}

fn words(seconds: Seconds) -> String {
    span(seconds.0.into())
}

/// Checks the filters before the gate: events have no credential for them.
pub(super) fn check_before(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    let Some(path) = policy.events.as_ref().and_then(|events| events.path.as_deref()) else { return };
    for filter in envoy.filters.iter().take(envoy.index) {
        let Some(config) = filter.get("typed_config") else { continue };
        let Some(what) = refuses(&config, path).filter(|_| !is_exempted(envoy, filter)) else { continue };
        findings.warn(
            "events-refused-before",
            envoy.file,
            filter,
            format!("comes before the gate and {what}: events that are pushed to {path} never reach it"),
            "put it after the gate, or let a route for that path go without it",
        );
    }
}

/// What a filter does with a POST to the path that has no credential; `None` where that is not known.
fn refuses(config: &View<'_>, path: &str) -> Option<&'static str> {
    let name = config.type_name()?;
    let is = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
    if is(JWT_AUTHN) {
        let rules = config.list("rules");
        let first = rules.iter().find(|rule| covers(rule, path))?;
        let mut admits = first.get("requires").is_none();
        first.visit(&mut |view| {
            admits |= view.get("allow_missing").is_some() || view.get("allow_missing_or_failed").is_some();
        });
        return (!admits).then_some("asks for a token with 401");
    }
    if is("oauth2.v3.OAuth2")
        && config.get("config").is_some_and(|inner| !inner.list("pass_through_matcher").is_empty())
    {
        return None;
    }
    REFUSING.iter().find(|(end, _)| is(end)).map(|(_, what)| *what)
}

/// Whether a rule of `jwt_authn` is about the path.
fn covers(rule: &View<'_>, path: &str) -> bool {
    let Some(matching) = rule.get("match") else { return false };
    let text = |name: &str| matching.get(name).and_then(|view| view.text().map(str::to_owned));
    let below =
        |prefix: String| path.strip_prefix(&prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    text("prefix").is_some_and(|prefix| path.starts_with(&prefix))
        || text("path").is_some_and(|other| other == path)
        || text("path_separated_prefix").is_some_and(below)
}

/// Whether a route has settings of its own for a filter: it may go without it.
fn is_exempted(envoy: &InEnvoy<'_>, filter: &View<'_>) -> bool {
    let name = filter.name();
    envoy.route_configs.iter().any(|(_, config)| {
        let holders = config.holders("typed_per_filter_config");
        let mut settings = holders.iter().filter_map(|holder| holder.get("typed_per_filter_config"));
        settings.any(|settings| settings.members().iter().any(|(other, _)| Some(*other) == name))
    })
}

/// What is told of a gate whose operators push, and that fetches no list.
pub(super) fn note(gate: &Gate<'_>) -> Option<String> {
    let loaded = gate.policy.as_ref().ok()?;
    let events = loaded.policy.events.as_ref()?;
    let has_operators = events.sources.iter().any(|source| matches!(source.keys, EventKeys::Operator(_)));
    let has_list = !loaded.settings.revocation.lists.is_empty();
    (has_operators && !has_list).then(|| {
        "what operators push is lost when Envoy restarts, and no revocation.lists are beside `events` to have it"
            .to_owned()
    })
}
