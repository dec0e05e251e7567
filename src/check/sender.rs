//! The sender of the request holds what the token is bound to, so that a token is of no use to whoever stole it
//! ([RFC 8705](https://www.rfc-editor.org/rfc/rfc8705), [RFC 7800](https://www.rfc-editor.org/rfc/rfc7800)).

use super::{Live, Principal, Result, TokenRequirements};
use crate::crypto::SHA256_BYTES;
use crate::decision::Denial;
use crate::facts::Facts;
use crate::jose::{Bindings, Claims, Confirmation};
use crate::policy::SenderConstraint;

/// Proof: the sender holds what the token is bound to, or it is bound to nothing and need not be.
#[derive(Clone, Copy, Debug)]
pub struct Proven<'a, 'v>(Live<'a, 'v>);

impl<'a, 'v> Proven<'a, 'v> {
    /// Holds the binding of the token against the request. This is done for every request: what is remembered of a token
    /// says nothing of who sends it.
    ///
    /// # Errors
    /// [`Denial::NotBound`] when the token is not bound as the issuer or the requirements ask;
    /// [`Denial::MalformedToken`], [`Denial::BoundToAnother`], [`Denial::ProofMissing`] and
    /// [`Denial::CertificateMismatch`] when it is bound and that is not proven.
    pub fn check(live: Live<'a, 'v>, asks: &TokenRequirements<'_>, facts: &Facts<'_>) -> Result<Self> {
        let principal = live.principal();
        judge(principal.claims(), principal.sender_constraint(), asks, facts)?;
        Ok(Self(live))
    }

    /// Who is judged.
    #[must_use]
    pub const fn principal(&self) -> &'v Principal<'a> {
        self.0.principal()
    }
}

/// Judges how a token is bound. `of_issuer` is what the issuer asks.
pub(super) fn judge(
    claims: &Claims,
    of_issuer: SenderConstraint,
    asks: &TokenRequirements<'_>,
    facts: &Facts<'_>,
) -> Result<()> {
    let asked = asks.iter().fold(of_issuer, |all, ask| all.and(ask.sender_constraint));
    if asked == SenderConstraint::NOTHING {
        return Ok(());
    }
    let Bindings { key, certificate } = match claims.confirmation.as_deref() {
        None if asked.includes(SenderConstraint::REQUIRED) => return Err(Denial::NotBound),
        None => return Ok(()),
        Some(Confirmation::Malformed(why)) => return Err(Denial::MalformedToken(why)),
        Some(Confirmation::UnknownMethod) => {
            return Err(Denial::BoundToAnother("`cnf` has a member other than `jkt` and `x5t#S256`"));
        }
        Some(Confirmation::Bound(bindings)) => bindings,
    };
    if asked.includes(SenderConstraint::MTLS) && certificate.is_none() {
        return Err(Denial::NotBound);
    }
    if let Some(bound) = certificate {
        check_certificate(bound, facts.surroundings.peer_certificate())?;
    }
    match key {
        None => Ok(()),
        Some(_) => {
            Err(Denial::ProofMissing("`cnf.jkt` binds the token to a key, and this version reads no DPoP proofs"))
        }
    }
}

/// Whether the certificate of the connection is the one that the token is bound to (RFC 8705 section 3). Neither digest is
/// a secret.
fn check_certificate(bound: &[u8; SHA256_BYTES], shown: Option<[u8; SHA256_BYTES]>) -> Result<()> {
    match shown {
        Some(shown) if shown == *bound => Ok(()),
        Some(_) => Err(Denial::CertificateMismatch("the client showed another certificate")),
        None => Err(Denial::CertificateMismatch("the client showed no certificate")),
    }
}
