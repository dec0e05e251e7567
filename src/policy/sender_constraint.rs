//! What is asked of the sender of a token.

/// What a request has to prove of its sender, beyond that it has the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderConstraint(u8);

impl SenderConstraint {
    /// Nothing.
    pub const NOTHING: Self = Self(0);
    /// That the sender holds what the token is bound to, if it is bound.
    pub const IF_BOUND: Self = Self(1);
    /// The same, and the token must be bound.
    pub const REQUIRED: Self = Self(Self::IF_BOUND.0 | 1 << 1);
    /// The same, and it must be bound to a certificate ([RFC 8705](https://www.rfc-editor.org/rfc/rfc8705)).
    pub const MTLS: Self = Self(Self::REQUIRED.0 | 1 << 2);
    /// The same, and it must be bound to a key ([RFC 9449](https://www.rfc-editor.org/rfc/rfc9449)).
    pub const DPOP: Self = Self(Self::REQUIRED.0 | 1 << 3);

    /// What both ask.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all that `other` asks is asked.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_the_stricter_holds() {
        let all =
            [SenderConstraint::NOTHING, SenderConstraint::IF_BOUND, SenderConstraint::REQUIRED, SenderConstraint::MTLS];
        for (rank, one) in all.into_iter().enumerate() {
            for (other_rank, other) in all.into_iter().enumerate() {
                assert_eq!(one.and(other), all[rank.max(other_rank)]);
                assert_eq!(one.includes(other), rank >= other_rank);
            }
        }
        let both = SenderConstraint::MTLS.and(SenderConstraint::DPOP);
        assert!(both.includes(SenderConstraint::MTLS) && both.includes(SenderConstraint::DPOP));
        assert!(!SenderConstraint::MTLS.includes(SenderConstraint::DPOP));
        assert!(!SenderConstraint::DPOP.includes(SenderConstraint::MTLS));
    }
}
