//! The claims set ([RFC 7519 section 4](https://www.rfc-editor.org/rfc/rfc7519#section-4)).

use super::Malformed;
use crate::base::json::{Map, Value};
use crate::base::time::UnixSeconds;
use std::fmt;

/// The claims of a token. Untrusted until the signature has been checked.
#[derive(Clone, Debug)]
pub struct Claims {
    /// `iss` (RFC 7519 section 4.1.1).
    pub issuer: Option<String>,
    /// `sub` (section 4.1.2).
    pub subject: Option<String>,
    /// `exp` (section 4.1.4).
    pub expires_at: Option<UnixSeconds>,
    /// `nbf` (section 4.1.5).
    pub not_before: Option<UnixSeconds>,
    /// `iat` (section 4.1.6).
    pub issued_at: Option<UnixSeconds>,
    all: Map<String, Value>,
}

impl Claims {
    /// Reads the registered claims; the others stay as they came.
    ///
    /// # Errors
    /// When a registered claim has another type than RFC 7519 gives it: `null` is another type too.
    pub fn from_members(all: Map<String, Value>) -> Result<Self, Malformed> {
        text(&all, "jti")?;
        Ok(Self {
            issuer: text(&all, "iss")?,
            subject: text(&all, "sub")?,
            expires_at: date(&all, "exp")?,
            not_before: date(&all, "nbf")?,
            issued_at: date(&all, "iat")?,
            all,
        })
    }

    /// The claim at `path`, when it is there.
    #[must_use]
    pub fn get(&self, path: &ClaimPath) -> Option<&Value> {
        let mut value = self.all.get(&path.first)?;
        for name in &path.rest {
            value = value.as_object()?.get(name)?;
        }
        Some(value)
    }

    /// Whether there is a top-level claim of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.all.contains_key(name)
    }
}

/// Where a claim stands: a top-level name, which may hold dots, or a path of names into nested objects.
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

    /// A path from names; `None` when there is none.
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

fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, Malformed> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Malformed("a registered claim of the wrong type")),
    }
}

fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<UnixSeconds>, Malformed> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(UnixSeconds::from_numeric_date(number)),
        Some(_) => Err(Malformed("a date that is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::json;

    fn read(text: &str) -> Result<Claims, Malformed> {
        Claims::from_members(json::parse_object(text.as_bytes()).expect("an object"))
    }

    #[test]
    fn dates_are_numbers_and_nothing_else() {
        for value in ["\"300\"", "null", "true", "[300]", "{}"] {
            for name in ["exp", "nbf", "iat"] {
                assert!(read(&format!("{{\"{name}\":{value}}}")).is_err(), "{name} {value}");
            }
        }
        assert_eq!(read(r#"{"exp":300.5}"#).map(|claims| claims.expires_at), Ok(Some(UnixSeconds(300))));
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
        assert_eq!(claims.get(&ClaimPath::top("a.b")), Some(&Value::from(1)));
        assert_eq!(claims.get(&path(&["a", "b"])), Some(&Value::from(vec![2])));
        assert_eq!(claims.get(&path(&["c", "b"])), None);
        assert_eq!(claims.get(&path(&["a", "b", "0"])), None);
        assert_eq!(path(&["a", "b"]).to_string(), "a/b");
    }
}
