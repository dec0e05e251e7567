//! The signature of a request is of a key of its set, covers all that it has to, and is good now: AWS Signature Version 4,
//! the form of Apinto, and HTTP Message Signatures ([RFC 9421](https://www.rfc-editor.org/rfc/rfc9421)).

use super::replay::asked;
use super::{Effect, Result, Unproven};
use crate::base::time::{Seconds, UnixSeconds};
use crate::credential::SentSignature;
use crate::crypto::{BodyHasher, SHA256_BYTES, Verification, hmac, same_tag, sha256};
use crate::decision::{Denial, Grant, MessageWanted, Need, SignedBody};
use crate::facts::{Body, Claim, Claimed, Facts, Pool};
use crate::policy::{
    SharedKey, SignatureForm, SignatureReplay, SignatureTerms, SigningKey, SigningMaterial, same_header,
};
use crate::request::RequestView;
use crate::signature::{ContentDigests, Fault, Payload, SignedRequest, apinto, message, sigv4};
use std::borrow::Cow;

/// A request whose signature is judged, and the longest body that is read whole for it, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'r> {
    /// The request.
    pub request: &'r RequestView<'r>,
    /// The longest body.
    pub body_bytes: u32,
}

/// A signature that is good, and what follows from it.
#[derive(Debug)]
pub struct SignedProof {
    /// What is used up; `None`: it may be sent again.
    unused: Option<UnusedSignature>,
    /// Headers that came unsigned, and that an upstream could take for signed ones.
    unsigned: Vec<String>,
    /// What a body has to be that has not come.
    body: Option<ContentDigests>,
}

/// What is good once: a nonce, or what has been signed.
#[derive(Debug)]
struct UnusedSignature {
    set: String,
    key_id: String,
    id: Vec<u8>,
    made_at: UnixSeconds,
    /// From when on it is refused anyway.
    until: UnixSeconds,
}

/// What is known of the body.
enum KnownBody<'b> {
    Here(&'b [u8]),
    Coming,
}

/// A signature is good up to its last second, and can be used in it.
const ONE_SECOND: Seconds = Seconds(1);

impl From<Fault> for Denial {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(why) => Self::MalformedSignature(why),
            Fault::Incomplete(name) => Self::SignatureIncomplete(name),
            Fault::BodyUnsigned(why) => Self::BodyUnsigned(why),
        }
    }
}

/// Reads what a request says of its signature.
///
/// # Errors
/// [`Denial::MalformedSignature`], [`Denial::SignatureIncomplete`], [`Denial::BodyUnsigned`].
pub(super) fn read<'r>(
    sent: SentSignature<'r>,
    terms: &SignatureTerms,
    request: &RequestView<'r>,
) -> Result<SignedRequest<'r>> {
    let read = match (&terms.form, sent) {
        (SignatureForm::Sigv4 { .. }, SentSignature::Line { value, .. }) => sigv4::read(value, request)?,
        (SignatureForm::Apinto, SentSignature::Line { scheme, value }) => {
            apinto::read(scheme.as_bytes(), value, request)?
        }
        (SignatureForm::Message { tag, .. }, SentSignature::Headers) => {
            let read = message::read(request, tag.as_deref())?;
            read.ok_or(Denial::MalformedSignature("it has no member in one of its headers"))?
        }
        // The form of a set finds signatures of its own form.
        _ => return Err(Denial::HostFailure),
    };
    if read.key_id.is_empty() {
        return Err(Denial::SignatureIncomplete("keyid".to_owned()));
    }
    Ok(read)
}

/// Judges what is signed, and when it was: all that costs no cryptography.
///
/// # Errors
/// [`Denial::SignatureIncomplete`], [`Denial::MalformedSignature`] of another scope, [`Denial::BodyUnsigned`],
/// [`Denial::Stale`].
pub(super) fn check_terms(
    signed: &SignedRequest<'_>,
    terms: &SignatureTerms,
    request: &RequestView<'_>,
    now: UnixSeconds,
) -> Result<()> {
    let incomplete = |name: &str| Err(Denial::SignatureIncomplete(name.to_owned()));
    if let Some(name) = terms.covered.iter().find(|name| !covers(signed, name)) {
        return incomplete(name);
    }
    if let Some(name) = other_methods(request).find(|name| !signed.covers(name)) {
        return incomplete(name);
    }
    match &terms.form {
        SignatureForm::Sigv4 { regions, services } => {
            let Some(scope) = signed.scope else { return Err(Denial::MalformedSignature("it has no scope")) };
            if !regions.iter().any(|region| region == scope.region) {
                return Err(Denial::MalformedSignature("its region is none of `regions`"));
            }
            if !services.iter().any(|service| service == scope.service) {
                return Err(Denial::MalformedSignature("its service is none of `services`"));
            }
        }
        SignatureForm::Message { needs_nonce: true, .. } if signed.nonce.is_none() => return incomplete("nonce"),
        SignatureForm::Message { .. } | SignatureForm::Apinto => {}
    }
    if !request.ends_with_headers {
        if signed.payload() == Payload::Nothing {
            return Err(Denial::BodyUnsigned("its digest is not signed"));
        }
        if request.values("upgrade").next().is_some() || request.method() == b"CONNECT" {
            return Err(Denial::BodyUnsigned("what follows a handshake is not signed"));
        }
    }
    let Some(made_at) = signed.made_at else { return incomplete("created") };
    if now > made_at.plus(terms.max_age) {
        return Err(Denial::Stale("it was made longer ago than `max_age`"));
    }
    if made_at > now.plus(terms.max_ahead) {
        return Err(Denial::Stale("it was made further ahead than `max_ahead`"));
    }
    if signed.expires_at.is_some_and(|expires| now >= expires) {
        return Err(Denial::Stale("its `expires` has been reached"));
    }
    Ok(())
}

/// The headers that frameworks take the method from, as far as the request has them, in any spelling.
fn other_methods(request: &RequestView<'_>) -> impl Iterator<Item = &'static str> {
    const NAMES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
    NAMES.into_iter().filter(|name| request.headers.iter().any(|(other, _)| same_header(name.as_bytes(), other)))
}

/// Whether something is signed, by itself or as a part of something else.
fn covers(signed: &SignedRequest<'_>, name: &str) -> bool {
    signed.covers(name)
        || match name {
            "@path" | "@query" => signed.covers("@request-target") || signed.covers("@target-uri"),
            "@request-target" => signed.covers("@target-uri") || signed.covers("@path") && signed.covers("@query"),
            "@authority" | "@scheme" => signed.covers("@target-uri"),
            _ => false,
        }
}

/// Finds the key that the signature is of. `refused` is why its identity is refused, whatever the signature is.
///
/// # Errors
/// That the body is needed first, [`Denial::BodyTooLarge`], [`Denial::BodyUnsigned`], [`Denial::MalformedSignature`];
/// [`Denial::UnknownIdentity`] of an id of no key, which costs a signature all the same; `refused`, or
/// [`Denial::BadSignature`]; [`Denial::DigestMismatch`] of a body that is here, [`Denial::TooBusy`].
pub(super) fn verify<'k>(
    signed: &SignedRequest<'_>,
    terms: &SignatureTerms,
    (keys, of_no_one): (&'k [([u8; SHA256_BYTES], SigningKey)], &SharedKey),
    refused: Option<Denial>,
    (set, signing): (&str, Signing<'_>),
    facts: &Facts<'_>,
) -> std::result::Result<(&'k SigningKey, SignedProof), Unproven> {
    let Signing { request, body_bytes } = signing;
    let hashes_body = signed.payload() == Payload::Body;
    let body = match known_body(request, facts.body, body_bytes) {
        // A body whose digest is signed goes on as it comes, however long it is.
        Err(Denial::BodyTooLarge { .. }) if !hashes_body => KnownBody::Coming,
        known => known?,
    };
    let digest = match body {
        KnownBody::Here(bytes) if hashes_body => Some(sha256(bytes)),
        KnownBody::Coming if hashes_body => {
            // Of no id the answer tells whether there is such a key, so this is the first.
            check_length(request, body_bytes)?;
            if !keys.is_empty() && refused.is_none() {
                return Err(await_body(body_bytes));
            }
            Some([0; SHA256_BYTES])
        }
        _ => None,
    };
    let text = signed.string_to_sign(request, digest.as_ref()).map_err(Denial::from)?;
    if keys.is_empty() {
        std::hint::black_box(is_under(of_no_one, signed, &text));
        return Err(Denial::UnknownIdentity.into());
    }
    let Some(key) = find(keys, signed, &text, facts)? else {
        let why = refused.map_or_else(|| unsigned_body(keys, signed, &body, request), Some);
        return Err(why.unwrap_or(Denial::BadSignature).into());
    };
    let expected = match (signed.payload(), body) {
        (Payload::Digests(digests), KnownBody::Here(bytes)) if !is_body(&digests, bytes) => {
            return Err(Denial::DigestMismatch.into());
        }
        (Payload::Digests(digests), KnownBody::Coming) => Some(digests),
        _ => None,
    };
    let unsigned = signed.unsigned_headers(request).into_iter().map(str::to_owned).collect();
    Ok((key, SignedProof { unused: once(signed, terms, set, request, &text), unsigned, body: expected }))
}

/// What is known of the body of a request.
fn known_body<'b>(request: &RequestView<'_>, body: Body<'b>, limit: u32) -> Result<KnownBody<'b>> {
    if request.ends_with_headers {
        return Ok(KnownBody::Here(b""));
    }
    match body {
        Body::Awaited => Ok(KnownBody::Coming),
        Body::Whole(bytes) => Ok(KnownBody::Here(bytes)),
        Body::WithTrailers(_) => Err(Denial::BodyUnsigned("trailers follow the body, and are not signed")),
        Body::TooLarge => Err(Denial::BodyTooLarge { limit }),
    }
}

/// Refuses a body that says that it is too long.
fn check_length(request: &RequestView<'_>, limit: u32) -> Result<()> {
    let is_too_long = request.content_length().is_some_and(|length| length > u64::from(limit));
    if is_too_long { Err(Denial::BodyTooLarge { limit }) } else { Ok(()) }
}

/// Waits for the body, with the headers.
const fn await_body(limit: u32) -> Unproven {
    Unproven::Await(Need::Message(MessageWanted { max_bytes: limit, holds_headers: true }))
}

/// The key that the signature is of. Every key of the id is tried.
fn find<'k>(
    keys: &'k [([u8; SHA256_BYTES], SigningKey)],
    signed: &SignedRequest<'_>,
    text: &[u8],
    facts: &Facts<'_>,
) -> Result<Option<&'k SigningKey>> {
    let mut found = None;
    for (_, key) in keys {
        let is_its = match &key.material {
            SigningMaterial::Shared(shared) => {
                signed.algorithm.is_none_or(|name| name == "hmac-sha256") && is_under(shared, signed, text)
            }
            SigningMaterial::Public(public, algorithm) => {
                signed.algorithm.is_none_or(|name| algorithm.name_in_http_signatures() == Some(name))
                    && match facts.verifier.verify(public, *algorithm, text, &signed.signature) {
                        Verification::Valid => true,
                        Verification::Invalid => false,
                        Verification::TooBusy => return Err(Denial::TooBusy),
                    }
            }
        };
        found = found.or(is_its.then_some(key));
    }
    Ok(found)
}

/// Whether a signature is under this secret. The comparison takes as long wherever they differ.
fn is_under(shared: &SharedKey, signed: &SignedRequest<'_>, text: &[u8]) -> bool {
    let tag = match signed.scope {
        None => hmac(shared.secret(), text),
        Some(scope) => {
            let name = [scope.date, "/", scope.region, "/", scope.service].concat();
            hmac(&shared.derived(&name, |secret| sigv4::derived_key(secret, &scope)), text)
        }
    };
    same_tag(&tag, &signed.signature)
}

/// Says that the hash of an empty body was signed in place of the one that came, as some clients do that stream a file.
fn unsigned_body(
    keys: &[([u8; SHA256_BYTES], SigningKey)],
    signed: &SignedRequest<'_>,
    body: &KnownBody<'_>,
    request: &RequestView<'_>,
) -> Option<Denial> {
    let KnownBody::Here([_, ..]) = body else { return None };
    let text = signed.string_to_sign(request, Some(&sha256(b""))).ok()?;
    let is_its = |key: &SigningKey| match &key.material {
        SigningMaterial::Shared(shared) => is_under(shared, signed, &text),
        SigningMaterial::Public(..) => false,
    };
    let is_empty = signed.payload() == Payload::Body && keys.iter().any(|(_, key)| is_its(key));
    is_empty.then_some(Denial::BodyUnsigned("the hash of an empty body is signed, and there is one"))
}

/// Whether a body has these digests.
fn is_body(digests: &ContentDigests, bytes: &[u8]) -> bool {
    let mut hasher = BodyHasher::new(digests.sha256, digests.sha512);
    hasher.update(bytes);
    hasher.matches()
}

/// What the request uses up, if it uses something up.
fn once(
    signed: &SignedRequest<'_>,
    terms: &SignatureTerms,
    set: &str,
    request: &RequestView<'_>,
    text: &[u8],
) -> Option<UnusedSignature> {
    let is_safe = matches!(request.method(), b"GET" | b"HEAD" | b"OPTIONS") && other_methods(request).next().is_none();
    let counts = match terms.replay {
        SignatureReplay::Unsafe => !is_safe,
        SignatureReplay::All => true,
        SignatureReplay::None => false,
    };
    let made_at = signed.made_at?;
    let until = made_at.plus(terms.max_age).plus(ONE_SECOND);
    let until = signed.expires_at.map_or(until, |expires| expires.plus(ONE_SECOND).min(until));
    let id = match &signed.nonce {
        Some(nonce) => [b"nonce ", nonce.as_bytes()].concat(),
        // Never by the signature, of which there may be several for one text.
        None if counts => sha256(text).to_vec(),
        None => return None,
    };
    Some(UnusedSignature { set: set.to_owned(), key_id: signed.key_id.to_owned(), id, made_at, until })
}

impl SignedProof {
    /// Adds to a grant what follows from the signature. `edits` says whether headers are removed at all.
    pub fn add_to(&self, grant: &mut Grant, edits: bool, effect: Effect) {
        for name in self.unsigned.iter().filter(|_| edits) {
            if !grant.remove.iter().any(|known| known == name) {
                grant.remove.push(Cow::Owned(name.clone()));
            }
        }
        if let Some(ContentDigests { sha256, sha512 }) = self.body {
            let report_only = effect == Effect::Reported;
            grant.signed_body = Some(Box::new(SignedBody { sha256, sha512, report_only }));
        }
    }

    /// Uses it up, where it is good once: the last thing that is asked of a request.
    ///
    /// # Errors
    /// [`Denial::Replayed`] when it has been used; [`Denial::Stale`] when it was made before anyone remembered which have
    /// been; [`Denial::TooBusy`] when there is no room to remember it;
    /// [`Need::FirstUse`] where the fleet has to be asked, or [`Denial::ReplayUnavailable`] where that has been awaited.
    pub fn claim(&self, facts: &Facts<'_>, effect: Effect) -> std::result::Result<(), Unproven> {
        let Some(UnusedSignature { set, key_id, id, made_at, until }) = &self.unused else { return Ok(()) };
        let claim = Claim {
            pool: Pool::Signatures,
            id: &[effect.name(), set.as_bytes(), key_id.as_bytes(), id],
            principal: &[set.as_bytes(), key_id.as_bytes()],
            until: *until,
            made_at: Some(*made_at),
        };
        match facts.replay.claim(&claim, facts.surroundings.now()) {
            Claimed::First => Ok(()),
            Claimed::FirstHere(claim) => Err(asked(claim, facts)),
            Claimed::Again => Err(Unproven::Deny(Denial::Replayed)),
            Claimed::TooOld => {
                Err(Unproven::Deny(Denial::Stale("it was made before this process began to remember signatures")))
            }
            Claimed::Unknown => Err(Unproven::Deny(Denial::TooBusy)),
        }
    }
}
