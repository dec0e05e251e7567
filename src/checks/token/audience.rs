//! The token is meant for this resource (RFC 7519 section 4.1.3, RFC 9068 section 4, RFC 8707).

use super::{Recognised, Result, TokenRequirements, Typed};
use crate::base::members::Raw;
use crate::decision::Denial;
use crate::jose::Claims;
use crate::policy::Issuer;
use std::borrow::Cow;

/// Proof: the token names one of the audiences.
#[derive(Debug)]
pub struct Addressed<'a>(Typed<'a>);

impl<'a> Addressed<'a> {
    /// Compares the audience exactly: no scheme, slash or letter case is forgiven.
    ///
    /// # Errors
    /// [`Denial::WrongAudience`], also when the claim is missing, empty, or neither a string nor a list of strings.
    pub fn check(proof: Typed<'a>, asks: &TokenRequirements<'_>) -> Result<Self> {
        let Recognised { token, issuer, .. } = proof.recognised();
        judge(token.claims(), issuer, asks)?;
        Ok(Self(proof))
    }

    pub(super) const fn recognised(&self) -> &Recognised<'a> {
        self.0.recognised()
    }
}

/// Judges the audience of a token, whether or not the checks before have passed.
pub(in crate::checks) fn judge(claims: &Claims, issuer: &Issuer, asks: &TokenRequirements<'_>) -> Result<()> {
    let mut asked = asks.iter().filter_map(|ask| ask.audiences.as_deref());
    let audience = issuer.audience_claims.iter().find_map(|claim| claims.get(claim));
    let named = audience.and_then(Named::read).ok_or(Denial::WrongAudience)?;
    let good = named.one_of(&issuer.audiences) && asked.all(|wanted| named.one_of(wanted));
    if good { Ok(()) } else { Err(Denial::WrongAudience) }
}

/// The audiences in a claim: a string, or a list of nothing but strings.
pub(in crate::checks) enum Named<'t> {
    One(Cow<'t, str>),
    Several(Vec<Cow<'t, str>>),
}

impl<'t> Named<'t> {
    pub(in crate::checks) fn read(claim: Raw<'t>) -> Option<Self> {
        claim.as_text().map(Self::One).or_else(|| claim.as_texts().map(Self::Several))
    }

    /// Whether one of them is wanted.
    pub(in crate::checks) fn one_of(&self, wanted: &[String]) -> bool {
        let is_wanted = |name: &Cow<'_, str>| wanted.iter().any(|good| good == name);
        match self {
            Self::One(name) => is_wanted(name),
            Self::Several(names) => names.iter().any(is_wanted),
        }
    }
}
