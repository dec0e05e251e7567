//! The rules of a policy: those that can never match, and those that leave a gap.

use super::Findings;
use crate::cli::gates::{Gate, InEnvoy};
use crate::cli::reach::{covers_but_for_methods, hidden_by};
use crate::cli::source::View;
use crate::policy::{Match, Policy};

/// Checks the rules against each other, and against the names that Envoy knows.
pub(super) fn check(gate: &Gate<'_>, values: &View<'_>, policy: &Policy, findings: &mut Findings) {
    let views = values.list("rules");
    let rules = policy.rules.as_slice();
    for (index, rule) in rules.iter().enumerate() {
        let view = views.get(index).unwrap_or(values);
        if let Some(other) = hidden_by(rules, index) {
            findings.warn(
                "rule-never-matches",
                gate.file,
                view,
                format!("can never match: rules[{other}] matches everything that it would"),
                "put it before that rule, or delete it",
            );
        }
        let matching = &rule.matching;
        let mut behind = rules.iter().skip(index + 1).map(|other| &other.matching);
        let has_rest = behind.any(|other| other.path == matching.path || covers_but_for_methods(other, matching));
        if matching.methods.is_some() && matching.path.is_some() && !has_rest {
            findings.warn(
                "methods-without-rest",
                gate.file,
                view,
                "is for some methods, and no rule behind it is for the others on the same path",
                "add a rule for the path without `methods`, unless `default` is meant to decide",
            );
        }
        if let Some(envoy) = &gate.envoy {
            check_names(gate, envoy, view, matching, findings);
        }
    }
}

/// A rule for a route or a virtual host that does not exist never matches.
fn check_names(gate: &Gate<'_>, envoy: &InEnvoy<'_>, view: &View<'_>, matching: &Match, findings: &mut Findings) {
    let hosts = &envoy.virtual_hosts;
    if hosts.is_empty() {
        return;
    }
    let has_route = |name: &str| hosts.iter().flat_map(|host| &host.routes).any(|route| route.name == name);
    if let Some(name) = matching.route.as_deref().filter(|name| !has_route(name)) {
        let what = format!("can never match: no route is called {name}");
        findings.warn("rule-never-matches", gate.file, view, what, "write the whole name of a route");
    }
    if let Some(name) = matching.virtual_host.as_deref().filter(|name| !hosts.iter().any(|host| host.name == *name)) {
        let what = format!("can never match: no virtual host is called {name}");
        findings.warn("rule-never-matches", gate.file, view, what, "write the whole name of a virtual host");
    }
    let takes_all = hosts.iter().any(|host| host.domains.iter().any(|domain| domain == "*"));
    let strips = envoy.manager.get("strip_any_host_port").is_some_and(|view| view.is_true());
    if matching.host.is_some() && takes_all && !strips {
        findings.warn(
            "host-rule-under-any-domain",
            gate.file,
            view,
            "looks at the host, and a virtual host has the domain *: clients choose the host that they send",
            "name the hosts in `domains` and use `virtual_host`; set strip_any_host_port and strip_trailing_host_dot",
        );
    }
}
