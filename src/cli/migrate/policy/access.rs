//! What an old configuration asks of a request.

use crate::cli::migrate::findings::Why;
use crate::config::Tree;
use std::collections::{BTreeMap, BTreeSet};

/// What is asked of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Access {
    /// Nothing.
    Yes,
    /// Nothing, and no token is judged: there are no claims to ask for.
    Open,
    /// It is refused.
    No,
    /// A credential.
    Need(Need),
    /// Something that no requirement says. Whatever depends on it is refused.
    Unclear(Vec<Why>),
}

/// The providers whose tokens are accepted, by their number, each with the audiences that count in place of its own.
pub type Tokens = BTreeMap<usize, Option<BTreeSet<String>>>;

/// Sets of credentials by their names, each with the identities that count if not all do.
pub type Identities = BTreeMap<String, Option<BTreeSet<String>>>;

/// What a request needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Need {
    /// A token of one of these; nothing if none is asked for.
    pub tokens: Option<Tokens>,
    /// Whether a request without a token passes.
    pub missing: bool,
    /// What the claims of the token have to be: all of it.
    pub claims: Vec<Claim>,
    /// The sets of credentials of which it needs one each.
    pub sets: Identities,
}

/// A condition on the claims.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The names that lead to the claim; none for scopes.
    pub path: Vec<String>,
    /// How it is compared.
    pub test: Test,
    /// Of these one is enough: texts, whole numbers and booleans.
    pub values: Vec<Tree>,
}

/// How a claim is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// It is equal to a value.
    Is,
    /// It is a list with a value.
    Has,
    /// It is an object with such a member.
    Member,
    /// The token grants a scope.
    Scope,
}

impl Claim {
    /// A condition with one value.
    #[must_use]
    pub fn new(path: Vec<String>, test: Test, value: Tree) -> Self {
        Self { path, test, values: vec![value] }
    }

    /// A scope.
    #[must_use]
    pub fn scope(scope: &str) -> Self {
        Self::new(Vec::new(), Test::Scope, Tree::Text(scope.to_owned()))
    }
}

impl Need {
    /// A token of one of these providers.
    #[must_use]
    pub fn token(providers: impl IntoIterator<Item = usize>) -> Self {
        Self { tokens: Some(providers.into_iter().map(|number| (number, None)).collect()), ..Self::default() }
    }

    /// The set whose credential has to come first, to be asked who it is of; nothing if the token does, or any may.
    #[must_use]
    pub fn first_set(&self) -> Option<&str> {
        let asked = self.sets.iter().find(|(_, identities)| identities.is_some());
        let any = || self.sets.iter().next().filter(|_| self.tokens.is_none());
        asked.or_else(any).map(|(set, _)| set.as_str())
    }

    fn and(&self, other: &Self) -> Access {
        let tokens = match (&self.tokens, &other.tokens) {
            (Some(a), Some(b)) => {
                let both = a.iter().filter_map(|(number, own)| {
                    let others = b.get(number)?;
                    Some((*number, narrowed(own.as_ref(), others.as_ref())))
                });
                let mut both: Tokens = both.collect();
                both.retain(|_, audiences| audiences.as_ref().is_none_or(|audiences| !audiences.is_empty()));
                if both.is_empty() {
                    // No token is of two providers.
                    return Access::No;
                }
                Some(both)
            }
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        let missing = match (&self.tokens, &other.tokens) {
            (Some(_), Some(_)) => self.missing && other.missing,
            (Some(_), None) => self.missing,
            (None, _) => other.missing,
        };
        let mut claims = self.claims.clone();
        claims.extend(other.claims.iter().filter(|claim| !self.claims.contains(claim)).cloned());
        let mut sets = self.sets.clone();
        for (set, identities) in &other.sets {
            let both =
                sets.get(set).map_or_else(|| identities.clone(), |own| narrowed(own.as_ref(), identities.as_ref()));
            if both.as_ref().is_some_and(BTreeSet::is_empty) {
                // No identity is one of both.
                return Access::No;
            }
            sets.insert(set.clone(), both);
        }
        Access::Need(Self { tokens, missing, claims, sets })
    }

    /// One of both, if a requirement says that.
    fn or(&self, other: &Self) -> Option<Self> {
        let same_claims = self.claims == other.claims;
        if self.sets != other.sets || self.missing != other.missing {
            return None;
        }
        if self.tokens != other.tokens {
            let (Some(a), Some(b), true) = (&self.tokens, &other.tokens, same_claims) else { return None };
            let mut either = a.clone();
            for (number, audiences) in b {
                match either.get_mut(number) {
                    Some(Some(own)) => match audiences {
                        Some(more) => own.extend(more.iter().cloned()),
                        None => return None,
                    },
                    Some(None) if audiences.is_some() => return None,
                    Some(None) => {}
                    None => drop(either.insert(*number, audiences.clone())),
                }
            }
            return Some(Self { tokens: Some(either), ..self.clone() });
        }
        let within = |a: &Self, b: &Self| a.claims.iter().all(|claim| b.claims.contains(claim));
        if within(self, other) {
            return Some(self.clone());
        }
        if within(other, self) {
            return Some(other.clone());
        }
        let only = |a: &Self, b: &Self| {
            let mut own = a.claims.iter().filter(|claim| !b.claims.contains(claim));
            own.next().filter(|_| own.next().is_none()).cloned()
        };
        let (mut a, b) = (only(self, other)?, only(other, self)?);
        if (&a.path, a.test) != (&b.path, b.test) {
            return None;
        }
        let mut claims: Vec<Claim> = self.claims.iter().filter(|claim| other.claims.contains(claim)).cloned().collect();
        a.values
            .extend(b.values.into_iter().filter(|value| !self.claims.iter().any(|own| own.values == [value.clone()])));
        claims.push(a);
        Some(Self { claims, ..self.clone() })
    }
}

impl Access {
    /// What both ask for.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Unclear(a), Self::Unclear(b)) => Self::Unclear(joined(a, b)),
            (Self::Unclear(why), _) | (_, Self::Unclear(why)) => Self::Unclear(why.clone()),
            (Self::Yes, other) | (other, Self::Yes) => other.clone(),
            (Self::Open, Self::Open) => Self::Open,
            // Nothing has judged a token, so its claims are not there.
            (Self::Open, Self::Need(need)) | (Self::Need(need), Self::Open) => {
                if need.tokens.is_some() {
                    Self::No
                } else {
                    Self::Need(need.clone())
                }
            }
            (Self::Need(a), Self::Need(b)) => a.and(b),
        }
    }

    /// What one of both asks for; `why` is why no requirement says so.
    #[must_use]
    pub fn or(&self, other: &Self, why: &Why) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Open, _) | (_, Self::Open) => Self::Open,
            (Self::No, other) | (other, Self::No) => other.clone(),
            (Self::Unclear(a), Self::Unclear(b)) => Self::Unclear(joined(a, b)),
            (Self::Unclear(why), _) | (_, Self::Unclear(why)) => Self::Unclear(why.clone()),
            (Self::Need(a), Self::Need(b)) => a.or(b).map_or_else(|| Self::Unclear(vec![why.clone()]), Self::Need),
        }
    }

    /// The opposite; `why` is why no requirement says so.
    #[must_use]
    pub fn negated(&self, why: &Why) -> Self {
        match self {
            Self::Yes | Self::Open => Self::No,
            Self::No => Self::Yes,
            Self::Need(_) => Self::Unclear(vec![why.clone()]),
            Self::Unclear(own) => Self::Unclear(own.clone()),
        }
    }

    /// Why it is unclear.
    #[must_use]
    pub fn reasons(&self) -> &[Why] {
        match self {
            Self::Unclear(why) => why,
            _ => &[],
        }
    }
}

/// What is in both, where nothing stands for all.
fn narrowed(a: Option<&BTreeSet<String>>, b: Option<&BTreeSet<String>>) -> Option<BTreeSet<String>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a & b),
        (a, b) => a.or(b).cloned(),
    }
}

fn joined(a: &[Why], b: &[Why]) -> Vec<Why> {
    let mut all = a.to_vec();
    all.extend(b.iter().filter(|why| !a.contains(why)).cloned());
    all
}
