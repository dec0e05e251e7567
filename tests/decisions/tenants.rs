//! A tenant in the token against the one in the path or the host.

use crate::support::issuer::Token;
use crate::world::{Ask, config, configured_keys, get, policy, token};
use proptest::prelude::*;
use proptest::sample::select;
use scopegate::audit::AuditRecord;
use scopegate::base::text::percent_decode;
use scopegate::config::{Node, requirement};
use scopegate::decision::{Decision, Reason};
use scopegate::policy::{AuditSettings, CacheLimits, Policy};
use scopegate::token_cache::TokenCache;
use serde_json::{Value, json};

fn rule(matching: Value, condition: Value) -> Value {
    let mut condition = condition;
    condition["claim"] = json!("tenant");
    json!({ "match": matching, "claims": [condition] })
}

fn by_path() -> Value {
    rule(json!({ "template": "/tenants/{tenant}/**" }), json!({ "equals_path": "tenant" }))
}

/// A policy with this rule, in which nothing else passes.
fn only(rule: Value) -> Policy {
    policy(&config(json!({ "rules": [rule], "default": { "deny": true } })))
}

fn of(tenant: impl Into<Value>) -> Token<'static> {
    token().claim("tenant", tenant.into())
}

fn reason(decision: &Decision) -> Option<Reason> {
    match decision {
        Decision::Allow(_) => None,
        Decision::Deny(refusal) => Some(refusal.denial.reason()),
        other => panic!("undecided: {other:?}"),
    }
}

fn refused(ask: &Ask, policy: &Policy) -> Option<Reason> {
    reason(&ask.decide(policy))
}

#[test]
fn a_token_passes_on_the_paths_of_its_own_tenant() {
    let policy = only(by_path());
    for (tenant, target, wanted) in [
        (json!("acme"), "/tenants/acme/orders?tenant=other", None),
        (json!("acme"), "/tenants/acme/", None),
        (json!("acme"), "/tenants/%61cme/x", None),
        (json!("caf\u{e9}"), "/tenants/caf%C3%A9/x", None),
        (json!("a@b.c"), "/tenants/a%40b.c/x", None),
        (json!("acme"), "/tenants/other/x?tenant=acme", Some(Reason::ClaimMismatch)),
        (json!("acme"), "/tenants/Acme/x", Some(Reason::ClaimMismatch)),
        (json!("acme"), "/tenants/acme2/x", Some(Reason::ClaimMismatch)),
        (json!("acme"), "/tenants/other/acme", Some(Reason::ClaimMismatch)),
        (json!("acme"), "/tenants/acme%20/x", Some(Reason::ClaimMismatch)),
        (json!("%61cme"), "/tenants/%61cme/x", Some(Reason::ClaimMismatch)),
        (json!("%61cme"), "/tenants/%2561cme/x", Some(Reason::ClaimMismatch)),
        (json!("\u{fffd}"), "/tenants/%FF/x", Some(Reason::ClaimMismatch)),
        (json!(7), "/tenants/7/x", Some(Reason::ClaimMismatch)),
        (json!(true), "/tenants/true/x", Some(Reason::ClaimMismatch)),
        (json!(["acme"]), "/tenants/acme/x", Some(Reason::ClaimMismatch)),
        (json!({ "acme": true }), "/tenants/acme/x", Some(Reason::ClaimMismatch)),
        (Value::Null, "/tenants/null/x", Some(Reason::ClaimMismatch)),
        (json!("acme"), "/tenants/acme/../other/x", Some(Reason::AmbiguousPath)),
        (json!("acme"), "/tenants//acme/x", Some(Reason::AmbiguousPath)),
        (json!("acme"), "/tenants/acme%2Fx/x", Some(Reason::AmbiguousPath)),
        (json!(""), "/tenants//x", Some(Reason::AmbiguousPath)),
        (json!("acme"), "/tenants/acme", Some(Reason::Denied)),
    ] {
        assert_eq!(refused(&get(target).bearer(of(tenant.clone()).sign()), &policy), wanted, "{tenant} {target}");
    }
    assert_eq!(refused(&get("/tenants/acme/x").bearer(token().sign()), &policy), Some(Reason::ClaimMismatch));
    assert_eq!(refused(&get("/tenants/acme/x"), &policy), Some(Reason::NoCredential));
}

#[test]
fn an_admitted_form_of_a_path_names_no_tenant() {
    let config = config(json!({ "rules": [by_path()], "paths": { "allow": ["encoded_slash", "semicolon"] } }));
    for (tenant, target) in [
        ("acme/x", "/tenants/acme%2Fx/y"),
        ("acme%2Fx", "/tenants/acme%2Fx/y"),
        ("acme", "/tenants/acme%2Fx/y"),
        ("acme;x", "/tenants/acme;x/y"),
        ("acme", "/tenants/acme;x/y"),
    ] {
        let refused = get(target).bearer(of(tenant).sign()).refused(&config);
        assert_eq!(refused, Some(Reason::ClaimMismatch), "{tenant} {target}");
    }
    assert_eq!(get("/tenants/acme/a%2Fb;c").bearer(of("acme").sign()).refused(&config), None, "beyond the tenant");
}

#[test]
fn one_of_a_list_of_tenants_is_enough() {
    let claims = json!([{ "claim": ["tenants", "[]"], "equals_path": "t" }]);
    let policy = only(json!({ "match": { "template": "/{t}/**" }, "claims": claims }));
    let ask = |target: &str, tenants: Value| get(target).bearer(token().claim("tenants", tenants).sign());
    assert_eq!(refused(&ask("/b/x", json!(["a", "b"])), &policy), None);
    for tenants in [json!(["a", "c"]), json!([]), json!("b"), json!([["b"]])] {
        assert_eq!(refused(&ask("/b/x", tenants), &policy), Some(Reason::ClaimMismatch));
    }
}

#[test]
fn a_token_passes_on_the_host_of_its_own_tenant() {
    let label = rule(json!({ "host": "*.example.com" }), json!({ "equals_host": "*.example.com" }));
    let anywhere = rule(json!({ "prefix": "/" }), json!({ "equals_host": "*.example.com" }));
    let whole = rule(json!({ "prefix": "/" }), json!({ "equals_host": "*" }));
    for (rule, tenant, authority, wanted) in [
        (&label, "acme", "acme.example.com", None),
        (&label, "acme", "ACME.example.com.:8443", None),
        (&label, "acme", "other.example.com", Some(Reason::ClaimMismatch)),
        (&label, "Acme", "Acme.example.com", Some(Reason::ClaimMismatch)),
        (&label, "x.acme", "x.acme.example.com", Some(Reason::ClaimMismatch)),
        (&label, "acme", "acme.example.com:x", Some(Reason::AmbiguousHost)),
        (&label, "acme", "example.com", Some(Reason::Denied)),
        (&anywhere, "acme", "acme.example.com", None),
        (&anywhere, "acme", "acme.example.org", Some(Reason::ClaimMismatch)),
        (&anywhere, "acme", "acme.example.com:x", Some(Reason::ClaimMismatch)),
        (&anywhere, "acme", "acme", Some(Reason::ClaimMismatch)),
        (&whole, "shop.acme.com", "shop.acme.com:443", None),
        (&whole, "acme.com", "shop.acme.com", Some(Reason::ClaimMismatch)),
        (&whole, "shop.acme.com", "evil@shop.acme.com", Some(Reason::ClaimMismatch)),
    ] {
        let ask = get("/").header(":authority", authority).bearer(of(tenant).sign());
        assert_eq!(refused(&ask, &only(rule.clone())), wanted, "{tenant} {authority}");
    }
}

#[test]
fn a_remembered_token_is_held_against_each_request_anew() {
    let policy = only(by_path());
    let (keys, cache, signed) = (configured_keys(&policy), TokenCache::new(CacheLimits::default()), of("acme").sign());
    for (target, wanted) in [
        ("/tenants/acme/x", None),
        ("/tenants/other/x", Some(Reason::ClaimMismatch)),
        ("/tenants/acme/y", None),
        ("/tenants/other/x", Some(Reason::ClaimMismatch)),
    ] {
        let decision = get(target).bearer(&signed).decide_by(&policy, &keys, &cache);
        assert_eq!(reason(&decision), wanted, "{target}");
    }
}

#[test]
fn metadata_that_restricts_does_not_lift_what_the_rule_compares() {
    let config = config(json!({ "rules": [by_path()], "route_metadata": "restrict" }));
    let policy = policy(&config);
    let asks = |members: Value| requirement(&Node::from(members), &policy, &|_| None).unwrap();
    let host = json!({ "claims": [{ "claim": "tenant", "equals_host": "*.example.com" }] });
    for (members, authority, target, wanted) in [
        (json!({ "public": true }), "api.example.com", "/tenants/acme/x", None),
        (json!({ "public": true }), "api.example.com", "/tenants/other/x", Some(Reason::ClaimMismatch)),
        (host.clone(), "acme.example.com", "/tenants/acme/x", None),
        (host.clone(), "acme.example.com", "/tenants/other/x", Some(Reason::ClaimMismatch)),
        (host, "other.example.com", "/tenants/acme/x", Some(Reason::ClaimMismatch)),
    ] {
        let ask = get(target).header(":authority", authority).bearer(of("acme").sign()).under(asks(members));
        assert_eq!(refused(&ask, &policy), wanted, "{authority} {target}");
    }
}

#[test]
fn the_record_has_the_tenant_of_the_token_and_of_the_request() {
    let cause = |rule: Value, token: Token<'_>, target: &str| {
        let policy = only(rule);
        let decision = get(target).bearer(token.sign()).decide(&policy);
        AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap().cause().unwrap()
    };
    for (tenant, target, wanted) in [
        (json!("acme"), "/tenants/other/x", "tenant is \"acme\"; wanted: equals_path tenant, which is other"),
        (
            json!(["a"]),
            "/tenants/a/x",
            "tenant is a list: a; wanted: equals_path tenant, which is a (for a list write %22[]%22 at the end of claim)",
        ),
        (json!(7), "/tenants/7/x", "tenant is 7; wanted: equals_path tenant, which is 7 (only text is compared)"),
        (
            json!("a"),
            "/tenants/a%3Fb/x",
            "tenant is \"a\"; wanted: equals_path tenant, which has no plain value in this request",
        ),
        (json!("a"), "/tenants/a%22b/x", "tenant is \"a\"; wanted: equals_path tenant, which is a%22b"),
        (Value::Null, "/tenants/a/x", "tenant is missing; wanted: equals_path tenant, which is a"),
    ] {
        assert_eq!(cause(by_path(), of(tenant), target), wanted);
    }
    let host = rule(json!({ "prefix": "/" }), json!({ "equals_host": "*.example.com" }));
    let told = cause(host, of("acme"), "/");
    assert_eq!(told, "tenant is \"acme\"; wanted: equals_host *.example.com, which is api");
    let long = cause(by_path(), of("acme"), &format!("/tenants/{}/x", "y".repeat(5000)));
    assert!(long.ends_with("yyy...") && long.len() < 400, "{long}");
}

/// Segments near a tenant's name, as a client may write them.
fn segments() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "a", "b", "A", "%61", "%41", "%2561", "%2F", "%2f", ";", "%3B", ".", "%2E", "%20", "%00", "%", "%25", "%C3%A9",
        "%c3%a9", "%E9", "/", "?", "%3F", "%23", "+", "@", "%5C", "~", "%7E",
    ]);
    prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

fn tenants() -> impl Strategy<Value = String> {
    let near = segments().prop_map(|segment| String::from_utf8_lossy(&percent_decode(segment.as_bytes())).into_owned());
    prop_oneof![near, segments(), "[abA]{1,3}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn what_passes_names_the_tenant_however_plainly_an_upstream_reads(
        segment in segments(),
        other in prop::option::of(tenants()),
        allow in select(vec![json!([]), json!(["encoded_slash"]), json!(["semicolon"]), json!(["encoded_slash", "semicolon"])]),
        template in select(vec!["/tenants/{tenant}/**", "/tenants/{tenant}/x", "/{any}/{tenant}/*"]),
    ) {
        let rule = rule(json!({ "template": template }), json!({ "equals_path": "tenant" }));
        let members = json!({ "rules": [rule], "default": { "deny": true }, "paths": { "allow": allow } });
        let tenant = other.unwrap_or_else(|| String::from_utf8_lossy(&percent_decode(segment.as_bytes())).into_owned());
        let target = format!("/tenants/{segment}/x");
        let passes = get(&target).bearer(of(tenant.as_str()).sign()).refused(&config(members)).is_none();
        // The plainest upstreams: the second segment as it is, decoded once, or of a path that is decoded first.
        let raw = |path: &[u8]| path.split(|&byte| byte == b'/').nth(2).unwrap_or_default().to_vec();
        let path = target.split('?').next().unwrap_or_default().as_bytes();
        let (as_it_is, decoded, decoded_first) = (raw(path), percent_decode(&raw(path)), raw(&percent_decode(path)));
        let again = percent_decode(&decoded);
        if passes {
            prop_assert!(as_it_is == tenant.as_bytes() || decoded == tenant.as_bytes(), "{target} {tenant}");
            prop_assert_eq!(&decoded_first, tenant.as_bytes(), "{}", target);
            prop_assert_eq!(&again, tenant.as_bytes(), "{}", target);
        }
        let is_simple = segment.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'@' || byte == b'~');
        if is_simple {
            prop_assert_eq!(passes, segment == tenant, "a plain segment passes for its own tenant");
        }
    }
}
