//! What goes upstream.

use super::issuer::claim_path;
use super::optional;
use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::policy::{Forward, ForwardBy, HeaderSource, IdentityHeader, TokenForwarding, identity_key, same_header};

/// Headers that concern the connection, the message or its origin, or hold credentials. No claim may set them. Spelled
/// with `-`.
pub(super) const RESERVED: [&str; 26] = [
    "host",
    "authorization",
    "cookie",
    "set-cookie",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "content-type",
    "content-encoding",
    "content-range",
    "expect",
    "forwarded",
    "via",
    "http2-settings",
    "range",
    "if-match",
    "origin",
    "referer",
    "date",
];
/// Headers that Envoy sets and reads.
const OF_ENVOY: [&str; 5] =
    ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-forwarded-client-cert"];
pub(super) const RESERVED_PREFIXES: [&str; 2] = ["x-forwarded-", "x-envoy-"];

/// The section `forward`.
pub(super) fn read(cursor: &Cursor<'_>) -> Option<Forward> {
    let object = cursor.object(&fields::FORWARD)?;
    let token = optional(&object, "token", TokenForwarding::default(), |cursor| {
        cursor.word(&[("strip", TokenForwarding::Strip), ("keep", TokenForwarding::Keep)])
    });
    let headers = optional(&object, "headers", Vec::new(), headers);
    let set = headers.as_deref().unwrap_or_default();
    let remove = optional(&object, "remove", Vec::new(), |cursor| cursor.list_of("header", |item| removed(item, set)));
    let by = optional(&object, "by", ForwardBy::default(), |cursor| {
        cursor.word(&[("filter", ForwardBy::Filter), ("router", ForwardBy::Router)])
    });
    if by == Some(ForwardBy::Router) {
        keys_of_their_own(&object, set);
    }
    Some(Forward { token: token?, headers: headers?, remove: remove?, by: by? })
}

/// The name of a header that is removed from every request.
fn removed(cursor: &Cursor<'_>, set: &[IdentityHeader]) -> Option<String> {
    let name = plain_name(cursor, cursor.text()?)?;
    let dashed = name.replace('_', "-");
    let is_of_envoy = OF_ENVOY.contains(&dashed.as_str()) || dashed.starts_with("x-envoy-");
    if RESERVED.contains(&dashed.as_str()) || is_of_envoy {
        return cursor.wrong(
            "is not a header of an identity: the request, or Envoy itself, needs it",
            "name headers that an upstream takes for an identity, such as x-forwarded-user",
        );
    }
    if set.iter().any(|header| same_header(header.name.as_bytes(), dashed.as_bytes())) {
        return cursor.wrong("is in `headers` too, which removes what the client sent", "leave it out here");
    }
    Some(name)
}

/// Notes headers whose values would be published under the same key.
fn keys_of_their_own(object: &Object<'_>, headers: &[IdentityHeader]) {
    for (index, header) in headers.iter().enumerate() {
        let Some(other) = headers.iter().take(index).find(|other| other.key == header.key) else { continue };
        object.get("headers").and_then(|cursor| {
            cursor.wrong::<()>(
                format!("has {} and {}, which would both be wasm.{}", other.name, header.name, header.key),
                "rename one: x- and auth- in front are left out of the key",
            )
        });
    }
}

fn headers(cursor: &Cursor<'_>) -> Option<Vec<IdentityHeader>> {
    let object = cursor.any_object()?;
    let mut headers: Vec<IdentityHeader> = Vec::new();
    let mut complete = true;
    for (name, member) in object.members() {
        let source = match member.value() {
            crate::config::tree::Tree::Text(text) if text == "scope" => Some(HeaderSource::Scope),
            crate::config::tree::Tree::Text(text) if text == "credential" => Some(HeaderSource::Credential),
            _ => claim_path(&member).map(HeaderSource::Claim),
        };
        let checked = header_name(&member, name);
        if headers.iter().any(|other| same_header(other.name.as_bytes(), name.as_bytes())) {
            member.wrong::<()>("differs from another header only in -, _ or case", "keep one");
        }
        match (checked, source) {
            (Some(name), Some(source)) => {
                headers.push(IdentityHeader { key: identity_key(&name).into(), name: name.into(), source });
            }
            _ => complete = false,
        }
    }
    // Sorted, so that the order does not depend on the form of the configuration.
    headers.sort_by(|a, b| a.name.cmp(&b.name));
    complete.then_some(headers)
}

/// The name of a header, in lower case.
pub(super) fn plain_name(cursor: &Cursor<'_>, name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let plain = lower.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if lower.is_empty() || !plain {
        return cursor.wrong("is not the name of a header", "write letters, digits and -");
    }
    Some(lower)
}

fn header_name(cursor: &Cursor<'_>, name: &str) -> Option<String> {
    let lower = plain_name(cursor, name)?;
    let dashed = lower.replace('_', "-");
    if RESERVED.contains(&dashed.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| dashed.starts_with(prefix)) {
        return cursor.wrong("cannot be set from a claim", "choose a name of your own, such as x-auth-subject");
    }
    Some(lower)
}

/// Whether what holds a credential is no identity header: those are removed before anyone else reads a credential.
pub(super) fn is_apart(cursor: &Cursor<'_>, header: &str, what: &str, forward: &Forward) -> Option<()> {
    if forward.is_identity_header(header.as_bytes()) {
        return cursor
            .wrong(format!("reads {what} from {header}, which `forward` sets or removes"), "name another header");
    }
    Some(())
}
