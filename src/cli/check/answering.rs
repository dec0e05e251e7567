//! Requests that Envoy answers itself: with the redirect or direct response of a route, or with the redirect to HTTPS of a
//! virtual host. The gate judges them like all others: a
//! browser that comes by HTTP gets 401 instead of the redirect to HTTPS.

use super::Findings;
use super::asked::Asked;
use super::forwarded;
use crate::cli::gates::InEnvoy;
use crate::cli::source::{Source, View};
use crate::policy::{Access, Policy};

/// Checks the routes of a gate.
pub(super) fn check(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    if policy.report_only {
        return;
    }
    for host in &envoy.virtual_hosts {
        for route in &host.routes {
            let mut answers = ["redirect", "direct_response"].into_iter();
            let Some((word, view)) = answers.find_map(|word| Some((word, route.view.get(word)?))) else {
                continue;
            };
            if Asked::of(policy, host, route, "GET").is_some_and(|asked| asked.refuses_without_token()) {
                findings.warn(
                    "answer-needs-token",
                    host.file,
                    &view,
                    format!("asks for a token before Envoy answers with this {word}: a client without one gets 401"),
                    "write metadata: {filter_metadata: {scopegate: {public: true}}} on the route, unless that is meant",
                );
            }
        }
    }
}

/// `require_tls` makes Envoy redirect requests without TLS. It takes a route of its own for that, without name and metadata,
/// so the gate judges them by `rules` and `default`, and before.
pub(super) fn check_tls(envoy: &InEnvoy<'_>, policy: &Policy, sources: &[Source], findings: &mut Findings) {
    if policy.report_only {
        return;
    }
    let lets_pass = match &policy.default.access {
        Access::Public => true,
        Access::Token(ask) => ask.allow_missing || ask.report_only,
        Access::Deny => false,
    };
    let speaks_tls = || {
        let chain = forwarded::chain_of(&envoy.manager, sources);
        chain.is_some_and(|chain| chain.get("transport_socket").is_some())
    };
    for host in envoy.virtual_hosts.iter().filter(|_| !lets_pass) {
        let redirects = |view: &View<'_>| view.is_value("ALL", 2) || view.is_value("EXTERNAL_ONLY", 1);
        if let Some(view) = host.view.get("require_tls").filter(redirects)
            && !speaks_tls()
        {
            findings.warn(
                "answer-needs-token",
                host.file,
                &view,
                "redirects to HTTPS what comes without TLS, and the gate judges that first, by rules and default: it gets 401",
                "redirect in a listener without the gate, with https_redirect: true on its routes",
            );
        }
    }
}
