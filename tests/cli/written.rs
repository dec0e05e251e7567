//! Values that look like patterns where `scopegate check` knows that they are compared as they are.

use crate::check::{check, with};
use crate::judgements::{RULES, finds, metadata, strict};

#[test]
fn text_that_looks_like_a_pattern_is_named_with_the_form_that_is_meant() {
    let issuer = |text: &str| with("issuer: https://issuer.example.com/ ", &format!("issuer: \"{text}\" "));
    let rule =
        |matching: &str| with(RULES, &format!("{RULES}                    - {{match: {{{matching}}}, scopes: [a]}}\n"));
    let scopes = |text: &str| metadata(&format!("metadata: {{filter_metadata: {{scopegate: {text}}}}}"));
    for (severity, text, words) in [
        ("error", issuer("https://login.example.com/{tenantid}/v2.0"), "an entry for each tenant"),
        ("error", issuer("https://login.example.com/<TENANT>/v2.0"), "an entry for each tenant"),
        ("error", issuer("https://${HOST}/"), "fill it in before the file is used"),
        ("warning", issuer("https://login.microsoftonline.com/common/v2.0"), "puts the id of the tenant"),
        ("warning", with("audiences: [https://api.example.com]", "audiences: [\"*\"]"), "name each value"),
        ("error", with("http://127.0.0.1:10002/jwks.json", "http://127.0.0.1:10002/{tenant}/keys"), "as it is fetched"),
        ("error", rule("path: \"/users/{id}\""), "write template: \"/users/{id}\""),
        ("warning", rule("path: \"/orders/*\""), "write template: \"/orders/*\""),
        ("warning", rule("path: \"/users/:id/x\""), "write template: \"/users/{id}/x\""),
        ("warning", rule("path: \"^/users/[0-9]+$\""), "there are no regular expressions"),
        ("warning", rule("prefix: \"/api/*\""), "write \"/api/\": a prefix takes everything"),
        ("error", rule("path_separated_prefix: \"/users/{id}\""), "write template"),
        ("warning", scopes("{scopes: [\"orders:*\"]}"), "name each scope"),
        ("warning", scopes("{scopes: {any_of: [a, {all_of: [\"${SCOPE}\"]}]}}"), "fill it in"),
        ("warning", scopes("{claims: [{claim: repository, equals: \"octo/*\"}]}"), "name each value"),
        ("warning", scopes("{claims: [{claim: tenant, equals: \"{tenant}\"}]}"), "write equals_path with its name"),
        ("warning", scopes("{claims: [{claim: tenant, equals: \"*.example.com\"}]}"), "write equals_host"),
        ("warning", scopes("{methods: {GET: {claims: [{claim: sub, one_of: [\"repo:octo/*\"]}]}}}"), "name each value"),
    ] {
        let checked = check(&text);
        let line = checked.stdout.lines().find(|line| line.contains("[compared-as-it-is]"));
        let line = line.unwrap_or_else(|| panic!("{words}: {}", checked.stdout));
        assert!(line.contains(&format!("{severity}[")) && line.contains(words), "{line}");
        assert_eq!(strict(&text).status, 1);
    }
    for right in [
        rule("template: \"/users/{id}/**\""),
        rule("host: \"*.example.com\"").replacen("domains: [\"*\"]", "domains: [api.example.com]", 1),
        rule("path: \"/v1/things:cancel\""),
        rule("path: /a.b"),
        scopes("{scopes: [\"https://graph.example.com/.default\", \"orders:read\"]}"),
        scopes("{claims: [{claim: [realm_access, roles], contains: admin}]}"),
    ] {
        let said = check(&right).stdout;
        assert!(!said.contains("compared-as-it-is"), "{said}");
    }
}

#[test]
fn a_dotted_claim_is_named_with_the_list_that_is_meant_where_that_is_plausible() {
    let claims = |list: &str| {
        with("max_lifetime: 1h", &format!("max_lifetime: 1h\n                      scope_claims: [{list}]"))
    };
    let forward = |claim: &str| with("x-auth-subject: sub", &format!("x-auth-subject: {claim}"));
    let condition = |claim: &str| {
        metadata(&format!(
            "metadata: {{filter_metadata: {{scopegate: {{claims: [{{claim: {claim}, contains: a}}]}}}}}}"
        ))
    };
    finds(&[
        ("dotted-claim", claims("realm_access.roles"), claims("[realm_access, roles]")),
        ("dotted-claim", claims("scope, resource_access.my-api.roles"), claims("\"https://example.com/roles\"")),
        ("dotted-claim", forward("realm_access.roles"), forward("[realm_access, roles]")),
        ("dotted-claim", condition("realm_access.roles"), condition("kubernetes.io")),
    ]);
    let said = check(&claims("realm_access.roles"));
    assert!(
        said.stdout.contains("warning[dotted-claim]") && said.stdout.contains("write [realm_access, roles]"),
        "{said:?}"
    );
    assert_eq!(strict(&claims("realm_access.roles")).status, 1);
}
