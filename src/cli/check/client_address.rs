//! Where the address of a client comes from, by which `reuse` tells clients apart.

use super::Findings;
use crate::cli::gates::InEnvoy;
use crate::policy::{Policy, Uses};

const RULE: &str = "client-address";

/// Checks that the connection manager says whose word the address is.
pub(super) fn check(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    let manager = &envoy.manager;
    let is_told = manager.get("use_remote_address").is_some_and(|view| view.is_true())
        || manager.get("xff_num_trusted_hops").is_some()
        || !manager.list("original_ip_detection_extensions").is_empty();
    if policy.uses.has(Uses::REUSE) && !is_told {
        let what = "does not say whose word the address of a client is, by which reuse tells clients apart: Envoy takes the last \
                    one in x-forwarded-for, which a client can write";
        let remedy =
            "set use_remote_address: true, and xff_num_trusted_hops to the number of your own proxies before this one";
        findings.warn(RULE, envoy.file, manager, what, remedy);
    }
}
