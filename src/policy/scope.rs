//! Scopes ([RFC 6749 section 3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3)).

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

/// One scope-token: visible ASCII without `"` and `\`. Compared exactly, letter case included.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Rc<str>);

impl Scope {
    /// A scope, or `None` when `text` is not a scope-token.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        is_scope_token(text).then(|| Self(text.into()))
    }

    /// The scope-token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// `1*( %x21 / %x23-5B / %x5D-7E )`
fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// The scopes that a token grants, as its text names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet<'t> {
    /// In the order in which the token named them.
    ordered: Vec<Cow<'t, str>>,
    /// Their places in that order, by name.
    sorted: Vec<usize>,
}

impl<'t> ScopeSet<'t> {
    /// Adds a scope unless it is there. Text that is not a scope-token grants nothing.
    pub fn insert(&mut self, scope: Cow<'t, str>) {
        if is_scope_token(&scope)
            && let Err(place) = self.place(&scope)
        {
            self.sorted.insert(place, self.ordered.len());
            self.ordered.push(scope);
        }
    }

    fn place(&self, scope: &str) -> Result<usize, usize> {
        self.sorted.binary_search_by(|&at| self.ordered.get(at).map_or("", |known| &**known).cmp(scope))
    }

    /// Whether the set grants `scope`.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        self.place(scope.as_str()).is_ok()
    }

    /// The scopes in one string, separated by a space.
    #[must_use]
    pub fn joined(&self) -> String {
        self.ordered.join(" ")
    }
}

/// The scopes that a requirement needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeRule {
    /// This scope.
    One(Scope),
    /// All of these. An empty list asks for nothing.
    All(Vec<Self>),
    /// At least one of these. Never empty: the configuration refuses that.
    Any(Vec<Self>),
}

impl Default for ScopeRule {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl ScopeRule {
    /// Whether the granted scopes satisfy the rule; `grants` says whether a scope is granted.
    #[must_use]
    pub fn is_met_by(&self, grants: &dyn Fn(&Scope) -> bool) -> bool {
        match self {
            Self::One(scope) => grants(scope),
            Self::All(rules) => rules.iter().all(|rule| rule.is_met_by(grants)),
            Self::Any(rules) => rules.iter().any(|rule| rule.is_met_by(grants)),
        }
    }

    /// The scopes to name in a challenge: every scope of an all-of; of an any-of the alternative of which the token
    /// lacks the fewest, the first on a tie or without a token. `grants` tells of a scope whether the token has it, and is
    /// asked only where there are alternatives.
    #[must_use]
    pub fn wanted(&self, grants: Option<&dyn Fn(&Scope) -> bool>) -> Vec<Scope> {
        let mut wanted: Vec<Scope> = Vec::new();
        for scope in self.nearest(grants) {
            if !wanted.contains(scope) {
                wanted.push(scope.clone());
            }
        }
        wanted
    }

    /// The scopes of the nearest alternatives. Each part of the rule is looked at once.
    fn nearest(&self, grants: Option<&dyn Fn(&Scope) -> bool>) -> Vec<&Scope> {
        match self {
            Self::One(scope) => vec![scope],
            Self::All(rules) => rules.iter().flat_map(|rule| rule.nearest(grants)).collect(),
            Self::Any(rules) => {
                let alternatives = rules.iter().map(|rule| rule.nearest(grants));
                let lacking = |scopes: &Vec<&Scope>| match grants {
                    Some(grants) => scopes.iter().filter(|scope| !grants(scope)).count(),
                    None => 0,
                };
                alternatives.min_by_key(lacking).unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> ScopeRule {
        ScopeRule::One(Scope::new(text).expect("a scope"))
    }

    fn granted(text: &str) -> ScopeSet<'_> {
        let mut set = ScopeSet::default();
        text.split(' ').for_each(|scope| set.insert(scope.into()));
        set
    }

    fn is_met(rule: &ScopeRule, by: &ScopeSet<'_>) -> bool {
        rule.is_met_by(&|scope| by.contains(scope))
    }

    fn names(rule: &ScopeRule, granted: Option<&ScopeSet<'_>>) -> String {
        let grants = granted.map(|granted| |scope: &Scope| granted.contains(scope));
        let grants = grants.as_ref().map(|grants| -> &dyn Fn(&Scope) -> bool { grants });
        rule.wanted(grants).iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_scope_token_is_visible_ascii_without_quote_and_backslash() {
        for text in ["a", "orders:read", "https://x/y.z", "!#[]~"] {
            assert!(Scope::new(text).is_some(), "{text}");
        }
        for text in ["", "a b", "a\"b", "a\\b", "a\tb", "é", "a\u{a0}b", "a\n"] {
            assert!(Scope::new(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn scopes_are_compared_exactly() {
        let rule = scope("orders:read");
        assert!(is_met(&rule, &granted("x orders:read")));
        for other in ["orders:rea", "orders:read:all", "Orders:read", "orders:*", "orders:read,x", "*"] {
            assert!(!is_met(&rule, &granted(other)), "{other}");
        }
    }

    #[test]
    fn expressions_nest() {
        let rule = ScopeRule::Any(vec![scope("admin"), ScopeRule::All(vec![scope("ops"), scope("oncall")])]);
        assert!(is_met(&rule, &granted("admin")));
        assert!(is_met(&rule, &granted("oncall ops")));
        assert!(!is_met(&rule, &granted("ops")));
        assert!(!is_met(&rule, &granted("")));
        assert!(is_met(&ScopeRule::default(), &granted("")));
    }

    #[test]
    fn nested_alternatives_cost_no_more_than_their_parts() {
        // If the work doubled at each level, this would never end.
        let mut rule = scope("x");
        for _ in 0..500 {
            rule = ScopeRule::Any(vec![rule, scope("y")]);
        }
        assert_eq!(names(&rule, Some(&granted("z"))), "x");
    }

    #[test]
    fn a_challenge_names_all_of_an_all_of_and_the_nearest_of_an_any_of() {
        let all = ScopeRule::All(vec![scope("a"), scope("b"), scope("a")]);
        assert_eq!(names(&all, Some(&granted("a"))), "a b");
        let any = ScopeRule::Any(vec![all, scope("c"), scope("d")]);
        assert_eq!(names(&any, None), "a b", "the first without a token");
        assert_eq!(names(&any, Some(&granted(""))), "c", "the one that lacks fewest");
        assert_eq!(names(&any, Some(&granted("a"))), "a b", "the first on a tie");
    }
}
