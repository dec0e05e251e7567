//! One configuration in a matrix: its rows, and notes on all of them.

use super::row::{COLUMNS, Mark, Row, USED};
use crate::cli::gates::Gate;
use crate::cli::terminal::is_unsafe;
use crate::policy::{Policy, RouteMetadata, Scope};

/// One configuration.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Section {
    /// Its place.
    pub title: String,
    /// Notes on the whole configuration.
    pub notes: Vec<String>,
    pub rows: Vec<Row>,
}

impl Section {
    /// Replaces characters that could steer a terminal, or hide text.
    pub(super) fn clean(&mut self) {
        let clean = |text: &mut String| {
            if text.contains(is_unsafe) {
                *text = text.replace(is_unsafe, "\u{fffd}");
            }
        };
        clean(&mut self.title);
        self.notes.iter_mut().for_each(clean);
        for row in &mut self.rows {
            [&mut row.place, &mut row.matching, &mut row.methods, &mut row.needs].into_iter().for_each(clean);
            row.conditions.iter_mut().for_each(clean);
            row.used.iter_mut().for_each(clean);
        }
    }

    /// The heads of its columns.
    pub(super) fn heads(&self) -> Vec<&'static str> {
        let is_used = self.rows.iter().any(|row| row.used.is_some());
        COLUMNS.into_iter().chain(is_used.then_some(USED)).collect()
    }

    /// How many rows have a mark.
    pub(super) fn count(&self, mark: Mark) -> usize {
        self.rows.iter().filter(|row| row.marks.contains(&mark)).count()
    }
}

/// The notes on the whole configuration.
pub(super) fn notes(gate: &Gate<'_>, policy: &Policy) -> Vec<String> {
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
    for (issuer, (scope, by)) in
        policy.issuers.iter().flat_map(|issuer| issuer.implies.all().iter().map(move |of| (issuer, of)))
    {
        let by: Vec<&str> = by.iter().map(Scope::as_str).collect();
        notes.push(format!("issuer {}: {scope} is in {} too", issuer.name, by.join(" and ")));
    }
    for resource in &policy.resources {
        let issuers = resource.authorization_servers.iter().filter_map(|id| policy.issuers.get(id.0));
        notes.push(format!(
            "resource {}: every request for {} is answered with its metadata, which names {}",
            resource.identifier.text(),
            resource.identifier.metadata_url(),
            issuers.map(|issuer| issuer.name.as_str()).collect::<Vec<_>>().join(" and ")
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
