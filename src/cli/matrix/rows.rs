//! The rows of a matrix: routes, virtual hosts, rules and the default, each for its methods.

use super::needs;
use crate::cli::gates::{Gate, VirtualHost, place};
use crate::cli::reach::hidden_by;
use crate::cli::source::View;
use crate::config::{ConfigError, Node, read_yaml};
use crate::policy::{Access, MethodSet, Policy, Requirement, RouteMetadata, Rule};

/// One configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    /// Where it stands.
    pub title: String,
    /// What holds for all of it.
    pub notes: Vec<String>,
    pub rows: Vec<Row>,
}

/// What is needed in one place for some methods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// Where that stands: a route, a virtual host, a rule, the default.
    pub place: String,
    pub matching: String,
    pub methods: String,
    pub needs: String,
    /// What must hold beside, and what is to be known.
    pub conditions: Vec<String>,
    pub marks: Vec<Mark>,
}

/// What a reviewer looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Public,
    Denied,
    AnyToken,
    AllowMissing,
    ReportOnly,
    Never,
    Unreadable,
    Ignored,
}

impl Mark {
    /// All marks.
    pub(super) const ALL: [Self; 8] = [
        Self::Public,
        Self::Denied,
        Self::AnyToken,
        Self::AllowMissing,
        Self::ReportOnly,
        Self::Never,
        Self::Unreadable,
        Self::Ignored,
    ];

    /// Its words.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Denied => "denied",
            Self::AnyToken => "any token",
            Self::AllowMissing => "allow missing",
            Self::ReportOnly => "report only",
            Self::Never => "never",
            Self::Unreadable => "unreadable",
            Self::Ignored => "ignored",
        }
    }

    /// What it means.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Public => "everybody passes, no token is read",
            Self::Denied => "nobody passes",
            Self::AnyToken => "a valid token passes, whatever its scopes are",
            Self::AllowMissing => "a request without a token passes",
            Self::ReportOnly => "what would be refused passes, and is counted",
            Self::Never => "no request can come here",
            Self::Unreadable => "the metadata cannot be read: every request is refused with 500",
            Self::Ignored => "the metadata has no effect here",
        }
    }
}

/// What rows of one place have in common.
struct Origin<'v> {
    place: String,
    matching: String,
    methods: Option<&'v MethodSet>,
    /// The requirement, as it was written.
    view: Option<View<'v>>,
    /// Whether it is only added to what rules and the default ask.
    added: bool,
}

/// The rows of a gate.
pub(super) fn section(gate: &Gate<'_>, policy: &Policy) -> Section {
    let written = written(&gate.configuration);
    let view = written
        .as_ref()
        .map_or_else(|| gate.configuration.get("value").unwrap_or_else(|| gate.configuration.clone()), View::root);
    let mut rows = Vec::new();
    let hosts = gate.envoy.as_ref().map(|envoy| envoy.virtual_hosts.as_slice()).unwrap_or_default();
    for host in hosts {
        host_rows(host, policy, &mut rows);
    }
    let views = view.list("rules");
    for (index, rule) in policy.rules.as_slice().iter().enumerate() {
        let origin = Origin {
            place: format!("rules[{index}]"),
            matching: matcher(views.get(index)),
            methods: rule.matching.methods.as_ref(),
            view: views.get(index).cloned(),
            added: false,
        };
        let why = match hidden_by(policy.rules.as_slice(), index) {
            Some(earlier) => Some(format!("rules[{earlier}] matches all of it before")),
            None => unknown_name(rule, hosts, policy),
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

/// A configuration that was given as JSON in text.
fn written(configuration: &View<'_>) -> Option<Node> {
    read_yaml(configuration.get("value")?.text()?).ok()
}

fn notes(gate: &Gate<'_>, policy: &Policy) -> Vec<String> {
    let mut notes = Vec::new();
    if policy.report_only {
        notes.push("report_only: nothing is refused, what would be is counted".to_owned());
    }
    for issuer in &policy.issuers {
        notes.push(format!(
            "issuer {}: {}, for the audience {}",
            issuer.name,
            issuer.issuer,
            issuer.audiences.join(" or ")
        ));
    }
    if policy.bypass_cors_preflight {
        notes.push("CORS preflight requests pass without a token".to_owned());
    }
    match (&gate.envoy, policy.route_metadata) {
        (None, RouteMetadata::Ignore) => {}
        (None, _) => notes.push("requirements in route metadata are not in these files; they come first".to_owned()),
        (Some(envoy), _) if envoy.virtual_hosts.is_empty() => {
            notes.push("the routes are not in these files; what their metadata asks is not shown".to_owned());
        }
        (Some(_), RouteMetadata::Replace) => {}
        (Some(_), RouteMetadata::Restrict) => {
            notes
                .push("route_metadata: restrict; what metadata asks is added to what rules and default ask".to_owned());
        }
        (Some(_), RouteMetadata::Ignore) => notes.push("route_metadata: ignore; metadata is not read".to_owned()),
    }
    notes
}

fn host_rows(host: &VirtualHost<'_>, policy: &Policy, rows: &mut Vec<Row>) {
    let of_host = host.requirement(policy);
    let namespace = ["metadata", "filter_metadata", crate::config::METADATA_NAMESPACE];
    let added = policy.route_metadata == RouteMetadata::Restrict;
    let mut all_have_their_own = !host.routes.is_empty();
    for route in &host.routes {
        let name = if route.name.is_empty() { route.view.path.as_str() } else { route.name.as_str() };
        let origin = Origin {
            place: format!("route {name} ({})", host.name),
            matching: route.matcher(),
            methods: None,
            view: route.view.at(&namespace),
            added,
        };
        let own = route.requirement(policy);
        all_have_their_own &= own.is_some();
        match (own, &of_host) {
            (Some(own), _) => rows.extend(metadata_rows(&origin, own, policy)),
            (None, Some(_)) => rows.push(origin.refers_to(&format!("what virtual host {} asks", host.name))),
            (None, None) => rows.push(origin.refers_to("what rules and default ask")),
        }
    }
    if let Some(of_host) = of_host {
        let origin = Origin {
            place: format!("virtual host {}", host.name),
            matching: host.domains.join(", "),
            methods: None,
            view: host.view.at(&namespace),
            added,
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

/// Why no route can lead to a rule, by the names in it.
fn unknown_name(rule: &Rule, hosts: &[VirtualHost<'_>], policy: &Policy) -> Option<String> {
    if hosts.is_empty() {
        return None;
    }
    let (route, host) = (rule.matching.route.as_deref(), rule.matching.virtual_host.as_deref());
    if let Some(name) = host.filter(|name| !hosts.iter().any(|host| host.name == *name)) {
        return Some(format!("no virtual host is called {name}"));
    }
    let name = route?;
    let mut led = hosts
        .iter()
        .filter(|candidate| host.is_none_or(|name| candidate.name == name))
        .flat_map(|host| host.routes.iter().map(move |route| (host, route)))
        .filter(|(_, route)| route.name == name)
        .peekable();
    if led.peek().is_none() {
        return Some(format!("no route is called {name}"));
    }
    let decided = |(host, route): (&VirtualHost<'_>, &crate::cli::gates::Route<'_>)| {
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

/// A requirement, for each method that has its own, and for the others.
fn expand(origin: &Origin<'_>, requirement: &Requirement, policy: &Policy) -> Vec<Row> {
    let mut rows = Vec::new();
    let has = |name: &str| requirement.methods.iter().any(|(other, _)| other == name);
    let here = |name: &&str| origin.methods.is_none_or(|methods| methods.contains(name.as_bytes()));
    for (name, own) in &requirement.methods {
        let covered: Vec<&str> = if name == "GET" && !has("HEAD") { vec!["GET", "HEAD"] } else { vec![name.as_str()] };
        let left: Vec<&str> = covered.iter().copied().filter(here).collect();
        let view = origin.view.as_ref().and_then(|view| view.at(&["methods", name]));
        let mut row = origin.row(own, view.as_ref(), policy);
        if left.is_empty() {
            row.mark(Mark::Never);
            row.conditions.push("the rule is not for this method".to_owned());
        }
        row.methods = if left.is_empty() { covered } else { left }.join(", ");
        rows.push(row);
    }
    let mut rest = origin.row(requirement, origin.view.as_ref(), policy);
    rest.methods = match origin.methods {
        None if requirement.methods.is_empty() => "any".to_owned(),
        None => "any other".to_owned(),
        Some(methods) => {
            let mut names: Vec<&str> = methods.names().iter().map(String::as_str).collect();
            if names.contains(&"GET") && !names.contains(&"HEAD") {
                names.push("HEAD");
            }
            names.retain(|name| std::ptr::eq(requirement.for_method(name.as_bytes()), requirement));
            names.join(", ")
        }
    };
    if rest.methods.is_empty() {
        rest.methods = "any other".into();
        rest.mark(Mark::Never);
        rest.conditions.push("each method of the rule has its own requirement".to_owned());
    }
    rows.push(rest);
    rows
}

impl Origin<'_> {
    fn refers_to(&self, needs: &str) -> Row {
        Row {
            place: self.place.clone(),
            matching: self.matching.clone(),
            methods: "any".to_owned(),
            needs: needs.to_owned(),
            ..Row::default()
        }
    }

    fn row(&self, requirement: &Requirement, view: Option<&View<'_>>, policy: &Policy) -> Row {
        let mut row = self.refers_to("");
        match &requirement.access {
            Access::Public if self.added => {
                row.needs = "nothing more".into();
                row.mark(Mark::Ignored);
            }
            Access::Public => {
                row.needs = "nothing".into();
                row.mark(Mark::Public);
            }
            Access::Deny => {
                row.needs = "nobody passes".into();
                row.mark(Mark::Denied);
            }
            Access::Token(ask) => {
                let scopes = needs::scopes(&ask.scopes);
                if scopes.is_none() && !self.added {
                    row.mark(Mark::AnyToken);
                }
                row.needs = scopes.unwrap_or_else(|| "a valid token".to_owned());
                row.conditions = needs::conditions(ask, view, policy);
                // Added to what others ask, neither has an effect.
                if ask.allow_missing && !self.added {
                    row.needs = format!("no token, or {}", row.needs);
                    row.mark(Mark::AllowMissing);
                }
                if ask.report_only && !self.added {
                    row.mark(Mark::ReportOnly);
                }
            }
        }
        if self.added && requirement.access != Access::Deny {
            row.conditions.push("and what rules and default ask".to_owned());
        }
        if !requirement.jwt_allowed_in.is_empty() {
            row.conditions.push(format!("a JWT may stand in the parameter {}", requirement.jwt_allowed_in.join(", ")));
        }
        row
    }
}

impl Row {
    fn mark(&mut self, mark: Mark) {
        if !self.marks.contains(&mark) {
            self.marks.push(mark);
        }
    }

    /// The cells in the order of [`COLUMNS`].
    pub(super) fn cells(&self) -> [String; 6] {
        let marks: Vec<&str> = self.marks.iter().map(|mark| mark.words()).collect();
        [
            self.place.clone(),
            self.matching.clone(),
            self.methods.clone(),
            self.needs.clone(),
            self.conditions.join("; "),
            marks.join(", "),
        ]
    }
}

/// The heads of the columns.
pub(super) const COLUMNS: [&str; 6] = ["where", "match", "methods", "needs", "conditions", "marks"];

impl Section {
    /// Takes out what could steer a terminal, or hide text.
    fn clean(&mut self) {
        let clean = |text: &mut String| {
            if text.contains(unsafe_to_show) {
                *text = text.replace(unsafe_to_show, "\u{fffd}");
            }
        };
        clean(&mut self.title);
        self.notes.iter_mut().for_each(clean);
        for row in &mut self.rows {
            [&mut row.place, &mut row.matching, &mut row.methods, &mut row.needs].into_iter().for_each(clean);
            row.conditions.iter_mut().for_each(clean);
        }
    }

    /// How many rows have a mark.
    pub(super) fn count(&self, mark: Mark) -> usize {
        self.rows.iter().filter(|row| row.marks.contains(&mark)).count()
    }
}

/// Control characters, and those that turn the direction of text around.
fn unsafe_to_show(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
