//! What `scopegate check` says of sets of signatures.

use crate::check::check;
use crate::judgements::finds;
use crate::world::{folder, run, shipped};
use std::time::{SystemTime, UNIX_EPOCH};

const RULES: &str = "                    rules:\n";
const PLUGIN: &str = "                failure_policy: FAIL_RELOAD                # keep: never FAIL_OPEN\n";
const MANAGER: &str = "          stream_idle_timeout: 60s\n";
const CORS: &str = "          - name: envoy.filters.http.cors ";
const ROUTER: &str = "          - name: envoy.filters.http.router\n";

const SIGV4: &str = "aksk: {form: sigv4, regions: [eu-west-1], services: [orders]}";
const DIGESTED: &str =
    "aksk: {form: sigv4, regions: [eu-west-1], services: [orders], signed_headers: [x-amz-content-sha256]}";
const S3: &str = "aksk: {form: sigv4, regions: [eu-west-1], services: [s3]}";
const APINTO: &str = "aksk: {form: apinto}";
const MESSAGE: &str = "signature: {components: ['@method', '@target-uri', x-tenant]}";

fn edit(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from:?} is not in the file");
    text.replacen(from, to, 1)
}

/// The shipped file with a set of this kind, and a rule that asks this.
fn with_set(kind: &str, asks: &str) -> String {
    let set = format!(
        "                    credentials:\n                    - name: machines\n                      {kind}\n                      identities: [{{id: batch, secrets: [{{key_id: AKID, env: SIGNING}}]}}]\n"
    );
    edit(&shipped(), RULES, &format!("{set}{RULES}                    - {{match: {{path: /k}}, {asks}}}\n"))
}

fn used(kind: &str) -> String {
    with_set(kind, "credentials: machines")
}

fn plugin(text: &str, setting: &str) -> String {
    edit(text, PLUGIN, &format!("{PLUGIN}                {setting}\n"))
}

fn holding(text: &str) -> String {
    plugin(text, "allow_on_headers_stop_iteration: true")
}

fn manager(text: &str, setting: &str) -> String {
    edit(text, MANAGER, &format!("{MANAGER}          {setting}\n"))
}

/// A filter before the gate, or behind it.
fn filter(text: &str, place: &str, config: &str) -> String {
    let kind = "type.googleapis.com/envoy.extensions.filters.http";
    let filter = format!("          - name: x\n            typed_config: {{\"@type\": {kind}.{config}}}\n{place}");
    edit(text, place, &filter)
}

#[test]
fn a_body_that_has_to_be_read_needs_headers_that_are_held() {
    finds(&[
        ("headers-not-held", used(SIGV4), holding(&used(SIGV4))),
        ("headers-not-held", used(APINTO), holding(&used(APINTO))),
        ("headers-not-held", used(SIGV4), used(DIGESTED)),
        ("headers-not-held", used(SIGV4), used(S3)),
        ("headers-not-held", used(APINTO), used(MESSAGE)),
        ("headers-not-held", used(APINTO), with_set(APINTO, "scopes: [a]")),
        ("stop-iteration", holding(&used(DIGESTED)), holding(&used(SIGV4))),
        ("stop-iteration", holding(&used(MESSAGE)), holding(&used(APINTO))),
        ("stop-iteration", holding(&with_set(APINTO, "scopes: [a]")), holding(&used(APINTO))),
    ]);
    let said = check(&used(APINTO));
    assert!(said.status == 1 && said.stdout.contains("error[headers-not-held]"), "{said:?}");
    assert!(said.stdout.contains("signatures of machines") && said.stdout.contains("503 body_unreadable"), "{said:?}");
}

#[test]
fn istio_and_envoy_gateway_cannot_hold_headers() {
    let config = |kind: &str| {
        let set =
            format!("[{{name: machines, {kind}, identities: [{{id: batch, secrets: [{{key_id: AKID, env: S}}]}}]}}]");
        format!("{{credentials: {set}, default: {{credentials: machines}}}}")
    };
    let istio = |kind: &str| {
        format!(
            "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: scopegate}}\nspec:\n  url: oci://registry.example/scopegate:1\n  phase: AUTHN\n  failStrategy: FAIL_RELOAD\n  pluginConfig: {}\n",
            config(kind)
        )
    };
    let gateway = |kind: &str| {
        format!(
            "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nmetadata: {{name: scopegate}}\nspec:\n  targetRefs: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, name: api}}]\n  wasm:\n  - name: scopegate\n    rootID: scopegate\n    code: {{type: Image, image: {{url: registry.example/scopegate:1}}}}\n    config: {}\n",
            config(kind)
        )
    };
    for (kind, remedy) in [
        (SIGV4, Some("write signed_headers: [x-amz-content-sha256]")),
        (APINTO, Some("run the gate in an Envoy of your own")),
        (DIGESTED, None),
        (MESSAGE, None),
    ] {
        for text in [istio(kind), gateway(kind)] {
            let folder = folder();
            std::fs::write(folder.join("a.yaml"), &text).unwrap();
            let said = run(&["check", "a.yaml"], &folder).stdout;
            assert_eq!(said.contains("error[headers-not-held]"), remedy.is_some(), "{kind}: {said}\n{text}");
            assert!(remedy.is_none_or(|remedy| said.contains(remedy)), "{kind}: {said}");
        }
    }
}

/// Without the callback the digest of a body would never be compared.
#[test]
fn the_gate_is_asked_about_signed_bodies() {
    let restricted = |text: &str, more: &str| {
        let calls = format!("proxy_on_request_headers: {{}}, proxy_on_request_trailers: {{}}{more}");
        plugin(text, &format!("capability_restriction_config: {{allowed_capabilities: {{{calls}}}}}"))
    };
    finds(&[
        ("fails-open", restricted(&used(DIGESTED), ""), restricted(&used(DIGESTED), ", proxy_on_request_body: {}")),
        ("fails-open", restricted(&used(MESSAGE), ""), restricted(&shipped(), "")),
    ]);
}

#[test]
fn what_is_signed_comes_to_the_gate_as_it_was_sent() {
    let good = used(DIGESTED);
    let s3 = used(S3);
    let flat = |text: &str| {
        let text = edit(text, "normalize_path: true", "normalize_path: false");
        edit(&text, "merge_slashes: true", "merge_slashes: false")
    };
    let slashes = |text: &str, action: &str| {
        edit(
            text,
            "path_with_escaped_slashes_action: REJECT_REQUEST",
            &format!("path_with_escaped_slashes_action: {action}"),
        )
    };
    let mutation =
        |remove: &str| format!("header_mutation.v3.HeaderMutation, mutations: {{request_mutations: [{{{remove}}}]}}");
    let before = |config: &str| filter(&good, CORS, config);
    let behind = |config: &str| filter(&good, ROUTER, config);
    finds(&[
        ("signed-host-changed", manager(&good, "strip_any_host_port: true"), good.clone()),
        (
            "signed-host-changed",
            manager(&good, "strip_matching_host_port: true"),
            manager(&shipped(), "strip_matching_host_port: true"),
        ),
        ("signed-path-changed", s3.clone(), flat(&s3)),
        ("signed-path-changed", edit(&s3, "merge_slashes: true", "merge_slashes: false"), good.clone()),
        ("signed-path-changed", slashes(&flat(&s3), "UNESCAPE_AND_FORWARD"), slashes(&flat(&s3), "KEEP_UNCHANGED")),
        ("paths-not-normalised", flat(&good), flat(&s3)),
        ("signed-part-changed", before("decompressor.v3.Decompressor"), behind("decompressor.v3.Decompressor")),
        (
            "signed-part-changed",
            before("decompressor.v3.Decompressor"),
            before(
                "decompressor.v3.Decompressor, request_direction_config: {common_config: {enabled: {default_value: false, runtime_key: x}}}",
            ),
        ),
        (
            "signed-part-changed",
            before("compressor.v3.Compressor, request_direction_config: {}"),
            before("compressor.v3.Compressor"),
        ),
        ("signed-part-changed", before("grpc_json_transcoder.v3.GrpcJsonTranscoder"), before("buffer.v3.Buffer")),
        (
            "signed-part-changed",
            before("ext_proc.v3.ExternalProcessor, processing_mode: {request_body_mode: STREAMED}"),
            before("ext_proc.v3.ExternalProcessor, processing_mode: {request_body_mode: NONE}"),
        ),
        ("signed-part-changed", before(&mutation("remove: Host")), before(&mutation("remove: x-other"))),
        (
            "signed-part-changed",
            before(&mutation("append: {header: {key: x-amz-meta, value: a}}")),
            behind(&mutation("append: {header: {key: x-amz-meta, value: a}}")),
        ),
        (
            "signed-part-changed",
            filter(&used(MESSAGE), CORS, &mutation("append: {header: {key: x-tenant, value: a}}")),
            filter(&good, CORS, &mutation("append: {header: {key: x-tenant, value: a}}")),
        ),
    ]);
}

#[test]
fn sets_of_signatures_are_judged_as_other_sets_are() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let ending = |days: u64| {
        edit(&used(DIGESTED), "env: SIGNING}", &format!("env: SIGNING, expires: {}}}", now + days * 86_400))
    };
    let listener = "    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}";
    let open = |text: &str| edit(text, listener, &listener.replace("127.0.0.1", "0.0.0.0"));
    let keys = with_set("api_key: {header: x-kiosk}", "credentials: machines").replace("key_id: AKID, env", "env");
    let log = |text: &str| edit(text, "%REQ(X-REQUEST-ID)%", "%REQ(SIGNATURE)%");
    finds(&[
        ("unused-credentials", with_set(DIGESTED, "scopes: [a]"), used(DIGESTED)),
        ("credential-expires", ending(29), ending(31)),
        ("identity-passes-nowhere", with_set(DIGESTED, "credentials: machines, scopes: [a]"), used(DIGESTED)),
        // A secret that never travels cannot be read.
        ("api-keys-in-plain-text", open(&keys), open(&used(DIGESTED))),
        ("credential-in-log", log(&used(MESSAGE)), log(&shipped())),
    ]);
}
