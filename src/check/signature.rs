//! The token was signed by its issuer: the last check of a token, and the only one that costs.

use super::{Complete, Recognised};
use crate::crypto::Verification;
use crate::decision::{Denial, Need, VerifiedIdentity};
use crate::facts::Facts;
use crate::jose::Claims;
use crate::policy::Issuer;

/// Proof: a key of the token's issuer verifies its signature. From here on its claims are true.
#[derive(Debug)]
pub struct Verified<'a>(Complete<'a>);

/// Why a token is not verified.
#[derive(Debug, PartialEq)]
pub enum Unverified {
    /// It is refused.
    Deny(Denial),
    /// It may be, once this is there.
    Await(Need),
}

impl<'a> Verified<'a> {
    /// Tries the issuer's keys of the token's `kid` and algorithm (RFC 7517 section 4.5, RFC 8725 section 3.8).
    ///
    /// # Errors
    /// [`Denial::UnknownKey`] without a candidate, [`Denial::BadSignature`] when none fits, [`Denial::TooBusy`] when
    /// nobody had the time to look; [`Need::Keys`] when the keys are not there and have not been awaited, else
    /// [`Denial::KeysUnavailable`].
    pub fn check(proof: Complete<'a>, facts: &Facts<'_>) -> Result<Self, Unverified> {
        let Recognised { token, id, algorithm, .. } = *proof.recognised();
        let compact = token.compact();
        let Some(keys) = facts.keys.get(id) else {
            return Err(if facts.awaited_keys {
                Unverified::Deny(Denial::KeysUnavailable)
            } else {
                Unverified::Await(Need::Keys(id))
            });
        };
        let mut denial = Denial::UnknownKey;
        for key in keys.candidates(compact.header.kid.as_deref(), algorithm) {
            match facts.verifier.verify(key, algorithm, compact.signing_input, &compact.signature) {
                Verification::Valid => return Ok(Self(proof)),
                Verification::Invalid => denial = Denial::BadSignature,
                Verification::TooBusy => return Err(Unverified::Deny(Denial::TooBusy)),
            }
        }
        Err(Unverified::Deny(denial))
    }

    /// The token's claims.
    #[must_use]
    pub const fn claims(&self) -> &'a Claims {
        &self.0.recognised().token.compact().claims
    }

    /// The token's issuer.
    #[must_use]
    pub const fn issuer(&self) -> &'a Issuer {
        self.0.recognised().issuer
    }

    /// Who it speaks for.
    #[must_use]
    pub fn identity(&self) -> VerifiedIdentity {
        VerifiedIdentity { issuer: self.0.recognised().id, subject: self.claims().subject.clone() }
    }
}
