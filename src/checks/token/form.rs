//! The token is a JWT within the size limit (RFC 7515 section 5.2, RFC 7519 section 7.2).

use super::Result;
use crate::base::base64url;
use crate::base::names::{Fingerprint, FingerprintCell};
use crate::credential::BearerToken;
use crate::crypto::{Algorithm, sha256};
use crate::decision::Denial;
use crate::facts::{Facts, TokenName, VerifiedToken, Voucher};
use crate::jose::{Claims, Compact, JoseHeader, Malformed};
use crate::policy::{IssuerId, TokenPlace};
use std::rc::Rc;

pub use crate::revocation::FINGERPRINT_CHARACTERS;

/// Proof: a JWT in compact serialization within the limit, taken apart, of which nothing is trusted; or what the issuer
/// says of an opaque token.
#[derive(Debug)]
pub struct Formed<'t> {
    parts: Parts<'t>,
    /// What it would be remembered by.
    name: Option<TokenName>,
    /// Where it is.
    place: TokenPlace<'t>,
    /// Whether it was remembered from an earlier request.
    is_remembered: bool,
}

#[derive(Debug)]
enum Parts<'t> {
    Fresh(Compact<'t>, FingerprintCell),
    /// The very same bytes were taken apart and verified before, by keys that are still those of the issuer; or the issuer
    /// has said what they mean.
    Remembered(Rc<VerifiedToken>, BearerToken<'t>),
}

/// The signature of a token.
pub(super) enum Signature<'f> {
    /// It has to be verified.
    ToVerify(&'f Compact<'f>),
    /// Keys that are still those of the issuer have verified it.
    Remembered(&'f VerifiedToken),
}

impl<'t> Formed<'t> {
    /// Takes a token apart, or recalls what came of that.
    ///
    /// # Errors
    /// When it is not of the grammar of a bearer token, longer than `limit` bytes, or no JWT.
    pub fn check(token: BearerToken<'t>, limit: usize, facts: &Facts<'_>) -> Result<Self> {
        let text = token.as_bytes();
        let name = if text.len() > limit { None } else { facts.memory.name(text) };
        if let Some(known) = name.and_then(|name| facts.memory.recall(name, facts.surroundings.now(), facts.keys)) {
            let parts = Parts::Remembered(known, token);
            return Ok(Self { parts, name, place: token.place(), is_remembered: true });
        }
        token.check_grammar()?;
        if text.len() > limit {
            return Err(Denial::TokenTooLarge);
        }
        let compact = Compact::parse(text).map_err(|Malformed(why)| Denial::MalformedToken(why))?;
        let parts = Parts::Fresh(compact, FingerprintCell::default());
        Ok(Self { parts, name, place: token.place(), is_remembered: false })
    }

    /// A token of exactly the bytes of one that is known, from an earlier request or from this one.
    pub(super) const fn known(known: Rc<VerifiedToken>, token: BearerToken<'t>, is_remembered: bool) -> Self {
        Self { place: token.place(), parts: Parts::Remembered(known, token), name: None, is_remembered }
    }

    /// Whether it was remembered from an earlier request.
    #[must_use]
    pub const fn is_remembered(&self) -> bool {
        self.is_remembered
    }

    /// The issuer that has said what it means, if it is opaque.
    #[must_use]
    pub fn introspected_by(&self) -> Option<IssuerId> {
        match &self.parts {
            Parts::Remembered(known, _) if matches!(known.voucher, Voucher::Introspection { .. }) => Some(known.issuer),
            Parts::Remembered(..) | Parts::Fresh(..) => None,
        }
    }

    /// The JOSE header.
    #[must_use]
    pub fn header(&self) -> &JoseHeader {
        match &self.parts {
            Parts::Fresh(compact, _) => &compact.header,
            Parts::Remembered(known, _) => &known.header,
        }
    }

    /// The algorithm that `alg` names; `None` where it names none that can be checked.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        match &self.parts {
            Parts::Fresh(compact, _) => Algorithm::from_name(&compact.header.alg),
            Parts::Remembered(known, _) => match known.voucher {
                Voucher::Signature(algorithm, ..) => Some(algorithm),
                Voucher::Introspection { .. } => None,
            },
        }
    }

    /// The claims.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        match &self.parts {
            Parts::Fresh(compact, _) => &compact.claims,
            Parts::Remembered(known, _) => &known.claims,
        }
    }

    /// What the token is called in records: `base64url(SHA-256(signing input))[..22]`; of an opaque token all of it counts,
    /// which its issuer made at random.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        match &self.parts {
            Parts::Fresh(compact, cell) => Fingerprint::new(cell, compact.signing_input, fingerprint),
            Parts::Remembered(known, token) => {
                // What comes again will come once more: computed now, it need not be copied each time.
                known.fingerprint.get_or_init(|| {
                    let of_whole = self.introspected_by().is_some();
                    fingerprint(if of_whole { token.as_bytes() } else { signing_input(*token) }).into()
                });
                Fingerprint::new(&known.fingerprint, b"", fingerprint)
            }
        }
    }

    /// Where its fingerprint is kept.
    pub(super) fn fingerprint_cell(&self) -> FingerprintCell {
        match &self.parts {
            Parts::Fresh(_, cell) => Rc::clone(cell),
            Parts::Remembered(known, _) => Rc::clone(&known.fingerprint),
        }
    }

    /// What the signature check has to do.
    pub(super) fn signature(&self) -> Signature<'_> {
        match &self.parts {
            Parts::Fresh(compact, _) => Signature::ToVerify(compact),
            Parts::Remembered(known, _) => Signature::Remembered(known),
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn place(&self) -> TokenPlace<'t> {
        self.place
    }

    /// What it would be remembered by.
    pub(super) const fn name(&self) -> Option<TokenName> {
        self.name
    }
}

/// The part before the last dot (RFC 7515 section 5.1) of a parsed token.
fn signing_input(token: BearerToken<'_>) -> &[u8] {
    let bytes = token.as_bytes();
    bytes.iter().rposition(|&byte| byte == b'.').and_then(|dot| bytes.get(..dot)).unwrap_or(bytes)
}

/// `base64url(SHA-256(bytes))[..22]`.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> String {
    let mut text = base64url::encode(&sha256(bytes));
    text.truncate(FINGERPRINT_CHARACTERS);
    text
}
