//! Signatures: checked by the host or in the VM with the same answer, and remembered no longer than they are good for.

use crate::gate::{configuration, start};
use crate::keys::{KeyServer, remote, start as start_with_keys};
use crate::support::client::{get, get_with, head, send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{Issuer, now};
use crate::support::native;
use crate::support::only_wasm::needs_wasm;
use crate::support::server::Server;
use crate::support::wait::eventually;
use scopegate::base::base64url;
use scopegate::cli::signing::SigningKey;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A key of each kind, under the name of its algorithm; one RSA key serves for all six.
fn issuers() -> BTreeMap<&'static str, Issuer> {
    use Algorithm::{EdDsa, Es256, Es256k, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
    let rsa = Issuer::new(Rs256, "rsa").key.to_jwk();
    let with_rsa = |algorithm: Algorithm| {
        let mut jwk = rsa.clone();
        jwk.insert("alg".into(), algorithm.name().into());
        jwk.insert("kid".into(), algorithm.name().into());
        (algorithm.name(), Issuer { key: SigningKey::from_jwk(&jwk).unwrap() })
    };
    let new = |algorithm: Algorithm| (algorithm.name(), Issuer::new(algorithm, algorithm.name()));
    let rsa = [Rs256, Rs384, Rs512, Ps256, Ps384, Ps512].map(with_rsa);
    rsa.into_iter().chain([Es256, Es384, Es512, Es256k, EdDsa].map(new)).collect()
}

/// A gate for tokens of all these issuers.
fn gate(name: &'static str, issuers: &BTreeMap<&'static str, Issuer>, members: Value) -> Gate {
    let members = members.as_object().unwrap().clone();
    let usable = |name: &str| name != "ES512" || members["crypto"] != "wasm";
    let keys: Vec<Value> =
        issuers.iter().filter(|(name, _)| usable(name)).map(|(_, issuer)| issuer.jwks()["keys"][0].clone()).collect();
    let names: Vec<&str> = issuers.keys().copied().filter(|name| usable(name)).collect();
    let mut config = configuration(&issuers["ES256"], Value::Object(members));
    config["issuers"][0]["jwks"] = json!({ "inline": { "keys": keys } });
    config["issuers"][0]["algorithms"] = json!(names);
    Gate { name, ..Gate::new(config) }
}

#[test]
fn the_host_and_the_vm_give_the_same_answer_for_every_algorithm_and_form_of_signature() {
    let issuers = issuers();
    let upstream = Server::echo(0).unwrap();
    // The native module has one place, and no host that checks.
    let places: &[&str] = if native::is_tested() { &["auto"] } else { &["auto", "host", "wasm"] };
    let gates: Vec<Gate> = places
        .iter()
        .map(|place| {
            gate(
                place,
                &issuers,
                json!({ "crypto": place, "cache": { "entries": 0 }, "limits": { "wasm_crypto_percent": 100 } }),
            )
        })
        .collect();
    let envoy = Envoy::shared(&resources(&gates, &[cluster("upstream", upstream.address)]));
    if !native::is_tested() {
        envoy.wait_for_log("signatures are checked by the host");
        envoy.wait_for_log("signatures are checked in the VM");
    }
    for (name, issuer) in &issuers {
        let token = issuer.token(now()).sign();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let signature = base64url::decode(signature.as_bytes()).unwrap();
        let other = issuer.token(now()).claim("sub", "bob").sign();
        let (_, others) = other.rsplit_once('.').unwrap();
        let mut forms = vec![
            ("another token's signature", base64url::decode(others.as_bytes()).unwrap()),
            ("a byte less", signature[..signature.len() - 1].to_vec()),
            ("a byte more", [signature.as_slice(), &[0]].concat()),
            ("a zero before it", [&[0], signature.as_slice()].concat()),
            ("zeros", vec![0; signature.len()]),
            ("ones", vec![0xff; signature.len()]),
            ("one byte", vec![1]),
        ];
        for at in [0, signature.len() / 2, signature.len() - 1] {
            let mut changed = signature.clone();
            changed[at] ^= 1;
            forms.push(("one bit changed", changed));
        }
        if *name == "ES256" {
            let der = p256::ecdsa::Signature::from_slice(&signature).unwrap().to_der();
            forms.push(("the form of X.509", der.as_bytes().to_vec()));
        }
        for &place in places {
            if *name == "ES512" && place == "wasm" {
                continue;
            }
            get_with(envoy.listener(place), "/", &token).echoed();
            let counter = "scopegate.denied.bad_signature";
            let wanted = envoy.counter(counter) + u64::try_from(forms.len()).unwrap();
            for (form, signature) in &forms {
                let changed = format!("{input}.{}", base64url::encode(signature));
                assert_eq!(get_with(envoy.listener(place), "/", &changed).status, 401, "{name}, {place}: {form}");
            }
            // Counters are told at ticks, so once for all.
            assert_eq!(envoy.counter_of_at_least(counter, wanted), wanted, "{name}, {place}");
        }
    }
    assert_eq!(envoy.counter("scopegate.crypto.host_failures"), 0);
}

#[test]
fn signatures_in_the_vm_have_a_share_of_each_second_and_the_rest_stays_alive() {
    let issuers = issuers();
    let rules = json!([{ "match": { "path": "/public" }, "public": true }]);
    let gate =
        gate("gate", &issuers, json!({ "crypto": "auto", "limits": { "wasm_crypto_percent": 1 }, "rules": rules }));
    let (envoy, _upstream) = start(gate);
    // Natively every signature counts, and those of ES512 take longest.
    let slow = if native::is_tested() { "ES512" } else { "PS256" };
    let token = |algorithm: &str, sub: usize| issuers[algorithm].token(now()).claim("sub", sub.to_string()).sign();
    let ask = |token: &str| get_with(envoy.address(), "/", token).status;
    let cached = token(slow, 0);
    eventually("a token of the kind that only the VM can check", || ask(&cached) == 200);
    // A check costs more than a hundredth of a second brings in, so most are refused, and one now and then is not.
    let mut statuses = BTreeSet::new();
    let mut subs = 1..;
    eventually("some are checked, and some are not", || {
        statuses.insert(ask(&token(slow, subs.next().unwrap())));
        statuses.len() == 2
    });
    assert_eq!(statuses, BTreeSet::from([200, 503]));
    assert!(envoy.counter_of_at_least("scopegate.denied.too_busy", 1) > 0);
    for number in 0..60 {
        ask(&token(slow, subs.next().unwrap()));
        assert_eq!(ask(&cached), 200, "what is remembered needs no signature");
        assert!(native::is_tested() || ask(&token("RS256", number)) == 200, "the host checks it");
        assert_eq!(get(envoy.address(), "/public", &[]).status, 200);
        assert_eq!(get(envoy.address(), "/", &[]).status, 401);
    }
}

#[test]
fn a_gauge_and_the_log_say_where_signatures_are_checked() {
    let wasm = [("auto", "by the host", 1), ("host", "by the host", 1), ("wasm", "in the VM", 0)];
    let native = [("auto", "by ring", 0)];
    for &(place, words, shown) in if native::is_tested() { &native[..] } else { &wasm } {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let (envoy, _upstream) = start(Gate::new(configuration(&issuer, json!({ "crypto": place }))));
        envoy.wait_for_log(&format!("scopegate: signatures are checked {words}"));
        assert_eq!(envoy.counter("scopegate.crypto.host"), shown, "{place}");
    }
}

#[test]
fn without_the_host_function_signatures_are_checked_in_the_vm_or_the_configuration_is_refused() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    // Everything that the filter calls, but foreign functions.
    let names = [
        "proxy_log",
        "proxy_get_current_time_nanoseconds",
        "proxy_set_tick_period_milliseconds",
        "proxy_get_buffer_bytes",
        "proxy_get_header_map_pairs",
        "proxy_remove_header_map_value",
        "proxy_replace_header_map_value",
        "proxy_get_property",
        "proxy_set_property",
        "proxy_continue_stream",
        "proxy_send_local_response",
        "proxy_set_effective_context",
        "proxy_define_metric",
        "proxy_increment_metric",
        "proxy_record_metric",
        "proxy_http_call",
        "proxy_get_shared_data",
        "proxy_set_shared_data",
        "proxy_get_log_level",
        "proxy_get_header_map_value",
        "proxy_on_memory_allocate",
        "proxy_on_context_create",
        "proxy_on_vm_start",
        "proxy_on_configure",
        "proxy_on_tick",
        "proxy_on_request_headers",
        "proxy_on_request_body",
        "proxy_on_request_trailers",
        "proxy_on_http_call_response",
        "proxy_on_delete",
        "proxy_on_done",
        "proxy_done",
        "random_get",
        "environ_get",
        "environ_sizes_get",
        "clock_time_get",
        "fd_write",
        "proc_exit",
    ];
    let allowed: serde_json::Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    let without = |place: &str| {
        let mut gate = Gate::new(configuration(&issuer, json!({ "crypto": place })));
        gate.plugin = json!({ "capability_restriction_config": { "allowed_capabilities": allowed } });
        let upstream = Server::echo(0).unwrap();
        (Envoy::try_start(&resources(&[gate], &[cluster("upstream", upstream.address)]), 1), upstream)
    };
    let (envoy, _upstream) = without("auto");
    let envoy = envoy.unwrap_or_else(|log| panic!("{log}"));
    envoy.wait_for_log("scopegate: signatures are checked in the VM");
    get_with(envoy.address(), "/", &issuer.token(now()).sign()).echoed();
    let other = Issuer::new(Algorithm::Es256, "a").token(now()).sign();
    assert_eq!(get_with(envoy.address(), "/", &other).status, 401);
    let Err(log) = without("host").0 else { panic!("it starts without the host function") };
    assert!(log.contains("configuration refused: crypto: is host, and this host checks no signatures"), "{log}");
}

#[test]
fn a_remembered_token_vouches_for_no_other_and_for_nothing_beyond_itself() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let issuer = Issuer::new(algorithm, "a");
        let rules = json!([{ "match": { "path": "/write" }, "scopes": ["orders:write"] }]);
        let (envoy, _upstream) = start(Gate::new(configuration(&issuer, json!({ "rules": rules }))));
        let ask = |target: &str, token: &str| get_with(envoy.address(), target, token).status;
        let refused = |target: &str, token: &str, status: u16, reason: &str| {
            let counter = format!("scopegate.denied.{reason}");
            let before = envoy.counter(&counter);
            assert_eq!(ask(target, token), status, "{target} {reason}");
            assert_eq!(envoy.counter_of_at_least(&counter, before + 1), before + 1, "{reason}");
        };
        let (token, other) = (issuer.token(now()).sign(), issuer.token(now()).claim("sub", "bob").sign());
        for _ in 0..3 {
            assert_eq!((ask("/", &token), ask("/", &other)), (200, 200));
        }
        let (input, signature) = token.rsplit_once('.').unwrap();
        let (_, others) = other.rsplit_once('.').unwrap();
        let mut bits = base64url::decode(signature.as_bytes()).unwrap();
        bits[20] ^= 1;
        refused("/", &format!("{input}.{}", base64url::encode(&bits)), 401, "bad_signature");
        refused("/", &format!("{input}.{others}"), 401, "bad_signature");
        refused("/", &format!("{input}."), 401, "malformed_token");
        refused("/", input, 401, "malformed_token");
        refused("/write", &token, 403, "insufficient_scope");
        assert_eq!(ask("/", &token), 200, "and it is still good");
        eventually("the counters are brought up to date", || envoy.counter("scopegate.cache.hits") >= 6);
        assert_eq!(envoy.counter("scopegate.cache.evictions"), 0);
    }
}

#[test]
fn a_remembered_token_ends_with_its_exp() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let mut config = configuration(&issuer, json!({}));
    config["issuers"][0]["leeway"] = json!("0s");
    let (envoy, _upstream) = start(Gate::new(config));
    let expires_at = now() + 3;
    let token = issuer.token(now()).claim("exp", expires_at).sign();
    while now() < expires_at {
        let status = get_with(envoy.address(), "/", &token).status;
        assert!(status == 200 || now() >= expires_at, "{status} before its time");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(get_with(envoy.address(), "/", &token).status, 401);
    assert!(envoy.counter_of_at_least("scopegate.denied.expired", 1) > 0);
}

#[test]
fn a_remembered_token_ends_with_the_key_that_verified_it() {
    let (issuer, next) = (Issuer::new(Algorithm::Es256, "a"), Issuer::new(Algorithm::Es256, "b"));
    let keys = KeyServer::start(KeyServer::keys(&issuer));
    let (envoy, _upstream) = start_with_keys(Gate::new(remote(json!({ "refresh": "1s" }), json!({}))), &keys);
    let token = issuer.token(now()).sign();
    for _ in 0..3 {
        assert_eq!(get_with(envoy.address(), "/", &token).status, 200);
    }
    *keys.answer.lock().unwrap() = KeyServer::keys(&next);
    eventually("the key is gone, and with it the token", || get_with(envoy.address(), "/", &token).status == 401);
    assert!(envoy.counter_of_at_least("scopegate.denied.unknown_key", 1) > 0);
    assert_eq!(get_with(envoy.address(), "/", &next.token(now()).sign()).status, 200);
}

#[test]
fn a_cache_that_is_off_or_full_changes_no_answer() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    for (cache, evicts) in [(json!({ "entries": 0 }), false), (json!({ "entries": 3 }), true)] {
        let (envoy, _upstream) = start(Gate::new(configuration(&issuer, json!({ "cache": cache }))));
        for round in 0..2 {
            for number in 0..20 {
                let token = issuer.token(now()).claim("sub", format!("{number}")).sign();
                let request = head("GET", "/", &[("authorization", &format!("Bearer {token}"))]);
                let echoed = send(envoy.address(), &request).echoed();
                assert_eq!(echoed.headers("x-auth-subject"), [number.to_string()], "{round}");
            }
        }
        if evicts {
            eventually("evictions are counted", || envoy.counter("scopegate.cache.evictions") > 0);
        }
    }
}
