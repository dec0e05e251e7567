//! Fields that Envoy does not know. It refuses a file with one. In fetched resources (routes, listeners) it ignores
//! them, unless it runs with `--reject-unknown-dynamic-fields`. A requirement below such a field has no effect.

use super::Findings;
use super::envoy_fields::{EnvoyFields, Member, Message};
use crate::cli::gates::patches::{Patch, patches};
use crate::cli::source::{DocumentKind, Source, View};
use crate::config::{METADATA_NAMESPACE, nearest};
use std::path::Path;

/// The name of this kind of finding.
pub(super) const RULE: &str = "unknown-field";
const LISTENER: &str = "envoy.config.listener.v3.Listener";
const ROUTE_CONFIGURATION: &str = "envoy.config.route.v3.RouteConfiguration";

/// Checks all documents of Envoy's.
pub(super) fn check(sources: &[Source], findings: &mut Findings) {
    let table = EnvoyFields::new();
    for source in sources {
        let mut search = Search { table: &table, file: &source.file, findings };
        for document in source.documents.iter().filter(|document| document.kind == DocumentKind::Envoy) {
            search.document(&document.root());
        }
        for patch in source.documents.iter().flat_map(patches) {
            search.patch(&patch);
        }
    }
}

struct Search<'s, 'f> {
    table: &'s EnvoyFields,
    file: &'s Path,
    findings: &'f mut Findings,
}

impl<'s> Search<'s, '_> {
    fn document(&mut self, root: &View<'_>) {
        for listener in root.at(&["static_resources", "listeners"]).map(|view| view.items()).unwrap_or_default() {
            self.message_named(&listener, LISTENER);
        }
        match root.type_name() {
            None if root.get("virtual_hosts").is_some() => self.message_named(root, ROUTE_CONFIGURATION),
            None if root.get("filter_chains").is_some() => self.message_named(root, LISTENER),
            _ => {
                for (name, member) in root.members() {
                    if name != "static_resources" {
                        self.any(&member);
                    }
                }
            }
        }
    }

    fn message_named(&mut self, view: &View<'_>, name: &str) {
        if let Some(message) = self.table.message(name) {
            self.message(view, message, None);
        }
    }

    /// The value of a patch, by the message that it changes.
    fn patch(&mut self, patch: &Patch<'_>) {
        let Some(value) = &patch.value else { return };
        let target = match patch.target {
            "HTTP_ROUTE" => "envoy.config.route.v3.Route",
            "VIRTUAL_HOST" => "envoy.config.route.v3.VirtualHost",
            "ROUTE_CONFIGURATION" => ROUTE_CONFIGURATION,
            "LISTENER" => LISTENER,
            other => other,
        };
        let Some(mut message) = self.table.message(target) else { return self.any(value) };
        let is_index = |name: &str| name == "-" || name.bytes().all(|byte| byte.is_ascii_digit());
        for name in patch.path.iter().filter(|name| !is_index(name)) {
            message = match self.table.member(message, name) {
                Member::Message(held) => held,
                Member::Other | Member::Map(_) => return self.any(value),
                Member::Unknown => {
                    let written = patch.view.at(&["operation", "path"]);
                    return self.unknown(written.as_ref().unwrap_or(value), name, message, None);
                }
            };
        }
        self.message(value, message, None);
        for item in value.items() {
            self.message(&item, message, None);
        }
    }

    /// Looks for messages that name their type.
    fn any(&mut self, view: &View<'_>) {
        match view.type_name().and_then(|name| self.table.message(name)) {
            Some(message) => self.message(view, message, None),
            None => {
                for (_, member) in view.members() {
                    self.any(&member);
                }
                for item in view.items() {
                    self.any(&item);
                }
            }
        }
    }

    fn message(&mut self, view: &View<'_>, message: &'s Message, parent: Option<&Message>) {
        for (name, member) in view.members() {
            // A merge key is reported where the file is read.
            if matches!(name, "@type" | "<<") {
                continue;
            }
            match self.table.member(message, name) {
                Member::Unknown => self.unknown(&member, name, message, parent),
                Member::Other => self.any(&member),
                Member::Message(held) => {
                    self.message(&member, held, Some(message));
                    for item in member.items() {
                        self.message(&item, held, Some(message));
                    }
                }
                Member::Map(held) => {
                    for (_, value) in member.members() {
                        self.message(&value, held, Some(message));
                    }
                }
            }
        }
    }

    fn unknown(&mut self, view: &View<'_>, name: &str, message: &Message, parent: Option<&Message>) {
        let remedy = if name == METADATA_NAMESPACE {
            format!("write it as metadata.filter_metadata.{METADATA_NAMESPACE} of the route or the virtual host")
        } else if name == "filter_metadata" && message.has("metadata") {
            "write it under `metadata`".to_owned()
        } else if let Some(right) = nearest(name, message.names()) {
            format!("did you mean `{right}`?")
        } else if let Some(parent) = parent.filter(|parent| parent.has(name)) {
            format!("it is a field of {}: move it there", parent.name)
        } else {
            "leave it out".to_owned()
        };
        let what = format!(
            "is no field of {} in Envoy 1.40: Envoy refuses it, or passes over it where it fetches the resource",
            message.name
        );
        self.findings.error(RULE, self.file, view, what, &remedy);
    }
}
