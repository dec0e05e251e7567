//! Rules, and what stands beside a route, from cases.

use super::{Access, Cases, Issuers, Overlap, PathIs, Region, requirement};
use crate::cli::migrate::tree::{flag, object, with};
use crate::config::{Node, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// The requirement of a route, if one says all cases: they may differ by method alone.
#[must_use]
pub fn beside(cases: &Cases<Access>, issuers: &Issuers) -> Option<Node> {
    if let Some(only) = cases.only() {
        return Some(requirement(only, issuers));
    }
    // What stands around `methods` is neither public nor denied.
    if !matches!(cases.last(), Access::Need(_)) {
        return None;
    }
    let mut methods = BTreeSet::new();
    for (region, _) in cases.all() {
        if (Region { methods: None, ..region.clone() }) != Region::default() {
            return None;
        }
        methods.extend(region.methods.into_iter().flatten());
    }
    // That of GET would be that of HEAD too.
    if methods.contains("GET") {
        methods.insert("HEAD".to_owned());
    }
    let around = requirement(cases.last(), issuers);
    let of = |method: &String| {
        requirement(
            cases.first(|region| region.methods.as_ref().is_none_or(|methods| methods.contains(method))),
            issuers,
        )
    };
    let mut own: BTreeMap<String, Node> = methods.iter().map(|method| (method.clone(), of(method))).collect();
    if own.get("GET") == own.get("HEAD") {
        own.remove("HEAD");
    }
    own.retain(|method, node| *node != around || method == "HEAD");
    if own.get("HEAD") == Some(&around) && !own.contains_key("GET") {
        own.remove("HEAD");
    }
    let own = Tree::Object(own.into_iter().collect());
    Some(with(around, object([("methods", own.into())])))
}

/// The rules for cases, in the region of a route or for all requests. For what none is about, `default` has to be
/// `deny: true`.
#[must_use]
pub fn rules(cases: &Cases<Access>, within: &Region, issuers: &Issuers) -> Vec<Node> {
    let all: Vec<(Region, &Access)> = cases.all().collect();
    let mut made: Vec<(Region, &Access)> = Vec::new();
    let mut add = |region: &Region, access| match region.and(within) {
        Overlap::None => {}
        // All but CONNECT and `*` have a path, and a rule needs a condition.
        Overlap::Region(both) if both == Region::default() => made.push((Region::path(PathIs::every()), access)),
        Overlap::Region(both) => made.push((without_every_path(both), access)),
        Overlap::Unclear => made.push((within.clone(), &Access::No)),
    };
    for (index, (region, access)) in all.iter().enumerate() {
        let gets = region.methods.as_ref().is_some_and(|own| own.contains("GET") && !own.contains("HEAD"));
        if gets {
            // A rule for GET is one for HEAD too.
            let head = Region { methods: Some(BTreeSet::from(["HEAD".to_owned()])), ..region.clone() };
            for (later, access) in all.iter().skip(index.saturating_add(1)) {
                match head.and(later) {
                    Overlap::None => {}
                    Overlap::Region(both) => add(&both, access),
                    Overlap::Unclear => add(&head, &Access::No),
                }
                if later.covers(&head) {
                    break;
                }
            }
        }
        add(region, access);
    }
    let mut rules: Vec<Node> = Vec::new();
    for (index, (region, access)) in made.iter().enumerate() {
        let own = as_matched(region);
        if made.iter().take(index).any(|(earlier, _)| earlier.covers(region)) {
            continue;
        }
        let mut later = made.iter().skip(index.saturating_add(1)).map(|(later, same)| (as_matched(later), same));
        let next = later.find(|(later, _)| !own.is_apart(later));
        // What the next rule for its requests says too is not said twice.
        if !next.is_some_and(|(later, same)| later.covers(&own) && same == access) {
            rules.push(rule(region, access, issuers));
        }
    }
    // `default` is_denial what no rule before it lets through.
    let refused = rule(&Region::default(), &Access::No, issuers);
    let is_denial =
        |rule: &Node| matches!(&rule.value, Tree::Object(members) if members.iter().any(|(name, _)| name == "deny"));
    if let Some(at) = rules.iter().position(|rule| *rule == refused)
        && rules.iter().skip(at).all(is_denial)
    {
        rules.truncate(at);
    }
    rules
}

/// Whether a rule closes HEAD where the next ones open GET: a rule for GET is one for HEAD too.
#[must_use]
pub fn closes_head(rules: &[Node]) -> bool {
    let parts = |rule: &Node| {
        let rule = rule.value.to_json();
        let mut matching = rule.get("match").cloned().unwrap_or_default();
        let methods = matching.as_object_mut().and_then(|members| members.remove("methods"));
        let has = |method: &str| {
            methods.as_ref().and_then(|own| own.as_array()).is_some_and(|own| own.iter().any(|name| name == method))
        };
        (matching, has("GET"), has("HEAD"), rule.get("deny").is_some())
    };
    let all: Vec<_> = rules.iter().map(parts).collect();
    all.iter().any(|(matching, has_get, has_head, denies)| {
        let opens =
            |(other, gets, heads, denied): &(_, bool, bool, bool)| other == matching && *gets && !heads && !denied;
        *has_head && !has_get && *denies && all.iter().any(opens)
    })
}

/// A request of any method but CONNECT and OPTIONS has a path.
fn without_every_path(region: Region) -> Region {
    let has_path = |methods: &BTreeSet<String>| !methods.contains("CONNECT") && !methods.contains("OPTIONS");
    let is_said = region.methods.as_ref().is_some_and(has_path) && region.path == Some(PathIs::every());
    if is_said { Region { path: None, ..region } } else { region }
}

/// The requests that a rule is for: one for GET is for HEAD too.
fn as_matched(region: &Region) -> Region {
    let mut matched = region.clone();
    if let Some(methods) = matched.methods.as_mut().filter(|methods| methods.contains("GET")) {
        methods.insert("HEAD".to_owned());
    }
    matched
}

fn rule(region: &Region, access: &Access, issuers: &Issuers) -> Node {
    with(object([("match", region.to_match())]), requirement(access, issuers))
}

/// `deny: true`.
pub(in crate::cli) fn denied() -> Node {
    object([("deny", flag(true))])
}

#[cfg(test)]
mod tests {
    use super::super::PathKind;
    use super::*;

    fn written(cases: &Cases<Access>) -> serde_json::Value {
        rules(cases, &Region::default(), &Issuers::default()).iter().map(|rule| rule.value.to_json()).collect()
    }

    #[test]
    fn a_rule_for_get_does_not_open_head() {
        let get = Cases::when(Region::method("GET"), Access::Yes, Access::No);
        let head = serde_json::json!({"match": {"methods": ["HEAD"]}, "deny": true});
        assert_eq!(written(&get), serde_json::json!([head, {"match": {"methods": ["GET"]}, "public": true}]));
        let both = Region { methods: Some(BTreeSet::from(["GET".into(), "HEAD".into()])), ..Region::default() };
        let both = Cases::when(both, Access::Yes, Access::No);
        assert_eq!(written(&both), serde_json::json!([{"match": {"methods": ["GET", "HEAD"]}, "public": true}]));
    }

    #[test]
    fn what_the_next_rule_says_is_not_said_twice() {
        let path = |kind, text: &str| Region::path(PathIs::new(kind, text));
        let cases = Cases::ordered(
            vec![
                (path(PathKind::Exact, "/a/b"), Access::Yes),
                (path(PathKind::Exact, "/c"), Access::No),
                (path(PathKind::Segments, "/a"), Access::Yes),
            ],
            Access::No,
            &Access::No,
        );
        let a = serde_json::json!({"match": {"path_separated_prefix": "/a"}, "public": true});
        assert_eq!(written(&cases), serde_json::json!([a]));
    }

    #[test]
    fn beside_a_route_head_has_what_it_had() {
        let get = Region::method("GET");
        let need = Access::Need(super::super::Need::token([0]));
        let cases = Cases::when(get.clone(), Access::Yes, need.clone());
        let node = beside(&cases, &Issuers::default()).unwrap().value.to_json();
        assert_eq!(node["methods"]["GET"], serde_json::json!({"public": true}));
        assert_eq!(node["methods"]["HEAD"]["scopes"], serde_json::json!([]));
        // Around `methods` nothing is denied or public.
        assert!(beside(&Cases::when(get, need, Access::No), &Issuers::default()).is_none());
    }
}
