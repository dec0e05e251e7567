//! What events mean for the tokens of their issuer.

use super::EventForm;
use super::subject;
use crate::base::json::Value;
use crate::base::members::Raw;
use crate::base::time::{Seconds, UnixSeconds};
use crate::jose::Claims;
use crate::revocation::Entry;

/// The type of an event that has an entry of a revocation list: what `scopegate token revoke --push` sends.
pub const EVENT_TYPE: &str = "urn:scopegate:event-type:revocation";
/// The event of a logout token (Back-Channel Logout 1.0 section 2.4).
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// An event about a credential that is new, another, or gone.
const CREDENTIAL_CHANGE: &str = "https://schemas.openid.net/secevent/caep/event-type/credential-change";
/// The most events in one token.
const MOST_EVENTS: usize = 16;
/// The most that one token revokes.
pub const MOST_ENTRIES: usize = 32;
/// An event about sessions.
const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

/// Of events of these types all tokens are revoked that the subject has at that time: CAEP 1.0 sections 3.1 and 3.3, RISC 1.0
/// section 2, and the OAuth Event Types 1.0.
const REVOKING: [&str; 8] = [
    SESSION_REVOKED,
    CREDENTIAL_CHANGE,
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

/// What an event revokes that names a session and its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Breadth {
    /// The session: the tokens that have its `sid`.
    #[default]
    Session,
    /// All that the user has: where access tokens do not say of which session they are.
    User,
}

/// Whose word a token is, and how it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Who speaks.
    pub speaker: Speaker,
    /// How it came.
    pub form: EventForm,
    /// What is revoked where it names a session and its user.
    pub breadth: Breadth,
}

/// What a token of events means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// What is revoked.
    pub entries: Vec<Entry>,
    /// How many events it has that revoke nothing here: they are of another type, or about what no token tells.
    pub without_effect: u32,
}

/// What has been found to be revoked: each once, and not more than [`MOST_ENTRIES`].
#[derive(Debug, Default)]
pub(super) struct Found {
    entries: Vec<Entry>,
    has_more: bool,
}

impl Found {
    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.has_more |= other.has_more;
        other.entries.into_iter().for_each(|entry| self.add(entry));
    }

    pub(super) fn add(&mut self, entry: Entry) {
        if self.entries.contains(&entry) {
            return;
        }
        if self.entries.len() < MOST_ENTRIES {
            self.entries.push(entry);
        } else {
            self.has_more = true;
        }
    }
}

/// Whose tokens are meant, and until when.
pub(super) struct Cut<'c> {
    pub(super) issuer: &'c str,
    /// When the event was issued: tokens that are not younger are meant. One of the same second may have been issued before.
    issued_at: UnixSeconds,
    /// How long an entry is needed: until the last of the tokens is over.
    until: UnixSeconds,
    breadth: Breadth,
}

impl Cut<'_> {
    /// Whether all of a user is revoked where its session is named, too.
    pub(super) fn is_of_users(&self) -> bool {
        self.breadth == Breadth::User
    }

    /// Of a session and a user, that which is revoked.
    pub(super) fn of_both(&self, session: Option<Entry>, user: Option<Entry>) -> Option<Entry> {
        match self.breadth {
            Breadth::Session => session.or(user),
            Breadth::User => user.or(session),
        }
    }

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
    Spoken { speaker, form, breadth }: Spoken,
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
    let cut = Cut { issuer, issued_at, until, breadth };
    let (mut meant, mut all) = (Meaning::default(), Found::default());
    for (name, event) in events {
        let mut found = Found::default();
        match (&*name, speaker) {
            (LOGOUT, Speaker::Issuer) => found.add(logout(claims, &cut)?),
            (EVENT_TYPE, Speaker::Operator) => found.add(entry(event, until)?),
            (CREDENTIAL_CHANGE, Speaker::Issuer) if is_of_new(event) => {}
            (name, Speaker::Issuer) if REVOKING.contains(&name) => match subject_of(claims, event) {
                Some(subject) => subject::collect(subject, name == SESSION_REVOKED, &cut, &mut found)?,
                None => of_claims(claims, &cut).into_iter().for_each(|entry| found.add(entry)),
            },
            _ => {}
        }
        if found.is_empty() {
            meant.without_effect = meant.without_effect.saturating_add(1);
        }
        all.extend(found);
    }
    if all.has_more {
        return Err("it revokes more than 32 of sessions, users and tokens");
    }
    Ok(Meaning { entries: all.entries, ..meant })
}

/// The session that a logout token names, or else all of the user (section 2.4).
fn logout(claims: &Claims, cut: &Cut<'_>) -> Result<Entry, &'static str> {
    let text = |name: &str, wrong: &'static str| match (claims.text(name), claims.has(name)) {
        (Some(text), _) if !text.is_empty() => Ok(Some(text)),
        (None, false) => Ok(None),
        _ => Err(wrong),
    };
    let session = text("sid", "its `sid` is not text with something in it")?;
    let user = text("sub", "its `sub` is not text with something in it")?;
    cut.of_both(session.map(|session| cut.session(&session)), user.map(|user| cut.user(&user)))
        .ok_or("it has neither `sub` nor `sid`")
}

/// Whether the credential is new that an event is about: nothing is revoked then (CAEP 1.0 section 3.3).
fn is_of_new(event: Raw<'_>) -> bool {
    event.member("change_type").and_then(Raw::as_text).is_some_and(|change| change == "create")
}

/// The subject of an event: that of the token, or, as drafts of the framework wrote it, that in the event.
fn subject_of<'e>(claims: &'e Claims, event: Raw<'e>) -> Option<Raw<'e>> {
    claims.value("sub_id").or_else(|| event.member("subject"))
}

/// The subject of a token that names it by claims alone (RFC 8417 section 2.2).
fn of_claims(claims: &Claims, cut: &Cut<'_>) -> Option<Entry> {
    let text = |name: &str| claims.text(name).filter(|text| !text.is_empty());
    cut.of_both(text("sid").map(|session| cut.session(&session)), text("sub").map(|user| cut.user(&user)))
}

/// The entry of an operator. One that says no `until` is kept for as long as others are.
fn entry(event: Raw<'_>, until: UnixSeconds) -> Result<Entry, &'static str> {
    let Value::Object(members) = event.to_value() else { return Err("its entry is no object") };
    let entry = Entry::from_members(&members).map_err(|_| "its entry is none of a revocation list")?;
    Ok(if members.contains_key("until") { entry } else { entry.until(until) })
}
