//! The token has not been revoked: a signature is good for as long as its key is, whatever has become of the token.

use super::{Unproven, Verified};
use crate::base::time::UnixSeconds;
use crate::decision::{Denial, Need, NeedKind};
use crate::facts::{Awaited, Facts};
use crate::revocation::{Kind, Revocable};
use std::borrow::Cow;

/// Proof: no entry of a revocation list means the token, and no list is missing that a request may not pass without.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a, 'v>(&'v Verified<'a>);

impl<'a, 'v> Live<'a, 'v> {
    /// Looks the token up. This is done for every request, also where the signature has been checked before; but lists that
    /// are known not to mean a remembered token are not asked once more.
    ///
    /// # Errors
    /// [`Denial::Revoked`], whatever else is missing; then [`Need::Revocations`] while a list is, or
    /// [`Denial::RevocationUnavailable`] when it has been awaited.
    pub fn check(verified: &'v Verified<'a>, facts: &Facts<'_>) -> Result<Self, Unproven> {
        let found = match verified.token().known() {
            Some(known) => facts.revocations.find_again(verified, &known.clearance),
            None => facts.revocations.find(verified),
        };
        match (found, facts.awaited.of(NeedKind::Revocations)) {
            (Some(kind), _) => Err(Unproven::Deny(Denial::Revoked(kind.member()))),
            (None, _) if facts.revocations.are_complete() => Ok(Self(verified)),
            (None, Awaited::No) => Err(Unproven::Await(Need::Revocations)),
            (None, Awaited::Yes | Awaited::InVain) => Err(Unproven::Deny(Denial::RevocationUnavailable)),
        }
    }

    /// The token.
    #[must_use]
    pub const fn verified(&self) -> &'v Verified<'a> {
        self.0
    }
}

impl Revocable for Verified<'_> {
    fn iss(&self) -> &str {
        // They are equal: that is how the issuer was found.
        &self.issuer().issuer
    }

    fn name(&self, kind: Kind) -> Option<Cow<'_, str>> {
        match kind {
            Kind::Fingerprint => Some(self.token().fingerprint().as_str().to_owned().into()),
            Kind::SigningKey => self.key_id().map(Cow::Borrowed),
            // What RFC 9068 calls `client_id` is `azp` in the tokens of others.
            Kind::Client => self.claims().text(kind.member()).or_else(|| self.claims().text("azp")),
            Kind::TokenId | Kind::Subject | Kind::Session => self.claims().text(kind.member()),
        }
    }

    fn issued_at(&self) -> Option<UnixSeconds> {
        self.claims().issued_at
    }
}
