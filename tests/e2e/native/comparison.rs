//! Scopegate and the native filters, set up for the same work: two issuers, an open route, one that needs two scopes,
//! one that asks how the user authenticated, one where a token is good once, and tunnels.

use super::keyring::{Keyring, LISTS, SECOND};
use super::{connection_manager, native};
use crate::support::envoy::{Gate, merge};
use crate::support::issuer::{AUDIENCE, ISSUER};
use serde_json::{Value, json};

/// Both, on one listener each.
pub(super) fn listeners(keyring: &Keyring) -> [Value; 2] {
    [gate(keyring), native_for_two(keyring)].map(with_details).map(|mut listener| {
        let manager = manager(&mut listener);
        merge(manager, &json!({ "upgrade_configs": [{ "upgrade_type": "CONNECT" }] }));
        manager["route_config"]["virtual_hosts"][0]["routes"].as_array_mut().unwrap().insert(
            0,
            json!({
                "match": { "connect_matcher": {} },
                "route": {
                    "cluster": "upstream", "upgrade_configs": [{ "upgrade_type": "CONNECT", "connect_config": {} }],
                },
            }),
        );
        listener
    })
}

/// A listener whose answers say why in a header; the access log is not read.
pub(super) fn with_details(mut listener: Value) -> Value {
    let details = json!({
        "local_reply_config": { "mappers": [{
            "filter": { "status_code_filter": { "comparison": {
                "op": "GE", "value": { "default_value": 400, "runtime_key": "none" } } } },
            "headers_to_add": [{ "header": { "key": "x-details", "value": "%RESPONSE_CODE_DETAILS%" } }],
        }] },
        "access_log": null,
    });
    merge(manager(&mut listener), &details);
    listener
}

fn manager(listener: &mut Value) -> &mut Value {
    &mut listener["filter_chains"][0]["filters"][0]["typed_config"]
}

fn gate(keyring: &Keyring) -> Value {
    let issuer = |iss: &str, keys: Value| {
        json!({ "issuer": iss, "audiences": [AUDIENCE], "jwks": { "inline": keys }, "max_lifetime": "1h",
        "status_list": { "clusters": [{ "uri_prefix": LISTS, "cluster": "lists" }] } })
    };
    let gate = Gate::new(json!({
        "issuers": [issuer(ISSUER, keyring.world.jwks()), issuer(SECOND, keyring.second.jwks())],
        "default": { "scopes": ["orders:read"] },
        "rules": [
            { "match": { "path_separated_prefix": "/open" }, "public": true },
            { "match": { "path_separated_prefix": "/both" }, "scopes": ["orders:read", "orders:write"] },
            { "match": { "path": "/step-up" }, "scopes": ["orders:read"], "acr_values": ["phrh", "phr"], "max_auth_age": "5m" },
            { "match": { "path": "/once" }, "scopes": ["orders:read"], "single_use": true },
        ],
        "dpop": { "origins": ["https://api.example.com"] },
        "forward": { "headers": { "x-auth-subject": "sub" } },
        "limits": { "wasm_crypto_percent": 100, "denial_logs_per_second": 0 },
    }));
    Gate { connection_manager: connection_manager(), ..gate }.listener()
}

/// The native filters with a second issuer, and with what they need to know of the other routes.
fn native_for_two(keyring: &Keyring) -> Value {
    let mut listener = native("native", &keyring.world, false);
    let filters = &mut manager(&mut listener)["http_filters"];
    let authn = &mut filters[0]["typed_config"];
    let mut second = authn["providers"]["issuer"].clone();
    let keys = json!({ "inline_string": keyring.second.jwks().to_string() });
    merge(&mut second, &json!({ "issuer": SECOND, "local_jwks": keys }));
    authn["providers"]["second"] = second;
    let any =
        json!({ "requires_any": { "requirements": [{ "provider_name": "issuer" }, { "provider_name": "second" }] } });
    let rules = authn["rules"].as_array_mut().unwrap();
    rules[1]["requires"] = any.clone();
    rules.push(json!({ "match": { "connect_matcher": {} }, "requires": any }));
    let policies = &mut filters[1]["typed_config"]["rules"]["policies"];
    let both = json!({ "url_path": { "path": { "prefix": "/both/" } } });
    let [read, write] = ["orders:read", "orders:write"].map(|scope| {
        let mut principal = policies["scope"]["principals"][0].clone();
        let matcher = &mut principal["sourced_metadata"]["metadata_matcher"]["value"];
        matcher["list_match"]["one_of"]["string_match"]["exact"] = json!(scope);
        principal
    });
    policies["both"] = json!({ "permissions": [both], "principals": [{ "and_ids": { "ids": [read, write] } }] });
    policies["scope"]["permissions"] = json!([{ "not_rule": both }]);
    listener
}
