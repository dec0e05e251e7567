//! Introspection of opaque tokens.

use super::issuer::token_types;
use super::requirement::Context;
use super::{optional, remote, variable_of};
use crate::base::text::form_encode;
use crate::base::time::Seconds;
use crate::config::cursor::{Cursor, Object};
use crate::config::{Environment, fields};
use crate::policy::{CredentialSet, Introspection, Issuer, IssuerId, TokenTypes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest time for which an answer holds: one hour.
const MAX_CACHE: u32 = 3600;
/// The longest prefix, in bytes.
const MAX_PREFIX: usize = 32;

/// How an issuer is asked.
pub(super) fn read(
    cursor: &Cursor<'_>,
    environment: Environment<'_>,
    warnings: &mut Vec<String>,
) -> Option<Introspection> {
    let object = cursor.object(&fields::INTROSPECTION)?;
    let cluster = remote::cluster(&object);
    let endpoint = object
        .need("uri", "write the address of the introspection endpoint")
        .and_then(|c| remote::endpoint(&c, cluster));
    let client_id = object
        .need("client_id", "name the client as which the gate asks")
        .and_then(|cursor| credential_text(&cursor, cursor.text()?));
    let secret = object.need("secret", "write {env: NAME}, of a variable that holds it").and_then(|cursor| {
        let env = cursor.object(&fields::SHARED_SECRET)?.need("env", "name the environment variable that holds it")?;
        secret(&env, environment)
    });
    let prefix = optional(&object, "prefix", String::new(), prefix);
    let cache = optional(&object, "cache", Seconds(30), |c| c.seconds(0..=MAX_CACHE));
    let timeout_ms = optional(&object, "timeout", 1000, |c| c.milliseconds(10..=10_000));
    let types = optional(&object, "token_types", TokenTypes::default(), token_types);
    if let (Some(types), Some(cursor)) = (&types, object.get("token_types").filter(|_| object.has("token_types")))
        && types.accept(None)
    {
        warnings.push(format!(
            "{}: missing: where the issuer answers no `token_type`, a refresh token passes too",
            cursor.path()
        ));
    }
    Some(Introspection {
        endpoint: endpoint?,
        authorization: basic(&client_id?, &secret?).into(),
        prefix: prefix?,
        cache: cache?,
        timeout_ms: u32::try_from(timeout_ms?).ok()?,
        token_types: types?,
    })
}

/// `Authorization` of a client that has a password ([RFC 6749 section 2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1)).
fn basic(client_id: &str, secret: &str) -> String {
    let pair = [form_encode(client_id.as_bytes()), form_encode(secret.as_bytes())].join(":");
    ["Basic ", &STANDARD.encode(pair)].concat()
}

fn secret(cursor: &Cursor<'_>, environment: Environment<'_>) -> Option<String> {
    let value = variable_of(cursor, environment)?;
    let value = value.trim();
    if value.is_empty() || !is_plain(value) {
        return cursor.wrong(
            "names an environment variable whose value is no secret of a client",
            "write the secret as the issuer gave it: printable ASCII",
        );
    }
    Some(value.to_owned())
}

/// Whether it is of the characters of RFC 6749 appendix A.1 and A.2.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn credential_text(cursor: &Cursor<'_>, text: &str) -> Option<String> {
    if !is_plain(text) {
        return cursor.wrong("is not the id of a client", "write it as the issuer gave it: printable ASCII");
    }
    Some(text.to_owned())
}

fn prefix(cursor: &Cursor<'_>) -> Option<String> {
    let prefix = cursor.text()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    if prefix.len() > MAX_PREFIX || !prefix.bytes().all(is_plain) {
        return cursor
            .wrong("cannot be the beginning of a token", "write up to 32 letters, digits and -._~+/, such as ory_at_");
    }
    Some(prefix.to_owned())
}

/// What the opaque tokens of each issuer begin with that has some.
pub(super) fn prefixes(issuers: &[Issuer]) -> Vec<(IssuerId, String)> {
    let all = issuers.iter().enumerate();
    all.filter_map(|(index, issuer)| Some((IssuerId(index), issuer.introspection.as_ref()?.prefix.clone()))).collect()
}

/// Notes two issuers that are good here and whose opaque tokens cannot be told apart.
pub(super) fn told_apart(cursor: &Cursor<'_>, good: Option<&[IssuerId]>, context: Context<'_>) -> Option<()> {
    let is_good = |id: &IssuerId| good.is_none_or(|good| good.contains(id));
    let good: Vec<_> = context.prefixes.iter().filter(|(id, _)| is_good(id)).collect();
    for (index, (id, prefix)) in good.iter().enumerate() {
        let Some((earlier, _)) = good.iter().take(index).find(|(_, other)| other == prefix) else { continue };
        let name = |id: &IssuerId| context.issuers.get(id.0).map_or("", String::as_str);
        let begin =
            if prefix.is_empty() { "no `introspection.prefix`".to_owned() } else { format!("the prefix {prefix}") };
        return cursor.wrong(
            format!("accepts opaque tokens of two issuers that have {begin}: {} and {}", name(earlier), name(id)),
            "give each issuer a prefix of its own, or name one of them in `issuers`",
        );
    }
    Some(())
}

/// Notes what cannot be told apart where the configuration has no default requirement, and prefixes that are also those of
/// keys: a key is shown to no issuer.
pub(super) fn apart(
    root: &Object<'_>,
    issuers: Option<&[Issuer]>,
    sets: Option<&[CredentialSet]>,
    context: Context<'_>,
) -> Option<()> {
    let list = if issuers.is_some_and(|issuers| !issuers.is_empty()) { root.get("issuers")? } else { return None };
    if !root.has("default") {
        told_apart(&list, None, context);
    }
    let items = list.list()?;
    let places = sets?.iter().flat_map(CredentialSet::key_places);
    let keys: Vec<&str> = places.filter_map(|place| place.prefix.as_deref()).collect();
    for (id, prefix) in context.prefixes {
        let Some(key) = keys.iter().find(|key| prefix.starts_with(**key)) else { continue };
        let introspection = items.get(id.0).and_then(|item| item.member("introspection"));
        if let Some(cursor) = introspection.and_then(|introspection| introspection.member("prefix")) {
            cursor.wrong::<()>(
                format!("begins with {key}, as API keys do, which are shown to no issuer"),
                "choose another prefix for the keys",
            );
        }
    }
    Some(())
}
