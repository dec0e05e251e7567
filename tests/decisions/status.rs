//! The status of a token, where its issuer keeps one (draft-ietf-oauth-status-list).

use crate::support::issuer::{ISSUER, Issuer, sign_texts};
use crate::world::{Ask, DEMO, NOW, awaited, config, configured_keys, get, policy, reported, token, with_issuer};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use scopegate::audit::AuditRecord;
use scopegate::base::base64url;
use scopegate::base::time::UnixSeconds;
use scopegate::crypto::{Algorithm, AlgorithmSet, PureVerifier};
use scopegate::decision::{Decision, Denial, Need, Reason};
use scopegate::facts::{Awaited, StatusLists, StatusPlace};
use scopegate::jose::KeySet;
use scopegate::policy::{AuditSettings, CacheLimits, IssuerId};
use scopegate::revocation::{Builder, Chunks, Entry, Revocations, StatusList, StatusLoader, StatusTerms};
use scopegate::token_cache::TokenCache;
use serde_json::{Value, json};
use std::cell::Cell;
use std::io::Write as _;
use std::rc::Rc;

pub const URI: &str = "https://status.example.com/lists/1";

/// A configuration that honours the claim, with these members in `status_list`.
fn honoured(members: Value) -> Value {
    let mut status = json!({ "clusters": [{ "uri_prefix": "https://status.example.com/lists/", "cluster": "lists" }] });
    crate::world::extend(&mut status, members);
    with_issuer(json!({ "status_list": status }), json!({}))
}

/// A token whose status is at this index.
fn with_index(index: impl Into<Value>) -> String {
    token().claim("status", json!({ "status_list": { "idx": index.into(), "uri": URI } })).sign()
}

/// The list of these statuses, of a byte each.
fn list(statuses: &[u8]) -> StatusList {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(statuses).unwrap();
    let lst = base64url::encode(&encoder.finish().unwrap());
    let header = json!({ "alg": "ES256", "kid": "a", "typ": "statuslist+jwt" }).to_string();
    let claims = json!({ "iss": ISSUER, "sub": URI, "iat": NOW, "status_list": { "bits": 8, "lst": lst } }).to_string();
    let terms = StatusTerms {
        issuer: ISSUER.into(),
        uri: URI.into(),
        max_bytes: 1 << 20,
        algorithms: AlgorithmSet::default_for_issuer(),
        keys: KeySet::parse(DEMO.jwks().to_string().as_bytes(), 10_000, 10).ok().map(Rc::new),
    };
    let document = Chunks::from(sign_texts(&DEMO.key, &header, &claims).as_bytes());
    let mut loader = StatusLoader::begin(&document, &terms, None, &PureVerifier, UnixSeconds(NOW)).unwrap();
    loader.step().unwrap().unwrap()
}

/// These statuses as the only list that is there.
pub fn there(statuses: Option<&[u8]>, is_stale: bool) -> Rc<StatusLists> {
    let mut lists = StatusLists::default();
    let list = statuses.map(|statuses| Rc::new(list(statuses)));
    let place = StatusPlace { issuer: IssuerId(0), uri: URI.into(), list, is_stale, asked: Cell::new(false) };
    lists.places_mut().push(place);
    Rc::new(lists)
}

fn ask(token: String, statuses: Option<Rc<StatusLists>>) -> Ask {
    Ask { statuses, ..get("/").bearer(token) }
}

fn denial(decision: Decision) -> Option<Denial> {
    match decision {
        Decision::Deny(refusal) => Some(refusal.denial),
        Decision::Allow(_) => None,
        other => panic!("undecided: {other:?}"),
    }
}

#[test]
fn a_valid_token_passes_and_every_other_status_is_refused_as_revoked() {
    let policy = policy(&honoured(json!({})));
    let statuses: Vec<u8> = (0..=255).collect();
    assert_eq!(denial(ask(with_index(0), Some(there(Some(&statuses), false))).decide(&policy)), None);
    for index in 1..256 {
        let by = match index {
            1 => "its status, INVALID",
            2 => "its status, SUSPENDED",
            _ => "its status, which is none that is known",
        };
        let decision = ask(with_index(index), Some(there(Some(&statuses), false))).decide(&policy);
        assert_eq!(denial(decision), Some(Denial::Revoked(by)), "{index}");
    }
}

#[test]
fn an_index_past_the_end_of_the_list_is_refused() {
    let policy = policy(&honoured(json!({})));
    let past = Some(Denial::Revoked("its status: `idx` is past the end of the list"));
    for (index, wanted) in [(2, None), (3, past.clone()), (1 << 40, past.clone()), (u64::MAX, past)] {
        assert_eq!(
            denial(ask(with_index(index), Some(there(Some(&[0; 3]), false))).decide(&policy)),
            wanted,
            "{index}"
        );
    }
}

#[test]
fn a_claim_that_does_not_say_where_the_status_is_is_malformed() {
    let policy = policy(&honoured(json!({})));
    for status in [
        json!({ "status_list": { "idx": -1, "uri": URI } }),
        json!({ "status_list": { "idx": 0.5, "uri": URI } }),
        json!({ "status_list": { "idx": "0", "uri": URI } }),
        json!({ "status_list": { "uri": URI } }),
        json!({ "status_list": { "idx": 0 } }),
        json!({ "status_list": [] }),
        json!({ "other": {} }),
        json!({}),
        json!("VALID"),
    ] {
        let signed = token().claim("status", status.clone()).sign();
        let decision = ask(signed, Some(there(Some(&[0; 3]), false))).decide(&policy);
        assert!(matches!(denial(decision), Some(Denial::MalformedToken(_))), "{status}");
    }
    assert_eq!(denial(ask(token().sign(), Some(there(None, true))).decide(&policy)), None, "a token without the claim");
}

#[test]
fn without_status_list_the_claim_is_not_looked_at() {
    let policy = policy(&config(json!({})));
    for index in [json!(1), json!(-1), json!("x")] {
        assert_eq!(denial(ask(with_index(index), Some(there(Some(&[1; 3]), false))).decide(&policy)), None);
    }
}

#[test]
fn a_list_that_is_missing_or_too_old_is_awaited_once() {
    let need = Need::StatusList(IssuerId(0), URI.into());
    let nothing = || Some(Rc::new(StatusLists::default()));
    for statuses in [nothing(), Some(there(None, true)), Some(there(Some(&[0]), true))] {
        let denies = policy(&honoured(json!({})));
        let asked = ask(with_index(0), statuses);
        assert_eq!(awaited(&asked.decide(&denies)), Some(&need));
        let allows = policy(&honoured(json!({ "when_stale": "allow" })));
        for awaited_status in [Awaited::Yes, Awaited::InVain] {
            let again = Ask { awaited_status, ..asked.clone() };
            assert_eq!(denial(again.decide(&denies)), Some(Denial::RevocationUnavailable), "{awaited_status:?}");
            assert_eq!(denial(again.decide(&allows)), None, "{awaited_status:?}");
        }
    }
}

#[test]
fn where_stale_lists_are_allowed_only_one_that_never_came_is_waited_for() {
    let allows = policy(&honoured(json!({ "when_stale": "allow" })));
    assert_eq!(denial(ask(with_index(0), Some(there(Some(&[0]), true))).decide(&allows)), None);
    let decision = ask(with_index(0), Some(there(None, true))).decide(&allows);
    assert!(awaited(&decision).is_some(), "{decision:?}");
}

#[test]
fn what_an_old_list_says_against_a_token_still_holds() {
    for when_stale in ["deny", "allow"] {
        let policy = policy(&honoured(json!({ "when_stale": when_stale })));
        for index in [1, 2, 3, 4] {
            let decision = ask(with_index(index), Some(there(Some(&[0, 1, 2, 3]), true))).decide(&policy);
            assert!(matches!(denial(decision), Some(Denial::Revoked(_))), "{when_stale} {index}");
        }
    }
}

#[test]
fn the_rules_for_tokens_come_first_and_a_bad_token_causes_no_fetch() {
    let policy = policy(&honoured(json!({})));
    let claim = json!({ "status_list": { "idx": 0, "uri": URI } });
    let forged = Issuer::new(Algorithm::Es256, "a");
    for (bad, reason) in [
        (token().claim("status", claim.clone()).claim("exp", 1).sign(), Reason::Expired),
        (token().claim("status", claim.clone()).claim("aud", "x").sign(), Reason::WrongAudience),
        (token().claim("status", claim.clone()).header("typ", "x").sign(), Reason::WrongType),
        (forged.token(NOW).claim("status", claim.clone()).sign(), Reason::BadSignature),
    ] {
        for statuses in [None, Some(there(None, true)), Some(there(Some(&[0]), false)), Some(there(Some(&[1]), false))]
        {
            let decision = ask(bad.clone(), statuses.or_else(|| Some(Rc::default()))).decide(&policy);
            assert_eq!(denial(decision).map(|denial| denial.reason()), Some(reason));
        }
    }
}

#[test]
fn an_address_that_no_prefix_fits_is_refused_and_never_fetched() {
    for when_stale in ["deny", "allow"] {
        let policy = policy(&honoured(json!({ "when_stale": when_stale })));
        for uri in [
            "https://evil.example.com/lists/1",
            "http://status.example.com/lists/1",
            "https://status.example.com/lists/../admin",
            "https://status.example.com/lists/%2e%2e/admin",
            "https://status.example.com/lists/..%2fadmin",
            "file:///etc/passwd",
            "",
        ] {
            let signed = token().claim("status", json!({ "status_list": { "idx": 0, "uri": uri } })).sign();
            for statuses in [None, Some(Rc::new(StatusLists::default()))] {
                let decision = ask(signed.clone(), statuses).decide(&policy);
                assert_eq!(denial(decision), Some(Denial::RevocationUnavailable), "{uri}");
            }
        }
    }
}

#[test]
fn what_is_told_of_a_list_that_is_not_there_is_its_address_without_the_query() {
    let policy = policy(&honoured(json!({})));
    let uri = "https://evil.example.com/lists/1?key=hidden-text";
    let signed = token().claim("status", json!({ "status_list": { "idx": 0, "uri": uri } })).sign();
    let decision = ask(signed, Some(Rc::default())).decide(&policy);
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap();
    let json: Value = serde_json::from_str(&record.to_json()).unwrap();
    assert_eq!(json["member"], "status.status_list.uri", "{json}");
    assert_eq!(json["received"], "https://evil.example.com/lists/1", "{json}");
    assert!(!format!("{json}{}{:?}", record.to_line(), record.why()).contains("hidden-text"), "{}", record.to_line());
}

#[test]
fn a_remembered_token_is_refused_as_soon_as_its_status_changes() {
    let policy = policy(&honoured(json!({})));
    let (keys, cache) = (configured_keys(&policy), TokenCache::new(CacheLimits::default()));
    let signed = with_index(1);
    for status in [0, 1, 0, 2, 0] {
        let decision = ask(signed.clone(), Some(there(Some(&[1, status, 1]), false))).decide_by(&policy, &keys, &cache);
        assert_eq!(denial(decision).is_none(), status == 0, "{status}");
    }
    let decision = ask(signed, Some(Rc::default())).decide_by(&policy, &keys, &cache);
    assert!(awaited(&decision).is_some());
}

#[test]
fn the_list_of_another_issuer_or_address_says_nothing() {
    let policy = policy(&honoured(json!({})));
    for (issuer, uri) in [(IssuerId(1), URI), (IssuerId(0), "https://status.example.com/lists/12")] {
        let mut lists = StatusLists::default();
        let list = Some(Rc::new(list(&[0])));
        lists.places_mut().push(StatusPlace {
            issuer,
            uri: uri.into(),
            list,
            is_stale: false,
            asked: Cell::new(false),
        });
        let lists = Rc::new(lists);
        let decision = ask(with_index(0), Some(Rc::clone(&lists))).decide(&policy);
        assert!(awaited(&decision).is_some());
        assert!(!lists.places()[0].asked.get(), "it was not asked for");
    }
    let lists = there(Some(&[0]), false);
    assert_eq!(denial(ask(with_index(0), Some(Rc::clone(&lists))).decide(&policy)), None);
    assert!(lists.places()[0].asked.get());
}

#[test]
fn an_entry_that_revokes_the_token_counts_before_its_status() {
    let policy = policy(&honoured(json!({})));
    let mut builder = Builder::new(UnixSeconds(NOW));
    builder.add(&Entry::token(ISSUER.into(), "id-1".into()));
    let revocations = Some(Revocations::new(vec![Rc::new(builder.finish())], true));
    let named = token().claim("jti", "id-1").claim("status", json!({ "status_list": { "idx": 1, "uri": URI } }));
    let decision = Ask { revocations, ..ask(named.sign(), Some(there(Some(&[1, 1]), false))) }.decide(&policy);
    assert_eq!(denial(decision), Some(Denial::Revoked("jti")));
    // And a status that is known counts before a revocation list that is missing.
    let revocations = || Some(Revocations::new(Vec::new(), false));
    let asked =
        |index: u64| Ask { revocations: revocations(), ..ask(with_index(index), Some(there(Some(&[0, 1]), false))) };
    assert_eq!(denial(asked(1).decide(&policy)), Some(Denial::Revoked("its status, INVALID")));
    assert_eq!(awaited(&asked(0).decide(&policy)), Some(&Need::Revocations));
}

#[test]
fn public_routes_look_at_no_status_and_report_only_counts_it() {
    let with_default = |default: Value| {
        let mut config = honoured(json!({}));
        config["default"] = default;
        policy(&config)
    };
    let public = with_default(json!({ "public": true }));
    assert_eq!(denial(ask(with_index(0), Some(there(Some(&[1]), false))).decide(&public)), None);
    let reports = with_default(json!({ "report_only": true }));
    match ask(with_index(0), Some(there(Some(&[1]), false))).decide(&reports) {
        Decision::Allow(grant) => assert_eq!(reported(&grant), Some(Reason::Revoked)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn away_from_a_gate_nothing_is_said_of_a_list() {
    let policy = policy(&honoured(json!({})));
    assert_eq!(denial(ask(with_index(0), None).decide(&policy)), None);
    assert!(matches!(denial(ask(with_index("x"), None).decide(&policy)), Some(Denial::MalformedToken(_))));
}
