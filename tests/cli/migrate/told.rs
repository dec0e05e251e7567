//! What the report says: it names the way back, and what came where a name is wrong.

use super::{EVERY, envoy, jwt, migrate, rbac_with};
use crate::world::{folder, run};
use std::fs;

const RULES: &str = "rules: [{match: {prefix: /}, requires: {provider_name: idp}}]";

#[test]
fn the_way_back_for_paths_names_what_the_connection_manager_lacks() {
    let text = envoy(&jwt(RULES), EVERY);
    let restored = |text: &str| {
        let told = migrate(text).told;
        let all = told["findings"].as_array().unwrap();
        let own = all.iter().find(|finding| finding["what"].as_str().unwrap().starts_with("judged paths")).unwrap();
        own["restore"].as_str().unwrap().to_owned()
    };
    let escapes = "paths: {allow: [encoded_slash, semicolon]} for `;` and `%2F`";
    assert_eq!(restored(&text), escapes);
    let merged = text.replace("normalize_path: true", "normalize_path: false");
    let dots = "for `//` and dot segments with normalize_path of the connection manager";
    assert_eq!(restored(&merged), format!("{escapes}, and {dots}"));
    let neither = merged.replace("          merge_slashes: true\n", "");
    let both = dots.replace("normalize_path", "normalize_path and merge_slashes");
    assert_eq!(restored(&neither), format!("{escapes}, and {both}"));
}

#[test]
fn a_policy_on_get_says_that_head_is_closed() {
    let policy = |methods: &str| {
        let header = format!("{{header: {{name: ':method', string_match: {methods}}}}}");
        let rbac =
            rbac_with(&format!("rules: {{policies: {{p: {{permissions: [{header}], principals: [{{any: true}}]}}}}}}"));
        migrate(&envoy(&format!("{}{rbac}", jwt(RULES)), EVERY))
    };
    let words = "HEAD is closed on its own, since `methods: [GET]` covers HEAD and the old policy did not";
    let get = policy("{exact: GET}");
    let closed = serde_json::json!({"match": {"methods": ["HEAD"]}, "deny": true});
    assert!(get.plugin["rules"].as_array().unwrap().contains(&closed), "{:#}", get.plugin);
    assert!(get.tells("note", words), "{:?}", get.told);
    for methods in ["{safe_regex: {regex: 'GET|HEAD'}}", "{exact: POST}", "{exact: HEAD}"] {
        let other = policy(methods);
        assert!(!other.tells("note", words), "{methods}: {:?}", other.told);
    }
}

#[test]
fn what_only_reports_refuses_nothing_yet() {
    let folder = folder();
    fs::write(folder.join("old.yaml"), envoy(&jwt(RULES), EVERY)).unwrap();
    let told = |more: &[&str]| run(&[&["migrate", "old.yaml"], more].concat(), &folder).stderr;
    let (enforced, reported) = (told(&[]), told(&["--report-only"]));
    let (now, then) =
        ("Stricter: refused now, and let through before", "Stricter: would be refused once it is enforced");
    assert!(enforced.contains(now) && !enforced.contains(then), "{enforced}");
    assert!(reported.contains(then) && !reported.contains(now), "{reported}");
}

#[test]
fn a_wrong_name_of_a_provider_is_told_with_those_that_there_are() {
    let became = migrate(&envoy(&jwt(&RULES.replace("idp}", "ipd}")), EVERY));
    assert!(
        became.tells("denied", "`ipd` is no provider of this filter, which has `idp`, `other`"),
        "{:?}",
        became.told
    );
}

#[test]
fn a_key_set_that_is_not_json_is_told_with_the_place() {
    let keys = "{\\\"keys\\\": [,]}";
    let provider =
        format!("providers: {{p: {{issuer: a, audiences: [a], local_jwks: {{inline_string: \"{keys}\"}}}}}}");
    let filter = format!(
        "- name: envoy.filters.http.jwt_authn
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
    {provider}
    rules: [{{match: {{prefix: /}}, requires: {{provider_name: p}}}}]
"
    );
    let text = envoy(&filter, EVERY);
    let became = migrate(&text);
    assert!(
        became.tells("denied", "a key set that is not JSON: expected value at line 1 column 11"),
        "{:?}",
        became.told
    );
    // Both lines are true under one heading.
    assert!(became.tells("denied", "its chain is left as it is") && became.new.is_empty(), "{:?}", became.told);
    let folder = folder();
    fs::write(folder.join("old.yaml"), text).unwrap();
    let told = run(&["migrate", "old.yaml"], &folder).stderr;
    assert!(told.contains("stands where it held, unless the line says otherwise"), "{told}");
}
