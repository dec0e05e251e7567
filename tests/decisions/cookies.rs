//! Tokens in cookies: which cookie, from which pages, and what is left of the others.

use crate::support::issuer::{AUDIENCE, ISSUER};
use crate::world::{Ask, DEMO, NOW, config, configured_keys, extend, get, policy, reported, token};
use scopegate::audit::AuditRecord;
use scopegate::base::base64url;
use scopegate::challenge::{self, Terms};
use scopegate::config::{self as scopegate_config, Node};
use scopegate::decision::{Basis, Decision, Reason};
use scopegate::policy::AuditSettings;
use serde_json::{Value, json};

const OWN: &str = "https://app.example.com";

/// A gate whose default accepts these credentials, and asks this beside it.
fn accepting(credentials: Value, more: Value) -> Value {
    let mut default = json!({ "credentials": credentials });
    extend(&mut default, more);
    let digest = "00".repeat(32);
    config(json!({ "default": default, "credentials": [
        { "name": "web", "cookie": { "name": "__Host-token", "origins": [OWN] } },
        { "name": "admin", "cookie": { "name": "__Host-admin", "origins": ["https://admin.example.com"] } },
        { "name": "kiosk", "api_key": { "header": "x-kiosk" },
          "identities": [{ "id": "hall", "secrets": [{ "env": "KEY_20" }, { "sha256": digest }] }] },
        { "name": "openai", "api_key": { "scheme": "Bearer", "prefix": "sk-" },
          "identities": [{ "id": "bot", "secrets": [{ "sha256": "01".repeat(32) }] }] },
    ] }))
}

fn web() -> Value {
    accepting(json!("web"), json!({}))
}

/// A request of a page of the site itself.
fn sent(cookies: &str) -> Ask {
    get("/").header("sec-fetch-site", "same-origin").header("cookie", cookies)
}

fn with(text: &str) -> Ask {
    sent(&format!("a=1; __Host-token={text}; b=2"))
}

#[test]
fn a_token_in_the_cookie_is_judged_as_any_other() {
    let good = token().sign();
    for (ask, wanted) in [
        (with(&good), None),
        (with(&token().claim("exp", NOW - 900).sign()), Some(Reason::Expired)),
        (with(&token().claim("iss", "https://other/").sign()), Some(Reason::UnknownIssuer)),
        (with(&token().claim("aud", "other").sign()), Some(Reason::WrongAudience)),
        (with("a.b.c"), Some(Reason::MalformedToken)),
        (with(""), Some(Reason::MalformedHeader)),
        (with(&format!("\"{good}\"")), Some(Reason::MalformedHeader)),
        (sent("a=1"), Some(Reason::NoCredential)),
        (sent(&format!("__host-token={good}")), Some(Reason::NoCredential)),
        (sent(&format!("__Host-Token={good}")), Some(Reason::NoCredential)),
        (sent(&format!("a=__Host-token={good}")), Some(Reason::NoCredential)),
        (sent("a=1").header("cookie", format!("__Host-token={good}")), None),
        (with(&good).header("cookie", "c=3"), None),
        (with(&good).header("cookie", format!("__Host-token={good}")), Some(Reason::MultipleCredentials)),
        (sent(&format!("__Host-token={good}; __Host-token={good}")), Some(Reason::MultipleCredentials)),
        (sent(&format!("__Host-token={good}; __Host-token =x")), Some(Reason::MultipleCredentials)),
        (with(&good).bearer(&good), Some(Reason::MultipleCredentials)),
        (with(&good).header("authorization", "Basic dTpw"), Some(Reason::MultipleCredentials)),
        (get("/").header("sec-fetch-site", "same-origin").bearer(&good), Some(Reason::NoCredential)),
    ] {
        assert_eq!(ask.refused(&web()), wanted, "{ask:?}");
    }
}

#[test]
fn the_rules_of_its_origins_hold_always_and_for_the_cookie_alone() {
    let good = token().sign();
    let either = accepting(json!({ "any_of": ["bearer", "web", "admin"] }), json!({}));
    let cookie = |name: &str| get("/").method("POST").header("cookie", format!("{name}={good}"));
    let cross = Some(Reason::CrossSite);
    for (ask, wanted) in [
        (get("/").method("POST").bearer(&good).header("origin", "https://evil.example"), None),
        (cookie("__Host-token"), cross),
        (cookie("__Host-token").header("origin", "https://evil.example"), cross),
        (cookie("__Host-token").header("origin", OWN), None),
        (cookie("__Host-admin").header("origin", OWN), cross),
        (cookie("__Host-admin").header("origin", "https://admin.example.com"), None),
        (cookie("__Host-token").header("sec-fetch-site", "same-origin"), None),
        (cookie("__Host-token").header("cookie", format!("__Host-admin={good}")), Some(Reason::MultipleCredentials)),
        (sent(&format!("__Host-token={good}")).header("upgrade", "websocket"), None),
        (get("/").header("cookie", format!("__Host-token={good}")).header("upgrade", "websocket"), cross),
        (
            get("/")
                .header("cookie", format!("__Host-token={good}"))
                .header("sec-fetch-site", "none")
                .header("upgrade", "websocket"),
            cross,
        ),
        (get("/").header("cookie", format!("__Host-token={good}")).header("sec-fetch-site", "none"), None),
    ] {
        assert_eq!(ask.refused(&either), wanted, "{ask:?}");
    }
    let also_of_route = accepting(json!("web"), json!({ "csrf": { "origins": ["https://admin.example.com"] } }));
    assert_eq!(cookie("__Host-token").header("origin", OWN).refused(&also_of_route), cross, "both must hold");
    let anonymous = accepting(json!("web"), json!({ "allow_missing": true }));
    assert_eq!(get("/").method("POST").granted(&anonymous).basis, Basis::Missing, "nothing is added by the browser");
}

#[test]
fn what_narrows_tokens_narrows_cookies() {
    let good = token().sign();
    let issued = |seconds: i64| token().claim("iat", NOW - seconds).sign();
    for (ask, more, wanted) in [
        (with(&good), json!({ "issuers": ["demo"], "audiences": [AUDIENCE], "token_types": ["at+jwt"] }), None),
        (with(&good), json!({ "audiences": ["other"] }), Some(Reason::WrongAudience)),
        (with(&good), json!({ "token_types": ["JWT"] }), Some(Reason::WrongType)),
        (with(&good), json!({ "max_lifetime": "1m" }), Some(Reason::LifetimeTooLong)),
        (with(&issued(120)), json!({ "max_token_age": "1m" }), Some(Reason::TooOld)),
        (with(&good), json!({ "scopes": ["orders:write"] }), Some(Reason::InsufficientScope)),
        (with(&good), json!({ "acr_values": ["phr"] }), Some(Reason::StepUpNeeded)),
        (with(&good), json!({ "sender_constraint": "required" }), Some(Reason::NotBound)),
    ] {
        assert_eq!(ask.refused(&accepting(json!("web"), more.clone())), wanted, "{more}");
    }
    let to_key = token().claim("cnf", json!({ "jkt": base64url::encode(&[7; 32]) })).sign();
    assert_eq!(with(&to_key).refused(&web()), Some(Reason::ProofMissing));
    let mut ignoring = web();
    ignoring["issuers"][0]["sender_constraint"] = json!("ignore");
    assert_eq!(with(&to_key).refused(&ignoring), Some(Reason::ProofMissing));
    let mut elsewhere = web();
    elsewhere["issuers"] = json!([{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": DEMO.jwks() },
                                    "token_header": { "name": "x-token" } }]);
    assert_eq!(with(&good).refused(&elsewhere), None, "a cookie has tokens of all issuers");
}

#[test]
fn in_a_combination_the_cookie_is_the_token() {
    let good = token().sign();
    let both = accepting(json!({ "all_of": ["web", "kiosk"] }), json!({ "scopes": ["orders:read"] }));
    let with_key = |ask: Ask| ask.header("x-kiosk", "0123456789abcdefghij");
    assert_eq!(with_key(with(&good)).refused(&both), None);
    assert_eq!(with(&good).refused(&both), Some(Reason::NoCredential));
    assert_eq!(with_key(with("a.b.c")).refused(&both), Some(Reason::MalformedToken));
    let cookie = format!("__Host-token={good}");
    assert_eq!(with_key(get("/").header("cookie", &cookie)).refused(&both), Some(Reason::CrossSite));
    let key_first = accepting(json!({ "all_of": ["kiosk", "web"] }), json!({ "scopes": ["orders:read"] }));
    assert_eq!(with_key(with(&good)).refused(&key_first), Some(Reason::InsufficientScope), "the key has none");
    let with_openai = accepting(json!({ "all_of": ["openai", "web"] }), json!({}));
    assert_eq!(with(&good).bearer("sk-bad").refused(&with_openai), Some(Reason::UnknownIdentity));
}

#[test]
fn that_cookie_alone_is_taken_out() {
    let left = |ask: &Ask, config: &Value| {
        let grant = ask.granted(config);
        let list = |(name, value): &(&'static str, Vec<u8>)| format!("{name}: {}", String::from_utf8_lossy(value));
        let removed = grant.remove.iter().map(ToString::to_string);
        removed.chain(grant.shortened.iter().map(list)).collect::<Vec<_>>()
    };
    let good = token().sign();
    let others = format!("a=\"1; \"; __Host-token={good}; __host-token=2;b=3");
    assert_eq!(left(&sent(&others), &web()), ["cookie: a=\"1; \"; __host-token=2;b=3"]);
    assert_eq!(left(&sent(&format!("__Host-token={good}")), &web()), ["cookie"]);
    let lines = sent("a=1").header("cookie", format!("__Host-token={good}; c")).header("cookie", "d=\u{e9}");
    assert_eq!(left(&lines, &web()), ["cookie: a=1; c; d=\u{e9}"]);
    let stray = sent(&format!("__Host-admin=stray; __Host-token={good}; a=1"));
    assert_eq!(left(&stray, &web()), ["cookie: a=1"], "judged or not");
    let mut keep = web();
    extend(&mut keep, json!({ "forward": { "token": "keep" } }));
    assert_eq!(left(&stray, &keep), [format!("cookie: __Host-token={good}; a=1")]);
    assert_eq!(left(&with(&good).header("x-kiosk", "stray"), &keep), ["x-kiosk"]);
    let by_token = accepting(json!("bearer"), json!({}));
    assert_eq!(left(&with("stray").bearer(&good), &by_token), ["authorization", "cookie: a=1; b=2"]);
    let mut reporting = web();
    extend(&mut reporting, json!({ "report_only": true }));
    for untouched in [accepting(json!("web"), json!({ "report_only": true, "scopes": ["x"] })), reporting] {
        assert_eq!(left(&with(&good), &untouched), [""; 0]);
    }
    let mut open = web();
    extend(&mut open, json!({ "default": { "public": true } }));
    assert_eq!(left(&with("stray"), &open), [""; 0]);
    let anonymous = accepting(json!("admin"), json!({ "allow_missing": true }));
    assert_eq!(left(&with("stray"), &anonymous), ["cookie: a=1; b=2"]);
}

#[test]
fn a_request_with_the_cookie_is_no_preflight() {
    let mut config = web();
    extend(&mut config, json!({ "bypass_cors_preflight": true }));
    let preflight = |cookies: &str| {
        let ask = sent(cookies).method("OPTIONS").header("origin", OWN);
        ask.header("access-control-request-method", "GET")
    };
    assert_eq!(preflight("a=1").granted(&config).basis, Basis::Preflight);
    assert_eq!(preflight("a=1; __Host-token=x").refused(&config), Some(Reason::MalformedToken));
    assert_eq!(preflight("__Host-admin=x").refused(&config), Some(Reason::NoCredential), "it would travel on");
}

#[test]
fn challenge_record_and_header_name_the_set() {
    let mut config = accepting(json!({ "any_of": ["bearer", "web"] }), json!({ "scopes": ["orders:read"] }));
    extend(&mut config, json!({ "forward": { "headers": { "x-credential": "credential" } } }));
    let policy = policy(&config);
    let challenges = |ask: Ask| {
        let Decision::Deny(refusal) = ask.decide(&policy) else { panic!("it passes") };
        let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(&policy, "api"), false);
        let lines = reply.headers.into_iter().filter(|(name, _)| *name == "www-authenticate");
        (reply.status, lines.map(|(_, value)| value).collect::<Vec<_>>())
    };
    let cookie = "Cookie realm=\"api\", cookie-name=\"__Host-token\"";
    let bearer = "Bearer realm=\"api\"";
    assert_eq!(
        challenges(get("/").header("sec-fetch-site", "none")),
        (401, vec![format!("{bearer}, scope=\"orders:read\""), cookie.to_owned()])
    );
    let expired = token().claim("exp", NOW - 900).sign();
    let error = "error=\"invalid_token\", error_description=\"The access token expired\"";
    assert_eq!(challenges(with(&expired)), (401, vec![bearer.to_owned(), format!("{cookie}, {error}")]));
    let good = with(&token().sign());
    let decision = good.decide(&policy);
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap();
    let json: Value = serde_json::from_str(&record.to_json()).unwrap();
    assert_eq!((&json["credential"], &json["credential_set"]), (&json!("cookie"), &json!("web")));
    assert_eq!((&json["issuer"], &json["subject"]), (&json!("demo"), &json!("alice")));
    assert!(json["fingerprint"].is_string() && json.get("identity").is_none(), "{json}");
    let Decision::Allow(grant) = decision else { panic!("refused") };
    assert_eq!(grant.set[0].1, "web");
}

#[test]
fn further_reasons_have_those_of_the_cookie() {
    let policy = policy(&accepting(json!("web"), json!({ "report_only": true, "scopes": ["x"] })));
    let (decision, further) = get("/")
        .header("cookie", format!("__Host-token={}", token().sign()))
        .decide_further(&policy, &configured_keys(&policy));
    let Decision::Allow(grant) = decision else { panic!("reported") };
    assert_eq!(reported(&grant), Some(Reason::CrossSite));
    assert_eq!((further.certain, further.unverified), (vec![], vec![Reason::InsufficientScope]));
}

#[test]
fn a_request_has_one_token_also_where_metadata_restricts() {
    let good = token().sign();
    let restrict = |base: Value| {
        let mut config = accepting(base, json!({}));
        extend(&mut config, json!({ "route_metadata": "restrict" }));
        config["issuers"][0]["websocket_protocol"] = json!(true);
        config
    };
    let added = |config: &Value, metadata: Value| {
        scopegate_config::requirement(&Node::from(metadata), &policy(config), &|_| None)
            .unwrap_or_else(|error| panic!("{error}"))
    };
    let with_other = |text: &str| sent(&format!("__Host-token={good}; __Host-admin={text}"));
    let offering = |text: &str| {
        with(&good).header("upgrade", "websocket").header("sec-websocket-protocol", format!("bearer, {text}"))
    };
    let (web, admin, bearer) = (restrict(json!("web")), json!({ "credentials": "admin" }), json!({ "scopes": [] }));
    for (metadata, ask) in [
        (&admin, with_other("forged")),
        (&admin, with_other(&good)),
        (&bearer, offering("forged")),
        (&bearer, offering(&good)),
    ] {
        let ask = ask.under(added(&web, metadata.clone()));
        assert_eq!(ask.refused(&web), Some(Reason::MultipleCredentials), "{metadata} {ask:?}");
    }
}
