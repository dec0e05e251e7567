//! Where rows come from: one requirement becomes a row for each method that has its own, and one for the others.

use super::needs;
use super::row::{Called, Mark, Row};
use crate::cli::source::View;
use crate::cli::usage;
use crate::policy::{Access, MethodPart, MethodSet, Policy, Requirement};

/// The common part of the rows of one place.
pub(super) struct Origin<'v> {
    pub place: String,
    pub matching: String,
    pub methods: Option<&'v MethodSet>,
    /// The requirement, as it was written.
    pub view: Option<View<'v>>,
    /// Whether it is only added to rules and the default.
    pub added: bool,
    /// Its path in the configuration, as records have it.
    pub path: String,
    /// The route or virtual host whose metadata it is.
    pub of: String,
}

impl Origin<'_> {
    /// A row that says where to look.
    pub(super) fn refers_to(&self, needs: &str) -> Row {
        Row {
            place: self.place.clone(),
            matching: self.matching.clone(),
            methods: "any".to_owned(),
            needs: needs.to_owned(),
            ..Row::default()
        }
    }

    /// The name of this requirement, or of a part of it, in a log.
    fn called(&self, part: &str) -> Called {
        Called::Requirement(usage::place(&format!("{}{part}", self.path), &self.of))
    }

    fn row(&self, requirement: &Requirement, view: Option<&View<'_>>, policy: &Policy) -> Row {
        let mut row = Row { access: Some(requirement.access.clone()), ..self.refers_to("") };
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
                let credential = if ask.credentials.is_none() { "token" } else { "credential" };
                row.needs = scopes.unwrap_or_else(|| format!("a valid {credential}"));
                row.conditions = needs::conditions(ask, view, policy);
                // Added to another requirement, neither has an effect.
                if ask.allow_missing && !self.added {
                    row.needs = format!("no {credential}, or {}", row.needs);
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

/// A requirement, for each method that has its own, and for the others.
pub(super) fn expand(origin: &Origin<'_>, requirement: &Requirement, policy: &Policy) -> Vec<Row> {
    let mut rows = Vec::new();
    let has = |name: &str| requirement.methods.iter().any(|(other, _)| other == name);
    let here = |name: &&str| origin.methods.is_none_or(|methods| methods.contains(name.as_bytes()));
    for (name, own) in &requirement.methods {
        let covered: Vec<&str> = if name == "GET" && !has("HEAD") { vec!["GET", "HEAD"] } else { vec![name.as_str()] };
        let left: Vec<&str> = covered.iter().copied().filter(here).collect();
        let view = origin.view.as_ref().and_then(|view| view.at(&["methods", name]));
        let mut row = origin.row(own, view.as_ref(), policy);
        row.called = Some(origin.called(&format!(".methods.{name}")));
        if left.is_empty() {
            row.mark(Mark::Never);
            row.conditions.push("the rule is not for this method".to_owned());
        }
        row.methods = if left.is_empty() { covered } else { left }.join(", ");
        rows.push(row);
    }
    let mut rest = origin.row(requirement, origin.view.as_ref(), policy);
    rest.called = Some(origin.called(""));
    rest.methods = match origin.methods {
        None if requirement.methods.is_empty() => "any".to_owned(),
        None => "any other".to_owned(),
        Some(methods) => {
            let mut names: Vec<&str> = methods.names().iter().map(String::as_str).collect();
            if names.contains(&"GET") && !names.contains(&"HEAD") {
                names.push("HEAD");
            }
            names.retain(|name| requirement.for_method(name.as_bytes()).0 == MethodPart::Enclosing);
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
