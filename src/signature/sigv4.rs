//! AWS Signature Version 4 in the header `Authorization`
//! ([Create a signed AWS API request](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html)).
//!
//! Not read: signatures in the query, the header `date` in place of `x-amz-date`, and bodies that are unsigned or signed in
//! chunks, whose end would be judged after their beginning has gone on.

use super::authorization::{self, Parameters};
use super::field;
use super::{ContentDigests, Fault, Form, Payload, Result, Scope, SignedRequest, canonical};
use crate::base::text::percent_encode;
use crate::crypto::{SHA256_BYTES, hmac};
use crate::request::RequestView;

/// The scheme of `Authorization`, in lower case.
pub const SCHEME: &[u8] = b"aws4-hmac-sha256";

/// The algorithm as the string to sign names it.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The end of every scope.
pub(super) const TERMINATOR: &str = "aws4_request";

const DATE: &str = "x-amz-date";
const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// What is signed: the first two always, the others if they are there. Every signer signs them, so an unsigned one was
/// changed on the way.
const SIGNED: [&str; 8] = [
    "host",
    DATE,
    CONTENT_SHA256,
    "x-amz-security-token",
    "x-amz-target",
    "x-amz-user-agent",
    "x-amz-acl",
    "x-amz-copy-source",
];

/// Reads `value`, which follows the scheme of `Authorization`.
///
/// # Errors
/// [`Fault`].
pub fn read<'r>(value: &'r [u8], request: &RequestView<'r>) -> Result<SignedRequest<'r>> {
    let parameters = Parameters::read(value, "Credential", request)?;
    let (key_id, scope) = credential(parameters.credential)?;
    if !parameters.covered.is_sorted() || parameters.names.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(Fault::Malformed("`SignedHeaders` is not sorted, or not in lower case"));
    }
    for name in &parameters.covered {
        // Signers make one space of them.
        if field::value(request, name)?.as_bytes().windows(2).any(|pair| pair == b"  ") {
            return Err(Fault::Malformed("a signed header has several spaces in a row"));
        }
    }
    for (place, name) in SIGNED.iter().enumerate() {
        if !parameters.covers(name) && (place < 2 || request.values(name).next().is_some()) {
            return Err(Fault::Incomplete((*name).to_owned()));
        }
    }
    if request.headers.iter().any(|(name, _)| is_amz(name) && !name.is_ascii()) {
        return Err(Fault::Malformed("a header has what is no name"));
    }
    let (date, made_at) = authorization::date(request, DATE)?;
    if !date.starts_with(scope.date) {
        return Err(Fault::Malformed("`x-amz-date` is not of the day of the scope"));
    }
    let payload = payload(request, scope)?;
    Ok(SignedRequest {
        key_id,
        made_at: Some(made_at),
        expires_at: None,
        nonce: None,
        algorithm: None,
        signature: parameters.signature,
        scope: Some(scope),
        payload,
        covered: parameters.covered,
        form: Form::SigV4 { date, scope },
    })
}

/// `ID/DATE/REGION/SERVICE/aws4_request`.
fn credential(text: &str) -> Result<(&str, Scope<'_>)> {
    let mut parts = [""; 5];
    parts.iter_mut().zip(text.split('/')).for_each(|(part, text)| *part = text);
    let [id, date, region, service, terminator] = parts;
    let is_day = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    let has_words = parts.iter().all(|part| !part.is_empty()) && !text.contains(' ');
    // The length of all five, so that no other follows.
    let length = parts.iter().map(|part| part.len()).sum::<usize>() + 4;
    if !is_day || !has_words || terminator != TERMINATOR || length != text.len() {
        return Err(Fault::Malformed("`Credential` is not ID/DATE/REGION/SERVICE/aws4_request"));
    }
    Ok((authorization::key_id(id)?, Scope { date, region, service }))
}

/// What is signed of the body.
fn payload(request: &RequestView<'_>, scope: Scope<'_>) -> Result<Payload> {
    let chunked = b"aws-chunked";
    let is_chunked = |line: &[u8]| line.windows(chunked.len()).any(|part| part.eq_ignore_ascii_case(chunked));
    if request.values("content-encoding").any(is_chunked) {
        return Err(Fault::BodyUnsigned("the body is signed in chunks"));
    }
    if request.values(CONTENT_SHA256).next().is_none() {
        // Every signer for S3 sends it.
        let is_s3 = scope.service == "s3";
        return if is_s3 { Err(Fault::Incomplete(CONTENT_SHA256.to_owned())) } else { Ok(Payload::Body) };
    }
    let stated = field::value(request, CONTENT_SHA256)?;
    if stated == "UNSIGNED-PAYLOAD" {
        return Err(Fault::BodyUnsigned("the body is unsigned"));
    }
    if stated.starts_with("STREAMING-") {
        return Err(Fault::BodyUnsigned("the body is signed in chunks"));
    }
    let digest = authorization::digest(stated).and_then(|digest| digest.try_into().ok());
    let sha256 = digest.ok_or(Fault::Malformed("`x-amz-content-sha256` is not 64 hexadecimal digits in lower case"))?;
    Ok(Payload::Digests(ContentDigests { sha256: Some(sha256), sha512: None }))
}

/// The path: for S3 as it was sent, for every other service encoded once more. Never both: `/a%20b` for the one is
/// `/a%2520b` for the other, so one signature would open two resources.
pub(super) fn path(request: &RequestView<'_>, service: &str) -> Result<Vec<u8>> {
    let path = canonical::path(request)?;
    if service == "s3" {
        return Ok(path.to_vec());
    }
    let mut out = Vec::with_capacity(path.len());
    percent_encode(path, b"/", &mut out);
    Ok(out)
}

/// Whether a header is `x-amz-*` to an upstream that reads `_` as `-`.
pub(super) fn is_amz(name: &[u8]) -> bool {
    let prefix = b"x-amz-";
    let folded = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() >= prefix.len() && name.iter().map(folded).zip(prefix).all(|(byte, wanted)| byte == *wanted)
}

/// The key for a day, a region and a service, made of the secret.
#[must_use]
pub fn derived_key(secret: &[u8], scope: &Scope<'_>) -> [u8; SHA256_BYTES] {
    let first = hmac(&[b"AWS4", secret].concat(), scope.date.as_bytes());
    [scope.region, scope.service, TERMINATOR].iter().fold(first, |key, part| hmac(&key, part.as_bytes()))
}

#[cfg(test)]
mod tests;
