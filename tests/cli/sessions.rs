//! What the command says of sessions of MCP clients.

use crate::policy_test::Folder;
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};

const AT: &str = "2026-11-21T10:00:00Z";
const NOW: i64 = 1_795_255_200;

/// A gate that binds sessions, and a token that is good for it.
fn place() -> Folder {
    let (folder, issuer) = (Folder::new(), Issuer::new(Algorithm::Es256, "a"));
    let mcp = json!({ "session": { "keys": [{ "env": "SESSION_KEY_OF_A_TEST" }] } });
    let config = json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "rules": [{ "match": { "path": "/mcp" }, "mcp": mcp }],
    });
    folder.write("a.yaml", &config.to_string());
    folder.write("token.txt", &issuer.token(NOW).sign());
    folder
}

#[test]
fn explain_shows_whose_session_it_is_and_what_the_response_is_for() {
    let explain = |more: &[&str]| {
        let asked = ["explain", "a.yaml", "--request", "GET /mcp", "--token", "@token.txt", "--at", AT];
        place().say(&[&asked[..], more].concat()).1
    };
    let said = explain(&[]);
    assert!(said.contains("binds     mcp-session-id of the response"), "{said}");
    assert!(said.contains("SESSION_KEY_OF_A_TEST is not set"), "{said}");
    let said = explain(&["--header", "mcp-session-id: a"]);
    assert!(
        said.contains("refused: foreign_session") && said.contains("session     failed: foreign_session"),
        "{said}"
    );
    assert!(said.contains("answer    404"), "{said}");
    let told: Value = serde_json::from_str(&explain(&["--json"])).unwrap();
    assert_eq!(told["upstream"]["binds_session"], true, "{told}");
}

#[test]
fn cases_expect_that_sessions_of_others_are_refused() {
    let folder = place();
    let case = |header: &str, expect: &str| {
        let request = format!("{{path: /mcp, headers: {{{header}}}}}");
        format!("config: a.yaml\ncases:\n- {{name: a, request: {request}, token: {{sub: alice}}, expect: {expect}}}\n")
    };
    folder.write("cases.yaml", &case("mcp-session-id: a", "{status: 404, reason: foreign_session}"));
    let (status, said) = folder.say(&["test", "cases.yaml"]);
    assert_eq!(status, 0, "{said}");
    folder.write("cases.yaml", &case("x-session-id: a", "{status: 200}"));
    let (status, said) = folder.say(&["test", "cases.yaml"]);
    assert_eq!(status, 0, "{said}");
}

#[test]
fn the_matrix_tells_where_sessions_are_bound() {
    let (status, said) = place().say(&["matrix", "a.yaml"]);
    assert!(status == 0 && said.contains("sessions of its own"), "{said}");
}
