//! What a request has to bring, as old policies say it: one of several combinations of conditions. A requirement of
//! Scopegate says one combination, so alternatives are merged where that means the same.

use super::build::{flag, list, object, text, texts};
use crate::config::Node;
use std::collections::BTreeSet;

/// The most alternatives that are looked at.
const MOST: usize = 64;

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli::migrate) struct Terms {
    /// Whether a credential is needed. Without it there is no other condition.
    pub credential: bool,
    /// The issuers of the token.
    pub issuers: Option<BTreeSet<String>>,
    /// The audiences of which the token must name one.
    pub audiences: Option<BTreeSet<String>>,
    /// Scopes: of each set the token must grant one.
    pub scopes: BTreeSet<BTreeSet<String>>,
    /// Conditions on claims.
    pub claims: BTreeSet<Claim>,
}

/// A condition on a claim: it has one of these values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli::migrate) struct Claim {
    /// The names that lead to it.
    pub path: Vec<String>,
    /// Whether it is a list that has one of the values, or text that is one.
    pub is_list: bool,
    /// The values.
    pub values: BTreeSet<String>,
}

/// Alternatives, of which one must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::migrate) struct Ask(Vec<Terms>);

/// Alternatives that no single requirement can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::migrate) struct Unsayable;

/// What is asked at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli::migrate) enum Outcome {
    /// Every request is refused.
    Deny,
    /// These conditions must hold.
    Ask(Terms),
}

impl Terms {
    /// Any credential that is good.
    pub(in crate::cli::migrate) fn any_credential() -> Self {
        Self { credential: true, ..Self::default() }
    }

    /// Whether requests that meet these conditions meet the other ones too.
    fn implies(&self, other: &Self) -> bool {
        let within = |own: &Option<BTreeSet<String>>, wide: &Option<BTreeSet<String>>| match (own, wide) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(wide)) => own.is_subset(wide),
        };
        (self.credential || !other.credential)
            && within(&self.issuers, &other.issuers)
            && within(&self.audiences, &other.audiences)
            && other.scopes.iter().all(|wide| self.scopes.iter().any(|own| own.is_subset(wide)))
            && other.claims.iter().all(|wide| self.claims.iter().any(|own| own.is_within(wide)))
    }

    /// Both; nothing if no token can meet both.
    fn and(&self, other: &Self) -> Result<Option<Self>, Unsayable> {
        let issuers = match (&self.issuers, &other.issuers) {
            (Some(own), Some(other)) => Some(own & other),
            (own, other) => own.clone().or_else(|| other.clone()),
        };
        if issuers.as_ref().is_some_and(BTreeSet::is_empty) {
            return Ok(None);
        }
        // A token may name an audience of each set, which one list cannot say.
        let audiences = match (&self.audiences, &other.audiences) {
            (Some(own), Some(other)) if own != other => return Err(Unsayable),
            (own, other) => own.clone().or_else(|| other.clone()),
        };
        Ok(Some(Self {
            credential: self.credential || other.credential,
            issuers,
            audiences,
            scopes: &self.scopes | &other.scopes,
            claims: &self.claims | &other.claims,
        }))
    }

    /// Both as one, if they differ in one condition alone, whose values then add up.
    fn or(&self, other: &Self) -> Option<Self> {
        if self.implies(other) {
            return Some(other.clone());
        }
        if other.implies(self) {
            return Some(self.clone());
        }
        let rest = |terms: &Self| Self { issuers: None, ..terms.clone() };
        if let (true, Some(own), Some(others)) = (rest(self) == rest(other), &self.issuers, &other.issuers) {
            return Some(Self { issuers: Some(own | others), ..self.clone() });
        }
        let rest = |terms: &Self| Self { audiences: None, ..terms.clone() };
        if let (true, Some(own), Some(others)) = (rest(self) == rest(other), &self.audiences, &other.audiences) {
            return Some(Self { audiences: Some(own | others), ..self.clone() });
        }
        let rest = |terms: &Self| Self { scopes: BTreeSet::new(), ..terms.clone() };
        if let (true, Some((mut same, own, others))) =
            (rest(self) == rest(other), one_apart(&self.scopes, &other.scopes))
        {
            same.insert(own | others);
            return Some(Self { scopes: same, ..self.clone() });
        }
        let rest = |terms: &Self| Self { claims: BTreeSet::new(), ..terms.clone() };
        let (true, Some((mut same, own, others))) = (rest(self) == rest(other), one_apart(&self.claims, &other.claims))
        else {
            return None;
        };
        if own.path != others.path || own.is_list != others.is_list {
            return None;
        }
        same.insert(Claim { values: &own.values | &others.values, ..own.clone() });
        Some(Self { claims: same, ..self.clone() })
    }

    /// The members of a requirement; `all` are the issuers of the configuration, which need not be named, and `usable` those
    /// whose tokens are accepted.
    pub(in crate::cli::migrate) fn members(
        &self,
        all: &BTreeSet<String>,
        usable: &BTreeSet<String>,
    ) -> Vec<(String, Node)> {
        let mut members = Vec::new();
        let issuers = self.issuers.as_ref().unwrap_or(usable);
        if issuers != all {
            members.push(("issuers".to_owned(), texts(issuers)));
        }
        if !self.credential {
            members.push(("allow_missing".to_owned(), flag(true)));
            return members;
        }
        if let Some(audiences) = &self.audiences {
            members.push(("audiences".to_owned(), texts(audiences)));
        }
        if !self.scopes.is_empty() || members.is_empty() && self.claims.is_empty() {
            members.push(("scopes".to_owned(), scopes(&self.scopes)));
        }
        if !self.claims.is_empty() {
            members.push(("claims".to_owned(), list(self.claims.iter().map(Claim::node))));
        }
        members
    }
}

/// What two sets have in common, and the one that each has beside it.
fn one_apart<'s, T: Ord + Clone>(own: &'s BTreeSet<T>, others: &'s BTreeSet<T>) -> Option<(BTreeSet<T>, &'s T, &'s T)> {
    let mut mine = own.difference(others);
    let mut theirs = others.difference(own);
    match (mine.next(), mine.next(), theirs.next(), theirs.next()) {
        (Some(mine), None, Some(theirs), None) => Some((own & others, mine, theirs)),
        _ => None,
    }
}

/// The rule on scopes: of each set one.
fn scopes(sets: &BTreeSet<BTreeSet<String>>) -> Node {
    let one = |set: &BTreeSet<String>| match (set.first(), set.len()) {
        (Some(only), 1) => text(only),
        _ => object([("any_of", texts(set))]),
    };
    match (sets.first(), sets.len()) {
        (Some(set), 1) if set.len() > 1 => one(set),
        _ if sets.iter().all(|set| set.len() == 1) => list(sets.iter().map(one)),
        _ => object([("all_of", list(sets.iter().map(one)))]),
    }
}

impl Claim {
    fn is_within(&self, wide: &Self) -> bool {
        self.path == wide.path && self.is_list == wide.is_list && self.values.is_subset(&wide.values)
    }

    fn node(&self) -> Node {
        let path = match self.path.as_slice() {
            [name] => text(name),
            names => texts(names),
        };
        let (one, several) = if self.is_list { ("contains", "contains_any") } else { ("equals", "one_of") };
        let condition = match (self.values.first(), self.values.len()) {
            (Some(value), 1) => (one, text(value)),
            _ => (several, texts(&self.values)),
        };
        object([("claim", path), condition])
    }
}

impl From<Terms> for Ask {
    fn from(terms: Terms) -> Self {
        Self(vec![terms])
    }
}

impl Ask {
    /// Nothing: every request passes.
    pub(in crate::cli::migrate) fn nothing() -> Self {
        Terms::default().into()
    }

    /// What no request can meet.
    pub(in crate::cli::migrate) const fn never() -> Self {
        Self(Vec::new())
    }

    /// Any credential that is good.
    pub(in crate::cli::migrate) fn any_credential() -> Self {
        Terms::any_credential().into()
    }

    /// Whether no request can meet it.
    pub(in crate::cli::migrate) const fn is_never(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request passes with nothing.
    pub(in crate::cli::migrate) fn is_nothing(&self) -> bool {
        self.0.iter().any(|terms| !terms.credential)
    }

    /// Whether what meets it meets the other too, as far as each alternative alone shows.
    pub(in crate::cli::migrate) fn implies(&self, other: &Self) -> bool {
        self.0.iter().all(|own| other.0.iter().any(|wide| own.implies(wide)))
    }

    /// One of the two.
    #[must_use]
    pub(in crate::cli::migrate) fn or(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Both.
    ///
    /// # Errors
    /// When it cannot be said.
    pub(in crate::cli::migrate) fn and(&self, other: &Self) -> Result<Self, Unsayable> {
        if self.0.len().saturating_mul(other.0.len()) > MOST {
            return Err(Unsayable);
        }
        let pairs = self.0.iter().flat_map(|own| other.0.iter().map(move |other| own.and(other)));
        Ok(Self(pairs.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect()))
    }

    /// The alternatives as one combination.
    ///
    /// # Errors
    /// When one combination cannot say them.
    pub(in crate::cli::migrate) fn outcome(&self) -> Result<Outcome, Unsayable> {
        let mut left = self.0.clone();
        if left.len() > MOST {
            return Err(Unsayable);
        }
        'merged: loop {
            for first in 0..left.len() {
                for second in first.saturating_add(1)..left.len() {
                    let both = left.get(first).zip(left.get(second)).and_then(|(own, other)| own.or(other));
                    if let Some(both) = both {
                        left.swap_remove(second);
                        left.swap_remove(first);
                        left.push(both);
                        continue 'merged;
                    }
                }
            }
            break;
        }
        match left.len() {
            0 => Ok(Outcome::Deny),
            1 => Ok(left.pop().map_or(Outcome::Deny, Outcome::Ask)),
            _ => Err(Unsayable),
        }
    }
}
