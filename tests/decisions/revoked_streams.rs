//! Open streams whose credential is revoked, or what vouches for it withdrawn: closed exactly where a new request with it is
//! refused for that.

use crate::credentials::hex_sha256;
use crate::identities::{fetched, gate, of_key};
use crate::passwords::basic;
use crate::status;
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, Token};
use crate::world::{Ask, NOW, extend, get, policy};
use proptest::prelude::*;
use scopegate::base::time::UnixSeconds;
use scopegate::checks::fingerprint;
use scopegate::crypto::{Algorithm, PasswordHash};
use scopegate::decision::{Decision, Denial, Grant, Held, OpenStream, Reason};
use scopegate::engine::{decide, still_good};
use scopegate::facts::{Awaited, Facts, FetchedIdentities, KeyRing, NoMemory, StatusLists, TokenMemory, Withdrawals};
use scopegate::jose::KeySet;
use scopegate::policy::{CacheLimits, IssuerId, Policy};
use scopegate::revocation::{Builder, Entry, Revocations};
use scopegate::token_cache::TokenCache;
use serde_json::{Value, json};
use std::rc::Rc;
use std::sync::LazyLock;

const KEY: &str = "acme-0123456789abcdef";
const NEXT: &str = "acme-next-0123456789a";

static OWN: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::EdDsa, "a"));
/// Another key that is called the same.
static SAME_NAME: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::EdDsa, "a"));
static OTHER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::EdDsa, "b"));

/// A gate whose keys, status lists and identities are fetched.
fn closing(credentials: Value) -> Policy {
    let status = json!({ "clusters": [{ "uri_prefix": "https://status.example.com/lists/", "cluster": "lists" }] });
    let issuer = json!({
        "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "status_list": status,
        "jwks": { "uri": "https://issuer.example.com/jwks", "cluster": "issuer" },
    });
    let default = json!({ "credentials": credentials, "close_streams": "revocation" });
    policy(&gate(json!({ "issuers": [issuer], "default": default })))
}

/// What is known at a time.
#[derive(Clone)]
struct Known {
    revocations: Revocations,
    keys: KeyRing,
    statuses: Rc<StatusLists>,
    identities: FetchedIdentities,
}

impl Known {
    /// Nothing is withdrawn.
    fn good(policy: &Policy) -> Self {
        Self {
            revocations: Revocations::none(),
            keys: keys(Some(json!([OWN.key.to_public_jwk()]))),
            statuses: status::there(Some(&[0]), false),
            identities: fetched(policy, &[(0, json!([of_key("acme", KEY, json!({}))]))]),
        }
    }

    fn decide(&self, ask: &Ask, policy: &Policy, memory: &dyn TokenMemory) -> Decision {
        let ask = Ask {
            revocations: Some(self.revocations.clone()),
            statuses: Some(Rc::clone(&self.statuses)),
            awaited: Awaited::Yes,
            ..ask.clone()
        };
        ask.judge(&self.keys, memory, |view, facts| {
            decide(policy, view, &Facts { identities: &self.identities, ..*facts })
        })
    }

    /// What becomes of a stream with these credentials.
    fn judge(&self, held: &[Rc<Held>]) -> Result<Option<UnixSeconds>, Denial> {
        let Self { revocations, keys, statuses, identities } = self;
        still_good(held, &Withdrawals { revocations, keys, statuses, identities }, UnixSeconds(NOW))
    }
}

fn keys(members: Option<Value>) -> KeyRing {
    let mut ring = KeyRing::default();
    let set = members.map(|keys| json!({ "keys": keys }).to_string());
    let set = set.map(|set| KeySet::parse(set.as_bytes(), 10_000, 10).unwrap());
    ring.set(IssuerId(0), set.map(Rc::new));
    ring
}

/// A token with every claim that an entry can name, and a status.
fn named() -> Token<'static> {
    let status = json!({ "status_list": { "idx": 0, "uri": status::URI } });
    let token = OWN.token(NOW).claim("jti", "id-1").claim("sid", "session-1").claim("client_id", "client-1");
    token.claim("status", status)
}

fn opened(decision: Decision) -> OpenStream {
    let Decision::Allow(Grant { open, .. }) = decision else { panic!("not allowed: {decision:?}") };
    *open.expect("a stream that is watched")
}

fn reason(decision: &Decision) -> Option<Reason> {
    match decision {
        Decision::Deny(refusal) => Some(refusal.denial.reason()),
        Decision::Allow(_) => None,
        other => panic!("undecided: {other:?}"),
    }
}

fn list(entries: &[Value]) -> Revocations {
    let mut builder = Builder::new(UnixSeconds(NOW));
    for entry in entries {
        let members = scopegate::base::json::parse_object(entry.to_string().as_bytes()).unwrap();
        builder.add(&Entry::from_members(&members).unwrap());
    }
    Revocations::new(vec![Rc::new(builder.finish())], true)
}

fn token_ask(token: &str) -> Ask {
    get("/").bearer(token)
}

fn key_ask() -> Ask {
    get("/").header("x-api-key", KEY)
}

#[test]
fn each_cause_closes_the_streams_of_its_credential_with_its_reason() {
    let policy = closing(json!("bearer"));
    let good = Known::good(&policy);
    let signed = named().sign();
    let digest = fingerprint(signed.rsplit_once('.').unwrap().0.as_bytes());
    let open = opened(good.decide(&token_ask(&signed), &policy, &NoMemory));
    assert_eq!(open.close_at, Some(UnixSeconds(NOW + 300 + 10)));
    assert_eq!(good.judge(&open.held), Ok(None));
    for (entry, by) in [
        (json!({ "iss": ISSUER, "jti": "id-1" }), "jti"),
        (json!({ "fingerprint": digest }), "fingerprint"),
        (json!({ "iss": ISSUER, "sub": "alice", "issued_before": NOW + 1 }), "sub"),
        (json!({ "iss": ISSUER, "sid": "session-1" }), "sid"),
        (json!({ "iss": ISSUER, "client_id": "client-1", "issued_before": NOW + 1 }), "client_id"),
        (json!({ "iss": ISSUER, "kid": "a" }), "kid"),
    ] {
        let now = Known { revocations: list(std::slice::from_ref(&entry)), ..good.clone() };
        assert_eq!(now.judge(&open.held), Err(Denial::Revoked(by)), "{entry}");
    }
    for (statuses, wanted) in [
        (status::there(Some(&[1]), true), Err(Denial::Revoked("its status, INVALID"))),
        (status::there(Some(&[]), false), Err(Denial::Revoked("its status: `idx` is past the end of the list"))),
        (status::there(None, true), Ok(None)),
        (Rc::default(), Ok(None)),
    ] {
        let now = Known { statuses: Rc::clone(&statuses), ..good.clone() };
        assert_eq!(now.judge(&open.held), wanted);
        let asked: Vec<bool> = statuses.places().iter().map(|place| place.asked.get()).collect();
        assert!(asked.iter().all(|asked| *asked), "the list stays in use: {asked:?}");
    }
}

#[test]
fn a_key_is_withdrawn_when_the_set_has_it_no_longer_and_not_when_there_is_no_set() {
    let policy = closing(json!("bearer"));
    let good = Known::good(&policy);
    let with = |name: &str, value: Value| {
        let mut jwk = json!(OWN.key.to_public_jwk());
        extend(&mut jwk, json!({ name: value }));
        jwk
    };
    let own = || json!(OWN.key.to_public_jwk());
    // What is remembered of a token names its key, also where the token does not: under another name it is another key.
    for token in [named(), named().header("kid", Value::Null)] {
        let open = opened(good.decide(&token_ask(&token.clone().sign()), &policy, &NoMemory));
        for (members, stays) in [
            (None, true),
            (Some(json!([own()])), true),
            (Some(json!([OTHER.key.to_public_jwk(), own()])), true),
            (Some(json!([with("use", json!("sig"))])), true),
            (Some(json!([with("alg", json!("EdDSA"))])), true),
            (Some(json!([with("kid", json!("b"))])), false),
            (Some(json!([SAME_NAME.key.to_public_jwk()])), false),
            (Some(json!([SAME_NAME.key.to_public_jwk(), own()])), true),
            (Some(json!([OTHER.key.to_public_jwk()])), false),
            (Some(json!([])), false),
        ] {
            let wanted = if stays { Ok(None) } else { Err(Denial::UnknownKey) };
            let now = Known { keys: keys(members.clone()), ..good.clone() };
            assert_eq!(now.judge(&open.held), wanted, "{members:?}");
        }
    }
}

#[test]
fn an_identity_is_withdrawn_with_its_secret_or_as_a_whole_and_gets_an_end() {
    let policy = closing(json!("partners"));
    let good = Known::good(&policy);
    let open = opened(good.decide(&key_ask(), &policy, &NoMemory));
    assert_eq!(open.close_at, None);
    let both =
        |id: &str| json!({ "id": id, "secrets": [{ "sha256": hex_sha256(NEXT) }, { "sha256": hex_sha256(KEY) }] });
    let expired = Denial::CredentialExpired { expired_at: UnixSeconds(NOW), now: UnixSeconds(NOW) };
    let secret = |expires: i64| json!({ "id": "acme", "secrets": [{ "sha256": hex_sha256(KEY), "expires": expires }] });
    for (document, wanted) in [
        (json!([of_key("acme", KEY, json!({ "scopes": [] }))]), Ok(None)),
        (json!([both("acme")]), Ok(None)),
        (json!([]), Err(Denial::UnknownIdentity)),
        (json!([of_key("acme", NEXT, json!({}))]), Err(Denial::UnknownIdentity)),
        (json!([both("other")]), Err(Denial::UnknownIdentity)),
        (json!([of_key("acme", KEY, json!({ "disabled": true }))]), Err(Denial::Revoked("`disabled`"))),
        (json!([of_key("acme", KEY, json!({ "expires": NOW }))]), Err(expired.clone())),
        (json!([secret(NOW)]), Err(expired)),
        (json!([of_key("acme", KEY, json!({ "expires": NOW + 5 }))]), Ok(Some(UnixSeconds(NOW + 5)))),
        (json!([secret(NOW + 7)]), Ok(Some(UnixSeconds(NOW + 7)))),
    ] {
        let now = Known { identities: fetched(&policy, &[(0, document.clone())]), ..good.clone() };
        assert_eq!(now.judge(&open.held), wanted, "{document}");
    }
    assert_eq!(Known { identities: FetchedIdentities::default(), ..good.clone() }.judge(&open.held), Ok(None));
    let revoked = list(&[json!({ "credential": "partners", "id": "acme" })]);
    assert_eq!(Known { revocations: revoked, ..good }.judge(&open.held), Err(Denial::Revoked("id")));
}

#[test]
fn passwords_and_certificates_are_withdrawn_too_and_what_the_configuration_holds_is_not() {
    let policy = closing(json!({ "any_of": ["staff", "workloads", "own"] }));
    let hash = |password: &[u8]| json!([{ "bcrypt": PasswordHash::bcrypt(password, 5, [3; 16]) }]);
    let documents = |password: &[u8], uri: &str| {
        let users = json!([{ "id": "ann", "secrets": hash(password) }]);
        fetched(&policy, &[(2, users), (3, json!([{ "id": "orders", "secrets": [{ "uri": uri }] }]))])
    };
    let (uri, good) = ("spiffe://example.com/orders", Known::good(&policy));
    let good = Known { identities: documents(b"hunter22", uri), ..good };
    let later = Known { identities: documents(b"hunter23", "spiffe://example.com/other"), ..good.clone() };
    let presented = Ask { peer_certificate: Some([7; 32]), peer_uri: Some(uri.into()), ..get("/") };
    for ask in [basic("ann", "hunter22"), presented] {
        let open = opened(good.decide(&ask, &policy, &NoMemory));
        assert_eq!((good.judge(&open.held), later.judge(&open.held)), (Ok(None), Err(Denial::UnknownIdentity)));
    }
    let own = opened(good.decide(&get("/").header("x-own", "other-0123456789abcdef"), &policy, &NoMemory));
    assert_eq!(later.judge(&own.held), Ok(None));
    let revoked = Known { revocations: list(&[json!({ "credential": "own", "id": "o" })]), ..later };
    assert_eq!(revoked.judge(&own.held), Err(Denial::Revoked("id")));
}

#[test]
fn where_only_the_time_counts_or_nothing_is_refused_no_credential_is_held() {
    let held = |members: Value| {
        let config = crate::world::config(members);
        get("/").bearer(crate::world::token().sign()).granted(&config).open.map(|open| open.held.len())
    };
    assert_eq!(held(json!({ "default": { "close_streams": "expiry" } })), Some(0));
    assert_eq!(held(json!({ "default": { "close_streams": "revocation" } })), Some(1));
    for members in [
        json!({}),
        json!({ "report_only": true, "default": { "close_streams": "revocation" } }),
        json!({ "default": { "close_streams": "revocation", "report_only": true } }),
        json!({ "default": { "close_streams": "revocation", "methods": { "GET": { "close_streams": "never" } } } }),
    ] {
        assert_eq!(held(members.clone()), None, "{members}");
    }
}

#[test]
fn of_a_token_that_comes_again_nothing_is_computed_twice_and_nothing_is_large() {
    let (policy, cache) = (closing(json!("bearer")), TokenCache::new(CacheLimits::default()));
    let (good, ask) = (Known::good(&policy), token_ask(&named().sign()));
    let held = || opened(good.decide(&ask, &policy, &cache)).held;
    let (first, second, third) = (held(), held(), held());
    assert_eq!(first, second);
    assert!(Rc::ptr_eq(&second[0], &third[0]), "one for all streams of the token");
    assert!(first[0].bytes() < 400, "{}", first[0].bytes());
    assert_eq!(size_of::<Option<Box<OpenStream>>>(), size_of::<usize>(), "a grant has a pointer to it");
}

/// What has happened since a stream was opened: entries, keys, the status and the identities.
type Since = (Vec<usize>, usize, usize, usize);

fn since() -> impl Strategy<Value = Since> {
    (proptest::collection::vec(0..16_usize, 0..3), 0..7_usize, 0..4_usize, 0..7_usize)
}

/// What is known then. `fills` says that what is missing is as it was: an outage withdraws nothing, and hides nothing either.
fn after(policy: &Policy, digest: &str, since: &Since, fills: bool) -> Known {
    let (entries, keys_now, status_now, identities_now) = since;
    let all = [
        json!({ "iss": ISSUER, "jti": "id-1" }),
        json!({ "iss": ISSUER, "jti": "id-2" }),
        json!({ "fingerprint": digest }),
        json!({ "fingerprint": fingerprint(b"another") }),
        json!({ "iss": ISSUER, "sub": "alice", "issued_before": NOW + 1 }),
        json!({ "iss": ISSUER, "sub": "alice", "issued_before": NOW }),
        json!({ "iss": ISSUER, "sub": "bob", "issued_before": NOW + 1 }),
        json!({ "iss": ISSUER, "sid": "session-1" }),
        json!({ "iss": ISSUER, "sid": "id-1" }),
        json!({ "iss": ISSUER, "client_id": "client-1", "issued_before": NOW + 1 }),
        json!({ "iss": ISSUER, "client_id": "client-1", "issued_before": NOW }),
        json!({ "iss": ISSUER, "kid": "a" }),
        json!({ "iss": ISSUER, "kid": "b" }),
        json!({ "credential": "partners", "id": "acme" }),
        json!({ "credential": "partners", "id": "other" }),
        json!({ "iss": "partners", "sid": "acme" }),
    ];
    let [own, same_name, other] = [&OWN, &SAME_NAME, &OTHER].map(|issuer| issuer.key.to_public_jwk());
    let keys_now = match keys_now {
        0 if !fills => None,
        0 | 1 => Some(json!([own])),
        2 => Some(json!([own, other])),
        3 => Some(json!([same_name])),
        4 => Some(json!([same_name, own])),
        5 => Some(json!([other])),
        _ => Some(json!([])),
    };
    let document = match identities_now {
        0 if !fills => None,
        0 | 1 => Some(json!([of_key("acme", KEY, json!({}))])),
        2 => Some(json!([])),
        3 => Some(json!([of_key("acme", NEXT, json!({}))])),
        4 => Some(json!([of_key("acme", KEY, json!({ "disabled": true }))])),
        5 => Some(json!([of_key("acme", KEY, json!({ "expires": NOW }))])),
        _ => Some(json!([of_key("acme", KEY, json!({ "expires": NOW + 1 }))])),
    };
    Known {
        revocations: list(&entries.iter().map(|at| all[*at].clone()).collect::<Vec<_>>()),
        keys: keys(keys_now),
        statuses: match status_now {
            0 if !fills => Rc::default(),
            0 | 1 => status::there(Some(&[0]), false),
            2 => status::there(Some(&[2]), false),
            _ => status::there(Some(&[1]), !fills),
        },
        identities: document.map_or_else(FetchedIdentities::default, |document| fetched(policy, &[(0, document)])),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_stream_is_closed_exactly_where_a_new_request_is_refused_as_revoked(
        what in 0..3_usize,
        names_key in any::<bool>(),
        since in since(),
    ) {
        let credentials = [json!("bearer"), json!("partners"), json!({ "all_of": ["partners", "bearer"] })];
        let policy = closing(credentials[what].clone());
        let token = if names_key { named() } else { named().header("kid", Value::Null) }.sign();
        let digest = fingerprint(token.rsplit_once('.').unwrap().0.as_bytes());
        let ask = match what {
            0 => token_ask(&token),
            1 => key_ask(),
            _ => key_ask().bearer(&token),
        };
        let open = opened(Known::good(&policy).decide(&ask, &policy, &NoMemory));
        prop_assert_eq!(open.held.len(), if what == 2 { 2 } else { 1 });
        let closed = after(&policy, &digest, &since, false).judge(&open.held);
        let refused = reason(&after(&policy, &digest, &since, true).decide(&ask, &policy, &NoMemory));
        prop_assert_eq!(closed.is_err(), refused.is_some(), "{:?} {:?}", closed, refused);
        if let Some(reason) = refused {
            let withdrawn = [
                Reason::Revoked, Reason::UnknownKey, Reason::BadSignature, Reason::UnknownIdentity, Reason::CredentialExpired,
            ];
            prop_assert!(withdrawn.contains(&reason), "{:?}", reason);
        }
    }
}
