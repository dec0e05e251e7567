//! The optional facts that a policy uses.

use super::{CredentialSet, Policy, Requirement, RouteMetadata};

/// The optional facts that a policy uses, compiled once. An unused one costs one branch and no host call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses(u32);

impl Uses {
    /// The names of the route and of its virtual host.
    pub const ROUTE_NAMES: Self = Self(1);
    /// The metadata of the route and of its virtual host.
    pub const METADATA: Self = Self(1 << 1);
    /// Headers that are removed from trailers.
    pub const BARRED_TRAILERS: Self = Self(1 << 2);
    /// A store of the tokens that have been used.
    pub const SINGLE_USE: Self = Self(1 << 3);
    /// A store of the proofs that have been used.
    pub const PROOFS: Self = Self(1 << 4);
    /// Places of credentials beside `authorization`.
    pub const CREDENTIALS: Self = Self(1 << 5);
    /// Issuers that are asked about opaque tokens.
    pub const INTROSPECTION: Self = Self(1 << 6);
    /// Counts of the clients that show a credential.
    pub const REUSE: Self = Self(1 << 7);
    /// A store of the signatures that have been used.
    pub const SIGNATURES: Self = Self(1 << 8);
    /// Bodies that are read whole before the signature of their request is judged.
    pub const SIGNED_BODIES: Self = Self(1 << 9);
    /// A store of what events have revoked, and of tokens that too many clients have shown.
    pub const EVENTS: Self = Self(1 << 10);

    /// What this policy uses.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let rules = policy.rules.as_slice().iter().map(|rule| &rule.requirement);
        let all = rules.chain([&policy.default]);
        let single_use = all.clone().any(Requirement::asks_single_use);
        let counts_clients = policy.reuse.is_some() || all.clone().any(Requirement::counts_clients);
        let is_revoked = policy.reuse.as_ref().is_some_and(|reuse| reuse.revokes());
        let revokes_reused = is_revoked || all.clone().any(Requirement::revokes_reused);
        let signatures = || policy.credentials.iter().filter_map(CredentialSet::signatures);
        let parts = [
            (Self::ROUTE_NAMES, policy.rules.look_at_route() || policy.seal),
            (Self::METADATA, policy.route_metadata != RouteMetadata::Ignore),
            (Self::BARRED_TRAILERS, policy.bars_trailers()),
            (Self::EVENTS, policy.events.is_some() || revokes_reused),
            (Self::SINGLE_USE, single_use),
            (Self::REUSE, counts_clients),
            (Self::PROOFS, policy.dpop.is_some()),
            (Self::CREDENTIALS, policy.uses_other_places()),
            (Self::SIGNATURES, signatures().any(|signatures| signatures.terms.are_used_up())),
            (Self::SIGNED_BODIES, signatures().any(|signatures| signatures.terms.may_read_bodies())),
            (Self::INTROSPECTION, policy.issuers.iter().any(|issuer| issuer.introspection.is_some())),
        ];
        parts.into_iter().filter(|(_, used)| *used).fold(Self::default(), |all, (part, _)| all.with(part))
    }

    /// This, and `part`.
    #[must_use]
    pub const fn with(self, part: Self) -> Self {
        Self(self.0 | part.0)
    }

    /// Whether all of `part` is used.
    #[must_use]
    pub const fn has(self, part: Self) -> bool {
        self.0 & part.0 == part.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_told_apart() {
        let parts = [Uses::ROUTE_NAMES, Uses::METADATA, Uses::BARRED_TRAILERS, Uses::SINGLE_USE];
        for (index, part) in parts.into_iter().enumerate() {
            for (other, another) in parts.into_iter().enumerate() {
                assert_eq!(part.has(another), index == other);
            }
            assert!(!Uses::default().has(part));
        }
    }
}
