//! The metadata of an issuer, which says where its keys are ([RFC 8414](https://www.rfc-editor.org/rfc/rfc8414), OpenID
//! Connect Discovery 1.0).

use super::Endpoint;
use crate::base::json::{self, Value};
use crate::base::text::shown;

/// Reads the metadata of `issuer`, and returns the endpoint of its key set.
///
/// # Errors
/// Why it cannot be used. The issuer in it has to be `issuer`, byte by byte (RFC 8414 section 3.3): otherwise it is the
/// metadata of another issuer, or the configuration spells the issuer in another way than its tokens. Keys of an https
/// issuer are fetched from an https address only.
pub fn jwks_endpoint(document: &[u8], issuer: &str, cluster: &str) -> Result<Endpoint, String> {
    let metadata = json::parse_object(json::without_byte_order_mark(document))
        .ok_or("the metadata is not a JSON object without duplicate members")?;
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    match text("issuer") {
        Some(named) if named == issuer => {}
        Some(named) => return Err(format!("the metadata is of the issuer {}, not {issuer}", shown(named.as_bytes()))),
        None => return Err("the metadata names no issuer".to_owned()),
    }
    let uri = text("jwks_uri").ok_or("the metadata has no jwks_uri")?;
    // For the log: a query may hold a secret.
    let address = uri.split('?').next().unwrap_or_default().as_bytes();
    let endpoint = Endpoint::parse(uri, cluster)
        .ok_or_else(|| format!("the jwks_uri {} is not an http or https address", shown(address)))?;
    if endpoint.scheme != "https" && issuer.starts_with("https://") {
        return Err(format!("the jwks_uri {} is not an https address", shown(address)));
    }
    Ok(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://idp.example.com/";

    fn read(document: &str) -> Result<String, String> {
        jwks_endpoint(document.as_bytes(), ISSUER, "keys").map(|endpoint| endpoint.uri)
    }

    #[test]
    fn the_issuer_has_to_be_the_same_to_the_last_byte() {
        let of = |issuer: &str| read(&format!(r#"{{"issuer":"{issuer}","jwks_uri":"https://idp.example.com/k"}}"#));
        assert_eq!(of(ISSUER).as_deref(), Ok("https://idp.example.com/k"));
        for other in
            ["https://idp.example.com", "HTTPS://idp.example.com/", "https://idp.example.com//", "https://evil/", ""]
        {
            assert!(of(other).unwrap_err().starts_with("the metadata is of the issuer"), "{other}");
        }
        for none in
            [r#"{"jwks_uri":"https://a/"}"#, r#"{"issuer":["https://idp.example.com/"],"jwks_uri":"https://a/"}"#]
        {
            assert_eq!(read(none), Err("the metadata names no issuer".to_owned()));
        }
    }

    #[test]
    fn the_key_set_of_an_https_issuer_is_at_an_https_address() {
        let at = |uri: &str| read(&format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"{uri}"}}"#));
        assert!(at("https://other.example.com/keys?a=b").is_ok());
        for (uri, words) in [
            ("http://idp.example.com/k", "is not an https address"),
            ("file:///etc/passwd", "is not an http or https address"),
            ("https://user@idp.example.com/k", "is not an http or https address"),
            ("/k", "is not an http or https address"),
            ("https://idp.example.com/\\r\\nx", "is not an http or https address"),
        ] {
            assert!(at(uri).unwrap_err().contains(words), "{uri}");
        }
        let told = at("http://idp.example.com/k?key=hidden-text").unwrap_err();
        assert!(told.contains("http://idp.example.com/k is not"), "a query may hold a secret: {told}");
        let plain = jwks_endpoint(br#"{"issuer":"http://a","jwks_uri":"http://a/k"}"#, "http://a", "keys");
        assert_eq!(plain.map(|endpoint| endpoint.cluster), Ok("keys".to_owned()));
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let document = format!("\u{feff}{{\"issuer\":\"{ISSUER}\",\"jwks_uri\":\"https://idp.example.com/k\"}}");
        assert_eq!(read(&document).as_deref(), Ok("https://idp.example.com/k"));
    }

    #[test]
    fn what_is_no_metadata_is_refused() {
        for document in ["", "<html>", "[]", r#"{"issuer":"https://idp.example.com/"}"#, r#"{"issuer":1,"issuer":2}"#] {
            assert!(read(document).is_err(), "{document}");
        }
    }
}
