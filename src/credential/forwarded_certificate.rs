//! The certificate of a client as a proxy forwards it: `Client-Cert`
//! ([RFC 9440 section 2.2](https://www.rfc-editor.org/rfc/rfc9440#section-2.2)), or Envoy's `x-forwarded-client-cert`.

use crate::base::base64url;
use crate::base::text::from_hex;
use crate::policy::CertificateHeader;
use crate::request::RequestView;

/// A certificate as it is forwarded.
#[derive(Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// Its SHA-256 digest.
    Digest([u8; 32]),
    /// Itself, in DER.
    Der(Vec<u8>),
}

/// The certificate in a header; `None` without the header.
///
/// # Errors
/// When there is not exactly one certificate in it.
pub fn forwarded_certificate(
    request: &RequestView<'_>,
    header: CertificateHeader,
) -> Result<Option<Forwarded>, &'static str> {
    let mut lines = request.values(header.name());
    let (Some(value), another) = (lines.next(), lines.next()) else { return Ok(None) };
    if another.is_some() {
        return Err("the header with the forwarded certificate has several lines");
    }
    match header {
        CertificateHeader::Xfcc => digest(value).map(Forwarded::Digest),
        CertificateHeader::ClientCert => {
            byte_sequence(value).map(Forwarded::Der).ok_or("client-cert is not a certificate in base64 between colons")
        }
    }
    .map(Some)
}

/// A byte sequence of [RFC 8941 section 3.3.5](https://www.rfc-editor.org/rfc/rfc8941#section-3.3.5), without parameters,
/// and not empty. Its padding may be missing (section 4.2.7).
fn byte_sequence(value: &[u8]) -> Option<Vec<u8>> {
    let base64 = value.strip_prefix(b":")?.strip_suffix(b":")?;
    let padding = base64.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 || padding > 0 && base64.len() % 4 != 0 {
        return None;
    }
    let digits = base64.iter().take(base64.len().saturating_sub(padding));
    let url_safe: Option<Vec<u8>> = digits
        .map(|byte| match byte {
            b'-' | b'_' => None,
            b'+' => Some(b'-'),
            b'/' => Some(b'_'),
            other => Some(*other),
        })
        .collect();
    base64url::decode(&url_safe?).filter(|bytes| !bytes.is_empty())
}

/// The value of the one `Hash` of the one element of a `x-forwarded-client-cert`. With two of either, one could be the
/// client's own words.
fn digest(mut rest: &[u8]) -> Result<[u8; 32], &'static str> {
    const MALFORMED: &str = "x-forwarded-client-cert is malformed";
    let mut hash = None;
    loop {
        let equals = rest.iter().position(|byte| *byte == b'=').ok_or(MALFORMED)?;
        let (key, value) = rest.split_at_checked(equals).ok_or(MALFORMED)?;
        if key.is_empty() || !key.iter().all(u8::is_ascii_alphanumeric) {
            return Err(if key.contains(&b',') { "x-forwarded-client-cert has several elements" } else { MALFORMED });
        }
        let (value, after) = split_value(value.get(1..).ok_or(MALFORMED)?).ok_or(MALFORMED)?;
        if key.eq_ignore_ascii_case(b"hash") && hash.replace(value).is_some() {
            return Err("x-forwarded-client-cert has several Hash");
        }
        rest = match after {
            [] => break,
            [b';', next @ ..] => next,
            [b',', ..] => return Err("x-forwarded-client-cert has several elements"),
            _ => return Err(MALFORMED),
        };
    }
    let digest = from_hex(hash.ok_or("x-forwarded-client-cert has no Hash")?);
    digest.and_then(|digest| digest.try_into().ok()).ok_or("Hash of x-forwarded-client-cert is not a SHA-256 digest")
}

/// A value, without the quotes around it, and what comes after it. In quotes a backslash escapes the next byte; outside
/// of them there is no quote.
fn split_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|byte| matches!(byte, b';' | b',')).unwrap_or(text.len());
        return text.split_at_checked(end).filter(|(value, _)| !value.contains(&b'"'));
    };
    let mut escaped = false;
    let end = quoted.iter().position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    })?;
    let (value, after) = quoted.split_at_checked(end)?;
    Some((value, after.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688";

    fn read(name: &str, values: &[&str]) -> Result<Option<Forwarded>, &'static str> {
        let lines: Vec<(&[u8], &[u8])> = values.iter().map(|value| (name.as_bytes(), value.as_bytes())).collect();
        let view = RequestView { headers: &lines, route_name: None, virtual_host: None, ends_with_headers: true };
        let header = if name == "client-cert" { CertificateHeader::ClientCert } else { CertificateHeader::Xfcc };
        forwarded_certificate(&view, header)
    }

    fn xfcc(value: &str) -> Result<Option<Forwarded>, &'static str> {
        read("x-forwarded-client-cert", &[value])
    }

    #[test]
    fn one_element_with_one_hash_is_read_as_envoy_writes_it() {
        let wanted = Forwarded::Digest(from_hex(HEX.as_bytes()).unwrap().try_into().unwrap());
        let long = "x".repeat(60_000);
        for value in [
            format!("Hash={HEX}"),
            format!("By=spiffe://front;Hash={HEX};Subject=\"\";URI=spiffe://client"),
            format!("By=http://frontend.lyft.com;Hash={HEX};Subject=\"/C=US/ST=CA/CN=Test\\\"; Hash=0,\";URI=x=y"),
            format!("hash={HEX}"),
            format!("HASH={}", HEX.to_ascii_uppercase()),
            format!("Hash=\"{HEX}\""),
            format!("Cert=\"{long}\";Hash={HEX}"),
            format!("Hash={HEX};URI="),
        ] {
            assert_eq!(xfcc(&value).as_ref().map(Option::as_ref), Ok(Some(&wanted)), "{value}");
        }
        assert_eq!(read("x-forwarded-client-cert", &[]), Ok(None));
    }

    #[test]
    fn what_a_client_could_have_had_a_part_in_is_not_read() {
        let (several_elements, several_hash) =
            ("x-forwarded-client-cert has several elements", "x-forwarded-client-cert has several Hash");
        let (malformed, no_digest) =
            ("x-forwarded-client-cert is malformed", "Hash of x-forwarded-client-cert is not a SHA-256 digest");
        let other = HEX.replace('4', "5");
        for (value, wanted) in [
            (format!("Hash={other},Hash={HEX}"), several_elements),
            (format!("Hash={HEX},"), several_elements),
            (format!(",Hash={HEX}"), several_elements),
            (format!("Hash={HEX};URI=spiffe://a,By=x"), several_elements),
            (format!("Hash={HEX};Hash={HEX}"), several_hash),
            (format!("Hash={other};URI=x;hASH={HEX}"), several_hash),
            (format!("Hash={other};URI=x;Hash={HEX}"), several_hash),
            (String::new(), malformed),
            ("Hash".to_owned(), malformed),
            (HEX.to_owned(), malformed),
            (format!("=x;Hash={HEX}"), malformed),
            (format!("Hash={HEX};"), malformed),
            (format!(";Hash={HEX}"), malformed),
            (format!("Hash={HEX}; URI=x"), malformed),
            (format!("Hash =\"{HEX}\""), malformed),
            (format!("Hash=\"{HEX}"), malformed),
            (format!("Hash=\"{HEX}\"x"), malformed),
            (format!("Hash={HEX}\""), malformed),
            (format!("Hash={other};URI=\"x;DNS=\\\";Hash={HEX}"), malformed),
            ("By=x".to_owned(), "x-forwarded-client-cert has no Hash"),
            ("Hash=".to_owned(), no_digest),
            (format!("Hash={HEX}00"), no_digest),
            (format!("Hash=0x{HEX}"), no_digest),
            (format!("Hash=\\\"{HEX}"), malformed),
            (format!("Hash=\"\\{HEX}\""), no_digest),
            (format!("Hash= {HEX}"), no_digest),
        ] {
            assert_eq!(xfcc(&value), Err(wanted), "{value}");
        }
        let line = format!("Hash={HEX}");
        assert!(read("x-forwarded-client-cert", &[&line, &line]).is_err_and(|why| why.contains("several lines")));
    }

    #[test]
    fn client_cert_is_one_byte_sequence() {
        for (value, wanted) in [(":AAEC:", &[0, 1, 2][..]), (":+/8=:", &[0xfb, 0xff]), (":+/8:", &[0xfb, 0xff])] {
            assert_eq!(read("client-cert", &[value]), Ok(Some(Forwarded::Der(wanted.to_vec()))), "{value}");
        }
        assert_eq!(read("client-cert", &[]), Ok(None));
        for value in [
            "",
            ":",
            "::",
            ":=:",
            ":====:",
            "AAEC",
            ":AAEC",
            "AAEC:",
            "\"AAEC\"",
            ":AAEC:;a=1",
            ":AAEC:, :AAEC:",
            ":-_8=:",
            ":AA EC:",
            ":+/8==:",
            ":AAEC=:",
            ":A:",
            ":AAEC:AAEC:",
            "-----BEGIN CERTIFICATE-----",
            ":%2B:",
        ] {
            assert!(read("client-cert", &[value]).is_err(), "{value}");
        }
        assert!(read("client-cert", &[":AAEC:", ":AAEC:"]).is_err_and(|why| why.contains("several lines")));
    }
}
