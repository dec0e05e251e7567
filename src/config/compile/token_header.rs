//! Headers of tokens beside `authorization`.

use super::credentials::place_header;
use super::forward::is_apart;
use super::optional;
use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::policy::{
    AUTHORIZATION, CredentialSet, Forward, ForwardBy, Issuer, SenderConstraint, TokenHeader, WEBSOCKET_PROTOCOL,
    same_header,
};

/// `token_header` of an issuer.
pub(super) fn read(cursor: &Cursor<'_>) -> Option<TokenHeader> {
    let object = cursor.object(&fields::TOKEN_HEADER)?;
    let name = object.need("name", "name the header, such as x-partner-token").and_then(|cursor| name(&cursor));
    let prefix = optional(&object, "prefix", String::new(), prefix);
    Some(TokenHeader { name: name?, prefix: prefix? })
}

fn name(cursor: &Cursor<'_>) -> Option<String> {
    let name = place_header(cursor)?;
    if name == AUTHORIZATION {
        return cursor.wrong(
            "is where tokens are without `token_header`, after Bearer or DPoP",
            "leave token_header out, or name another header",
        );
    }
    if same_header(name.as_bytes(), WEBSOCKET_PROTOCOL.as_bytes()) {
        return cursor.wrong("is a list of subprotocols", "write websocket_protocol: true in place of token_header");
    }
    Some(name)
}

/// White space around a value is no part of it, and a comma shows two values.
fn prefix(cursor: &Cursor<'_>) -> Option<String> {
    let prefix = cursor.text()?;
    let plain = prefix.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic() && byte != b',');
    if !plain || prefix.len() > 32 || prefix.starts_with(' ') {
        return cursor.wrong(
            "cannot stand before a token",
            "write up to 32 visible ASCII characters without commas, and the space that ends them, such as \"Token \"",
        );
    }
    Some(prefix.to_owned())
}

/// Notes what no token can meet: one that is bound to a key is good in `authorization` alone.
pub(super) fn no_proofs(object: &Object<'_>, asked: Option<SenderConstraint>, name: &str) {
    if asked.is_some_and(|asked| asked.includes(SenderConstraint::DPOP))
        && let Some(member) = object.get(name)
    {
        member.wrong::<()>(
            "is no place for tokens that are bound to a key, and `sender_constraint: dpop` admits no others",
            "leave one of them out",
        );
    }
}

/// Notes headers that others read, set or remove, and those that cannot be told apart.
pub(super) fn apart(root: &Object<'_>, issuers: &[Issuer], sets: &[CredentialSet], forward: &Forward) {
    if forward.by == ForwardBy::Router && sets.iter().any(|set| set.cookie().is_some()) {
        root.get("forward").and_then(|cursor| {
            cursor.wrong::<()>("has by: router, which cannot take a cookie out of others", "leave forward.by out")
        });
    }
    let Some(list) = root.get("issuers") else { return };
    let items = list.list().unwrap_or_default();
    for (index, item) in items.iter().enumerate() {
        let Some(issuer) = issuers.get(index) else { continue };
        if issuer.websocket_protocol && forward.by == ForwardBy::Router {
            item.wrong::<()>(
                "has `websocket_protocol`, and the router cannot take a token out of a list",
                "leave it out, or leave out forward.by",
            );
        }
        if issuer.websocket_protocol {
            is_apart(item, WEBSOCKET_PROTOCOL, "tokens", forward);
        }
        let Some(header) = &issuer.token_header else { continue };
        let earlier = issuers.iter().take(index).filter_map(|issuer| issuer.token_header.as_ref());
        if !earlier.clone().all(|other| is_told_from(header, other)) {
            item.wrong::<()>(
                format!("reads tokens from {}, and so does an issuer before it, in another spelling", header.name),
                "write one name, and one prefix or two of which none begins as the other",
            );
        }
        is_apart(item, &header.name, "tokens", forward);
        let mut places = sets.iter().flat_map(CredentialSet::headers);
        if places.any(|place| same_header(place.as_bytes(), header.name.as_bytes())) {
            item.wrong::<()>(
                format!("reads tokens from {}, which is the place of a set of keys", header.name),
                "name another header",
            );
        }
    }
}

/// Whether two are one, or no value can be of both.
fn is_told_from(one: &TokenHeader, other: &TokenHeader) -> bool {
    let overlap = one.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&one.prefix);
    one == other || !same_header(one.name.as_bytes(), other.name.as_bytes()) || one.name == other.name && !overlap
}
