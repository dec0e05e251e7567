//! The main job: who passes, what the upstream sees, what a refused client is told, what operators see.

use crate::support::client::{get, get_with, request};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::server::Server;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};

/// A configuration that accepts the issuer's tokens, with further members.
pub fn configuration(issuer: &Issuer, members: Value) -> Value {
    let mut configuration = json!({
        "issuers": [{ "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "forward": { "headers": { "x-auth-subject": "sub", "x-auth-scope": "scope" } },
    });
    configuration.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    configuration
}

/// An Envoy with one gate before an echoing upstream.
pub fn start(gate: Gate) -> (Envoy, Server) {
    let upstream = Server::echo(0).unwrap();
    let envoy = Envoy::shared(&resources(&[gate], &[cluster("upstream", upstream.address)]));
    (envoy, upstream)
}

#[test]
fn a_good_token_passes_and_the_upstream_sees_who_it_is_and_not_the_token() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let issuer = Issuer::new(algorithm, "a");
        let (envoy, _upstream) =
            start(Gate::new(configuration(&issuer, json!({ "default": { "scopes": ["orders:read"] } }))));
        let echoed = get_with(envoy.address(), "/orders?x=1", &issuer.token(now()).sign()).echoed();
        assert_eq!(echoed.0["target"], "/orders?x=1");
        assert_eq!(echoed.headers("x-auth-subject"), ["alice"], "{}", algorithm.name());
        assert_eq!(echoed.headers("x-auth-scope"), ["orders:read"]);
        assert!(echoed.headers("authorization").is_empty());
        assert_eq!(envoy.counter_of_at_least("scopegate.allowed", 1), 1);
    }
}

#[test]
fn refusals_follow_the_standards() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let rules = json!([{ "match": { "path": "/closed" }, "deny": true }, { "match": { "path": "/claims" }, "claims": [{ "claim": "tenant", "equals": "acme" }] }, { "match": { "path": "/step-up" }, "acr_values": ["phrh", "phr"], "max_auth_age": "5m" }]);
    let gate = Gate::new(configuration(
        &issuer,
        json!({
            "default": { "scopes": ["orders:read", "orders:write"] }, "rules": rules, "challenge": { "realm": "my api" },
        }),
    ));
    let (envoy, _upstream) = start(gate);
    let ask = |target: &str, token: Option<String>, headers: &[(&str, &str)]| {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = headers.to_vec();
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        get(envoy.address(), target, &headers)
    };
    let token = || issuer.token(now());
    let bearer = "Bearer realm=\"my api\"";
    for (reason, status, challenge, answer) in [
        ("no_credential", 401, Some(format!("{bearer}, scope=\"orders:read orders:write\"")), ask("/", None, &[])),
        (
            "expired",
            401,
            Some(format!("{bearer}, error=\"invalid_token\"")),
            ask("/", Some(token().claim("exp", 1).sign()), &[]),
        ),
        (
            "bad_signature",
            401,
            Some(format!("{bearer}, error=\"invalid_token\"")),
            ask("/", Some(Issuer::new(Algorithm::Es256, "a").token(now()).sign()), &[]),
        ),
        ("malformed_token", 401, Some(format!("{bearer}, error=\"invalid_token\"")), ask("/", Some("x".into()), &[])),
        (
            "insufficient_scope",
            403,
            Some(format!("{bearer}, error=\"insufficient_scope\"")),
            ask("/", Some(token().sign()), &[]),
        ),
        (
            "step_up_needed",
            401,
            Some(format!(
                "{bearer}, error=\"insufficient_user_authentication\", error_description=\"The user has to authenticate \
                 anew, as this resource asks\", acr_values=\"phrh phr\", max_age=\"300\""
            )),
            ask("/step-up", Some(token().claim("acr", "pwd").claim("auth_time", now()).sign()), &[]),
        ),
        ("claim_mismatch", 403, Some(bearer.to_owned()), ask("/claims", Some(token().sign()), &[])),
        ("denied", 403, None, ask("/closed", Some(token().sign()), &[])),
        (
            "token_in_query",
            400,
            Some(format!("{bearer}, error=\"invalid_request\"")),
            ask("/?access_token=x", None, &[]),
        ),
        (
            "malformed_header",
            400,
            Some(format!("{bearer}, error=\"invalid_request\"")),
            ask("/", None, &[("authorization", "Bearer")]),
        ),
        (
            "multiple_credentials",
            400,
            Some(format!("{bearer}, error=\"invalid_request\"")),
            ask("/", None, &[("authorization", "Bearer a"), ("authorization", "Bearer b")]),
        ),
        ("ambiguous_path", 400, None, ask("/a%2fb", None, &[])),
    ] {
        assert_eq!(answer.status, status, "{reason}: {answer:?}");
        match (&challenge, answer.header("www-authenticate")) {
            (None, None) => {}
            (Some(wanted), Some(sent)) => assert!(sent.starts_with(wanted.as_str()), "{reason}: {sent}"),
            other => panic!("{reason}: {other:?}"),
        }
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{reason}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{reason}");
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(problem["status"], status, "{reason}");
        envoy.wait_for_log(&format!(" {status} scopegate_{reason} "));
        assert_eq!(envoy.counter_of_at_least(&format!("scopegate.denied.{reason}"), 1), 1, "{reason}");
    }
    assert_eq!(envoy.counter("scopegate.allowed"), 0);
    let stepped_up = token().claim("acr", "phr").claim("auth_time", now() - 60).sign();
    assert_eq!(ask("/step-up", Some(stepped_up), &[]).status, 200);
}

#[test]
fn a_grpc_client_gets_a_grpc_status_and_one_line() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let rules = json!([{ "match": { "path": "/closed" }, "deny": true }]);
    let (envoy, _upstream) = start(Gate::new(configuration(&issuer, json!({ "rules": rules }))));
    for (target, status) in [("/", "16"), ("/closed", "7"), ("/?jwt=x", "3")] {
        let answer =
            request(envoy.address(), "POST", target, &[("content-type", "application/grpc"), ("content-length", "0")]);
        assert_eq!(answer.status, 200, "{target}");
        assert_eq!(answer.header("grpc-status"), Some(status), "{target}");
        assert!(!answer.header("grpc-message").unwrap().contains('{'), "{answer:?}");
    }
}

#[test]
fn head_is_answered_like_get_and_without_a_body() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) = start(Gate::new(configuration(&issuer, json!({}))));
    let answer = request(envoy.address(), "HEAD", "/", &[]);
    assert_eq!((answer.status, answer.body.as_str()), (401, ""));
}

#[test]
fn a_token_in_the_query_is_refused_and_is_in_no_log() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) = start(Gate::new(configuration(&issuer, json!({ "default": { "public": true } }))));
    let token = issuer.token(now()).sign();
    for target in
        [format!("/a?access_token={token}"), format!("/a?x=1&state={token}#"), format!("/a?%61ccess_token={token}")]
    {
        let target = target.trim_end_matches('#').to_owned();
        assert_eq!(get(envoy.address(), &target, &[]).status, 400);
    }
    get_with(envoy.address(), "/b", &token);
    let log = envoy.wait_for_log("ACCESS GET /b 200");
    assert_eq!(
        log.matches("ACCESS GET /a 400 scopegate_token_in_query").count(),
        3,
        "the path stays, the query is gone:\n{log}"
    );
    for part in token.split('.') {
        assert!(!log.contains(part), "a part of the token is in the log");
    }
}

#[test]
fn what_operators_see_names_the_token_by_its_fingerprint_and_cannot_be_forged() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) =
        start(Gate::new(configuration(&issuer, json!({ "default": { "scopes": ["orders:read"] } }))));
    let hostile = "eve\" \n[critical] forged";
    get_with(envoy.address(), "/ok", &issuer.token(now()).sign());
    get_with(envoy.address(), "/scope", &issuer.token(now()).scope("x").claim("sub", hostile).sign());
    get_with(envoy.address(), "/expired", &issuer.token(now()).claim("exp", 1).claim("sub", hostile).sign());
    envoy.wait_for_log("ACCESS GET /expired");
    let log = envoy.log();
    let record = |path: &str| -> Value {
        let line = log.lines().find(|line| line.starts_with(&format!("ACCESS GET {path} "))).unwrap();
        serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap()
    };
    let allowed = record("/ok");
    assert_eq!(
        (&allowed["decision"], &allowed["issuer"], &allowed["subject"]),
        (&json!("allow"), &json!("demo"), &json!("alice"))
    );
    assert_eq!(allowed["fingerprint"].as_str().unwrap().len(), 22);
    let refused = record("/scope");
    assert_eq!((&refused["decision"], &refused["reason"]), (&json!("deny"), &json!("insufficient_scope")));
    assert_eq!(refused["subject"], "eve%22 %0A[critical] forged");
    let unverified = record("/expired");
    assert_eq!((unverified.get("subject"), unverified.get("issuer")), (None, None), "not verified, not named");
    assert_eq!(unverified["unverified_fingerprint"].as_str().unwrap().len(), 22);
    assert!(log.contains("decision=deny reason=insufficient_scope issuer=demo subject=\"eve%22"), "{log}");
    assert!(!log.lines().any(|line| line.starts_with("[critical]")), "{log}");
}

#[test]
fn denials_are_logged_up_to_a_limit_and_always_counted() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) =
        start(Gate::new(configuration(&issuer, json!({ "limits": { "denial_logs_per_second": 2 } }))));
    for _ in 0..40 {
        assert_eq!(get(envoy.address(), "/", &[]).status, 401);
    }
    let log = envoy.wait_for_log("denials not logged: no_credential=");
    let lines = log.matches("decision=deny reason=no_credential").count();
    assert!((2..40).contains(&lines), "{lines} lines");
    assert_eq!(envoy.counter_of_at_least("scopegate.denied.no_credential", 40), 40);
}

#[test]
fn requirements_stand_beside_routes_and_virtual_hosts() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let route = |path: &str, metadata: Value| json!({ "name": &path[1..], "match": { "path": path }, "route": { "cluster": "upstream" }, "metadata": { "filter_metadata": metadata } });
    let mut gate = Gate::new(configuration(&issuer, json!({ "default": { "deny": true } }))).routes(json!([
        route("/orders", json!({ "scopegate": { "scopes": ["orders:write"], "methods": { "GET": { "scopes": ["orders:read"] } } } })),
        route("/open", json!({ "scopegate": { "public": true } })),
        route("/bad", json!({ "scopegate": { "scope": ["orders:read"] } })),
        route("/null", json!({ "scopegate": { "public": null } })),
        route("/other", json!({ "other": { "public": true } })),
        { "match": { "prefix": "/" }, "route": { "cluster": "upstream" } },
    ]));
    gate.virtual_host =
        json!({ "metadata": { "filter_metadata": { "scopegate": { "scopes": { "any_of": ["host", "admin"] } } } } });
    let (envoy, _upstream) = start(gate);
    let status = |method: &str, target: &str, scope: &str| {
        let bearer = format!("Bearer {}", issuer.token(now()).scope(scope).sign());
        request(envoy.address(), method, target, &[("authorization", &bearer)]).status
    };
    assert_eq!(status("GET", "/orders", "orders:read"), 200);
    assert_eq!(status("HEAD", "/orders", "orders:read"), 200);
    assert_eq!(status("DELETE", "/orders", "orders:read"), 403);
    assert_eq!(status("DELETE", "/orders", "orders:write"), 200);
    assert_eq!(get(envoy.address(), "/open", &[]).status, 200);
    for path in ["/bad", "/null"] {
        for _ in 0..2 {
            assert_eq!(status("GET", path, "admin orders:read"), 500, "{path}: never anything weaker");
        }
    }
    assert_eq!(status("GET", "/other", "x"), 403, "another filter's metadata: the virtual host decides");
    assert_eq!(status("GET", "/other", "admin"), 200);
    assert_eq!(status("GET", "/unknown", "host"), 200);
    let log = envoy.wait_for_log("route_metadata of bad cannot be read, its requests are refused");
    assert_eq!(log.matches("scope: is not a field").count(), 1, "said once:\n{log}");
}

#[test]
fn rules_know_routes_and_virtual_hosts_by_name() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let rules = json!([
        { "match": { "route": "open" }, "public": true },
        { "match": { "virtual_host": "all", "path": "/host" }, "public": true },
        { "match": { "virtual_host": "other" }, "public": true },
        { "match": { "host": "*.example.org" }, "public": true },
    ]);
    let (envoy, _upstream) = start(Gate::new(configuration(&issuer, json!({ "rules": rules }))).routes(json!([
        { "name": "open", "match": { "path": "/open" }, "route": { "cluster": "upstream" } },
        { "name": "everything", "match": { "prefix": "/" }, "route": { "cluster": "upstream" } },
    ])));
    assert_eq!(get(envoy.address(), "/open", &[]).status, 200);
    assert_eq!(get(envoy.address(), "/host", &[]).status, 200);
    assert_eq!(get(envoy.address(), "/", &[]).status, 401);
    assert_eq!(get(envoy.address(), "/", &[("host", "API.example.org:8080")]).status, 200);
}

#[test]
fn report_only_lets_everything_through_and_tells_what_it_would_do() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) =
        start(Gate::new(configuration(&issuer, json!({ "report_only": true, "default": { "scopes": ["a"] } }))));
    let token = issuer.token(now()).sign();
    let bearer = format!("Bearer {token}");
    let echoed = get(
        envoy.address(),
        "/x?access_token=y",
        &[("authorization", &bearer), ("x-auth-subject", "admin"), ("x_auth_scope", "all")],
    )
    .echoed();
    assert_eq!(echoed.0["target"], "/x?access_token=y", "exactly as it came");
    assert_eq!(echoed.headers("authorization"), [bearer.as_str()]);
    assert!(echoed.headers("x-auth-subject").is_empty() && echoed.headers("x_auth_scope").is_empty());
    assert_eq!(envoy.counter_of_at_least("scopegate.would_deny.token_in_query", 1), 1);
    get_with(envoy.address(), "/x", &token).echoed();
    assert_eq!(envoy.counter_of_at_least("scopegate.would_deny.insufficient_scope", 1), 1);
    let allowed = get_with(envoy.address(), "/x", &issuer.token(now()).scope("a").sign()).echoed();
    assert_eq!(allowed.headers("x-auth-subject"), ["alice"]);
    assert_eq!(allowed.headers("authorization").len(), 1, "nothing is stripped");
    envoy.wait_for_log("\"decision\":\"would_deny\"");
}

#[test]
fn filter_state_holds_the_record_of_the_decisions_that_are_asked_for() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    for (scope, on_allow, on_deny) in [("all", true, true), ("denials", false, true), ("none", false, false)] {
        let audit = json!({ "audit": { "filter_state": scope, "subject": "omit" } });
        let (envoy, _upstream) = start(Gate::new(configuration(&issuer, audit)));
        get_with(envoy.address(), "/allowed", &issuer.token(now()).sign());
        get(envoy.address(), "/refused", &[]);
        let log = envoy.wait_for_log("ACCESS GET /refused");
        let has_record = |path: &str| {
            let line = log.lines().find(|line| line.starts_with(&format!("ACCESS GET {path} "))).unwrap();
            assert!(!line.contains("alice"), "the subject is omitted: {line}");
            line.contains("\"decision\"")
        };
        assert_eq!((has_record("/allowed"), has_record("/refused")), (on_allow, on_deny), "{scope}:\n{log}");
    }
}
