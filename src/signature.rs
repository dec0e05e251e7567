//! What a request says of its signature, and the string to sign: syntax only. Knows no secret, no time and no policy.
//!
//! Signer and gate make one text of a request, each for itself. So what can be read in two ways is refused: a signature
//! over one reading would be good for the other.

pub mod apinto;
pub mod message;
pub mod sigv4;

mod authorization;
mod canonical;
mod field;
mod structured;
#[cfg(test)]
mod test_request;

use crate::base::text::to_hex;
use crate::base::time::UnixSeconds;
use crate::crypto::{SHA256_BYTES, sha256};
use crate::request::RequestView;
use std::borrow::Cow;
use std::fmt;

/// The bytes of a SHA-512 digest.
pub const SHA512_BYTES: usize = 64;
/// The most names or components that one signature covers.
pub const MAX_COVERED: usize = 64;
/// The most bytes of a key id.
pub const MAX_KEY_ID: usize = 128;
/// The most bytes of a nonce.
pub const MAX_NONCE: usize = 256;

/// Why a signature cannot be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It cannot be read, or in more than one way.
    Malformed(&'static str),
    /// This has to be signed, and is not.
    Incomplete(String),
    /// The body is not covered.
    BodyUnsigned(&'static str),
}

/// What a request says of its signature: its grammar has been checked, and nothing verified.
pub struct SignedRequest<'r> {
    /// Names the key, and so who has signed.
    pub key_id: &'r str,
    /// When it was signed.
    pub made_at: Option<UnixSeconds>,
    /// When the signature ends.
    pub expires_at: Option<UnixSeconds>,
    /// What is good for one request.
    pub nonce: Option<Cow<'r, str>>,
    /// The parameter `alg` of RFC 9421.
    pub algorithm: Option<&'r str>,
    /// The signature itself, decoded.
    pub signature: Vec<u8>,
    /// What the key of SigV4 is derived for.
    pub scope: Option<Scope<'r>>,
    covered: Vec<Cow<'r, str>>,
    payload: Payload,
    form: Form<'r>,
}

/// The scope of a SigV4 credential, without its terminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'r> {
    /// The day, as `20260131`.
    pub date: &'r str,
    /// The region.
    pub region: &'r str,
    /// The service.
    pub service: &'r str,
}

/// What is signed of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The digests that a signed header states.
    Digests(ContentDigests),
    /// Its SHA-256, which goes into the string to sign.
    Body,
    /// Nothing.
    Nothing,
}

/// The digests of a body that a header states, at least one. All of them have to match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentDigests {
    /// SHA-256.
    pub sha256: Option<[u8; SHA256_BYTES]>,
    /// SHA-512.
    pub sha512: Option<[u8; SHA512_BYTES]>,
}

/// How the string to sign is made; with what is signed only in it.
enum Form<'r> {
    /// With the value of `x-amz-date`.
    SigV4 { date: &'r str, scope: Scope<'r> },
    /// With the scheme as it is spelt, and the value of `x-gateway-date`.
    Apinto { scheme: &'r str, date: &'r str },
    /// With the parameters of the signature, as they came.
    Message { parameters: &'r str },
}

impl<'r> SignedRequest<'r> {
    /// What is signed: headers in lower case, and derived components such as `@method`.
    pub fn covered(&self) -> impl Iterator<Item = &str> {
        self.covered.iter().map(|name| &**name)
    }

    /// Whether `name` is signed.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.covered().any(|covered| covered == name)
    }

    /// What is signed of the body.
    #[must_use]
    pub const fn payload(&self) -> Payload {
        self.payload
    }

    /// The headers that must not reach the upstream, as `request` spells them: of SigV4 each unsigned `x-amz-*`; of every
    /// form what an upstream that takes `_` for `-` takes for a signed header.
    #[must_use]
    pub fn unsigned_headers(&self, request: &RequestView<'r>) -> Vec<&'r str> {
        let is_sigv4 = matches!(self.form, Form::SigV4 { .. });
        let is_alike = |(a, b)| a == b || a == b'-' && b == b'_' || a == b'_' && b == b'-';
        let unsigned = |name: &&str| {
            let looks_like =
                |signed: &str| signed.len() == name.len() && signed.bytes().zip(name.bytes()).all(is_alike);
            let counts = is_sigv4 && sigv4::is_amz(name.as_bytes()) || self.covered().any(looks_like);
            counts && !self.covers(name)
        };
        request.headers.iter().filter_map(|(name, _)| std::str::from_utf8(name).ok()).filter(unsigned).collect()
    }

    /// The string to sign. `body` is the SHA-256 of the body, where [`Self::payload`] is [`Payload::Body`].
    ///
    /// # Errors
    /// [`Fault`], if what is signed of the request could be read in two ways or is absent.
    pub fn string_to_sign(
        &self,
        request: &RequestView<'_>,
        body: Option<&[u8; SHA256_BYTES]>,
    ) -> Result<Vec<u8>, Fault> {
        let lines = match self.form {
            Form::Message { parameters } => return message::base(request, &self.covered, parameters),
            Form::SigV4 { date, scope: Scope { date: day, region, service } } => {
                [sigv4::ALGORITHM, "\n", date, "\n", day, "/", region, "/", service, "/", sigv4::TERMINATOR, "\n"]
                    .concat()
            }
            Form::Apinto { scheme, date } => [scheme, "\n", date, "\n"].concat(),
        };
        let canonical = self.canonical_request(request, body)?.unwrap_or_default();
        Ok((lines + &to_hex(&sha256(&canonical))).into_bytes())
    }

    /// What is hashed into the string to sign. `None` for RFC 9421, which hashes nothing.
    ///
    /// # Errors
    /// Those of [`Self::string_to_sign`].
    pub fn canonical_request(
        &self,
        request: &RequestView<'_>,
        body: Option<&[u8; SHA256_BYTES]>,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let (path, query) = match self.form {
            Form::SigV4 { scope, .. } => (sigv4::path(request, scope.service)?, canonical::query_as_written(request)?),
            Form::Apinto { .. } => (apinto::path(request)?, apinto::query(request)?),
            Form::Message { .. } => return Ok(None),
        };
        let stated = match self.payload {
            Payload::Digests(digests) => digests.sha256,
            Payload::Body | Payload::Nothing => None,
        };
        let body = stated.as_ref().or(body).ok_or(Fault::BodyUnsigned("the body has not been hashed"))?;
        canonical::request(request, &path, &query, &self.covered, body).map(Some)
    }
}

/// Shows no signature.
impl fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SignedRequest").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// Shorthand of this room.
type Result<T, E = Fault> = std::result::Result<T, E>;
