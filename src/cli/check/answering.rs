//! Routes that Envoy answers itself, with a redirect or a direct response. The gate judges them like all others: a
//! browser that comes by HTTP gets 401 instead of the redirect to HTTPS.

use super::Findings;
use super::asked::Asked;
use crate::cli::gates::InEnvoy;
use crate::policy::Policy;

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
