//! The requirements that decide, as they are written.

use super::situation::Situation;
use crate::config::{Node, Tree};
use crate::decision::{Basis, Decision, Denial, Grant};
use crate::policy::{RequirementPlace, RequirementSource};
use serde_json::Value;

/// The requirement that decides, and its place.
pub(super) struct Decider {
    /// `rules[1]`, `default`, `metadata of route orders`.
    pub(super) place: String,
    pub(super) matching: Option<Value>,
    pub(super) asks: Option<Value>,
}

impl Decider {
    /// What decides on an event: no requirement does.
    pub(super) fn of_events() -> Self {
        Self { place: "events".to_owned(), matching: None, asks: None }
    }
}

/// The requirements that decide, as the trace of the decision names them.
pub(super) fn deciders(situation: &Situation, decision: &Decision, method: &str) -> Vec<Decider> {
    let trace = decision.trace();
    let mut found: Vec<Decider> =
        [trace.added, trace.requirement].into_iter().flatten().map(|place| decider(situation, place, method)).collect();
    if trace.requirement.is_none() {
        let why = match decision {
            Decision::Deny(refusal) => &refusal.denial,
            Decision::Allow(Grant { basis: Basis::ReportOnly(denial), .. }) => denial,
            Decision::Allow(_) | Decision::Serve(_) | Decision::Receive(_) | Decision::Await(_) => return found,
        };
        let place = match why {
            Denial::AmbiguousPath => "no rule: the path can be read in more than one way",
            Denial::AmbiguousHost => "no rule: the host can be read in more than one way",
            _ => "no rule: the request is refused before one is chosen",
        };
        found.push(Decider { place: place.to_owned(), matching: None, asks: None });
    }
    found
}

/// A requirement as it is written at its place.
fn decider(situation: &Situation, place: RequirementPlace, method: &str) -> Decider {
    let (name, written, matching) = match place.source {
        RequirementSource::RouteMetadata | RequirementSource::VirtualHostMetadata => {
            let metadata = situation.metadata.as_ref();
            let name = metadata.map(|metadata| format!("metadata of {}", metadata.of));
            (name, metadata.map(|metadata| &metadata.written), None)
        }
        RequirementSource::Rule(index) => {
            let written = member(&situation.written, "rules").and_then(|rules| match &rules.value {
                Tree::List(items) => items.get(index),
                _ => None,
            });
            (None, written, written.and_then(|rule| member(rule, "match")))
        }
        RequirementSource::Default => (None, member(&situation.written, "default"), None),
    };
    let part = place.part.member(method);
    let own = part.and_then(|name| member(member(written?, "methods")?, name));
    let name = match (name, part) {
        (None, _) => place.path(method).into_owned(),
        (Some(name), None) => name,
        (Some(name), Some(part)) => format!("{name}.methods.{part}"),
    };
    let mut asks = own.or(written).map(|node| node.value.to_json());
    if let Some(Value::Object(members)) = &mut asks {
        members.remove("match");
    }
    Decider { place: name, matching: matching.map(|node| node.value.to_json()), asks }
}

fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    match &node.value {
        Tree::Object(members) => members.iter().rev().find(|(other, _)| other == name).map(|(_, node)| node),
        _ => None,
    }
}
