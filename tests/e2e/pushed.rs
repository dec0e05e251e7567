//! `scopegate token revoke --push` and two Envoys: what one command sends is refused by all of them at once.

use crate::support::client::{get_with, head, send};
use crate::support::envoy::{Envoy, Gate, cluster, listener, merge, resources, root};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::native;
use crate::support::server::Server;
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use scopegate::security_event::REVOCATION_EVENT;
use serde_json::{Value, json};
use std::fs::{create_dir_all, write};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const PATH: &str = "/.well-known/scopegate/events";

fn gate(issuer: &Issuer, operator: &Issuer, audience: &str) -> Gate {
    let mut gate = Gate::new(json!({
        "issuers": [{ "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "events": { "path": PATH, "operators": { "ops": { "audience": audience, "signed_by": operator.jwks() } } },
        "audit": { "log": "all" },
    }));
    gate.plugin = json!({ "allow_on_headers_stop_iteration": true });
    gate
}

fn envoy(issuer: &Issuer, operator: &Issuer, audience: &str, upstream: &Server) -> Envoy {
    let gate = gate(issuer, operator, audience);
    let resources = resources(&[gate], &[cluster("upstream", upstream.address)]);
    Envoy::try_start(&resources, 2).unwrap_or_else(|log| panic!("{log}"))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn one_command_revokes_a_user_on_two_envoys_at_once_and_says_which_has_not_taken_it() {
    let (issuer, operator) = (Issuer::new(Algorithm::Es256, "a"), Issuer::new(Algorithm::EdDsa, "ops-1"));
    let upstream = Server::echo(0).unwrap();
    let gates = [envoy(&issuer, &operator, "gate-1", &upstream), envoy(&issuer, &operator, "gate-2", &upstream)];
    let folder = root().join(format!("target/e2e/pushed-{}", std::process::id()));
    create_dir_all(&folder).unwrap();
    let token = |subject: &str| issuer.token(now()).claim("sub", subject).sign();
    let (alice, bob) = (token("alice"), token("bob"));
    write(folder.join("token.txt"), &alice).unwrap();
    write(folder.join("ops.json"), Value::Object(operator.key.to_jwk()).to_string()).unwrap();
    write(folder.join("other.json"), Value::Object(Issuer::new(Algorithm::EdDsa, "ops-1").key.to_jwk()).to_string())
        .unwrap();
    let status = |gate: &Envoy, token: &str| get_with(gate.address(), "/", token).status;
    for gate in &gates {
        assert_eq!((status(gate, &alice), status(gate, &bob)), (200, 200));
    }
    let address = |gate: &Envoy| format!("http://{}{PATH}", gate.address());
    let push = |key: &str, second: &str| {
        let first = format!("gate-1={}", address(&gates[0]));
        let second = format!("{second}={}", address(&gates[1]));
        Command::new(env!("CARGO_BIN_EXE_scopegate"))
            .args(["token", "revoke", "@token.txt", "--by", "subject", "--operator", "ops", "--key", key])
            .args(["--push", &first, "--push", &second])
            .env("NO_PROXY", "*")
            .current_dir(&folder)
            .output()
            .unwrap()
    };
    let forged = push("other.json", "gate-2");
    assert_eq!(forged.status.code(), Some(1), "{}", stderr(&forged));
    assert_eq!(
        stderr(&forged).matches("refused: invalid_key: no key verifies its signature").count(),
        2,
        "{}",
        stderr(&forged)
    );
    assert!(gates.iter().all(|gate| status(gate, &alice) == 200), "a forged event revokes nothing");

    let half = push("ops.json", "gate-3");
    assert_eq!(half.status.code(), Some(1), "{}", stderr(&half));
    let told = stderr(&half);
    assert!(told.contains(&format!("{}: taken\n", address(&gates[0]))), "{told}");
    assert!(
        told.contains(&format!("{}: refused: invalid_audience: its `aud` is not this gate\n", address(&gates[1]))),
        "{told}"
    );
    assert!(told.ends_with("\n1 of 2 gates have taken it\n"), "{told}");
    eventually("the first gate refuses", || (0..8).all(|_| status(&gates[0], &alice) == 401));
    assert_eq!(status(&gates[1], &alice), 200);

    let began = Instant::now();
    let all = push("ops.json", "gate-2");
    assert_eq!((all.status.code(), String::from_utf8_lossy(&all.stdout).lines().count()), (Some(0), 1));
    eventually("the second gate refuses", || (0..8).all(|_| status(&gates[1], &alice) == 401));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for gate in &gates {
        assert_eq!((status(gate, &alice), status(gate, &bob)), (401, 200));
        gate.wait_for_log("reason=revoked");
    }
    let log = gates[0].wait_for_log("decision=receive");
    assert!(log.contains("decision=receive operator=ops event_id=\""), "{log}");
    assert!(log.contains(" entries=1 without_effect=0 status=202 "), "{log}");
    assert_eq!(gates[0].counter_of_at_least("scopegate.events_received", 2), 2);
    assert_eq!(gates[0].counter_of_at_least("scopegate.events.entries", 1), 1);
    std::fs::remove_dir_all(folder).unwrap();
}

/// The ways of an event to a gate: filters before it, and what the plugin lacks.
#[test]
fn an_event_reaches_no_gate_behind_a_filter_that_asks_for_a_credential_and_none_that_holds_no_body() {
    let (issuer, operator) = (Issuer::new(Algorithm::Es256, "a"), Issuer::new(Algorithm::EdDsa, "ops-1"));
    let upstream = Server::echo(0).unwrap();
    let typed = |name: &str, more: Value| {
        let mut config = json!({ "@type": format!("type.googleapis.com/envoy.extensions.filters.http.{name}") });
        merge(&mut config, &more);
        json!({ "name": "x", "typed_config": config })
    };
    let jwks = json!({ "inline_string": issuer.jwks().to_string() });
    let providers = json!({ "p": { "issuer": ISSUER, "local_jwks": jwks } });
    let rules = json!([{ "match": { "prefix": "/" }, "requires": { "provider_name": "p" } }]);
    let hundred = json!({ "filter_enabled": { "default_value": { "numerator": 100 } } });
    let users = json!({ "users": { "inline_string": "a:{SHA}2kuSN7rMzfGcB2DKt67EqDWQELA=" } });
    let keys = json!({ "credentials": [{ "key": "k", "client": "c" }], "key_sources": [{ "header": "x-key" }] });
    let exempted =
        json!({ "x": { "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true } });
    let off =
        json!({ "scopegate": { "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true } });
    let cases: [(&'static str, Option<Value>, Value, bool, u16); 9] = [
        ("alone", None, json!({}), true, 202),
        ("csrf", Some(typed("csrf.v3.CsrfPolicy", hundred.clone())), json!({}), true, 403),
        ("basic", Some(typed("basic_auth.v3.BasicAuth", users)), json!({}), true, 401),
        ("key", Some(typed("api_key_auth.v3.ApiKeyAuth", keys)), json!({}), true, 401),
        (
            "jwt",
            Some(typed("jwt_authn.v3.JwtAuthentication", json!({ "providers": providers, "rules": rules }))),
            json!({}),
            true,
            401,
        ),
        ("exempted", Some(typed("csrf.v3.CsrfPolicy", hundred)), exempted, true, 202),
        ("off", None, off, true, 200),
        ("not-held", None, json!({}), false, 503),
        ("no-route", None, Value::Null, true, 202),
    ];
    let is_native = native::is_tested();
    let gates: Vec<Value> = cases
        .iter()
        .map(|(name, before, of_route, holds, _)| {
            let mut gate = gate(&issuer, &operator, "gate-1");
            gate.name = name;
            gate.configuration["limits"] = json!({ "body_timeout": "500ms" });
            gate.plugin = json!({ "allow_on_headers_stop_iteration": holds });
            let routes = if of_route.is_null() {
                json!([])
            } else {
                json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" }, "typed_per_filter_config": of_route }])
            };
            let gate = gate.routes(routes);
            let filter = json!({
                "name": "scopegate",
                "typed_config":
                    { "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": gate.plugin() },
            });
            let filters: Vec<Value> = before.iter().cloned().chain([filter]).collect();
            listener(name, &filters, &gate.routes, &gate.virtual_host, &gate.connection_manager)
        })
        .collect();
    let envoy = Envoy::start(&json!({ "listeners": gates, "clusters": [cluster("upstream", upstream.address)] }));
    let entry = json!({ "iss": ISSUER, "sid": "s-1" });
    let event = operator.token(now()).header("typ", "secevent+jwt").claim("iss", "ops").claim("aud", "gate-1");
    let event = event.claim("jti", "o-1").claim("events", json!({ REVOCATION_EVENT: entry })).sign();
    for (name, .., holds, wanted) in cases {
        // Natively there is no such flag: what has to be held is.
        let wanted = if holds || !is_native { wanted } else { 202 };
        let length = event.len().to_string();
        let headers = [("content-type", "application/secevent+jwt"), ("content-length", &length)];
        let answer = send(envoy.listener(name), &[head("POST", PATH, &headers), event.clone().into_bytes()].concat());
        assert_eq!(answer.status, wanted, "{name}: {answer:?}");
    }
    if !is_native {
        envoy.wait_for_log("the plugin lacks allow_on_headers_stop_iteration: true");
    }
    let received = if is_native { 4 } else { 3 };
    assert_eq!(envoy.counter_of_at_least("scopegate.events_received", received), received);
}
