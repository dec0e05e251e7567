//! The compact serialization ([RFC 7515 section 7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)).

use super::{Claims, JoseHeader};
use crate::base::base64url;
use crate::base::members::Members;

/// Why a token is not a JWT in compact serialization. The words are ours: nothing of the token is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// A token taken apart. Nothing in it can be trusted until its signature has been checked.
#[derive(Debug)]
pub struct Compact<'t> {
    /// The JOSE header.
    pub header: JoseHeader,
    /// The claims set.
    pub claims: Claims,
    /// What the signature covers: everything before the last dot.
    pub signing_input: &'t [u8],
    /// The decoded signature.
    pub signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    /// Takes `token` apart: exactly three non-empty segments of strict base64url, of which the first two are JSON
    /// objects without duplicate members.
    ///
    /// # Errors
    /// When it is anything else: a JWE, a JSON serialization, a token with a dot before or after it.
    pub fn parse(token: &'t [u8]) -> Result<Self, Malformed> {
        let segments = Segments::of(token)?;
        let header = JoseHeader::from_members(&segments.header()?)?;
        let claims = Claims::from_members(segments.payload()?)?;
        let signature = segments.signature()?;
        Ok(Self { header, claims, signing_input: segments.signing_input, signature })
    }
}

/// The segments of a compact serialization, none of them empty.
pub(super) struct Segments<'t> {
    header: &'t [u8],
    payload: &'t [u8],
    signature: &'t [u8],
    /// What stands before the last dot (RFC 7515 section 5.2).
    pub(super) signing_input: &'t [u8],
}

impl<'t> Segments<'t> {
    pub(super) fn of(token: &'t [u8]) -> Result<Self, Malformed> {
        let mut segments = token.split(|&byte| byte == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            return Err(Malformed("not three segments"));
        };
        if header.is_empty() || payload.is_empty() || signature.is_empty() {
            return Err(Malformed("an empty segment"));
        }
        let before = token.strip_suffix(signature).and_then(|input| input.strip_suffix(b"."));
        let signing_input = before.ok_or(Malformed("not three segments"))?;
        Ok(Self { header, payload, signature, signing_input })
    }

    pub(super) fn header(&self) -> Result<Members, Malformed> {
        let decoded = base64url::decode(self.header).ok_or(Malformed("the header is not base64url"))?;
        Members::parse(decoded).ok_or(Malformed("the header is not a JSON object without duplicate members"))
    }

    pub(super) fn payload(&self) -> Result<Members, Malformed> {
        let decoded = base64url::decode(self.payload).ok_or(Malformed("the payload is not base64url"))?;
        Members::parse(decoded).ok_or(Malformed("the payload is not a JSON object without duplicate members"))
    }

    pub(super) fn signature(&self) -> Result<Vec<u8>, Malformed> {
        base64url::decode(self.signature).ok_or(Malformed("the signature is not base64url"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "eyJhbGciOiJFUzI1NiJ9";
    const PAYLOAD: &str = "eyJpc3MiOiJhIn0";

    fn refused(token: &str) -> bool {
        Compact::parse(token.as_bytes()).is_err()
    }

    #[test]
    fn takes_a_token_apart() {
        let token = format!("{HEADER}.{PAYLOAD}.AAAA");
        let compact = Compact::parse(token.as_bytes()).expect("a token");
        assert_eq!(compact.header.alg, "ES256");
        assert_eq!(compact.claims.issuer().as_deref(), Some("a"));
        assert_eq!(compact.signing_input, format!("{HEADER}.{PAYLOAD}").as_bytes());
        assert_eq!(compact.signature, [0, 0, 0]);
    }

    #[test]
    fn refuses_everything_that_has_another_shape() {
        for token in [
            String::new(),
            ".".into(),
            "..".into(),
            HEADER.into(),
            format!("{HEADER}.{PAYLOAD}"),
            format!("{HEADER}.{PAYLOAD}."),
            format!("{HEADER}..AAAA"),
            format!(".{PAYLOAD}.AAAA"),
            format!(".{HEADER}.{PAYLOAD}.AAAA"),
            format!("{HEADER}.{PAYLOAD}.AAAA."),
            format!("{HEADER}.{PAYLOAD}.AAAA.AAAA.AAAA"),
            format!("{HEADER}=.{PAYLOAD}.AAAA"),
            format!("{HEADER}.{PAYLOAD}.AAA="),
            format!("{HEADER}.{PAYLOAD}.AAB"),
            format!("{HEADER}.{PAYLOAD}.A+AA"),
            format!("{HEADER}.{PAYLOAD}.AA AA"),
            format!("{{\"payload\":\"{PAYLOAD}\"}}"),
        ] {
            assert!(refused(&token), "{token}");
        }
    }

    #[test]
    fn refuses_a_header_or_payload_that_is_not_an_object() {
        for json in ["[]", "\"x\"", "1", "null", "{}x", "{\"alg\":\"ES256\",\"alg\":\"none\"}", "\u{feff}{}"] {
            let segment = base64url::encode(json.as_bytes());
            assert!(refused(&format!("{segment}.{PAYLOAD}.AAAA")), "{json}");
            assert!(refused(&format!("{HEADER}.{segment}.AAAA")) || json.contains("alg"), "{json}");
        }
    }
}
