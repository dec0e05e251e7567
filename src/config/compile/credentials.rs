//! Sets of credentials.

mod certificates;
mod cookie;
mod holders;
mod passwords;
mod remote;
mod rule;
mod secrets;
mod signatures;
mod signing_keys;

pub(in crate::config) use holders::Holders;
pub(super) use rule::{Sources, check_of_tokens, read as read_rule};
pub(in crate::config) use secrets::Digests;

use super::forward::{RESERVED, RESERVED_PREFIXES, is_apart, plain_name};
use super::issuer::Bounds;
use super::requirement::scope;
use super::{Environment, optional};
use crate::base::details::DetailsCell;
use crate::base::json::{Map, Value};
use crate::base::members::Members;
use crate::base::names::Subject;
use crate::base::time::UnixSeconds;
use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::config::tree::Tree;
use crate::jose::{Claims, Malformed};
use crate::policy::{
    AUTHORIZATION, BEARER, CredentialSet, Forward, HolderKind, Identity, KeyPlace, Limits, QueryPolicy, Scope, SetId,
    SetKind, SignatureForm, SignatureTerms,
};
use std::rc::Rc;

/// Parameters that carry an API key, refused where there are API keys.
const KEY_PARAMETERS: [&str; 3] = ["api_key", "apikey", "api-key"];
/// Schemes that are not those of keys.
const OTHER_SCHEMES: [&str; 6] = ["basic", "dpop", "aws4-hmac-sha256", "hmac-sha256", "sdk-hmac-sha256", "signature"];
/// Parameters of a request that SigV4 signs in its query: who has the link can use it.
const PRESIGNED: [&str; 3] = ["x-amz-signature", "x-amz-credential", "x-amz-security-token"];
/// Headers that belong to signatures.
const OF_SIGNATURES: [&str; 3] = ["signature", "signature-input", "content-digest"];
/// The longest name, id or subject, in bytes.
const MAX_NAME: usize = 128;
/// Claims that an identity has by other fields, or that mean something for tokens alone.
const NOT_CLAIMS: [(&str, &str); 11] = [
    ("sub", "write `subject`"),
    ("scope", "write `scopes`"),
    ("exp", "write `expires`"),
    ("iss", LEAVE_OUT),
    ("aud", LEAVE_OUT),
    ("nbf", LEAVE_OUT),
    ("iat", LEAVE_OUT),
    ("jti", LEAVE_OUT),
    ("cnf", LEAVE_OUT),
    ("acr", LEAVE_OUT),
    ("auth_time", LEAVE_OUT),
];
const LEAVE_OUT: &str = "it says something of tokens: leave it out";

/// All sets.
pub(super) fn read(
    cursor: &Cursor<'_>,
    environment: Environment<'_>,
    Bounds { limits, .. }: Bounds,
    warnings: &mut Vec<String>,
) -> Option<Vec<CredentialSet>> {
    let mut digests = Digests::default();
    let items = cursor.list()?;
    if items.is_empty() {
        return cursor.wrong("is an empty list", "name at least one set, or leave the field out");
    }
    let mut read = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        read.push(set(item, SetId(index), environment, (limits, &mut *warnings), &mut digests));
    }
    for (index, item) in items.iter().enumerate() {
        let name = read.get(index).and_then(|set| set.as_ref()).map(|set| &set.name);
        if name.is_some() && read.iter().take(index).flatten().any(|earlier| Some(&earlier.name) == name) {
            item.wrong::<()>("has the same `name` as a set before it", "give it a name of its own");
        }
        let cookie_of = |set: &CredentialSet| set.cookie().map(|cookie| cookie.name.clone());
        let cookie = read.get(index).and_then(|set| set.as_ref()).and_then(cookie_of);
        if cookie.is_some() && read.iter().take(index).flatten().any(|earlier| cookie_of(earlier) == cookie) {
            item.wrong::<()>("has the cookie of a set before it", "name both by one set");
        }
    }
    digests.note_repeated();
    let configured: Rc<[_]> = digests.all().collect();
    for remote in read.iter_mut().flatten().filter_map(|set| set.remote.as_mut()) {
        remote.terms.configured = Rc::clone(&configured);
    }
    read.into_iter().collect()
}

fn set<'n>(
    cursor: &Cursor<'n>,
    id: SetId,
    environment: Environment<'_>,
    bounds: (Limits, &mut Vec<String>),
    digests: &mut Digests<'n>,
) -> Option<CredentialSet> {
    let object = cursor.object(&fields::CREDENTIAL_SET)?;
    let name = object.need("name", "name it, so that requirements can").and_then(|cursor| set_name(&cursor));
    if let Some(cursor) = object.get("cookie") {
        if let Some(other) = ["api_key", "basic", "mtls", "aksk", "signature"].into_iter().find(|kind| object.has(kind))
        {
            return cursor.wrong(format!("is beside `{other}`"), "make two sets of them");
        }
        if let Some(htpasswd) = object.get("htpasswd") {
            htpasswd.wrong::<()>("has passwords, and this is a set of tokens", "leave it out");
        }
        let cookie = cookie::read(&object, &cursor);
        return Some(CredentialSet::new(&name?, Vec::new(), SetKind::Cookie(cookie?)));
    }
    let scopes = optional(&object, "scopes", Vec::new(), scopes);
    let kinds = ["api_key", "basic", "mtls", "aksk", "signature"];
    let written: Vec<&str> = kinds.into_iter().filter(|kind| object.has(kind)).collect();
    let at = written.first().and_then(|kind| object.get(kind));
    let ([written], Some(at)) = (written.as_slice(), at) else {
        return cursor.wrong(
            "does not have exactly one of `api_key`, `basic`, `cookie`, `mtls`, `aksk` and `signature`",
            "say where requests have the key, such as api_key: {header: x-api-key}, or write basic: {} or mtls: {}",
        );
    };
    let (kind, proof) = match *written {
        "api_key" => (HolderKind::Keys, places(&at).map(Proof::Keys)),
        "basic" => (HolderKind::Users, takes_nothing(&at, "write basic: {}")),
        "mtls" => (HolderKind::Certificates, takes_nothing(&at, "write mtls: {}")),
        "aksk" => (HolderKind::Signers, signatures::aksk(&at).map(Proof::Signatures)),
        _ => (HolderKind::Signers, signatures::message(&at).map(Proof::Signatures)),
    };
    let mut holders = Holders::new(kind, *written == "signature");
    let document = cursor.member("identities").filter(|list| matches!(list.value(), Tree::Object(_)));
    let remote = if let Some(document) = document {
        if *written == "aksk" {
            return document.wrong(
                "is fetched, and both sides of aksk have a secret, which no document may have",
                "list the identities in the configuration",
            );
        }
        let common = (name.as_deref().unwrap_or_default(), scopes.as_deref().unwrap_or_default());
        Some(Box::new(remote::read(&object, &document, (id, kind), common, bounds)?))
    } else {
        let terms = Terms { scopes: scopes.as_deref(), environment: Some(environment) };
        inline(&object, &mut holders, terms, digests)?;
        None
    };
    scopes?;
    let (identities, kind) = holders.finish(proof?);
    Some(CredentialSet { remote, ..CredentialSet::new(&name?, identities, kind) })
}

/// The identities that the configuration has.
fn inline<'n>(object: &Object<'n>, holders: &mut Holders, terms: Terms<'_>, digests: &mut Digests<'n>) -> Option<()> {
    let (what, remedy) = match holders.kind() {
        HolderKind::Users => return passwords::read(object, holders, terms, digests),
        HolderKind::Keys => ("has passwords, and this is a set of keys", "list those who have keys"),
        HolderKind::Certificates => {
            ("has passwords, and this is a set of certificates", "list those who have certificates")
        }
        HolderKind::Signers => ("has passwords, and this is a set of signers", "list those who sign"),
    };
    if let Some(htpasswd) = object.get("htpasswd") {
        htpasswd.wrong::<()>(what, "leave it out, or write basic: {}");
    }
    holders::listed(object, holders, (terms, &[], remedy), digests)
}

/// An object that has no fields, and no places of keys.
fn takes_nothing(cursor: &Cursor<'_>, remedy: &str) -> Option<Proof> {
    if cursor.any_object()?.members().next().is_some() {
        return cursor.wrong("has fields, and takes none", remedy);
    }
    Some(Proof::Keys(Vec::new()))
}

/// A name that a header, a log line and a requirement can have.
fn set_name(cursor: &Cursor<'_>) -> Option<String> {
    let name = cursor.text()?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if !plain || name.len() > MAX_NAME {
        return cursor.wrong("is not the name of a set", "write up to 128 letters, digits, -, _ and .");
    }
    if name == BEARER {
        return cursor.wrong("is the name of the tokens of all issuers", "choose another name");
    }
    Some(name.to_owned())
}

/// One place or several.
fn places(cursor: &Cursor<'_>) -> Option<Vec<KeyPlace>> {
    if !matches!(cursor.value(), Tree::List(_)) {
        return place(cursor).map(|place| vec![place]);
    }
    let places = cursor.list_of("place", place)?;
    for (index, item) in cursor.list()?.iter().enumerate() {
        let own = places.get(index);
        if places.iter().take(index).any(|earlier| own.is_some_and(|own| own.overlaps(earlier))) {
            item.wrong::<()>("holds what a place before it holds", "keep one");
        }
    }
    Some(places)
}

fn place(cursor: &Cursor<'_>) -> Option<KeyPlace> {
    let object = cursor.object(&fields::API_KEY)?;
    let scheme = optional(&object, "scheme", None, |cursor| scheme_word(cursor).map(Some));
    let prefix = optional(&object, "prefix", None, |cursor| key_prefix(cursor).map(Some));
    let header = if object.has("header") {
        object.get("header").and_then(|cursor| place_header(&cursor))
    } else if object.has("scheme") {
        Some(AUTHORIZATION.to_owned())
    } else {
        cursor.wrong("`header` is missing", "name the header of the key, such as x-api-key")
    };
    let place = KeyPlace { header: header?, scheme: scheme?, prefix: prefix? };
    apart_from_tokens(&object, place)
}

/// What stands in `authorization` has a scheme, and is no token.
fn apart_from_tokens(object: &Object<'_>, place: KeyPlace) -> Option<KeyPlace> {
    if place.header != AUTHORIZATION {
        return Some(place);
    }
    let Some(scheme) = &place.scheme else {
        return object.cursor().wrong(
            "is in `authorization`, and has no scheme",
            "write scheme: ApiKey, or whatever stands before the key",
        );
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Some(place);
    }
    let Some(prefix) = &place.prefix else {
        return object.cursor().wrong(
            "has the scheme Bearer and no `prefix`: it could not be told from a token",
            "write what every key begins with, such as prefix: sk-",
        );
    };
    // A JWT begins with an encoded `{`.
    if "ey".starts_with(prefix.as_str()) || prefix.starts_with("ey") {
        let member = object.get("prefix").unwrap_or_else(|| object.cursor().clone());
        return member.wrong("is what tokens begin with", "choose another, such as sk-");
    }
    Some(place)
}

fn scheme_word(cursor: &Cursor<'_>) -> Option<String> {
    let word = cursor.text()?;
    if !word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
        return cursor.wrong("is not a scheme", "write one word, such as ApiKey");
    }
    if OTHER_SCHEMES.iter().any(|other| word.eq_ignore_ascii_case(other)) {
        return cursor.wrong("is the scheme of other credentials", "choose another, such as ApiKey");
    }
    Some(word.to_owned())
}

fn key_prefix(cursor: &Cursor<'_>) -> Option<String> {
    let prefix = cursor.text()?;
    if prefix.len() > 32 || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
        return cursor.wrong("cannot be the beginning of a key", "write up to 32 visible ASCII characters");
    }
    Some(prefix.to_owned())
}

pub(super) fn place_header(cursor: &Cursor<'_>) -> Option<String> {
    let name = plain_name(cursor, cursor.text()?)?;
    let dashed = name.replace('_', "-");
    let is_reserved = RESERVED.contains(&dashed.as_str()) && dashed != AUTHORIZATION;
    let is_of_others =
        dashed == "dpop" || dashed.starts_with("client-cert") || OF_SIGNATURES.contains(&dashed.as_str());
    if is_reserved || is_of_others || RESERVED_PREFIXES.iter().any(|prefix| dashed.starts_with(prefix)) {
        return cursor.wrong("is not a header of credentials", "choose one of its own, such as x-api-key");
    }
    Some(name)
}

/// What a set says of the proofs of its identities.
pub(crate) enum Proof {
    /// The places of keys; none, where keys are not what proves them.
    Keys(Vec<KeyPlace>),
    /// What signatures must be.
    Signatures(SignatureTerms),
}

/// What the identities of a set have in common.
#[derive(Clone, Copy)]
pub(crate) struct Terms<'t> {
    /// The scopes of those that name none; `None` where they cannot be read.
    pub(crate) scopes: Option<&'t [Scope]>,
    /// The environment variables; `None` where none may be named.
    pub(crate) environment: Option<Environment<'t>>,
}

fn identity(cursor: &Cursor<'_>, terms: Terms<'_>) -> Option<Identity> {
    let object = cursor.object(&fields::IDENTITY)?;
    let id = object.need("id", "name it, for records and revocation").and_then(|cursor| name(&cursor));
    let subject = optional(&object, "subject", None, |cursor| name(cursor).map(Some));
    let own_scopes = optional(&object, "scopes", None, |cursor| scopes(cursor).map(Some));
    let more = optional(&object, "claims", Map::new(), further_claims);
    let expires = optional(&object, "expires", None, |cursor| instant(cursor).map(Some));
    let disabled = optional(&object, "disabled", false, Cursor::flag);
    let (id, own_scopes) = (id?, own_scopes?);
    let subject = subject?.unwrap_or_else(|| id.clone());
    let scopes = own_scopes.as_deref().or(terms.scopes).unwrap_or_default();
    let claims = claims(cursor, &subject, scopes, more?)?;
    Some(Identity { expires: expires?, disabled: disabled?, ..identity_of(id, &subject, claims) })
}

/// An identity whose time never ends.
fn identity_of(id: String, subject: &str, claims: Claims) -> Identity {
    let subject = Rc::new(Subject::new(subject));
    Identity { id: Rc::new(id), subject, claims, expires: None, disabled: false, details: DetailsCell::default() }
}

/// What is true of an identity, as a token would say it.
fn claims(cursor: &Cursor<'_>, subject: &str, scopes: &[Scope], mut all: Map<String, Value>) -> Option<Claims> {
    all.insert("sub".to_owned(), subject.into());
    if !scopes.is_empty() {
        let names: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
        all.insert("scope".to_owned(), names.join(" ").into());
    }
    let members = Members::parse(Value::Object(all).to_string().into_bytes());
    match members.map(Claims::from_members) {
        Some(Ok(claims)) => Some(claims),
        Some(Err(Malformed(why))) => cursor.wrong(why, "write the claims as a token has them"),
        None => cursor.wrong("has claims that cannot be read", "write the claims as a token has them"),
    }
}

fn further_claims(cursor: &Cursor<'_>) -> Option<Map<String, Value>> {
    let object = cursor.any_object()?;
    let mut claims = Map::new();
    for (name, member) in object.members() {
        if let Some((_, remedy)) = NOT_CLAIMS.iter().find(|(other, _)| *other == name) {
            member.wrong::<()>("is not a claim of an identity", *remedy);
        }
        claims.insert(name.to_owned(), member.value().to_json());
    }
    Some(claims)
}

fn scopes(cursor: &Cursor<'_>) -> Option<Vec<Scope>> {
    let scopes: Vec<Option<Scope>> = cursor.list()?.iter().map(scope).collect();
    scopes.into_iter().collect()
}

/// Text that a record shows, and a header may.
fn name(cursor: &Cursor<'_>) -> Option<String> {
    let text = cursor.text()?;
    if text.len() > MAX_NAME || text.trim() != text || text.chars().any(char::is_control) {
        return cursor
            .wrong("cannot be shown in one line", "write up to 128 bytes without control characters and outer spaces");
    }
    Some(text.to_owned())
}

/// A NumericDate in whole seconds.
fn instant(cursor: &Cursor<'_>) -> Option<UnixSeconds> {
    match cursor.value() {
        Tree::Whole(seconds) => Some(UnixSeconds(*seconds)),
        other => cursor.wrong(
            format!("is {}", other.kind()),
            "write the seconds since 1970 as a whole number, as `exp` of a token",
        ),
    }
}

/// Names that may be those of keys in a query, added to those that the configuration has.
pub(super) fn refuse_in_query(query: &mut QueryPolicy, sets: &[CredentialSet]) {
    let mut headers = sets.iter().flat_map(CredentialSet::key_places).map(|place| place.header.as_str()).peekable();
    let of_keys = headers.peek().map_or(&[][..], |_| &KEY_PARAMETERS);
    let is_sigv4 =
        |set: &CredentialSet| set.signatures().is_some_and(|of| matches!(of.terms.form, SignatureForm::Sigv4 { .. }));
    let presigned = if sets.iter().any(is_sigv4) { &PRESIGNED[..] } else { &[] };
    for name in of_keys.iter().copied().chain(headers).chain(presigned.iter().copied()) {
        if !query.names.iter().any(|known| known == name) {
            query.names.push(name.to_owned());
        }
    }
}

/// Notes places that are identity headers: those are removed before a credential is read by anyone else.
pub(super) fn apart_from_identity_headers(root: &Object<'_>, sets: &[CredentialSet], forward: &Forward) {
    for header in sets.iter().flat_map(CredentialSet::headers) {
        root.get("credentials").and_then(|cursor| is_apart(&cursor, header, "keys", forward));
    }
}
