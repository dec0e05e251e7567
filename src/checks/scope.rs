//! The token grants the scopes that the route needs (RFC 6750 section 3.1, RFC 9068 section 2.2.3).

use super::principal::Claimant;
use super::{Authenticated, Principal, Proven, Result, TokenRequirements};
use crate::decision::Denial;
use crate::policy::{Scope, ScopeSet};
use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

/// Proof: the token grants the scopes.
#[derive(Debug)]
pub struct Scoped<'a, 'v> {
    authenticated: Authenticated<'a, 'v>,
    /// The scopes of the token, once they have been collected.
    granted: OnceCell<ScopeSet<'a>>,
}

/// Up to this number, scopes are looked for in the token's text; for more the token's scopes are sorted first.
const LOOKS: usize = 4;

impl<'a, 'v> Scoped<'a, 'v> {
    /// Compares the token's scopes with the requirements.
    ///
    /// # Errors
    /// [`Denial::InsufficientScope`] with every scope that is needed.
    pub fn check(authenticated: Authenticated<'a, 'v>, asks: &TokenRequirements<'_>) -> Result<Self> {
        let proof = Self { authenticated, granted: OnceCell::new() };
        judge(proof.principal().claimant(), &proof.granted, asks)?;
        Ok(proof)
    }

    /// Who is judged.
    #[must_use]
    pub const fn principal(&self) -> &'v Principal<'a> {
        self.authenticated.principal()
    }

    /// What the sender has proven.
    pub(super) const fn proven(&self) -> &Proven<'a, 'v> {
        self.authenticated.proven()
    }

    /// What it names. What that includes is not added.
    #[must_use]
    pub fn granted(&self) -> &ScopeSet<'a> {
        self.granted.get_or_init(|| granted(self.principal().claimant()))
    }
}

/// Judges the scopes of a credential, whether or not the checks before have passed. A scope that it lacks is granted by one
/// that includes it. All that it names is kept in `all` where it is looked for.
pub(super) fn judge<'a>(
    claimant: &Claimant<'a>,
    all: &OnceCell<ScopeSet<'a>>,
    asks: &TokenRequirements<'_>,
) -> Result<()> {
    let all = || all.get_or_init(|| granted(claimant));
    let looks = Cell::new(0_usize);
    let has = |scope: &Scope| {
        looks.set(looks.get().saturating_add(1));
        if looks.get() > LOOKS { all().contains(scope) } else { names(claimant, scope) }
    };
    let including = |scope: &Scope| claimant.implies.map_or(&[][..], |implied| implied.including(scope));
    let grants = |scope: &Scope| has(scope) || including(scope).iter().any(has);
    if asks.iter().all(|ask| ask.scopes.is_met_by(&grants)) {
        Ok(())
    } else {
        let scope = wanted(asks, Some(&grants));
        let missing = scope.iter().filter(|scope| !grants(scope)).cloned().collect();
        Err(Denial::InsufficientScope { scope, missing })
    }
}

/// The scopes that a credential is asked for: of alternatives those that it has, or those that it lacks the fewest of.
pub(super) fn needed(claimant: &Claimant<'_>, asks: &TokenRequirements<'_>) -> Vec<Scope> {
    let including = |scope: &Scope| claimant.implies.map_or(&[][..], |implied| implied.including(scope));
    let has = |scope: &Scope| names(claimant, scope);
    wanted(asks, Some(&|scope| has(scope) || including(scope).iter().any(has)))
}

/// The scopes to name in a challenge. `grants` tells of a scope whether the token has it.
#[must_use]
pub fn wanted(asks: &TokenRequirements<'_>, grants: Option<&dyn Fn(&Scope) -> bool>) -> Vec<Scope> {
    let mut all: Vec<Scope> = Vec::new();
    for scope in asks.iter().flat_map(|ask| ask.scopes.wanted(grants)) {
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
pub(super) fn granted<'a>(claimant: &Claimant<'a>) -> ScopeSet<'a> {
    let mut set = ScopeSet::default();
    for claim in claimant.scope_claims {
        let Some(value) = claimant.claims.get(claim) else { continue };
        match value.as_text() {
            Some(Cow::Borrowed(text)) => text.split(' ').for_each(|scope| set.insert(Cow::Borrowed(scope))),
            Some(Cow::Owned(text)) => text.split(' ').for_each(|scope| set.insert(Cow::Owned(scope.to_owned()))),
            None => value.as_texts().into_iter().flatten().for_each(|scope| set.insert(scope)),
        }
    }
    set
}

/// Whether [`granted`] holds `scope`. Since `scope` is a scope-token, what equals it is one too.
fn names(claimant: &Claimant<'_>, scope: &Scope) -> bool {
    let values = claimant.scope_claims.iter().filter_map(|claim| claimant.claims.get(claim));
    values.into_iter().any(|value| match value.as_text() {
        Some(text) => text.split(' ').any(|name| name == scope.as_str()),
        None => value.as_texts().into_iter().flatten().any(|name| name == scope.as_str()),
    })
}
