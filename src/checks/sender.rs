//! The sender of the request holds what the token is bound to, so that a stolen token is of no use
//! ([RFC 8705](https://www.rfc-editor.org/rfc/rfc8705), [RFC 9449](https://www.rfc-editor.org/rfc/rfc9449),
//! [RFC 7800](https://www.rfc-editor.org/rfc/rfc7800)).

use super::client_certificate::client_certificate;
use super::possession::{Possession, UnusedProof};
use super::{Live, Principal, Result, TokenRequirements};
use crate::crypto::SHA256_BYTES;
use crate::decision::{CredentialKind, Denial};
use crate::facts::Facts;
use crate::jose::{Bindings, Claims, Confirmation};
use crate::policy::{SenderConstraint, TokenPlace};

/// Proof: the sender holds what the token is bound to, or it is bound to nothing and need not be.
#[derive(Debug)]
pub struct Proven<'a, 'v> {
    live: Live<'a, 'v>,
    /// The proof of possession, which is good once.
    unused: Option<UnusedProof>,
}

impl<'a, 'v> Proven<'a, 'v> {
    /// Holds the binding of the token against the request. This is done for every request: what is remembered of a token
    /// says nothing of who sends it.
    ///
    /// # Errors
    /// [`Denial::NotBound`] when the token is not bound as the issuer, the requirements or the scheme ask;
    /// [`Denial::MalformedToken`], [`Denial::BoundToAnother`], [`Denial::CertificateMismatch`], [`Denial::ProofMissing`]
    /// and those of [`Possession`] when it is bound and that is not proven.
    pub fn check(
        live: Live<'a, 'v>,
        asks: &TokenRequirements<'_>,
        possession: &Possession<'_>,
        facts: &Facts<'_>,
    ) -> Result<Self> {
        let principal = live.principal();
        let asked = asked(principal.sender_constraint(), asks);
        let unused = match judge_binding(principal.claims(), asked, possession, facts)? {
            None => None,
            Some(key) => Some(possession.check(&key, facts)?),
        };
        Ok(Self { live, unused })
    }

    /// A credential that is a secret: what it proves, everyone proves who sends it. What requirements ask of senders, they
    /// ask of the token beside it.
    pub(super) const fn by_secret(live: Live<'a, 'v>) -> Self {
        Self { live, unused: None }
    }

    /// Who is judged.
    #[must_use]
    pub const fn principal(&self) -> &'v Principal<'a> {
        self.live.principal()
    }

    /// The proof of possession, where there had to be one.
    pub(super) const fn unused(&self) -> Option<&UnusedProof> {
        self.unused.as_ref()
    }
}

/// What is asked of the sender. `of_issuer` is what the issuer asks.
pub(super) fn asked(of_issuer: SenderConstraint, asks: &TokenRequirements<'_>) -> SenderConstraint {
    asks.iter().fold(of_issuer, |all, ask| all.and(ask.sender_constraint))
}

/// Judges how a token is bound, and the certificate where it is bound to one. Gives the thumbprint of the key that is to be
/// proven, where it is bound to one.
pub(super) fn judge_binding(
    claims: &Claims,
    asked: SenderConstraint,
    possession: &Possession<'_>,
    facts: &Facts<'_>,
) -> Result<Option<[u8; SHA256_BYTES]>> {
    // Only after the scheme DPoP is it shown to whom the token is bound (RFC 9449 section 7.1).
    if possession.token.place() != TokenPlace::Authorization && is_bound_to_key(claims) {
        return Err(Denial::ProofMissing("the token is bound to a key, and is not in `authorization`"));
    }
    if asked == SenderConstraint::NOTHING {
        return Ok(None);
    }
    let Bindings { key, certificate } = match claims.confirmation.as_deref() {
        None => Bindings::default(),
        Some(Confirmation::Malformed(why)) => return Err(Denial::MalformedToken(why)),
        Some(Confirmation::UnknownMethod) => {
            return Err(Denial::BoundToAnother("`cnf` has a member other than `jkt` and `x5t#S256`"));
        }
        Some(Confirmation::Bound(bindings)) => *bindings,
    };
    let is_bound = key.is_some() || certificate.is_some();
    let needs_key = asked.includes(SenderConstraint::DPOP) || possession.scheme == CredentialKind::Dpop;
    if asked.includes(SenderConstraint::REQUIRED) && !is_bound
        || asked.includes(SenderConstraint::MTLS) && certificate.is_none()
        || needs_key && key.is_none()
    {
        return Err(Denial::NotBound);
    }
    if let Some(bound) = certificate {
        let Possession { forwarded_certificate, request, .. } = possession;
        check_certificate(&bound, client_certificate(*forwarded_certificate, request, facts.surroundings)?)?;
    }
    Ok(key)
}

fn is_bound_to_key(claims: &Claims) -> bool {
    matches!(claims.confirmation.as_deref(), Some(Confirmation::Bound(Bindings { key: Some(_), .. })))
}

/// Whether the client's certificate is the one that the token is bound to (RFC 8705 section 3). Neither digest is
/// a secret.
fn check_certificate(bound: &[u8; SHA256_BYTES], shown: Option<[u8; SHA256_BYTES]>) -> Result<()> {
    match shown {
        Some(shown) if shown == *bound => Ok(()),
        Some(_) => Err(Denial::CertificateMismatch("the client showed another certificate")),
        None => Err(Denial::CertificateMismatch("the client showed no certificate")),
    }
}
