//! What a policy says that the figures of a log are held against.

use crate::policy::{Access, Policy, Requirement, Scope};
use std::collections::HashMap;

/// The lifetime of a token from which on it is long, where no policy says so: an hour.
const LONG: i64 = 3600;

/// What a policy says.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Terms {
    /// The longest lifetime that is asked for anywhere, in seconds, by the name of the issuer.
    by_issuer: HashMap<String, i64>,
    /// The longest that counts for the others.
    given: Option<i64>,
    /// By the name of the issuer and a scope: the scopes that include it.
    including: HashMap<(String, String), Vec<String>>,
}

impl Terms {
    /// Takes over what a policy says.
    pub(in crate::cli) fn add(&mut self, policy: &Policy) {
        let rules = policy.rules.as_slice().iter().map(|rule| &rule.requirement);
        let asked = rules.chain([&policy.default]).filter_map(shortest).min();
        for issuer in &policy.issuers {
            let own = issuer.max_lifetime.map(|limit| i64::from(limit.0));
            if let Some(limit) = own.into_iter().chain(asked).min() {
                let known = self.by_issuer.entry(issuer.name.clone()).or_insert(limit);
                *known = limit.min(*known);
            }
            for (scope, by) in issuer.implies.all() {
                let key = (issuer.name.clone(), scope.as_str().to_owned());
                let names = by.iter().map(|scope| Scope::as_str(scope).to_owned());
                self.including.entry(key).or_default().extend(names);
            }
        }
    }

    /// These terms, with a limit for the lifetime of all tokens.
    pub(in crate::cli) fn with_lifetime(self, given: Option<i64>) -> Self {
        match given {
            Some(_) => Self { given, by_issuer: HashMap::new(), ..self },
            None => self,
        }
    }

    /// The lifetime, in seconds, from which on a token of the issuer is long.
    pub(in crate::cli) fn lifetime(&self, issuer: Option<&str>) -> i64 {
        issuer.and_then(|name| self.by_issuer.get(name)).copied().or(self.given).unwrap_or(LONG)
    }

    /// Where the limit comes from.
    pub(in crate::cli) fn lifetime_source(&self) -> &'static str {
        match (self.given, self.by_issuer.is_empty()) {
            (Some(_), _) => "--max-lifetime",
            (None, false) => "the shortest max_lifetime that the policy has for the issuer, or else an hour",
            (None, true) => "an hour: neither --max-lifetime nor the policy has a limit",
        }
    }

    /// Which of the granted scopes a request used that needs these.
    pub(super) fn used<'g>(&self, issuer: Option<&str>, granted: &[&'g str], needed: &[&str]) -> Vec<&'g str> {
        let includes = |scope: &str, need: &str| {
            let issuer = issuer.unwrap_or_default().to_owned();
            let by = self.including.get(&(issuer, need.to_owned()));
            by.is_some_and(|by| by.iter().any(|other| other == scope))
        };
        let is_used = |scope: &&&str| {
            needed.iter().any(|need| need == *scope || !granted.contains(need) && includes(scope, need))
        };
        granted.iter().filter(is_used).copied().collect()
    }
}

/// The shortest `max_lifetime` of a requirement and of those for its methods, in seconds.
fn shortest(requirement: &Requirement) -> Option<i64> {
    let own = match &requirement.access {
        Access::Token(ask) => ask.max_lifetime.map(|limit| i64::from(limit.0)),
        Access::Public | Access::Deny => None,
    };
    own.into_iter().chain(requirement.methods.iter().filter_map(|(_, of_method)| shortest(of_method))).min()
}
