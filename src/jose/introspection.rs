//! The answer of an introspection endpoint ([RFC 7662 section 2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)).

use super::{Claims, Malformed};
use crate::base::json::Value;
use crate::base::members::{Members, Raw};

/// What an issuer says of a token. It says nothing of what kind of token that is: a refresh token can be active too.
#[derive(Debug)]
pub enum IntrospectionAnswer {
    /// It is active, and these are its claims.
    Active(Box<Claims>),
    /// It is not, for whatever reason.
    Inactive,
}

impl IntrospectionAnswer {
    /// Reads an answer.
    ///
    /// # Errors
    /// When it is no JSON object without duplicate members, when `active` is not a boolean, or when a registered claim of an
    /// active token has another type than a JWT gives it.
    pub fn parse(text: Vec<u8>) -> Result<Self, Malformed> {
        let all = Members::parse(text).ok_or(Malformed("no JSON object without duplicate members"))?;
        match all.get("active").map(Raw::to_value) {
            Some(Value::Bool(true)) => Claims::from_members(all).map(|claims| Self::Active(Box::new(claims))),
            Some(Value::Bool(false)) => Ok(Self::Inactive),
            Some(_) => Err(Malformed("`active` is not a boolean")),
            None => Err(Malformed("no `active`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<IntrospectionAnswer, &'static str> {
        IntrospectionAnswer::parse(text.as_bytes().to_vec()).map_err(|Malformed(why)| why)
    }

    #[test]
    fn a_token_is_active_by_the_boolean_alone() {
        assert!(
            matches!(read(r#"{"active":true,"exp":1}"#), Ok(IntrospectionAnswer::Active(claims)) if claims.has("exp"))
        );
        assert!(matches!(read(r#" {"sub":"a","active":false} "#), Ok(IntrospectionAnswer::Inactive)));
        for value in ["\"true\"", "1", "null", "[true]", "{}", "\"\""] {
            assert_eq!(read(&format!("{{\"active\":{value}}}")).err(), Some("`active` is not a boolean"), "{value}");
        }
        assert_eq!(read("{}").err(), Some("no `active`"));
        assert_eq!(read(r#"{"Active":true}"#).err(), Some("no `active`"));
    }

    #[test]
    fn an_answer_that_two_readers_could_understand_differently_is_none() {
        for text in [
            r#"{"active":false,"active":true}"#,
            r#"{"active":true,"active":true}"#,
            r#"{"active":true,"\u0061ctive":false}"#,
            r#"{"active":true,"scope":"a","scope":"b"}"#,
            r#"{"active":true,"cnf":{"jkt":"a","jkt":"b"}}"#,
            r#"{"active":true} {}"#,
            "{\"active\":true,\"sub\":\"\u{0}\"}",
            "[true]",
            "true",
            "",
            "\u{feff}{\"active\":true}",
            "<html>",
        ] {
            assert_eq!(read(text).err(), Some("no JSON object without duplicate members"), "{text}");
        }
    }

    #[test]
    fn registered_claims_have_the_types_that_a_jwt_gives_them() {
        assert_eq!(read(r#"{"active":true,"exp":"1"}"#).err(), Some("`exp` is text, not a number"));
        assert_eq!(read(r#"{"active":true,"iss":1}"#).err(), Some("`iss` is a number, not text"));
        assert!(read(r#"{"active":false,"exp":"1"}"#).is_ok(), "of an inactive token nothing else is read");
    }
}
