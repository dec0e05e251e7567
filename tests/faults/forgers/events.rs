//! Events that must revoke nothing: forged, of another issuer, for another gate, out of time, broken.

use crate::stage::HOSTILE;
use crate::support::client::head;
use crate::support::events::{GATE, LOGOUT, PATH, content_type, events, logout, revoked};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, Token, now, sign_texts, with_signature};
use crate::support::random::Random;
use crate::traffic::Hostile;
use scopegate::crypto::{Algorithm, hmac};
use serde_json::{Value, json};

/// The operator, whose key is known to the gate.
const OPERATOR: &str = "ops";

/// Lets a configuration take events.
pub fn add_to(configuration: &mut Value) {
    configuration["events"] = events();
    let signers = json!({ "keys": [{
        "kty": "OKP", "crv": "Ed25519", "kid": "ops-1", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }] });
    configuration["events"]["operators"] = json!({ OPERATOR: { "audience": GATE, "signed_by": signers } });
}

/// A request with this body that must be refused.
fn sent(what: &'static str, lines: &[(&str, &str)], body: &[u8]) -> Hostile {
    let length = body.len().to_string();
    let lines = [lines, &[("content-length", &length), (HOSTILE, "1")]].concat();
    Hostile { what, bytes: [head("POST", PATH, &lines), body.to_vec()].concat() }
}

fn form(what: &'static str, token: &str) -> Hostile {
    sent(what, &[content_type(true)], format!("logout_token={token}").as_bytes())
}

fn set(what: &'static str, token: &str) -> Hostile {
    sent(what, &[content_type(false)], token.as_bytes())
}

/// One of each kind. Each names this user, or this session: were one taken, their tokens would be refused.
pub fn each_kind(issuer: &Issuer, user: &str, session: &str, random: &mut Random) -> Vec<Hostile> {
    let foreign = Issuer::new(Algorithm::Es256, "foreign");
    let kid = issuer.key.kid.clone();
    let by_foreigner = || logout(&foreign).claim("sub", user).claim("sid", session);
    let good = || logout(issuer).claim("sub", user);
    let other = |token: Token<'_>| token.header("kid", kid.clone()).sign();
    let caep = |sub: &str| revoked(issuer, json!({ "format": "iss_sub", "iss": ISSUER, "sub": sub }));
    let (header, claims) = (Value::Object(good().header.clone()), Value::Object(good().claims.clone()));
    let with_header = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        header.to_string()
    };
    let hs256 = with_header("alg", json!("HS256"));
    let by_public_key = |secret: &str| {
        let unsigned = with_signature(&hs256, &claims.to_string(), b"");
        let input = unsigned.strip_suffix('.').unwrap();
        with_signature(&hs256, &claims.to_string(), &hmac(secret.as_bytes(), input.as_bytes()))
    };
    let own_key = Value::from(foreign.key.to_public_jwk());
    let signed = good().sign();
    let mut all = vec![
        form("an event of a foreign key", &other(by_foreigner())),
        set(
            "a security event of a foreign key",
            &other(revoked(&foreign, json!({ "format": "iss_sub", "iss": ISSUER, "sub": user }))),
        ),
        form("an event of an unknown key", &by_foreigner().sign()),
        form("an event of no algorithm", &with_signature(&with_header("alg", json!("none")), &claims.to_string(), b"")),
        form("an event of NoNe", &with_signature(&with_header("alg", json!("NoNe")), &claims.to_string(), b"")),
        form("an event with the public key as the secret", &by_public_key(&issuer.jwks().to_string())),
        form("an event with its own key", &sign_texts(&foreign.key, &with_header("jwk", own_key), &claims.to_string())),
        form(
            "an event with the address of its keys",
            &sign_texts(&foreign.key, &with_header("jku", json!("http://127.0.0.1:1/")), &claims.to_string()),
        ),
        form(
            "an event with its own certificate",
            &sign_texts(&foreign.key, &with_header("x5c", json!(["MIIB"])), &claims.to_string()),
        ),
        form(
            "an event with something critical",
            &sign_texts(&issuer.key, &with_header("crit", json!(["x"])), &claims.to_string()),
        ),
        form("an event with a path as its kid", &by_foreigner().header("kid", "../../../../dev/null").sign()),
        form("an event with a query as its kid", &by_foreigner().header("kid", "a' UNION SELECT 'x' --").sign()),
        form("an event of another issuer", &by_foreigner().claim("iss", "https://other.example.com/").sign()),
        set("an event of an operator by an issuer", &caep(user).claim("iss", OPERATOR).sign()),
        form("an event for another gate", &good().claim("aud", AUDIENCE).sign()),
        form("an event for no audience", &good().claim("aud", Value::Null).sign()),
        form("an event of the future", &good().claim("iat", now() + 600).sign()),
        form("an event of long ago", &good().claim("iat", now() - 7200).sign()),
        form("an event without a time", &good().claim("iat", Value::Null).sign()),
        form("an event that has expired", &good().claim("exp", now() - 600).sign()),
        form("a logout token without an end", &good().claim("exp", Value::Null).sign()),
        form("an event without a number", &good().claim("jti", Value::Null).sign()),
        form("an event of the type of access tokens", &good().header("typ", "at+jwt").sign()),
        form("an event without a type", &good().header("typ", Value::Null).sign()),
        form("an event of an ID token", &good().claim("nonce", "n").sign()),
        form("an access token", &issuer.token(now()).sign()),
        form("a logout token of no issuer", &logout(issuer).sign()),
        form("a security event as a logout token", &caep(user).sign()),
        set("an event that is no object", &caep(user).claim("events", json!({ LOGOUT: true })).sign()),
        set(
            "too many events",
            &caep(user).claim("events", (0..17).map(|n| (n.to_string(), json!({}))).collect::<Value>()).sign(),
        ),
        form("two events", &format!("{signed}&logout_token={signed}")),
        sent("an event without a type of body", &[], signed.as_bytes()),
        sent("an event as JSON", &[("content-type", "application/json")], signed.as_bytes()),
        sent("an event that is compressed", &[content_type(false), ("content-encoding", "gzip")], signed.as_bytes()),
        form("an event that is too long", &format!("{signed}&x={}", "x".repeat(70_000))),
        set("no event", ""),
        set("garbage as an event", &"x".repeat(1 + random.below(3000))),
        form("an event that is cut", &signed[..random.below(signed.len())]),
    ];
    for _ in 0..4 {
        let mut bytes = signed.clone().into_bytes();
        // The last character of a signature has bits that are not part of it.
        let place = random.below(bytes.len() - 1);
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        all.push(form("an event with one character changed", std::str::from_utf8(&bytes).unwrap()));
    }
    // An event is no credential.
    let bearer = format!("Bearer {signed}");
    all.push(Hostile {
        what: "an event as a token",
        bytes: head("GET", "/orders/1", &[("authorization", &bearer), (HOSTILE, "1")]),
    });
    all
}
