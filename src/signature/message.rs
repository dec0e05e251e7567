//! HTTP Message Signatures ([RFC 9421](https://www.rfc-editor.org/rfc/rfc9421)) with the digests of
//! [RFC 9530](https://www.rfc-editor.org/rfc/rfc9530).
//!
//! No parameter of a component is taken (`sf`, `bs`, `key`, `tr`, `req`, `name`): with one, only a part of a header is signed, or
//! another form of it. Nor is a string with an escape, as a key id or as a nonce.

use super::field::{TWO_READINGS, is_field_name, line, lines};
use super::structured::{Item, Member, Value, dictionary};
use super::{ContentDigests, Fault, Form, MAX_COVERED, MAX_KEY_ID, MAX_NONCE, Payload, Result, SignedRequest};
use crate::base::base64url::decode_standard;
use crate::base::time::UnixSeconds;
use crate::request::RequestView;
use std::borrow::Cow;

const INPUT: &str = "signature-input";
const SIGNATURE: &str = "signature";
const CONTENT_DIGEST: &str = "content-digest";

/// The most bytes of a signature in base64, which are 1024 decoded.
const MAX_SIGNATURE: usize = 1368;

const DERIVED: [&str; 7] = ["@method", "@authority", "@scheme", "@target-uri", "@request-target", "@path", "@query"];

/// Whether a request has a signature of this form, good or bad.
#[must_use]
pub fn is_presented(request: &RequestView<'_>) -> bool {
    [INPUT, SIGNATURE].iter().any(|name| request.values(name).next().is_some())
}

/// Reads the signature with this `tag`, or the only one if there is no tag to look for. `None` where `request` has no
/// signature, or none with this tag.
///
/// # Errors
/// [`Fault`].
pub fn read<'r>(request: &RequestView<'r>, tag: Option<&str>) -> Result<Option<SignedRequest<'r>>> {
    if !is_presented(request) {
        return Ok(None);
    }
    let inputs = dictionary(request, INPUT).ok_or(Fault::Malformed("`Signature-Input` cannot be read"))?;
    let signatures = dictionary(request, SIGNATURE).ok_or(Fault::Malformed("`Signature` cannot be read"))?;
    if inputs.is_empty() || signatures.is_empty() {
        return Err(Fault::Malformed("of `Signature-Input` and `Signature`, one is absent"));
    }
    if tag.is_none() && (inputs.len() > 1 || signatures.len() > 1) {
        return Err(Fault::Malformed("there are several signatures, and no tag says which one counts"));
    }
    let is_wanted = |member: &&Member<'_>| tag.is_none_or(|tag| has_tag(member, tag));
    let mut wanted = inputs.iter().filter(is_wanted);
    let Some(input) = wanted.next() else { return Ok(None) };
    if wanted.next().is_some() {
        return Err(Fault::Malformed("there are several signatures with the tag"));
    }
    let signature = signatures.iter().find(|member| member.name == input.name);
    let signature = signature.ok_or(Fault::Malformed("`Signature` lacks the label of `Signature-Input`"))?;
    signed(request, input, signature).map(Some)
}

fn has_tag(member: &Member<'_>, wanted: &str) -> bool {
    member.parameters.iter().any(|(name, item)| *name == "tag" && matches!(item, Item::Text(text) if *text == wanted))
}

/// What one signature says.
fn signed<'r>(request: &RequestView<'r>, input: &Member<'r>, signature: &Member<'r>) -> Result<SignedRequest<'r>> {
    let covered = components(request, input)?;
    let parameters = Parameters::read(input)?;
    let signature = match signature.value {
        Value::Item(Item::Bytes(text)) if text.len() <= MAX_SIGNATURE => decode_standard(text.as_bytes()),
        _ => None,
    };
    let is_covered = covered.contains(&CONTENT_DIGEST);
    Ok(SignedRequest {
        key_id: parameters.key_id.ok_or_else(|| Fault::Incomplete("keyid".to_owned()))?,
        made_at: parameters.created,
        expires_at: parameters.expires,
        nonce: parameters.nonce.map(Into::into),
        algorithm: parameters.algorithm,
        signature: signature.ok_or(Fault::Malformed("the signature is not at most 1024 bytes in base64"))?,
        scope: None,
        payload: if is_covered { Payload::Digests(content_digests(request)?) } else { Payload::Nothing },
        covered: covered.into_iter().map(Into::into).collect(),
        form: Form::Message { parameters: input.text },
    })
}

/// The components that `input` covers: each once, without parameters, and there.
fn components<'r>(request: &RequestView<'r>, input: &Member<'r>) -> Result<Vec<&'r str>> {
    let Value::Strings(components) = &input.value else {
        return Err(Fault::Malformed("`Signature-Input` is not a list of components"));
    };
    if components.len() > MAX_COVERED {
        return Err(Fault::Malformed("more than 64 components are signed"));
    }
    let mut covered: Vec<&str> = Vec::with_capacity(components.len());
    for &(name, parameter) in components {
        if let Some(parameter) = parameter {
            return Err(Fault::Malformed(refused_parameter(parameter)));
        }
        if name.starts_with('@') {
            if !DERIVED.contains(&name) {
                return Err(Fault::Malformed(refused_component(name)));
            }
        } else if !is_field_name(name) || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(Fault::Malformed("a component is no name of a header in lower case"));
        } else if [INPUT, SIGNATURE].contains(&name) {
            return Err(Fault::Malformed("a signature is a component of a signature"));
        } else if lines(request, name).next().is_none() {
            return Err(Fault::Malformed("a signed header is absent"));
        }
        if covered.contains(&name) {
            return Err(Fault::Malformed("a component is there twice"));
        }
        covered.push(name);
    }
    Ok(covered)
}

fn refused_parameter(name: &str) -> &'static str {
    match name {
        "sf" => "a component has the parameter `sf`",
        "bs" => "a component has the parameter `bs`",
        "key" => "a component has the parameter `key`",
        "tr" => "a component has the parameter `tr`",
        "req" => "a component has the parameter `req`",
        "name" => "a component has the parameter `name`",
        _ => "a component has an unknown parameter",
    }
}

fn refused_component(name: &str) -> &'static str {
    match name {
        "@query-param" => "the component `@query-param` is not taken",
        "@status" => "the component `@status` is one of responses",
        _ => "a derived component is unknown",
    }
}

/// The parameters of a signature that are read. Others are signed, and have no meaning here.
#[derive(Default)]
struct Parameters<'r> {
    created: Option<UnixSeconds>,
    expires: Option<UnixSeconds>,
    key_id: Option<&'r str>,
    nonce: Option<&'r str>,
    algorithm: Option<&'r str>,
    tag: Option<()>,
}

impl<'r> Parameters<'r> {
    fn read(input: &Member<'r>) -> Result<Self> {
        let mut read = Self::default();
        for (name, item) in &input.parameters {
            let is_again = match (*name, *item) {
                ("created", Item::Integer(at)) => read.created.replace(UnixSeconds(at)).is_some(),
                ("expires", Item::Integer(at)) => read.expires.replace(UnixSeconds(at)).is_some(),
                ("keyid", Item::Text(text)) => {
                    read.key_id.replace(plain(text, MAX_KEY_ID, "`keyid` is no key id")?).is_some()
                }
                ("nonce", Item::Text(text)) => read
                    .nonce
                    .replace(plain(text, MAX_NONCE, "`nonce` has an escape, or not 1 to 256 bytes")?)
                    .is_some(),
                ("alg", Item::Text(text)) => {
                    read.algorithm.replace(plain(text, MAX_KEY_ID, "`alg` is no name of an algorithm")?).is_some()
                }
                ("tag", Item::Text(_)) => read.tag.replace(()).is_some(),
                ("created" | "expires" | "keyid" | "nonce" | "alg" | "tag", _) => {
                    return Err(Fault::Malformed("a parameter of the signature is of another type"));
                }
                _ => false,
            };
            if is_again {
                return Err(Fault::Malformed("a parameter of the signature is there twice"));
            }
        }
        Ok(read)
    }
}

/// A string without escapes, of one byte to `most`.
fn plain<'r>(text: &'r str, most: usize, otherwise: &'static str) -> Result<&'r str> {
    let is_plain = (1..=most).contains(&text.len()) && !text.contains('\\');
    is_plain.then_some(text).ok_or(Fault::Malformed(otherwise))
}

/// The digests in `content-digest`, those that are known: of each other algorithm nothing is read.
fn content_digests(request: &RequestView<'_>) -> Result<ContentDigests> {
    const UNREADABLE: Fault = Fault::Malformed("`Content-Digest` cannot be read");
    let mut digests = ContentDigests::default();
    for member in dictionary(request, CONTENT_DIGEST).ok_or(UNREADABLE)? {
        let Value::Item(Item::Bytes(text)) = member.value else { return Err(UNREADABLE) };
        let digest = decode_standard(text.as_bytes()).ok_or(UNREADABLE)?;
        let of_its_length = match member.name {
            "sha-256" => {
                digests.sha256 = digest.try_into().ok();
                digests.sha256.is_some()
            }
            "sha-512" => {
                digests.sha512 = digest.try_into().ok();
                digests.sha512.is_some()
            }
            _ => true,
        };
        if !of_its_length {
            return Err(Fault::Malformed("`Content-Digest` has a digest of another length"));
        }
    }
    if digests.sha256.is_none() && digests.sha512.is_none() {
        return Err(Fault::BodyUnsigned("`Content-Digest` has neither `sha-256` nor `sha-512`"));
    }
    Ok(digests)
}

/// The signature base (RFC 9421 section 2.5). `parameters` are those of the signature, as they came.
pub(super) fn base(request: &RequestView<'_>, covered: &[Cow<'_, str>], parameters: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(512);
    for name in covered {
        for part in ["\"", name, "\": "] {
            out.extend_from_slice(part.as_bytes());
        }
        match name.strip_prefix('@') {
            Some(derived) => add_derived(request, derived, &mut out)?,
            None => add_header(request, name, &mut out)?,
        }
        out.push(b'\n');
    }
    out.extend_from_slice(b"\"@signature-params\": ");
    out.extend_from_slice(parameters.as_bytes());
    Ok(out)
}

/// The value of a header (RFC 9421 section 2.1).
fn add_header(request: &RequestView<'_>, name: &str, out: &mut Vec<u8>) -> Result<()> {
    for (place, line) in lines(request, name).enumerate() {
        let line = line.trim_ascii();
        if !line.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
            return Err(TWO_READINGS);
        }
        out.extend_from_slice(if place == 0 { b"" } else { b", " });
        out.extend_from_slice(line);
    }
    Ok(())
}

/// The value of a derived component (RFC 9421 section 2.2), whose name is without `@`.
fn add_derived(request: &RequestView<'_>, name: &str, out: &mut Vec<u8>) -> Result<()> {
    let scheme = request.sole_value(":scheme").map(<[u8]>::to_ascii_lowercase);
    let authority = line(request, "host").unwrap_or_default();
    let host = authority.to_ascii_lowercase();
    let parts = derived(request, name, scheme.as_deref(), authority, &host).unwrap_or_default();
    let start = out.len();
    parts.iter().for_each(|part| out.extend_from_slice(part));
    let value = out.get(start..).unwrap_or_default();
    if value.is_empty() || !value.iter().all(u8::is_ascii_graphic) {
        return Err(Fault::Malformed("a signed component is absent, or not visible ASCII"));
    }
    Ok(())
}

/// The parts of that value; `None` where one of them is absent. `host` is the authority in lower case.
fn derived<'r>(
    request: &RequestView<'r>,
    name: &str,
    scheme: Option<&'r [u8]>,
    authority: &'r [u8],
    host: &'r [u8],
) -> Option<[&'r [u8]; 4]> {
    let is_there = |text: &&[u8]| !text.is_empty();
    let target = request.target().filter(is_there);
    let value = match name {
        "method" => request.method(),
        "authority" => {
            let default_port: &[u8] = match scheme {
                Some(b"https") => b":443",
                Some(b"http") => b":80",
                _ => b"",
            };
            host.strip_suffix(default_port).unwrap_or(host)
        }
        "scheme" => scheme?,
        "target-uri" if !authority.is_empty() => return Some([scheme.filter(is_there)?, b"://", authority, target?]),
        "request-target" => target?,
        // A target without a path is none in HTTP, so `?` has no second reading as `/`.
        "path" => target.and_then(|_| request.path())?,
        // One that is absent is signed like one that is empty, so the empty one is refused.
        "query" => {
            let query = target.map(|_| request.query())?;
            return Some([b"?", query.map_or(Some(&b""[..]), |query| Some(query).filter(is_there))?, b"", b""]);
        }
        _ => b"",
    };
    Some([value, b"", b"", b""])
}

#[cfg(test)]
mod tests;
