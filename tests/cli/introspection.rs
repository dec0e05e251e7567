//! What the commands know of opaque tokens: offline no issuer is asked what they mean.

use crate::world::{envoy, folder, run};
use std::fs::write;

const GATE: &str = "issuers:
- issuer: https://idp.example.com/
  name: idp
  audiences: [https://api.example.com]
  introspection: {uri: 'https://idp.example.com/introspect', cluster: idp, client_id: gate, secret: {env: IDP_SECRET}}
forward: {headers: {x-sub: sub}}
";

#[test]
fn tokens_are_not_sent_to_another_machine_in_plain_text() {
    let folder = folder();
    let check = |text: &str| {
        write(folder.join("envoy.yaml"), text).unwrap();
        run(&["check", "envoy.yaml"], &folder)
    };
    let plain = check(&envoy(GATE, "idp", "idp.example.com", ""));
    assert!(plain.status == 1 && plain.stdout.contains("error[introspection-in-plain-text]"), "{plain:?}");
    let local = check(&envoy(GATE, "idp", "127.0.0.1", ""));
    assert!(!local.stdout.contains("introspection-in-plain-text"), "{local:?}");
    let missing = check(&envoy(GATE, "another", "127.0.0.1", ""));
    assert!(missing.stdout.contains("error[cluster-missing]") && missing.stdout.contains("idp"), "{missing:?}");
}

#[test]
fn explain_asks_for_the_answer_and_judges_it() {
    let folder = folder();
    write(folder.join("gate.yaml"), GATE).unwrap();
    let explain = |answer: Option<&str>, more: &[&str]| {
        let mut arguments = vec!["explain", "gate.yaml", "--request", "GET /", "--token", "an-opaque-token"];
        arguments.extend(["--at", "2026-01-01T00:00:00Z"]);
        if let Some(answer) = answer {
            write(folder.join("answer.json"), answer).unwrap();
            arguments.extend(["--introspection", "answer.json"]);
        }
        arguments.extend(more);
        let told = run(&arguments, &folder);
        assert!(!told.stdout.contains("an-opaque-token") && !told.stderr.contains("an-opaque-token"), "{told:?}");
        told
    };
    let unknown = explain(None, &[]);
    let wanted = "undecided: would wait for what idp says of the opaque token: give its answer with --introspection";
    assert!(unknown.status == 1 && unknown.stdout.contains(wanted), "{unknown:?}");
    assert!(explain(None, &["--json"]).stdout.contains("\"awaits_answer_of\": \"idp\""));
    let good = r#"{"active": true, "token_type": "Bearer", "sub": "alice", "aud": "https://api.example.com", "exp": 1767225700}"#;
    let allowed = explain(Some(good), &[]);
    assert!(allowed.status == 0 && allowed.stdout.contains("x-sub: alice"), "{allowed:?}");
    let expired = explain(Some(&good.replace("1767225700", "1767225000")), &[]);
    assert!(expired.status == 1 && expired.stdout.contains("refused: expired"), "{expired:?}");
    let inactive = explain(Some(r#"{"active": false}"#), &[]);
    assert!(inactive.stdout.contains("introspection failed: inactive"), "{inactive:?}");
    let unusable = explain(Some(r#"{"active": "true"}"#), &[]);
    assert!(unusable.status == 2 && unusable.stderr.contains("`active` is not a boolean"), "{unusable:?}");
}

#[test]
fn a_case_says_what_the_issuer_answers() {
    let folder = folder();
    write(folder.join("gate.yaml"), GATE).unwrap();
    let test = |introspection: &str, reason: &str| {
        let cases = format!(
            "config: gate.yaml\ncases:\n- name: a\n  request: GET /\n  token: opaque\n{introspection}  expect: {{reason: {reason}}}\n"
        );
        write(folder.join("policy.test.yaml"), cases).unwrap();
        run(&["test", "policy.test.yaml"], &folder)
    };
    assert_eq!(test("", "introspection_unavailable").status, 0);
    assert_eq!(test("  introspection: {active: false}\n", "inactive").status, 0);
    let wrong = test("  introspection: {active: 'yes'}\n", "inactive");
    assert!(
        wrong.status == 2 && wrong.stderr.contains("introspection: cannot be used: `active` is not a boolean"),
        "{wrong:?}"
    );
}

#[test]
fn an_opaque_token_is_inspected_and_revoked_by_its_fingerprint() {
    let folder = folder();
    // printf %s an-opaque-token | openssl dgst -sha256 -binary | basenc --base64url | cut -c1-22
    let fingerprint = "eT4PrTwCR18TUg8LwGHGgp";
    let inspected = run(&["token", "inspect", "an-opaque-token"], &folder);
    assert!(inspected.stdout.contains(&format!("fingerprint {fingerprint} if it is opaque")), "{inspected:?}");
    let revoke = |token: &str, more: &[&str]| run(&[&["token", "revoke", token], more].concat(), &folder);
    let revoked = revoke("an-opaque-token", &["--by", "fingerprint", "--reason", "stolen"]);
    assert_eq!(revoked.status, 0, "{revoked:?}");
    assert!(revoked.stdout.contains(fingerprint) && !revoked.stdout.contains("opaque"), "{revoked:?}");
    assert!(revoke("an-opaque-token", &[]).stderr.contains("--by fingerprint"));
    assert_eq!(revoke("an-opaque-token", &["--by", "jti"]).status, 2);
    assert_eq!(revoke("eyJhbGciOi.half", &["--by", "fingerprint"]).status, 2, "a JWT that has lost a part");
}
