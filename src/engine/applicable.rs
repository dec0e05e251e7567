//! Which requirement holds for a request.

use crate::decision::Denial;
use crate::facts::{MetadataRequirement, MetadataSource};
use crate::policy::{
    Access, Ambiguity, MethodPart, Policy, Requirement, RequirementPlace, RequirementSource, RouteMetadata,
    TokenRequirement,
};
use crate::request::RequestView;
use std::rc::Rc;

/// The requirement that holds for a request and its method.
pub(super) struct Applicable<'p> {
    base: Located<'p>,
    /// What metadata adds to it, in `restrict` mode.
    added: Option<Located<'p>>,
}

/// A requirement with its place in the configuration.
#[derive(Clone, Copy)]
struct Located<'p> {
    requirement: &'p Requirement,
    place: RequirementPlace,
}

/// Who may pass.
#[derive(Debug, PartialEq)]
pub(super) enum Admission<'p> {
    Everyone,
    NoOne,
    /// Holders of a token that meets all of these.
    TokenHolders(Vec<&'p Rc<TokenRequirement>>),
}

/// No requirement can be found.
pub(super) struct NotFound {
    pub denial: Denial,
    /// The metadata that cannot be read.
    pub place: Option<RequirementPlace>,
    /// The metadata that would have been added.
    pub added: Option<RequirementPlace>,
}

/// Finds the requirement: route metadata, virtual host metadata, rules, default. The first that gives one gives the
/// whole of it, but in `restrict` mode what metadata asks is added.
pub(super) fn find<'p>(
    policy: &'p Policy,
    request: &RequestView<'_>,
    metadata: MetadataRequirement<'p>,
) -> Result<Applicable<'p>, NotFound> {
    let method = request.method();
    let added = match (policy.route_metadata, metadata) {
        (RouteMetadata::Ignore, _) | (_, MetadataRequirement::None) => None,
        (_, MetadataRequirement::Unreadable(source)) => {
            let place = RequirementPlace { source: source.into(), part: MethodPart::Enclosing };
            return Err(NotFound { denial: Denial::PolicyUnreadable, place: Some(place), added: None });
        }
        (RouteMetadata::Replace, MetadataRequirement::Given(source, requirement)) => {
            return Ok(Applicable { base: Located::new(source.into(), requirement, method), added: None });
        }
        (RouteMetadata::Restrict, MetadataRequirement::Given(source, requirement)) => {
            Some(Located::new(source.into(), requirement, method))
        }
    };
    let found = policy.rules.find(request, policy.paths).map_err(|ambiguity| {
        let denial = match ambiguity {
            Ambiguity::Path => Denial::AmbiguousPath,
            Ambiguity::Host => Denial::AmbiguousHost,
        };
        NotFound { denial, place: None, added: added.map(|added| added.place) }
    })?;
    let base = match found {
        Some(rule) => Located::new(RequirementSource::Rule(rule.index), rule.requirement, method),
        None => Located::new(RequirementSource::Default, &policy.default, method),
    };
    Ok(Applicable { base, added })
}

impl From<MetadataSource> for RequirementSource {
    fn from(source: MetadataSource) -> Self {
        match source {
            MetadataSource::Route => Self::RouteMetadata,
            MetadataSource::VirtualHost => Self::VirtualHostMetadata,
        }
    }
}

impl<'p> Located<'p> {
    fn new(source: RequirementSource, requirement: &'p Requirement, method: &[u8]) -> Self {
        let (part, requirement) = requirement.for_method(method);
        Self { requirement, place: RequirementPlace { source, part } }
    }
}

impl<'p> Applicable<'p> {
    /// Where the requirement is.
    pub(super) const fn place(&self) -> RequirementPlace {
        self.base.place
    }

    /// Where the metadata is that adds to it.
    pub(super) fn added_place(&self) -> Option<RequirementPlace> {
        self.added.map(|added| added.place)
    }

    /// What the requirement says, and what metadata adds.
    pub(super) fn accesses(&self) -> impl Iterator<Item = &'p Access> + use<'p> {
        [Some(self.base), self.added].into_iter().flatten().map(|located| &located.requirement.access)
    }

    /// Who may pass. `public` in added metadata opens nothing.
    pub(super) fn admission(&self) -> Admission<'p> {
        if self.accesses().any(|access| *access == Access::Deny) {
            return Admission::NoOne;
        }
        let asks: Vec<_> = self
            .accesses()
            .filter_map(|access| match access {
                Access::Token(ask) => Some(ask),
                Access::Public | Access::Deny => None,
            })
            .collect();
        if asks.is_empty() { Admission::Everyone } else { Admission::TokenHolders(asks) }
    }

    /// Whether a request without a credential passes. Added metadata cannot say so, and what it asks, it asks of every
    /// request.
    pub(super) fn allows_missing(&self) -> bool {
        self.beyond_base().is_none() && matches!(&self.base.requirement.access, Access::Token(ask) if ask.allow_missing)
    }

    /// The parameters that may hold a JWT. Added metadata admits none.
    pub(super) fn jwt_allowed_in(&self) -> &'p [String] {
        &self.base.requirement.jwt_allowed_in
    }

    /// Whether what the requirement refuses is let through and counted. Added metadata cannot say so.
    pub(super) fn reports_only(&self) -> bool {
        matches!(&self.base.requirement.access, Access::Token(ask) if ask.report_only)
    }

    /// What metadata asks of tokens beyond the requirement that it is added to.
    pub(super) fn beyond_base(&self) -> Option<&'p Rc<TokenRequirement>> {
        match &self.added?.requirement.access {
            Access::Token(ask) => Some(ask),
            Access::Public | Access::Deny => None,
        }
    }
}
