//! The token grants the scopes that the route needs (RFC 6750 section 3.1, RFC 9068 section 2.2.3).

use super::{Asks, Live, Result, Verified};
use crate::decision::Denial;
use crate::policy::{Scope, ScopeSet};
use std::borrow::Cow;

/// Proof: the token grants the scopes.
#[derive(Debug)]
pub struct Scoped<'a, 'v> {
    live: Live<'a, 'v>,
    granted: ScopeSet<'a>,
}

impl<'a, 'v> Scoped<'a, 'v> {
    /// Holds the token's scopes against the requirements.
    ///
    /// # Errors
    /// [`Denial::InsufficientScope`] with every scope that is needed.
    pub fn check(live: Live<'a, 'v>, asks: &Asks<'_>) -> Result<Self> {
        let granted = granted(live.verified());
        if asks.iter().all(|ask| ask.scopes.is_met_by(&granted)) {
            Ok(Self { live, granted })
        } else {
            Err(Denial::InsufficientScope { scope: wanted(asks, Some(&granted)) })
        }
    }

    /// The token.
    #[must_use]
    pub const fn verified(&self) -> &'v Verified<'a> {
        self.live.verified()
    }

    /// What it grants.
    #[must_use]
    pub const fn granted(&self) -> &ScopeSet<'a> {
        &self.granted
    }
}

/// The scopes to name in a challenge.
#[must_use]
pub fn wanted(asks: &Asks<'_>, granted: Option<&ScopeSet<'_>>) -> Vec<Scope> {
    let mut all: Vec<Scope> = Vec::new();
    for scope in asks.iter().flat_map(|ask| ask.scopes.wanted(granted)) {
        if !all.contains(&scope) {
            all.push(scope);
        }
    }
    all
}

/// What the token's scope claims name, added up: a string with a space between scopes, or a list of scopes.
///
/// What is no scope-token grants nothing: a tab or a comma does not separate, and an element of a list is not
/// split. A claim of another type, or a list with anything but strings in it, grants nothing.
fn granted<'a>(verified: &Verified<'a>) -> ScopeSet<'a> {
    let mut set = ScopeSet::default();
    for claim in &verified.issuer().scope_claims {
        let Some(value) = verified.claims().get(claim) else { continue };
        match value.as_text() {
            Some(Cow::Borrowed(text)) => text.split(' ').for_each(|scope| set.insert(Cow::Borrowed(scope))),
            Some(Cow::Owned(text)) => text.split(' ').for_each(|scope| set.insert(Cow::Owned(scope.to_owned()))),
            None => value.as_texts().into_iter().flatten().for_each(|scope| set.insert(scope)),
        }
    }
    set
}
