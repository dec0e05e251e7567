//! Conditions that compare a claim with a part of the request.

use super::{problems, read, with};
use scopegate::config::{Node, requirement};

#[test]
fn what_is_wrong_with_a_part_of_the_request_is_said() {
    let claims = "claims: [{claim: t, equals_path: tenant}]";
    let rule = |matching: &str| with(&format!("rules: [{{match: {matching}, {claims}}}]"));
    let host = |pattern: &str| with(&format!("default: {{claims: [{{claim: t, equals_host: {pattern}}}]}}"));
    snapshot!(problems(&[
        ("a variable in the default", with(&format!("default: {{{claims}}}"))),
        ("a variable in a method of the default", with(&format!("default: {{methods: {{GET: {{{claims}}}}}}}"))),
        ("a variable of no template", rule("{path_separated_prefix: /tenants}")),
        ("a variable in a rule for a host", rule("{host: '*.example.com'}")),
        ("a variable of another name", rule("{template: '/tenants/{id}/{user}'}")),
        ("a variable of a template without one", rule("{template: '/tenants/*/**'}")),
        ("a variable of a template that is none", rule("{template: '/tenants/{tenant}x/y'}")),
        (
            "a variable that is no text",
            with("rules: [{match: {template: '/{t}'}, claims: [{claim: t, equals_path: 1}]}]")
        ),
        (
            "a variable and a value",
            with("rules: [{match: {template: '/{t}'}, claims: [{claim: t, equals_path: t, equals: a}]}]")
        ),
        ("a host without a star", host("api.example.com")),
        ("a host with a star in it", host("'a.*.com'")),
        ("a host with two stars", host("'*.*.com'")),
        ("a host that is true", host("true")),
        ("a host with a port", host("'*.example.com:443'")),
        ("a star and a dot", host("'*.'")),
    ]));
}

#[test]
fn a_variable_is_known_in_every_method_of_its_rule() {
    let rule = "{match: {template: '/{t}/x'}, methods: {GET: {claims: [{claim: t, equals_path: t}]}}}";
    assert!(read(&with(&format!("rules: [{rule}]"))).is_ok());
}

#[test]
fn route_metadata_can_name_the_host_and_no_variable() {
    let policy = read(&with("rules: [{match: {template: '/{t}/x'}}]")).unwrap().policy;
    let metadata = |condition: serde_json::Value| {
        requirement(&Node::from(serde_json::json!({ "claims": [condition] })), &policy, &|_| None)
    };
    assert!(metadata(serde_json::json!({ "claim": "t", "equals_host": "*.example.com" })).is_ok());
    let error = metadata(serde_json::json!({ "claim": "t", "equals_path": "t" })).unwrap_err().to_string();
    assert!(error.contains("names a variable where there is no template"), "{error}");
}
