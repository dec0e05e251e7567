//! `mcp`: what is asked of messages.

use super::{problems, read, with};

#[test]
fn what_is_wrong_with_rules_about_messages_is_said() {
    let mcp = |text: &str| with(&format!("default: {{mcp: {{{text}}}}}"));
    let tools = |rule: &str| mcp(&format!("tools: {{rules: [{rule}]}}"));
    snapshot!(problems(&[
        ("a list in place of an object", with("default: {mcp: []}")),
        ("beside public", with("default: {public: true, mcp: {}}")),
        ("an unknown field", mcp("tool: {}")),
        ("rules that are no list", mcp("tools: {rules: {tool: a}}")),
        ("a rule without a name", tools("{scopes: [a]}")),
        ("the name of another kind", tools("{prompt: a}")),
        ("no name", tools("{tool: []}")),
        ("a name that is no text", tools("{tool: 1}")),
        ("a field that no item has", tools("{tool: a, single_use: true}")),
        ("deny beside others", tools("{tool: a, deny: true, scopes: [a]}")),
        ("a default that names something", mcp("tools: {default: {tool: a}}")),
        ("an issuer that there is not", tools("{tool: a, issuers: [b]}")),
        ("an origin with a path", mcp("origins: ['https://a/']")),
        ("a host with a scheme", mcp("hosts: ['https://a']")),
        ("a version that there is not", mcp("versions: ['2024-11-05']")),
        ("a version that is no text", mcp("versions: [2025]")),
        ("no version", mcp("versions: []")),
        ("a word for a flag", mcp("hold_headers: 'yes'")),
        ("another word for lists", mcp("lists: some")),
        ("no bytes", mcp("body_bytes: 0")),
        ("too many bytes", mcp("body_bytes: 4194305")),
    ]));
    assert!(read(&mcp("hosts: [], tools: {default: {}, rules: [{tool: ['*', a]}]}")).is_ok());
}

#[test]
fn what_is_wrong_with_sessions_is_said() {
    let session = |text: &str| with(&format!("default: {{mcp: {{session: {text}}}}}"));
    let keys = |text: &str| session(&format!("{{keys: [{text}]}}"));
    snapshot!(problems(&[
        ("no keys", session("{}")),
        ("an empty list", session("{keys: []}")),
        ("a key in place of a list", session("{keys: {env: NONCES}}")),
        ("a key in the configuration", keys("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")),
        ("a variable that there is not", keys("{env: NOWHERE}")),
        ("a key that is too short", keys("{env: SHORT}")),
        ("a key in another form", keys("{env: PADDED}")),
        ("the same key twice", keys("{env: NONCES}, {env: OTHER_NONCES}, {env: NONCES}")),
        ("too many", keys(&["{env: NONCES}"; 9].join(", "))),
        ("an unknown field", session("{keys: [{env: NONCES}], key: a}")),
        (
            "no revision with sessions",
            with("default: {mcp: {session: {keys: [{env: NONCES}]}, versions: ['2026-07-28']}}"),
        ),
    ]));
    for good in ["{env: NONCES}", "{env: NONCES}, {env: OTHER_NONCES}"] {
        assert!(read(&keys(good)).is_ok(), "{:?}", read(&keys(good)).err());
    }
}

/// An API key has no user who could have authenticated again: the item would be open to it.
#[test]
fn an_item_asks_for_nothing_of_tokens_where_a_credential_without_one_is_good() {
    let hash = "ab".repeat(32);
    let gate = |credentials: &str, item: &str| {
        let set = format!(
            "{{name: partners, api_key: {{header: X-Api-Key}}, identities: [{{id: a, secrets: [{{sha256: {hash}}}]}}]}}"
        );
        with(&format!(
            "credentials: [{set}]\ndefault: {{credentials: {credentials}, mcp: {{tools: {{rules: [{{tool: pay, {item}}}]}}}}}}"
        ))
    };
    let any = "{any_of: [bearer, partners]}";
    snapshot!(problems(&[
        ("acr_values beside keys", gate(any, "acr_values: [phr]")),
        ("max_auth_age beside keys", gate(any, "max_auth_age: 5m")),
        ("issuers without tokens", gate("partners", "issuers: ['https://a/']")),
        ("the age of a token without tokens", gate("partners", "max_token_age: 1m")),
    ]));
    for good in [
        gate("bearer", "acr_values: [phr]"),
        gate("{all_of: [bearer, partners]}", "max_auth_age: 5m"),
        gate(any, "max_token_age: 1m"),
    ] {
        assert!(read(&good).is_ok(), "{:?}", read(&good).err());
    }
}
