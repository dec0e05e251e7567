//! `Authorization` of the schemes that sign like AWS: `Credential=…, SignedHeaders=a;b, Signature=…`.

use super::field::{is_field_name, text};
use super::{Fault, MAX_COVERED, MAX_KEY_ID, Result};
use crate::base::text::from_hex;

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

/// The names of `SignedHeaders`, which are separated by `;`.
pub(super) fn names(text: &str) -> Result<Vec<&str>> {
    let mut names = Vec::new();
    for name in text.split(';') {
        if !is_field_name(name) {
            return Err(Fault::Malformed("`SignedHeaders` has what is no name of a header"));
        }
        if names.len() == MAX_COVERED {
            return Err(Fault::Malformed("more than 64 headers are signed"));
        }
        names.push(name);
    }
    Ok(names)
}
