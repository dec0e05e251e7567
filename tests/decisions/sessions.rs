//! Session ids of MCP servers: only the identity that one was handed out to gets it to the server.

use crate::credentials::{ACME, sets};
use crate::resources::{MCP, gate};
use crate::world::{Ask, DEMO, NOW, OTHER, config, environment, extend, get, policy, reported, token, with_issuer};
use scopegate::challenge::{self, Terms};
use scopegate::config::{Node, requirement};
use scopegate::decision::{Basis, Decision, Grant, Reason};
use scopegate::policy::SESSION_ID;
use serde_json::{Value, json};

const OF_SERVER: &str = "1868a90c-2f3e";

fn session(keys: &[&str]) -> Value {
    json!({ "session": { "keys": keys.iter().map(|name| json!({ "env": name })).collect::<Vec<_>>() } })
}

fn binding() -> Value {
    config(json!({ "default": { "mcp": session(&["SECRET_32"]) } }))
}

fn alice() -> Ask {
    get("/mcp").bearer(token().sign())
}

/// What the client gets for an id that the server hands out.
fn handed_out(ask: &Ask, config: &Value, id: &str) -> String {
    let bound = ask.granted(config).response.and_then(|edits| edits.session).expect("sessions are bound");
    bound.bind(id.as_bytes()).expect("an id")
}

/// What a server gets of the header: nothing, or what it is set to.
fn forwarded(grant: &Grant, ask: &Ask) -> Option<String> {
    let edited = grant.set.iter().find(|(name, _)| **name == *SESSION_ID).map(|(_, id)| id.clone());
    let own = ask.headers.iter().find(|(name, _)| name == SESSION_ID).map(|(_, id)| String::from_utf8_lossy(id).into());
    edited.or(own.filter(|_| !grant.remove.iter().any(|name| name == SESSION_ID)))
}

/// The id that the server gets, or the reason for which the request is refused.
fn received(ask: &Ask, config: &Value) -> Result<Option<String>, Reason> {
    match ask.decide_under(config) {
        Decision::Allow(grant) => Ok(forwarded(&grant, ask)),
        Decision::Deny(refusal) => Err(refusal.denial.reason()),
        other => panic!("undecided: {other:?}"),
    }
}

const OPENED: Result<Option<&str>, Reason> = Ok(Some(OF_SERVER));

fn shown(received: &Result<Option<String>, Reason>) -> Result<Option<&str>, Reason> {
    received.as_ref().map(Option::as_deref).map_err(|reason| *reason)
}

#[test]
fn the_server_sees_its_own_id_from_the_identity_that_it_was_handed_out_to() {
    let id = handed_out(&alice(), &binding(), OF_SERVER);
    assert_ne!(id, OF_SERVER);
    for method in ["GET", "DELETE"] {
        let ask = alice().method(method).header(SESSION_ID, &id);
        assert_eq!(shown(&received(&ask, &binding())), OPENED, "{method}");
        assert!(ask.granted(&binding()).response.is_some(), "a later response may have the header, too");
    }
    let refreshed = token().claim("iat", NOW - 1).claim("exp", NOW + 900).claim("jti", "2").claim("scope", "other");
    let refreshed = get("/mcp").bearer(refreshed.sign()).header(SESSION_ID, &id);
    assert_eq!(shown(&received(&refreshed, &binding())), OPENED, "a refreshed token");
    assert_eq!(shown(&received(&alice(), &binding())), Ok(None), "a request without a session");
}

#[test]
fn no_other_identity_gets_into_a_session() {
    let two_issuers = |members: Value| {
        let mut config = with_issuer(json!({}), members);
        let other = json!({ "issuer": "https://other.example.com/", "audiences": ["https://api.example.com"],
                            "jwks": { "inline": OTHER.jwks() } });
        config["issuers"].as_array_mut().unwrap().push(other);
        config
    };
    let config = two_issuers(json!({ "default": { "allow_missing": true, "mcp": session(&["SECRET_32"]) } }));
    let with = |name: &str, value: &str| get("/mcp").bearer(token().claim(name, value).sign());
    let elsewhere = OTHER.token(NOW).claim("iss", "https://other.example.com/");
    let asks = [
        alice(),
        with("sub", "bob"),
        with("client_id", "agent"),
        with("azp", "agent-2"),
        get("/mcp").bearer(elsewhere.sign()),
        get("/mcp"),
    ];
    for (owner, own) in asks.iter().enumerate() {
        let id = handed_out(own, &config, OF_SERVER);
        for (sender, ask) in asks.iter().enumerate() {
            let wanted = if owner == sender { OPENED } else { Err(Reason::ForeignSession) };
            let ask = ask.clone().header(SESSION_ID, &id);
            assert_eq!(shown(&received(&ask, &config)), wanted, "{owner} {sender}");
        }
    }
    let same_client = with("client_id", "agent");
    let id = handed_out(&with("azp", "agent"), &config, OF_SERVER);
    assert_eq!(shown(&received(&same_client.header(SESSION_ID, id), &config)), OPENED, "azp is the client, too");
}

#[test]
fn no_other_text_is_a_session() {
    let [id, second] = [OF_SERVER, "another"].map(|id| handed_out(&alice(), &binding(), id));
    let (tag, other) = (&id[id.len() - 22..], &second[second.len() - 22..]);
    assert_ne!(tag, other);
    let texts = [
        OF_SERVER.to_owned(),
        id.replace(tag, other),
        id.replace(OF_SERVER, "another"),
        id[1..].to_owned(),
        id[..id.len() - 1].to_owned(),
        format!("{id}A"),
        format!("A{id}"),
        format!("{id},{id}"),
        id.to_uppercase(),
        String::new(),
        "x".repeat(100_000),
        format!("{}.sg1.{tag}", "x".repeat(2000)),
    ];
    for text in texts {
        let ask = alice().header(SESSION_ID, &text);
        assert_eq!(shown(&received(&ask, &binding())), Err(Reason::ForeignSession), "{text}");
    }
    let twice = alice().header(SESSION_ID, &id).header(SESSION_ID, &id);
    assert_eq!(shown(&received(&twice, &binding())), Err(Reason::ForeignSession));
    let bytes = alice().header(SESSION_ID, [id.as_bytes(), b"\xff"].concat());
    assert_eq!(shown(&received(&bytes, &binding())), Err(Reason::ForeignSession));
}

/// Some servers take `mcp_session_id` for it.
#[test]
fn other_spellings_of_the_header_do_not_reach_the_server() {
    let id = handed_out(&alice(), &binding(), OF_SERVER);
    let ask = alice().header("mcp_session_id", "a").header("mcp-session_id", "b");
    let (alone, beside) = (ask.granted(&binding()), ask.clone().header(SESSION_ID, id).granted(&binding()));
    for grant in [alone, beside] {
        assert!(["mcp_session_id", "mcp-session_id"].iter().all(|name| grant.remove.iter().any(|it| it == name)));
    }
}

#[test]
fn the_resource_is_a_part_of_the_session() {
    let members = |name: &str| json!({ "default": { "resource": name, "mcp": session(&["SECRET_32"]) } });
    let ask = |audience: &str| get("/mcp").bearer(token().claim("aud", audience).sign());
    let files = "https://files.example.com";
    let id = handed_out(&ask(MCP), &gate(members(MCP)), OF_SERVER);
    assert_eq!(shown(&received(&ask(MCP).header(SESSION_ID, &id), &gate(members(MCP)))), OPENED);
    let other = ask(files).header(SESSION_ID, &id);
    assert_eq!(shown(&received(&other, &gate(members(files)))), Err(Reason::ForeignSession));
}

#[test]
fn a_key_has_sessions_of_its_set_and_its_identity() {
    let any = json!({ "any_of": ["bearer", "partners", { "all_of": ["bearer", "partners"] }] });
    let members = json!({ "credentials": sets(), "default": { "credentials": any, "mcp": session(&["SECRET_32"]) } });
    let config = config(members);
    let key = || get("/mcp").header("x-api-key", ACME);
    let next = get("/mcp").header("x-api-key", "0123456789abcdefghij");
    let both = alice().header("x-api-key", ACME);
    let id = handed_out(&key(), &config, OF_SERVER);
    assert_eq!(shown(&received(&key().header(SESSION_ID, &id), &config)), OPENED);
    assert_eq!(shown(&received(&next.header(SESSION_ID, &id), &config)), OPENED, "another key of the identity");
    assert_eq!(shown(&received(&alice().header(SESSION_ID, &id), &config)), Err(Reason::ForeignSession));
    assert_eq!(shown(&received(&both.clone().header(SESSION_ID, &id), &config)), Err(Reason::ForeignSession));
    let of_both = handed_out(&both, &config, OF_SERVER);
    assert_eq!(shown(&received(&both.header(SESSION_ID, &of_both), &config)), OPENED);
    assert_eq!(shown(&received(&key().header(SESSION_ID, &of_both), &config)), Err(Reason::ForeignSession));
}

#[test]
fn a_token_beside_a_key_is_a_part_of_the_session() {
    let both = json!({ "all_of": ["partners", "bearer"] });
    let members = json!({ "credentials": sets(), "default": { "credentials": both, "mcp": session(&["SECRET_32"]) } });
    let config = config(members);
    let of = |sub: &str| get("/mcp").bearer(token().claim("sub", sub).sign()).header("x-api-key", ACME);
    let id = handed_out(&of("alice"), &config, OF_SERVER);
    assert_eq!(shown(&received(&of("alice").header(SESSION_ID, &id), &config)), OPENED);
    assert_eq!(shown(&received(&of("bob").header(SESSION_ID, &id), &config)), Err(Reason::ForeignSession));
}

#[test]
fn sessions_outlive_a_change_of_keys_while_both_are_listed() {
    let with = |keys: &[&str]| config(json!({ "default": { "mcp": session(keys) } }));
    let before = handed_out(&alice(), &with(&["SECRET_32"]), OF_SERVER);
    let after = handed_out(&alice(), &with(&["SECRET_64", "SECRET_32"]), OF_SERVER);
    let received = |id: &str, keys: &[&str]| received(&alice().header(SESSION_ID, id), &with(keys));
    assert_eq!(shown(&received(&before, &["SECRET_64", "SECRET_32"])), OPENED);
    assert_eq!(shown(&received(&after, &["SECRET_64"])), OPENED, "the first key signs");
    assert_eq!(shown(&received(&before, &["SECRET_64"])), Err(Reason::ForeignSession));
    assert_eq!(shown(&received(&after, &["SECRET_32"])), Err(Reason::ForeignSession));
}

#[test]
fn a_session_is_judged_after_its_sender_and_before_the_message() {
    let asking = config(json!({ "default": { "scopes": ["orders:read"], "mcp": session(&["SECRET_32"]) } }));
    let post = |scope: &str| get("/mcp").method("POST").bearer(token().scope(scope).sign()).header(SESSION_ID, "a");
    assert_eq!(post("other").refused(&asking), Some(Reason::InsufficientScope));
    assert_eq!(post("orders:read").refused(&asking), Some(Reason::ForeignSession), "it has no body and no type");
    let policy = policy(&asking);
    let Decision::Deny(refusal) = post("orders:read").decide(&policy) else { panic!("it passes") };
    let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(&policy, "api"), false);
    let error: Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!((reply.status, &error["error"]["code"], &error["id"]), (404, &json!(-32600), &Value::Null));
    assert_eq!(reply.details, "scopegate_foreign_session");
    assert!(reply.headers.iter().all(|(name, _)| *name != "www-authenticate"), "{reply:?}");
}

/// Its servers ignore the header. An older server behind the gate must not read what was not judged.
#[test]
fn under_2026_07_28_no_session_id_reaches_the_server() {
    let id = handed_out(&alice(), &binding(), OF_SERVER);
    for id in [id.as_str(), OF_SERVER] {
        let ask = alice().header("mcp-protocol-version", "2026-07-28").header(SESSION_ID, id);
        assert_eq!(shown(&received(&ask, &binding())), Ok(None), "{id}");
    }
    let old = json!({ "session": session(&["SECRET_32"])["session"], "versions": ["2025-11-25"] });
    let old = config(json!({ "default": { "mcp": old } }));
    let ask = alice().header("mcp-protocol-version", "2026-07-28").header(SESSION_ID, &id);
    assert_eq!(shown(&received(&ask, &old)), Err(Reason::UnsupportedVersion));
}

#[test]
fn what_is_only_reported_reaches_the_server_with_its_own_id() {
    let id = handed_out(&alice(), &binding(), OF_SERVER);
    let foreign = handed_out(&get("/mcp").bearer(token().claim("sub", "bob").sign()), &binding(), "of-bob");
    for members in [
        json!({ "report_only": true, "default": { "mcp": session(&["SECRET_32"]) } }),
        json!({ "default": { "report_only": true, "mcp": session(&["SECRET_32"]) } }),
    ] {
        let config = config(members);
        let own = alice().header(SESSION_ID, &id);
        assert_eq!(shown(&received(&own, &config)), OPENED);
        assert_eq!(own.granted(&config).basis, Basis::Token);
        assert!(alice().granted(&config).response.is_some(), "what is reported is what would be refused");
        let expired = get("/mcp").bearer(token().claim("exp", 1).sign());
        for (ask, given, wanted, reason) in [
            (alice(), foreign.as_str(), "of-bob", Reason::ForeignSession),
            (alice(), OF_SERVER, OF_SERVER, Reason::ForeignSession),
            (expired, &id, OF_SERVER, Reason::Expired),
        ] {
            let ask = ask.header(SESSION_ID, given);
            let grant = ask.granted(&config);
            assert_eq!((reported(&grant), forwarded(&grant, &ask).as_deref()), (Some(reason), Some(wanted)), "{given}");
        }
    }
}

#[test]
fn a_preflight_has_no_session() {
    let mut members = json!({ "default": { "mcp": session(&["SECRET_32"]) } });
    members["default"]["mcp"]["origins"] = json!(["https://app.example.com"]);
    let preflight = || {
        let ask = get("/mcp").method("OPTIONS").header("origin", "https://app.example.com");
        ask.header("access-control-request-method", "POST").header(SESSION_ID, OF_SERVER)
    };
    assert_eq!(shown(&received(&preflight(), &config(members.clone()))), Ok(None));
    extend(&mut members, json!({ "bypass_cors_preflight": true }));
    members["default"]["mcp"]["origins"] = json!(["https://other.example.com"]);
    assert_eq!(shown(&received(&preflight(), &config(members))), Ok(None));
}

#[test]
fn metadata_binds_sessions_as_a_rule_does() {
    for mode in ["replace", "restrict"] {
        let config = config(json!({ "route_metadata": mode, "default": { "mcp": {} } }));
        let added = Node::from(json!({ "mcp": session(&["SECRET_32"]) }));
        let added = || requirement(&added, &policy(&config), &environment).unwrap();
        let id = handed_out(&alice().under(added()), &config, OF_SERVER);
        let sent = |ask: Ask| received(&ask.under(added()).header(SESSION_ID, &id), &config);
        assert_eq!(shown(&sent(alice())), OPENED, "{mode}");
        assert_eq!(
            shown(&sent(get("/mcp").bearer(DEMO.token(NOW).claim("sub", "bob").sign()))),
            Err(Reason::ForeignSession)
        );
    }
}
