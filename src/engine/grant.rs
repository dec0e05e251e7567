//! What is done to a request that goes on.

use crate::base::json::Value;
use crate::base::members::Raw;
use crate::checks::{self, Permit};
use crate::credential;
use crate::decision::{Basis, Grant, Judged, Published, TokenTrace, Trace};
use crate::facts::Surroundings;
use crate::policy::{
    AUTHORIZATION, BEARER, COOKIE, ForwardBy, HeaderSource, Policy, TokenForwarding, Uses, WEBSOCKET_PROTOCOL,
    same_header,
};
use crate::request::RequestView;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;

/// A request that goes on as it came, except that headers are removed that its client may not set.
pub(super) fn untouched(
    policy: &Policy,
    request: &RequestView<'_>,
    surroundings: &dyn Surroundings,
    basis: Basis,
    token: Option<TokenTrace>,
) -> Grant {
    Grant {
        basis,
        trace: Trace::default(),
        token,
        remove: forged_headers(policy, request, surroundings),
        set: Vec::new(),
        shortened: Vec::new(),
        published: published(Vec::new(), policy, request),
        left_out: 0,
        response: None,
        signed_body: None,
        open: None,
    }
}

/// What is published: the identity, and the names that the request was judged by, where the policy seals. Without both
/// names there are none, and the seal refuses.
fn published(identity: Vec<(Rc<str>, String)>, policy: &Policy, request: &RequestView<'_>) -> Option<Box<Published>> {
    let name = |name: Option<&str>| name.filter(|name| !name.is_empty()).map(str::to_owned);
    let names = || Some(Judged { virtual_host: name(request.virtual_host)?, route: name(request.route_name)? });
    let judged = if policy.seal { names() } else { None };
    (judged.is_some() || !identity.is_empty()).then(|| Box::new(Published { identity, judged }))
}

/// A request without a credential that needs none. It has none that is read here, but what others could take for one.
pub(super) fn without_credential(policy: &Policy, request: &RequestView<'_>, surroundings: &dyn Surroundings) -> Grant {
    let mut grant = untouched(policy, request, surroundings, Basis::Missing, None);
    if policy.uses.has(Uses::CREDENTIALS) && removes_credentials(policy) {
        remove_credentials(&mut grant.remove, policy, request, &[]);
        shorten(&mut grant.remove, &mut grant.shortened, policy, request, &[]);
    }
    grant
}

/// Whether the filter removes credentials: not where nothing is refused, and not where the router does it.
fn removes_credentials(policy: &Policy) -> bool {
    !policy.report_only && policy.forward.by == ForwardBy::Filter
}

/// A request whose credential meets everything: identity headers are set, and credentials are removed; by the router, where
/// the policy says so, which then finds the values published. `judged_in` are the places of the credential, and
/// `source` is its set, if it is of one.
pub(super) fn for_principal(
    policy: &Policy,
    request: &RequestView<'_>,
    surroundings: &dyn Surroundings,
    permit: &Permit<'_, '_>,
    judged_in: &[&str],
    source: Option<&str>,
) -> Grant {
    let mut remove = forged_headers(policy, request, surroundings);
    let mut shortened = Vec::new();
    let by_router = policy.forward.by == ForwardBy::Router;
    if removes_credentials(policy) {
        let keeps = policy.forward.token == TokenForwarding::Keep;
        if policy.uses.has(Uses::CREDENTIALS) {
            let kept = if keeps { judged_in } else { &[] };
            remove_credentials(&mut remove, policy, request, kept);
            shorten(&mut remove, &mut shortened, policy, request, kept);
        } else if !keeps {
            remove.push(AUTHORIZATION.into());
        }
    }
    let scoped = permit.scoped();
    let (mut set, mut publish) = (Vec::new(), Vec::new());
    let mut left_out = 0;
    for header in &policy.forward.headers {
        let value = match &header.source {
            HeaderSource::Scope => Ok(Some(scoped.granted().joined()).filter(|scopes| !scopes.is_empty())),
            HeaderSource::Claim(claim) => scoped.principal().claims().get(claim).map_or(Ok(None), header_value),
            HeaderSource::Credential => Ok(Some(source.unwrap_or(BEARER).to_owned())),
        };
        match value {
            Ok(Some(value)) if by_router => publish.push((Rc::clone(&header.key), value)),
            Ok(Some(value)) => set.push((Rc::clone(&header.name), value)),
            Ok(None) => {}
            Err(NotAHeaderValue) => left_out += 1,
        }
    }
    let published = published(publish, policy, request);
    let token = Some(scoped.principal().trace());
    Grant {
        basis: Basis::Token,
        trace: Trace::default(),
        token,
        remove,
        set,
        shortened,
        published,
        left_out,
        response: None,
        signed_body: None,
        open: None,
    }
}

/// Adds every header that is the place of a credential, whether or not it was judged, in every spelling: the upstream would
/// take what was not looked at for what was approved. Those in `kept` stay.
fn remove_credentials(remove: &mut Vec<Cow<'static, str>>, policy: &Policy, request: &RequestView<'_>, kept: &[&str]) {
    let mut places = policy.credential_headers();
    places.extend(policy.token_places.websocket_protocol.then_some(WEBSOCKET_PROTOCOL));
    for (name, _) in request.headers {
        // A list stays without the credential that is in it; in another spelling it is none that a server answers.
        let is_kept = *name == WEBSOCKET_PROTOCOL.as_bytes() || kept.iter().any(|kept| kept.as_bytes() == *name);
        if is_kept || !places.iter().any(|place| same_header(place.as_bytes(), name)) {
            continue;
        }
        let name = String::from_utf8_lossy(name);
        if !remove.contains(&name) {
            remove.push(name.into_owned().into());
        }
    }
}

/// Takes the credentials out of lists: a header of which nothing stays is removed. Those in `kept` stay as they are.
fn shorten(
    remove: &mut Vec<Cow<'static, str>>,
    shortened: &mut Vec<(&'static str, Vec<u8>)>,
    policy: &Policy,
    request: &RequestView<'_>,
    kept: &[&str],
) {
    let takes_token = policy.token_places.websocket_protocol && !kept.contains(&WEBSOCKET_PROTOCOL);
    let protocols = if takes_token { credential::without_token(request) } else { None };
    shortened.extend(protocols.map(|left| (WEBSOCKET_PROTOCOL, left)));
    let is_removed = |name: &[u8]| {
        policy.cookies().any(|cookie| cookie.name.as_bytes() == name && !kept.contains(&cookie.name.as_str()))
    };
    match credential::without_cookies(request, &is_removed) {
        None => {}
        Some(left) if left.is_empty() => remove.push(COOKIE.into()),
        Some(left) => shortened.push((COOKIE, left)),
    }
}

/// The names of the headers of the request that its client may not set, in every spelling, once each: identity headers,
/// and those with a client's certificate, unless a trusted proxy has sent them. Only for these is the host asked who that
/// is.
fn forged_headers(
    policy: &Policy,
    request: &RequestView<'_>,
    surroundings: &dyn Surroundings,
) -> Vec<Cow<'static, str>> {
    let is_forwarded = OnceCell::new();
    let is_forged_certificate = |name: &[u8]| {
        policy.forwarded_certificate.as_ref().is_some_and(|forwarded| {
            let is_trusted = || *is_forwarded.get_or_init(|| checks::is_forwarded(forwarded, surroundings));
            forwarded.is_header(name) && !(forwarded.is_spelled(name) && is_trusted())
        })
    };
    let mut names: Vec<Cow<'static, str>> = Vec::new();
    for (name, _) in request.headers {
        if policy.forward.is_identity_header(name) || is_forged_certificate(name) {
            let name = String::from_utf8_lossy(name);
            if !names.contains(&name) {
                names.push(name.into_owned().into());
            }
        }
    }
    names
}

/// The claim is nothing that a header can carry.
struct NotAHeaderValue;

/// A claim as a header value: a string, a number, a boolean, or a list of strings of which none holds a comma.
fn header_value(claim: Raw<'_>) -> Result<Option<String>, NotAHeaderValue> {
    match claim.as_text() {
        Some(text) if is_field_value(&text) => Ok(Some(text.into_owned())),
        Some(_) => Err(NotAHeaderValue),
        None => value_of_other_type(&claim.to_value()),
    }
}

fn value_of_other_type(claim: &Value) -> Result<Option<String>, NotAHeaderValue> {
    let text = match claim {
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            let items = items.ok_or(NotAHeaderValue)?;
            if items.is_empty() {
                return Ok(None);
            }
            if !items.iter().all(|item| is_field_value(item) && !item.contains(',')) {
                return Err(NotAHeaderValue);
            }
            items.join(",")
        }
        Value::Null | Value::Object(_) | Value::String(_) => return Err(NotAHeaderValue),
    };
    if is_field_value(&text) { Ok(Some(text)) } else { Err(NotAHeaderValue) }
}

/// A value that every reader takes for the same one: not empty, no control characters, and no white space around
/// it, which would be trimmed (RFC 9110 section 5.5).
fn is_field_value(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::members::Members;
    use serde_json::json;

    fn read(claim: &Value) -> Result<Option<String>, NotAHeaderValue> {
        let members = Members::parse(json!({ "claim": claim }).to_string().into_bytes()).expect("an object");
        header_value(members.get("claim").expect("a member"))
    }

    #[test]
    fn claims_become_values_that_cannot_be_split() {
        for (claim, wanted) in [
            (json!("alice"), "alice"),
            (json!("José, 2nd"), "José, 2nd"),
            (json!(42), "42"),
            (json!(true), "true"),
            (json!(["a", "b c"]), "a,b c"),
        ] {
            assert!(matches!(read(&claim), Ok(Some(value)) if value == wanted), "{claim}");
        }
        for claim in [
            json!("a\r\nx-admin: 1"),
            json!("a\nb"),
            json!("a\0"),
            json!("\u{7f}"),
            json!("\u{85}"),
            json!(""),
            json!(" a"),
            json!("a\t"),
            json!(null),
            json!({"a": 1}),
            json!(["a,b"]),
            json!(["a", 1]),
            json!(["a\n"]),
            json!([""]),
            json!(["a", "b,c"]),
            json!(["a,b", "c"]),
            json!(["a", "", "b"]),
            json!(["a", " b", "c"]),
        ] {
            assert!(read(&claim).is_err(), "{claim}");
        }
        assert!(matches!(read(&json!([])), Ok(None)));
    }
}
