//! The optional facts that a policy uses.

use super::{Policy, RouteMetadata};

/// The optional facts that a policy uses, compiled once. An unused one costs one branch and no host call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses(u32);

impl Uses {
    /// The names of the route and of its virtual host.
    pub const ROUTE_NAMES: Self = Self(1);
    /// The metadata of the route and of its virtual host.
    pub const METADATA: Self = Self(1 << 1);
    /// Identity headers: names that only the filter may set.
    pub const IDENTITY_HEADERS: Self = Self(1 << 2);

    /// What this policy uses.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let parts = [
            (Self::ROUTE_NAMES, policy.rules.look_at_route() || policy.seal),
            (Self::METADATA, policy.route_metadata != RouteMetadata::Ignore),
            (Self::IDENTITY_HEADERS, policy.forward.has_identity_headers()),
        ];
        parts.into_iter().filter(|(_, used)| *used).fold(Self::default(), |all, (part, _)| Self(all.0 | part.0))
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
        let parts = [Uses::ROUTE_NAMES, Uses::METADATA, Uses::IDENTITY_HEADERS];
        for (index, part) in parts.into_iter().enumerate() {
            for (other, another) in parts.into_iter().enumerate() {
                assert_eq!(part.has(another), index == other);
            }
            assert!(!Uses::default().has(part));
        }
    }
}
