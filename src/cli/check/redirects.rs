//! Streams that Envoy restarts: after an internal redirect, or by `custom_response`. The filters run again, on the
//! headers as they left them, where a stripped token is missing.

use super::Findings;
use super::asked::Asked;
use crate::cli::gates::InEnvoy;
use crate::cli::source::View;
use crate::policy::{Policy, TokenForwarding};
use std::path::Path;

const REDIRECT_POLICY: &str = "envoy.extensions.http.custom_response.redirect_policy.v3.RedirectPolicy";

/// Checks the routes and filters around a gate.
pub(super) fn check(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    if policy.forward.token != TokenForwarding::Strip || policy.report_only {
        return;
    }
    for host in &envoy.virtual_hosts {
        for route in &host.routes {
            let Some(view) = redirects(&route.view) else { continue };
            let reads = |method| Asked::of(policy, host, route, method).is_some_and(|asked| asked.reads_token());
            if ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().any(reads) {
                report(host.file, &view, findings);
            }
        }
    }
    // The routes of a connection manager may be in another file.
    let fetched = envoy.route_configs.iter().filter(|_| envoy.manager.get("route_config").is_none());
    let holders = fetched.map(|(file, config)| (*file, config)).chain(std::iter::once((envoy.file, &envoy.manager)));
    for (file, holder) in holders {
        for view in holder.holders("@type").iter().filter(|view| view.type_name() == Some(REDIRECT_POLICY)) {
            report(file, view, findings);
        }
    }
}

/// The setting that makes a route follow redirects.
fn redirects<'n>(route: &View<'n>) -> Option<View<'n>> {
    let action = || route.at(&["route", "internal_redirect_action"]);
    let policy = route.at(&["route", "internal_redirect_policy"]);
    policy.or_else(|| action().filter(|view| view.text() == Some("HANDLE_INTERNAL_REDIRECT")))
}

fn report(file: &Path, view: &View<'_>, findings: &mut Findings) {
    findings.error(
        "judged-twice",
        file,
        view,
        "makes Envoy send the request through the filters again, and the gate has stripped its token by then: it gets 401",
        "write forward: {token: keep}, or let clients follow redirects themselves",
    );
}
