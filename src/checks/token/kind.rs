//! The token is an access token and no other kind of JWT
//! ([RFC 9068 section 4](https://www.rfc-editor.org/rfc/rfc9068#section-4),
//! [RFC 8725 section 3.11](https://www.rfc-editor.org/rfc/rfc8725#section-3.11)).

use super::{Formed, Recognised, Result, TokenRequirements};
use crate::decision::Denial;
use crate::jose::Claims;
use crate::policy::{Issuer, SenderConstraint, is_generic_type};

/// Claims that an ID token has and an access token has not (OpenID Connect Core sections 2 and 3.3.2.11).
const ID_TOKEN_CLAIMS: [&str; 3] = ["nonce", "at_hash", "c_hash"];
/// The claim that makes a token one of events (RFC 8417 section 2.2): it is never an access token.
const EVENTS: &str = "events";

/// Proof: the token's `typ` is accepted, and it is not an ID token.
#[derive(Debug)]
pub struct Typed<'a>(Recognised<'a>);

impl<'a> Typed<'a> {
    /// Compares `typ` with the issuer's list and those of the requirements.
    ///
    /// # Errors
    /// [`Denial::WrongType`].
    pub fn check(proof: Recognised<'a>, asks: &TokenRequirements<'_>) -> Result<Self> {
        judge(proof.token, proof.issuer, asks)?;
        Ok(Self(proof))
    }

    pub(super) const fn recognised(&self) -> &Recognised<'a> {
        &self.0
    }
}

/// Judges the type of a token, whether or not the checks before have passed.
pub(in crate::checks) fn judge(token: &Formed<'_>, issuer: &Issuer, asks: &TokenRequirements<'_>) -> Result<()> {
    if token.introspected_by().is_some() {
        return judge_introspected(token.claims(), issuer, asks);
    }
    let typ = token.header().typ.as_deref();
    let accepted = issuer.token_types.accept(typ)
        && asks.iter().all(|ask| ask.token_types.as_ref().is_none_or(|types| types.accept(typ)));
    let is_open = is_generic_type(typ);
    let is_id_token = is_open && !issuer.id_tokens && id_token_claim(token.claims()).is_some();
    let is_event = is_open && token.claims().has(EVENTS);
    if accepted && !is_id_token && !is_event { Ok(()) } else { Err(Denial::WrongType) }
}

/// Judges the type of an opaque token. A server can call a refresh token active, and does not say `Bearer` of it.
///
/// # Errors
/// [`Denial::WrongType`]; [`Denial::NotBound`] of a token that must be bound to a key, if the server does not say to which.
fn judge_introspected(claims: &Claims, issuer: &Issuer, asks: &TokenRequirements<'_>) -> Result<()> {
    let accepts_no_typ = asks.iter().all(|ask| ask.token_types.as_ref().is_none_or(|types| types.accept(None)));
    if !accepts_no_typ || !is_access_token(claims, issuer) {
        return Err(Denial::WrongType);
    }
    let is_dpop = claims.text("token_type").is_some_and(|name| name.eq_ignore_ascii_case("dpop"));
    let is_checked = issuer.sender_constraint != SenderConstraint::NOTHING;
    if is_dpop && is_checked && claims.confirmation.is_none() { Err(Denial::NotBound) } else { Ok(()) }
}

/// Whether `token_type` is one of an access token.
fn is_access_token(claims: &Claims, issuer: &Issuer) -> bool {
    let Some(terms) = &issuer.introspection else { return false };
    match (claims.text("token_type"), claims.has("token_type")) {
        (Some(name), _) => {
            let is_scheme = ["bearer", "dpop"].iter().any(|scheme| name.eq_ignore_ascii_case(scheme));
            is_scheme || terms.token_types.accept(Some(&name))
        }
        (None, true) => false,
        (None, false) => terms.token_types.accept(None) && (issuer.id_tokens || id_token_claim(claims).is_none()),
    }
}

/// The first claim that makes a token of an open type an ID token.
#[must_use]
pub fn id_token_claim(claims: &Claims) -> Option<&'static str> {
    ID_TOKEN_CLAIMS.into_iter().find(|name| claims.has(name))
}
