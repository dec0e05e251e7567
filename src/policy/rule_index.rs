//! Finds the rules that may match, without looking at the others.
//!
//! The index returns candidates, in order, and every rule that matches is among them. The rule itself still decides
//! whether it matches, so the index changes the speed and not the answer.

use super::matching::{HostMatch, Match, PathMatch, Rule};
use super::prefixes::Prefixes;
use std::collections::HashMap;

/// An index of rules by their conditions on route, virtual host, host and path.
#[derive(Debug, Default)]
pub(super) struct RuleIndex {
    by_route: HashMap<String, PathIndex>,
    by_virtual_host: HashMap<String, PathIndex>,
    by_host: HashMap<Vec<u8>, PathIndex>,
    others: PathIndex,
}

/// What is known of a request. The readings of its path are empty if rules cannot judge it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookup<'a> {
    pub(super) route: Option<&'a str>,
    pub(super) virtual_host: Option<&'a str>,
    pub(super) host: Option<&'a [u8]>,
    pub(super) paths: &'a [&'a [u8]],
}

/// Rules by the prefix of their paths.
#[derive(Debug, Default)]
struct PathIndex {
    /// Rules for one whole path.
    exact: HashMap<Vec<u8>, Vec<usize>>,
    /// Rules for one whole path that ignore case, by the path in lower case.
    exact_any_case: HashMap<Vec<u8>, Vec<usize>>,
    begins: Prefixes,
    begins_any_case: Prefixes,
    /// Rules that do not look at the path.
    always: Vec<usize>,
}

impl RuleIndex {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut index = Self::default();
        for (number, Rule { matching, .. }) in rules.iter().enumerate() {
            index.place(matching).add(number, matching);
        }
        let named = index.by_route.values_mut().chain(index.by_virtual_host.values_mut());
        for paths in named.chain(index.by_host.values_mut()).chain([&mut index.others]) {
            paths.begins.finish();
            paths.begins_any_case.finish();
        }
        index
    }

    fn place(&mut self, matching: &Match) -> &mut PathIndex {
        if let Some(route) = &matching.route {
            self.by_route.entry(route.clone()).or_default()
        } else if let Some(name) = &matching.virtual_host {
            self.by_virtual_host.entry(name.clone()).or_default()
        } else if let Some(HostMatch::Exact(host)) = &matching.host {
            self.by_host.entry(host.clone().into_bytes()).or_default()
        } else {
            &mut self.others
        }
    }

    /// The rules that may match, in their order.
    pub(super) fn candidates(&self, lookup: Lookup<'_>) -> Vec<usize> {
        let mut found = Vec::new();
        let places = [
            lookup.route.and_then(|name| self.by_route.get(name)),
            lookup.virtual_host.and_then(|name| self.by_virtual_host.get(name)),
            lookup.host.and_then(|host| self.by_host.get(host)),
            Some(&self.others),
        ];
        for place in places.into_iter().flatten() {
            found.extend(&place.always);
            lookup.paths.iter().for_each(|path| place.collect(path, &mut found));
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl PathIndex {
    fn add(&mut self, number: usize, matching: &Match) {
        let Some(condition) = &matching.path else { return self.always.push(number) };
        let (is_whole, text) = match condition {
            PathMatch::Exact(text) => (true, text.as_bytes()),
            PathMatch::Prefix(text) | PathMatch::SeparatedPrefix(text) => (false, text.as_bytes()),
            PathMatch::Template(template) => (false, template.literal_start()),
        };
        if matching.ignore_case {
            let text = text.to_ascii_lowercase();
            if is_whole {
                self.exact_any_case.entry(text).or_default().push(number);
            } else {
                self.begins_any_case.add(text, number);
            }
        } else if is_whole {
            self.exact.entry(text.to_vec()).or_default().push(number);
        } else {
            self.begins.add(text.to_vec(), number);
        }
    }

    fn collect(&self, path: &[u8], found: &mut Vec<usize>) {
        found.extend(self.exact.get(path).into_iter().flatten());
        self.begins.collect(path, found);
        if !self.exact_any_case.is_empty() || !self.begins_any_case.is_empty() {
            let lower = path.to_ascii_lowercase();
            found.extend(self.exact_any_case.get(&lower).into_iter().flatten());
            self.begins_any_case.collect(&lower, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FoundRule, HostMatch, MethodSet, PathPolicy, Requirement, Rules, Template};
    use super::*;
    use crate::request::RequestView;
    use proptest::prelude::*;

    #[test]
    fn a_rule_is_found_when_it_is_the_only_one_of_its_kind() {
        let kinds: [fn(String) -> PathMatch; 3] = [PathMatch::Exact, PathMatch::Prefix, PathMatch::SeparatedPrefix];
        for (kind, ignore_case) in kinds.into_iter().flat_map(|kind| [(kind, false), (kind, true)]) {
            let text = if ignore_case { "/aDMIN" } else { "/Admin" };
            let rule = |matching| Rule { matching, requirement: Requirement::default() };
            // Enough other rules that the index is used, all of them for routes by name.
            let others = (0..5).map(|number| Match { route: Some(number.to_string()), ..Match::default() });
            let mut all: Vec<Rule> = others.map(rule).collect();
            all.push(rule(Match { path: Some(kind(text.to_owned())), ignore_case, ..Match::default() }));
            let headers: [(&[u8], &[u8]); 2] = [(b":method", b"GET"), (b":path", b"/Admin")];
            let request =
                RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
            let paths = PathPolicy { semicolon: false, encoded_slash: false };
            assert!(matches!(Rules::new(all).find(&request, paths), Ok(Some(_))), "{text}");
        }
    }

    fn text() -> impl Strategy<Value = String> {
        "/(|a|b|A|ab|%61|a/b|a/|a/B/c|a;x|a//b|\\*)"
    }

    fn matching() -> impl Strategy<Value = Match> {
        let path = prop_oneof![
            text().prop_map(PathMatch::Exact),
            text().prop_map(PathMatch::Prefix),
            text().prop_map(PathMatch::SeparatedPrefix),
            prop::sample::select(vec!["/{x}", "/a/{x}", "/*/b", "/a/**", "/**", "/a/{x}/c", "/**/c", "/a*"])
                .prop_filter_map("no template", |text| Template::parse(text).ok().map(PathMatch::Template)),
        ];
        let name = || prop::option::weighted(0.2, "[ab]");
        let host = prop::option::weighted(
            0.3,
            prop_oneof![
                Just(HostMatch::Exact("a.example.com".into())),
                Just(HostMatch::Exact("b.example.com".into())),
                Just(HostMatch::Suffix(".example.com".into())),
            ],
        );
        let methods = prop::option::weighted(0.3, "GET|POST".prop_map(|name| MethodSet::new(vec![name])));
        (prop::option::weighted(0.8, path), any::<bool>(), name(), name(), host, methods).prop_map(
            |(path, ignore_case, route, virtual_host, host, methods)| {
                let ignore_case = ignore_case && !matches!(path, None | Some(PathMatch::Template(_)));
                Match { path, ignore_case, route, virtual_host, host, methods }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_index_finds_what_a_look_at_every_rule_finds(
            matchings in prop::collection::vec(matching(), 0..12),
            path in prop::option::weighted(0.95, text()),
            route in prop::option::weighted(0.7, "[ab]"),
            virtual_host in prop::option::weighted(0.7, "[ab]"),
            authority in prop::sample::select(vec!["a.example.com", "B.example.com:80", "c", "a:x", "a.example.com."]),
            method in "GET|POST|HEAD",
            semicolon in any::<bool>(),
        ) {
            let rules = matchings.into_iter().map(|matching| Rule { matching, requirement: Requirement::default() });
            let rules = Rules::new(rules.collect());
            let mut headers: Vec<(&[u8], &[u8])> = vec![(b":method", method.as_bytes()), (b":authority", authority.as_bytes())];
            headers.extend(path.iter().map(|path| (&b":path"[..], path.as_bytes())));
            let request = RequestView {
                headers: &headers,
                route_name: route.as_deref(),
                virtual_host: virtual_host.as_deref(),
                ends_with_headers: true,
            };
            let policy = PathPolicy { semicolon, encoded_slash: false };
            let place = |found: Result<Option<FoundRule<'_>>, _>| found.map(|found| found.map(|found| (found.index, std::ptr::from_ref(found.requirement))));
            prop_assert_eq!(place(rules.find(&request, policy)), place(rules.find_by_looking_at_every_rule(&request, policy)));
        }
    }
}
