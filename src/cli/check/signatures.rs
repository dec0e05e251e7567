//! Signed requests: whether what is signed comes to the gate as it was sent, and whether the gate can hold the bodies that
//! it has to read.

use super::Findings;
use super::credentials::sets_in_use;
use crate::cli::gates::{Gate, InEnvoy};
use crate::cli::source::View;
use crate::policy::{CredentialSet, Policy, SignatureForm, SignatureTerms};

/// The service whose clients sign a path as it is sent.
const S3: &str = "s3";
/// The end of the type of `ext_proc`.
const EXT_PROC: &str = "ext_proc.v3.ExternalProcessor";
/// What changes bodies, or what is in front of them, by the end of its type.
const OF_BODIES: [&str; 5] = [
    "grpc_json_transcoder.v3.GrpcJsonTranscoder",
    "grpc_json_reverse_transcoder.v3.GrpcJsonReverseTranscoder",
    "grpc_web.v3.GrpcWeb",
    "grpc_http1_bridge.v3.Config",
    "grpc_http1_reverse_bridge.v3.FilterConfig",
];
/// What every form signs of the headers, with the pseudo-headers by which a mutation changes it.
const ALWAYS_SIGNED: [&str; 7] =
    [":authority", "host", ":method", ":path", "x-amz-date", "x-gateway-date", "content-digest"];

/// The terms of the sets of signatures that a requirement names.
fn used<'p>(gate: &Gate<'_>, policy: &'p Policy) -> Vec<(&'p CredentialSet, &'p SignatureTerms)> {
    let sets = sets_in_use(gate, policy).into_iter();
    sets.filter_map(|set| Some((set, &set.signatures()?.terms))).collect()
}

/// Whether a requirement asks for a signature.
pub(super) fn judges(gate: &Gate<'_>, policy: &Policy) -> bool {
    !used(gate, policy).is_empty()
}

/// The set for which headers wait for their body, if there is one, and what a gate can do that holds none.
pub(super) fn holding<'p>(gate: &Gate<'_>, policy: &'p Policy) -> Option<(&'p str, &'static str)> {
    const DIGEST: &str = "write signed_headers: [x-amz-content-sha256] in the set, so that no body is held";
    const NOTHING: &str = "run the gate in an Envoy of your own: this form has no header with the digest of a body";
    let (set, terms) = used(gate, policy).into_iter().find(|(_, terms)| terms.may_read_bodies())?;
    let instead = if matches!(terms.form, SignatureForm::Sigv4 { .. }) { DIGEST } else { NOTHING };
    Some((&set.name, instead))
}

/// Whether paths have to come as they were sent.
pub(super) fn keeps_paths(gate: &Gate<'_>, policy: &Policy) -> bool {
    let is_s3 = |terms: &SignatureTerms| match &terms.form {
        SignatureForm::Sigv4 { services, .. } => services.iter().any(|service| service == S3),
        SignatureForm::Apinto | SignatureForm::Message { .. } => false,
    };
    used(gate, policy).iter().any(|(_, terms)| is_s3(terms))
}

/// Checks what is done to a request before the gate sees it.
pub(super) fn check(gate: &Gate<'_>, envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    let sets = used(gate, policy);
    let Some((first, _)) = sets.first() else { return };
    let manager = &envoy.manager;
    for name in ["strip_any_host_port", "strip_matching_host_port"] {
        if let Some(view) = manager.get(name).filter(View::is_true) {
            findings.warn(
                "signed-host-changed",
                envoy.file,
                &view,
                format!(
                    "takes the port out of the host, which signatures of {} cover: what is signed for a host with a port is bad_signature",
                    first.name
                ),
                "leave it out, unless clients sign the host without its port",
            );
        }
    }
    if keeps_paths(gate, policy) {
        check_paths(envoy, findings);
    }
    let covered: Vec<&str> =
        sets.iter().flat_map(|(_, terms)| &terms.covered).map(String::as_str).chain(ALWAYS_SIGNED).collect();
    for filter in envoy.filters.iter().take(envoy.index) {
        let Some(config) = filter.get("typed_config") else { continue };
        if let Some(what) = change(&config, &covered) {
            findings.warn(
                "signed-part-changed",
                envoy.file,
                filter,
                format!("comes before the gate and changes {what}, which signatures of {} cover", first.name),
                "put it after the gate",
            );
        }
    }
}

/// For s3 a path is signed as it is sent.
fn check_paths(envoy: &InEnvoy<'_>, findings: &mut Findings) {
    let manager = &envoy.manager;
    let flags = ["normalize_path", "merge_slashes"].into_iter().filter_map(|name| manager.get(name));
    let action = manager.get("path_with_escaped_slashes_action");
    let unescapes = action.filter(|view| view.is_value("UNESCAPE_AND_FORWARD", 4));
    if let Some(view) = flags.filter(View::is_true).chain(unescapes).next() {
        findings.warn(
            "signed-path-changed",
            envoy.file,
            &view,
            "rewrites paths, and for s3 they are signed as they are sent: keys with //, /../ or %2F are bad_signature",
            "leave normalize_path and merge_slashes out: the gate refuses ambiguous paths where rules look at them",
        );
    }
}

/// What a filter changes that is signed. Scripts and modules may, and cannot be looked into.
fn change(config: &View<'_>, covered: &[&str]) -> Option<String> {
    let name = config.type_name()?;
    let is = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.'));
    let body = || Some("bodies".to_owned());
    if OF_BODIES.iter().any(|end| is(end)) {
        return body();
    }
    if is("decompressor.v3.Decompressor") {
        let enabled = config.at(&["request_direction_config", "common_config", "enabled", "default_value"]);
        return if enabled.is_none_or(|view| view.is_true()) { body() } else { None };
    }
    if is("compressor.v3.Compressor") {
        return config.get("request_direction_config").and_then(|_| body());
    }
    if is(EXT_PROC) {
        let mode = config.at(&["processing_mode", "request_body_mode"]);
        return mode.filter(|mode| !mode.is_value("NONE", 0)).and_then(|_| body());
    }
    if !is("header_mutation.v3.HeaderMutation") {
        return None;
    }
    let mutations = config.get("mutations")?.list("request_mutations");
    mutations.iter().find_map(|mutation| {
        let removed = mutation.get("remove");
        let view = removed.or_else(|| mutation.at(&["append", "header", "key"]))?;
        let header = view.text()?.to_ascii_lowercase();
        (covered.contains(&header.as_str()) || header.starts_with("x-amz-")).then_some(header)
    })
}
