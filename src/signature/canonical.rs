//! The canonical request of the schemes that sign like AWS.

use super::{Fault, Result, field};
use crate::base::text::{percent_decode, to_hex};
use crate::crypto::SHA256_BYTES;
use crate::request::RequestView;
use std::borrow::Cow;

/// The most parameters of a query: each takes more memory than the two bytes that it may have on the wire, and a place is
/// made for it among the others.
const MAX_PARAMETERS: usize = 256;

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
}

/// The query, if there is one: visible ASCII.
pub(super) fn query<'r>(request: &RequestView<'r>) -> Result<Option<&'r [u8]>> {
    let query = request.query();
    if query.is_some_and(|query| !is_visible(query)) {
        return Err(Fault::Malformed("the query is not visible ASCII"));
    }
    Ok(query)
}

/// The query with its parameters as they are written, sorted by name and then by value.
///
/// Sorting hides in what order the values of one name came, so they have to come in the order of their text.
pub(super) fn query_as_written(request: &RequestView<'_>) -> Result<Vec<u8>> {
    let Some(query) = query(request)? else { return Ok(Vec::new()) };
    let mut read: Vec<Parameter<'_>> = Vec::new();
    for part in query.split(|&byte| byte == b'&') {
        let mut sides = part.splitn(2, |&byte| byte == b'=');
        let (name, value) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        if name.is_empty() {
            return Err(Fault::Malformed("the query has a parameter without a name"));
        }
        let key = decoded(name);
        let (place, same) = place(&read, &key, |other| &other.key)?;
        if same.is_some_and(|same| *same.name != *name || *same.value > *value) {
            return Err(Fault::Malformed("the values of a repeated parameter do not come in ascending order"));
        }
        read.insert(place, Parameter { key, name: name.into(), value: value.into() });
    }
    let mut sorted = Vec::with_capacity(read.len());
    for parameter in read {
        let (place, _) = place(&sorted, &parameter.name, |other| &other.name)?;
        sorted.insert(place, parameter);
    }
    Ok(joined(&sorted))
}

/// Where among `sorted` the next one goes, whose key or name is `text`: after those with the same. The last of these, too.
pub(super) fn place<'s, 'r>(
    sorted: &'s [Parameter<'r>],
    text: &[u8],
    of: for<'p> fn(&'p Parameter<'r>) -> &'p [u8],
) -> Result<(usize, Option<&'s Parameter<'r>>)> {
    if sorted.len() == MAX_PARAMETERS {
        return Err(Fault::Malformed("the query has more than 256 parameters"));
    }
    let place = sorted.partition_point(|other| of(other) <= text);
    let before = place.checked_sub(1).and_then(|before| sorted.get(before));
    Ok((place, before.filter(|before| of(before) == text)))
}

/// The parameters in a query.
pub(super) fn joined(parameters: &[Parameter<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for parameter in parameters {
        let separator = if out.is_empty() { &b""[..] } else { b"&" };
        for part in [separator, &parameter.name, b"=", &parameter.value] {
            out.extend_from_slice(part);
        }
    }
    out
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
