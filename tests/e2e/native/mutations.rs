//! What is changed of a good token before it is signed: what it says, and how that is written.

use super::World;
use crate::support::issuer::{AUDIENCE, ISSUER};
use crate::support::random::Random;
use serde_json::{Map, Value, json};

/// A token while it is made.
pub(super) struct Draft {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
}

/// A change of what a token says.
pub(super) type Say = fn(&mut Draft, &World, &mut Random);
/// A change of how header (the first) or claims (the second) are written.
pub(super) type Write = fn(&mut Vec<u8>, &mut Vec<u8>, &mut Random);

fn header(draft: &mut Draft, name: &str, value: Value) {
    set(&mut draft.header, name, value);
}

fn claim(draft: &mut Draft, name: &str, value: Value) {
    set(&mut draft.claims, name, value);
}

fn set(object: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
}

fn no_time(random: &mut Random) -> Value {
    random.of(&[json!("9999999999"), json!(true), json!([9_999_999_999_u64]), json!({})]).clone()
}

pub(super) const SAYINGS: &[(&str, Say)] = &[
    ("exp is past", |draft, world, random| {
        let ago = 11 + i64::try_from(random.below(100_000)).unwrap();
        claim(draft, "iat", json!(world.now - ago - 60));
        claim(draft, "exp", json!(world.now - ago));
    }),
    ("exp is missing", |draft, _, _| claim(draft, "exp", Value::Null)),
    ("exp is no number", |draft, _, random| {
        let value = no_time(random);
        claim(draft, "exp", value);
    }),
    ("exp is negative or zero", |draft, _, random| {
        let value = random.of(&[json!(0), json!(-1), json!(i64::MIN), json!(-1.5)]).clone();
        claim(draft, "exp", value);
    }),
    ("exp is a fraction", |draft, world, _| claim(draft, "exp", json!(world.now as f64 + 200.5))),
    ("exp is beyond every year", |draft, _, random| {
        let value = random.of(&[json!(1e300), json!(u64::MAX), json!(i64::MAX), json!(1e19)]).clone();
        claim(draft, "exp", value);
    }),
    ("the lifetime is too long", |draft, world, random| {
        let after = 4000 + i64::try_from(random.below(100_000)).unwrap();
        claim(draft, "exp", json!(world.now + after));
    }),
    ("the lifetime is too long, and almost over", |draft, world, random| {
        let before = 3700 + i64::try_from(random.below(1_000_000)).unwrap();
        claim(draft, "iat", json!(world.now - before));
    }),
    ("iat is missing", |draft, _, _| claim(draft, "iat", Value::Null)),
    ("iat is no number", |draft, _, random| {
        let value = no_time(random);
        claim(draft, "iat", value);
    }),
    ("iat is in the future", |draft, world, random| {
        let after = 60 + i64::try_from(random.below(100)).unwrap();
        claim(draft, "iat", json!(world.now + after));
    }),
    ("nbf is past", |draft, world, _| claim(draft, "nbf", json!(world.now - 5))),
    ("nbf is in the future", |draft, world, random| {
        let after = 60 + i64::try_from(random.below(1_000_000)).unwrap();
        claim(draft, "nbf", json!(world.now + after));
    }),
    ("nbf is no number", |draft, _, random| {
        let value = no_time(random);
        claim(draft, "nbf", value);
    }),
    ("iss is another", |draft, _, random| {
        let choices =
            ["https://issuer.example.com", "https://ISSUER.example.com/", "http://issuer.example.com/", "", "*"];
        claim(draft, "iss", json!(random.of(&choices)));
    }),
    ("iss is missing or no string", |draft, _, random| {
        let value = random.of(&[Value::Null, json!([ISSUER]), json!(5), json!({})]).clone();
        claim(draft, "iss", value);
    }),
    ("aud is a list with ours", |draft, _, _| claim(draft, "aud", json!(["https://other.example.com", AUDIENCE]))),
    ("aud is another", |draft, _, random| {
        let choices = ["https://other.example.com", "https://api.example.com.evil.example", "https://api.example.co"];
        let value = random.of(&choices);
        claim(draft, "aud", if random.chance(2) { json!(value) } else { json!([value]) });
    }),
    ("aud is ours but for its scheme or a slash", |draft, _, random| {
        let choices = ["http://api.example.com", "api.example.com", "https://api.example.com/"];
        claim(draft, "aud", json!(random.of(&choices)));
    }),
    ("aud is missing, empty or no string", |draft, _, random| {
        let value = random.of(&[Value::Null, json!([]), json!(""), json!(1), json!({ AUDIENCE: 1 })]).clone();
        claim(draft, "aud", value);
    }),
    ("aud is a list in which not all are strings", |draft, _, _| claim(draft, "aud", json!([1, AUDIENCE]))),
    ("sub is missing", |draft, _, _| claim(draft, "sub", Value::Null)),
    ("sub is no string", |draft, _, random| {
        let value = random.of(&[json!(5), json!(["alice"]), json!(true), json!({})]).clone();
        claim(draft, "sub", value);
    }),
    ("sub is another person", |draft, _, random| claim(draft, "sub", json!(format!("user-{}", random.below(50))))),
    ("scope has ours among others", |draft, _, random| {
        let choices = ["a orders:read b", "orders:read orders:write", "x  orders:read"];
        claim(draft, "scope", json!(random.of(&choices)));
    }),
    ("scope is another", |draft, _, random| {
        let choices =
            ["orders:write", "orders:reader", "orders", "ORDERS:READ", "*", "orders:read,orders:write", "orders:*"];
        claim(draft, "scope", json!(random.of(&choices)));
    }),
    ("scope is separated by something else", |draft, _, random| {
        let choices = ["a\torders:read", "a\u{a0}orders:read", "a\norders:read", "a;orders:read"];
        claim(draft, "scope", json!(random.of(&choices)));
    }),
    ("scope is a list with ours", |draft, _, _| claim(draft, "scope", json!(["a", "orders:read"]))),
    ("scope is a list in which not all are strings", |draft, _, random| {
        let value =
            random.of(&[json!(["orders:read", 1]), json!([null, "orders:read"]), json!(["orders:read", ["a"]])]);
        claim(draft, "scope", value);
    }),
    ("scope is missing, empty or of another type", |draft, _, random| {
        let value = random.of(&[Value::Null, json!(""), json!(5), json!({ "orders:read": true }), json!([])]).clone();
        claim(draft, "scope", value);
    }),
    ("typ is at+jwt in another form", |draft, _, random| {
        let choices = ["AT+JWT", "application/at+jwt", "Application/AT+jwt"];
        header(draft, "typ", json!(random.of(&choices)));
    }),
    ("typ is another or missing", |draft, _, random| {
        let choices = ["JWT", "dpop+jwt", "logout+jwt", "secevent+jwt", "text/at+jwt", " at+jwt", "jwt", "at+jwt\0"];
        header(draft, "typ", if random.chance(5) { Value::Null } else { json!(random.of(&choices)) });
    }),
    ("typ is no string", |draft, _, random| {
        let value = random.of(&[json!(5), json!(["at+jwt"]), json!(true), json!({})]).clone();
        header(draft, "typ", value);
    }),
    ("alg is another", |draft, _, random| {
        let choices = ["none", "None", "NONE", "nOnE", "", "HS256", "HS512", "ES256K", "es256", "RS1", "ES256 ", "MD5"];
        header(draft, "alg", json!(random.of(&choices)));
    }),
    ("alg is missing or no string", |draft, _, random| {
        let value = random.of(&[Value::Null, json!(5), json!(["ES256"]), json!(true)]).clone();
        header(draft, "alg", value);
    }),
    ("kid is missing", |draft, _, _| header(draft, "kid", Value::Null)),
    ("kid is another", |draft, _, random| {
        let long = "k".repeat(3000);
        let choices = [
            "unknown",
            "",
            "../../dev/null",
            "' or '1'='1",
            "http://127.0.0.1/keys",
            "a\0",
            "A",
            &long,
            "small",
            "shared",
        ];
        header(draft, "kid", json!(random.of(&choices)));
    }),
    ("kid is no string", |draft, _, random| {
        let value = random.of(&[json!(5), json!(["a"]), json!({}), json!(true)]).clone();
        header(draft, "kid", value);
    }),
    ("crit is there", |draft, _, random| {
        let value =
            random.of(&[json!(["x"]), json!([]), json!(["exp"]), json!("x"), json!(["b64"]), json!([1])]).clone();
        header(draft, "crit", value);
        header(draft, "x", json!(1));
        header(draft, "b64", if random.chance(2) { json!(true) } else { Value::Null });
    }),
    ("b64 is false", |draft, _, _| header(draft, "b64", json!(false))),
    ("a key of its own is offered", |draft, world, random| {
        let name = random.of(&["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"]);
        let value = match name {
            "jwk" => Value::Object(world.encryption.key.to_public_jwk()),
            "x5c" => json!(["MIIB"]),
            _ => json!("http://127.0.0.1:9/keys"),
        };
        header(draft, name, value);
    }),
    ("something unknown is said", |draft, _, random| {
        header(draft, "zip", json!("DEF"));
        claim(draft, "x", random.of(&[json!(1), json!("2"), json!({ "a": [1, { "b": null }] }), json!(1e30)]).clone());
        claim(draft, "nonce", json!("n"));
    }),
    ("something deep or huge is said", |draft, _, random| {
        let deep = (0..30 + random.below(30)).fold(json!(1), |inner, _| json!([inner]));
        claim(draft, "x", if random.chance(2) { deep } else { json!("é".repeat(500)) });
    }),
    ("the token is too large", |draft, _, random| claim(draft, "x", json!("x".repeat(9000 + random.below(9000))))),
];

/// Puts a member into an object, in front or behind.
fn add(text: &mut Vec<u8>, member: &str, random: &mut Random) {
    if text.is_empty() {
        return;
    }
    if random.chance(2) {
        text.splice(1..1, format!("{member},").into_bytes());
    } else {
        let end = text.len() - 1;
        text.splice(end..end, format!(",{member}").into_bytes());
    }
}

fn replace(text: &mut Vec<u8>, from: &str, to: &str) {
    *text = String::from_utf8_lossy(text).replace(from, to).into_bytes();
}

/// Header or claims.
fn one<'t>(header: &'t mut Vec<u8>, claims: &'t mut Vec<u8>, random: &mut Random) -> &'t mut Vec<u8> {
    if random.chance(2) { header } else { claims }
}

pub(super) const WRITINGS: &[(&str, Write)] = &[
    ("a claim is there twice", |_, claims, random| {
        let members = [
            "\"exp\":9999999999",
            "\"exp\":1",
            "\"sub\":\"admin\"",
            "\"iss\":\"x\"",
            "\"aud\":\"x\"",
            "\"scope\":\"x\"",
        ];
        add(claims, random.of(&members), random);
    }),
    ("a claim is there twice, spelt with an escape", |_, claims, random| {
        let members = ["\"\\u0065xp\":9999999999", "\"su\\u0062\":\"admin\"", "\"scop\\u0065\":\"orders:read\""];
        add(claims, random.of(&members), random);
    }),
    ("a header parameter is there twice", |header, _, random| {
        let members =
            ["\"alg\":\"none\"", "\"alg\":\"ES256\"", "\"typ\":\"JWT\"", "\"kid\":\"a\"", "\"typ\":\"at+jwt\""];
        add(header, random.of(&members), random);
    }),
    ("an unknown claim is there twice", |_, claims, random| add(claims, "\"x\":1,\"x\":2", random)),
    ("there is white space", |header, claims, random| {
        let text = one(header, claims, random);
        replace(text, ",", random.of(&[" , ", ",\n", "\t,", ",\r\n "]));
    }),
    ("names are spelt with escapes", |_, claims, random| {
        let (from, to) =
            random.of(&[("\"exp\"", "\"\\u0065xp\""), ("\"sub\"", "\"s\\u0075b\""), ("alice", "\\u0061lice")]);
        replace(claims, from, to);
    }),
    ("it is almost JSON", |header, claims, random| {
        let text = one(header, claims, random);
        match random.below(6) {
            0 => replace(text, "\"", "'"),
            1 => replace(text, "}", ",}"),
            2 => replace(text, "\"typ\"", "typ"),
            3 => replace(text, "\"sub\"", "sub"),
            4 => replace(text, "{", "{/* */"),
            _ => replace(text, "}", ",\"x\":\"a\nb\"}"),
        }
    }),
    ("it has numbers that JSON has not", |_, claims, random| {
        let numbers = ["NaN", "Infinity", "-Infinity", "0x10", "010", "+1", ".5", "1.", "1e999"];
        let number = random.of(&numbers);
        add(claims, &format!("\"x\":{number}"), random);
    }),
    ("something stands behind it or before it", |header, claims, random| {
        let text = one(header, claims, random);
        match random.below(4) {
            0 => text.extend(b"{}"),
            1 => text.extend(b"x"),
            2 => text.push(0),
            _ => drop(text.splice(0..0, *b"\xef\xbb\xbf")),
        }
    }),
    ("it is no object", |header, claims, random| {
        let text = one(header, claims, random);
        *text = random.of(&["[]", "null", "1", "\"x\"", "", "true", "[{}]"]).as_bytes().to_vec();
    }),
    ("it is a list of one object", |header, claims, random| {
        let text = one(header, claims, random);
        *text = [b"[", &text[..], b"]"].concat();
    }),
    ("it is cut off", |header, claims, random| {
        let text = one(header, claims, random);
        let kept = random.below(text.len() + 1).min(text.len().saturating_sub(1));
        text.truncate(kept);
    }),
    ("it is no UTF-8", |_, claims, random| {
        let bytes: &[u8] = random.of(&[&b"\xff"[..], b"\xc0\xae", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"]);
        let end = claims.len().saturating_sub(1);
        claims.splice(end..end, [b",\"x\":\"", bytes, b"\""].concat());
    }),
    ("it has a lone surrogate", |_, claims, random| add(claims, "\"x\":\"\\ud800\"", random)),
];
