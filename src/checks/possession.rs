//! A proof of possession: the checks of [RFC 9449 section 4.3](https://www.rfc-editor.org/rfc/rfc9449#section-4.3), but
//! whether it has been used before, which comes last of all.

use super::replay::asked;
use super::{Effect, Result, Unproven};
use crate::base::time::{Seconds, UnixSeconds};
use crate::credential::{self, BearerToken};
use crate::crypto::{Algorithm, SHA256_BYTES, Verification};
use crate::decision::{CredentialKind, Denial};
use crate::facts::{Claim, Claimed, Facts, Pool};
use crate::jose::{Malformed, Proof, access_token_hash};
use crate::policy::{Dpop, ForwardedCertificate};
use crate::request::RequestView;

/// What a request has to prove that its sender holds the key of its token.
#[derive(Clone, Copy, Debug)]
pub struct Possession<'r> {
    /// The scheme that the token was sent with.
    pub scheme: CredentialKind,
    /// The token, whose hash the proof names.
    pub token: BearerToken<'r>,
    /// The request, which has the proof.
    pub request: &'r RequestView<'r>,
    /// How proofs are judged.
    pub dpop: Option<&'r Dpop>,
    /// Where the certificate of a client is found that another proxy has seen.
    pub forwarded_certificate: Option<&'r ForwardedCertificate>,
    /// The longest proof, in bytes.
    pub max_bytes: usize,
}

/// A proof that is valid, and good once: what it is remembered by.
#[derive(Debug)]
pub struct UnusedProof {
    thumbprint: [u8; SHA256_BYTES],
    id: String,
    issued_at: UnixSeconds,
    /// From when on it is refused anyway.
    until: UnixSeconds,
}

impl Possession<'_> {
    /// Judges the proof of a request whose token is bound to the key of this thumbprint. The signature is checked last,
    /// since it costs.
    ///
    /// # Errors
    /// [`Denial::ProofMissing`] without a proof, or where none can be checked; [`Denial::InvalidProof`],
    /// [`Denial::UseNonce`]; [`Denial::BoundToAnother`] when it is of another key; [`Denial::TooBusy`] when there was no
    /// time to check its signature.
    pub(super) fn check(&self, bound: &[u8; SHA256_BYTES], facts: &Facts<'_>) -> Result<UnusedProof> {
        let Some(dpop) = self.dpop else {
            return Err(Denial::ProofMissing(
                "`cnf.jkt` binds the token to a key, and the configuration has no `dpop: {origins: [...]}`",
            ));
        };
        // A token that is sent as if it were not bound could have been taken from its holder (RFC 9449 section 7.2).
        if self.scheme != CredentialKind::Dpop {
            return Err(Denial::ProofMissing("the token is bound to a key, and was not sent with the scheme DPoP"));
        }
        let text = credential::proof(self.request)?.ok_or(Denial::ProofMissing("there is no DPoP header"))?;
        if text.len() > self.max_bytes {
            return Err(Denial::InvalidProof("longer than `limits.token_bytes`"));
        }
        let proof = Proof::parse(text).map_err(|Malformed(why)| Denial::InvalidProof(why))?;
        let algorithm = Algorithm::from_name(&proof.alg).filter(|&algorithm| dpop.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(Denial::InvalidProof("its alg is not accepted"))?;
        if !proof.key.fits(algorithm) {
            return Err(Denial::InvalidProof("its alg is not one of its key"));
        }
        if proof.text("htm").as_bytes() != self.request.method() {
            return Err(Denial::InvalidProof("its htm is another method"));
        }
        if !dpop.is_target(&proof.text("htu"), self.request) {
            return Err(Denial::InvalidProof("its htu is another address"));
        }
        if proof.text("ath") != access_token_hash(self.token.as_bytes()) {
            return Err(Denial::InvalidProof("its ath is of another token"));
        }
        let now = facts.surroundings.now();
        let issued_at = check_times(&proof, dpop, now)?;
        if proof.thumbprint != *bound {
            return Err(Denial::BoundToAnother("the proof is of another key than the token"));
        }
        if let Some(nonces) = &dpop.nonce
            && !nonces.accepts(&proof.text("nonce"), now)
        {
            return Err(Denial::UseNonce(nonces.issue(now)));
        }
        match facts.verifier.verify(&proof.key, algorithm, proof.signing_input, &proof.signature) {
            Verification::Valid => Ok(UnusedProof {
                thumbprint: proof.thumbprint,
                id: proof.text("jti").into_owned(),
                issued_at,
                until: issued_at.plus(dpop.max_age).plus(ONE_SECOND),
            }),
            Verification::Invalid => Err(Denial::InvalidProof("its signature is not of its key")),
            Verification::TooBusy => Err(Denial::TooBusy),
        }
    }
}

/// A proof is good up to its last second, and can be used in it.
const ONE_SECOND: Seconds = Seconds(1);

/// Whether a proof has been made just now (RFC 9449 section 4.3 (11)). `exp` and `nbf` hold where it has them.
fn check_times(proof: &Proof<'_>, dpop: &Dpop, now: UnixSeconds) -> Result<UnixSeconds> {
    let claims = proof.claims();
    let issued_at = claims.issued_at.ok_or(Denial::InvalidProof("no iat"))?;
    if now > issued_at.plus(dpop.max_age) {
        return Err(Denial::InvalidProof("its iat is longer ago than `dpop.max_age`"));
    }
    if issued_at > now.plus(dpop.max_ahead) {
        return Err(Denial::InvalidProof("its iat is further ahead than `dpop.max_ahead`"));
    }
    if claims.expires_at.is_some_and(|expires_at| now >= expires_at) {
        return Err(Denial::InvalidProof("its exp has been reached"));
    }
    if claims.not_before.is_some_and(|not_before| now.plus(dpop.max_ahead) < not_before) {
        return Err(Denial::InvalidProof("its nbf has not come"));
    }
    Ok(issued_at)
}

impl UnusedProof {
    /// Uses the proof up. This is the last thing that is asked of a request, so that one that is refused uses nothing up.
    ///
    /// # Errors
    /// [`Denial::ProofReplayed`] when it has been used; [`Denial::InvalidProof`] when it was made before anyone remembered
    /// which have been; [`Denial::TooBusy`] when there is no room to remember it;
    /// [`Need::FirstUse`](crate::decision::Need::FirstUse) where the fleet has to be asked, or
    /// [`Denial::ReplayUnavailable`] where that has been awaited.
    pub(super) fn claim(&self, facts: &Facts<'_>, effect: Effect) -> std::result::Result<(), Unproven> {
        let claim = Claim {
            pool: Pool::Proofs,
            id: &[effect.name(), &self.thumbprint, self.id.as_bytes()],
            principal: &[&self.thumbprint],
            until: self.until,
            made_at: Some(self.issued_at),
        };
        match facts.replay.claim(&claim, facts.surroundings.now()) {
            Claimed::First => Ok(()),
            Claimed::FirstHere(claim) => Err(asked(claim, facts)),
            Claimed::Again => Err(Unproven::Deny(Denial::ProofReplayed)),
            Claimed::TooOld => {
                Err(Unproven::Deny(Denial::InvalidProof("made before this process began to remember proofs")))
            }
            Claimed::Unknown => Err(Unproven::Deny(Denial::TooBusy)),
        }
    }
}
