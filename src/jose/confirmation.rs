//! What a token is bound to: `cnf` ([RFC 7800 section 3.1](https://www.rfc-editor.org/rfc/rfc7800#section-3.1)).

use crate::base::base64url;
use crate::base::members::Raw;
use crate::crypto::SHA256_BYTES;

/// What `cnf` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// The sender must hold all of this.
    Bound(Bindings),
    /// A member names a method that is not known here, so what it asks cannot be proven.
    UnknownMethod,
    /// It is none; the text says why.
    Malformed(&'static str),
}

/// What a token is bound to: at least one of them is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bindings {
    /// `jkt`: the thumbprint of a key ([RFC 9449 section 6.1](https://www.rfc-editor.org/rfc/rfc9449#section-6.1)).
    pub key: Option<[u8; SHA256_BYTES]>,
    /// `x5t#S256`: the digest of a certificate
    /// ([RFC 8705 section 3.1](https://www.rfc-editor.org/rfc/rfc8705#section-3.1)).
    pub certificate: Option<[u8; SHA256_BYTES]>,
}

impl Confirmation {
    /// Reads the claim `cnf`.
    pub(super) fn read(cnf: Raw<'_>) -> Self {
        let Some(members) = cnf.members() else {
            return Self::Malformed("`cnf` is not an object");
        };
        if members.is_empty() {
            return Self::Malformed("`cnf` is empty");
        }
        let mut bindings = Bindings::default();
        for (name, value) in members {
            let (place, malformed) = match &*name {
                "jkt" => (&mut bindings.key, "`jkt` is not the SHA-256 thumbprint of a key in base64url"),
                "x5t#S256" => {
                    (&mut bindings.certificate, "`x5t#S256` is not the SHA-256 digest of a certificate in base64url")
                }
                _ => return Self::UnknownMethod,
            };
            *place = digest(value);
            if place.is_none() {
                return Self::Malformed(malformed);
            }
        }
        Self::Bound(bindings)
    }
}

/// A digest in base64url without padding: text of 43 characters in its one spelling.
fn digest(value: Raw<'_>) -> Option<[u8; SHA256_BYTES]> {
    base64url::decode(value.as_text()?.as_bytes())?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::members::Members;

    const DIGEST: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    fn read(cnf: &str) -> Confirmation {
        let members = Members::parse(format!("{{\"cnf\":{cnf}}}").into_bytes()).expect("an object");
        Confirmation::read(members.get("cnf").expect("a member"))
    }

    #[test]
    fn a_key_and_a_certificate_are_known() {
        let digest: [u8; SHA256_BYTES] = base64url::decode(DIGEST.as_bytes()).unwrap().try_into().unwrap();
        let bound = |key, certificate| Confirmation::Bound(Bindings { key, certificate });
        assert_eq!(read(&format!("{{\"jkt\":\"{DIGEST}\"}}")), bound(Some(digest), None));
        assert_eq!(read(&format!("{{\"x5t#S256\":\"{DIGEST}\"}}")), bound(None, Some(digest)));
        assert_eq!(
            read(&format!("{{\"x5t#S256\":\"{DIGEST}\",\"jkt\":\"{DIGEST}\"}}")),
            bound(Some(digest), Some(digest))
        );
    }

    #[test]
    fn a_method_that_is_not_known_is_not_passed_over() {
        for name in ["x5t", "jwk", "jwe", "kid", "jku", "JKT", "x5t#s256", ""] {
            for beside in [String::new(), format!(",\"jkt\":\"{DIGEST}\"")] {
                let cnf = format!("{{\"{name}\":\"{DIGEST}\"{beside}}}");
                assert_eq!(read(&cnf), Confirmation::UnknownMethod, "{cnf}");
            }
        }
    }

    #[test]
    fn everything_else_is_malformed() {
        let hex = "d1970e08e459358cbe0d6a6aab7d236722461d33747761e0941577ba282e0382";
        for cnf in ["null", "{}", "[]", "\"x\"", "1", "true"] {
            assert!(matches!(read(cnf), Confirmation::Malformed(_)), "{cnf}");
        }
        let padded = format!("\"{DIGEST}=\"");
        let (short, long, stray) =
            (format!("\"{}\"", DIGEST.trim_end_matches('I')), format!("\"{DIGEST}A\""), DIGEST.replace("4I", "4J"));
        let listed = format!("[\"{DIGEST}\"]");
        for value in
            ["null", "\"\"", "1", "{}", &listed, &padded, &short, &long, &format!("\"{stray}\""), &format!("\"{hex}\"")]
        {
            for name in ["jkt", "x5t#S256"] {
                let cnf = format!("{{\"{name}\":{value}}}");
                assert!(matches!(read(&cnf), Confirmation::Malformed(_)), "{cnf}");
            }
        }
    }
}
