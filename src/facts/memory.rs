//! Tokens that have been verified before, so that the same bytes need not be verified again.
//!
//! Remembering changes how fast a decision is, and never what it is: what is remembered of a token is that it was taken
//! apart, what it says, that it is what its issuer's tokens must always be, and which keys verified its signature.
//! Everything that the time, the requirement and the revocation lists ask of it is judged for every request.

use super::{Generation, KeyRing};
use crate::base::details::DetailsCell;
use crate::base::names::{FingerprintCell, Subject};
use crate::base::time::UnixSeconds;
use crate::crypto::Algorithm;
use crate::decision::Held;
use crate::jose::{Claims, JoseHeader};
use crate::policy::IssuerId;
use crate::revocation::Clearance;
use std::cell::OnceCell;
use std::rc::Rc;

/// What a digest that records show takes of memory, in bytes.
const DIGEST_BYTES: usize = 32;

/// A token whose signature has been verified, or of which its issuer has said that it is active.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    /// Its JOSE header; an empty one, where it has none.
    pub header: JoseHeader,
    /// Its claims.
    pub claims: Claims,
    /// What vouches for it.
    pub voucher: Voucher,
    /// Its fingerprint, once it has been asked for.
    pub fingerprint: FingerprintCell,
    /// Its `sub`, read.
    pub subject: Option<Rc<Subject>>,
    /// Whose keys verified it, or whose word it is.
    pub issuer: IssuerId,
    /// Which revocation lists it is not on.
    pub clearance: Clearance,
    /// What records show of it.
    pub details: DetailsCell,
    /// What it is judged by again while a stream that it opened is open, once there has been one.
    pub held: OnceCell<Rc<Held>>,
}

/// What vouches for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voucher {
    /// Its signature, of this algorithm, which the key at this place of its issuer's key set has verified. The generation says
    /// which of the key sets that the issuer has had: by another one it is not verified.
    Signature(Algorithm, Generation, usize),
    /// The word of its issuer.
    Introspection {
        /// When the issuer said so.
        since: UnixSeconds,
        /// From when on that holds no longer.
        until: UnixSeconds,
    },
}

/// The name of a token in a memory: a digest of all its bytes, signature included, under a secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenName(pub u128);

/// A memory of verified tokens, for one policy: a token that is remembered has passed what that policy asks of every token
/// of its issuer.
pub trait TokenMemory {
    /// What a token of exactly these bytes is called; `None` where nothing is remembered.
    fn name(&self, token: &[u8]) -> Option<TokenName>;

    /// What is remembered under this name, unless its time is over at `now`, or its issuer has other keys by now.
    fn recall(&self, name: TokenName, now: UnixSeconds, keys: &KeyRing) -> Option<Rc<VerifiedToken>>;

    /// Remembers a token that has just been verified.
    fn remember(&self, name: TokenName, token: VerifiedToken);
}

/// Remembers nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMemory;

impl TokenMemory for NoMemory {
    fn name(&self, _token: &[u8]) -> Option<TokenName> {
        None
    }

    fn recall(&self, _name: TokenName, _now: UnixSeconds, _keys: &KeyRing) -> Option<Rc<VerifiedToken>> {
        None
    }

    fn remember(&self, _name: TokenName, _token: VerifiedToken) {}
}

impl VerifiedToken {
    /// An opaque token of which `issuer` has said these claims at `since`. Its word holds until `until`, and never beyond
    /// `exp`.
    #[must_use]
    pub fn introspected(issuer: IssuerId, claims: Claims, since: UnixSeconds, until: UnixSeconds) -> Self {
        let until = claims.expires_at.map_or(until, |expires_at| expires_at.min(until));
        Self {
            header: JoseHeader::default(),
            voucher: Voucher::Introspection { since, until },
            fingerprint: FingerprintCell::default(),
            subject: claims.subject().map(|subject| Rc::new(Subject::new(&subject))),
            issuer,
            clearance: Clearance::default(),
            details: DetailsCell::default(),
            held: OnceCell::new(),
            claims,
        }
    }

    /// Whether the keys that verified it are those that its issuer has now. The word of an issuer needs none.
    #[must_use]
    pub fn is_by(&self, keys: &KeyRing) -> bool {
        match self.voucher {
            Voucher::Signature(_, generation, _) => keys.generation(self.issuer) == Some(generation),
            Voucher::Introspection { .. } => true,
        }
    }

    /// Whether its time is over at `now`: there is nothing left to remember.
    #[must_use]
    pub fn has_expired(&self, now: UnixSeconds) -> bool {
        match self.voucher {
            Voucher::Signature(..) => self.claims.expires_at.is_none_or(|expires_at| expires_at <= now),
            // A clock that was set back would make it hold for longer.
            Voucher::Introspection { since, until } => now < since || until <= now,
        }
    }

    /// How many bytes of memory it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let header = &self.header;
        let texts = [Some(&header.alg), header.kid.as_ref(), header.typ.as_ref()];
        let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
        // A subject and a fingerprint may have a digest each, which is computed later.
        let subject = self.subject.as_ref().map_or(0, |subject| size_of::<Subject>() + subject.as_str().len());
        let details = self.details.get().map_or(0, |details| details.bytes());
        let held = self.held.get().map_or(0, |held| held.bytes());
        size_of::<Self>() + self.claims.bytes() + texts + subject + details + held + 2 * DIGEST_BYTES
    }
}
