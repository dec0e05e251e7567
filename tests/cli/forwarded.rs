//! What the command says of certificates that another proxy forwards.

use crate::check::{check, with};
use crate::judgements::finds;
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::world::{folder, run};
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use serde_json::json;
use std::fs;

const CHAIN: &str = "    - filters:\n";
const MANAGER: &str = "          stream_idle_timeout: 60s\n";
const PLUGIN: &str = "                    challenge: {realm: demo}\n";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const CERTIFICATES: &str = "tls_certificates: [{certificate_chain: {filename: a.pem}, private_key: {filename: a.key}}]";
const FORWARD_ONLY: &str = "forward_client_cert_details: FORWARD_ONLY";

/// The shipped file with `mtls.forwarded` for this header, this TLS context, and this setting of the connection manager.
fn gate(header: &str, context: &str, manager: &str) -> String {
    let mtls = format!(
        "{PLUGIN}                    mtls: {{forwarded: {{header: {header}, from: ['spiffe://example.com/front']}}}}\n"
    );
    let socket = format!(
        "    - transport_socket: {{name: envoy.transport_sockets.tls, typed_config: {{\"@type\": {TLS}, {context}}}}}\n      filters:\n"
    );
    let chain = if context.is_empty() { CHAIN } else { &socket };
    with(PLUGIN, &mtls).replacen(CHAIN, chain, 1).replacen(MANAGER, &format!("{MANAGER}          {manager}\n"), 1)
}

fn context(require: &str, validation: &str) -> String {
    format!("{require} common_tls_context: {{{CERTIFICATES}, {validation}}}")
}

fn verifying() -> String {
    context("require_client_certificate: true,", "validation_context: {trusted_ca: {filename: ca.pem}}")
}

#[test]
fn a_listener_that_takes_a_proxys_word_verifies_it_and_lets_the_header_through() {
    let xfcc = |context: &str, manager: &str| gate("x-forwarded-client-cert", context, manager);
    let good = || xfcc(&verifying(), FORWARD_ONLY);
    let required = "require_client_certificate: true,";
    let ca = "trusted_ca: {filename: ca.pem}";
    let mut cases = vec![
        xfcc(&verifying(), ""),
        xfcc(&verifying(), "forward_client_cert_matcher: {}")
            .replace("forward_client_cert_matcher", &format!("{FORWARD_ONLY}\n          forward_client_cert_matcher")),
        xfcc("", FORWARD_ONLY),
        xfcc(&context("", &format!("validation_context: {{{ca}}}")), FORWARD_ONLY),
        xfcc(&context("require_client_certificate: false,", &format!("validation_context: {{{ca}}}")), FORWARD_ONLY),
        xfcc(&context(required, ""), FORWARD_ONLY),
        xfcc(&context(required, "validation_context: {}"), FORWARD_ONLY),
        xfcc(
            &context(required, &format!("validation_context: {{{ca}, trust_chain_verification: ACCEPT_UNTRUSTED}}")),
            FORWARD_ONLY,
        ),
        xfcc(
            &context(
                required,
                "combined_validation_context: {default_validation_context: {trust_chain_verification: ACCEPT_UNTRUSTED}, validation_context_sds_secret_config: {name: ca}}",
            ),
            FORWARD_ONLY,
        ),
    ];
    for value in ["SANITIZE", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY", "0", "2"] {
        cases.push(xfcc(&verifying(), &format!("forward_client_cert_details: {value}")));
    }
    for text in cases {
        finds(&[("forwarded-certificate", text, good())]);
    }
    for good in [
        xfcc(&verifying(), "forward_client_cert_details: 1"),
        xfcc(&context(required, "validation_context_sds_secret_config: {name: ca}"), FORWARD_ONLY),
        xfcc(
            &context(
                required,
                "combined_validation_context: {default_validation_context: {}, validation_context_sds_secret_config: {name: ca}}",
            ),
            FORWARD_ONLY,
        ),
        gate("client-cert", &verifying(), ""),
        // Without `mtls` nothing of this matters.
        with(MANAGER, &format!("{MANAGER}          forward_client_cert_details: APPEND_FORWARD\n")),
    ] {
        let checked = check(&good);
        assert!(checked.status == 0 && !checked.stdout.contains("forwarded-certificate"), "{checked:?}");
    }
    for (text, said) in [
        (xfcc(&verifying(), "forward_client_cert_details: APPEND_FORWARD"), "with several elements none counts"),
        (xfcc("", FORWARD_ONLY), "does not speak TLS"),
        (xfcc(&context(required, "validation_context: {}"), FORWARD_ONLY), "does not verify"),
    ] {
        let checked = check(&text);
        assert!(checked.status == 1 && checked.stdout.contains(said), "{said}: {checked:?}");
    }
}

#[test]
fn a_route_that_looks_at_the_header_of_a_certificate_is_an_error() {
    let route = "                match: {prefix: /}\n";
    let looking = |name: &str| {
        let matcher =
            format!("                match: {{prefix: /, headers: [{{name: {name}, present_match: true}}]}}\n");
        gate("client-cert", &verifying(), "").replacen(route, &matcher, 1)
    };
    finds(&[
        ("matcher-on-edited-header", looking("client-cert"), looking("x-forwarded-client-cert")),
        ("matcher-on-edited-header", looking("Client_Cert_Chain"), looking("client-certs")),
    ]);
}

#[test]
fn explain_and_test_take_the_word_of_a_proxy_by_its_digest_or_its_uri() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (client, front) = ("07".repeat(32), "01".repeat(32));
    let bound = json!({ "x5t#S256": base64url::encode(&[7; 32]) });
    let token = issuer.token(1_795_255_200).claim("cnf", bound).sign();
    let folder = folder();
    let configuration = json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "mtls": { "forwarded": { "header": "x-forwarded-client-cert", "from": ["spiffe://front", front] } },
    });
    fs::write(folder.join("a.json"), configuration.to_string()).unwrap();
    fs::write(folder.join("token"), &token).unwrap();
    let header = format!("x-forwarded-client-cert: Hash={client}");
    let asked = [
        "explain",
        "a.json",
        "--request",
        "GET /",
        "--token",
        "@token",
        "--at",
        "2026-11-21T10:00:00Z",
        "--header",
        &header,
    ];
    let explained = |more: &[&str]| run(&[&asked[..], more].concat(), &folder);
    let digest = explained(&["--client-certificate", &front]);
    assert_eq!(digest.status, 0, "{digest:?}");
    let uri = explained(&["--client-uri", "spiffe://front"]);
    assert_eq!(uri.status, 0, "{uri:?}");
    for more in [&[][..], &["--client-uri", "spiffe://other"], &["--client-certificate", &"02".repeat(32)]] {
        let refused = explained(more);
        assert!(refused.status == 1 && refused.stdout.contains("certificate_mismatch"), "{more:?}: {refused:?}");
    }
    let case = |uri: &str, expect: serde_json::Value| {
        json!({ "name": uri, "token": token, "expect": expect, "request": {
            "path": "/", "client_uri": uri, "headers": { "x-forwarded-client-cert": format!("Hash={client}") },
        } })
    };
    let refused = json!({ "status": 401, "reason": "certificate_mismatch" });
    let cases = [case("spiffe://front", json!({ "status": 200 })), case("spiffe://other", refused)];
    fs::write(
        folder.join("cases.json"),
        json!({ "config": "a.json", "now": 1_795_255_200, "cases": cases }).to_string(),
    )
    .unwrap();
    let tested = run(&["test", "cases.json"], &folder);
    assert_eq!(tested.status, 0, "{tested:?}");
}

/// The shipped file with a set of this client certificate, and this TLS context.
fn of_clients(secret: &str, context: &str) -> String {
    of_identities(&format!("[{{id: a, secrets: [{secret}]}}]"), context)
}

/// The shipped file with a set of these client certificates, and this TLS context.
fn of_identities(identities: &str, context: &str) -> String {
    let socket = format!(
        "    - transport_socket: {{name: envoy.transport_sockets.tls, typed_config: {{\"@type\": {TLS}, {context}}}}}\n      filters:\n"
    );
    let set =
        format!("{PLUGIN}                    credentials: [{{name: mesh, mtls: {{}}, identities: {identities}}}]\n");
    let chain = if context.is_empty() { CHAIN } else { &socket };
    with(PLUGIN, &set).replacen(CHAIN, chain, 1)
}

#[test]
fn a_listener_that_knows_clients_by_names_verifies_their_certificates() {
    let ca = "validation_context: {trusted_ca: {filename: ca.pem}}";
    let any = "validation_context: {trust_chain_verification: ACCEPT_UNTRUSTED}";
    let digest = format!("sha256: '{}'", "01".repeat(32));
    for secret in ["{uri: 'spiffe://example.com/a'}", "{dns: a.example.com}", &format!("{{{digest}}}")] {
        let good = || of_clients(secret, &context("", ca));
        for bad in [of_clients(secret, ""), of_clients(secret, &context("", "alpn_protocols: [h2]"))] {
            finds(&[("client-certificates", bad, good())]);
        }
        let taken = of_clients(secret, &context("", any));
        let required = of_clients(secret, &context("require_client_certificate: true,", "alpn_protocols: [h2]"));
        for unverified in [taken, required] {
            if secret.contains("sha256") {
                finds(&[("client-certificates", of_clients(secret, ""), unverified)]);
            } else {
                finds(&[("client-certificates", unverified, good())]);
            }
        }
    }
    // A document may have names.
    let document = "{uri: 'https://ids.example.com/', cluster: idp}";
    let [taken, good] = [any, ca].map(|validation| of_identities(document, &context("", validation)));
    finds(&[("client-certificates", taken, good)]);
}
