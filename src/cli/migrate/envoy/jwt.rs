//! What `jwt_authn` asks for: its rules, and its requirements.

use super::known;
use super::matching::route_match;
use super::providers::{Providers, audiences};
use crate::cli::migrate::findings::{Findings, Kind, Why};
use crate::cli::migrate::policy::{Access, Cases, Need, Region};
use crate::cli::source::View;
use crate::config::Tree;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

/// The type of the filter.
pub(super) const FILTER: &str = "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication";
/// The type of its configuration beside a route.
pub(super) const PER_ROUTE: &str = "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig";

/// The providers that requirements name, by their number, each with the audiences that count in place of its own.
pub(super) type Uses = Vec<(usize, Option<BTreeSet<String>>)>;

/// A filter, its providers, and which audiences its requirements name for them.
pub(super) struct Jwt<'c, 's> {
    pub(super) file: &'s Path,
    pub(super) view: View<'s>,
    pub(super) providers: &'c Providers<'s>,
    pub(super) used: &'c RefCell<Uses>,
    pub(super) findings: &'c RefCell<Findings>,
}

impl Jwt<'_, '_> {
    /// The cases of its rules: the first that matches decides, by the path alone and not by the route.
    pub(super) fn rules(&self) -> Cases<Access> {
        if let Some((member, what)) = known::unknown(&self.view, known::FILTER) {
            return Cases::always(self.unclear(&member, what));
        }
        let mut cases = Vec::new();
        for rule in self.view.list("rules") {
            let Some(conditions) = rule.get("match") else {
                cases.push((Region::default(), self.unclear(&rule, "has no `match`")));
                continue;
            };
            let matched = route_match(&conditions);
            let access = match (rule.get("requires"), rule.get("requirement_name")) {
                (Some(requires), None) => self.requirement(&requires),
                (None, Some(name)) => self.named(&name),
                (None, None) => {
                    let what = "asks for nothing: whatever it matches passes without a token";
                    self.findings.borrow_mut().tell(Kind::LetThrough, self.file, &rule, what);
                    Access::Open
                }
                (Some(_), Some(_)) => self.unclear(&rule, "has both `requires` and `requirement_name`"),
            };
            let access = match matched.beyond {
                None => known::unknown(&rule, known::RULE).map_or(access, |(member, what)| self.unclear(&member, what)),
                Some(why) => self.unclear(&conditions, format!("{why}: no rule says that")),
            };
            cases.push((matched.region, access));
        }
        // The filter state is asked only where no rule matches.
        let last = match self.view.get("filter_state_rules") {
            Some(state) => self.unclear(&state, "chooses a requirement by filter state, which no rule reads"),
            None => Access::Open,
        };
        let all = Why::new(self.file, &self.view, "has more rules than can be told apart");
        Cases::ordered(cases, last, &Access::Unclear(vec![all]))
    }

    /// What its configuration beside a route asks for.
    pub(super) fn per_route(&self, file: &Path, view: &View<'_>) -> Access {
        if view.get("disabled").is_some_and(|flag| flag.is_true()) {
            return Access::Open;
        }
        match view.get("requirement_name").filter(|name| name.text().is_some_and(|text| !text.is_empty())) {
            Some(name) => match self.view.at(&["requirement_map"]).and_then(|map| member(&map, name.text()?)) {
                Some(requirement) => self.requirement(&requirement),
                None => {
                    Access::Unclear(vec![Why::new(file, &name, "names a requirement that is not in `requirement_map`")])
                }
            },
            None => {
                Access::Unclear(vec![Why::new(file, view, "has neither `disabled: true` nor a `requirement_name`")])
            }
        }
    }

    fn unclear(&self, view: &View<'_>, what: impl Into<String>) -> Access {
        Access::Unclear(vec![Why::new(self.file, view, what)])
    }

    /// The requirement of `requirement_map` that is named.
    fn named(&self, name: &View<'_>) -> Access {
        let found = name.text().and_then(|name| member(&self.view.get("requirement_map")?, name));
        match found {
            Some(requirement) => self.requirement(&requirement),
            None => self.unclear(name, "names a requirement that is not in `requirement_map`"),
        }
    }

    /// A `JwtRequirement`.
    fn requirement(&self, view: &View<'_>) -> Access {
        if let Some(name) = view.get("provider_name") {
            return self.provider(view, name.text(), None);
        }
        if let Some(both) = view.get("provider_and_audiences") {
            let name = both.get("provider_name").and_then(|name| name.text());
            return match audiences(self.file, &both) {
                Ok(audiences) => self.provider(&both, name, audiences),
                Err(why) => Access::Unclear(vec![why]),
            };
        }
        if let Some(any) = view.get("requires_any") {
            return self.any(&any);
        }
        if let Some(all) = view.get("requires_all") {
            return self.all(&all);
        }
        if view.get("allow_missing").is_some() {
            self.tell_missing(view);
            return self.missing();
        }
        for name in ["allow_missing_or_failed", "extract_only_without_validation"] {
            if let Some(own) = view.get(name) {
                let what = match name {
                    "allow_missing_or_failed" => "lets bad tokens pass: Scopegate lets none pass, or a missing one",
                    _ => "reads tokens without judging them: Scopegate takes no claim from such a token",
                };
                let why =
                    Why::or_write(self.file, &own, what, "allow_missing: true, or public: true where no token counts");
                return Access::Unclear(vec![why]);
            }
        }
        match view.members().first() {
            None if matches!(view.node.value, Tree::Object(_)) => Access::Open,
            None => self.unclear(view, "is no requirement"),
            Some((name, member)) => self.unclear(member, format!("is `{name}`, which is not read here")),
        }
    }

    fn provider(&self, view: &View<'_>, name: Option<&str>, audiences: Option<BTreeSet<String>>) -> Access {
        let Some(number) = name.and_then(|name| self.providers.find(&self.view, name)) else {
            return self.unclear(view, self.no_provider(name));
        };
        let broken = self.providers.0.get(number).and_then(|provider| provider.broken.clone());
        if let Some(why) = broken {
            return Access::Unclear(vec![why]);
        }
        self.used.borrow_mut().push((number, audiences.clone()));
        let tokens = std::iter::once((number, audiences)).collect();
        Access::Need(Need { tokens: Some(tokens), ..Need::default() })
    }

    /// Says that there is no such provider, and which there are.
    fn no_provider(&self, name: Option<&str>) -> String {
        let named = |name: &str| format!("`{name}`");
        let known = self.view.get("providers").map(|view| view.members()).unwrap_or_default();
        let known: Vec<String> = known.iter().map(|(name, _)| named(name)).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        match name {
            Some(name) => format!("{} is no provider of this filter, which has {known}", named(name)),
            None => format!("names no provider of this filter, which has {known}"),
        }
    }

    fn tell_missing(&self, view: &View<'_>) {
        let mut findings = self.findings.borrow_mut();
        let what = "lets requests without a token pass (`allow_missing`)";
        findings.tell(Kind::LetThrough, self.file, view, what);
        let what = "refused a bad token behind another scheme (`Basic dTpw Bearer …`); now that is a request without a token, \
                    and passes as one";
        findings.tell(Kind::Changed, self.file, view, what);
    }

    /// A token of any provider, or none.
    fn missing(&self) -> Access {
        let own = self.view.get("providers").map(|view| view.members()).unwrap_or_default();
        let all = own.iter().filter_map(|(name, _)| self.providers.find(&self.view, name));
        let all: BTreeSet<usize> = all.collect();
        let broken = self.broken();
        if !broken.is_empty() {
            return Access::Unclear(broken);
        }
        self.used.borrow_mut().extend(all.iter().map(|number| (*number, None)));
        Access::Need(Need { missing: true, ..Need::token(all) })
    }

    /// Why tokens of some providers cannot be judged: a bad one would pass for none where it is in a place of its own.
    fn broken(&self) -> Vec<Why> {
        let own = self.view.get("providers").map(|view| view.members()).unwrap_or_default();
        let all = own.iter().filter_map(|(name, _)| self.providers.find(&self.view, name));
        all.filter_map(|number| self.providers.0.get(number)?.broken.clone()).collect()
    }

    fn any(&self, view: &View<'_>) -> Access {
        let items = view.list("requirements");
        let is_missing = |item: &&View<'_>| item.get("allow_missing").is_some();
        let may_miss = items.iter().any(|item| is_missing(&item));
        if may_miss {
            self.tell_missing(view);
        }
        // Beside requirements within others `jwt_authn` looks for tokens of every provider.
        let is_nested = |item: &View<'_>| item.get("requires_any").is_some() || item.get("requires_all").is_some();
        if may_miss && items.iter().any(is_nested) {
            let broken = self.broken();
            if !broken.is_empty() {
                return Access::Unclear(broken);
            }
        }
        let why = Why::new(self.file, view, "accepts one of several requirements that no requirement says together");
        let others = items.iter().filter(|item| !is_missing(item)).map(|item| self.requirement(item));
        let Some(any) = others.reduce(|any, other| any.or(&other, &why)) else {
            return if may_miss { self.missing() } else { self.unclear(view, "accepts one of no requirements") };
        };
        match any {
            Access::Need(need) if may_miss => Access::Need(Need { missing: true, ..need }),
            other => other,
        }
    }

    fn all(&self, view: &View<'_>) -> Access {
        let all: Vec<Access> = view.list("requirements").iter().map(|item| self.requirement(item)).collect();
        if let Some(Access::Unclear(why)) = all.iter().find(|access| matches!(access, Access::Unclear(_))) {
            return Access::Unclear(why.clone());
        }
        match all.split_first() {
            Some((first, others)) if others.iter().all(|other| other == first) => first.clone(),
            _ => self.unclear(
                view,
                "asks for several tokens in one request: Scopegate refuses a request that has more than one",
            ),
        }
    }
}

/// The member of a map with exactly this name.
pub(super) fn member<'s>(map: &View<'s>, name: &str) -> Option<View<'s>> {
    map.members().into_iter().rev().find(|(own, _)| *own == name).map(|(_, view)| view)
}
