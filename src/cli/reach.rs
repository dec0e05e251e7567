//! Rules that no request can reach.

use crate::policy::{HostMatch, Match, MethodSet, PathMatch, Rule};

/// The rule before the one at `index` that takes everything that it would match.
pub(in crate::cli) fn hidden_by(rules: &[Rule], index: usize) -> Option<usize> {
    let rule = rules.get(index)?;
    rules.iter().take(index).position(|earlier| covers(&earlier.matching, &rule.matching))
}

/// Whether whatever `narrow` matches is matched by `wide` too. Where that cannot be told, it is not.
fn covers(wide: &Match, narrow: &Match) -> bool {
    covers_but_for_methods(wide, narrow) && covers_methods(wide.methods.as_ref(), narrow.methods.as_ref())
}

/// The same for requests of any method.
pub(in crate::cli) fn covers_but_for_methods(wide: &Match, narrow: &Match) -> bool {
    let name = |wide: &Option<String>, narrow: &Option<String>| wide.is_none() || wide == narrow;
    name(&wide.route, &narrow.route)
        && name(&wide.virtual_host, &narrow.virtual_host)
        && covers_host(wide.host.as_ref(), narrow.host.as_ref())
        && covers_path(wide, narrow)
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
    // What the narrow one takes in other letter cases too, the wide one takes only if it has no letters itself.
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
