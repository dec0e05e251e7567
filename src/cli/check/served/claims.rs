//! Those who read what only the gate can vouch for, its identity headers and what it publishes, where the client may have
//! written it: filters before the gate, and access logs.

use super::inputs::removed_early;
use super::table::Filter;
use super::{any_text, names_header};
use crate::cli::check::Findings;
use crate::cli::gates::InEnvoy;
use crate::policy::Policy;

const RULE: &str = "reads-before-gate";
const REMEDY: &str = "put it after the gate";

/// What all filter state of the gate begins with.
const PUBLISHED: &str = "wasm.scopegate";

/// Filters that decide, count or pass on by what they read. Others may name a header to remove it.
const READERS: [&str; 6] = [
    "rbac.v3.RBAC",
    "ext_authz.v3.ExtAuthz",
    LOCAL_RATE_LIMIT,
    RATE_LIMIT,
    "header_to_metadata.v3.Config",
    "set_filter_state.v3.Config",
];
const LOCAL_RATE_LIMIT: &str = "local_ratelimit.v3.LocalRateLimit";
const RATE_LIMIT: &str = "ratelimit.v3.RateLimit";

/// Checks the filters before the first gate, and the rate limits of routes that such a filter counts by.
pub(super) fn check(
    envoy: &InEnvoy<'_>,
    policy: &Policy,
    before: &[Filter<'_>],
    behind: &[Filter<'_>],
    findings: &mut Findings,
) {
    let headers = policy.forward.headers.iter().map(|header| &*header.name);
    let names: Vec<&str> = headers.chain([PUBLISHED]).collect();
    let before: Vec<&Filter<'_>> = before.iter().take_while(|filter| !envoy.is_gate(&filter.view)).collect();
    for filter in before.iter().filter(|filter| READERS.contains(&filter.kind.as_str())) {
        if let Some(name) = names.iter().find(|name| filter.mentions(name)) {
            let what = format!("{} stands before the gate and reads {}", filter.name, seen(envoy, name));
            findings.error(RULE, envoy.file, &filter.view, what, REMEDY);
        }
    }
    check_logs(envoy, &names, findings);
    let limits = |filter: &Filter<'_>| [LOCAL_RATE_LIMIT, RATE_LIMIT].contains(&filter.kind.as_str());
    let Some(filter) = before.iter().find(|filter| limits(filter)).filter(|_| !behind.iter().any(limits)) else {
        return;
    };
    for (file, config) in &envoy.route_configs {
        for actions in config.holders("rate_limits").iter().filter_map(|holder| holder.get("rate_limits")) {
            if let Some(name) = names.iter().find(|name| any_text(&actions, &|text| names_header(text, name))) {
                let what =
                    format!("is for {}, which stands before the gate, and reads {}", filter.name, seen(envoy, name));
                findings.error(RULE, file, &actions, what, "put that filter after the gate");
            }
        }
    }
}

/// A request that is refused keeps its headers as they came, and is logged too.
fn check_logs(envoy: &InEnvoy<'_>, names: &[&str], findings: &mut Findings) {
    for log in envoy.manager.list("access_log") {
        let printed = |name: &&&str| any_text(&log, &|text| text.contains('%') && names_header(text, name));
        let client_writes = |name: &&&str| **name != PUBLISHED && !removed_early(envoy, name);
        if let Some(name) = names.iter().filter(client_writes).find(printed) {
            let what = format!("prints {name}, which is as the client wrote it where the gate refuses");
            let remedy = "remove it in early_header_mutation_extensions, as envoy/envoy.yaml does, with headers_with_underscores_action: DROP_HEADER";
            findings.warn("unverified-in-log", envoy.file, &log, what, remedy);
        }
    }
}

/// What a filter before the gate sees under this name.
fn seen(envoy: &InEnvoy<'_>, name: &str) -> String {
    if name == PUBLISHED || removed_early(envoy, name) {
        format!("{name}, which is not there yet")
    } else {
        format!("{name}, which any client can write")
    }
}
