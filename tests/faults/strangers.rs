//! Requests of strangers: with passwords, keys, opaque tokens, cookies and headers that are nearly good.

use crate::stage::HOSTILE;
use crate::support::client::head;
use crate::support::issuer::{AUDIENCE, Issuer, now};
use crate::support::outage::{Conduct, ways};
use crate::support::random::Random;
use crate::traffic::{Hostile, random_id, sent};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use scopegate::crypto::{PasswordHash, sha256};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The password of `ann`: with colons, and base64 of it has a `/` and padding.
const ANN: &str = "correct:horse:?>?e";
const ACME: &str = "acme-0123456789abcdef";
const OPENAI: &str = "sk-0123456789abcdefgh";
/// The opaque token that was active, and is no longer.
pub const WITHDRAWN: &str = "ory_at_withdrawn";
/// The issuer whose tokens are in a header of its own.
const PARTNER: &str = "https://partner.example.com/";

static HASH: LazyLock<String> = LazyLock::new(|| PasswordHash::bcrypt(ANN.as_bytes(), 5, [7; 16]));

fn digest(secret: &str) -> String {
    sha256(secret.as_bytes()).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// What the VM needs for it.
pub fn plugin() -> Value {
    json!({ "vm_config": { "environment_variables": { "key_values": { "CLIENT_SECRET": "0123456789abcdefghij" } } } })
}

/// Lets a configuration know the other kinds of credentials too.
pub fn add_to(configuration: &mut Value, partner: &Issuer) {
    let pbkdf2 = |id: &str| json!([{ "pbkdf2": PasswordHash::pbkdf2(id.as_bytes(), 100, b"0123456789abcdef") }]);
    let key = |id: &str| json!([{ "sha256": digest(&format!("{id}-0123456789abcdef")) }]);
    let scopes = json!(["orders:read"]);
    configuration["credentials"] = json!([
        { "name": "partners", "scopes": scopes, "api_key": { "header": "x-api-key" }, "identities": [
            { "id": "acme", "secrets": key("acme") },
            { "id": "gone", "secrets": key("gone"), "disabled": true },
            { "id": "late", "secrets": key("late"), "expires": 1_700_000_000 },
            { "id": "revoked", "secrets": key("revoked") },
            { "id": "without a scope", "secrets": key("bare"), "scopes": [] } ] },
        { "name": "openai", "scopes": scopes, "api_key": { "scheme": "Bearer", "prefix": "sk-" },
          "identities": [{ "id": "bot", "secrets": [{ "sha256": digest(OPENAI) }] }] },
        { "name": "staff", "scopes": scopes, "basic": {}, "identities": [
            { "id": "ann", "secrets": [{ "bcrypt": *HASH }] },
            { "id": "gone", "secrets": pbkdf2("gone"), "disabled": true },
            { "id": "late", "secrets": pbkdf2("late"), "expires": 1_700_000_000 },
            { "id": "revoked", "secrets": pbkdf2("revoked") } ] },
        { "name": "web", "cookie": { "name": "__Host-token", "origins": ["https://app.example.com"] } },
        { "name": "workloads", "mtls": {}, "scopes": scopes, "identities": [
            { "id": "any", "secrets": [{ "uri": "spiffe://example.com/any" }, { "sha256": digest("certificate") }] }] },
    ]);
    let entries = ["partners", "staff"].map(|set| json!({ "credential": set, "id": "revoked" }));
    configuration["revocation"]["entries"] = json!(entries);
    configuration["issuer"]["websocket_protocol"] = json!(true);
    configuration["issuer"]["introspection"] = json!({
        "uri": "http://introspection.example.com/", "cluster": "introspection", "client_id": "gate",
        "secret": { "env": "CLIENT_SECRET" }, "cache": "1s", "timeout": "100ms",
    });
    configuration["other_issuers"] = json!([{
        "issuer": PARTNER, "name": "partner", "audiences": [AUDIENCE], "jwks": { "inline": partner.jwks() },
        "token_header": { "name": "x-partner-token", "prefix": "Token " },
    }]);
    let any = json!(["bearer", "partners", "openai", "staff", "web", { "all_of": ["partners", "staff"] }]);
    let rules = [
        ("/any", json!({ "any_of": any })),
        ("/both", json!({ "all_of": ["partners", "bearer"] })),
        ("/workloads", json!("workloads")),
    ]
    .map(|(path, credentials)| {
        json!({ "match": { "path_separated_prefix": path }, "credentials": credentials, "scopes": scopes })
    });
    configuration["rules"].as_array_mut().unwrap().extend(rules);
}

/// What the introspection endpoint says of a token that is good here and now, with these members.
fn active(members: &Value) -> String {
    let mut answer = json!({
        "active": true, "token_type": "Bearer", "sub": "alice", "aud": AUDIENCE, "scope": "orders:read", "iat": now(), "exp": now() + 3000,
    });
    crate::support::envoy::merge(&mut answer, members);
    answer.to_string()
}

fn says(body: &str) -> Conduct {
    Conduct::answer("200 OK", "content-type: application/json\r\n", body.as_bytes())
}

/// The introspection endpoint while every opaque token is good.
pub fn all_are_active() -> Conduct {
    says(&active(&json!({})))
}

/// Every way in which the introspection endpoint fails, or says what lets no token pass. What it would say is good.
pub fn ways_of_introspection() -> Vec<Conduct> {
    let good = active(&json!({}));
    let failing = ways(good.as_bytes()).into_iter().map(|(_, conduct)| conduct);
    let others = [
        r#"{"active":false}"#.to_owned(),
        good.replace("true", "\"true\""),
        good.replacen('{', r#"{"active":true,"#, 1),
        active(&json!({ "token_type": "refresh_token" })),
        active(&json!({ "iss": PARTNER })),
        active(&json!({ "aud": "https://other.example.com" })),
        active(&json!({ "exp": now() - 600 })),
        active(&json!({ "sub": null })),
        active(&json!({ "cnf": { "jkt": "AAAA" } })),
    ];
    // Most of the time it answers, since a request waits for one that does not.
    failing.chain(others.iter().map(|body| says(body))).chain([says(r#"{"active":false}"#)]).collect()
}

fn basic(user: &str, password: impl AsRef<str>) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.as_ref())))
}

/// Good requests of each of these kinds.
pub fn good_of_each_kind(issuer: &Issuer, partner: &Issuer) -> Vec<Vec<u8>> {
    let token = issuer.token(now()).claim("exp", now() + 3000).sign();
    let of_partner = partner.token(now()).claim("iss", PARTNER).claim("exp", now() + 3000).sign();
    let (ann, bearer) = (basic("ann", ANN), format!("Bearer {token}"));
    let cookie = format!("a=1; __Host-token={token}");
    let (in_header, openai) = (format!("Token {of_partner}"), format!("Bearer {OPENAI}"));
    [
        ("/any/1", vec![("authorization", ann.as_str())]),
        ("/any/1", vec![("x-api-key", ACME)]),
        ("/any/1", vec![("authorization", &openai)]),
        ("/any/1", vec![("x-api-key", ACME), ("authorization", &ann)]),
        ("/any/1", vec![("cookie", &cookie), ("sec-fetch-site", "same-origin")]),
        ("/both/1", vec![("x-api-key", ACME), ("authorization", &bearer)]),
        ("/orders/1", vec![("x-partner-token", &in_header)]),
    ]
    .map(|(target, lines)| head("GET", target, &lines))
    .into()
}

/// One request of each kind.
pub fn each_kind_of_stranger(issuer: &Issuer, partner: &Issuer, random: &mut Random) -> Vec<Hostile> {
    let mut all = of_users(random);
    all.extend(of_keys(issuer, random));
    all.extend(of_cookies(issuer));
    all.extend(of_headers(issuer, partner));
    all.push(opaque(random));
    all.push(sent(
        "an opaque token that was withdrawn",
        "/orders/1",
        &[("authorization", &format!("Bearer {WITHDRAWN}"))],
    ));
    all
}

/// A request with an opaque token that no issuer has made.
pub fn opaque(random: &mut Random) -> Hostile {
    let token = format!("Bearer ory_at_{:x}", random.next());
    sent("a made-up opaque token", random.of(&["/orders/1", "/any/1"]), &[("authorization", &token)])
}

fn at_any(what: &'static str, lines: &[(&str, &str)]) -> Hostile {
    sent(what, "/any/1", lines)
}

fn of_users(random: &mut Random) -> Vec<Hostile> {
    let good = format!("ann:{ANN}");
    let text = STANDARD.encode(&good);
    assert!(text.contains('/') && text.ends_with('='), "{text}");
    let with = |what, value: &str| at_any(what, &[("authorization", value)]);
    let of = |what, user: &str, password: &str| with(what, &basic(user, password));
    let written = |what, text: &str| with(what, &format!("Basic {text}"));
    let hash = HASH.as_str();
    let (ann, wrong) = (format!("Basic {text}"), format!("{:x}", random.next()));
    vec![
        of("a wrong password", "ann", &wrong),
        of("an unknown user", &wrong, ANN),
        of("a password up to its first colon", "ann", "correct"),
        of("a password up to its last colon", "ann", "correct:horse"),
        of("a password from its first colon on", "ann", &ANN[8..]),
        of("a user name with an encoded colon", "ann%3Acorrect", &ANN[8..]),
        of("a user name in upper case", "ANN", ANN),
        of("a user name with a space", " ann", ANN),
        of("a password with a NUL after it", "ann", &format!("{ANN}\0")),
        of("a password with a line feed after it", "ann", &format!("{ANN}\n")),
        of("a password of 73 bytes", "ann", &"x".repeat(73)),
        of("a password that is the hash", "ann", hash),
        of("no password", "ann", ""),
        of("no user name", "", ANN),
        of("a user who is disabled", "gone", "gone"),
        of("a user whose time is over", "late", "late"),
        of("a user who is revoked", "revoked", "revoked"),
        written("a password in base64 of URLs", &URL_SAFE.encode(&good)),
        written("a password without padding", &STANDARD_NO_PAD.encode(&good)),
        written("a password with more padding", &format!("{text}=")),
        written("a password with a space in it", &format!("{} {}", &text[..8], &text[8..])),
        written("a password that is not encoded", &good),
        written("a password that is encoded twice", &STANDARD.encode(&text)),
        written("a password that is not UTF-8", &STANDARD.encode(b"ann:correct\xff")),
        written("a password of 58 kB", &STANDARD.encode("ann:".to_owned() + &"x".repeat(43_000))),
        written("only a user name", &STANDARD.encode("ann")),
        with("only the scheme Basic", "Basic"),
        with("a password behind another scheme", &format!("Bearer {text}")),
        with("a password and a token, joined", &format!("{ann}, Bearer a.b.c")),
        at_any("two lines of one password", &[("authorization", &ann), ("authorization", &ann)]),
        at_any("a good password and a bad one", &[("authorization", &ann), ("authorization", &basic("ann", &wrong))]),
        at_any("a password that is for a proxy", &[("proxy-authorization", &ann)]),
        sent("a password where only tokens are good", "/orders/1", &[("authorization", &ann)]),
        at_any("a good key and a bad password", &[("x-api-key", ACME), ("authorization", &basic("ann", &wrong))]),
        at_any("a bad key and a good password", &[("x-api-key", "bad"), ("authorization", &ann)]),
    ]
}

fn of_keys(issuer: &Issuer, random: &mut Random) -> Vec<Hostile> {
    let key = |what, key: &str| at_any(what, &[("x-api-key", key)]);
    let with = |what, value: &str| at_any(what, &[("authorization", value)]);
    let token = issuer.token(now()).claim("jti", format!("{:x}", random_id())).sign();
    let (bearer, openai) = (format!("Bearer {token}"), format!("Bearer {OPENAI}"));
    let (hash, place) = (digest(ACME), random.below(ACME.len()));
    let changed = format!("{}~{}", &ACME[..place], &ACME[place + 1..]);
    vec![
        key("a key with one character changed", &changed),
        key("a key that is cut", &ACME[..ACME.len() - 1]),
        key("a key with more after it", &format!("{ACME}0")),
        key("a key in upper case", &ACME.to_uppercase()),
        key("a key with a NUL", &format!("{}\0{}", &ACME[..place], &ACME[place..])),
        key("a key with a tab", &format!("{}\t{}", &ACME[..=4], &ACME[5..])),
        key("a key behind a scheme", &format!("Bearer {ACME}")),
        key("a key in quotes", &format!("\"{ACME}\"")),
        key("two keys, joined", &format!("{ACME}, {ACME}")),
        key("a key that is the hash", &hash),
        key("a key that is the hash in upper case", &hash.to_uppercase()),
        key("an empty key", ""),
        key("a huge key", &"x".repeat(9000)),
        key("a key of another set", OPENAI),
        key("a key that is disabled", "gone-0123456789abcdef"),
        key("a key whose time is over", "late-0123456789abcdef"),
        key("a key that is revoked", "revoked-0123456789abcdef"),
        key("a key without a scope", "bare-0123456789abcdef"),
        key("a token in the place of a key", &token),
        with("the prefix of a key before a token", &format!("Bearer sk-{token}")),
        with("the prefix of a key, a space and a token", &format!("Bearer sk- {token}")),
        with("a key of another header", &format!("Bearer {ACME}")),
        with("a key without its scheme", OPENAI),
        with("a key behind another scheme", &format!("Basic {OPENAI}")),
        at_any("a key in a header with underscores", &[("x_api_key", ACME)]),
        at_any("one key twice", &[("x-api-key", ACME), ("x-api-key", ACME)]),
        at_any("a key and a token where one is enough", &[("x-api-key", ACME), ("authorization", &bearer)]),
        at_any("keys of two sets", &[("x-api-key", ACME), ("authorization", &openai)]),
        sent("a key in the query", &format!("/any/1?api_key={ACME}"), &[]),
        sent("a key in the header and in the query", &format!("/any/1?X-API-Key={ACME}"), &[("x-api-key", ACME)]),
        sent("a key where only tokens are good", "/orders/1", &[("x-api-key", ACME)]),
        sent("a key where a token is asked for too", "/both/1", &[("x-api-key", ACME)]),
        sent("a token where a key is asked for too", "/both/1", &[("authorization", &bearer)]),
        sent("a bad key beside a good token", "/both/1", &[("x-api-key", "bad"), ("authorization", &bearer)]),
        sent("a good key beside a bad token", "/both/1", &[("x-api-key", ACME), ("authorization", "Bearer a.b.c")]),
    ]
}

fn of_cookies(issuer: &Issuer) -> Vec<Hostile> {
    let token = issuer.token(now()).claim("jti", format!("{:x}", random_id())).sign();
    let expired = issuer.token(now()).claim("iat", now() - 900).claim("exp", now() - 600).sign();
    let own = ("sec-fetch-site", "same-origin");
    let good = format!("__Host-token={token}");
    let (first, second) = good.split_at(good.len() / 2);
    let cookie = |what, value: &str| at_any(what, &[own, ("cookie", value)]);
    let from = |what, lines: &[(&str, &str)]| at_any(what, &[lines, &[("cookie", good.as_str())]].concat());
    let bearer = format!("Bearer {token}");
    let posted = |what, lines: &[(&str, &str)]| {
        let lines = [lines, &[("cookie", good.as_str()), (HOSTILE, "1"), ("content-length", "0")]].concat();
        Hostile { what, bytes: head("POST", "/any/1", &lines) }
    };
    vec![
        cookie("a cookie in lower case", &good.to_lowercase()),
        cookie("a cookie with a lower-case prefix", &format!("__host-token={token}")),
        cookie("a cookie in quotes", &format!("__Host-token=\"{token}\"")),
        cookie("a cookie of another name", &format!("__Host-tokens={token}; Host-token={token}")),
        cookie("a cookie in another cookie", &format!("a=__Host-token={token}")),
        cookie("a cookie twice", &format!("{good}; {good}")),
        cookie("a cookie twice, once spelt loosely", &format!("{good}; __Host-token =x")),
        cookie("an empty cookie", "__Host-token="),
        cookie("a cookie with an expired token", &format!("__Host-token={expired}")),
        at_any("a crumbed cookie", &[own, ("cookie", first), ("cookie", second)]),
        at_any("a cookie in two lines", &[own, ("cookie", &good), ("cookie", &good)]),
        at_any("a cookie beside a token", &[own, ("cookie", &good), ("authorization", &bearer)]),
        at_any("a cookie beside a password", &[own, ("cookie", &good), ("authorization", &basic("ann", ANN))]),
        sent("a cookie where only tokens are good", "/orders/1", &[own, ("cookie", &good)]),
        from("a cookie of nowhere", &[]),
        from("a cookie of another site", &[("sec-fetch-site", "cross-site")]),
        from("a cookie of another origin", &[("origin", "https://evil.example.com")]),
        from("a cookie of the origin null", &[("origin", "null"), own]),
        from(
            "a cookie of two origins",
            &[("origin", "https://app.example.com"), ("origin", "https://app.example.com")],
        ),
        posted(
            "a posted cookie of a navigation",
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
        ),
        posted("a posted cookie of an address bar", &[("sec-fetch-site", "none")]),
        from(
            "a cookie of a WebSocket of another site",
            &[("sec-fetch-site", "cross-site"), ("connection", "upgrade"), ("upgrade", "websocket")],
        ),
    ]
}

fn of_headers(issuer: &Issuer, partner: &Issuer) -> Vec<Hostile> {
    let own = issuer.token(now()).claim("jti", format!("{:x}", random_id())).sign();
    let theirs = partner.token(now()).claim("iss", PARTNER).sign();
    let forged = issuer.token(now()).claim("iss", PARTNER).sign();
    let (good, bearer) = (format!("Token {theirs}"), format!("Bearer {own}"));
    let orders = |what, lines: &[(&str, &str)]| sent(what, "/orders/1", lines);
    let header = |what, value: &str| orders(what, &[("x-partner-token", value)]);
    let websocket = |what, protocols: &str| {
        orders(what, &[("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-protocol", protocols)])
    };
    let certificate = digest("certificate");
    vec![
        header("a header with the token of another issuer", &format!("Token {own}")),
        header("a header with a forged token", &format!("Token {forged}")),
        header("a header without its prefix", &theirs),
        header("a header with another prefix", &format!("Bearer {theirs}")),
        header("a header with its prefix in lower case", &format!("token {theirs}")),
        header("a header with an opaque token", "Token opaque"),
        header("a header with two tokens, joined", &format!("{good}, {good}")),
        header("an empty header", "Token "),
        orders("a header twice", &[("x-partner-token", &good), ("x-partner-token", &good)]),
        orders("a header beside a token", &[("x-partner-token", &good), ("authorization", &bearer)]),
        orders("a token that belongs into the header", &[("authorization", &format!("Bearer {theirs}"))]),
        websocket("a subprotocol with a forged token", &format!("bearer, {forged}")),
        websocket("a subprotocol with the token of another issuer", &format!("bearer, {theirs}")),
        websocket("a subprotocol with two tokens", &format!("bearer, {own}, bearer, {own}")),
        websocket("a subprotocol without a token", "chat, bearer"),
        orders("a subprotocol without an upgrade", &[("sec-websocket-protocol", &format!("bearer, {own}"))]),
        sent("no certificate", "/workloads/1", &[("authorization", &bearer)]),
        sent(
            "a certificate that a header claims",
            "/workloads/1",
            &[
                ("x-forwarded-client-cert", &format!("Hash={certificate};URI=spiffe://example.com/any")),
                ("client-cert", ":AAAA:"),
            ],
        ),
    ]
}
