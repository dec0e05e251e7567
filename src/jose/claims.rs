//! The claims set ([RFC 7519 section 4](https://www.rfc-editor.org/rfc/rfc7519#section-4)).

use super::{Confirmation, Malformed};
use crate::base::json::{JsonType, wrong_type};
use crate::base::members::{Members, Raw};
use crate::base::time::UnixSeconds;
use std::borrow::Cow;
use std::fmt;

/// The claims of a token. Untrusted until the signature has been checked.
///
/// They stay the text that they came as, with an index: a claim is read only when it is asked for.
#[derive(Clone, Debug)]
pub struct Claims {
    all: Members,
    /// `exp` (section 4.1.4).
    pub expires_at: Option<UnixSeconds>,
    /// `nbf` (section 4.1.5).
    pub not_before: Option<UnixSeconds>,
    /// `iat` (section 4.1.6).
    pub issued_at: Option<UnixSeconds>,
    /// `cnf` (RFC 7800 section 3.1): few tokens have it.
    pub confirmation: Option<Box<Confirmation>>,
}

impl Claims {
    /// Reads the registered claims; the others stay as they came.
    ///
    /// # Errors
    /// When a registered claim has another type than RFC 7519 gives it: `null` is another type too.
    pub fn from_members(all: Members) -> Result<Self, Malformed> {
        let not_text = |name| all.get(name).filter(|value| value.as_text().is_none()).map(Raw::kind);
        if let Some(kind) = not_text("iss") {
            return Err(Malformed(wrong_type!(kind, "`iss`", "text")));
        }
        if let Some(kind) = not_text("sub") {
            return Err(Malformed(wrong_type!(kind, "`sub`", "text")));
        }
        if let Some(kind) = not_text("jti") {
            return Err(Malformed(wrong_type!(kind, "`jti`", "text")));
        }
        let expires_at = date(&all, "exp").map_err(|kind| Malformed(wrong_type!(kind, "`exp`", "a number")))?;
        let not_before = date(&all, "nbf").map_err(|kind| Malformed(wrong_type!(kind, "`nbf`", "a number")))?;
        let issued_at = date(&all, "iat").map_err(|kind| Malformed(wrong_type!(kind, "`iat`", "a number")))?;
        let confirmation = all.get("cnf").map(|cnf| Box::new(Confirmation::read(cnf)));
        Ok(Self { all, expires_at, not_before, issued_at, confirmation })
    }

    /// `iss` (RFC 7519 section 4.1.1).
    #[must_use]
    pub fn issuer(&self) -> Option<Cow<'_, str>> {
        self.text("iss")
    }

    /// `sub` (section 4.1.2).
    #[must_use]
    pub fn subject(&self) -> Option<Cow<'_, str>> {
        self.text("sub")
    }

    /// The top-level claim `name`, when it is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.all.get(name)?.as_text()
    }

    /// The date in the top-level claim `name`, when it is a number (RFC 7519 section 2, "NumericDate").
    #[must_use]
    pub fn date(&self, name: &str) -> Option<UnixSeconds> {
        date(&self.all, name).ok().flatten()
    }

    /// The top-level claim `name`, whatever its type.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Raw<'_>> {
        self.all.get(name)
    }

    /// The claim at `path`, when it is there.
    #[must_use]
    pub fn get(&self, path: &ClaimPath) -> Option<Raw<'_>> {
        let first = self.all.get(&path.first)?;
        path.rest.iter().try_fold(first, |value, name| value.member(name))
    }

    /// The values at `path`: several where it leads through [`EACH_ITEM`].
    #[must_use]
    pub fn all(&self, path: &ClaimPath) -> Vec<Raw<'_>> {
        let mut values: Vec<Raw<'_>> = self.all.get(&path.first).into_iter().collect();
        for name in &path.rest {
            values = if name == EACH_ITEM {
                values.into_iter().filter_map(Raw::items).flatten().collect()
            } else {
                values.into_iter().filter_map(|value| value.member(name)).collect()
            };
        }
        values
    }

    /// Whether there is a top-level claim of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.all.get(name).is_some()
    }

    /// How many bytes of memory they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.all.bytes() + self.confirmation.as_deref().map_or(0, size_of_val)
    }
}

/// The element of a path that means each item of a list.
pub const EACH_ITEM: &str = "[]";

/// The place of a claim: a top-level name, which may have dots, or a path of names into nested objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    first: String,
    rest: Vec<String>,
}

impl ClaimPath {
    /// The top-level claim `name`.
    pub fn top(name: impl Into<String>) -> Self {
        Self { first: name.into(), rest: Vec::new() }
    }

    /// Whether it leads through the items of lists.
    #[must_use]
    pub fn has_each_item(&self) -> bool {
        self.first == EACH_ITEM || self.rest.iter().any(|name| name == EACH_ITEM)
    }

    /// A path from names; `None` if there are no names.
    pub fn from_names(names: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut names = names.into_iter();
        Some(Self { first: names.next()?, rest: names.collect() })
    }
}

/// The names, joined by `/`, for messages.
impl fmt::Display for ClaimPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.first)?;
        self.rest.iter().try_for_each(|name| write!(formatter, "/{name}"))
    }
}

/// The date in a claim, or the type of what is there instead.
fn date(claims: &Members, name: &str) -> Result<Option<UnixSeconds>, JsonType> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    match value.to_value().as_number() {
        Some(number) => Ok(UnixSeconds::from_numeric_date(number)),
        None => Err(value.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn read(text: &str) -> Result<Claims, Malformed> {
        Claims::from_members(Members::parse(text.as_bytes().to_vec()).expect("an object"))
    }

    #[test]
    fn dates_are_numbers_and_nothing_else() {
        for value in ["\"300\"", "null", "true", "[300]", "{}"] {
            for name in ["exp", "nbf", "iat"] {
                assert!(read(&format!("{{\"{name}\":{value}}}")).is_err(), "{name} {value}");
            }
        }
        assert!(matches!(read(r#"{"exp":300.5}"#), Ok(Claims { expires_at: Some(UnixSeconds(300)), .. })));
    }

    #[test]
    fn names_are_strings_and_nothing_else() {
        for name in ["iss", "sub", "jti"] {
            for value in ["1", "null", "[\"a\"]", "{}"] {
                assert!(read(&format!("{{\"{name}\":{value}}}")).is_err(), "{name} {value}");
            }
        }
    }

    #[test]
    fn a_path_walks_objects_and_a_name_may_hold_dots() {
        let claims = read(r#"{"a.b":1,"a":{"b":[2]},"c":"x"}"#).expect("claims");
        let path = |names: &[&str]| ClaimPath::from_names(names.iter().map(|&name| name.to_owned())).expect("a path");
        assert_eq!(claims.get(&ClaimPath::top("a.b")).map(Raw::to_value), Some(Value::from(1)));
        assert_eq!(claims.get(&path(&["a", "b"])).map(Raw::to_value), Some(Value::from(vec![2])));
        assert_eq!(claims.get(&path(&["c", "b"])), None);
        assert_eq!(claims.get(&path(&["a", "b", "0"])), None);
        assert_eq!(path(&["a", "b"]).to_string(), "a/b");
    }
}
