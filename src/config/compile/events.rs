//! Events that revoke.

use super::issuer::{key_set, token_types};
use super::{optional, remote, replay, texts};
use crate::base::time::Seconds;
use crate::config::cursor::{Cursor, Object};
use crate::config::tree::Tree;
use crate::config::{Environment, fields};
use crate::jose::KeySet;
use crate::policy::{
    EventKeys, EventPoll, EventSource, Issuer, IssuerId, Limits, SecurityEvents, TokenTypes, is_generic_type,
};
use crate::security_event::Breadth;
use std::rc::Rc;

/// The types of events: Security Event Tokens and logout tokens.
const TYPES: [&str; 2] = ["secevent+jwt", "logout+jwt"];
/// The type of access tokens.
const ACCESS_TOKEN: &str = "at+jwt";
/// The default of `max_bytes`.
const BODY_BYTES: u32 = 65_536;
/// How long an entry is kept where nothing says how long tokens live: one day.
const KEEP: Seconds = Seconds(86_400);
/// How far the clock of an operator may be ahead.
const LEEWAY: Seconds = Seconds(60);

/// How events are taken.
pub(super) fn read(
    cursor: &Cursor<'_>,
    (issuers, limits, environment): (Option<&[Issuer]>, Limits, Environment<'_>),
    warnings: &mut Vec<String>,
) -> Option<SecurityEvents> {
    let object = cursor.object(&fields::EVENTS)?;
    let path = optional(&object, "path", None, |c| path(c).map(Some));
    let max_bytes = optional(&object, "max_bytes", BODY_BYTES, |c| c.whole(1024..=1_048_576));
    let has_path = object.has("path");
    let of_issuers = optional(&object, "issuers", Vec::new(), |c| {
        named(c, |name, c| issuer(name, c, issuers, has_path, environment))
    });
    let operators = optional(&object, "operators", Vec::new(), |c| {
        let mut read = |name: &str, c: &Cursor<'_>| operator(name, c, limits, warnings);
        named(c, &mut read)
    });
    if !object.has("issuers") && !object.has("operators") {
        return cursor.wrong("names no one who sends events", "write `issuers`, or `operators`");
    }
    let mut sources: Vec<EventSource> = of_issuers?;
    sources.extend(operators?);
    for (index, source) in sources.iter().enumerate() {
        if sources.iter().take(index).any(|other| other.issuer == source.issuer) {
            return cursor.wrong(
                format!("has two sources whose events have the `iss` {}", source.issuer),
                "give each one of its own: that of an operator is its name",
            );
        }
    }
    let is_pushed_by = |source: &EventSource| matches!(source.keys, EventKeys::Operator(_)) || source.poll.is_none();
    if let (false, Some(source)) = (has_path, sources.iter().find(|source| is_pushed_by(source))) {
        let name = &source.name;
        return cursor.wrong(
            format!("takes no events of {name}: they are pushed, and there is no `path`"),
            "write a path such as /.well-known/scopegate/events, or `poll` where the issuer is asked",
        );
    }
    Some(SecurityEvents { path: path?, max_bytes: max_bytes?, sources })
}

/// The members of an object, each read under its name.
fn named<'n, T>(cursor: &Cursor<'n>, mut read: impl FnMut(&str, &Cursor<'n>) -> Option<T>) -> Option<Vec<T>> {
    let object = cursor.any_object()?;
    let all: Vec<Option<T>> = object.members().map(|(name, member)| read(name, &member)).collect();
    if all.is_empty() {
        return cursor.wrong("is empty", "name one, or leave it out");
    }
    all.into_iter().collect()
}

/// A path that no server reads in another way.
fn path(cursor: &Cursor<'_>) -> Option<String> {
    let text = cursor.text()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~');
    let is_good = text.len() > 1 && text.starts_with('/') && text.bytes().all(is_plain);
    let has_good_segments = text.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | ".."));
    if is_good && has_good_segments {
        return Some(text.to_owned());
    }
    cursor.wrong(
        "is no path that can be read in one way only",
        "write letters, digits, - . _ ~ between single slashes, such as /.well-known/scopegate/events",
    )
}

fn issuer(
    name: &str,
    cursor: &Cursor<'_>,
    issuers: Option<&[Issuer]>,
    has_path: bool,
    environment: Environment<'_>,
) -> Option<EventSource> {
    let object = cursor.object(&fields::EVENT_ISSUER)?;
    let audiences = audience(&object);
    let types = optional(&object, "token_types", TokenTypes::new(TYPES), token_types);
    let breadth = optional(&object, "revokes", Breadth::default(), |c| {
        c.word(&[("session", Breadth::Session), ("user", Breadth::User)])
    });
    let allow_missing_exp = optional(&object, "allow_missing_exp", false, Cursor::flag);
    let known = issuers.and_then(|all| all.iter().enumerate().find(|(_, issuer)| issuer.name == name));
    let longest = known.and_then(|(_, issuer)| Some(issuer.max_lifetime?.0.saturating_add(issuer.leeway.0)));
    let keep = keep(&object, longest.map_or(KEEP, Seconds));
    let poll = optional(&object, "poll", None, |c| poll(c, environment).map(Some));
    if !has_path && !object.has("poll") {
        return cursor.wrong("is not asked, and nothing is pushed", "write `poll`, or `path` beside `issuers`");
    }
    let types = types?;
    if types.accept(Some(ACCESS_TOKEN)) {
        return cursor.wrong("takes at+jwt, which is the type of access tokens", "leave it out of `token_types`");
    }
    // Unreadable issuers have been noted.
    issuers?;
    let Some((index, issuer)) = known else {
        return cursor.wrong(
            "is the `name` of no entry in `issuers`",
            "copy it from there; who is no issuer of tokens is one of `operators`",
        );
    };
    let is_of_both = |typ: &String| !is_generic_type(Some(typ)) && issuer.token_types.accept(Some(typ));
    if let Some(both) = types.types().iter().find(|typ| is_of_both(typ)) {
        return cursor.wrong(
            format!("takes {both}, which is a type of this issuer's access tokens too"),
            "leave it out of one of both `token_types`: neither may be taken for the other",
        );
    }
    Some(EventSource {
        name: name.to_owned(),
        issuer: issuer.issuer.clone(),
        keys: EventKeys::Issuer(IssuerId(index)),
        audiences: audiences?,
        types,
        allow_missing_exp: allow_missing_exp?,
        breadth: breadth?,
        leeway: issuer.leeway,
        keep: keep?,
        poll: poll?,
    })
}

fn operator(name: &str, cursor: &Cursor<'_>, limits: Limits, warnings: &mut Vec<String>) -> Option<EventSource> {
    let object = cursor.object(&fields::EVENT_OPERATOR)?;
    let audiences = audience(&object);
    let keep = keep(&object, KEEP);
    let keys = object
        .need("signed_by", "write the JSON Web Key Set with the public keys of the operator")
        .and_then(|c| signers(&c, limits, warnings));
    Some(EventSource {
        name: name.to_owned(),
        issuer: name.to_owned(),
        keys: EventKeys::Operator(keys?),
        audiences: audiences?,
        types: TokenTypes::new([TYPES[0]]),
        allow_missing_exp: false,
        breadth: Breadth::default(),
        leeway: LEEWAY,
        keep: keep?,
        poll: None,
    })
}

/// The keys of an operator.
fn signers(cursor: &Cursor<'_>, limits: Limits, warnings: &mut Vec<String>) -> Option<Rc<KeySet>> {
    let set = key_set(cursor, limits, warnings)?;
    if set.keys().is_empty() {
        return cursor.wrong("has no keys: no event could be taken", "add the public key that signs them");
    }
    Some(Rc::new(set))
}

/// One audience, or several.
fn audience(object: &Object<'_>) -> Option<Vec<String>> {
    let cursor = object.need("audience", "write what `aud` has to be: the name of this gate")?;
    match cursor.value() {
        Tree::List(_) => texts(&cursor, "audience"),
        _ => cursor.text().map(|text| vec![text.to_owned()]),
    }
}

fn keep(object: &Object<'_>, default: Seconds) -> Option<Seconds> {
    optional(object, "keep", default, |c| c.seconds(60..=31_536_000))
}

fn poll(cursor: &Cursor<'_>, environment: Environment<'_>) -> Option<EventPoll> {
    let object = cursor.object(&fields::EVENT_POLL)?;
    let cluster = remote::cluster(&object);
    let endpoint = object
        .need("uri", "write the address at which the issuer is asked for events")
        .and_then(|c| remote::endpoint(&c, cluster));
    let authorization = optional(&object, "authorization", None, |c| replay::authorization(c, environment).map(Some));
    let interval_ms = optional(&object, "interval", 5000, |c| c.milliseconds(500..=3_600_000));
    let timeout_ms = optional(&object, "timeout", 2000, |c| c.milliseconds(100..=60_000));
    Some(EventPoll {
        endpoint: endpoint?,
        authorization: authorization?,
        interval_ms: u32::try_from(interval_ms?).ok()?,
        timeout_ms: u32::try_from(timeout_ms?).ok()?,
    })
}
