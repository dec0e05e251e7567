//! What `explain` and `matrix` say of signed requests, and the configuration for consumers of APIPark.

use crate::support::signer::{KEY_ID, SECRET, Signer, Unsigned};
use crate::world::{Run, folder};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const AT: i64 = 1_795_867_200;
const SIGNER: Signer<'static> = Signer { key_id: KEY_ID, secret: SECRET };
const SCOPE: (&str, &str) = ("eu-west-1", "orders");

/// A gate with a set of this kind, for every route.
fn gate(kind: &str, terms: Value) -> String {
    let mut set = json!({ "name": "machines", "identities": [
        { "id": "batch", "secrets": [{ "key_id": KEY_ID, "env": "SIGNING_OF_A_TEST" }] } ] });
    set[kind] = terms;
    json!({ "credentials": [set], "default": { "credentials": "machines" } }).to_string()
}

fn sigv4() -> String {
    gate("aksk", json!({ "form": "sigv4", "regions": ["eu-west-1"], "services": ["orders"] }))
}

/// Explains a request with these headers. The secret is there if `knows`.
fn explain(config: &str, request: &str, headers: &[(String, String)], more: &[&str], knows: bool) -> Run {
    let folder = folder();
    std::fs::write(folder.join("gate.yaml"), config).unwrap();
    explain_file(&folder.join("gate.yaml"), request, headers, more, knows)
}

fn explain_file(config: &Path, request: &str, headers: &[(String, String)], more: &[&str], knows: bool) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
    let at = (AT + 3).to_string();
    command.arg("explain").arg(config).args(["--request", request, "--header", "host: api.example.com", "--at", &at]);
    for (name, value) in headers {
        command.args(["--header", &format!("{name}: {value}")]);
    }
    command.args(more);
    if knows {
        command.env("SIGNING_OF_A_TEST", SECRET);
        command.env("MACHINE_SECRET_KEY", SECRET).env("KIOSK_API_KEY", "a-key-of-the-kiosk-0123456789");
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let run = Run { stdout: text(output.stdout), stderr: text(output.stderr), status: output.status.code().unwrap() };
    assert!(!run.stdout.contains(SECRET), "{run:?}");
    run
}

fn request() -> Unsigned<'static> {
    Unsigned { target: "/orders?a=1", at: AT, ..Unsigned::default() }
}

fn json_of(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"))
}

#[test]
fn the_text_that_a_refused_signature_has_to_be_of_is_shown() {
    let other = Signer { secret: "another secret of twenty", ..SIGNER };
    let headers = other.sigv4(&request(), SCOPE);
    let said = explain(&sigv4(), "GET /orders?a=1", &headers, &[], true);
    assert_eq!(said.status, 1, "{said:?}");
    for line in [
        "signature   failed: bad_signature",
        "signature sigv4 of machines, key id AKIDEXAMPLE: a key of the set",
        "made at 2026-11-28T12:00:00Z, 3 seconds ago (max_age is 5 minutes)",
        "signs host x-amz-date",
        "canonical GET\n          /orders\n          a=1\n          host:api.example.com\n",
        "to sign   AWS4-HMAC-SHA256\n          20261128T120000Z\n          20261128/eu-west-1/orders/aws4_request\n",
    ] {
        assert!(said.stdout.contains(line), "{line:?}: {}", said.stdout);
    }
    let told = json_of(&explain(&sigv4(), "GET /orders?a=1", &headers, &["--json"], true));
    let signature = &told["signature"];
    assert_eq!((&told["reason"], &signature["key_is_known"]), (&json!("bad_signature"), &json!(true)));
    assert_eq!((&signature["age_seconds"], &signature["covers"]), (&json!(3), &json!(["host", "x-amz-date"])));
    let text = signature["string_to_sign"].as_str().unwrap();
    let canonical = signature["canonical_request"].as_str().unwrap();
    assert!(text.starts_with("AWS4-HMAC-SHA256\n") && canonical.starts_with("GET\n/orders\na=1\n"), "{told:#}");
    let unknown = Signer { key_id: "AKIDNOBODY", ..SIGNER };
    let said = explain(&sigv4(), "GET /orders?a=1", &unknown.sigv4(&request(), SCOPE), &[], true);
    assert!(said.stdout.contains("key id AKIDNOBODY: no key of the set"), "{}", said.stdout);
    let good = explain(&sigv4(), "GET /orders?a=1", &SIGNER.sigv4(&request(), SCOPE), &[], true);
    assert!(good.status == 0 && good.stdout.contains("signature   passed"), "{good:?}");
}

#[test]
fn what_is_wrong_with_a_signature_is_told_with_its_age() {
    let of = |at: i64| SIGNER.sigv4(&Unsigned { at, ..request() }, SCOPE);
    for (headers, reason, line) in [
        (of(AT - 400), "stale", "6 minutes 43 seconds ago (max_age is 5 minutes)"),
        (of(AT + 400), "stale", "6 minutes 37 seconds ahead"),
        (
            vec![("authorization".to_owned(), "AWS4-HMAC-SHA256 x".to_owned())],
            "malformed_signature",
            "which cannot be read: ",
        ),
        (
            [of(AT), vec![("x-amz-target".to_owned(), "T".to_owned())]].concat(),
            "signature_incomplete",
            "which cannot be read: x-amz-target is not signed",
        ),
    ] {
        let said = explain(&sigv4(), "GET /orders?a=1", &headers, &[], true);
        assert!(said.stdout.contains(&format!("refused: {reason}")), "{reason}: {}", said.stdout);
        assert!(said.stdout.contains(line), "{line}: {}", said.stdout);
    }
}

#[test]
fn without_the_secret_it_says_that_nothing_can_be_verified() {
    let said = explain(&sigv4(), "GET /orders?a=1", &SIGNER.sigv4(&request(), SCOPE), &[], false);
    assert!(said.stdout.contains("refused: bad_signature"), "{}", said.stdout);
    let note = "SIGNING_OF_A_TEST is not set: nothing that was made with its secret can be verified";
    assert!(said.stdout.contains(note) && said.stdout.contains("to sign "), "{}", said.stdout);
    let used = "every signature counts as new, and the gate may refuse one as replayed";
    assert!(said.stdout.contains(used), "{}", said.stdout);
}

#[test]
fn a_body_that_is_signed_is_asked_for() {
    let put = Unsigned { method: "PUT", body: b"{\"qty\":2}", ..request() };
    let headers = SIGNER.sigv4(&put, SCOPE);
    let said = explain(&sigv4(), "PUT /orders?a=1", &headers, &[], true);
    for line in [
        "signature   waits for the body",
        "undecided: would wait for the body, which is signed: give it with --body",
        "to sign   unknown: it has the digest of the body: give that with --body",
    ] {
        assert!(said.status == 1 && said.stdout.contains(line), "{line}: {}", said.stdout);
    }
    let given = |body: &str| explain(&sigv4(), "PUT /orders?a=1", &headers, &["--body", body], true);
    assert_eq!(given("{\"qty\":2}").status, 0, "{}", given("{\"qty\":2}").stdout);
    assert!(given("{\"qty\":3}").stdout.contains("refused: bad_signature"));
}

#[test]
fn a_signature_base_is_shown_without_the_secrets_in_it() {
    let config = gate("signature", json!({ "nonce": "optional" }));
    let cookie = Unsigned { headers: vec![("cookie", "session=of-alice".to_owned())], ..request() };
    let headers = SIGNER.message(&cookie, &format!(";created={AT}"));
    let said = explain(&config, "GET /orders?a=1", &headers, &["--json"], true);
    let told = json_of(&said);
    assert_eq!((said.status, &told["signature"]["form"]), (0, &json!("message")), "{told:#}");
    let text = told["signature"]["string_to_sign"].as_str().unwrap();
    assert!(text.contains("\"@path\": /orders\n") && text.contains("\"cookie\": ...\n"), "{text}");
    assert!(!said.stdout.contains("of-alice") && told["signature"]["canonical_request"].is_null(), "{told:#}");
    let plain = explain(&config, "GET /orders?a=1", &[], &["--json"], true);
    assert!(json_of(&plain)["signature"].is_null(), "{plain:?}");
}

#[test]
fn the_matrix_names_the_set_of_signatures_that_a_route_asks_for() {
    let folder = folder();
    std::fs::write(folder.join("gate.yaml"), sigv4()).unwrap();
    let said = crate::world::run(&["matrix", "gate.yaml"], &folder);
    assert!(said.status == 0 && said.stdout.contains("credential machines"), "{said:?}");
}

/// Runs cases of this form of signature.
fn cases(config: &str, cases: &str) -> (i32, String) {
    let folder = folder();
    std::fs::write(folder.join("gate.yaml"), config).unwrap();
    std::fs::write(folder.join("cases.yaml"), format!("config: gate.yaml\ncases:\n{cases}")).unwrap();
    let run = crate::world::run(&["test", "cases.yaml"], &folder);
    (run.status, run.stdout + &run.stderr)
}

#[test]
fn cases_sign_their_requests() {
    let request = |more: &str| {
        format!(
            "{{method: POST, path: '/orders/a%20b?b=2&a=1', body: {{qty: 2}}, headers: {{host: a.example:8443, x-a: b}}{more}}}"
        )
    };
    let good = format!("- {{name: a, request: {}, expect: {{status: 200}}}}\n", request(&format!(", sign: {KEY_ID}")));
    let none = format!("- {{name: b, request: {}, expect: {{status: 401, reason: no_credential}}}}\n", request(""));
    let all = good.clone() + &none;
    let digested = json!({ "form": "sigv4", "regions": ["eu-west-1"], "services": ["s3"], "signed_headers": ["x-a"] });
    let target = json!({ "components": ["@method", "@target-uri", "x-a"], "tag": "t" });
    for (kind, terms) in [
        ("aksk", json!({ "form": "sigv4", "regions": ["eu-west-1"], "services": ["orders"] })),
        ("aksk", digested),
        ("aksk", json!({ "form": "apinto" })),
        ("signature", target),
    ] {
        let (status, said) = cases(&gate(kind, terms), &all);
        assert_eq!(status, 0, "{kind}: {said}");
    }
    let asks = json!({ "form": "sigv4", "regions": ["eu-west-1"], "services": ["orders"], "signed_headers": ["x-b"] });
    let (status, said) = cases(&gate("aksk", asks), &good);
    assert!(status == 1 && said.contains("signature_incomplete"), "{said}");
    for (request, named) in [
        (request(", sign: AKIDNOBODY"), "no set of signatures has the key AKIDNOBODY"),
        (format!("{{path: '/a b', sign: {KEY_ID}}}"), "write the path as it is sent: /a%20b"),
        (format!("{{path: '/a?b=2&b=1', sign: {KEY_ID}}}"), "the values of a repeated parameter"),
        (format!("{{path: /a, method: PUT, body: true, sign: {KEY_ID}}}"), "its body is signed, too"),
    ] {
        let (status, said) = cases(&sigv4(), &format!("- {{name: a, request: {request}, expect: {{status: 200}}}}\n"));
        assert!(status == 2 && said.contains("request.sign: ") && said.contains(named), "{request}: {said}");
    }
}

fn apipark() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/issuers/apipark.yaml")
}

/// One of each kind but JWT, which the cases have.
#[test]
fn consumers_of_apipark_pass_with_each_kind_of_their_credentials() {
    const ACCESS_KEY: &str = "0f8c6f1e-6a36-4c3e-9a0e-5d1c2b3a4f50";
    let basic = "Basic c2hvcDpvcGVuLXNlc2FtZS1vZi10aGUtc2hvcA==";
    let line = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let signed = |target: &'static str| {
        let request = Unsigned { method: "POST", target, body: b"{\"qty\":2}", at: AT, ..Unsigned::default() };
        Signer { key_id: ACCESS_KEY, secret: SECRET }.apinto(&request)
    };
    let key = line("x-api-key", "a-key-of-the-kiosk-0123456789");
    for (path, headers, passes) in [
        ("/catalog", key.clone(), true),
        ("/orders", key.clone(), true),
        ("/reports", key, false),
        ("/reports", line("authorization", basic), true),
        ("/orders", line("authorization", basic), true),
        ("/machines", line("authorization", basic), false),
        ("/machines?a=1&b=2", signed("/machines?a=1&b=2"), true),
        ("/orders", signed("/orders"), true),
        ("/catalog", signed("/catalog"), false),
    ] {
        let said = explain_file(&apipark(), &format!("POST {path}"), &headers, &["--body", "{\"qty\":2}"], true);
        assert_eq!(said.status == 0, passes, "{path} {headers:?}: {}", said.stdout);
    }
    let secret = apipark().with_file_name("apipark.yaml");
    let text = std::fs::read_to_string(secret).unwrap();
    assert!(text.contains("Not run: Apinto's and APIPark's own programs"), "what was not run is marked");
}

/// The value that Apinto's own test expects (`application/auth/aksk/sign_test.go` of its source).
#[test]
fn the_vector_of_apinto_is_good() {
    const SIGNATURE: &str = "523a1d901873fbbc19df355dba6f8bb695a2ef3435206615e7724490054b0529";
    let folder = folder();
    std::fs::write(folder.join("gate.yaml"), gate("aksk", json!({ "form": "apinto" }))).unwrap();
    let passes = |signature: &str, user: &str| {
        let target = format!("/api/redapi/tech/redteams/tag/tagUser?userId={user}&tagId=37");
        let line = format!(
            "authorization: HMAC-SHA256 Access={KEY_ID}, SignedHeaders=content-type;host;x-gateway-date, Signature={signature}"
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
        command.args(["explain", "gate.yaml", "--request", &format!("GET {target}"), "--at", "2020-06-05T10:44:59Z"]);
        for line in
            ["host: gateway.hr-soft.cn", "content-type: application/json", "x-gateway-date: 20200605T104456Z", &line]
        {
            command.args(["--header", line]);
        }
        command.env("SIGNING_OF_A_TEST", "8f8154ff07f7153eea59a2ba44b5fcfe443dba1e4c45f87c549e6a05f699145d");
        let output = command.current_dir(&folder).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap().contains("refused: bad_signature"))
    };
    let user = "8e211885-b622-11ec-8e03-14187749a8c0";
    assert_eq!(passes(SIGNATURE, user), (Some(0), false));
    assert_eq!(passes(SIGNATURE, "8e211885-b622-11ec-8e03-14187749a8c1"), (Some(1), true));
    assert_eq!(passes(&SIGNATURE.replacen('5', "6", 1), user), (Some(1), true));
}
