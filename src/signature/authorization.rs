//! `Authorization` of the schemes that sign like AWS: `Credential=…, SignedHeaders=a;b, Signature=…`.

use super::{Fault, MAX_COVERED, MAX_KEY_ID, Result};
use crate::base::text::from_hex;
use crate::request::RequestView;

const TWO_WAYS: Fault = Fault::Malformed("a signed header could be read in two ways");

/// The values of these parameters. Each is there once, in any order, and no other.
pub(super) fn parameters<'r, const N: usize>(value: &'r [u8], names: [&str; N]) -> Result<[&'r str; N]> {
    let mut found = [None; N];
    for part in text(value).unwrap_or_default().split(',') {
        let parameter = part.trim_matches(' ').split_once('=');
        let (name, value) = parameter.ok_or(Fault::Malformed("`Authorization` is not a list of parameters"))?;
        let place = names.iter().position(|known| *known == name).and_then(|at| found.get_mut(at));
        let place = place.ok_or(Fault::Malformed("`Authorization` has an unknown parameter"))?;
        if place.replace(value).is_some() {
            return Err(Fault::Malformed("`Authorization` has a parameter twice"));
        }
    }
    if found.contains(&None) {
        return Err(Fault::Malformed("`Authorization` lacks a parameter"));
    }
    Ok(found.map(Option::unwrap_or_default))
}

/// A key id: visible ASCII.
pub(super) fn key_id(text: &str) -> Result<&str> {
    if text.is_empty() || text.len() > MAX_KEY_ID || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Fault::Malformed("this is no key id"));
    }
    Ok(text)
}

/// A signature: 64 hexadecimal digits. Only lower case is taken, so that it has one spelling.
pub(super) fn signature(text: &str) -> Result<Vec<u8>> {
    digest(text).ok_or(Fault::Malformed("the signature is not 64 hexadecimal digits in lower case"))
}

/// 64 hexadecimal digits in lower case.
pub(super) fn digest(text: &str) -> Option<Vec<u8>> {
    let is_lower = text.len() == 64 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    from_hex(text.as_bytes()).filter(|_| is_lower)
}

/// The names of `SignedHeaders`, which are separated by `;`: of each, `request` has one line.
pub(super) fn names<'r>(text: &'r str, request: &RequestView<'r>) -> Result<Vec<&'r str>> {
    let mut names = Vec::new();
    for name in text.split(';') {
        if !is_field_name(name) {
            return Err(Fault::Malformed("`SignedHeaders` has what is no name of a header"));
        }
        if names.len() == MAX_COVERED {
            return Err(Fault::Malformed("more than 64 headers are signed"));
        }
        line(request, name)?;
        names.push(name);
    }
    Ok(names)
}

/// Whether `name` is a name of a header (RFC 9110 section 5.1).
pub(super) fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The one line of a header. `host` is the authority as it was sent.
pub(super) fn line<'r>(request: &RequestView<'r>, name: &str) -> Result<&'r [u8]> {
    let is_host = name.eq_ignore_ascii_case("host");
    let is_named = |other: &[u8]| other.eq_ignore_ascii_case(name.as_bytes()) || is_host && other == b":authority";
    let mut lines = request.headers.iter().filter(|(other, _)| is_named(other));
    match (lines.next(), lines.next()) {
        (Some((_, value)), None) => Ok(value),
        (None, _) => Err(Fault::Malformed("a signed header is absent")),
        _ => Err(Fault::Malformed("a signed header has two lines")),
    }
}

/// The value of a signed header, without white space around it.
pub(super) fn value<'r>(request: &RequestView<'r>, name: &str) -> Result<&'r str> {
    text(line(request, name)?.trim_ascii()).ok_or(TWO_WAYS)
}

/// Printable ASCII.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    let is_printable = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    std::str::from_utf8(bytes).ok().filter(|_| is_printable)
}
