//! The listener of a gate that knows clients by their certificates: it has to ask for them, and names in them count only if
//! it verifies them.

use super::Findings;
use super::forwarded::{chain_of, tls_of, unverified};
use crate::cli::gates::InEnvoy;
use crate::cli::source::Source;
use crate::policy::{Certificates, Policy, SetKind};

const RULE: &str = "client-certificates";

/// Checks the filter chain of the gate.
pub(super) fn check(envoy: &InEnvoy<'_>, policy: &Policy, sources: &[Source], findings: &mut Findings) {
    let certificates = || policy.credentials.iter().filter(|set| matches!(set.kind, SetKind::Certificates(_)));
    if certificates().next().is_none() {
        return;
    }
    // Which names a document has, is not known here.
    let by_name = certificates().any(|set| match &set.kind {
        SetKind::Certificates(Certificates { by_uri, by_dns, .. }) => *by_uri || *by_dns || set.remote.is_some(),
        _ => false,
    });
    let Some(chain) = chain_of(&envoy.manager, sources) else { return };
    let Some(tls) = tls_of(&chain) else {
        let what = "does not speak TLS, and a set of `credentials` knows clients by their certificates: there is none";
        let view = chain.get("transport_socket").unwrap_or(chain);
        findings.error(RULE, envoy.file, &view, what, "give it a DownstreamTlsContext");
        return;
    };
    let required = tls.get("require_client_certificate").is_some_and(|view| view.is_true());
    let common = tls.get("common_tls_context");
    let validates = common.as_ref().is_some_and(|common| {
        ["validation_context", "combined_validation_context", "validation_context_sds_secret_config"]
            .iter()
            .any(|name| common.get(name).is_some())
    });
    if !required && !validates {
        let what = "asks no client for a certificate, and a set of `credentials` knows clients by theirs";
        findings.error(RULE, envoy.file, &tls, what, "give it a validation_context with trusted_ca");
    } else if let (true, Some(view)) = (by_name, unverified(&tls)) {
        let what = "does not verify certificates, and a set of `credentials` knows clients by names in theirs, or its document \
                    may: anyone can make one with such a name";
        findings.error(
            RULE,
            envoy.file,
            &view,
            what,
            "give it a validation_context with trusted_ca, without ACCEPT_UNTRUSTED, or name certificates by SHA-256",
        );
    }
}
