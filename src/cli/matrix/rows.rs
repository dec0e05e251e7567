//! The rows of a matrix: routes, virtual hosts, rules and the default, each for its methods.

use super::origin::{Origin, expand};
use super::row::{Called, Mark, Row};
use super::section::{Section, notes};
use crate::cli::gates::{Gate, Route, VirtualHost, place};
use crate::cli::reach::Reach;
use crate::cli::source::View;
use crate::config::ConfigError;
use crate::facts::MetadataSource;
use crate::policy::{Policy, Requirement, RequirementSource, RouteMetadata, Rule};
use std::collections::HashMap;

/// The rows of a gate.
pub(super) fn section(gate: &Gate<'_>, policy: &Policy) -> Section {
    let view = &gate.values;
    let mut rows = Vec::new();
    let hosts = gate.envoy.as_ref().map(|envoy| envoy.virtual_hosts.as_slice()).unwrap_or_default();
    for host in hosts {
        host_rows(host, policy, &mut rows);
    }
    let views = view.list("rules");
    let reach = Reach::of(policy.rules.as_slice());
    let routes = by_name(hosts);
    for (index, rule) in policy.rules.as_slice().iter().enumerate() {
        let origin = Origin {
            place: format!("rules[{index}]"),
            matching: matcher(views.get(index)),
            methods: rule.matching.methods.as_ref(),
            view: views.get(index).cloned(),
            added: false,
            path: RequirementSource::Rule(index).to_string(),
            of: String::new(),
        };
        let why = match reach.hidden_by(index) {
            Some(earlier) => Some(format!("rules[{earlier}] matches all of it before")),
            None => unknown_name(rule, hosts, &routes, policy),
        };
        let mut found = expand(&origin, &rule.requirement, policy);
        if let Some(why) = why {
            for row in &mut found {
                row.mark(Mark::Never);
                row.conditions.push(why.clone());
            }
        }
        rows.extend(found);
    }
    let origin = Origin {
        place: "default".into(),
        matching: "everything else".into(),
        methods: None,
        view: view.get("default"),
        added: false,
        path: RequirementSource::Default.to_string(),
        of: String::new(),
    };
    rows.extend(expand(&origin, &policy.default, policy));
    if policy.report_only {
        rows.iter_mut().for_each(|row| row.mark(Mark::ReportOnly));
    }
    let mut section =
        Section { title: place(gate.file, gate.configuration.position()), notes: notes(gate, policy), rows };
    section.clean();
    section
}

fn host_rows(host: &VirtualHost<'_>, policy: &Policy, rows: &mut Vec<Row>) {
    let of_host = host.requirement(policy);
    let added = policy.route_metadata == RouteMetadata::Restrict;
    let mut all_have_their_own = !host.routes.is_empty();
    for route in &host.routes {
        let name = if route.name.is_empty() { route.view.path.as_str() } else { route.name.as_str() };
        let origin = Origin {
            place: format!("route {name} ({})", host.name),
            matching: route.matcher(),
            methods: None,
            view: route.beside.as_ref().map(|beside| beside.view.clone()),
            added,
            path: RequirementSource::RouteMetadata.to_string(),
            of: route.name.clone(),
        };
        let own = route.requirement(policy);
        all_have_their_own &= own.is_some();
        match (own, &of_host) {
            (Some(own), _) => rows.extend(metadata_rows(&origin, own, policy)),
            (None, Some(_)) => rows.push(of_route(&origin, &format!("what virtual host {} asks", host.name))),
            (None, None) => rows.push(of_route(&origin, "what rules and default ask")),
        }
    }
    if let Some(of_host) = of_host {
        let origin = Origin {
            place: format!("virtual host {}", host.name),
            matching: host.domains.join(", "),
            methods: None,
            view: host.beside.as_ref().map(|beside| beside.view.clone()),
            added,
            path: source_of(host).to_string(),
            of: host.name.clone(),
        };
        let mut found = metadata_rows(&origin, of_host, policy);
        if all_have_their_own {
            for row in &mut found {
                row.mark(Mark::Never);
                row.conditions.push("each of its routes has its own requirement".to_owned());
            }
        }
        rows.extend(found);
    }
}

/// What the gate takes the requirement of a virtual host for.
fn source_of(host: &VirtualHost<'_>) -> RequirementSource {
    match host.beside.as_ref().map(|beside| beside.source) {
        Some(MetadataSource::Route) => RequirementSource::RouteMetadata,
        Some(MetadataSource::VirtualHost) | None => RequirementSource::VirtualHostMetadata,
    }
}

/// The row of a route whose requirement is elsewhere.
fn of_route(origin: &Origin<'_>, needs: &str) -> Row {
    Row { called: Some(Called::Route(origin.of.clone())), ..origin.refers_to(needs) }
}

fn metadata_rows(origin: &Origin<'_>, found: Result<Requirement, ConfigError>, policy: &Policy) -> Vec<Row> {
    if policy.route_metadata == RouteMetadata::Ignore {
        return vec![Row { marks: vec![Mark::Ignored], ..origin.refers_to("what rules and default ask") }];
    }
    match found {
        Ok(requirement) => expand(origin, &requirement, policy),
        Err(error) => {
            let conditions = error.0.iter().map(ToString::to_string).collect();
            vec![Row { marks: vec![Mark::Unreadable], conditions, ..origin.refers_to("cannot be read") }]
        }
    }
}

/// Routes with their virtual hosts, by the names of the routes.
type ByName<'h, 's> = HashMap<&'h str, Vec<(&'h VirtualHost<'s>, &'h Route<'s>)>>;

fn by_name<'h, 's>(hosts: &'h [VirtualHost<'s>]) -> ByName<'h, 's> {
    let mut found = ByName::new();
    for host in hosts {
        for route in &host.routes {
            found.entry(route.name.as_str()).or_default().push((host, route));
        }
    }
    found
}

/// Why no route can lead to a rule, by the names in it.
fn unknown_name(rule: &Rule, hosts: &[VirtualHost<'_>], routes: &ByName<'_, '_>, policy: &Policy) -> Option<String> {
    if hosts.is_empty() {
        return None;
    }
    let (route, host) = (rule.matching.route.as_deref(), rule.matching.virtual_host.as_deref());
    if let Some(name) = host.filter(|name| !hosts.iter().any(|host| host.name == *name)) {
        return Some(format!("no virtual host is called {name}"));
    }
    let name = route?;
    let mut led = routes
        .get(name)
        .into_iter()
        .flatten()
        .filter(|(candidate, _)| host.is_none_or(|name| candidate.name == name))
        .peekable();
    if led.peek().is_none() {
        return Some(format!("no route is called {name}"));
    }
    let decided = |(host, route): &(&VirtualHost<'_>, &Route<'_>)| {
        route.requirement(policy).is_some() || host.requirement(policy).is_some()
    };
    (policy.route_metadata == RouteMetadata::Replace && led.all(decided))
        .then(|| format!("the metadata of route {name} decides before"))
}

/// The conditions of a rule, as they were written.
fn matcher(rule: Option<&View<'_>>) -> String {
    let Some(matching) = rule.and_then(|rule| rule.get("match")) else { return String::new() };
    let mut parts = Vec::new();
    for (name, word) in [
        ("path", "path"),
        ("prefix", "prefix"),
        ("path_separated_prefix", "path_separated_prefix"),
        ("template", "template"),
        ("route", "route"),
        ("virtual_host", "virtual host"),
        ("host", "host"),
    ] {
        parts.extend(matching.get(name).and_then(|view| view.text()).map(|text| format!("{word} {text}")));
    }
    if matching.get("ignore_case").is_some_and(|view| view.is_true()) {
        parts.push("in any letter case".to_owned());
    }
    if parts.is_empty() { "any path".to_owned() } else { parts.join(", ") }
}
