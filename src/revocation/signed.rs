//! The signed form: a line with a JWT, and after its line feed the list, whose SHA-256 is in the JWT. So there is one
//! signature to check, however long the list is.

use super::ListError;
use super::chunks::Chunks;
use crate::base::base64url;
use crate::base::time::{Seconds, UnixSeconds};
use crate::crypto::{Algorithm, KeyFamily, SHA256_BYTES, Verification, Verifier};
use crate::jose::{Claims, Compact, KeySet};

/// The `typ` of its JWT.
pub const SIGNED_TYPE: &str = "scopegate-revocations+jwt";
/// The `typ` of a JWT that is a document of identities.
pub const IDENTITIES_TYPE: &str = "scopegate-identities+jwt";
/// The claim with the digest.
pub const DIGEST_CLAIM: &str = "sha256";

/// The longest line with a JWT, in bytes.
const MAX_HEAD_BYTES: usize = 16_384;
/// The difference between clocks that is tolerated.
pub(super) const LEEWAY: Seconds = Seconds(60);

/// What a signature says about its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// When it was signed.
    pub issued_at: UnixSeconds,
    /// From when on it is too old, whatever the server says.
    pub expires_at: Option<UnixSeconds>,
    /// How long it is used before it is fetched again, whatever the server says.
    pub ttl: Option<Seconds>,
}

/// The head of a signed list that has been checked; the list itself has not.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) signature: Signature,
    /// The digest of what follows.
    pub(super) digest: [u8; SHA256_BYTES],
    /// Where that begins.
    pub(super) end: usize,
}

impl Signature {
    /// Whether its list is too old at `now`.
    #[must_use]
    pub fn is_over(&self, now: UnixSeconds) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at.plus(LEEWAY) <= now)
    }
}

/// Whether `bytes` begin as a JWT does: with the base64url of a brace.
#[must_use]
pub fn looks_signed(bytes: &Chunks) -> bool {
    bytes.byte(0) == Some(b'e')
}

/// Where the list begins: after the line that signs it.
#[must_use]
pub fn list_start(document: &Chunks) -> usize {
    if looks_signed(document) { head(document).len().saturating_add(1) } else { 0 }
}

/// The first line, without its line feed, as far as it may reach.
fn head(document: &Chunks) -> Vec<u8> {
    document.slices(0..MAX_HEAD_BYTES).flatten().copied().take_while(|&byte| byte != b'\n').collect()
}

/// Checks the head of the list that is called `name`. Keys and algorithms are chosen as for tokens (RFC 8725 sections
/// 3.1 and 3.11).
pub(super) fn check(
    bytes: &Chunks,
    name: &str,
    keys: &KeySet,
    verifier: &dyn Verifier,
    now: UnixSeconds,
) -> Result<Head, ListError> {
    let wrong = ListError::Signature;
    let head = head(bytes);
    let end = head.len().saturating_add(1);
    if bytes.byte(head.len()) != Some(b'\n') {
        return Err(wrong("no line feed ends its first line"));
    }
    let token = head.trim_ascii_end();
    let compact = Compact::parse(token).map_err(|malformed| wrong(malformed.0))?;
    let wrong_type = "its `typ` is not scopegate-revocations+jwt";
    verify(&compact, SIGNED_TYPE, wrong_type, keys, &|_| true, verifier)?;
    let claims = &compact.claims;
    if claims.text("sub").is_some_and(|subject| subject != name) {
        return Err(wrong("its `sub` is the name of another list"));
    }
    let signature = times(claims, now)?;
    let digest = claims
        .text(DIGEST_CLAIM)
        .and_then(|digest| base64url::decode(digest.as_bytes()))
        .and_then(|digest| digest.try_into().ok())
        .ok_or(wrong("it has no `sha256` in base64url"))?;
    Ok(Head { signature, digest, end })
}

/// Checks a document of identities of the set that is called `name`, and returns its claims. It says whose identities it has:
/// one key may sign the documents of several sets.
///
/// # Errors
/// When its signature is not accepted.
pub fn open_identities(
    document: &[u8],
    name: &str,
    keys: &KeySet,
    verifier: &dyn Verifier,
    now: UnixSeconds,
) -> Result<(Claims, Signature), ListError> {
    let wrong = ListError::Signature;
    let compact = Compact::parse(document.trim_ascii()).map_err(|malformed| wrong(malformed.0))?;
    let wrong_type = "its `typ` is not scopegate-identities+jwt";
    verify(&compact, IDENTITIES_TYPE, wrong_type, keys, &|_| true, verifier)?;
    if compact.claims.subject().is_none_or(|subject| subject != name) {
        return Err(wrong("its `sub` is not the name of the set"));
    }
    let signature = times(&compact.claims, now)?;
    Ok((compact.claims, signature))
}

/// What a signed document says of its time.
fn times(claims: &Claims, now: UnixSeconds) -> Result<Signature, ListError> {
    let wrong = ListError::Signature;
    let issued_at = claims.issued_at.ok_or(wrong("it has no `iat`"))?;
    if now.plus(LEEWAY) < issued_at || claims.not_before.is_some_and(|not_before| now.plus(LEEWAY) < not_before) {
        return Err(wrong("it is of the future"));
    }
    let signature = Signature { issued_at, expires_at: claims.expires_at, ttl: None };
    if signature.is_over(now) {
        return Err(wrong("it has expired"));
    }
    Ok(signature)
}

/// Checks type and signature of a JWT that is no token: one of `keys` has signed it, with an algorithm that may. An HMAC
/// proves nothing to those who share its secret.
pub(super) fn verify(
    compact: &Compact<'_>,
    wanted: &str,
    wrong_type: &'static str,
    keys: &KeySet,
    may_sign: &dyn Fn(Algorithm) -> bool,
    verifier: &dyn Verifier,
) -> Result<(), ListError> {
    let typ = compact.header.typ.as_deref().unwrap_or_default().to_ascii_lowercase();
    if typ.strip_prefix("application/").unwrap_or(&typ) != wanted {
        return Err(ListError::Signature(wrong_type));
    }
    let is_asymmetric = |algorithm: &Algorithm| algorithm.family() != KeyFamily::Secret;
    let algorithm = Algorithm::from_name(&compact.header.alg)
        .filter(|algorithm| is_asymmetric(algorithm) && may_sign(*algorithm))
        .ok_or(ListError::Signature("its `alg` is not supported"))?;
    let mut why = "no key has its `kid` and `alg`";
    for key in keys.candidates(compact.header.kid.as_deref(), algorithm) {
        match verifier.verify(&key.key, algorithm, compact.signing_input, &compact.signature) {
            Verification::Valid => return Ok(()),
            Verification::Invalid => why = "no key verifies it",
            Verification::TooBusy => why = "there was no time to verify it",
        }
    }
    Err(ListError::Signature(why))
}
