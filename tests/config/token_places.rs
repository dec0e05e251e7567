//! Places of tokens beside `authorization`.

use super::{around, issuer, problems, read, with};

#[test]
fn what_is_wrong_with_a_header_of_tokens_is_said() {
    let header = |members: &str| issuer(&format!("token_header: {{{members}}}"));
    let second = |own: &str, other: &str| {
        let remote = "  jwks: {uri: https://a/k, cluster: a}";
        let one = format!("{remote}\n  token_header: {{{own}}}\n");
        around(&format!("{one}- issuer: https://b/\n  audiences: [b]\n{remote}\n  token_header: {{{other}}}"), "")
    };
    snapshot!(problems(&[
        ("no name", header("prefix: 'Token '")),
        ("a text", issuer("token_header: x-token")),
        ("the header of all tokens", header("name: Authorization, prefix: 'Token '")),
        ("a list of subprotocols", header("name: Sec-WebSocket-Protocol, prefix: bearer")),
        ("headers of others", header("name: cookie")),
        ("headers of Envoy", header("name: X_Forwarded-For")),
        ("the header of proofs", header("name: dpop")),
        ("no name of a header", header("name: 'x token'")),
        ("a prefix with a comma", header("name: x-token, prefix: 'a,b'")),
        ("a prefix with white space before it", header("name: x-token, prefix: ' a'")),
        ("an empty prefix", header("name: x-token, prefix: ''")),
        ("a further field", header("name: x-token, scheme: Bearer")),
        ("two spellings", second("name: x-token", "name: x_token")),
        ("prefixes that begin alike", second("name: x-token, prefix: 'A'", "name: x-token, prefix: 'AB'")),
        ("proofs that it cannot take", with_proofs("token_header: {name: x-token}")),
        ("proofs that handshakes cannot take", with_proofs("websocket_protocol: true")),
        ("subprotocols that are no flag", issuer("websocket_protocol: bearer")),
    ]));
    assert!(read(&second("name: x-token", "name: x-token")).is_ok());
    assert!(read(&second("name: x-token, prefix: 'A '", "name: x-token, prefix: 'B '")).is_ok());
}

fn with_proofs(members: &str) -> String {
    format!("dpop: {{origins: ['https://a']}}\n{}", issuer(&format!("sender_constraint: dpop\n  {members}")))
}

#[test]
fn a_header_of_tokens_is_not_for_anything_else() {
    let beside = |members: &str| format!("{members}\n{}", issuer("token_header: {name: x-token}"));
    let set = |header: &str| {
        let digest = "01".repeat(32);
        beside(&format!(
            "credentials: [{{name: a, api_key: {{header: {header}}}, identities: [{{id: b, secrets: [{{sha256: '{digest}'}}]}}]}}]"
        ))
    };
    snapshot!(problems(&[
        ("the place of keys", set("x-token")),
        ("the place of keys in another spelling", set("x_token")),
        ("an identity header", beside("forward: {headers: {x-token: sub}}")),
        ("a header that is removed", beside("forward: {remove: [X-Token]}")),
        (
            "a list of subprotocols that is removed",
            format!("forward: {{remove: [sec-websocket-protocol]}}\n{}", issuer("websocket_protocol: true")),
        ),
        (
            "a list that the router would have to shorten",
            format!("forward: {{by: router}}\n{}", issuer("websocket_protocol: true"))
        ),
    ]));
    assert!(read(&set("x-key")).is_ok());
    assert!(read(&with("default: {credentials: bearer}")).is_ok());
}
