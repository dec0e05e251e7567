//! `scopegate explain`.

use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::world::{Run, folder, run};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs::write;
use std::path::PathBuf;

const AT: &str = "2026-11-21T10:00:00Z";
const NOW: i64 = 1_795_255_200;

/// An issuer, and a folder with its key set and a configuration.
struct Place {
    issuer: Issuer,
    folder: PathBuf,
}

impl Place {
    fn new() -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let place = Self { folder: folder(), issuer };
        place.file("jwks.json", &place.issuer.jwks());
        place.file("scopegate.yaml", &Self::config(json!({ "inline": place.issuer.jwks() })));
        let remote = json!({ "uri": "https://idp.example.com/jwks.json", "cluster": "idp" });
        place.file("remote.json", &Self::config(remote));
        place.file("envoy.yaml", &place.envoy());
        place.token(place.issuer.token(NOW).sign());
        place
    }

    fn file(&self, name: &str, value: &Value) {
        write(self.folder.join(name), value.to_string()).unwrap();
    }

    fn token(&self, token: String) {
        write(self.folder.join("token.txt"), token).unwrap();
    }

    fn config(jwks: Value) -> Value {
        json!({
            "issuers": [{ "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": jwks }],
            "rules": [
                { "match": { "path": "/healthz" }, "public": true },
                { "match": { "path_separated_prefix": "/orders" }, "scopes": ["orders:write"],
                  "methods": { "GET": { "scopes": ["orders:read"] } } },
                { "match": { "path": "/closed" }, "deny": true },
            ],
            "forward": { "headers": { "x-auth-subject": "sub" } },
        })
    }

    fn envoy(&self) -> Value {
        let route = |name: &str, path: &str, metadata: Value| {
            json!({ "name": name, "match": { "path_separated_prefix": path }, "route": { "cluster": "c" },
                    "metadata": { "filter_metadata": { "scopegate": metadata } } })
        };
        let string = Self::config(json!({ "inline": self.issuer.jwks() })).to_string();
        json!({ "static_resources": { "listeners": [{ "filter_chains": [{ "filters": [{ "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "route_config": { "virtual_hosts": [
                { "name": "api", "domains": ["*"], "routes": [
                    route("orders", "/orders", json!({ "scopes": ["special"] })),
                    route("broken", "/broken", json!({ "scoops": 1 })),
                    { "name": "rest", "match": { "prefix": "/" }, "route": { "cluster": "c" } },
                ] },
            ] },
            "http_filters": [{ "name": "scopegate", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": { "root_id": "scopegate", "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue", "value": string } } } }],
        } }] }] }] } })
    }

    fn explain(&self, config: &str, request: &str, more: &[&str]) -> Run {
        let mut arguments = vec!["explain", config, "--request", request, "--at", AT];
        arguments.extend(more);
        run(&arguments, &self.folder)
    }

    fn json(&self, config: &str, request: &str, more: &[&str]) -> Value {
        let more: Vec<&str> = more.iter().copied().chain(["--json"]).collect();
        let run = self.explain(config, request, &more);
        serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"))
    }
}

const TOKEN: [&str; 2] = ["--token", "@token.txt"];

fn outcome<'v>(told: &'v Value, check: &str) -> &'v Value {
    let checks = told["checks"].as_array().unwrap();
    &checks.iter().find(|entry| entry["check"] == check).unwrap()["outcome"]
}

#[test]
fn a_good_token_passes_every_check() {
    let place = Place::new();
    let run = place.explain("scopegate.yaml", "GET /orders/1", &TOKEN);
    assert_eq!(run.status, 0, "{run:?}");
    let told = place.json("scopegate.yaml", "GET /orders/1", &TOKEN);
    assert_eq!(told["decision"], "allow");
    assert!(told["checks"].as_array().unwrap().iter().all(|check| check["outcome"] == "passed"), "{told:#}");
    assert_eq!(told["upstream"]["remove"], json!(["authorization"]));
    assert_eq!(told["upstream"]["set"], json!({ "x-auth-subject": "alice" }));
    assert_eq!(told["decides"][0]["place"], "rules[1].methods.GET");
    assert_eq!(told["decides"][0]["match"], json!({ "path_separated_prefix": "/orders" }));
    assert_eq!(told["decides"][0]["asks"], json!({ "scopes": ["orders:read"] }));
    assert!(told["audit"].as_str().unwrap().starts_with("decision=allow issuer=demo subject=\"alice\""), "{told:#}");
}

#[test]
fn a_tenant_of_the_path_is_shown_beside_that_of_the_token() {
    let place = Place::new();
    let mut config = Place::config(json!({ "inline": place.issuer.jwks() }));
    let claims = json!([{ "claim": "tenant", "equals_path": "tenant" }]);
    config["rules"] = json!([{ "match": { "template": "/tenants/{tenant}/**" }, "claims": claims }]);
    place.file("tenants.json", &config);
    place.token(place.issuer.token(NOW).claim("tenant", "acme").sign());
    let told = place.json("tenants.json", "GET /tenants/other/x", &TOKEN);
    assert_eq!(told["decides"][0]["asks"], json!({ "claims": claims }));
    assert_eq!(outcome(&told, "conditions"), &json!("failed"));
    let run = place.explain("tenants.json", "GET /tenants/other/x", &TOKEN);
    assert!(run.stdout.contains("tenant is \"acme\"; wanted: equals_path tenant, which is other"), "{}", run.stdout);
    assert_eq!(place.explain("tenants.json", "GET /tenants/acme/x", &TOKEN).status, 0);
}

#[test]
fn what_is_only_reported_is_told_with_its_further_reasons() {
    let place = Place::new();
    let mut config = Place::config(json!({ "inline": place.issuer.jwks() }));
    config["report_only"] = json!(true);
    place.file("reporting.json", &config);
    let token = place.issuer.token(NOW).claim("aud", "https://else.example.com").claim("exp", NOW - 900);
    place.token(token.sign());
    let run = place.explain("reporting.json", "POST /orders", &TOKEN);
    assert_eq!(run.status, 0, "{run:?}");
    for wanted in [
        "\nfurther   expired,insufficient_scope (unverified)\n",
        " reason=wrong_audience unverified_further_reasons=expired,insufficient_scope unverified_fingerprint=",
    ] {
        assert!(run.stdout.contains(wanted), "{wanted}\n{}", run.stdout);
    }
    let told = place.json("reporting.json", "POST /orders", &TOKEN);
    assert_eq!(told["unverified_further_reasons"], json!(["expired", "insufficient_scope"]), "{told:#}");
    assert_eq!(told["further_reasons"], json!([]), "{told:#}");
    let told = place.json("reporting.json", "POST /orders?access_token=x", &[]);
    assert_eq!(told["further_reasons"], json!(["no_credential"]), "{told:#}");
    let told = place.json("scopegate.yaml", "POST /orders", &TOKEN);
    assert_eq!((&told["decision"], &told["unverified_further_reasons"]), (&json!("deny"), &json!([])), "{told:#}");
}

#[test]
fn a_refusal_names_its_check_and_the_answer() {
    let place = Place::new();
    let run = place.explain("scopegate.yaml", "POST /orders", &TOKEN);
    assert_eq!(run.status, 1, "{run:?}");
    for wanted in [
        "scopes      failed: insufficient_scope",
        "conditions  not reached",
        "answer    403",
        "refused: insufficient_scope",
    ] {
        assert!(run.stdout.contains(wanted), "{wanted}\n{}", run.stdout);
    }
    let told = place.json("scopegate.yaml", "POST /orders", &TOKEN);
    assert_eq!(told["answer"]["status"], 403);
    let challenge = told["answer"]["headers"]["www-authenticate"].as_str().unwrap();
    assert!(challenge.contains("scope=\"orders:write\""), "{challenge}");
    assert_eq!((outcome(&told, "signature"), outcome(&told, "scopes")), (&json!("passed"), &json!("failed")));
}

#[test]
fn each_check_that_fails_hides_those_behind_it() {
    let place = Place::new();
    let good = || place.issuer.token(NOW);
    for (token, check, reason) in [
        ("nothing.like.it".to_owned(), "form", "malformed_token"),
        (good().claim("iss", "https://other.example.com/").sign(), "issuer", "unknown_issuer"),
        (good().header("alg", "none").sign(), "issuer", "algorithm_not_allowed"),
        (good().header("typ", "JWT").sign(), "type", "wrong_type"),
        (good().claim("aud", "x").sign(), "audience", "wrong_audience"),
        (good().claim("exp", NOW - 100).sign(), "time", "expired"),
        (good().claim("exp", Value::Null).sign(), "time", "missing_claim"),
        (good().claim("sub", Value::Null).sign(), "claims", "missing_claim"),
        (good().header("kid", "b").sign(), "signature", "unknown_key"),
    ] {
        place.token(token);
        let told = place.json("scopegate.yaml", "GET /orders", &TOKEN);
        assert_eq!((&told["reason"], outcome(&told, check)), (&json!(reason), &json!("failed")), "{told:#}");
        let outcomes: Vec<&Value> = told["checks"].as_array().unwrap().iter().map(|entry| &entry["outcome"]).collect();
        let failed = outcomes.iter().position(|outcome| *outcome == "failed").unwrap();
        assert!(outcomes[..failed].iter().all(|outcome| *outcome == "passed"), "{told:#}");
        assert!(outcomes[failed + 1..].iter().all(|outcome| *outcome == "not_reached"), "{told:#}");
    }
}

#[test]
fn what_is_open_or_closed_needs_no_token() {
    let place = Place::new();
    let told = place.json("scopegate.yaml", "GET /healthz", &[]);
    assert_eq!((&told["decision"], outcome(&told, "credential")), (&json!("allow"), &json!("not_needed")));
    assert_eq!(told["decides"][0]["place"], "rules[0]");
    assert_eq!(place.json("scopegate.yaml", "GET /closed", &TOKEN)["reason"], "denied");
    let told = place.json("scopegate.yaml", "GET /else", &[]);
    assert_eq!((&told["reason"], &told["decides"][0]["place"]), (&json!("no_credential"), &json!("default")));
    let told = place.json("scopegate.yaml", "GET /orders/%2e%2e/healthz", &[]);
    assert_eq!((&told["reason"], outcome(&told, "rule")), (&json!("ambiguous_path"), &json!("failed")));
}

#[test]
fn without_the_keys_it_says_whose_it_would_wait_for() {
    let place = Place::new();
    let run = place.explain("remote.json", "GET /orders", &TOKEN);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stdout.contains("would wait for the keys of demo"), "{}", run.stdout);
    let told = place.json("remote.json", "GET /orders", &TOKEN);
    assert_eq!((&told["decision"], &told["awaits_keys_of"]), (&json!("await"), &json!("demo")));
    for keys in ["jwks.json", "demo=jwks.json"] {
        let run = place.explain("remote.json", "GET /orders", &[TOKEN[0], TOKEN[1], "--keys", keys]);
        assert_eq!(run.status, 0, "{run:?}");
    }
    let run = place.explain("remote.json", "GET /orders", &["--keys", "none.json"]);
    assert!(run.status == 2 && run.stderr.contains("none.json"), "{run:?}");
}

#[test]
fn the_metadata_of_the_named_route_counts() {
    let place = Place::new();
    let told = place.json("envoy.yaml", "GET /orders", &[TOKEN[0], TOKEN[1], "--route", "orders"]);
    assert_eq!(
        told["decides"],
        json!([{ "place": "metadata of route orders", "match": null, "asks": { "scopes": ["special"] } }])
    );
    assert_eq!(told["reason"], "insufficient_scope");
    let told = place.json("envoy.yaml", "GET /orders", &["--route", "broken"]);
    assert_eq!((&told["reason"], &told["answer"]["status"]), (&json!("policy_unreadable"), &json!(500)));
    assert!(told["notes"][0].as_str().unwrap().contains("scoops"), "{told:#}");
    // A route that is named is taken, wherever the request would go.
    let told = place.json("envoy.yaml", "GET /orders", &[TOKEN[0], TOKEN[1], "--route", "rest"]);
    assert_eq!(told["decides"][0]["place"], "rules[1].methods.GET");
    for (request, route, decides) in [
        ("GET /orders", "orders", "metadata of route orders"),
        ("GET /broken/1", "broken", "metadata of route broken"),
        ("GET /healthz", "rest", "rules[0]"),
    ] {
        let told = place.json("envoy.yaml", request, &TOKEN);
        assert_eq!((&told["route"], &told["virtual_host"]), (&json!(route), &json!("api")), "{told:#}");
        assert_eq!(told["decides"][0]["place"], decides, "{told:#}");
    }
    let run = place.explain("envoy.yaml", "GET /", &["--route", "ordres"]);
    assert!(
        run.status == 2 && run.stderr.contains("--route: no route is called ordres; there are orders, broken, rest"),
        "{run:?}"
    );
}

#[test]
fn a_path_is_judged_as_envoy_hands_it_over_and_that_is_said() {
    let place = Place::new();
    let mut envoy = place.envoy();
    let manager = &mut envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    manager["normalize_path"] = true.into();
    manager["path_with_escaped_slashes_action"] = "UNESCAPE_AND_REDIRECT".into();
    place.file("normal.yaml", &envoy);
    let text = |config: &str, request: &str| place.explain(config, request, &[]).stdout;
    let settings = "normalize_path, path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT";
    let told = text("normal.yaml", "GET /x/%2e%2e/healthz?a=1");
    assert!(told.contains(&format!("envoy     makes it GET /healthz?... ({settings})")), "{told}");
    assert!(told.contains("request   GET /x/%252e%252e/healthz?... at") && told.contains("allowed: public"), "{told}");
    let told = text("normal.yaml", "GET /healthz");
    assert!(told.contains(&format!("envoy     leaves the path as it is ({settings})")), "{told}");
    assert!(text("envoy.yaml", "GET /healthz").contains("leaves the path as it is (no normalisation of paths)"));
    // What Envoy answers by itself never comes to the gate.
    let run = place.explain("normal.yaml", "GET /a%2Fb", &["--json"]);
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((run.status, &told["decision"], &told["answer"]["status"]), (1, &json!("before_the_gate"), &json!(307)));
    assert_eq!(told["answer"]["headers"]["location"], "/a/b");
    let grpc = place.explain("normal.yaml", "POST /a%2Fb", &["--header", "content-type: application/grpc"]);
    assert!(grpc.stdout.contains("refused by Envoy before the gate: 400"), "{grpc:?}");
    let told = text("normal.yaml", "GET /a%00");
    assert!(told.contains("refused by Envoy before the gate: 400 path_normalization_failed"), "{told}");
    // No file of Envoy's: nothing is done to the path, which is said where it matters.
    let told = text("scopegate.yaml", "GET /x/../healthz");
    assert!(told.contains("judged as written") && told.contains("refused: ambiguous_path"), "{told}");
    assert!(!text("scopegate.yaml", "GET /healthz").contains("envoy "));
}

#[test]
fn no_part_of_a_token_is_printed() {
    let place = Place::new();
    let mut envoy = place.envoy();
    envoy["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]["normalize_path"] =
        true.into();
    place.file("normal.yaml", &envoy);
    let bad = place.issuer.token(NOW).claim("exp", NOW - 100).sign();
    for token in [place.issuer.token(NOW).sign(), bad, "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.c2VjcmV0".to_owned()] {
        place.token(token.clone());
        let (query, path, line) = (
            format!("GET /orders?access_token={token}"),
            format!("GET /orders/{token}"),
            format!("authorization: Bearer {token}"),
        );
        let escaped = format!("GET /orders/%65yJ{}", &token[3..]);
        for (request, more) in [
            ("GET /orders", vec!["--token", &token]),
            ("GET /orders", vec!["--token", "@token.txt"]),
            ("GET /orders", vec!["--header", &line]),
            (query.as_str(), vec![]),
            (path.as_str(), vec![]),
            (escaped.as_str(), vec![]),
            (token.as_str(), vec![]),
            ("GET /orders", vec!["--header", &token]),
            ("GET /orders", vec!["--header", &line, "--route", "none"]),
        ] {
            for config in ["scopegate.yaml", "envoy.yaml", "normal.yaml", "remote.json"] {
                let json: Vec<&str> = more.iter().copied().chain(["--json"]).collect();
                for run in [place.explain(config, request, &more), place.explain(config, request, &json)] {
                    for segment in token.split('.') {
                        assert!(!run.stdout.contains(segment) && !run.stderr.contains(segment), "{run:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_resources_of_istio_and_envoy_gateway_are_read() {
    let place = Place::new();
    let config = Place::config(json!({ "inline": place.issuer.jwks() }));
    let istio = json!({ "kind": "WasmPlugin", "spec": { "pluginConfig": config } });
    let gateway =
        json!({ "kind": "EnvoyExtensionPolicy", "spec": { "wasm": [{ "name": "scopegate", "config": config }] } });
    for (name, resource) in [("istio.yaml", istio), ("gateway.yaml", gateway)] {
        place.file(name, &resource);
        let told = place.json(name, "GET /orders", &TOKEN);
        assert_eq!(
            (&told["decision"], &told["decides"][0]["place"]),
            (&json!("allow"), &json!("rules[1].methods.GET"))
        );
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let place = Place::new();
    write(place.folder.join("bad.yaml"), "issuers: []\nrulez: []\n").unwrap();
    write(place.folder.join("other.yaml"), "kind: Deployment\n").unwrap();
    for (config, request, more, wanted) in [
        ("none.yaml", "GET /", vec![], "none.yaml"),
        ("bad.yaml", "GET /", vec![], "rulez"),
        ("other.yaml", "GET /", vec![], "holds no configuration of Scopegate"),
        ("scopegate.yaml", "GET", vec![], "--request"),
        ("scopegate.yaml", "GET orders", vec![], "--request"),
        ("scopegate.yaml", "GET /", vec!["--header", "x"], "--header"),
        ("scopegate.yaml", "GET /", vec!["--token", "@none.txt"], "none.txt"),
        ("scopegate.yaml", "GET /", vec!["--keys", "jwks.json"], "no issuer of this configuration has remote keys"),
    ] {
        let run = place.explain(config, request, &more);
        assert!(run.status == 2 && run.stderr.contains(wanted), "{wanted}: {run:?}");
    }
    let run = run(&["explain", "scopegate.yaml", "--request", "GET /", "--at", "yesterday"], &place.folder);
    assert!(run.status == 2 && run.stderr.contains("--at yesterday"), "{run:?}");
}

#[test]
fn a_revocation_list_that_is_fetched_is_said_not_to_be_known() {
    let place = Place::new();
    let mut config = Place::config(json!({ "inline": place.issuer.jwks() }));
    config["revocation"] =
        json!({ "lists": [{ "name": "stolen", "uri": "https://lists.example.com/r", "cluster": "lists" }] });
    place.file("lists.json", &config);
    let words = "the revocation list stolen cannot be looked at here";
    let arguments = ["explain", "lists.json", "--request", "GET /orders/1", "--token", "@token.txt", "--at", AT];
    let told = run(&arguments, &place.folder);
    assert!(told.status == 0 && told.stdout.contains(words), "{told:?}");
    let json = [&arguments[..], &["--json"]].concat();
    let told = run(&json, &place.folder);
    let json: Value = serde_json::from_str(&told.stdout).unwrap();
    assert!(json["notes"][0].as_str().unwrap().contains(words), "{json}");
}

#[test]
fn revocation_lists_are_read_as_the_gate_reads_them() {
    let place = Place::new();
    let token = place.issuer.token(NOW).claim("jti", "id-1").sign();
    place.token(token);
    let entry = |id: &str| format!("{{\"iss\":\"{ISSUER}\",\"jti\":\"{id}\"}}\n");
    write(place.folder.join("stolen.jsonl"), entry("id-1")).unwrap();
    write(place.folder.join("other.jsonl"), entry("id-2")).unwrap();
    write(place.folder.join("short.jsonl"), format!("{{\"entries_at_least\":2}}\n{}", entry("id-2"))).unwrap();
    let built = run(&["revocations", "build", "stolen.jsonl", "--binary", "--output", "stolen.bin"], &place.folder);
    assert_eq!(built.status, 0, "{built:?}");
    let list = |name: &str| json!({ "name": name, "uri": "https://lists.example.com/r", "cluster": "lists" });
    for (name, lists) in [("one.json", vec![list("stolen")]), ("two.json", vec![list("stolen"), list("left")])] {
        let mut config = Place::config(json!({ "inline": place.issuer.jwks() }));
        config["revocation"] = json!({ "lists": lists });
        place.file(name, &config);
    }
    let explain = |config: &str, lists: &[&str]| {
        let lists = lists.iter().flat_map(|list| ["--revocations", list]);
        place.explain(config, "GET /orders/1", &TOKEN.into_iter().chain(lists).collect::<Vec<_>>())
    };
    for list in ["stolen.jsonl", "stolen=stolen.jsonl", "stolen.bin"] {
        let told = explain("one.json", &[list]);
        assert!(told.status == 1 && told.stdout.contains("refused: revoked"), "{list}: {told:?}");
        assert!(!told.stdout.contains("cannot be looked at"), "{told:?}");
    }
    let told = explain("one.json", &["other.jsonl"]);
    assert!(told.status == 0 && !told.stdout.contains("cannot be looked at"), "{told:?}");
    let told = explain("two.json", &["left=stolen.jsonl"]);
    assert!(told.status == 1 && told.stdout.contains("the revocation list stolen cannot be looked at"), "{told:?}");
    let told = explain("two.json", &["left=other.jsonl", "stolen=stolen.jsonl"]);
    assert!(told.status == 1 && told.stdout.contains("refused: revoked"), "{told:?}");
    for (config, lists, wanted) in [
        ("two.json", vec!["stolen.jsonl"], "say which list this is, as NAME=FILE; one of stolen, left"),
        ("two.json", vec!["left=other.jsonl", "left=other.jsonl"], "the list left is given twice"),
        ("scopegate.yaml", vec!["stolen.jsonl"], "this configuration fetches no revocation list"),
        ("one.json", vec!["none.jsonl"], "cannot read none.jsonl"),
        ("one.json", vec!["short.jsonl"], "short.jsonl: a gate refuses this list: it has 1 entries"),
        ("one.json", vec!["token.txt"], "token.txt: a gate refuses this list"),
    ] {
        let told = explain(config, &lists);
        assert!(told.status == 2 && told.stderr.contains(wanted), "{wanted}: {told:?}");
    }
    let inspected =
        ["token", "inspect", "@token.txt", "--config", "one.json", "--at", AT, "--revocations", "stolen.bin"];
    let told = run(&[&inspected[..], &["--request", "GET /orders"]].concat(), &place.folder);
    assert!(told.status == 1 && told.stdout.contains("one.json: refused: revoked"), "{told:?}");
}

#[test]
fn token_inspect_judges_for_a_route() {
    let place = Place::new();
    let inspect = |more: &[&str]| {
        let arguments = ["token", "inspect", "@token.txt", "--config", "envoy.yaml", "--at", AT];
        run(&[&arguments[..], more].concat(), &place.folder)
    };
    let told = inspect(&["--request", "GET /orders"]);
    assert!(told.status == 1 && told.stdout.contains("envoy.yaml: refused: insufficient_scope"), "{told:?}");
    let told = inspect(&["--request", "GET /orders", "--route", "rest"]);
    assert!(told.status == 0 && told.stdout.contains("envoy.yaml: allowed"), "{told:?}");
    let told = inspect(&["--route", "broken"]);
    assert!(told.status == 1 && told.stdout.contains("refused: policy_unreadable"), "{told:?}");
    let told = inspect(&["--route", "none"]);
    assert!(told.status == 2 && told.stderr.contains("no route is called none"), "{told:?}");
}
