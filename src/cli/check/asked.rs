//! What a route asks according to its file: metadata, rules and `default`, for a request that the route would match.

use super::lists;
use crate::cli::gates::{Route, VirtualHost};
use crate::policy::{Access, Policy, Requirement, RouteMetadata};
use crate::request::RequestView;

/// What a route asks for one method. In `restrict` mode what metadata asks is added to what rules ask.
pub(super) struct Asked(Vec<Requirement>);

impl Asked {
    /// `None` when its metadata cannot be read.
    pub(super) fn of(policy: &Policy, host: &VirtualHost<'_>, route: &Route<'_>, method: &str) -> Option<Self> {
        let written = route.requirement(policy).or_else(|| host.requirement(policy));
        let metadata = match written {
            Some(_) if policy.route_metadata == RouteMetadata::Ignore => None,
            Some(read) => Some(read.ok()?),
            None => None,
        };
        let for_method = |requirement: &Requirement| requirement.for_method(method.as_bytes()).1.clone();
        let mut all: Vec<Requirement> = metadata.iter().map(for_method).collect();
        if all.is_empty() || policy.route_metadata == RouteMetadata::Restrict {
            all.push(for_method(by_rules(policy, host, route, method)));
        }
        Some(Self(all))
    }

    /// Whether a request without a token is refused.
    pub(super) fn refuses_without_token(&self) -> bool {
        self.0.iter().any(|one| matches!(&one.access, Access::Token(ask) if !ask.allow_missing && !ask.report_only))
    }

    /// Whether a token is read.
    pub(super) fn reads_token(&self) -> bool {
        self.0.iter().any(|one| matches!(&one.access, Access::Token(_)))
    }

    /// The lists of `acr_values`, that of metadata first.
    pub(super) fn acr_values(&self) -> impl Iterator<Item = &[String]> {
        self.0.iter().filter_map(|one| match &one.access {
            Access::Token(ask) => ask.acr_values.as_deref(),
            Access::Public | Access::Deny => None,
        })
    }

    /// Whether session ids of MCP clients are bound.
    pub(super) fn binds_sessions(&self) -> bool {
        self.0.iter().any(|one| matches!(&one.access, Access::Token(ask) if ask.mcp.as_ref().is_some_and(|mcp| mcp.session.is_some())))
    }

    /// Whether lists are filtered.
    pub(super) fn filters_lists(&self) -> bool {
        self.0.iter().any(lists::are_filtered)
    }

    /// Whether no request passes.
    pub(super) fn is_closed(&self) -> bool {
        self.0.iter().any(|one| one.access == Access::Deny)
    }

    /// Whether a token is good once.
    pub(super) fn uses_token_up(&self) -> bool {
        self.0.iter().any(|one| matches!(&one.access, Access::Token(ask) if ask.single_use))
    }
}

/// What `rules` and `default` ask.
fn by_rules<'p>(policy: &'p Policy, host: &VirtualHost<'_>, route: &Route<'_>, method: &str) -> &'p Requirement {
    let matching = |name| route.view.at(&["match", name]).and_then(|view| view.text());
    let path = matching("path").or_else(|| matching("prefix")).or_else(|| matching("path_separated_prefix"));
    let authority = host.domains.iter().find(|domain| !domain.contains('*'));
    let mut headers: Vec<(&[u8], &[u8])> = vec![(b":method", method.as_bytes())];
    headers.extend(path.map(|path| (&b":path"[..], path.as_bytes())));
    headers.extend(authority.map(|authority| (&b":authority"[..], authority.as_bytes())));
    let request = RequestView {
        headers: &headers,
        route_name: Some(route.name.as_str()).filter(|name| !name.is_empty()),
        virtual_host: Some(host.name.as_str()),
        ends_with_headers: true,
    };
    policy.rules.find(&request, policy.paths).ok().flatten().map_or(&policy.default, |found| found.requirement)
}
