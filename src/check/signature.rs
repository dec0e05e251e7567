//! The token was signed by its issuer: the last check of a token, and the only one that costs.

use super::{Complete, Recognised};
use crate::crypto::Verification;
use crate::decision::{Denial, Need, VerifiedIdentity};
use crate::facts::{Facts, Generation, VerifiedToken};
use crate::jose::Claims;
use crate::policy::Issuer;
use std::borrow::Cow;

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
        let Some(compact) = token.unverified() else { return Ok(Self(proof)) };
        let (Some(keys), Some(generation)) = (facts.keys.get(id), facts.keys.generation(id)) else {
            return Err(if facts.awaited_keys {
                Unverified::Deny(Denial::KeysUnavailable)
            } else {
                Unverified::Await(Need::Keys(id))
            });
        };
        let mut denial = Denial::UnknownKey;
        for key in keys.candidates(compact.header.kid.as_deref(), algorithm) {
            match facts.verifier.verify(key, algorithm, compact.signing_input, &compact.signature) {
                Verification::Valid => {
                    let verified = Self(proof);
                    verified.remember(generation, facts);
                    return Ok(verified);
                }
                Verification::Invalid => denial = Denial::BadSignature,
                Verification::TooBusy => return Err(Unverified::Deny(Denial::TooBusy)),
            }
        }
        Err(Unverified::Deny(denial))
    }

    fn remember(&self, generation: Generation, facts: &Facts<'_>) {
        let Recognised { token, id, .. } = *self.0.recognised();
        if let Some(name) = token.name() {
            let (header, claims) = (token.header().clone(), token.claims().clone());
            let fingerprint = token.fingerprint();
            facts.memory.remember(name, VerifiedToken { header, claims, fingerprint, issuer: id, generation });
        }
    }

    /// The token's claims.
    #[must_use]
    pub fn claims(&self) -> &'a Claims {
        self.0.recognised().token.claims()
    }

    /// The token's issuer.
    #[must_use]
    pub const fn issuer(&self) -> &'a Issuer {
        self.0.recognised().issuer
    }

    /// Who it speaks for.
    #[must_use]
    pub fn identity(&self) -> VerifiedIdentity {
        VerifiedIdentity { issuer: self.0.recognised().id, subject: self.claims().subject().map(Cow::into_owned) }
    }
}
