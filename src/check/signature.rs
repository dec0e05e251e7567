//! The token was signed by its issuer: the only check that costs.

use super::{Complete, Formed, Recognised, Unproven};
use crate::base::names::Subject;
use crate::crypto::Verification;
use crate::decision::{Denial, Need, NeedKind, VerifiedIdentity};
use crate::facts::{Awaited, Facts, Generation, VerifiedToken};
use crate::jose::{Claims, JoseHeader};
use crate::policy::{Issuer, KeySource};
use crate::revocation::Clearance;
use std::rc::Rc;

/// Proof: a key of the token's issuer verifies its signature. From here on its claims are true.
#[derive(Debug)]
pub struct Verified<'a> {
    proof: Complete<'a>,
    /// The `kid` of the key, where the token names none.
    found_kid: Option<String>,
}

impl<'a> Verified<'a> {
    /// Tries the issuer's keys of the token's `kid` and algorithm (RFC 7517 section 4.5, RFC 8725 section 3.8).
    ///
    /// # Errors
    /// [`Denial::UnknownKey`] without a candidate, [`Denial::BadSignature`] when none fits, [`Denial::TooBusy`] when
    /// nobody had the time to look; [`Need::Keys`] when the keys are not there, [`Need::Kid`] when they can be fetched
    /// again and none has the token's `kid`, unless they have been awaited; [`Denial::KeysUnavailable`] when they have
    /// been, in vain.
    pub fn check(proof: Complete<'a>, facts: &Facts<'_>) -> Result<Self, Unproven> {
        let Recognised { token, id, issuer, algorithm } = *proof.recognised();
        // What is remembered names its key.
        let Some(compact) = token.unverified() else { return Ok(Self { proof, found_kid: None }) };
        let (Some(keys), Some(generation)) = (facts.keys.get(id), facts.keys.generation(id)) else {
            return Err(match facts.awaited.of(NeedKind::Keys) {
                Awaited::No => Unproven::Await(Need::Keys(id)),
                Awaited::Yes | Awaited::InVain => Unproven::Deny(Denial::KeysUnavailable),
            });
        };
        if let Some(kid) = compact.header.kid.as_deref()
            && matches!(issuer.keys, KeySource::Remote(_))
            && !keys.names(kid)
        {
            return Err(match facts.awaited.of(NeedKind::Keys) {
                Awaited::No => Unproven::Await(Need::Kid(id, kid.to_owned())),
                Awaited::Yes => Unproven::Deny(Denial::UnknownKey),
                Awaited::InVain => Unproven::Deny(Denial::KeysUnavailable),
            });
        }
        let mut denial = Denial::UnknownKey;
        for key in keys.candidates(compact.header.kid.as_deref(), algorithm) {
            match facts.verifier.verify(&key.key, algorithm, compact.signing_input, &compact.signature) {
                Verification::Valid => {
                    let found_kid = key.kid.clone().filter(|_| compact.header.kid.is_none());
                    let verified = Self { proof, found_kid };
                    verified.remember(generation, facts);
                    return Ok(verified);
                }
                Verification::Invalid => denial = Denial::BadSignature,
                Verification::TooBusy => return Err(Unproven::Deny(Denial::TooBusy)),
            }
        }
        Err(Unproven::Deny(denial))
    }

    fn remember(&self, generation: Generation, facts: &Facts<'_>) {
        let Recognised { token, algorithm, .. } = *self.proof.recognised();
        if let Some(name) = token.name() {
            // An entry may revoke the key: what is remembered names it, also where the token does not.
            let header = JoseHeader { kid: self.key_id().map(str::to_owned), ..token.header().clone() };
            let claims = token.claims().clone();
            let VerifiedIdentity { issuer, subject } = self.identity();
            let fingerprint = token.fingerprint_cell();
            let clearance = Clearance::default();
            let known =
                VerifiedToken { header, claims, algorithm, fingerprint, subject, issuer, generation, clearance };
            facts.memory.remember(name, known);
        }
    }

    /// The token's claims.
    #[must_use]
    pub fn claims(&self) -> &'a Claims {
        self.token().claims()
    }

    /// The token's issuer.
    #[must_use]
    pub const fn issuer(&self) -> &'a Issuer {
        self.proof.recognised().issuer
    }

    /// The token.
    pub(super) const fn token(&self) -> &'a Formed<'a> {
        self.proof.recognised().token
    }

    /// The `kid` of the key that verifies it, whether or not the token names it.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.token().header().kid.as_deref().or(self.found_kid.as_deref())
    }

    /// Who it speaks for.
    #[must_use]
    pub fn identity(&self) -> VerifiedIdentity {
        let subject = match self.token().known() {
            Some(known) => known.subject.clone(),
            None => self.claims().subject().map(|subject| Rc::new(Subject::new(&subject))),
        };
        VerifiedIdentity { issuer: self.proof.recognised().id, subject }
    }
}
