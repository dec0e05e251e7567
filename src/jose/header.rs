//! The JOSE header ([RFC 7515 section 4](https://www.rfc-editor.org/rfc/rfc7515#section-4)).

use super::Malformed;
use crate::base::json::{JsonType, Value, wrong_type};
use crate::base::members::Members;

/// The name of a media type: `application/` is dropped, in any letter case, if no other slash follows, as RFC 7515 section
/// 4.1.9 recommends for `typ`. Names are compared in any letter case.
#[must_use]
pub fn type_name(typ: &str) -> &str {
    match typ.split_once('/') {
        Some((kind, name)) if kind.eq_ignore_ascii_case("application") && !name.contains('/') => name,
        _ => typ,
    }
}

/// The header parameters that Scopegate acts on. Untrusted until the signature has been checked.
///
/// `jwk`, `jku`, `x5u`, `x5c` and `x5t` are not here: keys come from the configuration alone
/// (RFC 8725 section 3.10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoseHeader {
    /// `alg`, as spelled. It chooses nothing; it is compared with what the key is for.
    pub alg: String,
    /// `kid`, a hint which of the issuer's keys was used.
    pub kid: Option<String>,
    /// `typ`, as spelled.
    pub typ: Option<String>,
}

impl JoseHeader {
    /// Reads the header's members. Parameters that are not known are ignored (RFC 7515 section 4).
    ///
    /// # Errors
    /// When `alg` is missing or a parameter has the wrong type; when there is a `crit` at all, since no extension
    /// is understood here, and an empty, ill-typed or registered one is an error by itself (section 4.1.11); when
    /// `b64` is anything but `true`: JWTs must not use it (RFC 7797 section 7).
    pub fn from_members(members: &Members) -> Result<Self, Malformed> {
        if members.get("crit").is_some() {
            return Err(Malformed("a critical header parameter that is not understood"));
        }
        if members.get("b64").is_some_and(|b64| b64.to_value() != Value::Bool(true)) {
            return Err(Malformed("an unencoded payload"));
        }
        let alg =
            text(members, "alg").map_err(|kind| Malformed(wrong_type!(kind, "the header parameter `alg`", "text")))?;
        let kid =
            text(members, "kid").map_err(|kind| Malformed(wrong_type!(kind, "the header parameter `kid`", "text")))?;
        let typ =
            text(members, "typ").map_err(|kind| Malformed(wrong_type!(kind, "the header parameter `typ`", "text")))?;
        Ok(Self { alg: alg.ok_or(Malformed("no alg"))?, kid, typ })
    }
}

/// The text of a parameter, or the type of what is there instead.
fn text(members: &Members, name: &str) -> Result<Option<String>, JsonType> {
    let Some(value) = members.get(name) else { return Ok(None) };
    value.as_text().map(|text| Some(text.into_owned())).ok_or_else(|| value.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    fn read(text: &str) -> Result<JoseHeader, Malformed> {
        JoseHeader::from_members(&Members::parse(text.as_bytes().to_vec()).expect("an object"))
    }

    #[test]
    fn unknown_parameters_are_ignored() {
        let header = read(r#"{"alg":"ES256","kid":"a","typ":"at+jwt","jku":"https://evil","x":1,"zip":"DEF"}"#);
        let wanted = JoseHeader { alg: "ES256".into(), kid: Some("a".into()), typ: Some("at+jwt".into()) };
        assert_eq!(header, Ok(wanted));
    }

    #[test]
    fn every_crit_is_refused() {
        for crit in ["[\"exp\"]", "[\"b64\"]", "[\"x\"]", "[]", "null", "\"x\"", "[1]", "{}"] {
            assert!(read(&format!(r#"{{"alg":"ES256","x":1,"b64":true,"crit":{crit}}}"#)).is_err(), "{crit}");
        }
    }

    #[test]
    fn parameters_have_their_types() {
        for header in [
            "{}",
            r#"{"alg":null}"#,
            r#"{"alg":["ES256"]}"#,
            r#"{"alg":"ES256","kid":1}"#,
            r#"{"alg":"ES256","kid":null}"#,
            r#"{"alg":"ES256","typ":{}}"#,
            r#"{"alg":"ES256","b64":false}"#,
        ] {
            assert!(read(header).is_err(), "{header}");
        }
    }
}
