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
    /// The algorithm that it names; `None` of an opaque token, which is not signed.
    pub(super) algorithm: Option<Algorithm>,
}

impl<'a> Recognised<'a> {
    /// Finds the issuer by exact comparison of `iss` (RFC 7519 section 4.1.1, RFC 9068 section 4) and looks for `alg`
    /// in its list ([RFC 8725 section 3.1](https://www.rfc-editor.org/rfc/rfc8725#section-3.1)). A token of another place
    /// than that of its issuer is none of this issuer.
    ///
    /// # Errors
    /// [`Denial::UnknownIssuer`], [`Denial::AlgorithmNotAllowed`].
    pub fn check(token: &'a Formed<'a>, issuers: &'a [Issuer], asks: &TokenRequirements<'_>) -> Result<Self> {
        let algorithm = known_algorithm(token)?;
        let (id, issuer) = named_issuer(token, issuers)?;
        judge_issuer(token, issuer, id, asks)?;
        if let Some(algorithm) = algorithm {
            judge_algorithm(algorithm, issuer)?;
        }
        Ok(Self { token, issuer, id, algorithm })
    }

    /// The place of the issuer in the policy.
    #[must_use]
    pub const fn issuer_id(&self) -> IssuerId {
        self.id
    }
}

/// The issuer that the token names. An opaque one is of the issuer that was asked about it, and need not name it.
///
/// # Errors
/// [`Denial::UnknownIssuer`] where it names none of the policy, or another one than was asked.
pub fn named_issuer<'a>(token: &Formed<'_>, issuers: &'a [Issuer]) -> Result<(IssuerId, &'a Issuer)> {
    if let Some(id) = token.introspected_by() {
        let asked = issuers.get(id.0).ok_or(Denial::UnknownIssuer)?;
        let is_other = token.claims().issuer().is_some_and(|named| named != asked.issuer);
        return if is_other { Err(Denial::UnknownIssuer) } else { Ok((id, asked)) };
    }
    let named = token.claims().issuer().ok_or(Denial::UnknownIssuer)?;
    let mut all = issuers.iter().enumerate();
    let (index, issuer) = all.find(|(_, issuer)| issuer.issuer == named).ok_or(Denial::UnknownIssuer)?;
    Ok((IssuerId(index), issuer))
}

/// `none` and everything else that is not known has no [`Algorithm`] to be compared with.
fn known_algorithm(token: &Formed<'_>) -> Result<Option<Algorithm>> {
    match token.algorithm() {
        None if token.introspected_by().is_none() => Err(Denial::AlgorithmNotAllowed),
        algorithm => Ok(algorithm),
    }
}

fn judge_issuer(token: &Formed<'_>, issuer: &Issuer, id: IssuerId, asks: &TokenRequirements<'_>) -> Result<()> {
    if is_good(id, asks) && issuer.has_tokens_in(token.place()) { Ok(()) } else { Err(Denial::UnknownIssuer) }
}

/// Whether tokens of this issuer are accepted.
pub(in crate::checks) fn is_good(id: IssuerId, asks: &TokenRequirements<'_>) -> bool {
    asks.iter().all(|ask| ask.issuers.as_ref().is_none_or(|good| good.contains(&id)))
}

fn judge_algorithm(algorithm: Algorithm, issuer: &Issuer) -> Result<()> {
    if issuer.algorithms.contains(algorithm) { Ok(()) } else { Err(Denial::AlgorithmNotAllowed) }
}

/// Everything that [`Recognised::check`] may refuse, in its order.
pub(in crate::checks) fn failures(
    token: &Formed<'_>,
    issuers: &[Issuer],
    asks: &TokenRequirements<'_>,
) -> impl Iterator<Item = Denial> {
    let (algorithm, named) = (known_algorithm(token), named_issuer(token, issuers));
    let is_good = named.as_ref().map_or(Ok(()), |(id, issuer)| judge_issuer(token, issuer, *id, asks));
    let may_use = match (&algorithm, &named) {
        (Ok(Some(algorithm)), Ok((_, issuer))) => judge_algorithm(*algorithm, issuer),
        _ => Ok(()),
    };
    [algorithm.err(), named.err(), is_good.err(), may_use.err()].into_iter().flatten()
}
