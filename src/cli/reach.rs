//! Rules that no request can reach.

use crate::policy::{HostMatch, Match, MethodSet, PathMatch, Rule};
use std::collections::HashMap;

/// The key under which a covering rule is found: the names that it asks for, and the beginning of its path.
type Common<'r> = (Option<&'r str>, Option<&'r str>, Option<String>);

/// Rules, with an index of those that may cover another, so that ten thousand are not compared with each other.
#[derive(Debug)]
pub(in crate::cli) struct Reach<'r> {
    rules: &'r [Rule],
    by_common: HashMap<Common<'r>, Vec<usize>>,
    by_path: HashMap<String, Vec<usize>>,
}

impl<'r> Reach<'r> {
    /// Looks at the rules.
    pub(in crate::cli) fn of(rules: &'r [Rule]) -> Self {
        let (mut by_common, mut by_path) = (HashMap::<_, Vec<usize>>::new(), HashMap::<_, Vec<usize>>::new());
        for (index, rule) in rules.iter().enumerate() {
            let matching = &rule.matching;
            let path = matching.path.as_ref().map(beginning);
            if let Some(path) = &path {
                by_path.entry(path.clone()).or_default().push(index);
            }
            let common = (matching.route.as_deref(), matching.virtual_host.as_deref(), path);
            by_common.entry(common).or_default().push(index);
        }
        Self { rules, by_common, by_path }
    }

    /// The earlier rule that matches everything that the rule at `index` matches.
    pub(in crate::cli) fn hidden_by(&self, index: usize) -> Option<usize> {
        let rule = self.rules.get(index)?;
        let is_it = |other: &usize| self.at(*other).is_some_and(|earlier| covers(earlier, &rule.matching));
        self.candidates(&rule.matching)
            .into_iter()
            .filter_map(|list| list.iter().copied().take_while(|other| *other < index).find(is_it))
            .min()
    }

    /// Whether a later rule is for the path of the rule at `index` too, or for all of it.
    pub(in crate::cli) fn has_rest(&self, index: usize) -> bool {
        let Some(rule) = self.rules.get(index) else { return false };
        let behind = |list: &&'_ Vec<usize>, is_it: &dyn Fn(&Match) -> bool| {
            list.iter().rev().take_while(|other| **other > index).any(|other| self.at(*other).is_some_and(is_it))
        };
        let same = rule.matching.path.as_ref().and_then(|path| self.by_path.get(&beginning(path)));
        same.is_some_and(|list| behind(&list, &|other| other.path == rule.matching.path))
            || self
                .candidates(&rule.matching)
                .iter()
                .any(|list| behind(list, &|other| covers_but_for_methods(other, &rule.matching)))
    }

    fn at(&self, index: usize) -> Option<&'r Match> {
        self.rules.get(index).map(|rule| &rule.matching)
    }

    /// Every rule that covers `narrow` is in one of these lists.
    fn candidates(&self, narrow: &'r Match) -> Vec<&Vec<usize>> {
        let path = narrow.path.as_ref().map(beginning).unwrap_or_default();
        let ends = path.char_indices().map(|(at, _)| at).chain([path.len()]);
        let beginnings: Vec<Option<String>> =
            std::iter::once(None).chain(ends.map(|end| path.get(..end).map(str::to_owned))).collect();
        let mut names = vec![(narrow.route.as_deref(), narrow.virtual_host.as_deref())];
        names.extend([(None, narrow.virtual_host.as_deref()), (narrow.route.as_deref(), None), (None, None)]);
        names.sort_unstable();
        names.dedup();
        let commons = names
            .into_iter()
            .flat_map(|(route, host)| beginnings.iter().map(move |beginning| (route, host, beginning.clone())));
        commons.filter_map(|common| self.by_common.get(&common)).collect()
    }
}

/// The common beginning of the paths that a condition matches, in lower case. If one condition covers another, its
/// beginning is a prefix of the other's.
fn beginning(path: &PathMatch) -> String {
    match path {
        PathMatch::Exact(text) | PathMatch::Prefix(text) | PathMatch::SeparatedPrefix(text) => {
            text.to_ascii_lowercase()
        }
        PathMatch::Template(template) => String::from_utf8_lossy(template.literal_start()).to_ascii_lowercase(),
    }
}

/// Whether `wide` matches everything that `narrow` matches. False if that cannot be told.
fn covers(wide: &Match, narrow: &Match) -> bool {
    covers_but_for_methods(wide, narrow) && covers_methods(wide.methods.as_ref(), narrow.methods.as_ref())
}

/// Whether `wide` covers `narrow`, leaving methods aside.
fn covers_but_for_methods(wide: &Match, narrow: &Match) -> bool {
    let name = |wide: &Option<String>, narrow: &Option<String>| wide.is_none() || wide == narrow;
    name(&wide.route, &narrow.route)
        && name(&wide.virtual_host, &narrow.virtual_host)
        && covers_host(wide.host.as_ref(), narrow.host.as_ref())
        && covers_path(wide, narrow)
}

/// Whether a rule is for some of what reaches a place, as far as names and paths tell.
pub(in crate::cli) fn touches(rule: &Match, place: &Match) -> bool {
    let name = |rule: &Option<String>, place: &Option<String>| rule.is_none() || place.is_none() || rule == place;
    name(&rule.route, &place.route)
        && name(&rule.virtual_host, &place.virtual_host)
        && (covers_path(rule, place) || covers_path(place, rule))
}

fn covers_host(wide: Option<&HostMatch>, narrow: Option<&HostMatch>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(HostMatch::Suffix(end)), Some(HostMatch::Exact(host) | HostMatch::Suffix(host))) => {
            host == end && matches!(narrow, Some(HostMatch::Suffix(_))) || host.len() > end.len() && host.ends_with(end)
        }
        (wide, narrow) => wide == narrow,
    }
}

fn covers_methods(wide: Option<&MethodSet>, narrow: Option<&MethodSet>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.names().iter().all(|name| wide.contains(name.as_bytes())),
    }
}

fn covers_path(wide: &Match, narrow: &Match) -> bool {
    let (outer, inner) = match (&wide.path, &narrow.path) {
        (None, _) => return true,
        // Requests without a path (CONNECT, `*`) match the narrow one alone.
        (Some(_), None) => return false,
        (Some(outer), Some(inner)) => (outer, inner),
    };
    let fold = |text: &str| if wide.ignore_case { text.to_ascii_lowercase() } else { text.to_owned() };
    let has_case = |text: &str| text.bytes().any(|byte| byte.is_ascii_alphabetic());
    let below = |text: &str, prefix: &str| text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
    // If the narrow one ignores case, the wide one covers it only if it has no letters.
    if let PathMatch::Exact(text) | PathMatch::Prefix(text) | PathMatch::SeparatedPrefix(text) = outer
        && narrow.ignore_case
        && !wide.ignore_case
        && has_case(text)
    {
        return false;
    }
    match (outer, inner) {
        (
            PathMatch::Prefix(prefix),
            PathMatch::Exact(text) | PathMatch::Prefix(text) | PathMatch::SeparatedPrefix(text),
        ) => fold(text).starts_with(&fold(prefix)),
        // A template begins with a slash.
        (PathMatch::Prefix(prefix), PathMatch::Template(_)) => prefix == "/",
        (PathMatch::SeparatedPrefix(prefix), PathMatch::Exact(text) | PathMatch::SeparatedPrefix(text)) => {
            fold(text) == fold(prefix) || below(&fold(text), &fold(prefix))
        }
        (PathMatch::SeparatedPrefix(prefix), PathMatch::Prefix(text)) => below(&fold(text), &fold(prefix)),
        (PathMatch::Exact(wide), PathMatch::Exact(narrow)) => fold(wide) == fold(narrow),
        (PathMatch::Template(wide), PathMatch::Template(narrow)) => wide == narrow,
        (PathMatch::Template(template), PathMatch::Exact(text)) => {
            template.matches(text.as_bytes()) && !(narrow.ignore_case && has_case(text))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Requirement, Template};

    #[test]
    fn looking_in_few_places_finds_what_comparing_all_finds() {
        const PATHS: usize = 19;
        const ALL: usize = PATHS * 3 * 2 * 3;
        let rule = |number: usize| {
            let text = || ["/", "/a", "/A/b", "/a/b", "/a/bc"][number % PATHS % 5].to_owned();
            let template = |text| Template::parse(text).ok().map(PathMatch::Template);
            let path = match number % PATHS {
                0..5 => Some(PathMatch::Exact(text())),
                5..10 => Some(PathMatch::Prefix(text())),
                10..15 => Some(PathMatch::SeparatedPrefix(text())),
                15 => template("/a/{x}"),
                16 => template("/a/**"),
                17 => template("/{x}/b"),
                _ => None,
            };
            let route = [None, Some("r"), Some("s")][number / PATHS % 3].map(str::to_owned);
            let virtual_host = [None, Some("v")][number / PATHS / 3 % 2].map(str::to_owned);
            let (ignore_case, methods) = match number / PATHS / 6 {
                0 => (false, None),
                1 => (true, None),
                _ => (false, methods(&["GET"], Match::default()).methods),
            };
            let matching = Match { path, ignore_case, route, virtual_host, methods, ..Match::default() };
            Rule { matching, requirement: Requirement::default() }
        };
        // In several orders, each with a different stride.
        let mut found = [0; 2];
        for step in [1, 7, 29, 101] {
            let mixed: Vec<Rule> = (0..ALL).map(|index| rule(index * step % ALL)).collect();
            let reach = Reach::of(&mixed);
            for (index, rule) in mixed.iter().enumerate() {
                let narrow = &rule.matching;
                let hidden = mixed[..index].iter().position(|earlier| covers(&earlier.matching, narrow));
                assert_eq!(reach.hidden_by(index), hidden, "{narrow:?}");
                let rest = mixed[index + 1..].iter().any(|other| {
                    narrow.path.is_some() && other.matching.path == narrow.path
                        || covers_but_for_methods(&other.matching, narrow)
                });
                assert_eq!(reach.has_rest(index), rest, "{narrow:?}");
                found[0] += usize::from(hidden.is_some());
                found[1] += usize::from(rest);
            }
        }
        assert!(found.iter().all(|count| (100..4 * ALL).contains(count)), "{found:?} of {}", 4 * ALL);
    }

    fn path(path: PathMatch) -> Match {
        Match { path: Some(path), ..Match::default() }
    }

    fn prefix(text: &str) -> Match {
        path(PathMatch::Prefix(text.into()))
    }

    fn below(text: &str) -> Match {
        path(PathMatch::SeparatedPrefix(text.into()))
    }

    fn exact(text: &str) -> Match {
        path(PathMatch::Exact(text.into()))
    }

    fn methods(names: &[&str], matching: Match) -> Match {
        Match { methods: Some(MethodSet::new(names.iter().map(|&name| name.to_owned()).collect())), ..matching }
    }

    fn host(host: HostMatch) -> Match {
        Match { host: Some(host), ..Match::default() }
    }

    #[test]
    fn a_wider_rule_takes_what_a_narrower_one_would() {
        let any_case = |matching| Match { ignore_case: true, ..matching };
        for (wide, narrow) in [
            (prefix("/"), exact("/a")),
            (prefix("/a"), below("/a")),
            (prefix("/"), any_case(exact("/a"))),
            (below("/a"), below("/a/b")),
            (below("/a"), prefix("/a/b")),
            (any_case(below("/A")), exact("/a")),
            (below("/a"), methods(&["GET"], exact("/a"))),
            (methods(&["GET", "POST"], below("/a")), methods(&["HEAD"], below("/a"))),
            (host(HostMatch::Suffix(".b.c".into())), host(HostMatch::Exact("a.b.c".into()))),
            (host(HostMatch::Suffix(".b.c".into())), host(HostMatch::Suffix(".b.c".into()))),
        ] {
            assert!(covers(&wide, &narrow), "{wide:?} {narrow:?}");
        }
        for (wide, narrow) in [
            (below("/a"), prefix("/a")),
            (below("/a"), exact("/ab")),
            (below("/a/b"), below("/a")),
            (exact("/a"), any_case(exact("/a"))),
            (prefix("/"), Match { route: Some("r".into()), ..Match::default() }),
            (methods(&["GET"], below("/a")), below("/a")),
            (methods(&["GET"], below("/a")), methods(&["GET", "POST"], below("/a"))),
            (host(HostMatch::Suffix(".b.c".into())), host(HostMatch::Exact("b.c".into()))),
            (host(HostMatch::Exact("b.c".into())), host(HostMatch::Suffix(".b.c".into()))),
        ] {
            assert!(!covers(&wide, &narrow), "{wide:?} {narrow:?}");
        }
    }
}
