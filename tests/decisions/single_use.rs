//! Tokens that are good once.

use crate::support::issuer::sign_texts;
use crate::support::shared::Shared;
use crate::world::{Ask, DEMO, NOW, OTHER, compiled, config, extend, get, policy, reported, token, with_issuer};
use scopegate::base::time::UnixSeconds;
use scopegate::config::{self, Node};
use scopegate::decision::{Basis, Decision, Denial, Reason};
use scopegate::facts::{Claim, Claimed, Pool, ReplayStore};
use scopegate::policy::{Policy, Requirement, Uses};
use scopegate::replay_store::SharedStore;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::thread;

/// A gate: a policy and what has been used.
struct Gate {
    policy: Policy,
    store: SharedStore,
}

impl Gate {
    fn new(members: Value) -> Self {
        Self::sharing(&Shared::default(), &config(members))
    }

    fn sharing(shared: &Shared, config: &Value) -> Self {
        let store = SharedStore::open(Box::new(shared.clone()), &[Pool::Tokens], 100_000, UnixSeconds(NOW)).unwrap();
        Self { policy: policy(config), store }
    }

    /// Why a request is refused; `None` where it passes.
    fn refuses(&self, ask: &Ask) -> Option<Reason> {
        match ask.decide_after(&self.policy, &self.store) {
            Decision::Allow(_) => None,
            Decision::Deny(refusal) => Some(refusal.denial.reason()),
            other => panic!("undecided: {other:?}"),
        }
    }

    /// Why a request that passes would be refused.
    fn reports(&self, ask: &Ask) -> Option<Reason> {
        match ask.decide_after(&self.policy, &self.store) {
            Decision::Allow(grant) => reported(&grant),
            other => panic!("not reported: {other:?}"),
        }
    }

    fn metadata(&self, requirement: Value) -> Requirement {
        config::requirement(&Node::from(requirement), &self.policy, &|_| None).unwrap()
    }
}

fn once() -> Gate {
    Gate::new(json!({ "default": { "single_use": true } }))
}

const REPLAYED: Option<Reason> = Some(Reason::Replayed);

#[test]
fn a_token_passes_once() {
    let gate = once();
    let (one, other) = (token().claim("jti", "1").sign(), token().claim("jti", "2").sign());
    assert_eq!(gate.refuses(&get("/a").bearer(&one)), None);
    assert_eq!(gate.refuses(&get("/a").bearer(&one)), REPLAYED);
    assert_eq!(gate.refuses(&get("/b").method("POST").bearer(&one)), REPLAYED, "wherever it comes next");
    assert_eq!(gate.refuses(&get("/a").bearer(&other)), None);
}

#[test]
fn another_token_with_the_same_jti_of_the_same_issuer_is_the_same() {
    let gate = once();
    let issue = |subject: &str| token().claim("jti", "1").claim("sub", subject);
    assert_eq!(gate.refuses(&get("/").bearer(issue("alice").sign())), None);
    for again in [issue("alice"), issue("bob"), issue("alice").claim("exp", NOW + 100), issue("alice").scope("x y")] {
        // ECDSA signs the same text differently each time.
        assert_eq!(gate.refuses(&get("/").bearer(again.sign())), REPLAYED);
    }
}

#[test]
fn a_token_without_jti_is_known_by_its_fingerprint_however_it_is_signed() {
    let gate = once();
    let nameless = token();
    assert_eq!(gate.refuses(&get("/").bearer(nameless.clone().sign())), None);
    assert_eq!(gate.refuses(&get("/").bearer(nameless.clone().sign())), REPLAYED, "signed again");
    assert_eq!(
        gate.refuses(&get("/").bearer(nameless.claim("sub", "bob").sign())),
        None,
        "other claims, another token"
    );
    let header = r#"{"alg":"ES256","kid":"a","typ":"at+jwt"}"#;
    let claims = Value::Object(token().claims).to_string();
    let spaced = sign_texts(&DEMO.key, &format!(" {header}"), &claims);
    assert_eq!(gate.refuses(&get("/").bearer(&spaced)), None, "other text, another fingerprint");
    assert_eq!(gate.refuses(&get("/").bearer(&spaced)), REPLAYED);
}

#[test]
fn the_same_jti_of_another_issuer_is_another_token() {
    let other = json!({
        "issuer": "https://other.example.com/", "name": "other", "audiences": ["https://api.example.com"],
        "jwks": { "inline": OTHER.jwks() },
    });
    let mut both = config(json!({ "default": { "single_use": true } }));
    both["issuers"].as_array_mut().unwrap().push(other);
    let gate = Gate::sharing(&Shared::default(), &both);
    let foreign = OTHER.token(NOW).claim("iss", "https://other.example.com/").claim("jti", "1").sign();
    assert_eq!(gate.refuses(&get("/").bearer(token().claim("jti", "1").sign())), None);
    assert_eq!(gate.refuses(&get("/").bearer(&foreign)), None);
    assert_eq!(gate.refuses(&get("/").bearer(&foreign)), REPLAYED);
}

#[test]
fn a_token_is_remembered_for_as_long_as_it_could_pass() {
    let gate = Gate::sharing(
        &Shared::default(),
        &with_issuer(json!({ "leeway": "20s" }), json!({ "default": { "single_use": true } })),
    );
    let brief = token().claim("jti", "1").claim("exp", NOW + 60);
    let at = |seconds: i64| Ask { now: NOW + seconds, ..get("/").bearer(brief.clone().sign()) };
    assert_eq!(gate.refuses(&at(0)), None);
    assert_eq!([gate.refuses(&at(59)), gate.refuses(&at(60)), gate.refuses(&at(79))], [REPLAYED; 3]);
    assert_eq!(gate.refuses(&at(80)), Some(Reason::Expired), "not one second in between");
}

/// A request, and the reason for which it is refused.
type Refused = (Ask, Reason);

#[test]
fn a_request_that_is_refused_uses_nothing_up() {
    let config = config(json!({
        "default": { "single_use": true, "scopes": ["orders:read"] },
        "rules": [
            { "match": { "path": "/write" }, "single_use": true, "scopes": ["orders:write"] },
            { "match": { "path": "/acme" }, "single_use": true, "claims": [{ "claim": "tenant", "equals": "acme" }] },
            { "match": { "path": "/other" }, "single_use": true, "audiences": ["https://other.example.com"] },
            { "match": { "path": "/young" }, "single_use": true, "max_token_age": "1s" },
            { "match": { "path": "/closed" }, "deny": true },
        ],
        "revocation": { "entries": [{ "iss": "https://issuer.example.com/", "jti": "revoked" }] },
    }));
    let gate = Gate::sharing(&Shared::default(), &config);
    let issued = token().claim("jti", "1").claim("iat", NOW - 100);
    let good = issued.clone().sign();
    let forged =
        format!("{}.{}", good.rsplit_once('.').unwrap().0, OTHER.token(NOW).sign().rsplit_once('.').unwrap().1);
    let refused: [Refused; 9] = [
        (get("/write").bearer(&good), Reason::InsufficientScope),
        (get("/acme").bearer(&good), Reason::ClaimMismatch),
        (get("/other").bearer(&good), Reason::WrongAudience),
        (get("/young").bearer(&good), Reason::TooOld),
        (get("/closed").bearer(&good), Reason::Denied),
        (get("/?access_token=x").bearer(&good), Reason::TokenInQuery),
        (get("/").bearer(&good).bearer(&good), Reason::MultipleCredentials),
        (get("/").bearer(forged), Reason::BadSignature),
        (Ask { now: NOW + 1000, ..get("/").bearer(&good) }, Reason::Expired),
    ];
    for (ask, reason) in &refused {
        assert_eq!(gate.refuses(ask), Some(*reason), "{ask:?}");
    }
    let revocations = compiled(&config).settings.revocation.without_lists(UnixSeconds(NOW));
    let revoked = Ask { revocations: Some(revocations), ..get("/").bearer(token().claim("jti", "revoked").sign()) };
    assert_eq!(gate.refuses(&revoked), Some(Reason::Revoked));
    assert_eq!(gate.refuses(&Ask { revocations: None, ..revoked }), None, "it was not used up");
    assert_eq!(gate.refuses(&get("/").bearer(&good)), None, "and then it passes");
    for (ask, reason) in &refused {
        assert_eq!(
            gate.refuses(ask),
            Some(*reason),
            "a used token is refused for what is wrong with it first: {ask:?}"
        );
    }
    assert_eq!(gate.refuses(&get("/").bearer(&good)), REPLAYED);
}

/// Notes what is claimed, and says that the store cannot tell.
#[derive(Default)]
struct Broken(RefCell<Vec<i64>>);

impl ReplayStore for Broken {
    fn claim(&self, claim: &Claim<'_>, _now: UnixSeconds) -> Claimed {
        self.0.borrow_mut().push(claim.until.0);
        Claimed::Unknown
    }
}

#[test]
fn where_the_store_cannot_tell_nothing_passes() {
    let (policy, broken) = (policy(&config(json!({ "default": { "single_use": true } }))), Broken::default());
    let decision = get("/").bearer(token().sign()).decide_after(&policy, &broken);
    assert!(matches!(decision, Decision::Deny(refusal) if refusal.denial == Denial::TooBusy));
    assert_eq!(*broken.0.borrow(), [NOW + 310], "asked once, for as long as the token is good");
}

#[test]
fn what_needs_no_token_or_no_single_use_asks_no_store() {
    let config = config(json!({
        "rules": [
            { "match": { "path": "/open" }, "public": true },
            { "match": { "path": "/often" }, "scopes": [] },
            { "match": { "path": "/maybe" }, "single_use": true, "allow_missing": true },
        ],
        "default": { "single_use": true },
        "bypass_cors_preflight": true,
    }));
    let (policy, broken) = (policy(&config), Broken::default());
    let preflight =
        get("/x").method("OPTIONS").header("origin", "https://a").header("access-control-request-method", "GET");
    let good = token().sign();
    for ask in [get("/open").bearer(&good), get("/often").bearer(&good), get("/maybe"), preflight] {
        assert!(matches!(ask.decide_after(&policy, &broken), Decision::Allow(_)), "{ask:?}");
    }
    assert!(matches!(get("/maybe").bearer(&good).decide_after(&policy, &broken), Decision::Deny(_)));
    assert_eq!(broken.0.borrow().len(), 1);
}

#[test]
fn it_holds_for_the_method_that_says_so() {
    let gate = Gate::new(json!({ "default": { "methods": { "POST": { "single_use": true } } } }));
    assert!(gate.policy.uses.has(Uses::SINGLE_USE));
    let ask = |method: &str| get("/").method(method).bearer(token().claim("jti", "1").sign());
    assert_eq!(["GET", "POST", "GET"].map(|method| gate.refuses(&ask(method))), [None; 3]);
    assert_eq!(gate.refuses(&ask("POST")), REPLAYED);
}

#[test]
fn what_metadata_adds_is_good_once_too_and_loosens_nothing() {
    let gate = Gate::new(json!({ "route_metadata": "restrict", "replay": {}, "rules": [
        { "match": { "path": "/once" }, "single_use": true },
    ] }));
    let ask = |path: &str, jti: &str, requirement: Value| {
        get(path).bearer(token().claim("jti", jti).sign()).under(gate.metadata(requirement))
    };
    let adds = json!({ "single_use": true });
    assert_eq!(gate.refuses(&ask("/", "1", adds.clone())), None);
    assert_eq!(gate.refuses(&ask("/", "1", adds.clone())), REPLAYED);
    assert_eq!(gate.refuses(&ask("/once", "2", adds)), None, "both ask, and it is used once");
    for requirement in [json!({ "single_use": false }), json!({ "public": true }), json!({ "report_only": true })] {
        assert_eq!(gate.refuses(&ask("/once", "2", requirement.clone())), REPLAYED, "{requirement}");
    }
}

#[test]
fn metadata_asks_single_use_only_where_there_is_a_store() {
    let asks = |members: Value| {
        let policy = policy(&config(members));
        config::requirement(&Node::from(json!({ "methods": { "GET": { "single_use": true } } })), &policy, &|_| None)
    };
    let error = asks(json!({})).unwrap_err().to_string();
    assert!(error.contains("single_use") && error.contains("replay: {}"), "{error}");
    assert!(asks(json!({ "replay": {} })).is_ok());
    assert!(asks(json!({ "default": { "single_use": true } })).is_ok());
}

#[test]
fn report_only_tells_what_would_be_refused_and_uses_nothing_up() {
    let shared = Shared::default();
    let once = json!({ "single_use": true });
    let mut reporting = once.clone();
    extend(&mut reporting, json!({ "report_only": true }));
    let ask = |jti: &str| get("/").bearer(token().claim("jti", jti).sign());
    let enforcing = Gate::sharing(&shared, &config(json!({ "default": once })));
    let wholly = Gate::sharing(&shared, &config(json!({ "report_only": true, "default": once })));
    let partly = Gate::sharing(&shared, &config(json!({ "default": reporting })));
    for (jti, gate) in [("all", &wholly), ("part", &partly)] {
        assert_eq!(gate.reports(&ask(jti)), None, "{jti}");
        assert_eq!([gate.reports(&ask(jti)), gate.reports(&ask(jti))], [REPLAYED; 2], "{jti}");
        assert_eq!(enforcing.refuses(&ask(jti)), None, "{jti}: it has not been used where that counts");
        assert_eq!(enforcing.refuses(&ask(jti)), REPLAYED, "{jti}");
    }
}

#[test]
fn what_metadata_adds_to_a_rule_that_reports_is_used_up() {
    let gate = Gate::new(json!({
        "route_metadata": "restrict", "replay": {}, "default": { "single_use": true, "report_only": true, "scopes": ["x"] },
    }));
    let once = || gate.metadata(json!({ "single_use": true }));
    let ask = |jti: &str, scope: &str| get("/").bearer(token().claim("jti", jti).scope(scope).sign());
    assert_eq!(gate.reports(&ask("1", "x").under(once())), None);
    assert_eq!(gate.refuses(&ask("1", "x").under(once())), REPLAYED);
    assert_eq!(gate.reports(&ask("2", "y").under(once())), Some(Reason::InsufficientScope), "it goes on");
    assert_eq!(gate.refuses(&ask("2", "y").under(once())), REPLAYED, "and has been used");
    let often = || gate.metadata(json!({ "scopes": [] }));
    assert_eq!(gate.reports(&ask("3", "x").under(often())), None);
    assert_eq!(gate.reports(&ask("3", "x").under(often())), REPLAYED);
    assert_eq!(gate.refuses(&ask("3", "x").under(once())), None, "a report uses nothing up");
}

#[test]
fn of_many_requests_at_once_with_one_token_exactly_one_passes() {
    let config = config(json!({ "default": { "single_use": true } }));
    let shared = Shared::default();
    Gate::sharing(&shared, &config);
    let tokens: Vec<String> = (0..8).map(|jti| token().claim("jti", jti.to_string()).sign()).collect();
    let workers: Vec<_> = (0..4)
        .map(|number| {
            let (config, shared, tokens) = (config.clone(), shared.hesitant(number + 1), tokens.clone());
            thread::spawn(move || {
                // A policy belongs to one worker.
                let gate = Gate::sharing(&shared, &config);
                let passed = |token: &String| match get("/").bearer(token).decide_after(&gate.policy, &gate.store) {
                    Decision::Allow(grant) => grant.basis == Basis::Token,
                    Decision::Deny(refusal) if refusal.denial == Denial::Replayed => false,
                    other => panic!("{other:?}"),
                };
                (0..5).flat_map(|_| tokens.iter().map(passed).collect::<Vec<_>>()).collect::<Vec<bool>>()
            })
        })
        .collect();
    let passed = workers.into_iter().flat_map(|worker| worker.join().unwrap()).filter(|passed| *passed).count();
    assert_eq!(passed, tokens.len(), "each of them once");
}
