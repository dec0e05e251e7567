//! What requirements do with the identities of a set.

use crate::base::members::Raw;
use crate::cli::gates::Gate;
use crate::jose::ClaimPath;
use crate::policy::{
    Access, ClaimCondition, Condition, CredentialRule, Identity, Policy, Requirement, RouteMetadata, Scope, SetId,
    Source, TokenRequirement,
};
use crate::request::RequestView;
use std::rc::Rc;

/// A request of which nothing is known.
const ANY: RequestView<'_> =
    RequestView { headers: &[], route_name: None, virtual_host: None, ends_with_headers: true };

/// How a requirement uses a set.
pub(super) enum Use<'a> {
    /// Its identities are asked for scopes and claims.
    Judged(&'a TokenRequirement),
    /// Its keys have to be valid, beside another credential.
    Beside,
}

/// Everything that requirements in the files ask.
pub(in crate::cli::check) fn asks(gate: &Gate<'_>, policy: &Policy) -> Vec<Rc<TokenRequirement>> {
    let mut all = Vec::new();
    let rules = policy.rules.as_slice().iter().map(|rule| &rule.requirement);
    rules.chain([&policy.default]).for_each(|requirement| collect(requirement, &mut all));
    let hosts = gate.envoy.iter().flat_map(|envoy| &envoy.virtual_hosts);
    if policy.route_metadata != RouteMetadata::Ignore {
        for host in hosts {
            let of_routes = host.routes.iter().filter_map(|route| route.requirement(policy));
            for requirement in of_routes.chain(host.requirement(policy)).flatten() {
                collect(&requirement, &mut all);
            }
        }
    }
    all
}

fn collect(requirement: &Requirement, all: &mut Vec<Rc<TokenRequirement>>) {
    if let Access::Token(ask) = &requirement.access {
        all.push(Rc::clone(ask));
    }
    requirement.methods.iter().for_each(|(_, own)| collect(own, all));
}

impl<'a> Use<'a> {
    /// The use of the set at this place; `None` where the requirement does not name it.
    pub(super) fn of(set: usize, ask: &'a TokenRequirement) -> Option<Self> {
        let set = Source::Set(SetId(set));
        let mut named = ask.credentials.iter().flat_map(CredentialRule::alternatives).filter(|one| one.contains(&set));
        let first = named.next()?;
        let is_beside = [first].into_iter().chain(named).any(|alternative| alternative.first() != Some(&set));
        Some(if is_beside { Self::Beside } else { Self::Judged(ask) })
    }

    /// Whether an identity can meet the requirement. A condition on a part of the request counts as met.
    pub(super) fn lets_pass(&self, identity: &Identity) -> bool {
        let Self::Judged(ask) = self else { return true };
        let scopes = identity.claims.get(&ClaimPath::top("scope")).and_then(Raw::as_text);
        let grants =
            |scope: &Scope| scopes.as_deref().is_some_and(|all| all.split(' ').any(|own| own == scope.as_str()));
        let is_met = |condition: &ClaimCondition| {
            matches!(condition.condition, Condition::EqualsPartOf(_)) || condition.is_met_by(&identity.claims, &ANY)
        };
        ask.scopes.is_met_by(&grants) && ask.claims.iter().all(is_met)
    }
}
