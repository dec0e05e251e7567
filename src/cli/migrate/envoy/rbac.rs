//! What `rbac` asks for: its policies, and their conditions on requests and claims.

use super::conditions::{Reads, condition_of_header, metadata};
use super::matching::{Matched, path_text, template_is};
use super::{cel, known};
use crate::cli::migrate::findings::{Findings, Kind, Why};
use crate::cli::migrate::policy::{Access, Cases, PathIs, Region};
use crate::cli::source::View;
use std::path::Path;

/// The type of the filter.
pub(super) const FILTER: &str = "envoy.extensions.filters.http.rbac.v3.RBAC";
/// The type of its configuration beside a route.
pub(super) const PER_ROUTE: &str = "envoy.extensions.filters.http.rbac.v3.RBACPerRoute";

/// What a configuration of the filter asks for.
pub(super) fn answer(file: &Path, view: &View<'_>, reads: &Reads<'_, '_>, findings: &mut Findings) -> Cases<Access> {
    for name in ["shadow_rules", "shadow_matcher"] {
        if let Some(shadow) = view.get(name) {
            let what = "refuses nothing and only counts: it is left out. `report_only: true` of a requirement counts what it \
                        would refuse";
            findings.tell(Kind::Note, file, &shadow, what);
        }
    }
    if let Some((member, what)) = known::unknown(view, known::RBAC) {
        return unclear(file, &member, what);
    }
    if let Some(matcher) = view.get("matcher") {
        return unclear(file, &matcher, "is a matcher tree, which is not read here");
    }
    match view.get("rules") {
        Some(rules) => Rules { file, reads }.answer(&rules, findings),
        // Without rules nothing is enforced.
        None => Cases::always(Access::Yes),
    }
}

fn unclear(file: &Path, view: &View<'_>, what: impl Into<String>) -> Cases<Access> {
    Cases::always(Access::Unclear(vec![Why::new(file, view, what)]))
}

struct Rules<'c, 'p, 's> {
    file: &'c Path,
    reads: &'c Reads<'p, 's>,
}

impl Rules<'_, '_, '_> {
    fn answer(&self, rules: &View<'_>, findings: &mut Findings) -> Cases<Access> {
        if let Some((member, what)) = known::unknown(rules, known::RULES) {
            return unclear(self.file, &member, what);
        }
        let action = rules.get("action");
        let is = |name: &str, number: i64| action.as_ref().is_some_and(|action| action.is_value(name, number));
        if is("LOG", 2) {
            findings.tell(Kind::Note, self.file, rules, "logs and refuses nothing (`action: LOG`): it is left out");
            return Cases::always(Access::Yes);
        }
        let is_deny = is("DENY", 1);
        if let Some(action) = action.as_ref().filter(|_| !is_deny && !is("ALLOW", 0)) {
            return unclear(self.file, action, "is an action that is not read here");
        }
        let policies = rules.get("policies").map(|view| view.members()).unwrap_or_default();
        let held = policies.iter().map(|(_, policy)| self.policy(policy));
        let why = Why::new(
            self.file,
            rules,
            "lets requests through for one of several policies whose conditions on claims no requirement says together",
        );
        let any = either(held, &why);
        if !is_deny {
            return any;
        }
        let why = Why::new(
            self.file,
            rules,
            "refuses requests whose claims meet a condition: a requirement asks for claims alone",
        );
        any.map(|access| access.negated(&why))
    }

    fn policy(&self, policy: &View<'_>) -> Cases<Access> {
        if let Some((member, what)) = known::unknown(policy, known::POLICY) {
            return unclear(self.file, &member, what);
        }
        let why = |what: &str| Why::new(self.file, policy, what);
        let several = why("has alternatives whose conditions on claims no requirement says together");
        let permissions = policy.list("permissions");
        let principals = policy.list("principals");
        let permitted = either(permissions.iter().map(|permission| self.condition(permission)), &several);
        let known = either(principals.iter().map(|principal| self.condition(principal)), &several);
        let mut all = both(&permitted, &known, &several);
        for name in ["condition", "checked_condition"] {
            if let Some(condition) = policy.get(name) {
                let expression = condition.get("expr").unwrap_or_else(|| condition.clone());
                let own = cel::answer(self.file, &expression, self.reads, &several);
                all = both(&all, &own, &several);
            }
        }
        all
    }

    /// A `Permission` or a `Principal`.
    fn condition(&self, view: &View<'_>) -> Cases<Access> {
        let members = view.members();
        let Some((name, own)) = members.last() else { return unclear(self.file, view, "has no condition") };
        let why = Why::new(self.file, own, "has conditions on claims that no requirement says together");
        let of_list = |list: &str| own.list(list).iter().map(|item| self.condition(item)).collect::<Vec<_>>();
        let is = |known: &[&str]| known.iter().any(|known| crate::cli::source::is_same(name, known));
        if is(&["any"]) {
            // `any: false` matches nothing that is worth a guess.
            return if own.is_true() { Cases::always(Access::Yes) } else { unclear(self.file, own, "is not `true`") };
        }
        if is(&["and_rules"]) || is(&["and_ids"]) {
            let all = of_list(if is(&["and_rules"]) { "rules" } else { "ids" });
            return all.iter().fold(Cases::always(Access::Yes), |all, next| both(&all, next, &why));
        }
        if is(&["or_rules"]) || is(&["or_ids"]) {
            return either(of_list(if is(&["or_rules"]) { "rules" } else { "ids" }).into_iter(), &why);
        }
        if is(&["not_rule", "not_id"]) {
            let why = Why::new(
                self.file,
                own,
                "asks that claims do not meet a condition: a requirement asks for claims alone",
            );
            return self.condition(own).map(|access| access.negated(&why));
        }
        if let Some(why) = self.reads.edited.as_ref().filter(|_| is(&["header", "url_path", "uri_template"])) {
            return Cases::always(Access::Unclear(vec![why.clone()]));
        }
        if is(&["header"]) {
            return condition_of_header(self.file, own, self.reads);
        }
        if is(&["url_path"]) {
            let matched = own.get("path").map(|path| path_text(&path));
            return matched.map_or_else(
                || unclear(self.file, own, "has no path that can be read"),
                |matched| where_matched(self.file, own, matched),
            );
        }
        if is(&["uri_template"]) {
            let text = own.at(&["typed_config", "path_template"]).and_then(|view| view.text());
            return text.map_or_else(
                || unclear(self.file, own, "has no template that can be read"),
                |text| where_matched(self.file, own, template_is(text)),
            );
        }
        if is(&["metadata"]) {
            return metadata(self.file, own, self.reads);
        }
        if is(&["sourced_metadata"]) {
            let source = own.get("metadata_source");
            let is_dynamic = source.is_none_or(|source| source.is_value("REQUEST", 0) || source.is_value("DYNAMIC", 0));
            return match own.get("metadata_matcher").filter(|_| is_dynamic) {
                Some(matcher) => metadata(self.file, &matcher, self.reads),
                None => unclear(self.file, own, "reads metadata of the route, which no requirement reads"),
            };
        }
        unclear(self.file, own, format!("is a condition on `{name}`, which no requirement has"))
    }
}

/// Nothing is asked of the requests that match; where that is not known, it is unclear.
pub(super) fn where_matched(file: &Path, view: &View<'_>, matched: Matched) -> Cases<Access> {
    let inside = match matched.beyond {
        None => Access::Yes,
        Some(why) => Access::Unclear(vec![Why::new(file, view, format!("{why}: no rule says that"))]),
    };
    Cases::when(matched.region, inside, Access::No)
}

/// Nothing is asked of the requests that have a path, and no other one matches.
pub(super) fn with_path() -> Cases<Access> {
    Cases::when(Region::path(PathIs::every()), Access::Yes, Access::No)
}

/// What both ask for.
pub(super) fn both(a: &Cases<Access>, b: &Cases<Access>, why: &Why) -> Cases<Access> {
    a.both(b, &Access::Unclear(vec![why.clone()]), Access::and)
}

/// What one of them asks for; of none, nothing passes.
pub(super) fn either(all: impl Iterator<Item = Cases<Access>>, why: &Why) -> Cases<Access> {
    let unclear = Access::Unclear(vec![why.clone()]);
    all.fold(Cases::always(Access::No), |any, next| any.both(&next, &unclear, |a, b| a.or(b, why)))
}
