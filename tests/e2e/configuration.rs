//! Configurations as Envoy and Istio hand them over, good ones and bad ones.

use crate::gate::{configuration, start};
use crate::support::client::{get, get_with};
use crate::support::envoy::{Envoy, Gate, cluster, module, resources};
use crate::support::issuer::{Issuer, now};
use scopegate::config::{compile, read_yaml};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};

/// An upstream that is never reached.
fn nowhere() -> Value {
    cluster("upstream", "127.0.0.1:9".parse().unwrap())
}

#[test]
fn a_json_text_does_what_a_struct_does() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let mut gate = Gate::new(configuration(&issuer, json!({})));
    gate.as_json_text = true;
    let (envoy, _upstream) = start(gate);
    assert_eq!(get_with(envoy.address(), "/", &issuer.token(now()).sign()).status, 200);
    assert_eq!(get(envoy.address(), "/", &[]).status, 401);
}

#[test]
fn a_bad_configuration_is_refused_at_load_with_path_reason_and_remedy() {
    for as_json_text in [false, true] {
        let mut gate = Gate::new(
            json!({ "issuers": [{ "issuer": "https://a/", "audience": ["b"], "jwks": { "inline": { "keys": [] } } }], "rules": [{ "public": true }] }),
        );
        gate.as_json_text = as_json_text;
        let log = Envoy::try_start(&resources(&[gate], &[nowhere()]), 1).err().expect("Envoy refuses it");
        for line in [
            "issuers[0].audience: is not a field; did you mean `audiences`?",
            "issuers[0]: `audiences` is missing; name the audiences",
            "issuers[0].jwks.inline: has no key for the algorithms of the issuer",
            "rules[0]: `match` is missing",
        ] {
            assert!(log.contains(&format!("configuration refused: {line}")), "{line}:\n{log}");
        }
    }
}

#[test]
fn secrets_come_from_the_environment_of_the_vm_and_are_never_shown() {
    let secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let configured = |secret: &str| {
        let mut gate = Gate::new(json!({
            "issuers": [{ "issuer": "https://a/", "audiences": ["b"], "algorithms": ["HS256"], "secrets": [{ "kid": "s", "env": "HS_KEY" }] }],
        }));
        gate.plugin = json!({ "vm_config": { "environment_variables": { "key_values": { "HS_KEY": secret } } } });
        gate
    };
    let (envoy, _upstream) = start(configured(secret));
    assert_eq!(get(envoy.address(), "/", &[]).status, 401);
    assert!(!envoy.log().contains(secret));
    let log =
        Envoy::try_start(&resources(&[configured("c2hvcnQtc2VjcmV0")], &[nowhere()]), 1).err().expect("too short");
    assert!(log.contains("cannot be used with HS256: shorter than the hash"), "{log}");
    assert!(!log.contains("c2hvcnQtc2VjcmV0") && !log.contains("short-secret"), "{log}");
}

#[test]
fn every_word_works_unquoted() {
    let key = "{kty: EC, crv: P-256, kid: a, x: f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU, y: x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0}";
    let words = [
        "route_metadata: replace",
        "route_metadata: restrict",
        "route_metadata: ignore",
        "forward: {token: strip}",
        "forward: {token: keep}",
        "audit: {subject: plain, filter_state: all}",
        "audit: {subject: hash, filter_state: denials, record: text}",
        "audit: {subject: omit, filter_state: none, record: object}",
        "paths: {allow: [encoded_slash, semicolon]}",
        "report_only: true",
        "bypass_cors_preflight: false",
        "default: {token_types: [at+jwt, JWT, missing], max_lifetime: 30s, max_token_age: 10m}",
        "default: {acr_values: [phr, urn:mace:incommon:iap:silver, gold], max_auth_age: 5m}",
        "default: {methods: {GET: {public: true}, HEAD: {deny: true}}}",
        "default: {sender_constraint: if_bound, methods: {GET: {sender_constraint: required}, PUT: {sender_constraint: mtls}}}",
        "dpop: {origins: [https://a], algorithms: [ES256, EdDSA], max_age: 60s}, default: {sender_constraint: dpop}",
        "limits: {token_bytes: 4096}",
        "default: {single_use: true}",
        "default: {mcp: {lists: all, versions: ['2025-11-25']}}",
        "replay: {entries: 1000}",
    ];
    let algorithms =
        "[RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES256K, EdDSA, ML-DSA-44, ML-DSA-65, ML-DSA-87]";
    let values: Vec<String> = words
        .iter()
        .map(|word| {
            format!(
                "{{issuers: [{{issuer: https://a/, audiences: [b], algorithms: {algorithms}, leeway: 1m, max_lifetime: 24h, sender_constraint: ignore, jwks: {{inline: {{keys: [{key}]}}}}}}], {word}}}"
            )
        })
        .collect();
    let envoy = Envoy::start_text(&bootstrap(&values), 1).unwrap_or_else(|log| panic!("{log}"));
    assert_eq!(envoy.listener("gate").ip().to_string(), "127.0.0.1");
}

/// Every kind of unquoted scalar, each where it is wrong, so that the message says what it was taken for.
const SCALARS: &str = "
report_only: off
bypass_cors_preflight: y
route_metadata: on
issuers: no
default:
  allow_missing: 0.5
  report_only: 1.0
  max_lifetime: 010
  max_token_age: 0x10
  methods: 10:30
  claims: 2026-11-21
  audiences: ~
  issuers:
  token_types: 1e3
  scopes: 'on'
limits: {token_bytes: 010, jwks_bytes: 0x10, jwks_keys: 2147483648, waiting_requests: -5, denial_logs_per_second: 9007199254740993, wasm_crypto_percent: +0}
audit: {subject: None, filter_state: NULL}
forward: {token: TRUE, headers: [x]}
challenge: {realm: 5}
query_tokens: {names: [yes, 'yes', 08, 1_000], jwt_allowed_in: oN}
paths: {allow: [Off, tRue]}
rules:
- match: {path: /a, ignore_case: N, methods: [on]}
- match: {prefix: 1, route: No}
";

#[test]
fn scalars_mean_the_same_to_the_command_and_to_envoy() {
    let node = read_yaml(SCALARS).unwrap();
    let error = compile(&node, &|_| None).expect_err("everything in it is wrong");
    let mut ours: Vec<String> =
        error.0.into_iter().map(|problem| scopegate::config::Problem { at: None, ..problem }.to_string()).collect();
    let indented: String =
        SCALARS.lines().map(|line| format!("                    {line}")).collect::<Vec<_>>().join("\n");
    let log = Envoy::start_text(&bootstrap(&[format!("\n{indented}")]), 1).err().expect("Envoy refuses it");
    let mut theirs: Vec<String> = log
        .lines()
        .filter_map(|line| line.split_once("configuration refused: "))
        .map(|(_, problem)| problem.trim().to_owned())
        .collect();
    ours.sort();
    theirs.sort();
    theirs.dedup();
    ours.dedup();
    assert!(ours.len() > 25, "{ours:#?}");
    assert_eq!(ours, theirs, "{log}");
}

/// A bootstrap as text, with a filter for each of these configurations, written as YAML.
fn bootstrap(configurations: &[String]) -> String {
    let filters: Vec<String> = configurations
        .iter()
        .map(|value| {
            format!(
                r#"
          - name: scopegate
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                root_id: scopegate
                vm_config: {{runtime: envoy.wasm.runtime.v8, code: {{local: {{filename: {}}}}}}}
                configuration:
                  "@type": type.googleapis.com/google.protobuf.Struct
                  value: {value}"#,
                module().display()
            )
        })
        .collect();
    let filters = filters.concat();
    format!(
        r#"
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}}}
static_resources:
  listeners:
  - name: gate
    address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: gate
          route_config: {{}}
          http_filters:{filters}
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
"#
    )
}

/// Envoy makes each filter of `upgrade_configs` anew, and `scopegate check` checks it as a gate of its own.
#[test]
fn a_gate_for_requests_to_upgrade_judges_by_its_own_configuration() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let of = |members: Value| Gate { name: "up", ..Gate::new(configuration(&issuer, members)) };
    let upgrades = |plugin: Value| {
        let kind = "type.googleapis.com/envoy.extensions.filters.http";
        let wasm =
            json!({ "name": "up", "typed_config": { "@type": format!("{kind}.wasm.v3.Wasm"), "config": plugin } });
        let router = json!({ "name": "r", "typed_config": { "@type": format!("{kind}.router.v3.Router") } });
        let own = json!({ "upgrade_type": "websocket", "filters": [wasm, router] });
        let open = json!({ "default": { "public": true } });
        let gate = Gate::new(configuration(&issuer, open));
        Gate { connection_manager: json!({ "upgrade_configs": [own] }), ..gate }
    };
    let (envoy, _upstream) = start(upgrades(of(json!({ "default": { "deny": true } })).plugin()));
    let upgrade = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    assert_eq!([get(envoy.address(), "/", &[]).status, get(envoy.address(), "/", &upgrade).status], [200, 403]);
    let mut without = of(json!({})).plugin();
    without.as_object_mut().unwrap().remove("configuration");
    let refused = Envoy::try_start(&resources(&[upgrades(without)], &[nowhere()]), 1);
    assert!(refused.is_err_and(|log| log.contains("configuration refused")));
}
