//! Routes that ask for a class of authentication in two places, which have none in common: no token passes.

use super::Findings;
use super::asked::Asked;
use crate::cli::gates::{InEnvoy, Route, VirtualHost};
use crate::policy::{Policy, RouteMetadata};

/// The methods that are tried.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Checks the metadata of routes and virtual hosts against the rules that they restrict.
pub(super) fn check(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    if policy.route_metadata != RouteMetadata::Restrict {
        return;
    }
    for host in &envoy.virtual_hosts {
        for route in &host.routes {
            check_route(policy, host, route, findings);
        }
    }
}

fn check_route(policy: &Policy, host: &VirtualHost<'_>, route: &Route<'_>, findings: &mut Findings) {
    let Some(view) = route.beside.as_ref().or(host.beside.as_ref()).map(|beside| &beside.view) else { return };
    let at_odds = METHODS.into_iter().find_map(|method| {
        let asked = Asked::of(policy, host, route, method)?;
        let lists: Vec<&[String]> = asked.acr_values().collect();
        let [added, of_rule] = lists[..] else { return None };
        let is_shared = added.iter().any(|value| of_rule.contains(value));
        (!is_shared).then(|| (method, added.join(" "), of_rule.join(" ")))
    });
    if let Some((method, added, of_rule)) = at_odds {
        findings.error(
            "acr-never-met",
            host.file,
            view,
            format!(
                "asks for acr_values {added}, and what it restricts asks for {of_rule}: no token passes for {method}"
            ),
            "name a value in both; one in both lists is enough",
        );
    }
}
