//! Identities that change: which documents are those of a set, and what happens to credentials as documents come and go.

use crate::credentials::hex_sha256;
use crate::passwords::basic;
use crate::support::issuer::{Issuer, sign_texts};
use crate::world::{Ask, NOW, awaited, compiled, config, extend, get, policy, token};
use scopegate::base::time::UnixSeconds;
use scopegate::config::Loaded;
use scopegate::crypto::{Algorithm, PasswordHash, PureVerifier};
use scopegate::decision::{Decision, Need, NeedKind, Reason};
use scopegate::engine::decide;
use scopegate::facts::{Awaited, Facts, FetchedIdentities, KeyRing, NoMemory};
use scopegate::policy::{FetchedSet, IdentityTerms, Policy, SetId};
use scopegate::revocation::{Chunks, ListError};
use serde_json::{Value, json};
use std::rc::Rc;
use std::sync::LazyLock;

const KEY: &str = "acme-0123456789abcdef";
const NEXT: &str = "acme-next-0123456789a";
const OTHER: &str = "other-0123456789abcdef";

/// A bcrypt hash of `hunter22`.
static HUNTER22: LazyLock<String> = LazyLock::new(|| PasswordHash::bcrypt(b"hunter22", 5, [3; 16]));
static SIGNER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::Es256, "ids"));

/// Sets whose identities are fetched, and one whose identities are here.
pub fn gate(members: Value) -> Value {
    let remote = |name: &str| json!({ "uri": format!("https://ids.example.com/{name}"), "cluster": "ids" });
    let mut all = json!({ "credentials": [
        { "name": "partners", "api_key": { "header": "x-api-key" }, "scopes": ["orders:list"], "identities": remote("partners") },
        { "name": "mesh", "api_key": { "header": "x-mesh" }, "identities": remote("mesh") },
        { "name": "staff", "basic": {}, "identities": remote("staff") },
        { "name": "workloads", "mtls": {}, "identities": remote("workloads") },
        { "name": "own", "api_key": { "header": "x-own" }, "identities": [{ "id": "o", "secrets": [{ "sha256": hex_sha256(OTHER) }] }] },
    ] });
    extend(&mut all, members);
    config(all)
}

fn accepting(credentials: Value) -> Value {
    gate(json!({ "default": { "credentials": credentials } }))
}

fn terms(policy: &Policy, set: usize) -> IdentityTerms {
    policy.credentials[set].remote.as_ref().expect("a set that is fetched").terms.clone()
}

fn load(document: &str, terms: IdentityTerms) -> Result<Rc<FetchedSet>, ListError> {
    load_after(document, terms, None, NOW)
}

fn load_after(
    document: &str,
    terms: IdentityTerms,
    in_use: Option<&Rc<FetchedSet>>,
    now: i64,
) -> Result<Rc<FetchedSet>, ListError> {
    let document = Chunks::from(document.as_bytes());
    let mut loader =
        scopegate::config::IdentityLoader::begin(&document, terms, in_use, &PureVerifier, UnixSeconds(now))?;
    loop {
        if let Some(fetched) = loader.step()? {
            return Ok(fetched);
        }
    }
}

pub fn of_key(id: &str, key: &str, members: Value) -> Value {
    let mut identity = json!({ "id": id, "secrets": [{ "sha256": hex_sha256(key) }] });
    extend(&mut identity, members);
    identity
}

fn written(identities: Value) -> String {
    json!({ "identities": identities }).to_string()
}

/// The sets with these documents.
pub fn fetched(policy: &Policy, documents: &[(usize, Value)]) -> FetchedIdentities {
    let mut fetched = FetchedIdentities::default();
    for (set, identities) in documents {
        let read = load(&written(identities.clone()), terms(policy, *set));
        fetched.set(SetId(*set), Some(read.expect("a document")));
    }
    fetched
}

fn judge(ask: &Ask, policy: &Policy, identities: &FetchedIdentities) -> Decision {
    ask.judge(&KeyRing::default(), &NoMemory, |view, facts| decide(policy, view, &Facts { identities, ..*facts }))
}

fn reason(decision: &Decision) -> Option<Reason> {
    match decision {
        Decision::Deny(refusal) => Some(refusal.denial.reason()),
        Decision::Allow(_) => None,
        other => panic!("undecided: {other:?}"),
    }
}

fn with_key(key: &str) -> Ask {
    get("/").header("x-api-key", key)
}

#[test]
fn a_key_is_issued_rotated_and_withdrawn_by_the_document() {
    let policy = policy(&accepting(json!("partners")));
    let judged =
        |key: &str, identities: Value| reason(&judge(&with_key(key), &policy, &fetched(&policy, &[(0, identities)])));
    assert_eq!(judged(KEY, json!([])), Some(Reason::UnknownIdentity));
    assert_eq!(judged(KEY, json!([of_key("acme", KEY, json!({}))])), None, "issued");
    let both = json!([{ "id": "acme", "secrets": [{ "sha256": hex_sha256(KEY) }, { "sha256": hex_sha256(NEXT) }] }]);
    assert_eq!((judged(KEY, both.clone()), judged(NEXT, both)), (None, None), "rotated");
    let next = json!([of_key("acme", NEXT, json!({}))]);
    assert_eq!((judged(KEY, next.clone()), judged(NEXT, next)), (Some(Reason::UnknownIdentity), None), "withdrawn");
}

#[test]
fn an_identity_of_a_document_is_judged_as_one_of_the_configuration() {
    let members = json!({
        "default": { "credentials": "partners", "scopes": ["orders:read"], "claims": [{ "claim": "tenant", "equals": "acme" }] },
        "forward": { "headers": { "x-sub": "sub", "x-scope": "scope", "x-set": "credential" } },
        "revocation": { "entries": [{ "credential": "partners", "id": "stolen" }] },
    });
    let Loaded { policy, settings, .. } = compiled(&gate(members));
    let mut ask = with_key(KEY);
    ask.revocations = Some(settings.revocation.without_lists(UnixSeconds(NOW)));
    let good = json!({ "subject": "acme", "scopes": ["orders:read"], "claims": { "tenant": "acme" } });
    let changed = |change: Value| {
        let mut members = good.clone();
        extend(&mut members, change);
        fetched(&policy, &[(0, json!([of_key("acme-1", KEY, members)]))])
    };
    let Decision::Allow(grant) = judge(&ask, &policy, &changed(json!({}))) else { panic!("refused") };
    let mut set: Vec<(&str, &str)> = grant.set.iter().map(|(name, value)| (name.as_ref(), value.as_str())).collect();
    set.sort_unstable();
    assert_eq!(set, [("x-scope", "orders:read"), ("x-set", "partners"), ("x-sub", "acme")]);
    assert!(grant.remove.iter().any(|name| name == "x-api-key"), "{grant:?}");
    for (change, wanted) in [
        (json!({ "scopes": ["orders:write"] }), Reason::InsufficientScope),
        (json!({ "claims": { "tenant": "other" } }), Reason::ClaimMismatch),
        (json!({ "disabled": true }), Reason::Revoked),
        (json!({ "expires": NOW }), Reason::CredentialExpired),
        (json!({ "secrets": [{ "sha256": hex_sha256(KEY), "expires": NOW }] }), Reason::CredentialExpired),
        (json!({ "id": "stolen" }), Reason::Revoked),
    ] {
        assert_eq!(reason(&judge(&ask, &policy, &changed(change.clone()))), Some(wanted), "{change}");
    }
}

#[test]
fn an_identity_that_names_no_scopes_has_those_of_its_set() {
    let policy = policy(&gate(json!({ "default": { "credentials": "partners", "scopes": ["orders:list"] } })));
    let there =
        fetched(&policy, &[(0, json!([of_key("acme", KEY, json!({})), of_key("b", NEXT, json!({ "scopes": [] }))]))]);
    assert_eq!(reason(&judge(&with_key(KEY), &policy, &there)), None);
    assert_eq!(reason(&judge(&with_key(NEXT), &policy, &there)), Some(Reason::InsufficientScope));
}

#[test]
fn only_a_request_with_such_a_credential_waits_for_the_document_and_is_refused_without_it() {
    let policy =
        policy(&accepting(json!({ "any_of": ["bearer", "partners", "own", { "all_of": ["staff", "mesh"] }] })));
    let none = FetchedIdentities::default();
    let decision = judge(&with_key(KEY), &policy, &none);
    assert_eq!(awaited(&decision), Some(&Need::Identities(SetId(0))));
    for given in [Awaited::Yes, Awaited::InVain] {
        let again = |ask: &Ask| {
            ask.judge(&KeyRing::default(), &NoMemory, |view, facts| {
                let awaited = facts.awaited.with(NeedKind::Identities, given);
                decide(&policy, view, &Facts { identities: &none, awaited, ..*facts })
            })
        };
        assert_eq!(reason(&again(&with_key(KEY))), Some(Reason::IdentitiesUnavailable));
        let several = basic("ann", "hunter22").header("x-mesh", KEY);
        assert_eq!(reason(&again(&several)), Some(Reason::IdentitiesUnavailable));
    }
    assert_eq!(
        reason(&judge(&with_key("a b"), &policy, &none)),
        Some(Reason::MalformedCredential),
        "it is no key at all"
    );
    assert_eq!(reason(&judge(&get("/").header("x-own", OTHER), &policy, &none)), None, "another set");
    assert_eq!(reason(&judge(&get("/"), &policy, &none)), Some(Reason::NoCredential));
    let bearer = get("/").bearer(token().sign());
    let keys = crate::world::configured_keys(&policy);
    let decision =
        bearer.judge(&keys, &NoMemory, |view, facts| decide(&policy, view, &Facts { identities: &none, ..*facts }));
    assert_eq!(reason(&decision), None, "a token");
}

#[test]
fn users_and_certificates_are_in_documents_too() {
    let policy = policy(&accepting(json!({ "any_of": ["staff", "workloads"] })));
    let documents = |hash: Value, uri: &str| {
        let users = json!([{ "id": "ann", "secrets": [hash] }]);
        let workloads = json!([{ "id": "orders", "secrets": [{ "uri": uri }] }]);
        fetched(&policy, &[(2, users), (3, workloads)])
    };
    let (uri, bcrypt) = ("spiffe://example.com/orders", json!({ "bcrypt": *HUNTER22 }));
    let now = documents(bcrypt.clone(), uri);
    let mut presented = get("/");
    presented.peer_certificate = Some([7; 32]);
    presented.peer_uri = Some(uri.into());
    assert_eq!(reason(&judge(&basic("ann", "hunter22"), &policy, &now)), None);
    assert_eq!(reason(&judge(&basic("ann", "hunter23"), &policy, &now)), Some(Reason::WrongSecret));
    assert_eq!(reason(&judge(&basic("bob", "hunter22"), &policy, &now)), Some(Reason::UnknownIdentity));
    assert_eq!(reason(&judge(&presented, &policy, &now)), None);
    let later = documents(json!({ "sha256": hex_sha256("another password") }), "spiffe://example.com/other");
    assert_eq!(reason(&judge(&basic("ann", "hunter22"), &policy, &later)), Some(Reason::WrongSecret));
    assert_eq!(reason(&judge(&presented, &policy, &later)), Some(Reason::UnknownIdentity));
    assert_eq!(awaited(&judge(&presented, &policy, &FetchedIdentities::default())), Some(&Need::Identities(SetId(3))));
}

#[test]
fn a_document_is_refused_whole_and_the_cause_is_named() {
    let policy = policy(&accepting(json!("partners")));
    let good = of_key("a", KEY, json!({}));
    let with = |more: Value| written(json!([good, more]));
    let expired = |members: Value| with(of_key("b", NEXT, members));
    for (document, wanted) in [
        (String::new(), "it is no JSON object without duplicate members"),
        ("[]".to_owned(), "it is no JSON object without duplicate members"),
        (written(json!([good])).replace('}', ""), "it is no JSON object without duplicate members"),
        ("{\"identities\":[],\"identities\":[]}".to_owned(), "it is no JSON object without duplicate members"),
        ("{}".to_owned(), "its `identities` is no list"),
        ("{\"identities\":{}}".to_owned(), "its `identities` is no list"),
        ("{\"identities\":[],\"version\":1}".to_owned(), "it has members beside `identities`"),
        (with(json!("b")), "identities[1]: is text; write an object"),
        (with(json!({ "secrets": [] })), "identities[1]: `id` is missing; name it, for records and revocation"),
        (with(of_key("a", NEXT, json!({}))), "identities[1] has the `id` of one before it"),
        (with(of_key("b", KEY, json!({}))), "identities[1] has the secret of another entry"),
        (with(of_key("b", OTHER, json!({}))), "identities[1] has the secret of another entry"),
        (
            with(json!({ "id": "b" })),
            "identities[1]: has no `secrets`; list its keys, such as [{sha256: ...}], which `scopegate credentials new` makes",
        ),
        (
            with(json!({ "id": "b", "secrets": [NEXT] })),
            "identities[1].secrets[0]: is a secret as it is: every reader of the configuration could use it; write {sha256: ...}, which `scopegate credentials hash` makes of it, or {env: NAME}",
        ),
        (
            with(json!({ "id": "b", "secrets": [{ "env": "KEY_20" }] })),
            "identities[1].secrets[0].env: names an environment variable, and a document has hashes only; write the hash",
        ),
        (
            with(json!({ "id": "b", "secrets": [{ "bcrypt": *HUNTER22 }] })),
            "identities[1].secrets[0].bcrypt: is for passwords, and would cost each request milliseconds: a key is random, so SHA-256 is enough; write {sha256: ...}, which `scopegate credentials hash` makes of it, or {env: NAME}",
        ),
        (
            expired(json!({ "expires": "2027" })),
            "identities[1].expires: is text; write the seconds since 1970 as a whole number, as `exp` of a token",
        ),
        (
            expired(json!({ "claims": { "iss": "a" } })),
            "identities[1].claims.iss: is not a claim of an identity; it says something of tokens: leave it out",
        ),
        (expired(json!({ "scope": ["a"] })), "identities[1].scope: is not a field; did you mean `scopes`?"),
        (
            expired(json!({ "disabled": null })),
            "identities[1].disabled: is null; give it a value, or leave the field out",
        ),
    ] {
        let refused = load(&document, terms(&policy, 0)).expect_err(&document);
        assert_eq!(refused, ListError::Identities(wanted.to_owned()), "{document}");
    }
    let long = written(json!([{ "x".repeat(100_000): 1 }]));
    let cause = load(&long, terms(&policy, 0)).map(|_| ()).expect_err("no identity").to_string();
    assert!(cause.len() < 250 && cause.contains("identities[0].xxx"), "{cause}");
    assert_eq!(
        load(&written(json!([])), terms(&policy, 0)).map(|read| read.set.identities.len()),
        Ok(0),
        "the user is gone"
    );
    let mut short = terms(&policy, 0);
    short.max_bytes = written(json!([good])).len();
    assert!(load(&written(json!([good])), short.clone()).is_ok());
    assert_eq!(load(&(written(json!([good])) + " "), short.clone()).err(), Some(ListError::TooLarge(short.max_bytes)));
}

#[test]
fn a_key_of_another_document_is_refused_as_one_of_the_configuration_is() {
    let policy = policy(&accepting(json!("partners")));
    let other = load(&written(json!([of_key("m", KEY, json!({}))])), terms(&policy, 1)).expect("a document");
    let mut partners = terms(&policy, 0);
    partners.others.push(other);
    let error = load(&written(json!([of_key("a", NEXT, json!({})), of_key("b", KEY, json!({}))])), partners.clone());
    assert_eq!(error.err(), Some(ListError::Identities("identities[1] has the secret of another entry".into())));
    assert!(load(&written(json!([of_key("a", NEXT, json!({}))])), partners).is_ok());
}

#[test]
fn there_is_a_limit_to_identities() {
    let policy = policy(&accepting(json!("staff")));
    let mut long = terms(&policy, 2);
    long.max_bytes = 4 << 20;
    let most = scopegate::config::MAX_IDENTITIES;
    let of = |count: usize| {
        let users =
            (0..count).map(|id| json!({ "id": id.to_string(), "secrets": [{ "sha256": format!("{id:064}") }] }));
        written(users.collect())
    };
    assert_eq!(load(&of(most), long.clone()).map(|read| read.set.identities.len()), Ok(most));
    let why = format!("it has more than {most} identities");
    assert_eq!(load(&of(most + 1), long).err(), Some(ListError::Identities(why)));
}

/// A document that is signed, with these changes of its header and its claims.
fn signed(signer: &Issuer, header: Value, claims: Value) -> String {
    let mut head = json!({ "alg": "ES256", "kid": "ids", "typ": "scopegate-identities+jwt" });
    let mut body = json!({ "sub": "partners", "iat": NOW, "identities": [of_key("a", KEY, json!({}))] });
    for (into, from) in [(&mut head, header), (&mut body, claims)] {
        extend(into, from);
        into.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    }
    sign_texts(&signer.key, &head.to_string(), &body.to_string())
}

#[test]
fn what_has_to_be_signed_is_signed_by_a_key_that_is_named_for_this_set_and_now() {
    let policy = policy(&accepting(json!("partners")));
    let keys = scopegate::jose::KeySet::parse(SIGNER.jwks().to_string().as_bytes(), 10_000, 10).expect("keys");
    let mut terms = terms(&policy, 0);
    let of_nobody = terms.clone();
    terms.signed_by = Some(Rc::new(keys));
    let good = || signed(&SIGNER, json!({}), json!({}));
    assert_eq!(load(&good(), terms.clone()).map(|read| read.set.identities.len()), Ok(1));
    assert!(load(&(good() + "\n"), terms.clone()).is_ok(), "a line feed after it");
    assert_eq!(load(&good(), of_nobody).err(), Some(ListError::SignedForNobody));
    assert_eq!(load(&written(json!([])), terms.clone()).err(), Some(ListError::NotSigned));
    let stranger = Issuer::new(Algorithm::Es256, "ids");
    for (document, why) in [
        (signed(&stranger, json!({}), json!({})), "no key verifies it"),
        (signed(&SIGNER, json!({ "kid": "x" }), json!({})), "no key has its `kid` and `alg`"),
        (signed(&SIGNER, json!({ "alg": "none" }), json!({})), "its `alg` is not supported"),
        (signed(&SIGNER, json!({ "typ": "JWT" }), json!({})), "its `typ` is not scopegate-identities+jwt"),
        (
            signed(&SIGNER, json!({ "typ": "scopegate-revocations+jwt" }), json!({})),
            "its `typ` is not scopegate-identities+jwt",
        ),
        (signed(&SIGNER, json!({}), json!({ "sub": "mesh" })), "its `sub` is not the name of the set"),
        (signed(&SIGNER, json!({}), json!({ "sub": null })), "its `sub` is not the name of the set"),
        (signed(&SIGNER, json!({}), json!({ "iat": null })), "it has no `iat`"),
        (signed(&SIGNER, json!({}), json!({ "iat": NOW + 61 })), "it is of the future"),
        (signed(&SIGNER, json!({}), json!({ "exp": NOW - 60 })), "it has expired"),
        (good().replace('.', ". "), "the payload is not base64url"),
    ] {
        assert_eq!(load(&document, terms.clone()).err(), Some(ListError::Signature(why)), "{document}");
    }
    let none = signed(&SIGNER, json!({}), json!({ "identities": null }));
    assert_eq!(load(&none, terms.clone()).err(), Some(ListError::Identities("its `identities` is no list".into())));
    let in_use = load(&good(), terms.clone()).expect("a document");
    let older = signed(&SIGNER, json!({}), json!({ "iat": NOW - 1 }));
    assert_eq!(load_after(&older, terms.clone(), Some(&in_use), NOW).err(), Some(ListError::Older));
    let short = signed(&SIGNER, json!({}), json!({ "exp": NOW + 5 }));
    let in_use = load(&short, terms.clone()).expect("a document");
    assert!(load_after(&short, terms.clone(), Some(&in_use), NOW + 64).is_ok());
    let late = load_after(&short, terms, Some(&in_use), NOW + 65).err();
    assert_eq!(late, Some(ListError::Signature("it has expired")), "even if it is the one in use");
}
