//! Basic authentication (RFC 7617): whose password it is, when it is good, and what is no user name and password at all.

use crate::credentials::{ACME, challenges, hex_sha256};
use crate::world::{Ask, NOW, awaited, compiled, config, extend, get, policy, token};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use scopegate::audit::AuditRecord;
use scopegate::base::time::UnixSeconds;
use scopegate::crypto::PasswordHash;
use scopegate::decision::{Decision, Denial, Need, PasswordJob, Reason};
use scopegate::engine::decide;
use scopegate::facts::{Awaited, Facts, KeyRing, NoMemory, PasswordAnswer, PasswordJudge, PasswordQuestion};
use scopegate::policy::AuditSettings;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::LazyLock;

/// The password of `ann`, with colons.
const ANN: &str = "correct:horse:";
/// That of `bob`, from an environment variable.
const BOB: &str = "0123456789abcdefghij";

/// The set, whose hashes take a moment to make.
static STAFF: LazyLock<Value> = LazyLock::new(|| {
    let bcrypt = |password: &str, cost| PasswordHash::bcrypt(password.as_bytes(), cost, [3; 16]);
    let pbkdf2 = |password: &str| PasswordHash::pbkdf2(password.as_bytes(), 300, b"0123456789abcdef");
    json!({
        "name": "staff", "basic": {}, "scopes": ["reports:read"],
        "htpasswd": format!("# made by htpasswd -B\n\n dora:{}\r\nhér:{}", bcrypt("dora's", 5), bcrypt("é", 5)),
        "identities": [
            { "id": "ann", "subject": "Ann", "scopes": ["orders:read"], "claims": { "tenant": "acme" }, "secrets": [
                { "bcrypt": bcrypt(ANN, 5) }, { "pbkdf2": pbkdf2("next") }, { "pbkdf2": pbkdf2("old"), "expires": NOW }] },
            { "id": "bob", "secrets": [{ "env": "KEY_20" }, { "sha256": hex_sha256("short") }] },
            { "id": "gone", "disabled": true, "secrets": [{ "bcrypt": bcrypt("gone", 5) }] },
            { "id": "late", "expires": NOW, "secrets": [{ "bcrypt": bcrypt("late", 6) }] },
            { "id": "dora", "claims": { "tenant": "dora" } },
        ],
    })
});

fn gate(members: Value) -> Value {
    let partners = json!({ "name": "partners", "api_key": { "header": "x-api-key" },
                           "identities": [{ "id": "acme", "secrets": [{ "sha256": hex_sha256(ACME) }] }] });
    let mut all = json!({ "credentials": [*STAFF, partners], "default": { "credentials": "staff" } });
    extend(&mut all, members);
    config(all)
}

pub fn basic(user: &str, password: &str) -> Ask {
    sent(STANDARD.encode(format!("{user}:{password}")))
}

fn sent(text: impl AsRef<str>) -> Ask {
    get("/").header("authorization", format!("Basic {}", text.as_ref()))
}

fn record(ask: &Ask, config: &Value) -> String {
    let (decision, policy) = (ask.decide_under(config), policy(config));
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap();
    format!("{} {}", record.to_json(), record.to_line())
}

#[test]
fn a_user_passes_with_what_the_identity_is_granted() {
    let gate =
        gate(json!({ "forward": { "headers": { "x-sub": "sub", "x-scope": "scope", "x-source": "credential" } } }));
    for (user, password, sub, scope) in [
        ("ann", ANN, "Ann", "orders:read"),
        ("ann", "next", "Ann", "orders:read"),
        ("bob", BOB, "bob", "reports:read"),
        ("bob", "short", "bob", "reports:read"),
        ("dora", "dora's", "dora", "reports:read"),
        ("hér", "é", "h%C3%A9r", "reports:read"),
    ] {
        let grant = basic(user, password).granted(&gate);
        assert_eq!(grant.remove, ["authorization"], "{user}");
        let mut set: Vec<(&str, &str)> = grant.set.iter().map(|(name, value)| (&**name, value.as_str())).collect();
        set.sort_unstable();
        if user.is_ascii() {
            assert_eq!(set, [("x-scope", scope), ("x-source", "staff"), ("x-sub", sub)], "{user}");
        }
    }
    let asks = |more: Value| {
        let mut default = json!({ "credentials": "staff" });
        extend(&mut default, more);
        self::gate(json!({ "default": default }))
    };
    assert_eq!(basic("ann", ANN).refused(&asks(json!({ "scopes": ["orders:read"] }))), None);
    assert_eq!(basic("bob", BOB).refused(&asks(json!({ "scopes": ["orders:read"] }))), Some(Reason::InsufficientScope));
    let tenant = asks(json!({ "claims": [{ "claim": "tenant", "equals": "dora" }] }));
    assert_eq!(basic("dora", "dora's").refused(&tenant), None, "an identity of a line of htpasswd");
    assert_eq!(basic("ann", ANN).refused(&tenant), Some(Reason::ClaimMismatch));
}

#[test]
fn a_wrong_password_is_told_from_an_unknown_user_in_the_log_alone() {
    let gate = gate(json!({ "revocation": { "entries": [{ "credential": "staff", "id": "dora" }] } }));
    let unknown = basic("nobody", ANN);
    let wanted = challenges(&unknown, &gate);
    assert_eq!((wanted.0, &wanted.1[..]), (401, &["Basic realm=\"api\", charset=\"UTF-8\"".to_owned()][..]));
    for (ask, reason, identity) in [
        (unknown, Reason::UnknownIdentity, None),
        (basic("ann", "wrong"), Reason::WrongSecret, Some("ann")),
        (basic("ann", &ANN[1..]), Reason::WrongSecret, Some("ann")),
        (basic("Ann", ANN), Reason::UnknownIdentity, None),
        (basic("ann", BOB), Reason::WrongSecret, Some("ann")),
        (basic("ann", "old"), Reason::CredentialExpired, Some("ann")),
        (basic("gone", "gone"), Reason::Revoked, Some("gone")),
        (basic("gone", "wrong"), Reason::WrongSecret, Some("gone")),
        (basic("late", "late"), Reason::CredentialExpired, Some("late")),
        (basic("late", "wrong"), Reason::WrongSecret, Some("late")),
        (basic("dora", "dora's"), Reason::Revoked, Some("dora")),
        (basic("dora", "wrong"), Reason::WrongSecret, Some("dora")),
        (sent("!"), Reason::MalformedCredential, None),
    ] {
        assert_eq!(ask.refused(&gate), Some(reason), "{ask:?}");
        assert_eq!(challenges(&ask, &gate), wanted, "{ask:?}");
        let record = record(&ask, &gate);
        assert!(
            record.contains("\"credential\":\"basic\",\"credential_set\":\"staff\"")
                || reason == Reason::MalformedCredential,
            "{record}"
        );
        assert_eq!(record.contains("\"identity\":"), identity.is_some(), "{record}");
        assert!(identity.is_none_or(|id| record.contains(&format!("\"identity\":\"{id}\""))), "{record}");
        assert!(!record.contains("nobody") && !record.contains("wrong\"") && !record.contains(ANN), "{record}");
    }
}

#[test]
fn what_is_no_user_name_and_password_is_malformed() {
    let gate = gate(json!({}));
    let good = "dora:dora's";
    assert!(STANDARD.encode(good).ends_with('=') && STANDARD.encode("ann:a?").contains('/'));
    for text in [
        String::new(),
        "=".to_owned(),
        STANDARD_NO_PAD.encode(good),
        format!("{}=", STANDARD.encode(good)),
        URL_SAFE.encode("ann:a?"),
        format!(" {} ", STANDARD.encode(good)).replace(' ', "\t"),
        format!("{} x", STANDARD.encode(good)),
        STANDARD.encode("ann"),
        STANDARD.encode(""),
        STANDARD.encode(":"),
        STANDARD.encode(format!(":{BOB}")),
        STANDARD.encode(b"ann:\xff\xfe"),
        STANDARD.encode(b"\xe9:a"),
        STANDARD.encode("ann:a\0b"),
        STANDARD.encode("ann:a\tb"),
        STANDARD.encode("ann:a\u{85}b"),
        STANDARD.encode("an\nn:a"),
        STANDARD.encode(format!("ann:{}", "a".repeat(73))),
        STANDARD.encode(format!("{}:a", "a".repeat(129))),
        STANDARD.encode(format!("ann:{}", "a".repeat(45_000))),
    ] {
        assert_eq!(sent(&text).refused(&gate), Some(Reason::MalformedCredential), "{text:.80}");
    }
    for text in [format!("ann:{}", "a".repeat(72)), format!("{}:a", "a".repeat(128)), "ann:".to_owned()] {
        let refused = sent(STANDARD.encode(&text)).refused(&gate);
        assert!(matches!(refused, Some(Reason::WrongSecret | Reason::UnknownIdentity)), "{text}: {refused:?}");
    }
    for scheme in ["basic", "BASIC", "bAsIc  "] {
        let ask = get("/").header("authorization", format!("{scheme} {}", STANDARD.encode(good)));
        assert_eq!(ask.refused(&gate), None, "{scheme}");
    }
    assert_eq!(get("/").header("authorization", "Basic").refused(&gate), Some(Reason::MalformedCredential));
    assert_eq!(get("/").header("authorization", "Basicx eA==").refused(&gate), Some(Reason::NoCredential));
}

#[test]
fn two_lines_are_two_credentials_and_another_scheme_is_none() {
    let either = gate(json!({ "default": { "credentials": { "any_of": ["bearer", "staff", "partners"] } } }));
    let line = format!("Basic {}", STANDARD.encode(format!("ann:{ANN}")));
    let twice =
        [basic("ann", ANN).header("authorization", &line), get("/").header("authorization", format!("{line}, {line}"))];
    for ask in twice {
        assert_eq!(ask.refused(&either), Some(Reason::MultipleCredentials), "{ask:?}");
    }
    let bearer = get("/").bearer(token().sign());
    assert_eq!(basic("ann", ANN).bearer(token().sign()).refused(&either), Some(Reason::MultipleCredentials));
    assert_eq!(basic("ann", ANN).header("x-api-key", ACME).refused(&either), Some(Reason::MultipleCredentials));
    assert_eq!([bearer.refused(&either), basic("ann", ANN).refused(&either)], [None, None]);
    assert_eq!(basic("ann", "wrong").refused(&either), Some(Reason::WrongSecret), "it does not fall through");
    assert_eq!(bearer.refused(&gate(json!({}))), Some(Reason::NoCredential));
    let (status, lines, _) = challenges(&basic("ann", "wrong"), &either);
    assert_eq!((status, lines.len()), (401, 3));
    assert_eq!(lines[..2], ["Bearer realm=\"api\"", "Basic realm=\"api\", charset=\"UTF-8\""]);
    let scoped = gate(json!({ "default": { "credentials": "staff", "scopes": ["admin"] } }));
    let (status, lines, body) = challenges(&basic("ann", ANN), &scoped);
    assert_eq!((status, &lines[..]), (403, &["Basic realm=\"api\", charset=\"UTF-8\"".to_owned()][..]));
    assert!(body.contains("The user lacks a scope"), "{body}");
}

#[test]
fn a_password_beside_a_key_needs_both() {
    let both = gate(json!({ "default": { "credentials": { "all_of": ["staff", "partners"] } } }));
    assert_eq!(basic("ann", ANN).header("x-api-key", ACME).refused(&both), None);
    for (ask, wanted) in [
        (basic("ann", "wrong").header("x-api-key", ACME), Reason::WrongSecret),
        (basic("ann", "wrong").header("x-api-key", "bad"), Reason::UnknownIdentity),
        (basic("ann", ANN).header("x-api-key", "bad"), Reason::UnknownIdentity),
        (basic("ann", ANN), Reason::NoCredential),
    ] {
        assert_eq!(ask.refused(&both), Some(wanted), "{ask:?}");
    }
}

/// Knows nothing before a password has been hashed.
#[derive(Default)]
struct Slow {
    asked: Cell<usize>,
    /// The place of the hash that every password is of.
    known: Cell<Option<usize>>,
}

impl PasswordJudge for Slow {
    fn judge(&self, question: &PasswordQuestion<'_>, _now: UnixSeconds) -> PasswordAnswer {
        self.asked.set(self.asked.get() + 1);
        match self.known.get() {
            Some(at) => PasswordAnswer::Matches(at),
            None => PasswordAnswer::NotYet(Rc::new(PasswordJob {
                name: 1,
                set: question.set,
                password: question.password.into(),
                secrets: Rc::clone(question.secrets),
            })),
        }
    }
}

fn decide_by(ask: &Ask, config: &Value, slow: &Slow) -> Decision {
    let policy = policy(config);
    ask.judge(&KeyRing::default(), &NoMemory, |view, facts| decide(&policy, view, &Facts { passwords: slow, ..*facts }))
}

#[test]
fn a_password_that_has_not_been_hashed_is_awaited_once_and_lets_nothing_pass() {
    let (gate, slow) = (gate(json!({})), Slow::default());
    for (user, password) in [("ann", ANN), ("ann", "wrong"), ("nobody", "wrong"), ("gone", "gone")] {
        let decision = decide_by(&basic(user, password), &gate, &slow);
        let Some(Need::Password(job)) = awaited(&decision) else { panic!("{decision:?}") };
        assert_eq!(&*job.password, password.as_bytes());
        assert!(!format!("{decision:?}").contains(password), "it shows no password");
        let awaited = Ask { awaited: Awaited::Yes, ..basic(user, password) };
        let Decision::Deny(refusal) = decide_by(&awaited, &gate, &slow) else { panic!("it passes") };
        assert_eq!(refusal.denial, Denial::TooBusy);
    }
    slow.known.set(Some(0));
    assert!(matches!(decide_by(&basic("ann", "anything"), &gate, &slow), Decision::Allow(_)));
    let Decision::Deny(refusal) = decide_by(&basic("nobody", "x"), &gate, &slow) else { panic!("it passes") };
    assert_eq!(refusal.denial, Denial::UnknownIdentity, "even if its hash were met");
}

#[test]
fn nothing_is_hashed_for_what_is_malformed_or_stands_beside_a_bad_key() {
    let slow = Slow::default();
    let both = gate(json!({ "default": { "credentials": { "all_of": ["staff", "partners"] } } }));
    for (ask, gate) in [
        (sent("!"), gate(json!({}))),
        (basic("ann", ANN).header("x-api-key", "bad"), both),
        (get("/"), gate(json!({}))),
    ] {
        assert!(matches!(decide_by(&ask, &gate, &slow), Decision::Deny(_)), "{ask:?}");
    }
    assert_eq!(slow.asked.get(), 0);
}

#[test]
fn a_password_that_is_remembered_ends_with_its_expiry_and_its_revocation() {
    let gate = gate(json!({ "revocation": { "entries": [{ "credential": "staff", "id": "dora" }] } }));
    let remembered = Slow::default();
    remembered.known.set(Some(0));
    let revocations = || Some(compiled(&gate).settings.revocation.without_lists(UnixSeconds(NOW)));
    for (user, wanted) in [
        ("bob", None),
        ("gone", Some(Reason::Revoked)),
        ("late", Some(Reason::CredentialExpired)),
        ("dora", Some(Reason::Revoked)),
    ] {
        let ask = Ask { revocations: revocations(), ..basic(user, "x") };
        let refused = match decide_by(&ask, &gate, &remembered) {
            Decision::Deny(refusal) => Some(refusal.denial.reason()),
            _ => None,
        };
        assert_eq!(refused, wanted, "{user}");
    }
}
