//! An entry: what is revoked, until when the entry is needed, and why.

use super::kind::{EntryKind, Key, key_of_digest};
use crate::base::base64url;
use crate::base::json::{Map, Number, Value};
use crate::base::text::shown;
use crate::base::time::UnixSeconds;
use crate::crypto::SHA256_BYTES;

/// The characters of a fingerprint: `base64url(SHA-256(signing input))[..22]`.
pub const FINGERPRINT_CHARACTERS: usize = 22;

/// An entry of a revocation list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    kind: EntryKind,
    /// The `iss` of the tokens, or the set of the identity; a fingerprint needs none.
    authority: Option<String>,
    name: String,
    /// Tokens that were issued from then on are not meant.
    issued_before: Option<UnixSeconds>,
    until: Option<UnixSeconds>,
    reason: Option<String>,
}

impl Entry {
    /// The token of that issuer and `jti`.
    #[must_use]
    pub const fn token(issuer: String, token_id: String) -> Self {
        Self::of(EntryKind::TokenId, Some(issuer), token_id)
    }

    /// The token with that fingerprint; `None` if the text is not a fingerprint.
    #[must_use]
    pub fn fingerprint(fingerprint: String) -> Option<Self> {
        fingerprint_key(&fingerprint)?;
        Some(Self::of(EntryKind::Fingerprint, None, fingerprint))
    }

    /// The tokens of that issuer and subject that were issued before a time.
    #[must_use]
    pub fn subject(issuer: String, subject: String, issued_before: UnixSeconds) -> Self {
        Self { issued_before: Some(issued_before), ..Self::of(EntryKind::Subject, Some(issuer), subject) }
    }

    /// The tokens of that issuer and session.
    #[must_use]
    pub const fn session(issuer: String, session: String) -> Self {
        Self::of(EntryKind::Session, Some(issuer), session)
    }

    const fn of(kind: EntryKind, authority: Option<String>, name: String) -> Self {
        Self { kind, authority, name, issued_before: None, until: None, reason: None }
    }

    /// This entry, needed only until then.
    #[must_use]
    pub fn until(self, until: UnixSeconds) -> Self {
        Self { until: Some(until), ..self }
    }

    /// This entry, with a note for people who read the list.
    #[must_use]
    pub fn because(self, reason: String) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// Reads an entry: `{iss, jti}`, `{fingerprint}`, `{iss, sub, issued_before}`, `{iss, sid}`,
    /// `{iss, client_id, issued_before}`, `{iss, kid}` or `{credential, id}`, each with `until` and `reason` where it needs them.
    ///
    /// # Errors
    /// What is wrong, and what would be right. A member that is not known is wrong: it may be one that narrows or
    /// widens what is meant.
    pub fn from_members(members: &Map<String, Value>) -> Result<Self, String> {
        let mut kinds = EntryKind::ALL.into_iter().filter(|kind| members.contains_key(kind.member()));
        let kind = match (kinds.next(), kinds.next()) {
            (Some(kind), None) => kind,
            (None, _) => return Err(format!("names nothing; write one of {}", names().join(", "))),
            (Some(one), Some(other)) => {
                return Err(format!("names a {} and a {}; make two entries of it", one.member(), other.member()));
            }
        };
        let known = |name: &str| match name {
            "until" | "reason" => true,
            "issued_before" => kind.is_timed(),
            _ => name == kind.member() || Some(name) == kind.authority_member(),
        };
        if let Some(unknown) = members.keys().find(|name| !known(name)) {
            return Err(format!("`{}` has no meaning in an entry by {}", shown(unknown.as_bytes()), kind.member()));
        }
        let authority = match kind.authority_member() {
            None => None,
            Some(member) => match text(members, member)? {
                Some(authority) => Some(authority),
                None => {
                    let article = if kind == EntryKind::Identity { "an" } else { "a" };
                    let name = kind.member();
                    return Err(format!(
                        "has {article} {name} and no `{member}`; only together do they name something"
                    ));
                }
            },
        };
        let name = text(members, kind.member())?.ok_or("names nothing")?;
        if kind == EntryKind::Fingerprint && fingerprint_key(&name).is_none() {
            return Err(format!("`fingerprint` is not {FINGERPRINT_CHARACTERS} characters of base64url"));
        }
        let issued_before = date(members, "issued_before")?;
        if kind.is_timed() && issued_before.is_none() {
            return Err(format!("has a {} and no `issued_before`; write the time of the revocation", kind.member()));
        }
        let (until, reason) = (date(members, "until")?, text(members, "reason")?);
        Ok(Self { kind, authority, name, issued_before, until, reason })
    }

    /// The entry as the members of its JSON object.
    #[must_use]
    pub fn to_members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        if let (Some(member), Some(authority)) = (self.kind.authority_member(), &self.authority) {
            members.insert(member.to_owned(), authority.as_str().into());
        }
        members.insert(self.kind.member().to_owned(), self.name.as_str().into());
        for (name, date) in [("issued_before", self.issued_before), ("until", self.until)] {
            if let Some(date) = date {
                members.insert(name.to_owned(), date.0.into());
            }
        }
        if let Some(reason) = &self.reason {
            members.insert("reason".to_owned(), reason.as_str().into());
        }
        members
    }

    /// The `iss` of the tokens that it means, or the set of the identity; `None` for a fingerprint.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// What it names.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> EntryKind {
        self.kind
    }

    /// Whether it is no longer needed at `now`: its `until` has been reached.
    #[must_use]
    pub fn is_over(&self, now: UnixSeconds) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// From when on it is no longer needed; `None`: it always is.
    #[must_use]
    pub const fn needed_until(&self) -> Option<UnixSeconds> {
        self.until
    }

    /// By which tokens find it.
    pub(super) fn key(&self) -> Key {
        match self.kind {
            // The text was read before: it is always one.
            EntryKind::Fingerprint => fingerprint_key(&self.name).unwrap_or_default(),
            kind => kind.key(self.authority.as_deref().unwrap_or_default(), &self.name),
        }
    }

    /// The time after the key. If the kind has none, the end of time, so that the entry revokes all tokens.
    pub(super) fn time(&self) -> UnixSeconds {
        self.issued_before.unwrap_or(UnixSeconds(i64::MAX))
    }
}

/// The key of a fingerprint: the first 128 of its 132 bits.
pub(super) fn fingerprint_key(text: &str) -> Option<Key> {
    if text.len() != FINGERPRINT_CHARACTERS {
        return None;
    }
    // Two more characters make whole bytes of it.
    let bytes = base64url::decode(format!("{text}AA").as_bytes())?;
    let mut digest = [0; SHA256_BYTES];
    digest.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    Some(key_of_digest(&digest))
}

fn names() -> Vec<&'static str> {
    EntryKind::ALL.map(EntryKind::member).to_vec()
}

fn text(members: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("`{name}` is not text with something in it")),
    }
}

/// A NumericDate in whole seconds.
fn date(members: &Map<String, Value>, name: &str) -> Result<Option<UnixSeconds>, String> {
    let wrong = || format!("`{name}` is not a whole number of seconds since 1970");
    match members.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Number::as_i64(number).map(|at| Some(UnixSeconds(at))).ok_or_else(wrong),
        Some(_) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json;
    use crate::crypto::sha256;

    fn read(text: &str) -> Result<Entry, String> {
        Entry::from_members(&json::parse_object(text.as_bytes()).expect("an object"))
    }

    #[test]
    fn every_kind_is_read_and_written() {
        for (text, kind) in [
            (r#"{"iss":"i","jti":"a"}"#, EntryKind::TokenId),
            (r#"{"fingerprint":"FvdA9cRn0Ls45XKidPuQiq"}"#, EntryKind::Fingerprint),
            (r#"{"iss":"i","issued_before":5,"sub":"a"}"#, EntryKind::Subject),
            (r#"{"iss":"i","sid":"a"}"#, EntryKind::Session),
            (r#"{"client_id":"a","iss":"i","issued_before":5}"#, EntryKind::Client),
            (r#"{"iss":"i","kid":"a"}"#, EntryKind::SigningKey),
            (r#"{"credential":"partners","id":"acme-1"}"#, EntryKind::Identity),
            (r#"{"iss":"i","jti":"a","reason":"stolen","until":7}"#, EntryKind::TokenId),
        ] {
            let entry = read(text).expect(text);
            assert_eq!(entry.kind(), kind, "{text}");
            assert_eq!(Value::Object(entry.to_members()), serde_json::from_str::<Value>(text).expect("JSON"));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_the_cause() {
        for (text, why) in [
            ("{}", "names nothing; write one of jti, fingerprint, sub, sid, client_id, kid, id"),
            (r#"{"iss":"i"}"#, "names nothing"),
            (r#"{"jti":"a"}"#, "has a jti and no `iss`"),
            (r#"{"id":"a"}"#, "has an id and no `credential`"),
            (r#"{"iss":"i","id":"a"}"#, "`iss` has no meaning in an entry by id"),
            (r#"{"credential":"i","jti":"a"}"#, "`credential` has no meaning in an entry by jti"),
            (r#"{"iss":"i","jti":"a","sub":"b"}"#, "names a jti and a sub; make two entries of it"),
            (r#"{"iss":"i","jit":"a","jti":"b"}"#, "`jit` has no meaning in an entry by jti"),
            (r#"{"iss":"i","sub":"a"}"#, "has a sub and no `issued_before`"),
            (r#"{"iss":"i","client_id":"a"}"#, "has a client_id and no `issued_before`"),
            (r#"{"iss":"i","jti":"a","issued_before":5}"#, "`issued_before` has no meaning in an entry by jti"),
            (r#"{"iss":"i","fingerprint":"FvdA9cRn0Ls45XKidPuQiq"}"#, "`iss` has no meaning"),
            (r#"{"fingerprint":"FvdA9cRn0Ls45XKidPuQi"}"#, "`fingerprint` is not 22 characters of base64url"),
            (r#"{"fingerprint":"FvdA9cRn0Ls45XKidPuQ+q"}"#, "`fingerprint` is not 22 characters of base64url"),
            (r#"{"iss":"i","jti":1}"#, "`jti` is not text"),
            (r#"{"iss":"i","jti":""}"#, "`jti` is not text"),
            (r#"{"iss":"i","jti":null}"#, "`jti` is not text"),
            (r#"{"iss":"i","sub":"a","issued_before":"5"}"#, "`issued_before` is not a whole number"),
            (r#"{"iss":"i","sub":"a","issued_before":5.5}"#, "`issued_before` is not a whole number"),
            (r#"{"iss":"i","jti":"a","until":18446744073709551615}"#, "`until` is not a whole number"),
            (r#"{"iss":"i","jti":"a","reason":7}"#, "`reason` is not text"),
            ("{\"iss\":\"i\",\"jti\":\"a\",\"x\\ny\":7}", "`x%0Ay` has no meaning"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.starts_with(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_fingerprint_finds_the_digest_that_it_spells() {
        let digest = sha256(b"header.payload");
        let mut text = base64url::encode(&digest);
        text.truncate(FINGERPRINT_CHARACTERS);
        assert_eq!(fingerprint_key(&text), Some(key_of_digest(&digest)));
        assert_eq!(Entry::fingerprint(text).map(|entry| entry.key()), Some(key_of_digest(&digest)));
        assert_eq!(Entry::fingerprint("short".to_owned()), None);
    }

    #[test]
    fn an_entry_is_over_when_its_time_is_reached() {
        let entry = Entry::token("i".into(), "a".into());
        assert!(!entry.is_over(UnixSeconds(i64::MAX)));
        let entry = entry.until(UnixSeconds(7));
        assert!(!entry.is_over(UnixSeconds(6)));
        assert!(entry.is_over(UnixSeconds(7)));
    }
}
