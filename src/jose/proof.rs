//! Proofs of possession ([RFC 9449 section 4.2](https://www.rfc-editor.org/rfc/rfc9449#section-4.2)): taken apart, and not
//! judged.

use super::compact::Segments;
use super::jwk::{Key, read_key};
use super::{Claims, JoseHeader, Malformed, type_name};
use crate::base::base64url;
use crate::base::json::Value;
use crate::crypto::{SHA256_BYTES, VerificationKey, sha256};
use std::borrow::Cow;

/// The `typ` of proofs.
const TYPE: &str = "dpop+jwt";

/// A proof taken apart. Anyone can make one with a key of their own: it says nothing until its signature has been checked
/// and its key is known to be the one that a token is bound to.
#[derive(Debug)]
pub struct Proof<'t> {
    /// `alg`, as spelled.
    pub alg: String,
    /// `jwk`: the key that it is signed with.
    pub key: VerificationKey,
    /// The thumbprint of that key ([RFC 7638](https://www.rfc-editor.org/rfc/rfc7638)).
    pub thumbprint: [u8; SHA256_BYTES],
    /// What the signature covers.
    pub signing_input: &'t [u8],
    /// The decoded signature.
    pub signature: Vec<u8>,
    claims: Claims,
}

impl<'t> Proof<'t> {
    /// Takes a proof apart.
    ///
    /// # Errors
    /// When it is no JWT in compact serialization of the type `dpop+jwt`, with a public key in its header and the claims of
    /// a proof, each of its type.
    pub fn parse(proof: &'t [u8]) -> Result<Self, Malformed> {
        let segments = Segments::of(proof)?;
        let header = segments.header()?;
        let JoseHeader { alg, typ, .. } = JoseHeader::from_members(&header)?;
        // RFC 9449 section 4.3 (4); a media type is written in any letter case, with or without `application/`.
        if typ.is_none_or(|typ| !type_name(&typ).eq_ignore_ascii_case(TYPE)) {
            return Err(Malformed("its typ is not dpop+jwt"));
        }
        let jwk = header.get("jwk").ok_or(Malformed("no jwk"))?.to_value();
        let claims = Claims::from_members(segments.payload()?)?;
        let is_text = |name: &str| claims.text(name).is_some_and(|text| !text.is_empty());
        for (name, missing) in [("jti", "no jti"), ("htm", "no htm"), ("htu", "no htu"), ("ath", "no ath")] {
            if !is_text(name) {
                return Err(Malformed(missing));
            }
        }
        if claims.issued_at.is_none() {
            return Err(Malformed("no iat"));
        }
        if claims.has("nonce") && !is_text("nonce") {
            return Err(Malformed("its nonce is not text"));
        }
        let Key { key, .. } = read_key(&jwk).map_err(Malformed)?;
        let thumbprint = thumbprint(&jwk).ok_or(Malformed("its jwk has no thumbprint"))?;
        let signature = segments.signature()?;
        Ok(Self { alg, key, thumbprint, signing_input: segments.signing_input, signature, claims })
    }

    /// The claims. `jti`, `htm`, `htu`, `ath` and `iat` are there.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// A claim that is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Cow<'_, str> {
        self.claims.text(name).unwrap_or_default()
    }
}

/// The SHA-256 thumbprint of a public key: of its required members alone, in the order of their names (RFC 7638 section 3.2,
/// RFC 8037 section 2, RFC 9964 section 6). `None` for a key of a type that has none.
#[must_use]
pub fn thumbprint(jwk: &Value) -> Option<[u8; SHA256_BYTES]> {
    let members: &[&str] = match jwk.get("kty")?.as_str()? {
        "EC" => &["crv", "kty", "x", "y"],
        "RSA" => &["e", "kty", "n"],
        "OKP" => &["crv", "kty", "x"],
        "AKP" => &["alg", "kty", "pub"],
        _ => return None,
    };
    let members: Option<Vec<String>> = members
        .iter()
        .map(|name| {
            let value = jwk.get(name)?.as_str()?;
            // What needs an escape in JSON stands in no member of a key.
            let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            is_plain.then(|| format!("\"{name}\":\"{value}\""))
        })
        .collect();
    Some(sha256(format!("{{{}}}", members?.join(",")).as_bytes()))
}

/// The hash of a token as a proof names it ([RFC 9449 section 4.2](https://www.rfc-editor.org/rfc/rfc9449#section-4.2)).
#[must_use]
pub fn access_token_hash(token: &[u8]) -> String {
    base64url::encode(&sha256(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The proof of RFC 9449 section 7.1, and its key.
    const EXAMPLE: &str = concat!(
        "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJ",
        "oRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.ey",
        "JqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZ",
        "XNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP",
        "35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
    );
    const TOKEN: &[u8] = b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";

    #[test]
    fn the_example_of_the_standard_is_taken_apart() {
        let proof = Proof::parse(EXAMPLE.as_bytes()).expect("a proof");
        assert_eq!((&*proof.alg, &*proof.text("htm"), &*proof.text("jti")), ("ES256", "GET", "e1j3V_bKic8-LAEB"));
        assert_eq!(proof.text("htu"), "https://resource.example.org/protectedresource");
        assert_eq!(proof.text("ath"), access_token_hash(TOKEN));
        assert_eq!(base64url::encode(&proof.thumbprint), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    /// RFC 7638 section 3.1, and RFC 8037 appendix A.3.
    #[test]
    fn thumbprints_are_those_of_the_standards() {
        let rsa = json!({ "kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw" });
        let ed25519 = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        for (jwk, wanted) in [
            (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
            (ed25519, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        ] {
            assert_eq!(thumbprint(&jwk).map(|digest| base64url::encode(&digest)).as_deref(), Some(wanted));
            let mut more = jwk;
            more["use"] = json!("sig");
            more["x5c"] = json!(["\"}"]);
            assert_eq!(thumbprint(&more).map(|digest| base64url::encode(&digest)).as_deref(), Some(wanted));
        }
        for jwk in [
            json!({}),
            json!({ "kty": "oct", "k": "AA" }),
            json!({ "kty": "OKP", "crv": "Ed25519" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "a\",\"y\":\"b" }),
            json!("x"),
        ] {
            assert_eq!(thumbprint(&jwk), None, "{jwk}");
        }
    }
}
