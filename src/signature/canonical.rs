//! The canonical request of the schemes that sign like AWS.

use super::{Fault, Result, authorization};
use crate::base::text::{percent_decode, to_hex};
use crate::crypto::SHA256_BYTES;
use crate::request::RequestView;
use std::borrow::Cow;

/// Method, path, query, signed headers, their names and the digest of the body, each in its lines.
pub(super) fn request(
    request: &RequestView<'_>,
    path: &[u8],
    query: &[u8],
    covered: &[Cow<'_, str>],
    body: &[u8; SHA256_BYTES],
) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(512);
    for line in [method(request)?, path, query] {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    for name in covered {
        let value = authorization::value(request, name)?;
        if value.contains("  ") {
            return Err(Fault::Malformed("a signed header has several spaces in a row"));
        }
        for part in [name, ":", value, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
    out.extend_from_slice(b"\n");
    for (place, name) in covered.iter().enumerate() {
        let separator = if place == 0 { "" } else { ";" };
        out.extend_from_slice(separator.as_bytes());
        out.extend_from_slice(name.as_bytes());
    }
    out.push(b'\n');
    out.extend_from_slice(to_hex(body).as_bytes());
    Ok(out)
}

/// The method, which schemes write in upper case: one in lower case would be another method with the same signature.
fn method<'r>(request: &RequestView<'r>) -> Result<&'r [u8]> {
    let method = request.method();
    if method.is_empty() || !method.iter().all(|byte| byte.is_ascii_uppercase() || b"-_".contains(byte)) {
        return Err(Fault::Malformed("the method is not in upper case"));
    }
    Ok(method)
}

/// The path of the target, which begins with `/`: visible ASCII.
pub(super) fn path<'r>(request: &RequestView<'r>) -> Result<&'r [u8]> {
    let path = request.path().filter(|path| path.starts_with(b"/") && is_visible(path));
    path.ok_or(Fault::Malformed("the path is not visible ASCII that begins with `/`"))
}

/// A parameter of a query, as it is written.
pub(super) struct Parameter<'r> {
    /// Decoded.
    key: Cow<'r, [u8]>,
    /// As the canonical request has it.
    name: Cow<'r, [u8]>,
    value: Cow<'r, [u8]>,
    place: usize,
}

/// The query with its parameters as they are written, sorted by name and then by value.
///
/// Sorting hides in what order the values of one name came, so they have to come in the order of their text.
pub(super) fn query_as_written(request: &RequestView<'_>) -> Result<Vec<u8>> {
    let Some(query) = request.query() else { return Ok(Vec::new()) };
    if !is_visible(query) {
        return Err(Fault::Malformed("the query is not visible ASCII"));
    }
    let mut parameters = Vec::new();
    for (place, part) in query.split(|&byte| byte == b'&').enumerate() {
        let mut sides = part.splitn(2, |&byte| byte == b'=');
        let (name, value) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        if name.is_empty() {
            return Err(Fault::Malformed("the query has a parameter without a name"));
        }
        parameters.push(Parameter { key: decoded(name), name: name.into(), value: value.into(), place });
    }
    parameters.sort_unstable_by(|a, b| a.key.cmp(&b.key).then(a.place.cmp(&b.place)));
    let repeated = parameters.windows(2).filter_map(|pair| match pair {
        [a, b] if a.key == b.key => Some((a, b)),
        _ => None,
    });
    for (a, b) in repeated {
        if a.name != b.name || a.value > b.value {
            return Err(Fault::Malformed("the values of a repeated parameter do not come in ascending order"));
        }
    }
    Ok(sorted(parameters))
}

/// The parameters sorted by name, and those of one name as they came.
fn sorted(mut parameters: Vec<Parameter<'_>>) -> Vec<u8> {
    parameters.sort_unstable_by(|a, b| a.name.cmp(&b.name).then(a.place.cmp(&b.place)));
    let mut out = Vec::new();
    for (at, parameter) in parameters.iter().enumerate() {
        let separator = if at == 0 { &b""[..] } else { b"&" };
        for part in [separator, &parameter.name, b"=", &parameter.value] {
            out.extend_from_slice(part);
        }
    }
    out
}

/// A name as upstreams read it; a space may be `+`.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.iter().any(|byte| b"%+".contains(byte)) {
        return Cow::Borrowed(text);
    }
    let spaced: Vec<u8> = text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    Cow::Owned(percent_decode(&spaced))
}

/// Whether it can be in a target: visible ASCII.
fn is_visible(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}
