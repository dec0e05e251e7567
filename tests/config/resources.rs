//! Protected resources, the requirements that name one, and scopes that include others.

use super::{KEY, issuer, problems, read};

/// Two issuers with addresses and one without, resources, and what else there is.
fn gate(resources: &str, more: &str) -> String {
    let issuer = |name: &str, issuer: &str, audiences: &str| {
        format!("- {{name: {name}, issuer: {issuer}, audiences: [{audiences}], jwks: {{inline: {{keys: [{KEY}]}}}}}}\n")
    };
    let issuers = [
        issuer("a", "https://a/", "'https://m/mcp', 'https://m/', 'https://m', api"),
        issuer("b", "https://b/", "'https://m/mcp', 'http://m/mcp', id"),
        issuer("c", "workloads", "'https://m/mcp'"),
    ];
    format!("issuers:\n{}resources: {resources}\n{more}\n", issuers.concat())
}

fn one(resource: &str) -> String {
    gate(&format!("[{{resource: {resource}, authorization_servers: [a]}}]"), "")
}

const MCP: &str = "{resource: 'https://m/mcp', authorization_servers: [a, b]}";

#[test]
fn what_is_wrong_with_resources_is_said() {
    let members = |members: &str| gate(&format!("[{{resource: 'https://m/mcp', {members}}}]"), "");
    snapshot!(problems(&[
        ("an empty list", gate("[]", "")),
        (
            "a realm that clients could take for a parameter",
            gate(&format!("[{MCP}]"), "challenge: {realm: 'a scope=b'}")
        ),
        ("nothing", gate("[{}]", "")),
        ("no issuers", gate("[{resource: 'https://m/mcp'}]", "")),
        ("another field", members("authorization_servers: [a], resource_name: x")),
        ("an empty list of issuers", members("authorization_servers: []")),
        ("an unknown issuer", members("authorization_servers: [x]")),
        ("an issuer by its address", members("authorization_servers: ['https://a/']")),
        ("an issuer twice", members("authorization_servers: [a, b, a]")),
        ("an issuer without an address", members("authorization_servers: [c]")),
        (
            "an issuer that does not accept the resource",
            gate("[{resource: 'https://m/other', authorization_servers: [a]}]", "")
        ),
        ("nor one of its audiences", members("authorization_servers: [a, b], audiences: [id]")),
        ("no scopes", members("authorization_servers: [a], scopes_supported: []")),
        ("no scope", members("authorization_servers: [a], scopes_supported: ['a b']")),
        ("a refresh token", members("authorization_servers: [a], scopes_supported: [x, offline_access]")),
        ("no audiences", members("authorization_servers: [a], audiences: []")),
        ("a query", one("'https://m/mcp?x=1'")),
        ("a fragment", one("'https://m/mcp#x'")),
        ("http", one("'http://m/mcp'")),
        ("user information", one("'https://u@m/mcp'")),
        ("upper case", one("'https://M/mcp'")),
        ("another scheme", one("'urn:x'")),
        ("a default port", one("'https://m:443/mcp'")),
        ("a dot segment", one("'https://m/./mcp'")),
        ("an escape that needs none", one("'https://m/%6dcp'")),
        ("a quote", one("'https://m/\"mcp'")),
        ("no host", one("'https:///mcp'")),
        ("the same one", gate(&format!("[{MCP}, {MCP}]"), "")),
        (
            "a slash apart",
            gate(
                "[{resource: 'https://m', authorization_servers: [a]}, {resource: 'https://m/', authorization_servers: [a]}]",
                ""
            )
        ),
    ]));
}

#[test]
fn what_is_wrong_with_the_resource_of_a_requirement_is_said() {
    let rule = |members: &str| gate(&format!("[{MCP}]"), &format!("default: {{{members}}}"));
    let named = |more: &str| rule(&format!("resource: 'https://m/mcp'{more}"));
    snapshot!(problems(&[
        ("unknown", rule("resource: 'https://m/mcp/'")),
        ("a number", rule("resource: 1")),
        ("beside public", named(", public: true")),
        ("beside deny", named(", deny: true")),
        ("an issuer that is not one of its own", named(", issuers: [c]")),
        ("an audience that is not its own", named(", audiences: [api]")),
        ("of a method", rule("methods: {GET: {resource: x}}")),
        ("resources that cannot be read", gate("[{resource: 1}]", "default: {resource: x}")),
    ]));
    let without =
        format!("issuers:\n- {{issuer: 'https://a/', audiences: [b], jwks: {{inline: {{keys: [{KEY}]}}}}}}\n");
    snapshot!(problems(&[("no resources", format!("{without}default: {{resource: 'https://m/mcp'}}"))]));
}

#[test]
fn a_resource_is_an_address_as_clients_spell_it() {
    for (resource, audience) in [
        ("https://m", "https://m"),
        ("https://m/", "https://m/"),
        ("https://m:8443/a/b/", "https://m:8443/a/b/"),
        ("http://localhost:8080/mcp", "http://localhost:8080/mcp"),
        ("http://127.0.0.1/mcp", "http://127.0.0.1/mcp"),
        ("http://[::1]:8080/mcp", "http://[::1]:8080/mcp"),
        ("https://m/%C3%A9", "https://m/%C3%A9"),
    ] {
        let text = format!(
            "issuers:\n- {{issuer: 'https://a/', audiences: ['{audience}'], jwks: {{inline: {{keys: [{KEY}]}}}}}}\n\
             resources: [{{resource: '{resource}', authorization_servers: ['https://a/']}}]\n"
        );
        let loaded = read(&text).unwrap_or_else(|error| panic!("{resource}: {error:?}"));
        assert_eq!(loaded.policy.resources[0].audiences, [audience]);
    }
}

#[test]
fn what_is_wrong_with_implied_scopes_is_said() {
    let implies = |members: &str| issuer(&format!("implies: {members}"));
    snapshot!(problems(&[
        ("a list", implies("[a]")),
        ("no list", implies("{a: b}")),
        ("an empty list", implies("{a: []}")),
        ("no scope", implies("{a: ['b c']}")),
        ("no scope that includes", implies("{'a b': [c]}")),
        ("itself", implies("{a: [a]}")),
        ("itself, by way of another", implies("{x: [a], a: [b], b: [a]}")),
    ]));
    assert!(read(&implies("{}")).is_ok());
}
