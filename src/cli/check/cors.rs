//! CORS policies that hide the nonce of DPoP, or the challenge, from scripts in browsers: these then cannot make the proof
//! that they are asked for ([RFC 9449 section 8](https://www.rfc-editor.org/rfc/rfc9449#section-8)), or do not find the
//! metadata of a resource ([RFC 9728 section 5.1](https://www.rfc-editor.org/rfc/rfc9728#section-5.1)).

use super::Findings;
use crate::cli::gates::{InEnvoy, VirtualHost};
use crate::cli::source::View;
use crate::policy::{Access, Policy};
use std::path::Path;

const CORS_POLICY: &str = "envoy.extensions.filters.http.cors.v3.CorsPolicy";
/// What scripts have to read.
struct Wanted {
    rule: &'static str,
    headers: &'static [&'static str],
    why: &'static str,
    remedy: &'static str,
}

const FOR_NONCES: Wanted = Wanted {
    rule: "cors-hides-nonce",
    headers: &["DPoP-Nonce", "WWW-Authenticate"],
    why: "and dpop.nonce asks them for a nonce",
    remedy: "write expose_headers: WWW-Authenticate, DPoP-Nonce",
};
const FOR_METADATA: Wanted = Wanted {
    rule: "cors-hides-challenge",
    headers: &["WWW-Authenticate"],
    why: "which find the metadata of `resources` by it",
    remedy: "write expose_headers: WWW-Authenticate",
};
const FOR_MCP: Wanted = Wanted {
    rule: "cors-hides-challenge",
    headers: &["WWW-Authenticate", "Mcp-Session-Id"],
    why: "which are MCP clients as well as any other",
    remedy: "write expose_headers: WWW-Authenticate, Mcp-Session-Id",
};

/// Checks the CORS policies of the gate's routes, where nonces are asked for or a resource has metadata.
pub(super) fn check(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    let wanted = match &policy.dpop {
        Some(dpop) if dpop.nonce.is_some() => &FOR_NONCES,
        _ if judges_messages(policy) => &FOR_MCP,
        _ if policy.resources.is_empty() => return,
        _ => &FOR_METADATA,
    };
    for (file, config) in &envoy.route_configs {
        check_level(file, config, false, wanted, findings);
        let of_config = exposes(config);
        let own = config.list("virtual_hosts");
        let is_own = |host: &&VirtualHost<'_>| own.iter().any(|own| std::ptr::eq(own.node, host.view.node));
        for host in envoy.virtual_hosts.iter().filter(is_own) {
            check_level(file, &host.view, of_config, wanted, findings);
            let of_host = of_config || exposes(&host.view);
            for route in &host.routes {
                check_level(file, &route.view, of_host, wanted, findings);
            }
        }
    }
}

/// Whether a rule, or `default`, judges MCP messages.
fn judges_messages(policy: &Policy) -> bool {
    let rules = policy.rules.as_slice().iter().map(|rule| &rule.requirement);
    rules.chain([&policy.default]).any(|one| matches!(&one.access, Access::Token(ask) if ask.mcp.is_some()))
}

/// The CORS policies of a route configuration, a virtual host, or a route.
fn policies<'n>(holder: &View<'n>) -> Vec<View<'n>> {
    let entries = holder.get("typed_per_filter_config").map(|view| view.members()).unwrap_or_default();
    entries.into_iter().map(|(_, entry)| entry).filter(|entry| entry.type_name() == Some(CORS_POLICY)).collect()
}

/// Whether one of them says what is exposed.
fn exposes(holder: &View<'_>) -> bool {
    policies(holder).iter().any(|policy| exposed(policy).is_some())
}

fn exposed<'n>(policy: &View<'n>) -> Option<View<'n>> {
    policy.get("expose_headers").filter(|view| view.text() != Some(""))
}

/// A policy that exposes nothing itself inherits from the level above; where that does, too, it is reported there.
fn check_level(file: &Path, holder: &View<'_>, inherits: bool, wanted: &Wanted, findings: &mut Findings) {
    for policy in policies(holder) {
        let own = exposed(&policy);
        if own.is_none() && inherits {
            continue;
        }
        let text = own.as_ref().and_then(View::text).unwrap_or_default();
        let missing: Vec<&str> = wanted.headers.iter().copied().filter(|name| !lists(text, name)).collect();
        // The star means all headers only without credentials; a token in `Authorization` is not one.
        if !missing.is_empty() && !lists(text, "*") {
            findings.warn(
                wanted.rule,
                file,
                own.as_ref().unwrap_or(&policy),
                format!("hides {} from scripts in browsers, {}", missing.join(" and "), wanted.why),
                wanted.remedy,
            );
        }
    }
}

fn lists(text: &str, name: &str) -> bool {
    text.split(',').any(|item| item.trim().eq_ignore_ascii_case(name))
}
