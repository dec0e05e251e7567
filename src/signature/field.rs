//! The headers that are signed.

use super::{Fault, Result};
use crate::request::RequestView;

/// A signed header has what cannot be in one, or what signers write in several ways.
pub(super) const TWO_READINGS: Fault = Fault::Malformed("a signed header could be read in two ways");

/// Whether `name` is a name of a header (RFC 9110 section 5.1).
pub(super) fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// The lines of a header. That of `host` is the authority as it was sent.
pub(super) fn lines<'r>(request: &RequestView<'r>, name: &str) -> impl Iterator<Item = &'r [u8]> {
    let is_host = name == "host";
    let is_named = move |other: &[u8]| other == name.as_bytes() || is_host && other == b":authority";
    request.headers.iter().filter(move |(other, _)| is_named(other)).map(|(_, value)| *value)
}

/// The one line of a header.
pub(super) fn line<'r>(request: &RequestView<'r>, name: &str) -> Result<&'r [u8]> {
    let mut found = None;
    for line in lines(request, name) {
        if found.replace(line).is_some() {
            return Err(Fault::Malformed("a signed header has two lines"));
        }
    }
    found.ok_or(Fault::Malformed("a signed header is absent"))
}

/// The value of a header that has one line, without white space around it.
pub(super) fn value<'r>(request: &RequestView<'r>, name: &str) -> Result<&'r str> {
    text(line(request, name)?.trim_ascii()).ok_or(TWO_READINGS)
}

/// Printable ASCII.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    let is_printable = bytes.iter().all(|byte| matches!(byte, b' '..=b'~'));
    std::str::from_utf8(bytes).ok().filter(|_| is_printable)
}
