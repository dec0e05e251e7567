//! The `status` claim of a token (draft-ietf-oauth-status-list section 6.2).

use crate::base::members::Raw;
use crate::jose::Claims;
use std::borrow::Cow;

/// Where the status of a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusClaim<'a> {
    /// The address of the list, which is its name as well.
    pub uri: Cow<'a, str>,
    /// The place in the list.
    pub index: u64,
}

impl<'a> StatusClaim<'a> {
    /// Reads the claim; `None` of a token without one.
    ///
    /// # Errors
    /// When nothing can be said of the status: the claim refers to no status list, or not as it has to. Such a token is
    /// to be refused (section 8.3).
    pub fn read(claims: &'a Claims) -> Result<Option<Self>, &'static str> {
        let Some(status) = claims.value("status") else { return Ok(None) };
        let list = status.member("status_list").ok_or("`status` has no `status_list`")?;
        let uri = list.member("uri").and_then(Raw::as_text).ok_or("`status.status_list.uri` is not text")?;
        let index = list.member("idx").and_then(|index| index.to_value().as_u64());
        let index = index.ok_or("`status.status_list.idx` is not a non-negative integer")?;
        Ok(Some(Self { uri, index }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::members::Members;

    fn claims(status: &str) -> Claims {
        let text = format!("{{\"sub\":\"a\"{status}}}");
        Claims::from_members(Members::parse(text.into_bytes()).expect("an object")).expect("claims")
    }

    #[test]
    fn a_reference_is_an_index_and_an_address() {
        let claims = claims(r#","status":{"other":1,"status_list":{"idx":412,"uri":"https:\/\/a\/1","x":2}}"#);
        let wanted = StatusClaim { uri: "https://a/1".into(), index: 412 };
        assert_eq!(StatusClaim::read(&claims), Ok(Some(wanted)));
    }

    #[test]
    fn a_token_without_the_claim_has_no_status() {
        assert_eq!(StatusClaim::read(&claims("")), Ok(None));
    }

    #[test]
    fn an_index_is_a_non_negative_integer_and_nothing_else() {
        for index in ["-1", "1.0", "1.5", "1e3", "-0", "\"1\"", "null", "true", "[1]", "18446744073709551616"] {
            let claims = claims(&format!(r#","status":{{"status_list":{{"idx":{index},"uri":"https://a/1"}}}}"#));
            assert!(StatusClaim::read(&claims).is_err_and(|why| why.contains("idx")), "{index}");
        }
        let most = claims(r#","status":{"status_list":{"idx":18446744073709551615,"uri":"a"}}"#);
        assert_eq!(StatusClaim::read(&most).map(|claim| claim.map(|claim| claim.index)), Ok(Some(u64::MAX)));
    }

    #[test]
    fn a_claim_that_refers_to_no_list_is_an_error() {
        for status in [
            "null",
            "1",
            "\"https://a/1\"",
            "[]",
            "{}",
            r#"{"other":{"idx":1,"uri":"https://a/1"}}"#,
            r#"{"status_list":null}"#,
            r#"{"status_list":[]}"#,
            r#"{"status_list":{"uri":"https://a/1"}}"#,
            r#"{"status_list":{"idx":1}}"#,
            r#"{"status_list":{"idx":1,"uri":7}}"#,
        ] {
            assert!(StatusClaim::read(&claims(&format!(",\"status\":{status}"))).is_err(), "{status}");
        }
    }
}
