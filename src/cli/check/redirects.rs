//! Streams that Envoy restarts: after an internal redirect, or by `custom_response`. The filters run again, on the
//! headers as they left them, where a stripped token is missing.

use super::Findings;
use super::asked::Asked;
use crate::cli::gates::InEnvoy;
use crate::cli::source::View;
use crate::policy::{Policy, TokenForwarding, Uses};
use std::path::Path;

const REDIRECT_POLICY: &str = "envoy.extensions.http.custom_response.redirect_policy.v3.RedirectPolicy";

/// Checks the routes and filters around a gate.
pub(super) fn check(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    if policy.report_only {
        return;
    }
    let strips = policy.forward.token == TokenForwarding::Strip;
    for host in &envoy.virtual_hosts {
        for route in &host.routes {
            let Some(view) = redirects(&route.view) else { continue };
            let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
            let asked: Vec<Asked> =
                methods.into_iter().filter_map(|method| Asked::of(policy, host, route, method)).collect();
            if strips && asked.iter().any(Asked::reads_token) {
                report(host.file, &view, &STRIPPED, findings);
            } else if asked.iter().any(Asked::uses_token_up) {
                report(host.file, &view, &USED_UP, findings);
            }
        }
    }
    let twice = if strips {
        &STRIPPED
    } else if policy.uses.has(Uses::SINGLE_USE) {
        &USED_UP
    } else {
        return;
    };
    // The routes of a connection manager may be in another file.
    let fetched = envoy.route_configs.iter().filter(|_| envoy.manager.get("route_config").is_none());
    let holders = fetched.map(|(file, config)| (*file, config)).chain(std::iter::once((envoy.file, &envoy.manager)));
    for (file, holder) in holders {
        for view in holder.holders("@type").iter().filter(|view| view.type_name() == Some(REDIRECT_POLICY)) {
            report(file, view, twice, findings);
        }
    }
}

/// Why the second pass fails, and what to write instead.
struct Twice {
    message: &'static str,
    advice: &'static str,
}

const STRIPPED: Twice = Twice {
    message: "makes Envoy send the request through the filters again, and the gate has stripped its token by then: it gets 401",
    advice: "write forward: {token: keep}, or let clients follow redirects themselves",
};
const USED_UP: Twice = Twice {
    message: "makes Envoy send the request through the filters again, and single_use has used its token up by then: another \
              route with single_use answers 401",
    advice: "let clients follow redirects themselves",
};

/// The setting that makes a route follow redirects.
fn redirects<'n>(route: &View<'n>) -> Option<View<'n>> {
    let action = || route.at(&["route", "internal_redirect_action"]);
    let policy = route.at(&["route", "internal_redirect_policy"]);
    policy.or_else(|| action().filter(|view| view.text() == Some("HANDLE_INTERNAL_REDIRECT")))
}

fn report(file: &Path, view: &View<'_>, twice: &Twice, findings: &mut Findings) {
    findings.error("judged-twice", file, view, twice.message, twice.advice);
}
