//! The rules of a policy: those that can never match, and those that leave a gap.

use super::Findings;
use crate::cli::gates::{Gate, InEnvoy};
use crate::cli::reach::Reach;
use crate::cli::source::View;
use crate::policy::{Match, Policy};
use std::collections::HashSet;

/// Checks the rules against each other, and against the names that Envoy knows.
pub(super) fn check(gate: &Gate<'_>, values: &View<'_>, policy: &Policy, findings: &mut Findings) {
    let views = values.list("rules");
    let rules = policy.rules.as_slice();
    let reach = Reach::of(rules);
    let names = gate.envoy.as_ref().map(Names::of);
    for (index, rule) in rules.iter().enumerate() {
        let view = views.get(index).unwrap_or(values);
        if let Some(other) = reach.hidden_by(index) {
            findings.warn(
                "rule-never-matches",
                gate.file,
                view,
                format!("can never match: rules[{other}] matches everything that it would"),
                "put it before that rule, or delete it",
            );
        }
        let matching = &rule.matching;
        if matching.methods.is_some() && matching.path.is_some() && !reach.has_rest(index) {
            findings.warn(
                "methods-without-rest",
                gate.file,
                view,
                "is for some methods, and no rule behind it is for the others on the same path",
                "add a rule for the path without `methods`, unless `default` is meant to decide",
            );
        }
        if let Some(names) = &names {
            names.check(gate, view, matching, findings);
        }
    }
}

/// The names of Envoy's routes and virtual hosts.
struct Names<'e> {
    envoy: &'e InEnvoy<'e>,
    routes: HashSet<&'e str>,
    hosts: HashSet<&'e str>,
    takes_all: bool,
}

impl<'e> Names<'e> {
    fn of(envoy: &'e InEnvoy<'e>) -> Self {
        let hosts = &envoy.virtual_hosts;
        Self {
            envoy,
            routes: hosts.iter().flat_map(|host| &host.routes).map(|route| route.name.as_str()).collect(),
            hosts: hosts.iter().map(|host| host.name.as_str()).collect(),
            takes_all: hosts.iter().any(|host| host.domains.iter().any(|domain| domain == "*")),
        }
    }

    /// A rule for a route or a virtual host that does not exist never matches.
    fn check(&self, gate: &Gate<'_>, view: &View<'_>, matching: &Match, findings: &mut Findings) {
        if self.hosts.is_empty() {
            return;
        }
        if let Some(name) = matching.route.as_deref().filter(|name| !self.routes.contains(name)) {
            let what = format!("can never match: no route is called {name}");
            findings.warn("rule-never-matches", gate.file, view, what, "write the whole name of a route");
        }
        if let Some(name) = matching.virtual_host.as_deref().filter(|name| !self.hosts.contains(name)) {
            let what = format!("can never match: no virtual host is called {name}");
            findings.warn("rule-never-matches", gate.file, view, what, "write the whole name of a virtual host");
        }
        let strips = self.envoy.manager.get("strip_any_host_port").is_some_and(|view| view.is_true());
        if matching.host.is_some() && self.takes_all && !strips {
            findings.warn(
                "host-rule-under-any-domain",
                gate.file,
                view,
                "looks at the host, and a virtual host has the domain *: clients choose the host that they send",
                "name the hosts in `domains` and use `virtual_host`; set strip_any_host_port and strip_trailing_host_dot",
            );
        }
    }
}
