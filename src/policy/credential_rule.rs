//! Which credentials open a route.

use super::SetId;
use std::rc::Rc;

/// A source of credentials that a requirement names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The tokens of all issuers.
    Tokens,
    /// A set of the configuration.
    Set(SetId),
}

/// The credentials of which a request must have one, or all of a combination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialRule {
    /// Each is met by exactly its sources. None is empty, none has a source twice, and no two are of the same sources.
    alternatives: Vec<Vec<Source>>,
    /// Every source, once, in order.
    sources: Rc<[Source]>,
}

/// What is asked where a requirement says nothing: a token.
impl Default for CredentialRule {
    fn default() -> Self {
        Self::new([vec![Source::Tokens]])
    }
}

/// What a request presents, held against the alternatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<'r> {
    /// Exactly this alternative: it is judged.
    This(&'r [Source]),
    /// Nothing, or only a part of an alternative.
    TooLittle,
    /// More than any alternative.
    TooMuch,
}

impl CredentialRule {
    /// A rule with these alternatives; those of the same sources are one.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = Vec<Source>>) -> Self {
        let mut alternatives: Vec<Vec<Source>> = Vec::new();
        for alternative in all {
            if !alternatives.iter().any(|known| is_same(known, &alternative, &|_| false)) {
                alternatives.push(alternative);
            }
        }
        let mut sources = Vec::new();
        for source in alternatives.iter().flatten() {
            if !sources.contains(source) {
                sources.push(*source);
            }
        }
        Self { alternatives, sources: sources.into() }
    }

    /// The alternatives.
    #[must_use]
    pub fn alternatives(&self) -> &[Vec<Source>] {
        &self.alternatives
    }

    /// Every source that it names, once, in order.
    #[must_use]
    pub fn sources(&self) -> Rc<[Source]> {
        Rc::clone(&self.sources)
    }

    /// Both rules: of each the sources of one alternative, those of this one first.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let both = self.alternatives.iter().flat_map(|own| {
            other.alternatives.iter().map(move |added| {
                let more = added.iter().filter(|source| !own.contains(source));
                own.iter().chain(more).copied().collect()
            })
        });
        Self::new(both)
    }

    /// The credential that has to grant what is asked by this rule alone, where these are presented, and perhaps more.
    #[must_use]
    pub fn first_among(&self, presented: &[Source]) -> Option<Source> {
        let mut own = self.alternatives.iter();
        let own = own.find(|alternative| alternative.iter().all(|source| presented.contains(source)))?;
        own.first().copied()
    }

    /// The alternative that is judged. What is presented chooses it, never what verifies. What is ambient, which comes with
    /// the connection, is not presented.
    #[must_use]
    pub fn choose(&self, presented: &[Source], is_ambient: &dyn Fn(Source) -> bool) -> Choice<'_> {
        let mut exact = self.alternatives.iter().filter(|alternative| is_same(alternative, presented, is_ambient));
        // Two rules together can have one with a certificate beside one without: what is presented is judged.
        let alone = exact.clone().find(|alternative| alternative.len() == presented.len());
        if let Some(exact) = alone.or_else(|| exact.next()) {
            return Choice::This(exact);
        }
        let is_part = self.alternatives.iter().any(|alternative| presented.iter().all(|one| alternative.contains(one)));
        if is_part { Choice::TooLittle } else { Choice::TooMuch }
    }

    /// Whether two alternatives are chosen by the same.
    #[must_use]
    pub fn has_rivals(&self, is_ambient: &dyn Fn(Source) -> bool) -> bool {
        let presented = |alternative: &[Source]| -> Vec<Source> {
            alternative.iter().copied().filter(|source| !is_ambient(*source)).collect()
        };
        self.alternatives.iter().enumerate().any(|(index, own)| {
            let own = presented(own);
            self.alternatives.iter().take(index).any(|earlier| is_same(earlier, &own, is_ambient))
        })
    }
}

/// Whether an alternative has exactly these sources, but for what is ambient. Neither list has repetitions.
fn is_same(alternative: &[Source], presented: &[Source], is_ambient: &dyn Fn(Source) -> bool) -> bool {
    let mut wanted = 0_usize;
    let all = alternative.iter().filter(|source| !is_ambient(**source)).all(|source| {
        wanted = wanted.saturating_add(1);
        presented.contains(source)
    });
    all && wanted == presented.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Source = Source::Set(SetId(0));
    const B: Source = Source::Set(SetId(1));
    const T: Source = Source::Tokens;

    #[test]
    fn what_is_presented_chooses_the_alternative() {
        let rule = CredentialRule::new([vec![T], vec![A], vec![B, T]]);
        let choose = |presented: &[Source]| match rule.choose(presented, &|_| false) {
            Choice::This(chosen) => chosen.to_vec(),
            Choice::TooLittle => vec![],
            Choice::TooMuch => vec![A, B, T],
        };
        assert_eq!(choose(&[T]), [T]);
        assert_eq!(choose(&[A]), [A]);
        assert_eq!(choose(&[T, B]), [B, T]);
        assert_eq!(choose(&[]), []);
        assert_eq!(choose(&[B]), [], "a part of an all-of");
        assert_eq!(choose(&[T, A]), [A, B, T]);
        assert_eq!(choose(&[A, B, T]), [A, B, T]);
        assert_eq!(*rule.sources(), [T, A, B]);
        assert_eq!(
            [&[A, T][..], &[B, A], &[B], &[T, B]].map(|all| rule.first_among(all)),
            [Some(T), Some(A), None, Some(T)]
        );
    }

    #[test]
    fn of_two_rules_both_must_hold() {
        let either = CredentialRule::new([vec![T], vec![A]]);
        let both = either.and(&CredentialRule::new([vec![A], vec![B]]));
        assert_eq!(both.alternatives(), [vec![T, A], vec![T, B], vec![A], vec![A, B]]);
        assert_eq!(either.and(&CredentialRule::default()).alternatives(), [vec![T], vec![A, T]]);
        assert_eq!(CredentialRule::default().and(&CredentialRule::default()), CredentialRule::default());
    }

    #[test]
    fn what_comes_with_the_connection_chooses_nothing() {
        let is_ambient = |source| source == B;
        let rule = CredentialRule::new([vec![T, B], vec![A], vec![B]]);
        for (presented, wanted) in [(&[T][..], &[T, B][..]), (&[A], &[A]), (&[], &[B])] {
            assert_eq!(rule.choose(presented, &is_ambient), Choice::This(wanted));
        }
        assert_eq!(rule.choose(&[T, A], &is_ambient), Choice::TooMuch);
        let both = CredentialRule::new([vec![B], vec![T]]).and(&CredentialRule::default());
        assert_eq!(both.choose(&[T], &is_ambient), Choice::This(&[T]), "with or without a certificate");
        assert!(!rule.has_rivals(&is_ambient));
        assert!(CredentialRule::new([vec![T, B], vec![T]]).has_rivals(&is_ambient));
        assert!(CredentialRule::new([vec![A], vec![B]]).has_rivals(&|source| source != T), "one certificate for both");
    }
}
