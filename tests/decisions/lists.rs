//! `lists: granted`: a list shows what its reader may call, and the judgement is that of a call.

use crate::credentials::{ACME, accepting};
use crate::world::{Ask, NOW, OTHER, config, configured_keys, extend, get, policy, token};
use proptest::prelude::*;
use scopegate::base::time::UnixSeconds;
use scopegate::config::{Node, requirement};
use scopegate::decision::{Basis, Decision, Grant, ShownLists};
use scopegate::engine::decide;
use scopegate::facts::{Body, Facts, NoMemory, NothingUsed};
use scopegate::mcp::message::Subject;
use scopegate::policy::Policy;
use scopegate::request::RequestView;
use serde_json::{Value, json};

fn post(ask: &Ask) -> Ask {
    ask.clone().method("POST").header("content-type", "application/json")
}

fn decide_on(ask: &Ask, policy: &Policy, body: Body<'_>) -> Decision {
    ask.judge(&configured_keys(policy), &NoMemory, |view, facts| {
        let view = RequestView { ends_with_headers: false, ..*view };
        decide(policy, &view, &Facts { body, replay: &NothingUsed, ..*facts })
    })
}

fn send(ask: &Ask, policy: &Policy, method: &str, params: Value) -> Decision {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    decide_on(&post(ask), policy, Body::Whole(message.to_string().as_bytes()))
}

fn granted(decision: Decision) -> Grant {
    match decision {
        Decision::Allow(grant) => grant,
        other => panic!("not allowed: {other:?}"),
    }
}

fn lists(decision: Decision) -> Option<ShownLists> {
    granted(decision).response.and_then(|edits| edits.lists).map(|lists| *lists)
}

/// The method of a call, and what it names.
fn call(subject: &Subject<'_>) -> (&'static str, Value) {
    match subject {
        Subject::Tool(name) => ("tools/call", json!({ "name": name })),
        Subject::Prompt(name) => ("prompts/get", json!({ "name": name })),
        Subject::Resource(uri) => ("resources/read", json!({ "uri": uri })),
        Subject::Template(template) => {
            ("completion/complete", json!({ "ref": { "type": "ref/resource", "uri": template } }))
        }
    }
}

const METHODS: [&str; 4] = ["tools/list", "prompts/list", "resources/list", "resources/templates/list"];

/// Holds what a list shows against what becomes of a call.
#[track_caller]
fn agree(ask: &Ask, policy: &Policy, subjects: &[Subject<'_>]) -> usize {
    let mut shown = 0;
    for method in METHODS {
        let lists = lists(send(ask, policy, method, json!({}))).expect("lists are filtered");
        shown = 0;
        for subject in subjects {
            let (method, params) = call(subject);
            let may_call = matches!(send(ask, policy, method, params), Decision::Allow(_));
            assert_eq!(lists.shows(subject, UnixSeconds(ask.now)), may_call, "{subject:?}");
            shown += usize::from(may_call);
        }
    }
    shown
}

fn subjects() -> Vec<Subject<'static>> {
    let mut all = Vec::new();
    for name in ["a", "ab", "b", "ba", "c", "other"] {
        all.push(Subject::Tool(name.into()));
        all.push(Subject::Prompt(name.into()));
    }
    for uri in ["memo://a", "memo://a/b", "memo://b", "memo://%61", "MEMO://a", "file:///x/../y"] {
        all.push(Subject::Resource(uri.into()));
    }
    for template in ["memo://{x}", "memo://a/{x}", "memo://b", "MEMO://{x}", "{+all}"] {
        all.push(Subject::Template(template.into()));
    }
    all
}

/// What an item asks, in every way that it can.
fn item() -> impl Strategy<Value = Value> {
    prop_oneof![
        2 => Just(json!({})),
        2 => Just(json!({ "deny": true })),
        3 => prop::sample::select(vec!["read", "write", "all"]).prop_map(|scope| json!({ "scopes": [scope] })),
        1 => Just(json!({ "scopes": { "any_of": ["x", { "all_of": ["read", "write"] }] } })),
        1 => Just(json!({ "claims": [{ "claim": "role", "equals": "admin" }] })),
        1 => Just(json!({ "claims": [{ "claim": "tenant", "equals_host": "*.example.com" }] })),
        1 => prop::sample::select(vec!["demo", "other"]).prop_map(|name| json!({ "issuers": [name] })),
        1 => Just(json!({ "max_token_age": "1m" })),
        1 => Just(json!({ "acr_values": ["high"] })),
        1 => Just(json!({ "max_auth_age": "1m", "scopes": ["read"] })),
    ]
}

fn rules(naming: &'static str, patterns: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let rule = (prop::sample::select(patterns), item()).prop_map(move |(pattern, mut item)| {
        item[naming] = pattern.into();
        item
    });
    (prop::collection::vec(rule, 0..5), item())
        .prop_map(|(rules, default)| json!({ "rules": rules, "default": default }))
}

fn mcp() -> impl Strategy<Value = Value> {
    let names = &["a", "a*", "*b*", "c", "*"];
    let methods = &["tools/call", "prompts/get", "notifications/*"];
    let uris = &["memo://a", "memo://a*", "memo://*", "*b", "memo://%61"];
    (rules("tool", names), rules("prompt", names), rules("uri", uris), rules("method", methods)).prop_map(
        |(tools, prompts, resources, mut methods)| {
            methods["default"] = json!({});
            json!({ "lists": "granted", "tools": tools, "prompts": prompts, "resources": resources, "methods": methods })
        },
    )
}

fn claims() -> impl Strategy<Value = Value> {
    let scope = prop::sample::select(vec!["base", "base read", "base write", "base read write", "base all"]);
    let ages = prop::sample::select(vec![0_i64, 60, 61, 200]);
    (scope, ages.clone(), prop::option::of(ages), any::<[bool; 3]>()).prop_map(
        |(scope, age, auth, [role, tenant, acr])| {
            let mut claims = json!({ "scope": scope, "iat": NOW - age });
            extend(&mut claims, if role { json!({ "role": "admin" }) } else { json!({}) });
            extend(&mut claims, if tenant { json!({ "tenant": "api" }) } else { json!({ "tenant": "b" }) });
            extend(&mut claims, if acr { json!({ "acr": "high" }) } else { json!({}) });
            extend(&mut claims, auth.map_or(json!({}), |age| json!({ "auth_time": NOW - age })));
            claims
        },
    )
}

fn with_claims(claims: &Value) -> String {
    let set = claims.as_object().unwrap().iter();
    set.fold(token(), |token, (name, value)| token.claim(name, value.clone())).sign()
}

/// Two issuers, of which the first has a scope that includes others.
fn two_issuers(default: Value) -> Value {
    let mut all = config(json!({ "default": default }));
    all["issuers"][0]["implies"] = json!({ "all": ["read", "write"] });
    all["issuers"][0]["leeway"] = json!("0s");
    let other = json!({ "issuer": "https://other.example.com/", "name": "other", "audiences": ["x"],
                        "jwks": { "inline": OTHER.jwks() } });
    all["issuers"].as_array_mut().unwrap().push(other);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_list_shows_what_a_call_is_let_through_for(mcp in mcp(), claims in claims()) {
        let policy = policy(&two_issuers(json!({ "scopes": ["base"], "mcp": mcp })));
        agree(&get("/mcp").bearer(with_claims(&claims)), &policy, &subjects());
    }

    #[test]
    fn it_does_so_where_metadata_asks_too(rules in mcp(), added in mcp(), claims in claims()) {
        let mut config = two_issuers(json!({ "scopes": ["base"], "mcp": rules }));
        config["route_metadata"] = "restrict".into();
        let policy = policy(&config);
        let added = requirement(&Node::from(json!({ "mcp": added })), &policy, &|_| None).unwrap();
        agree(&get("/mcp").bearer(with_claims(&claims)).under(added), &policy, &subjects());
    }
}

#[test]
fn what_no_one_may_read_is_in_no_list_of_resources() {
    let methods = json!({ "rules": [{ "method": "resources/read", "scopes": ["x"] }] });
    let policy = policy(&config(json!({ "default": { "mcp": { "lists": "granted", "methods": methods } } })));
    for (scope, shown) in [("orders:read", false), ("x", true)] {
        let ask = get("/mcp").bearer(token().scope(scope).sign());
        let lists = lists(send(&ask, &policy, "resources/list", json!({}))).unwrap();
        for subject in [Subject::Resource("a:".into()), Subject::Template("a:{b}".into())] {
            assert_eq!(lists.shows(&subject, UnixSeconds(NOW)), shown, "{subject:?} {scope}");
        }
        assert!(lists.shows(&Subject::Tool("a".into()), UnixSeconds(NOW)));
    }
}

/// Keys have scopes and claims, and a token beside one has the dates.
#[test]
fn it_does_so_for_every_kind_of_credential() {
    let scoped = json!({ "lists": "granted", "tools": { "rules": [
        { "tool": "a", "scopes": ["orders:read"] }, { "tool": "b", "scopes": ["x"] }, { "tool": "c", "claims": [{ "claim": "tenant", "equals": "acme" }] },
        { "tool": "ba", "deny": true },
    ] } });
    let mut dated = scoped.clone();
    dated["tools"]["rules"].as_array_mut().unwrap().push(json!({ "tool": "ab", "max_token_age": "1m" }));
    let old = token().claim("iat", NOW - 200).claim("scope", "x").sign();
    let key = || get("/mcp").header("x-api-key", ACME);
    for (credentials, mcp, ask, shown) in [
        (json!("partners"), &scoped, key(), 2 + 2),
        (json!({ "any_of": ["bearer", "partners"] }), &scoped, key(), 2 + 2),
        (json!({ "any_of": ["bearer", "partners"] }), &scoped, get("/mcp").bearer(&old), 2 + 1),
        (json!({ "all_of": ["partners", "bearer"] }), &dated, key().bearer(&old), 1 + 2),
        (json!({ "all_of": ["bearer", "partners"] }), &dated, key().bearer(&old), 1 + 1),
        (json!({ "all_of": ["partners", "bearer"] }), &dated, key().bearer(token().sign()), 2 + 2),
    ] {
        let policy = policy(&accepting(credentials, json!({ "mcp": mcp })));
        let tools: Vec<Subject<'_>> =
            ["a", "ab", "b", "ba", "c", "other"].map(|name| Subject::Tool(name.into())).into();
        assert_eq!(agree(&ask, &policy, &tools), shown, "{ask:?}");
    }
}

/// Where metadata restricts, what its items ask is asked of its own credential, too.
#[test]
fn an_item_is_asked_of_the_credential_of_its_own_requirement() {
    let mut config = accepting(json!("partners"), json!({ "mcp": { "lists": "granted" } }));
    config["route_metadata"] = "restrict".into();
    let policy = policy(&config);
    let rules = json!([{ "tool": "a", "scopes": ["orders:read"] }, { "tool": "b", "scopes": ["x"] }]);
    let added =
        requirement(&Node::from(json!({ "mcp": { "tools": { "rules": rules } } })), &policy, &|_| None).unwrap();
    let tools: Vec<Subject<'_>> = ["a", "b", "c"].map(|name| Subject::Tool(name.into())).into();
    for (scope, shown) in [("x", 1), ("orders:read", 2), ("orders:read x", 2)] {
        let ask = get("/mcp").header("x-api-key", ACME).bearer(token().scope(scope).sign()).under(added.clone());
        assert_eq!(agree(&ask, &policy, &tools), shown, "{scope}");
    }
}

#[test]
fn without_a_credential_a_list_shows_what_asks_nothing() {
    let mcp = json!({ "lists": "granted", "tools": { "rules": [{ "tool": "a*" }], "default": { "scopes": ["x"] } } });
    let policy = policy(&config(json!({ "default": { "allow_missing": true, "mcp": mcp } })));
    let tools: Vec<Subject<'_>> = ["a", "ab", "b"].map(|name| Subject::Tool(name.into())).into();
    assert_eq!(agree(&get("/mcp"), &policy, &tools), 2);
}

/// The answer to a request can come, and go on, long after it.
#[test]
fn an_answer_shows_nothing_after_the_token_and_no_item_after_its_age() {
    let mcp = json!({ "lists": "granted", "tools": { "rules": [
        { "tool": "a" }, { "tool": "b", "max_token_age": "1m" }, { "tool": "c", "max_auth_age": "2m" },
    ] } });
    let configured = |more: Value| {
        let mut config = config(json!({ "default": { "mcp": mcp } }));
        config["issuers"][0]["leeway"] = "10s".into();
        extend(&mut config["default"], more);
        policy(&config)
    };
    let ask = get("/mcp").bearer(token().claim("auth_time", NOW).sign());
    let shown = |lists: &ShownLists, after: i64| {
        ["a", "b", "c"].map(|name| lists.shows(&Subject::Tool(name.into()), UnixSeconds(NOW + after)))
    };
    let lists_of = |policy: &Policy| lists(decide_on(&ask, policy, Body::Whole(b""))).unwrap();
    let lists = lists_of(&configured(json!({})));
    for (after, wanted) in [
        (0, [true, true, true]),
        (70, [true, true, true]),
        (71, [true, false, true]),
        (130, [true, false, true]),
        (131, [true, false, false]),
        (309, [true, false, false]),
        (310, [false, false, false]),
    ] {
        assert_eq!(shown(&lists, after), wanted, "{after} seconds later");
    }
    let lists = lists_of(&configured(json!({ "max_token_age": "3m" })));
    assert_eq!([190, 191].map(|after| shown(&lists, after)[0]), [true, false]);
}

#[test]
fn only_answers_that_may_hold_a_list_are_looked_at() {
    let mcp = |lists: &str| json!({ "lists": lists, "tools": { "rules": [{ "tool": "a", "scopes": ["x"] }] } });
    let policy_of = |lists: &str, more: Value| {
        let mut default = json!({ "mcp": mcp(lists) });
        extend(&mut default, more);
        policy(&config(json!({ "default": default })))
    };
    let granted_only = policy_of("granted", json!({}));
    let ask = get("/mcp").bearer(token().sign()).header("accept-encoding", "gzip").header("accept-encoding", "br");
    let looks = |policy: &Policy, decision: Decision| {
        let grant = granted(decision);
        let removes = grant.remove.iter().filter(|name| *name == "accept-encoding").count();
        let looks = grant.response.is_some_and(|edits| edits.lists.is_some());
        assert_eq!(removes, usize::from(looks), "what is looked at must not be compressed: {policy:?}");
        looks
    };
    for (method, params, wanted) in [
        ("tools/list", json!({ "cursor": "2" }), true),
        ("resources/templates/list", json!({}), true),
        ("tools/call", json!({ "name": "b" }), false),
        ("resources/read", json!({ "uri": "a:" }), false),
        ("initialize", json!({}), false),
        ("notifications/initialized", json!({}), false),
    ] {
        let decision = send(&ask, &granted_only, method, params.clone());
        assert_eq!(looks(&granted_only, decision), wanted, "{method}");
        let all = policy_of("all", json!({}));
        assert!(!looks(&all, send(&ask, &all, method, params)), "{method}");
    }
    for (method, wanted) in [("GET", true), ("DELETE", false)] {
        let decision = decide_on(&ask.clone().method(method), &granted_only, Body::Whole(b""));
        assert_eq!(looks(&granted_only, decision), wanted, "{method}");
    }
    // What is only reported is not hidden: it may be called.
    let reporting = policy_of("granted", json!({ "report_only": true, "scopes": ["y"] }));
    let grant = granted(send(&ask, &reporting, "tools/list", json!({})));
    assert!(matches!(grant.basis, Basis::ReportOnly(_)) && grant.response.is_none());
    let reporting = policy_of("granted", json!({ "report_only": true }));
    assert!(!looks(&reporting, send(&ask, &reporting, "tools/list", json!({}))));
}

/// Headers that go on alone are edited before it is known what the body asks for; an answer could come before it.
#[test]
fn before_its_message_is_read_an_answer_shows_nothing() {
    let mcp = json!({ "lists": "granted" });
    let policy = policy(&config(json!({ "default": { "mcp": mcp } })));
    let ask = post(&get("/mcp").bearer(token().sign()).header("accept-encoding", "gzip"));
    let pending = |ask: &Ask| match decide_on(ask, &policy, Body::Awaited) {
        Decision::Await(pending) => *pending.grant.unwrap(),
        other => panic!("{other:?}"),
    };
    let grant = pending(&ask);
    assert!(grant.remove.iter().any(|name| name == "accept-encoding"));
    assert!(!grant.response.unwrap().lists.unwrap().shows(&Subject::Tool("a".into()), UnixSeconds(NOW)));
    // Where headers say what it is, they are believed until the body is here, which has to agree.
    let stateless = ask.header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/call");
    let grant = pending(&stateless.header("mcp-name", "a"));
    assert!(grant.response.is_none() && !grant.remove.iter().any(|name| name == "accept-encoding"));
}

#[test]
fn a_list_under_the_stateless_revision_says_that_it_is_private() {
    let policy = policy(&config(json!({ "default": { "mcp": { "lists": "granted" } } })));
    let ask = get("/mcp").bearer(token().sign());
    assert!(!lists(send(&ask, &policy, "tools/list", json!({}))).unwrap().is_stateless);
    let stateless = ask.header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/list");
    let params = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } });
    assert!(lists(send(&stateless, &policy, "tools/list", params)).unwrap().is_stateless);
}
