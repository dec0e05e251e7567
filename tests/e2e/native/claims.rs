//! What is changed of a token before it is signed: its claims.

use super::changes::{Draft, Kind, Say, passes, refused};
use super::keyring::SECOND;
use crate::support::issuer::{AUDIENCE, ISSUER};
use crate::support::random::Random;
use serde_json::{Value, json};

fn no_time(draft: &mut Draft, name: &'static str, random: &mut Random) {
    draft.text(name, random.of(&["\"9999999999\"", "true", "[9999999999]", "{}", "null"]));
}

fn below(end: usize, random: &mut Random) -> i64 {
    i64::try_from(random.below(end)).unwrap()
}

pub(super) const CLAIMS: &[Kind<Say>] = &[
    refused("exp is past", |draft, keyring, random| {
        let at = keyring.world.now - 11 - below(100_000, random);
        draft.claim("iat", json!(at - 60));
        draft.claim("exp", json!(at));
    }),
    refused("exp is missing", |draft, _, _| draft.claim("exp", Value::Null)),
    refused("exp is no number", |draft, _, random| no_time(draft, "exp", random)),
    refused("exp is negative or zero", |draft, _, random| {
        let value = random.of(&[json!(0), json!(-1), json!(i64::MIN), json!(-1.5)]);
        draft.claim("exp", value);
    }),
    passes("exp is a fraction", |draft, keyring, _| draft.claim("exp", json!(keyring.world.now as f64 + 200.5))),
    passes("exp has an exponent", |draft, keyring, random| {
        let digits = (keyring.world.now + 200).to_string();
        let (first, rest) = digits.split_at(1);
        let number = [
            format!("{first}.{rest}e{}", rest.len()),
            format!("{first}.{rest}E+{}", rest.len()),
            format!("{digits}00e-2"),
        ];
        draft.text("exp", random.of(&number));
    }),
    refused("exp is beyond every year", |draft, _, random| {
        let value = random.of(&[json!(1e300), json!(u64::MAX), json!(i64::MAX), json!(1e19)]);
        draft.claim("exp", value);
    }),
    refused("exp is beyond every double", |draft, _, random| {
        draft.text("exp", random.of(&["1e400", "-1e400", "123456789e999"]));
    }),
    refused("exp is in another century", |draft, _, random| {
        // 2^32 and one more, 2^53 + 1, and the last second of the year 9999: some readers wrap, round or end there.
        let value =
            random.of(&[4_294_967_296_u64, 4_294_967_297, 9_007_199_254_740_993, 253_402_300_799, 99_999_999_999_999]);
        draft.claim("exp", json!(value));
    }),
    refused("the lifetime is too long", |draft, keyring, random| {
        draft.claim("exp", json!(keyring.world.now + 4000 + below(100_000, random)));
    }),
    refused("the lifetime is too long, and almost over", |draft, keyring, random| {
        draft.claim("iat", json!(keyring.world.now - 3700 - below(1_000_000, random)));
    }),
    refused("iat is missing", |draft, _, _| draft.claim("iat", Value::Null)),
    refused("iat is no number", |draft, _, random| no_time(draft, "iat", random)),
    refused("iat is in the future", |draft, keyring, random| {
        draft.claim("iat", json!(keyring.world.now + 60 + below(100, random)));
    }),
    passes("nbf is past", |draft, keyring, _| draft.claim("nbf", json!(keyring.world.now - 5))),
    refused("nbf is in the future", |draft, keyring, random| {
        draft.claim("nbf", json!(keyring.world.now + 60 + below(1_000_000, random)));
    }),
    refused("nbf is beyond every year", |draft, _, random| {
        let value = random.of(&[json!(1e300), json!(u64::MAX), json!(i64::MAX), json!(9_007_199_254_740_993_u64)]);
        draft.claim("nbf", value);
    }),
    refused("nbf is no number", |draft, _, random| no_time(draft, "nbf", random)),
    refused("iss is another", |draft, _, random| {
        let choices = [
            "https://issuer.example.com",
            "https://ISSUER.example.com/",
            "http://issuer.example.com/",
            "https://issuer.example.com:443/",
            "https://issuer.example.com//",
            "https://issuer.example.com./",
            "https://issuer.example.com/%2f",
            "https://%69ssuer.example.com/",
            "https://issuer.example.com/?",
            "https://issuer.example.com/ ",
            // The first letter is Cyrillic; the first letter is of full width; a soft hyphen.
            "https://\u{456}ssuer.example.com/",
            "https://\u{ff49}ssuer.example.com/",
            "https://issuer\u{ad}.example.com/",
            "",
            "*",
        ];
        draft.claim("iss", json!(random.of(&choices)));
    }),
    refused("iss is missing or no string", |draft, _, random| {
        let value = random.of(&[Value::Null, json!([ISSUER]), json!([ISSUER, SECOND]), json!(5), json!({})]);
        draft.claim("iss", value);
    }),
    passes("aud is a list with ours", |draft, _, _| draft.claim("aud", json!(["https://other.example.com", AUDIENCE]))),
    refused("aud is another", |draft, _, random| {
        let choices = ["https://other.example.com", "https://api.example.com.evil.example", "https://api.example.co"];
        let value = random.of(&choices);
        draft.claim("aud", if random.chance(2) { json!(value) } else { json!([value]) });
    }),
    refused("aud is ours but for its scheme or a slash", |draft, _, random| {
        let choices = ["http://api.example.com", "api.example.com", "https://api.example.com/"];
        draft.claim("aud", json!(random.of(&choices)));
    }),
    refused("aud is missing, empty or no string", |draft, _, random| {
        let value = random.of(&[Value::Null, json!([]), json!(""), json!(1), json!({ AUDIENCE: 1 })]);
        draft.claim("aud", value);
    }),
    refused("aud is a list in which not all are strings", |draft, _, _| draft.claim("aud", json!([1, AUDIENCE]))),
    refused("sub is missing", |draft, _, _| draft.claim("sub", Value::Null)),
    refused("sub is no string", |draft, _, random| {
        draft.text("sub", random.of(&["5", "[\"alice\"]", "true", "{}", "null"]));
    }),
    passes("sub is another person", |draft, _, random| draft.claim("sub", json!(format!("user-{}", random.below(50))))),
    refused("jti is no string", |draft, _, random| {
        draft.text("jti", random.of(&["5", "[\"a\"]", "true", "{}", "null"]));
    }),
    passes("scope has ours among others", |draft, _, random| {
        let choices = ["a orders:read b", "orders:read orders:write", "x  orders:read"];
        draft.claim("scope", json!(random.of(&choices)));
    }),
    refused("scope is another", |draft, _, random| {
        let choices =
            ["orders:write", "orders:reader", "orders", "ORDERS:READ", "*", "orders:read,orders:write", "orders:*"];
        draft.claim("scope", json!(random.of(&choices)));
    }),
    refused("scope is separated by something else", |draft, _, random| {
        let choices = ["a\torders:read", "a\u{a0}orders:read", "a\norders:read", "a;orders:read"];
        draft.claim("scope", json!(random.of(&choices)));
    }),
    passes("scope is a list with ours", |draft, _, _| draft.claim("scope", json!(["a", "orders:read"]))),
    refused("scope is a list in which not all are strings", |draft, _, random| {
        let value =
            random.of(&[json!(["orders:read", 1]), json!([null, "orders:read"]), json!(["orders:read", ["a"]])]);
        draft.claim("scope", value);
    }),
    refused("scope is missing, empty or of another type", |draft, _, random| {
        let value = random.of(&[Value::Null, json!(""), json!(5), json!({ "orders:read": true }), json!([])]);
        draft.claim("scope", value);
    }),
    refused("the route needs two scopes, and one is missing", |draft, _, random| {
        let choices = [
            "orders:read",
            "orders:write",
            "orders:read orders:writer",
            "orders:write orders:rea",
            "orders:read,write",
        ];
        draft.claim("scope", json!(random.of(&choices)));
        draft.path("/both/a");
    }),
    passes("the route needs two scopes, and both are there", |draft, _, random| {
        let choices = [
            json!("orders:read orders:write"),
            json!("orders:write a orders:read"),
            json!(["orders:write", "orders:read"]),
        ];
        draft.claim("scope", random.of(&choices));
        draft.path("/both/a");
    }),
    passes("something unknown is said", |draft, _, random| {
        draft.header("zip", json!("DEF"));
        draft.claim("x", random.of(&[json!(1), json!("2"), json!({ "a": [1, { "b": null }] }), json!(1e30)]));
        draft.claim("nonce", json!("n"));
    }),
    passes("something deep or huge is said", |draft, _, random| {
        let deep = (0..30 + random.below(30)).fold(json!(1), |inner, _| json!([inner]));
        draft.claim("x", if random.chance(2) { deep } else { json!("\u{e9}".repeat(500)) });
    }),
    refused("the token is too large", |draft, _, random| {
        let length = if random.chance(2) { 9000 + random.below(9000) } else { 20_000 + random.below(20_000) };
        draft.claim("x", json!("x".repeat(length)));
    }),
];
