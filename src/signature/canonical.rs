//! The canonical request of the schemes that sign like AWS.

use super::{Fault, Result, field};
use crate::base::text::{percent_decode, to_hex};
use crate::crypto::SHA256_BYTES;
use crate::request::RequestView;
use std::borrow::Cow;
use std::cmp::Ordering;

/// The most parameters of a query: each takes more memory than the two bytes that it may have on the wire.
const MAX_PARAMETERS: usize = 1024;

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
        let value = field::value(request, name)?;
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

/// A parameter of a query.
pub(super) struct Parameter<'r> {
    /// The name as the upstream reads it.
    pub(super) key: Cow<'r, [u8]>,
    /// As the canonical request has it.
    pub(super) name: Cow<'r, [u8]>,
    pub(super) value: Cow<'r, [u8]>,
    /// How many come before it.
    pub(super) place: usize,
}

/// What is between `&` in the query, if there is one: visible ASCII.
pub(super) fn parts<'r>(request: &RequestView<'r>) -> Result<impl Iterator<Item = &'r [u8]>> {
    let query = request.query();
    if query.is_some_and(|query| !is_visible(query)) {
        return Err(Fault::Malformed("the query is not visible ASCII"));
    }
    let parts = query.into_iter().flat_map(|query| query.split(|&byte| byte == b'&'));
    if parts.clone().nth(MAX_PARAMETERS).is_some() {
        return Err(Fault::Malformed("the query has more than 1024 parameters"));
    }
    Ok(parts)
}

/// The query with its parameters as they are written, sorted by name and then by value.
///
/// Sorting hides in what order the values of one name came, so they have to come in the order of their text.
pub(super) fn query_as_written(request: &RequestView<'_>) -> Result<Vec<u8>> {
    let mut parameters = Vec::new();
    for (place, part) in parts(request)?.enumerate() {
        let mut sides = part.splitn(2, |&byte| byte == b'=');
        let (name, value) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        if name.is_empty() {
            return Err(Fault::Malformed("the query has a parameter without a name"));
        }
        parameters.push(Parameter { key: decoded(name), name: name.into(), value: value.into(), place });
    }
    if !repeated(&mut parameters).all(|(a, b)| a.name == b.name && a.value <= b.value) {
        return Err(Fault::Malformed("the values of a repeated parameter do not come in ascending order"));
    }
    Ok(sorted(parameters))
}

/// Each two parameters that the upstream reads as two of one name and that follow each other.
pub(super) fn repeated<'p, 'r>(
    parameters: &'p mut [Parameter<'r>],
) -> impl Iterator<Item = (&'p Parameter<'r>, &'p Parameter<'r>)> {
    sort(parameters, |a, b| a.key.cmp(&b.key));
    parameters.windows(2).filter_map(|pair| match pair {
        [a, b] if a.key == b.key => Some((a, b)),
        _ => None,
    })
}

/// The parameters sorted by name, and those of one name as they came.
pub(super) fn sorted(mut parameters: Vec<Parameter<'_>>) -> Vec<u8> {
    sort(&mut parameters, |a, b| a.name.cmp(&b.name));
    let mut out = Vec::new();
    for (at, parameter) in parameters.iter().enumerate() {
        let separator = if at == 0 { &b""[..] } else { b"&" };
        for part in [separator, &parameter.name, b"=", &parameter.value] {
            out.extend_from_slice(part);
        }
    }
    out
}

fn sort<'r>(parameters: &mut [Parameter<'r>], order: fn(&Parameter<'r>, &Parameter<'r>) -> Ordering) {
    parameters.sort_unstable_by(|a, b| order(a, b).then(a.place.cmp(&b.place)));
}

/// A name as upstreams read it: a space may be `+`.
fn decoded(text: &[u8]) -> Cow<'_, [u8]> {
    if text.iter().any(|byte| b"%+".contains(byte)) { percent_decode(&spaced(text)).into() } else { text.into() }
}

/// With spaces for `+`.
pub(super) fn spaced(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect()
}

/// Whether it can be in a target: visible ASCII.
fn is_visible(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}
