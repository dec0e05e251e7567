//! Session ids that only the identity can use that they were handed out to (Model Context Protocol 2025-11-25,
//! "Transports").
//!
//! The client's id is the server's, a mark, and a tag: an HMAC over the identity and the server's id. Nothing is
//! remembered, so every gate that knows the key agrees.

use crate::base::base64url;
use crate::crypto::{hmac, same_tag};
use std::rc::Rc;

/// The header of session ids.
pub const SESSION_ID: &str = "mcp-session-id";
/// The longest id of a server, in bytes.
pub const MAX_SESSION_ID: usize = 1024;

/// What stands between the server's id and the tag.
const MARK: &[u8] = b".sg1.";
/// The bytes of a tag: 128 bits cannot be guessed.
const TAG_BYTES: usize = 16;
/// The characters of a tag in base64url.
const TAG_CHARACTERS: usize = 22;
/// What the keys are used for here. Another use of them makes other tags.
const PURPOSE: &[u8] = b"scopegate/1 mcp session ";

/// The keys that session ids are bound with. The first signs, all verify.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKeys(Vec<Box<[u8]>>);

impl SessionKeys {
    /// These keys, which are not empty.
    #[must_use]
    pub const fn new(keys: Vec<Box<[u8]>>) -> Self {
        Self(keys)
    }
}

/// Shows nothing of the keys.
impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("SessionKeys").field(&self.0.len()).finish()
    }
}

/// Binds the session ids of a server to one identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionBinding {
    keys: Rc<SessionKeys>,
    /// What every tag is over, before the id.
    identity: Vec<u8>,
}

impl SessionBinding {
    /// Binds to an identity, which these fields describe: no other fields give the same tags.
    #[must_use]
    pub fn new(keys: &Rc<SessionKeys>, fields: &[Option<&str>]) -> Self {
        let mut identity = PURPOSE.to_vec();
        for field in fields {
            // A missing field is not an empty one, and no field runs into the next.
            identity.push(u8::from(field.is_some()));
            let text = field.unwrap_or_default();
            identity.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            identity.extend(text.as_bytes());
        }
        Self { keys: Rc::clone(keys), identity }
    }

    /// What the client is given for the server's id; `None` where that is no session id.
    #[must_use]
    pub fn bind(&self, id: &[u8]) -> Option<String> {
        let id = std::str::from_utf8(id).ok().filter(|id| is_session_id(id.as_bytes()))?;
        let mark = std::str::from_utf8(MARK).ok()?;
        Some([id, mark, &self.tag(self.keys.0.first()?, id.as_bytes())].concat())
    }

    /// The server's id in one that this identity was given.
    #[must_use]
    pub fn open<'i>(&self, given: &'i [u8]) -> Option<&'i str> {
        let (id, tag) = split(given)?;
        let is_own = self.keys.0.iter().any(|key| same_tag(self.tag(key, id.as_bytes()).as_bytes(), tag));
        is_own.then_some(id)
    }

    fn tag(&self, key: &[u8], id: &[u8]) -> String {
        let whole = hmac(key, &[&self.identity, id].concat());
        base64url::encode(whole.get(..TAG_BYTES).unwrap_or_default())
    }
}

/// The server's id in one with the form of a bound one, whomever it was given to.
#[must_use]
pub fn server_session_id(given: &[u8]) -> Option<&str> {
    split(given).map(|(id, _)| id)
}

/// The server's id, and the tag.
fn split(given: &[u8]) -> Option<(&str, &[u8])> {
    let (rest, tag) = given.split_at_checked(given.len().checked_sub(TAG_CHARACTERS)?)?;
    let id = rest.strip_suffix(MARK).filter(|id| is_session_id(id))?;
    Some((std::str::from_utf8(id).ok()?, tag))
}

/// Visible ASCII, as the protocol has it, and not too long.
fn is_session_id(id: &[u8]) -> bool {
    (1..=MAX_SESSION_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(all: &[u8]) -> Rc<SessionKeys> {
        Rc::new(SessionKeys::new(all.iter().map(|byte| Box::from([*byte; 32])).collect()))
    }

    fn alice() -> SessionBinding {
        SessionBinding::new(&keys(&[1]), &[Some("https://idp"), Some("alice"), None])
    }

    #[test]
    fn an_id_opens_for_the_identity_that_it_was_given_to() {
        let given = alice().bind(b"server-1").expect("an id");
        assert_eq!(alice().open(given.as_bytes()), Some("server-1"));
        assert_eq!(server_session_id(given.as_bytes()), Some("server-1"));
        assert!(given.bytes().all(|byte| byte.is_ascii_graphic()), "{given}");
        let others: [&[Option<&str>]; 6] = [
            &[Some("https://idp"), Some("bob"), None],
            &[Some("https://idp"), Some("alice"), Some("")],
            &[Some("https://id"), Some("palice"), None],
            &[Some("https://idp"), None, Some("alice")],
            &[Some("https://idp"), Some("alice")],
            &[],
        ];
        for fields in others {
            assert_eq!(SessionBinding::new(&keys(&[1]), fields).open(given.as_bytes()), None, "{fields:?}");
        }
    }

    #[test]
    fn no_other_text_opens() {
        let given = alice().bind(b"server-1").expect("an id");
        for at in 0..given.len() {
            let mut other = given.clone().into_bytes();
            other[at] = if other[at] == b'x' { b'y' } else { b'x' };
            assert_eq!(alice().open(&other), None, "{at}");
            assert_eq!(alice().open(&given.as_bytes()[..at]), None, "cut at {at}");
            assert_eq!(alice().open(&given.as_bytes()[at + 1..]), None, "from {at}");
        }
        for other in [format!("{given}x"), format!("x{given}"), format!("{given}="), given.replace(".sg1.", ".sg2.")] {
            assert_eq!(alice().open(other.as_bytes()), None, "{other}");
        }
        assert_eq!(alice().open(b"server-1"), None, "the server's own");
        let swapped = alice().bind(b"server-2").expect("an id").replace("server-2", "server-1");
        assert_eq!(alice().open(swapped.as_bytes()), None);
    }

    #[test]
    fn a_new_key_signs_while_the_old_one_verifies() {
        let fields = [Some("alice")];
        let of = |all: &[u8]| SessionBinding::new(&keys(all), &fields);
        let old = of(&[1]).bind(b"s").expect("an id");
        let new = of(&[2, 1]).bind(b"s").expect("an id");
        assert_eq!(of(&[2, 1]).open(old.as_bytes()), Some("s"));
        assert_eq!(
            of(&[1, 2]).open(new.as_bytes()),
            Some("s"),
            "a gate that has the new key, and does not sign with it"
        );
        assert_eq!(of(&[2]).open(new.as_bytes()), Some("s"));
        assert_eq!(of(&[2]).open(old.as_bytes()), None);
        assert_eq!(of(&[1]).open(new.as_bytes()), None);
        assert_eq!(format!("{:?}", keys(&[1, 2])), "SessionKeys(2)");
    }

    #[test]
    fn what_is_no_session_id_is_not_bound() {
        assert!(alice().bind(&[b'a'; MAX_SESSION_ID]).is_some());
        for id in [&b""[..], b"a b", b"a\tb", b"a\x7f", "é".as_bytes(), b"\xff", &[b'a'; MAX_SESSION_ID + 1]] {
            assert_eq!(alice().bind(id), None, "{id:?}");
        }
    }
}
