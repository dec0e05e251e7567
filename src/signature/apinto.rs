//! AKSK of Apinto 0.19.4 and later, the gateway of APIPark: one HMAC-SHA256 over a canonical request
//! (`application/auth/aksk/sign.go` of its source).
//!
//! In that request path and query are decoded, and what its gateway does not read of a query is left out. So one signature
//! would be good for several requests: of these, the one with the plain spelling is taken.

use super::authorization::{self, Parameters};
use super::canonical::{self, Parameter};
use super::field;
use super::{Fault, Form, MAX_NONCE, Payload, Result, SignedRequest};
use crate::base::text::{percent_decode, percent_encode};
use crate::request::RequestView;

/// The schemes of `Authorization`, in lower case.
pub const SCHEMES: [&[u8]; 2] = [b"hmac-sha256", b"sdk-hmac-sha256"];

const DATE: &str = "x-gateway-date";
const NONCE: &str = "x-gateway-nonce";

/// Reads `value`, which follows the scheme of `Authorization`. The string to sign begins with the scheme as it is spelt.
///
/// # Errors
/// [`Fault`].
pub fn read<'r>(scheme: &'r [u8], value: &'r [u8], request: &RequestView<'r>) -> Result<SignedRequest<'r>> {
    let is_known = SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let scheme = field::text(scheme).filter(|_| is_known).ok_or(Fault::Malformed("this is not its scheme"))?;
    let parameters = Parameters::read(value, "Access", request)?;
    let key_id = authorization::key_id(parameters.credential)?;
    let has_nonce = request.values(NONCE).next().is_some();
    for name in ["host", DATE, NONCE] {
        if !parameters.covers(name) && (name != NONCE || has_nonce) {
            return Err(Fault::Incomplete(name.to_owned()));
        }
    }
    let (date, made_at) = authorization::date(request, DATE)?;
    let nonce = if has_nonce { Some(field::value(request, NONCE)?) } else { None };
    if nonce.is_some_and(|nonce| nonce.is_empty() || nonce.len() > MAX_NONCE) {
        return Err(Fault::Malformed("`x-gateway-nonce` is empty, or longer than 256 bytes"));
    }
    Ok(SignedRequest {
        key_id,
        made_at: Some(made_at),
        expires_at: None,
        nonce: nonce.map(Into::into),
        algorithm: None,
        signature: parameters.signature,
        scope: None,
        payload: Payload::Body,
        covered: parameters.covered,
        form: Form::Apinto { scheme, date },
    })
}

/// The path, decoded and with a `/` after it, which a path that has one would share.
pub(super) fn path(request: &RequestView<'_>) -> Result<Vec<u8>> {
    let path = canonical::path(request)?;
    if path == b"/" {
        return Ok(path.to_vec());
    }
    if path.ends_with(b"/") {
        return Err(Fault::Malformed("the path ends with `/`"));
    }
    let mut decoded = unescaped(path)?;
    let count = |text: &[u8], wanted: u8| text.split(|&byte| byte == wanted).count();
    // To an upstream, these are not what they are without the escape.
    let is_hidden = b"/.;".iter().any(|&byte| count(path, byte) != count(&decoded, byte));
    if is_hidden || decoded.iter().any(|byte| !matches!(byte, b' '..=b'~') || br"\%?#".contains(byte)) {
        return Err(Fault::Malformed("the path has an escape, or a byte, with more than one reading"));
    }
    decoded.push(b'/');
    Ok(decoded)
}

/// The query: each name and each value encoded twice, sorted by name.
pub(super) fn query(request: &RequestView<'_>) -> Result<Vec<u8>> {
    let Some(query) = canonical::query(request)? else { return Ok(Vec::new()) };
    // To some upstreams a separator; signed like its escape, which is none.
    if query.contains(&b';') {
        return Err(Fault::Malformed("the query has a `;`"));
    }
    let mut sorted = Vec::new();
    for part in query.split(|&byte| byte == b'&') {
        let mut sides = part.split(|&byte| byte == b'=');
        let (Some(name @ [_, ..]), Some(value), None) = (sides.next(), sides.next(), sides.next()) else {
            return Err(Fault::Malformed("a part of the query is not a name, one `=`, and a value"));
        };
        let [name, value] = [encoded_twice(name)?, encoded_twice(value)?];
        let (place, same) = canonical::place(&sorted, &name, |other| &other.name)?;
        if same.is_some() {
            return Err(Fault::Malformed("the query has a parameter twice"));
        }
        sorted.insert(place, Parameter { key: [][..].into(), name: name.into(), value: value.into() });
    }
    Ok(canonical::joined(&sorted))
}

/// Decodes `text`. An escape in lower case is refused: it would be another spelling of the same.
fn unescaped(text: &[u8]) -> Result<Vec<u8>> {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        rest = rest.get(at + 1..).unwrap_or_default();
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
        if !rest.get(..2).is_some_and(|digits| digits.iter().all(is_digit)) {
            return Err(Fault::Malformed("an escape is not `%` and two digits in upper case"));
        }
    }
    Ok(percent_decode(text))
}

/// A part of a query, decoded, and encoded twice as `url.QueryEscape` of Go does it: a space is `+` the first time.
fn encoded_twice(text: &[u8]) -> Result<Vec<u8>> {
    let [mut once, mut twice] = [Vec::new(), Vec::new()];
    percent_encode(&unescaped(&canonical::spaced(text))?, b" ", &mut once);
    once.iter_mut().filter(|byte| **byte == b' ').for_each(|byte| *byte = b'+');
    percent_encode(&once, b"", &mut twice);
    Ok(twice)
}

#[cfg(test)]
mod tests;
