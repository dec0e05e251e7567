//! What the signatures of a set must be: `aksk` and `signature`.

use super::plain_name;
use crate::base::time::Seconds;
use crate::config::compile::optional;
use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::policy::{SignatureForm, SignatureReplay, SignatureTerms};

/// The components that are derived of a request (RFC 9421 section 2.2), as far as they can be asked for.
const DERIVED: [&str; 7] = ["@method", "@authority", "@scheme", "@target-uri", "@request-target", "@path", "@query"];
/// What a message signature has to cover where nothing is written.
const COMPONENTS: [&str; 4] = ["@method", "@authority", "@path", "@query"];

/// Those that hold the signature, and those that a proxy takes away.
const NEVER_SIGNED: [&str; 10] = [
    "authorization",
    "signature",
    "signature-input",
    "connection",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The form of access keys.
#[derive(Clone, Copy)]
enum AccessKeys {
    Sigv4,
    Apinto,
}

/// What signatures under access keys must be.
pub(super) fn aksk(cursor: &Cursor<'_>) -> Option<SignatureTerms> {
    let object = cursor.object(&fields::AKSK)?;
    let form = object
        .need("form", "write sigv4 or apinto")
        .and_then(|cursor| cursor.word(&[("sigv4", AccessKeys::Sigv4), ("apinto", AccessKeys::Apinto)]));
    let form = match form {
        Some(AccessKeys::Sigv4) => sigv4(&object),
        Some(AccessKeys::Apinto) => apinto(&object),
        None => None,
    };
    let covered = optional(&object, "signed_headers", Vec::new(), |cursor| cursor.list_of("header", signed_header));
    common(&object, form, covered)
}

fn sigv4(object: &Object<'_>) -> Option<SignatureForm> {
    let regions = object.need("regions", "list the regions of the scope, such as [eu-west-1]").and_then(|c| words(&c));
    let services = object.need("services", "list the services of the scope, such as [orders]").and_then(|c| words(&c));
    Some(SignatureForm::Sigv4 { regions: regions?, services: services? })
}

fn apinto(object: &Object<'_>) -> Option<SignatureForm> {
    let mut is_plain = true;
    for name in ["regions", "services"] {
        if let Some(cursor) = object.get(name) {
            is_plain = false;
            cursor.wrong::<()>("is part of the scope of sigv4, and apinto has none", "leave it out");
        }
    }
    is_plain.then_some(SignatureForm::Apinto)
}

/// What HTTP message signatures must be.
pub(super) fn message(cursor: &Cursor<'_>) -> Option<SignatureTerms> {
    let object = cursor.object(&fields::SIGNATURE)?;
    let tag = optional(&object, "tag", None, |cursor| tag(cursor).map(Some));
    let needs_nonce =
        optional(&object, "nonce", true, |cursor| cursor.word(&[("required", true), ("optional", false)]));
    let form = tag.zip(needs_nonce).map(|(tag, needs_nonce)| SignatureForm::Message { tag, needs_nonce });
    let by_default = COMPONENTS.map(str::to_owned).to_vec();
    let covered = optional(&object, "components", by_default, |cursor| {
        let all = cursor.list_of("component", component)?;
        names_target(cursor, &all)?;
        Some(all)
    });
    common(&object, form, covered)
}

fn common(object: &Object<'_>, form: Option<SignatureForm>, covered: Option<Vec<String>>) -> Option<SignatureTerms> {
    let max_age = optional(object, "max_age", Seconds(300), |c| c.seconds(1..=86_400));
    let max_ahead = optional(object, "max_ahead", Seconds(60), |c| c.seconds(0..=300));
    let replay = optional(object, "replay", SignatureReplay::default(), |cursor| {
        cursor.word(&[
            ("unsafe", SignatureReplay::Unsafe),
            ("all", SignatureReplay::All),
            ("none", SignatureReplay::None),
        ])
    });
    Some(SignatureTerms { form: form?, covered: covered?, max_age: max_age?, max_ahead: max_ahead?, replay: replay? })
}

/// A signature that does not say which method and which resource it is for is good for every request.
fn names_target(cursor: &Cursor<'_>, all: &[String]) -> Option<()> {
    let has = |name: &str| all.iter().any(|component| component == name);
    let names_host = has("@authority") || has("@target-uri");
    let names_path = has("@target-uri") || has("@request-target") || has("@path") && has("@query");
    if has("@method") && names_host && names_path {
        return Some(());
    }
    cursor.wrong(
        "leaves out what a request is: its signature would be good for others, too",
        "list at least @method, @authority, @path and @query; @target-uri stands for the last three",
    )
}

fn component(cursor: &Cursor<'_>) -> Option<String> {
    let name = cursor.text()?;
    if name.starts_with('@') {
        if DERIVED.contains(&name) {
            return Some(name.to_owned());
        }
        return cursor
            .wrong("is not a component that can be asked for", format!("write one of {}", DERIVED.join(", ")));
    }
    signed_header(cursor)
}

/// The name of a header that has to be signed.
fn signed_header(cursor: &Cursor<'_>) -> Option<String> {
    let name = plain_name(cursor, cursor.text()?)?;
    if NEVER_SIGNED.contains(&name.as_str()) {
        return cursor.wrong("is a header that cannot be signed here", "leave it out");
    }
    Some(name)
}

/// Words of a scope.
fn words(cursor: &Cursor<'_>) -> Option<Vec<String>> {
    cursor.list_of("word", |item| {
        let word = item.text()?;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if word.is_empty() || word.len() > 64 || !word.bytes().all(is_plain) {
            return item.wrong("is not a word of a scope", "write up to 64 lower-case letters, digits, - and _");
        }
        Some(word.to_owned())
    })
}

fn tag(cursor: &Cursor<'_>) -> Option<String> {
    let tag = cursor.text()?;
    if tag.is_empty()
        || tag.len() > 64
        || !tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte))
    {
        return cursor.wrong("is not a tag", "write up to 64 letters, digits, -, _, ., : and /");
    }
    Some(tag.to_owned())
}
