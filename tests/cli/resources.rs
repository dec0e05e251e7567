//! What the command says of protected resources and of scopes that include others.

use crate::policy_test::Folder;

const POLICY: &str = "
issuers:
- issuer: https://idp.example.com/
  name: idp
  audiences: [https://mcp.example.com/mcp]
  jwks: {uri: 'https://idp/jwks', cluster: idp}
  implies: {admin: [write], write: [read]}
resources:
- {resource: 'https://mcp.example.com/mcp', authorization_servers: [idp], scopes_supported: [read]}
default: {resource: 'https://mcp.example.com/mcp', scopes: [read]}
";

const METADATA: &str = "/.well-known/oauth-protected-resource/mcp";

fn place() -> Folder {
    let folder = Folder::new();
    folder.write("a.yaml", POLICY);
    folder
}

#[test]
fn explain_shows_the_document() {
    let ask = |more: &[&str]| {
        let (path, more) = more.split_first().unwrap();
        let request = format!("GET {path}");
        let asked = ["explain", "a.yaml", "--request", &request, "--header", "host: mcp.example.com"];
        place().say(&[&asked[..], more].concat())
    };
    let (_, said) = ask(&[METADATA]);
    for line in [
        "decision  answered: the metadata of a resource",
        "answer    200",
        "content-type: application/json",
        "\"resource\":\"https://mcp.example.com/mcp\",\"scopes_supported\":[\"read\"]",
        "metadata    passed",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("decides"), "no requirement does: {said}");
    let (_, said) = ask(&[METADATA, "--json"]);
    assert!(said.contains("\"decision\": \"serve\"") && said.contains("\"status\": 200"), "{said}");
    let (_, said) = ask(&["/.well-known/oauth-protected-resource"]);
    assert!(said.contains("refused: no_metadata") && said.contains("metadata    failed: no_metadata"), "{said}");
    let (_, said) = ask(&["/mcp"]);
    assert!(
        said.contains("resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/mcp\""),
        "{said}"
    );
    assert!(!said.contains("metadata    "), "nothing of what is at few addresses: {said}");
}

#[test]
fn cases_expect_the_answer() {
    let folder = place();
    let case = |name: &str, path: &str, status: u16| {
        format!(
            "- {{name: {name}, request: {{path: {path}, headers: {{host: mcp.example.com}}}}, expect: {{status: {status}}}}}\n"
        )
    };
    folder.write(
        "cases.yaml",
        &format!(
            "config: a.yaml\ncases:\n{}{}- {{name: c, request: {{path: /mcp}}, token: {{sub: alice, scope: admin}}, expect: {{status: 200}}}}\n",
            case("a", METADATA, 200),
            case("b", "/.well-known/oauth-protected-resource", 404),
        ),
    );
    let (status, said) = folder.say(&["test", "cases.yaml"]);
    assert_eq!(status, 0, "{said}");
    folder.write("cases.yaml", &format!("config: a.yaml\ncases:\n{}", case("a", METADATA, 401)));
    let (status, said) = folder.say(&["test", "cases.yaml"]);
    assert!(status == 1 && said.contains("status: expected 401, got 200"), "{said}");
}

#[test]
fn a_matrix_tells_what_is_answered_to_everyone_and_what_scopes_include() {
    let (status, said) = place().say(&["matrix", "a.yaml"]);
    assert_eq!(status, 0, "{said}");
    for line in [
        "  issuer idp: write is in admin too\n",
        "  issuer idp: read is in admin and write too\n",
        "  resource https://mcp.example.com/mcp: every request for https://mcp.example.com/.well-known/oauth-protected-resource/mcp is answered with its metadata, which names idp\n",
        "resource https://mcp.example.com/mcp",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}
