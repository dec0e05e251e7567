//! Finds the rule for a request.

use super::matching::{Ambiguity, Rule, normal_host};
use super::rule_index::{Lookup, RuleIndex};
use super::{PathForms, PathPolicy, Requirement};
use crate::request::RequestView;

/// The rules, tried in order; the first match decides.
#[derive(Debug, Default)]
pub struct Rules {
    all: Vec<Rule>,
    index: RuleIndex,
    look_at_host: bool,
}

/// Up to this number, trying all rules is faster than the index.
const FEW: usize = 4;

/// A rule that matches.
#[derive(Clone, Copy, Debug)]
pub struct FoundRule<'r> {
    /// Its place in the list, from 0.
    pub index: usize,
    /// Its requirement.
    pub requirement: &'r Requirement,
}

impl Rules {
    /// Rules in their order.
    #[must_use]
    pub fn new(all: Vec<Rule>) -> Self {
        Self { index: RuleIndex::new(&all), look_at_host: all.iter().any(|rule| rule.matching.host.is_some()), all }
    }

    /// The rules, in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[Rule] {
        &self.all
    }

    /// Whether a rule looks at the name of the route or of its virtual host.
    #[must_use]
    pub fn look_at_route(&self) -> bool {
        self.all.iter().any(|rule| rule.matching.route.is_some() || rule.matching.virtual_host.is_some())
    }

    /// Whether a rule looks at the name of the virtual host.
    #[must_use]
    pub fn look_at_virtual_host(&self) -> bool {
        self.all.iter().any(|rule| rule.matching.virtual_host.is_some())
    }

    /// The first rule that matches, with its place in the list.
    ///
    /// # Errors
    /// [`Ambiguity`] when a rule with a condition on the path or the host is reached, its other conditions hold, and the
    /// path or the host is ambiguous.
    pub fn find(&self, request: &RequestView<'_>, paths: PathPolicy) -> Result<Option<FoundRule<'_>>, Ambiguity> {
        if self.all.is_empty() {
            return Ok(None);
        }
        // Without a path (CONNECT) and for `*` (OPTIONS) conditions on the path never match.
        let path = request.path().filter(|path| *path != b"*").map(|path| PathForms::of(path, paths));
        let host = request.authority().filter(|_| self.look_at_host).map(normal_host);
        if self.all.len() <= FEW {
            return first(self.all.iter().enumerate(), request, path.as_ref(), host.as_ref());
        }
        let readings = path.as_ref().map_or(Some([None, None]), PathForms::readings);
        // The index cannot tell which rule would have to judge an ambiguous path or host.
        let (Some(readings), None | Some(Ok(_))) = (readings, &host) else {
            return first(self.all.iter().enumerate(), request, path.as_ref(), host.as_ref());
        };
        let readings = readings.map(Option::unwrap_or_default);
        let known = readings.iter().take_while(|reading| !reading.is_empty()).count();
        let lookup = Lookup {
            route: request.route_name,
            virtual_host: request.virtual_host,
            host: host.as_ref().and_then(|host| host.as_deref().ok()),
            paths: readings.get(..known).unwrap_or_default(),
        };
        let candidates = self.index.candidates(lookup);
        first(candidates.iter().filter_map(|&at| Some((at, self.all.get(at)?))), request, path.as_ref(), host.as_ref())
    }

    #[cfg(test)]
    pub(super) fn find_by_looking_at_every_rule(
        &self,
        request: &RequestView<'_>,
        paths: PathPolicy,
    ) -> Result<Option<FoundRule<'_>>, Ambiguity> {
        let path = request.path().filter(|path| *path != b"*").map(|path| PathForms::of(path, paths));
        let host = request.authority().map(normal_host);
        first(self.all.iter().enumerate(), request, path.as_ref(), host.as_ref())
    }
}

/// The first of these rules that matches.
fn first<'r>(
    mut rules: impl Iterator<Item = (usize, &'r Rule)>,
    request: &RequestView<'_>,
    path: Option<&PathForms<'_>>,
    host: Option<&Result<Vec<u8>, Ambiguity>>,
) -> Result<Option<FoundRule<'r>>, Ambiguity> {
    rules
        .find_map(|(index, rule)| match rule.matching.matches(request, path, host) {
            Ok(false) => None,
            Ok(true) => Some(Ok(FoundRule { index, requirement: &rule.requirement })),
            Err(ambiguity) => Some(Err(ambiguity)),
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::super::{Match, PathMatch};
    use super::*;

    #[test]
    fn names_of_routes_are_looked_up_only_where_a_rule_asks_for_one() {
        let name = || Some("a".to_owned());
        for (matching, wanted) in [
            (Match::default(), false),
            (Match { path: Some(PathMatch::Exact("/a".into())), ..Match::default() }, false),
            (Match { route: name(), ..Match::default() }, true),
            (Match { virtual_host: name(), ..Match::default() }, true),
        ] {
            let rule = |matching| Rule { matching, requirement: Requirement::public() };
            let text = format!("{matching:?}");
            let rules = Rules::new(vec![rule(Match::default()), rule(matching)]);
            assert_eq!(rules.look_at_route(), wanted, "{text}");
        }
        assert!(!Rules::default().look_at_route());
    }
}
