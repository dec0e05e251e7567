//! Which requirement holds for a request.

use crate::decision::Denial;
use crate::facts::MetadataRequirement;
use crate::policy::{Access, Ambiguity, Policy, Requirement, RouteMetadata, TokenRequirement};
use crate::request::RequestView;

/// The requirement that holds, for the request's method.
pub(super) struct Held<'p> {
    base: &'p Requirement,
    /// What metadata adds to it, in `restrict` mode.
    added: Option<&'p Requirement>,
}

/// Who may pass.
#[derive(Debug, PartialEq)]
pub(super) enum Who<'p> {
    Everybody,
    Nobody,
    /// Holders of a token that meets all of these.
    Holders(Vec<&'p TokenRequirement>),
}

/// Finds the requirement: route metadata, virtual host metadata, rules, default. The first that gives one gives the
/// whole of it, but in `restrict` mode what metadata asks is added.
pub(super) fn find<'p>(
    policy: &'p Policy,
    request: &RequestView<'_>,
    metadata: MetadataRequirement<'p>,
) -> Result<Held<'p>, Denial> {
    let method = request.method();
    let added = match (policy.route_metadata, metadata) {
        (RouteMetadata::Ignore, _) | (_, MetadataRequirement::None) => None,
        (_, MetadataRequirement::Unreadable) => return Err(Denial::PolicyUnreadable),
        (RouteMetadata::Replace, MetadataRequirement::Asks(requirement)) => {
            return Ok(Held { base: requirement.for_method(method), added: None });
        }
        (RouteMetadata::Restrict, MetadataRequirement::Asks(requirement)) => Some(requirement.for_method(method)),
    };
    let found = policy.rules.find(request, policy.paths).map_err(|ambiguity| match ambiguity {
        Ambiguity::Path => Denial::AmbiguousPath,
        Ambiguity::Host => Denial::AmbiguousHost,
    })?;
    Ok(Held { base: found.unwrap_or(&policy.default).for_method(method), added })
}

impl<'p> Held<'p> {
    /// Who may pass. `public` in added metadata opens nothing.
    pub(super) fn who(&self) -> Who<'p> {
        let accesses = [Some(&self.base.access), self.added.map(|added| &added.access)];
        let accesses = accesses.into_iter().flatten();
        if accesses.clone().any(|access| *access == Access::Deny) {
            return Who::Nobody;
        }
        let asks: Vec<_> = accesses
            .filter_map(|access| match access {
                Access::Token(ask) => Some(&**ask),
                Access::Public | Access::Deny => None,
            })
            .collect();
        if asks.is_empty() { Who::Everybody } else { Who::Holders(asks) }
    }

    /// Whether a request without a credential passes. Added metadata cannot say so, and what it asks is asked of everybody.
    pub(super) fn allows_missing(&self) -> bool {
        self.beyond_base().is_none() && matches!(&self.base.access, Access::Token(ask) if ask.allow_missing)
    }

    /// The parameters that may hold a JWT. Added metadata admits none.
    pub(super) fn jwt_allowed_in(&self) -> &'p [String] {
        &self.base.jwt_allowed_in
    }

    /// Whether what the requirement refuses is let through and counted. Added metadata cannot say so.
    pub(super) fn reports_only(&self) -> bool {
        matches!(&self.base.access, Access::Token(ask) if ask.report_only)
    }

    /// What metadata asks of tokens beyond the requirement that it is added to.
    pub(super) fn beyond_base(&self) -> Option<&'p TokenRequirement> {
        match &self.added?.access {
            Access::Token(ask) => Some(ask),
            Access::Public | Access::Deny => None,
        }
    }
}
