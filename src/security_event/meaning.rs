//! What events mean for the tokens of their issuer.

use super::EventForm;
use super::subject;
use crate::base::json::Value;
use crate::base::members::Raw;
use crate::base::time::{Seconds, UnixSeconds};
use crate::jose::Claims;
use crate::revocation::Entry;
use std::borrow::Cow;

/// The type of an event that has an entry of a revocation list: what `scopegate token revoke --push` sends.
pub const EVENT_TYPE: &str = "urn:scopegate:event-type:revocation";
/// The event of a logout token (Back-Channel Logout 1.0 section 2.4).
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The most events in one token.
const MOST_EVENTS: usize = 16;

/// Of events of these types all tokens are revoked that the subject has at that time: CAEP 1.0 sections 3.1 and 3.3, RISC 1.0
/// section 2, and the OAuth Event Types 1.0.
const REVOKING: [&str; 8] = [
    "https://schemas.openid.net/secevent/caep/event-type/session-revoked",
    "https://schemas.openid.net/secevent/caep/event-type/credential-change",
    "https://schemas.openid.net/secevent/risc/event-type/account-disabled",
    "https://schemas.openid.net/secevent/risc/event-type/account-purged",
    "https://schemas.openid.net/secevent/risc/event-type/account-credential-change-required",
    "https://schemas.openid.net/secevent/risc/event-type/credential-compromise",
    "https://schemas.openid.net/secevent/risc/event-type/sessions-revoked",
    "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked",
];

/// Who speaks: what may be revoked by the word of an issuer, and by that of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// An issuer, of its own tokens.
    Issuer,
    /// An operator of the gate, by entries of a revocation list.
    Operator,
}

/// What a token of events means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// What is revoked.
    pub entries: Vec<Entry>,
    /// How many events it has that revoke nothing here: they are of another type, or about what no token tells.
    pub without_effect: u32,
}

/// Whose tokens are meant, and until when.
pub(super) struct Cut<'c> {
    pub(super) issuer: &'c str,
    /// When the event was issued: tokens that are not younger are meant. One of the same second may have been issued before.
    issued_at: UnixSeconds,
    /// How long an entry is needed: until the last of the tokens is over.
    until: UnixSeconds,
}

impl Cut<'_> {
    fn before(&self) -> UnixSeconds {
        self.issued_at.plus(Seconds(1))
    }

    pub(super) fn user(&self, subject: &str) -> Entry {
        Entry::subject(self.issuer.to_owned(), subject.to_owned(), self.before()).until(self.until)
    }

    pub(super) fn session(&self, session: &str) -> Entry {
        Entry::session(self.issuer.to_owned(), session.to_owned()).until(self.until)
    }

    pub(super) fn token(&self, token_id: &str) -> Entry {
        Entry::token(self.issuer.to_owned(), token_id.to_owned()).until(self.until)
    }
}

/// What the events of a token mean that `issuer` issued at `issued_at`, and that came in this form. Entries are needed until
/// `until`.
///
/// # Errors
/// When it is no token of events; the text says why.
pub fn meaning(
    claims: &Claims,
    (speaker, form): (Speaker, EventForm),
    issuer: &str,
    (issued_at, until): (UnixSeconds, UnixSeconds),
) -> Result<Meaning, &'static str> {
    let events = claims.value("events").ok_or("it has no `events`")?;
    let events = events.members().ok_or("its `events` are no object")?;
    if events.is_empty() || events.len() > MOST_EVENTS {
        return Err("its `events` are none, or more than 16");
    }
    if events.iter().any(|(_, event)| event.members().is_none()) {
        return Err("one of its `events` is no object");
    }
    // Back-Channel Logout 1.0 section 2.4: a logout token must not be taken for an ID token, nor one for it.
    if claims.has("nonce") {
        return Err("it has a `nonce`, as an ID token does");
    }
    if form == EventForm::Logout && !events.iter().any(|(name, _)| *name == LOGOUT) {
        return Err("it has no logout event");
    }
    let cut = Cut { issuer, issued_at, until };
    let mut meant = Meaning::default();
    for (name, event) in events {
        let entries = match (&*name, speaker) {
            (LOGOUT, Speaker::Issuer) => logout(claims, &cut)?,
            (EVENT_TYPE, Speaker::Operator) => vec![entry(event, until)?],
            (name, Speaker::Issuer) if REVOKING.contains(&name) && revokes(event) => subject_of(claims, event)
                .map_or_else(|| of_claims(claims, &cut), |subject| subject::entries(subject, &cut)),
            _ => Vec::new(),
        };
        if entries.is_empty() {
            meant.without_effect = meant.without_effect.saturating_add(1);
        }
        meant.entries.extend(entries);
    }
    Ok(meant)
}

/// The session that a logout token names, or else all of the user (section 2.4).
fn logout(claims: &Claims, cut: &Cut<'_>) -> Result<Vec<Entry>, &'static str> {
    let text = |name: &str, wrong: &'static str| match (claims.text(name), claims.has(name)) {
        (Some(text), _) if !text.is_empty() => Ok(Some(text)),
        (None, false) => Ok(None),
        _ => Err(wrong),
    };
    let session = text("sid", "its `sid` is not text with something in it")?;
    let user = text("sub", "its `sub` is not text with something in it")?;
    match (session, user) {
        (Some(session), _) => Ok(vec![cut.session(&session)]),
        (None, Some(user)) => Ok(vec![cut.user(&user)]),
        (None, None) => Err("it has neither `sub` nor `sid`"),
    }
}

/// Whether an event of a type that revokes does so: of a credential that is new, nothing is revoked (CAEP 1.0 section 3.3).
fn revokes(event: Raw<'_>) -> bool {
    event.member("change_type").and_then(Raw::as_text).is_none_or(|change| change != "create")
}

/// The subject of an event: that of the token, or, as drafts of the framework wrote it, that in the event.
fn subject_of<'e>(claims: &'e Claims, event: Raw<'e>) -> Option<Raw<'e>> {
    claims.value("sub_id").or_else(|| event.member("subject"))
}

/// The subject of a token that names it by claims alone (RFC 8417 section 2.2).
fn of_claims(claims: &Claims, cut: &Cut<'_>) -> Vec<Entry> {
    let text = |name: &str| claims.text(name).filter(|text| !text.is_empty());
    let session = text("sid").map(|session: Cow<'_, str>| cut.session(&session));
    session.or_else(|| text("sub").map(|user| cut.user(&user))).into_iter().collect()
}

/// The entry of an operator. One that says no `until` is kept for as long as others are.
fn entry(event: Raw<'_>, until: UnixSeconds) -> Result<Entry, &'static str> {
    let Value::Object(members) = event.to_value() else { return Err("its entry is no object") };
    let entry = Entry::from_members(&members).map_err(|_| "its entry is none of a revocation list")?;
    Ok(if members.contains_key("until") { entry } else { entry.until(until) })
}
