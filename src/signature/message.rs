//! HTTP Message Signatures ([RFC 9421](https://www.rfc-editor.org/rfc/rfc9421)) with the digests of
//! [RFC 9530](https://www.rfc-editor.org/rfc/rfc9530).
//!
//! No parameter of a component is taken (`sf`, `bs`, `key`, `tr`, `req`, `name`): with them, only a part of a header is signed.

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
    let is_it = |(name, item): &(&str, Item<'_>)| {
        *name == "tag" && matches!(item, Item::Text(text) if text.unescaped() == wanted)
    };
    member.parameters.iter().any(is_it)
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
        nonce: parameters.nonce,
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
    for (name, parameter) in components {
        let name = name.plain().unwrap_or_default();
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
    nonce: Option<Cow<'r, str>>,
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
                    let id = text.plain().filter(|id| (1..=MAX_KEY_ID).contains(&id.len()));
                    read.key_id.replace(id.ok_or(Fault::Malformed("`keyid` is no key id"))?).is_some()
                }
                ("nonce", Item::Text(text)) => {
                    let nonce = text.unescaped();
                    if !(1..=MAX_NONCE).contains(&nonce.len()) {
                        return Err(Fault::Malformed("`nonce` is empty, or longer than 256 bytes"));
                    }
                    read.nonce.replace(nonce).is_some()
                }
                ("alg", Item::Text(text)) => {
                    let name = text.plain().ok_or(Fault::Malformed("`alg` is no name of an algorithm"))?;
                    read.algorithm.replace(name).is_some()
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

/// The digests in `content-digest`, those that are known: of each other algorithm nothing is read.
fn content_digests(request: &RequestView<'_>) -> Result<ContentDigests> {
    let unreadable = Fault::Malformed("`Content-Digest` cannot be read");
    let mut digests = ContentDigests::default();
    for member in dictionary(request, CONTENT_DIGEST).ok_or(unreadable.clone())? {
        let Value::Item(Item::Bytes(text)) = member.value else { return Err(unreadable) };
        let digest = decode_standard(text.as_bytes()).ok_or(unreadable.clone())?;
        let wrong_length = |_| Fault::Malformed("`Content-Digest` has a digest of another length");
        match member.name {
            "sha-256" => digests.sha256 = Some(digest.try_into().map_err(wrong_length)?),
            "sha-512" => digests.sha512 = Some(digest.try_into().map_err(wrong_length)?),
            _ => {}
        }
    }
    if digests == ContentDigests::default() {
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
    let scheme = request.sole_value(":scheme").unwrap_or_default().to_ascii_lowercase();
    let authority = || visible(line(request, "host").ok());
    let target = || visible(request.target());
    let parts: [&[u8]; 4] = match name {
        "method" => [visible(Some(request.method()))?, b"", b"", b""],
        "authority" => {
            let authority = authority()?.to_ascii_lowercase();
            let default_port = match &*scheme {
                b"https" => &b":443"[..],
                b"http" => b":80",
                _ => b"",
            };
            out.extend_from_slice(authority.strip_suffix(default_port).unwrap_or(&authority));
            return Ok(());
        }
        "scheme" => [visible(Some(&scheme))?, b"", b"", b""],
        "target-uri" => [visible(Some(&scheme))?, b"://", authority()?, target()?],
        "request-target" => [target()?, b"", b"", b""],
        "path" => match target()?.split(|&byte| byte == b'?').next() {
            Some(path @ [_, ..]) => [path, b"", b"", b""],
            _ => [b"/", b"", b"", b""],
        },
        // `query`: one that is absent is empty.
        _ => [b"?", target().map(|_| request.query().unwrap_or_default())?, b"", b""],
    };
    parts.iter().for_each(|part| out.extend_from_slice(part));
    Ok(())
}

/// A part of a target: visible ASCII, and not nothing.
fn visible(text: Option<&[u8]>) -> Result<&[u8]> {
    let text = text.filter(|text| !text.is_empty() && text.iter().all(u8::is_ascii_graphic));
    text.ok_or(Fault::Malformed("a signed component is absent, or not visible ASCII"))
}

#[cfg(test)]
mod tests;
