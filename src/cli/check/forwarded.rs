//! The listener of a gate that takes the word of another proxy for the certificates of clients: it has to let the header
//! through, and to verify who sends it.

use super::Findings;
use crate::cli::gates::InEnvoy;
use crate::cli::source::{Source, View};
use crate::policy::{CertificateHeader, ForwardedCertificate, Policy};
use std::path::Path;

const RULE: &str = "forwarded-certificate";

/// Checks the connection manager and its filter chain.
pub(super) fn check(envoy: &InEnvoy<'_>, policy: &Policy, sources: &[Source], findings: &mut Findings) {
    let Some(ForwardedCertificate { header, .. }) = &policy.forwarded_certificate else { return };
    if *header == CertificateHeader::Xfcc {
        check_header(envoy.file, &envoy.manager, findings);
    }
    if let Some(chain) = chain_of(&envoy.manager, sources) {
        check_chain(envoy.file, &chain, findings);
    }
}

/// Envoy removes `x-forwarded-client-cert`, or writes it itself, unless it is told to forward it.
fn check_header(file: &Path, manager: &View<'_>, findings: &mut Findings) {
    const REMEDY: &str = "set forward_client_cert_details: FORWARD_ONLY";
    let details = manager.get("forward_client_cert_details");
    let is = |name, number| details.as_ref().is_some_and(|view| view.is_value(name, number));
    let what = if is("FORWARD_ONLY", 1) {
        None
    } else if is("APPEND_FORWARD", 2) {
        Some("makes Envoy add an element for the proxy: with several elements none counts")
    } else if is("SANITIZE_SET", 3) {
        Some("makes Envoy write the certificate of the proxy in place of the client's")
    } else if is("ALWAYS_FORWARD_ONLY", 4) {
        Some("lets x-forwarded-client-cert through on connections without a certificate too")
    } else {
        Some("makes Envoy remove x-forwarded-client-cert, which mtls.forwarded reads: no bound token passes")
    };
    if let Some(what) = what {
        findings.error(RULE, file, details.as_ref().unwrap_or(manager), what, REMEDY);
    }
    if let Some(view) = manager.get("forward_client_cert_matcher") {
        let what = "decides for each request what becomes of x-forwarded-client-cert, which mtls.forwarded reads";
        findings.error(RULE, file, &view, what, "leave it out, and set forward_client_cert_details: FORWARD_ONLY");
    }
}

/// The filter chain with this connection manager.
pub(super) fn chain_of<'s>(manager: &View<'_>, sources: &'s [Source]) -> Option<View<'s>> {
    let documents = sources.iter().flat_map(|source| &source.documents);
    documents.flat_map(|document| document.root().holders("filters")).find(|chain| {
        let filters = chain.list("filters");
        filters.iter().filter_map(|filter| filter.get("typed_config")).any(|own| std::ptr::eq(own.node, manager.node))
    })
}

/// The TLS context of a filter chain.
pub(super) fn tls_of<'n>(chain: &View<'n>) -> Option<View<'n>> {
    chain.get("transport_socket")?.holders("common_tls_context").into_iter().next()
}

/// `from` names certificates, so the listener has to ask for them, and to verify them: anyone can make a certificate with
/// any URI in it.
fn check_chain(file: &Path, chain: &View<'_>, findings: &mut Findings) {
    let Some(tls) = tls_of(chain) else {
        let what = "does not speak TLS, and mtls.forwarded knows proxies by their certificates: none is trusted";
        let socket = chain.get("transport_socket");
        findings.error(RULE, file, socket.as_ref().unwrap_or(chain), what, "give it a DownstreamTlsContext");
        return;
    };
    if !tls.get("require_client_certificate").is_some_and(|view| view.is_true()) {
        let what = "does not require a certificate, and mtls.forwarded knows proxies by theirs";
        findings.error(RULE, file, &tls, what, "set require_client_certificate: true");
    }
    if let Some(view) = unverified(&tls) {
        let what =
            "does not verify the certificates of its peers: anyone can make one with a URI of mtls.forwarded.from";
        findings.error(
            RULE,
            file,
            &view,
            what,
            "give it a validation_context with trusted_ca, without ACCEPT_UNTRUSTED",
        );
    }
}

/// What leaves certificates unverified. Contexts that Envoy fetches are taken for good.
pub(super) fn unverified<'n>(tls: &View<'n>) -> Option<View<'n>> {
    const VERIFYING: [&str; 6] = [
        "trusted_ca",
        "verify_certificate_hash",
        "verify_certificate_spki",
        "ca_certificate_provider_instance",
        "system_root_certs",
        "custom_validator_config",
    ];
    let common = tls.get("common_tls_context")?;
    let combined = common.get("combined_validation_context");
    let fetched = combined.as_ref().or(Some(&common)).and_then(|holder| {
        holder
            .get("validation_context_sds_secret_config")
            .or_else(|| holder.get("validation_context_certificate_provider_instance"))
    });
    let own = combined
        .as_ref()
        .map_or_else(|| common.get("validation_context"), |combined| combined.get("default_validation_context"));
    let accepts_all = own.as_ref().and_then(|own| own.get("trust_chain_verification"));
    if let Some(view) = accepts_all.filter(|view| view.is_value("ACCEPT_UNTRUSTED", 1)) {
        return Some(view);
    }
    let verifies = own.as_ref().is_some_and(|own| VERIFYING.iter().any(|name| own.get(name).is_some()));
    if fetched.is_some() || verifies { None } else { Some(own.unwrap_or(common)) }
}
