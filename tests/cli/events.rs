//! Events that revoke, in `explain`, `token inspect` and `test`.

use crate::support::issuer::{ISSUER, Issuer};
use crate::world::{Run, folder, run};
use scopegate::crypto::Algorithm;
use scopegate::security_event::REVOCATION_EVENT;
use serde_json::{Value, json};
use std::fs::write;
use std::path::{Path, PathBuf};

const AT: &str = "2026-11-21T10:00:00Z";
const NOW: i64 = 1_795_255_200;
const PATH: &str = "POST /.well-known/scopegate/events";
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
const DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";

/// A gate that takes events, and events for it: `logout.txt`, `user.txt`, `operator.txt`.
fn world() -> PathBuf {
    let (folder, issuer) = (folder(), Issuer::new(Algorithm::Es256, "a"));
    let operator = Issuer::new(Algorithm::EdDsa, "ops-1");
    let configuration = json!({
        "issuers": [
            { "issuer": ISSUER, "name": "idp", "audiences": ["api"], "jwks": { "inline": issuer.jwks() } },
            { "issuer": "https://far/", "name": "far", "audiences": ["api"], "jwks": { "uri": "https://far/k", "cluster": "far" } },
        ],
        "events": {
            "path": "/.well-known/scopegate/events",
            "issuers": { "idp": { "audience": "gate-1", "keep": "1h" }, "far": { "audience": "gate-1" } },
            "operators": { "ops": { "audience": "gate-1", "signed_by": operator.jwks() } },
        },
    });
    write(folder.join("scopegate.json"), configuration.to_string()).unwrap();
    let event = |signer: &Issuer, typ: &str, events: Value, more: &[(&str, Value)]| {
        let token = signer.token(NOW).header("typ", typ).claim("aud", "gate-1").claim("iat", NOW).claim("jti", "e-1");
        let mut token = token.claim("events", events);
        token.claims.remove("exp");
        more.iter().fold(token, |token, (name, value)| token.claim(name, value.clone())).sign()
    };
    let logout = [("sid", "s-1".into()), ("exp", (NOW + 120).into())];
    let logout = event(&issuer, "logout+jwt", json!({ LOGOUT: {} }), &logout);
    write(folder.join("logout.txt"), &logout).unwrap();
    write(folder.join("form.txt"), format!("logout_token={logout}")).unwrap();
    let subject = json!({ "format": "iss_sub", "iss": ISSUER, "sub": "alice" });
    let of_user = event(&issuer, "secevent+jwt", json!({ DISABLED: {}, "urn:x": {} }), &[("sub_id", subject)]);
    write(folder.join("user.txt"), of_user).unwrap();
    let entry = json!({ "iss": ISSUER, "kid": "a" });
    let of_operator = event(&operator, "secevent+jwt", json!({ REVOCATION_EVENT: entry }), &[("iss", "ops".into())]);
    write(folder.join("operator.txt"), of_operator).unwrap();
    let of_far = event(&issuer, "secevent+jwt", json!({ DISABLED: {} }), &[("iss", "https://far/".into())]);
    write(folder.join("far.txt"), of_far).unwrap();
    folder
}

fn explain(folder: &Path, more: &[&str]) -> Run {
    run(&[&["explain", "scopegate.json", "--at", AT], more].concat(), folder)
}

#[test]
fn explain_tells_what_an_event_would_revoke_in_words_and_in_json() {
    let folder = world();
    for (body, status, sender, words, revokes, without_effect) in [
        (
            "@form.txt",
            200,
            ("issuer", "idp"),
            format!("revokes   all tokens of the session s-1 of {ISSUER}, until 2026-11-21T11:00:00Z\n"),
            json!([{ "iss": ISSUER, "sid": "s-1", "until": NOW + 3600 }]),
            0,
        ),
        (
            "@user.txt",
            202,
            ("issuer", "idp"),
            format!(
                "revokes   all tokens of the user alice of {ISSUER} that were issued before 2026-11-21T10:00:01Z, until \
                 2026-11-21T11:00:00Z\n          1 without effect: "
            ),
            json!([{ "iss": ISSUER, "sub": "alice", "issued_before": NOW + 1, "until": NOW + 3600 }]),
            1,
        ),
        (
            "@operator.txt",
            202,
            ("operator", "ops"),
            format!("revokes   all tokens signed with the key a of {ISSUER}, until 2026-11-22T10:00:00Z\n"),
            json!([{ "iss": ISSUER, "kid": "a", "until": NOW + 86_400 }]),
            0,
        ),
    ] {
        let told = explain(&folder, &["--request", PATH, "--body", body]);
        assert_eq!(told.status, 0, "it is taken: {told:?}");
        let (kind, name) = sender;
        assert!(told.stdout.contains("\ndecides   events\nchecks    event       passed\n"), "{told:?}");
        assert!(told.stdout.contains(&format!("\nevent     e-1 of the {kind} {name}\n")), "{told:?}");
        assert!(told.stdout.contains(&words), "{words}: {told:?}");
        let told = explain(&folder, &["--request", PATH, "--body", body, "--json"]);
        let told: Value = serde_json::from_str(&told.stdout).unwrap();
        assert_eq!((&told["decision"], &told["answer"]["status"]), (&json!("receive"), &json!(status)));
        assert_eq!(told["checks"], json!([{ "check": "event", "outcome": "passed" }]));
        assert_eq!(
            told["event"],
            json!({ kind: name, "id": "e-1", "revokes": revokes, "without_effect": without_effect })
        );
    }
}

#[test]
fn explain_says_what_is_missing_or_wrong_of_an_event() {
    let folder = world();
    let told = explain(&folder, &["--request", PATH]);
    assert!(told.status == 1 && told.stdout.contains("checks    event       waits for the body\n"), "{told:?}");
    assert!(told.stdout.contains("undecided: would wait for the event in its body: give it with --body"), "{told:?}");
    let told = explain(&folder, &["--request", PATH, "--body", "@far.txt"]);
    assert!(told.stdout.contains("checks    event       waits for keys\n"), "{told:?}");
    assert!(told.stdout.contains("would wait for the keys of far") && told.status == 1, "{told:?}");
    let told = explain(&folder, &["--request", PATH, "--body", "@user.txt", "--header", "content-type: text/plain"]);
    assert!(
        told.status == 1 && told.stdout.contains("event       failed: invalid_event: the Content-Type is"),
        "{told:?}"
    );
    let late = ["explain", "scopegate.json", "--at", "2026-11-21T11:00:00Z", "--request", PATH, "--body", "@user.txt"];
    let told = run(&late, &folder);
    assert!(told.stdout.contains("failed: invalid_event: its `iat` is longer ago than what it revokes"), "{told:?}");
    // Others do not bring events, and have no such check.
    for request in ["GET /.well-known/scopegate/events", "POST /.well-known/scopegate/events/", "GET /"] {
        let told = explain(&folder, &["--request", request]);
        assert!(told.stdout.contains("no_credential") && !told.stdout.contains("event  "), "{told:?}");
    }
}

#[test]
fn inspect_says_that_a_token_of_events_is_one_and_what_a_gate_makes_of_it() {
    let folder = world();
    let inspect = |file: &str, more: &[&str]| run(&[&["token", "inspect", file, "--at", AT], more].concat(), &folder);
    for (file, wanted) in [
        (
            "@logout.txt",
            "\na logout token (OpenID Connect Back-Channel Logout 1.0), which is never an access token; its events: http",
        ),
        (
            "@user.txt",
            "\na Security Event Token (RFC 8417), which is never an access token; its events: https://schemas.openid.net",
        ),
        ("@operator.txt", "its events: urn:scopegate:event-type:revocation"),
    ] {
        let told = inspect(file, &[]);
        assert!(told.status == 0 && told.stdout.contains(wanted), "{told:?}");
        assert!(!told.stdout.contains("warning"), "an event needs no exp: {told:?}");
    }
    for (file, status, wanted) in [
        ("@logout.txt", 0, "taken from the issuer idp; it revokes all tokens of the session s-1"),
        ("@operator.txt", 0, "taken from the operator ops; it revokes all tokens signed with the key a"),
        ("@far.txt", 1, "undecided: would wait for the keys of far: give them with --keys"),
    ] {
        let told = inspect(file, &["--config", "scopegate.json"]);
        assert_eq!(told.status, status, "{told:?}");
        assert!(told.stdout.contains(&format!("\nscopegate.json: {wanted}")), "{told:?}");
    }
    let late = ["token", "inspect", "@user.txt", "--at", "2026-11-21T09:00:00Z", "--config", "scopegate.json"];
    let told = run(&late, &folder);
    assert!(told.status == 1 && told.stdout.contains("refused: invalid_event: it is of the future"), "{told:?}");
    let issuer = json!({ "issuer": ISSUER, "audiences": ["api"], "jwks": { "uri": "https://a/", "cluster": "a" } });
    write(folder.join("none.json"), json!({ "issuers": [issuer] }).to_string()).unwrap();
    let told = inspect("@user.txt", &["--config", "none.json"]);
    assert!(told.status == 1 && told.stdout.contains("refused: it takes no `events`"), "{told:?}");
}

#[test]
fn a_case_says_how_an_event_is_answered() {
    let folder = world();
    let event = std::fs::read_to_string(folder.join("operator.txt")).unwrap();
    let case = |name: &str, body: &str, expect: &str| {
        format!(
            "- name: {name}\n  request: {{path: /.well-known/scopegate/events, method: POST, headers: {{content-type: \
             application/secevent+jwt}}, body: {body}}}\n  expect: {expect}\n"
        )
    };
    let good = case("is taken", &event, "{status: 202}");
    let forged = case("is forged", &format!("{}A", &event[..event.len() - 2]), "{status: 400, reason: invalid_event}");
    let suite = |cases: &str| {
        write(folder.join("a.test.yaml"), format!("config: scopegate.json\nnow: {AT}\ncases:\n{cases}")).unwrap();
        run(&["test", "a.test.yaml"], &folder)
    };
    let told = suite(&format!("{good}{forged}"));
    assert_eq!(told.status, 0, "{told:?}");
    let told = suite(&case("is not given", "true", "{status: 202}"));
    assert!(told.status == 2 && told.stderr.contains("here the body is judged, so give its text"), "{told:?}");
}
