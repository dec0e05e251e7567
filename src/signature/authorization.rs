//! `Authorization` of the schemes that sign like AWS: `Credential=…, SignedHeaders=a;b, Signature=…`.

use super::field::{self, is_field_name};
use super::{Fault, MAX_COVERED, MAX_KEY_ID, Result};
use crate::base::text::from_hex;
use crate::base::time::UnixSeconds;
use crate::request::RequestView;
use std::borrow::Cow;

/// What is in it.
pub(super) struct Parameters<'r> {
    /// The value of the parameter that names the key.
    pub(super) credential: &'r str,
    /// The text of `SignedHeaders`.
    pub(super) names: &'r str,
    /// The names in it, in lower case: of each, the request has one line that can be read.
    pub(super) covered: Vec<Cow<'r, str>>,
    pub(super) signature: Vec<u8>,
}

impl<'r> Parameters<'r> {
    /// Reads `value`, which follows the scheme. `credential` is the name of the parameter that names the key.
    pub(super) fn read(value: &'r [u8], credential: &str, request: &RequestView<'r>) -> Result<Self> {
        let mut found = [None; 3];
        for part in field::text(value).unwrap_or_default().split(',') {
            let parameter = part.trim_matches(' ').split_once('=');
            let (name, value) = parameter.ok_or(Fault::Malformed("`Authorization` is not a list of parameters"))?;
            let place = [credential, "SignedHeaders", "Signature"].iter().position(|known| *known == name);
            let place = place.and_then(|place| found.get_mut(place));
            if place.ok_or(Fault::Malformed("`Authorization` has an unknown parameter"))?.replace(value).is_some() {
                return Err(Fault::Malformed("`Authorization` has a parameter twice"));
            }
        }
        let [Some(credential), Some(names), Some(signature)] = found else {
            return Err(Fault::Malformed("`Authorization` lacks a parameter"));
        };
        // In lower case only, so that it has one spelling.
        let signature = digest(signature);
        let signature =
            signature.ok_or(Fault::Malformed("the signature is not 64 hexadecimal digits in lower case"))?;
        Ok(Self { credential, names, covered: covered(names, request)?, signature })
    }

    /// Whether `name` is signed.
    pub(super) fn covers(&self, name: &str) -> bool {
        self.covered.iter().any(|covered| covered == name)
    }
}

/// The names of `SignedHeaders`, which are separated by `;`.
fn covered<'r>(names: &'r str, request: &RequestView<'r>) -> Result<Vec<Cow<'r, str>>> {
    let mut covered: Vec<Cow<'r, str>> = Vec::new();
    for name in names.split(';') {
        if !is_field_name(name) {
            return Err(Fault::Malformed("`SignedHeaders` has what is no name of a header"));
        }
        let is_lower = !name.bytes().any(|byte| byte.is_ascii_uppercase());
        let name = if is_lower { Cow::Borrowed(name) } else { name.to_ascii_lowercase().into() };
        if covered.contains(&name) {
            return Err(Fault::Malformed("`SignedHeaders` has a name twice"));
        }
        if covered.len() == MAX_COVERED {
            return Err(Fault::Malformed("more than 64 headers are signed"));
        }
        field::value(request, &name)?;
        covered.push(name);
    }
    Ok(covered)
}

/// A key id: visible ASCII.
pub(super) fn key_id(text: &str) -> Result<&str> {
    if text.is_empty() || text.len() > MAX_KEY_ID || text.contains(' ') {
        return Err(Fault::Malformed("this is no key id"));
    }
    Ok(text)
}

/// 64 hexadecimal digits in lower case.
pub(super) fn digest(text: &str) -> Option<Vec<u8>> {
    let is_lower = text.len() == 64 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    from_hex(text.as_bytes()).filter(|_| is_lower)
}

/// The time in a header, and its text.
pub(super) fn date<'r>(request: &RequestView<'r>, name: &str) -> Result<(&'r str, UnixSeconds)> {
    let text = field::value(request, name)?;
    let at = UnixSeconds::from_basic_format(text.as_bytes());
    Ok((text, at.ok_or(Fault::Malformed("the date is no time as 20260131T090500Z"))?))
}
