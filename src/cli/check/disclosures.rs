//! Where a credential leaves the request: access logs, traces, descriptors of rate limits, hashes that choose an
//! upstream. The gate strips a token only from allowed requests that needed one, so refused and public requests keep
//! theirs.

use super::Findings;
use crate::cli::gates::InEnvoy;
use crate::cli::source::View;
use crate::policy::{AUTHORIZATION, Policy, TokenForwarding};
use std::path::Path;

/// Headers that hold a credential, in lower case.
const CREDENTIALS: [&str; 7] =
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "apikey"];

/// Parts and endings of other names of headers and cookies with a credential.
const SIGNS: [&str; 5] = ["token", "secret", "jwt", "session", "password"];

/// Operators of an access log that print a header, up to the name.
const PRINTING: [&str; 7] = [
    "%REQ(",
    "%REQUEST_HEADER(",
    "%REQ_WITHOUT_QUERY(",
    "%RESP(",
    "%RESPONSE_HEADER(",
    "%TRAILER(",
    "%RESPONSE_TRAILER(",
];

const LOG_REMEDY: &str = "leave it out: the fingerprint in wasm.scopegate names the token";

/// Checks the surroundings of a gate. Without a policy only what does not depend on it.
pub(super) fn check(envoy: &InEnvoy<'_>, policy: Option<&Policy>, findings: &mut Findings) {
    let own = policy.map(own_headers).unwrap_or_default();
    for logs in envoy.manager.holders("access_log").iter().chain(&envoy.manager.holders("upstream_log")) {
        for name in ["access_log", "upstream_log"] {
            logs.get(name).iter().for_each(|view| check_log(envoy.file, view, &own, findings));
        }
    }
    if let Some(listener) = &envoy.manager.get("tracing") {
        check_tracing(envoy.file, listener, findings);
    }
    check_limits(envoy.file, &envoy.manager, findings);
    for (file, config) in &envoy.route_configs {
        if !is_inside(config, &envoy.manager) {
            check_limits(file, config, findings);
        }
        for holder in config.holders("tracing") {
            holder.get("tracing").iter().for_each(|view| check_tracing(file, view, findings));
        }
        for holder in config.holders("hash_policy") {
            check_hashes(file, &holder.list("hash_policy"), policy, findings);
        }
    }
}

/// The headers of credentials that only this policy knows: those of API keys, and those of tokens beside `authorization`.
fn own_headers(policy: &Policy) -> Vec<&str> {
    let mut headers = policy.credential_headers();
    headers.retain(|header| *header != AUTHORIZATION);
    headers.extend(policy.credential_lists());
    headers
}

fn is_inside(config: &View<'_>, manager: &View<'_>) -> bool {
    manager.get("route_config").is_some_and(|own| std::ptr::eq(own.node, config.node))
}

fn check_log(file: &Path, log: &View<'_>, own: &[&str], findings: &mut Findings) {
    let is_own = |name: &str| own.iter().any(|header| name.eq_ignore_ascii_case(header));
    let printable = |view: &View<'_>| view.text().filter(|name| is_credential(name) || is_own(name)).map(str::to_owned);
    let mut found: Vec<(View<'_>, String)> = Vec::new();
    log.visit(&mut |view| {
        let format = view.text();
        let printed_own = |format| own.iter().find(|name| prints(format, name)).map(|name| (*name).to_owned());
        found
            .extend(format.and_then(printed_own).or_else(|| format.and_then(printed)).map(|name| (view.clone(), name)));
        for list in [
            "additional_request_headers_to_log",
            "additional_response_headers_to_log",
            "additional_response_trailers_to_log",
        ] {
            let names = view.list(list).into_iter();
            found.extend(names.filter_map(|view| printable(&view).map(|name| (view, name))));
        }
        found.extend(view.at(&["request_header", "name"]).and_then(|view| printable(&view).map(|name| (view, name))));
    });
    for (view, name) in found {
        if is_own(&name) {
            let what = format!("writes {name} to the log: a reader can use the credential until it expires");
            let remedy = "leave it out: wasm.scopegate names the credential";
            findings.error("credential-in-log", file, &view, what, remedy);
        } else {
            let what = format!("writes {name} to the log: refused and public requests keep their credentials");
            findings.warn("credential-in-log", file, &view, what, LOG_REMEDY);
        }
    }
}

fn check_tracing(file: &Path, tracing: &View<'_>, findings: &mut Findings) {
    let mut found: Vec<(View<'_>, String)> = Vec::new();
    tracing.visit(&mut |view| {
        found.extend(view.text().and_then(printed).map(|name| (view.clone(), name)));
        found.extend(view.at(&["request_header", "name"]).and_then(|view| credential(&view).map(|name| (view, name))));
    });
    for (view, name) in found {
        let what = format!("writes {name} to the trace: refused and public requests keep their credentials");
        findings.warn("credential-in-trace", file, &view, what, LOG_REMEDY);
    }
}

/// Actions of rate limits, of a route, a virtual host or a filter.
fn check_limits(file: &Path, holder: &View<'_>, findings: &mut Findings) {
    for limits in holder.holders("rate_limits") {
        let Some(limits) = limits.get("rate_limits") else { continue };
        let mut found: Vec<(View<'_>, String)> = Vec::new();
        limits.visit(&mut |view| {
            found.extend(view.text().and_then(printed).map(|name| (view.clone(), name)));
            let header = view.at(&["request_headers", "header_name"]);
            found.extend(header.and_then(|view| credential(&view).map(|name| (view, name))));
        });
        for (view, name) in found {
            findings.warn(
                "credential-in-rate-limit",
                file,
                &view,
                format!(
                    "sends {name} to the rate limit service, which keeps it as a key, and clients choose it freely"
                ),
                "limit by what the gate has verified: a header of forward.headers, or remote_address",
            );
        }
    }
}

fn check_hashes(file: &Path, hashes: &[View<'_>], policy: Option<&Policy>, findings: &mut Findings) {
    for hash in hashes {
        let header = hash.at(&["header", "header_name"]);
        let cookie = hash.at(&["cookie", "name"]).filter(|_| hash.at(&["cookie", "ttl"]).is_none());
        let Some((view, name)) = header.or(cookie).and_then(|view| credential(&view).map(|name| (view, name))) else {
            continue;
        };
        let strips = policy.is_none_or(|policy| policy.forward.token == TokenForwarding::Strip);
        let what = if strips && name.eq_ignore_ascii_case("authorization") {
            format!("hashes {name}, which the gate has removed by then: requests are spread as without it")
        } else {
            format!("hashes {name}: a client that renews or changes it chooses another upstream")
        };
        let remedy = "hash a header of forward.headers, such as x-auth-subject";
        findings.warn("credential-in-hash", file, &view, what, remedy);
    }
}

/// The name in a view, if it is that of a header or a cookie with a credential.
fn credential(view: &View<'_>) -> Option<String> {
    view.text().filter(|name| is_credential(name)).map(str::to_owned)
}

fn is_credential(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    CREDENTIALS.contains(&lower.as_str()) || SIGNS.iter().any(|sign| lower.contains(sign))
}

/// The header with a credential that a format prints.
fn printed(format: &str) -> Option<String> {
    let named = operands(format).find(|name| is_credential(name)).map(|name| name.to_ascii_lowercase());
    named.or_else(|| CREDENTIALS.iter().find(|name| evaluates(format, name)).map(|name| (*name).to_owned()))
}

/// Whether a format prints this header.
fn prints(format: &str, header: &str) -> bool {
    operands(format).any(|name| name.eq_ignore_ascii_case(header)) || evaluates(format, header)
}

/// The headers that a format names in operators, in upper case.
fn operands(format: &str) -> impl Iterator<Item = String> {
    let upper = format.to_ascii_uppercase();
    let mut names = Vec::new();
    for operator in PRINTING {
        for (at, _) in upper.match_indices(operator) {
            let arguments = upper.get(at.saturating_add(operator.len())..).unwrap_or_default();
            names.extend(arguments.split(')').next().unwrap_or_default().split('?').map(str::to_owned));
        }
    }
    names.into_iter()
}

/// Whether a format has a CEL expression that reads this header.
fn evaluates(format: &str, header: &str) -> bool {
    let upper = format.to_ascii_uppercase();
    upper.contains("%CEL(") && upper.contains(&format!("REQUEST.HEADERS['{}']", header.to_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_prints_a_credential_names_it() {
        for (format, wanted) in [
            ("%REQ(AUTHORIZATION)%", Some("authorization")),
            ("a %REQ(X-A?Authorization):20% b", Some("authorization")),
            ("%CEL(request.headers['authorization'])%", Some("authorization")),
            ("%REQ(x-amz-security-token)%", Some("x-amz-security-token")),
            ("%REQ(cookie)%", Some("cookie")),
            ("%REQ(:METHOD)% authorization", None),
            ("%REQ(X-AUTH-SUBJECT)%", None),
            ("authorization", None),
        ] {
            assert_eq!(printed(format).as_deref(), wanted, "{format}");
        }
    }
}
