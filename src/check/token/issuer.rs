//! The token comes from a configured issuer, by an algorithm that this issuer may use.

use super::{Formed, Result, TokenRequirements};
use crate::crypto::Algorithm;
use crate::decision::Denial;
use crate::policy::{Issuer, IssuerId};

/// Proof: the token names a configured issuer that is good here, and an algorithm of its list.
#[derive(Debug)]
pub struct Recognised<'a> {
    /// The token.
    pub(super) token: &'a Formed<'a>,
    /// The issuer that it names.
    pub(super) issuer: &'a Issuer,
    /// Its place in the policy.
    pub(super) id: IssuerId,
    /// The algorithm that it names.
    pub(super) algorithm: Algorithm,
}

impl<'a> Recognised<'a> {
    /// Finds the issuer by exact comparison of `iss` (RFC 7519 section 4.1.1, RFC 9068 section 4) and holds `alg`
    /// against its list ([RFC 8725 section 3.1](https://www.rfc-editor.org/rfc/rfc8725#section-3.1)).
    ///
    /// # Errors
    /// [`Denial::UnknownIssuer`], [`Denial::AlgorithmNotAllowed`].
    pub fn check(token: &'a Formed<'a>, issuers: &'a [Issuer], asks: &TokenRequirements<'_>) -> Result<Self> {
        // `none` and everything else that is not known has no Algorithm to be compared with.
        let algorithm = token.algorithm().ok_or(Denial::AlgorithmNotAllowed)?;
        let named = token.claims().issuer().ok_or(Denial::UnknownIssuer)?;
        let (index, issuer) =
            issuers.iter().enumerate().find(|(_, issuer)| issuer.issuer == named).ok_or(Denial::UnknownIssuer)?;
        let id = IssuerId(index);
        if !asks.iter().all(|ask| ask.issuers.as_ref().is_none_or(|good| good.contains(&id))) {
            return Err(Denial::UnknownIssuer);
        }
        if !issuer.algorithms.contains(algorithm) {
            return Err(Denial::AlgorithmNotAllowed);
        }
        Ok(Self { token, issuer, id, algorithm })
    }

    /// The place of the issuer in the policy.
    #[must_use]
    pub const fn issuer_id(&self) -> IssuerId {
        self.id
    }
}
