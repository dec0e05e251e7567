//! What a refused token has where something else was wanted.
//!
//! Of a token that has not been verified, records show `iss`, `aud`, `typ`, `alg`, `kid` and times alone; of one that has,
//! also claims that the policy asks for.

use super::token::{id_token_claim, named_issuer};
use super::{Formed, TokenRequirements};
use crate::decision::{Denial, FailedCondition, Mismatch, Received};
use crate::jose::Claims;
use crate::policy::{Condition, Issuer, Policy};
use crate::request::RequestView;
use crate::revocation::StatusClaim;
use std::borrow::Cow;
use std::rc::Rc;

/// What a mismatch has in place of a member where the token is not in the header of its issuer.
pub const PLACE: &str = "place";

/// The mismatch that led to a denial, where it is one of a member of the token. Nothing is put into words here.
#[must_use]
pub fn mismatch(
    denial: &Denial,
    token: &Formed<'_>,
    policy: &Policy,
    asks: &TokenRequirements<'_>,
    request: &RequestView<'_>,
) -> Option<Box<Mismatch>> {
    let mut condition = None;
    let (claims, header) = (token.claims(), token.header());
    let named = named_issuer(token, &policy.issuers).ok();
    let (issuer, of_issuer) = (named.map(|(id, _)| id), named.map(|(_, issuer)| issuer));
    let claim = |name: &'static str| (Cow::Borrowed(name), Received::of(claims.value(name)));
    let (member, received) = match denial {
        Denial::UnknownIssuer if of_issuer.is_some_and(|issuer| !issuer.has_tokens_in(token.place())) => {
            (PLACE.into(), Received::text(Some(token.place().name())))
        }
        Denial::UnknownIssuer => claim("iss"),
        Denial::AlgorithmNotAllowed => ("header alg".into(), Received::text(Some(&header.alg))),
        Denial::UnknownKey => ("header kid".into(), Received::text(header.kid.as_deref())),
        Denial::WrongType => wrong_type(token, of_issuer?, asks),
        Denial::WrongAudience => audience(claims, of_issuer?),
        // Its name is in the configuration; it is missing too if it is empty.
        Denial::MissingClaim(name) => (name.clone().into(), Received::Missing),
        Denial::Expired { .. } => claim("exp"),
        Denial::NotYetValid { .. } => claim("nbf"),
        Denial::IssuedInFuture { .. } | Denial::LifetimeTooLong { .. } | Denial::TooOld { .. } => claim("iat"),
        Denial::RevocationUnavailable => {
            of_issuer?.status_list.as_ref()?;
            let status = StatusClaim::read(claims).ok().flatten()?;
            // A query may hold a secret.
            ("status.status_list.uri".into(), Received::text(status.uri.split('?').next()))
        }
        Denial::ClaimMismatch(_) => {
            let mut conditions = asks.iter().flat_map(|ask| &ask.claims).enumerate();
            let (index, failed) = conditions.find(|(_, condition)| !condition.is_met_by(claims, request))?;
            let part = match &failed.condition {
                Condition::EqualsPartOf(part) => part.value(request),
                _ => None,
            };
            condition = Some(FailedCondition { index, part: part.map(|value| Received::text(Some(&value))) });
            let received = Received::of(claims.all(&failed.claim).into_iter().next());
            (failed.claim.to_string().into(), received)
        }
        Denial::NotBound | Denial::BoundToAnother(_) | Denial::ProofMissing(_) | Denial::CertificateMismatch(_) => {
            ("cnf".into(), Received::hidden(claims.value("cnf")))
        }
        Denial::StepUpNeeded(needed) => claim(needed.claim),
        Denial::InsufficientScope { .. } => scopes(claims, of_issuer?),
        _ => return None,
    };
    let asks = asks.iter().map(|ask| Rc::clone(ask)).collect();
    Some(Box::new(Mismatch { member, received, issuer, asks, condition }))
}

/// The `typ` that is not accepted, else the claim that makes it an ID token, of which the value is not shown.
fn wrong_type(token: &Formed<'_>, issuer: &Issuer, asks: &TokenRequirements<'_>) -> (Cow<'static, str>, Received) {
    if token.introspected_by().is_some() {
        return ("token_type".into(), Received::of(token.claims().value("token_type")));
    }
    let typ = token.header().typ.as_deref();
    let is_accepted = issuer.token_types.accept(typ)
        && asks.iter().all(|ask| ask.token_types.as_ref().is_none_or(|types| types.accept(typ)));
    match id_token_claim(token.claims()).filter(|_| is_accepted) {
        Some(name) => (name.into(), Received::hidden(token.claims().value(name))),
        None => ("header typ".into(), Received::text(typ)),
    }
}

/// The claim in which an audience was looked for. Only the value of `aud` is shown of a token that is not verified.
fn audience(claims: &Claims, issuer: &Issuer) -> (Cow<'static, str>, Received) {
    let found = issuer.audience_claims.iter().find(|claim| claims.get(claim).is_some());
    match found.or(issuer.audience_claims.first()).map(ToString::to_string) {
        Some(name) if name != "aud" => (name.into(), Received::hidden(found.and_then(|claim| claims.get(claim)))),
        _ => ("aud".into(), Received::of(claims.value("aud"))),
    }
}

/// The first scope claim that is there.
fn scopes(claims: &Claims, issuer: &Issuer) -> (Cow<'static, str>, Received) {
    let found = issuer.scope_claims.iter().find_map(|claim| Some((claim, claims.get(claim)?)));
    match found {
        Some((claim, value)) => (claim.to_string().into(), Received::of(Some(value))),
        None => {
            let names: Vec<String> = issuer.scope_claims.iter().map(ToString::to_string).collect();
            (names.join(" or ").into(), Received::Missing)
        }
    }
}
