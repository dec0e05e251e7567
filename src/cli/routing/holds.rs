//! Whether a condition holds for a request.

use super::Unresolved;

/// An answer that may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Yes,
    No,
    /// It depends on what no file says; why.
    Unknown(String),
}

impl Holds {
    /// Both hold. A condition that does not hold decides.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    /// Either holds. A condition that holds decides.
    pub(super) fn or(self, other: Self) -> Self {
        self.inverted_if(true).and(other.inverted_if(true)).inverted_if(true)
    }

    /// The answer of a matcher with `invert_match`.
    pub(super) fn inverted_if(self, invert: bool) -> Self {
        match self {
            Self::Yes if invert => Self::No,
            Self::No if invert => Self::Yes,
            other => other,
        }
    }
}

impl From<Unresolved> for Holds {
    fn from(Unresolved(why): Unresolved) -> Self {
        Self::Unknown(why)
    }
}

impl From<bool> for Holds {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_hold_decides_whatever_is_not_known() {
        let unknown = || Holds::Unknown("why".to_owned());
        assert_eq!(unknown().and(Holds::No), Holds::No);
        assert_eq!(Holds::No.and(unknown()), Holds::No);
        assert_eq!(Holds::Yes.and(unknown()), unknown());
        assert_eq!(unknown().and(Holds::Yes), unknown());
        assert_eq!(Holds::Yes.and(Holds::Yes), Holds::Yes);
        assert_eq!((unknown().or(Holds::Yes), Holds::No.or(Holds::Yes)), (Holds::Yes, Holds::Yes));
        assert_eq!((unknown().or(Holds::No), Holds::No.or(Holds::No)), (unknown(), Holds::No));
        assert_eq!(unknown().inverted_if(true), unknown());
        assert_eq!((Holds::Yes.inverted_if(true), Holds::No.inverted_if(true)), (Holds::No, Holds::Yes));
    }
}
