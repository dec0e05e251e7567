//! Which headers with claims the gate may set. It makes each of the first credential of every request, so the old filters have
//! to have done the same.

use super::credentials::Sets;
use super::providers::{Provider, Providers};
use crate::cli::migrate::policy::Need;

/// The claim that a client of a key, or the user of a password, is.
pub(super) const CLIENT: &str = "sub";

/// What makes headers, and what the requests need that pass.
pub(super) struct Makers<'m, 's> {
    pub(super) providers: &'m Providers<'s>,
    pub(super) sets: &'m Sets,
    pub(super) needs: &'m [Need],
}

/// Why the gate cannot make a header as it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Tokens of another provider do not have it.
    OneProvider,
    /// Another provider makes it of another claim.
    OtherClaim,
    /// The first credential of a request does not make it, or a further one makes it too.
    OtherCredential,
}

impl Fault {
    /// How the header was made.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::OneProvider => "of its own tokens alone, and a gate makes it of those of every issuer",
            Self::OtherClaim => "of another claim than another provider: one claim makes a header",
            Self::OtherCredential => {
                "of one credential, and a gate makes it of the first of every request: some come with another one, which did not \
                 make it or made it too"
            }
        }
    }
}

impl Makers<'_, '_> {
    /// Why the gate cannot make a header of this claim.
    pub(super) fn fault(&self, header: &str, claim: &[String]) -> Option<Fault> {
        let made = |provider: &Provider<'_>| {
            let own = provider.headers.iter().filter(|(name, _)| name == header);
            own.map(|(_, path)| path.as_slice() == claim).collect::<Vec<_>>()
        };
        let made: Vec<Vec<bool>> = self.providers.0.iter().map(made).collect();
        if made.iter().flatten().any(|is_same| !is_same) {
            return Some(Fault::OtherClaim);
        }
        let is_of_tokens = made.iter().any(|own| !own.is_empty());
        if is_of_tokens && made.iter().any(Vec::is_empty) {
            return Some(Fault::OneProvider);
        }
        let is_client = matches!(claim, [only] if only == CLIENT);
        let is_of_first = |need: &Need| {
            let first = need.first_set();
            let is_of_tokens = is_of_tokens && need.tokens.is_some();
            let mut others = need.sets.keys().filter(|set| Some(set.as_str()) != first);
            let is_of_other = others.any(|set| self.sets.sends(set, header));
            match first {
                Some(set) => self.sets.sends(set, header) && is_client && !is_of_tokens && !is_of_other,
                None => is_of_tokens && !is_of_other,
            }
        };
        (!self.needs.iter().all(is_of_first)).then_some(Fault::OtherCredential)
    }
}
