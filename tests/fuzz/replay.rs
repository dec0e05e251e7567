//! The fuzz targets, as a part of `make test`: each holds on its seeds, and on seeds that were cut, joined and changed.
//! So they are compiled with everything else, and their assertions run before any fuzzing.
#![allow(
    unused_attributes,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::duplicate_mod,
    reason = "a target fails by a panic, and begins like the program that it is for a fuzzer"
)]

// What the targets name, here in place of libFuzzer's crate and that of `make fuzz`.
extern crate self as libfuzzer_sys;
extern crate self as scopegate_fuzz;

/// A target, as a function.
#[macro_export]
macro_rules! fuzz_target {
    (|$input:ident: &[u8]| $body:block) => {
        pub fn run($input: &[u8]) {
            $body
        }
    };
}

#[path = "../support/random.rs"]
#[expect(dead_code, reason = "it makes more than is drawn here")]
mod random;
#[path = "support/lib.rs"]
#[expect(dead_code, reason = "the seeds have a copy of their own of what makes messages")]
mod shared;
#[path = "seeds.rs"]
#[expect(dead_code, reason = "the program that writes them is not run")]
mod sown;
mod targets;

pub(crate) use shared::*;

use random::Random;
use std::panic::catch_unwind;

/// Inputs for each target beside its seeds.
const INPUTS: usize = 400;

/// A seed that was changed in one to four places.
fn changed(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut input = random.of(seeds);
    for _ in 0..=random.below(4) {
        let place = random.below(input.len() + 1);
        match random.below(6) {
            0 => input.truncate(place),
            1 => input.insert(place, random.next().to_le_bytes()[0]),
            2 => drop(input.splice(place.., random.of(seeds).into_iter().skip(place))),
            3 => {
                let repeated = input[..place].to_vec();
                input.splice(place..place, repeated);
            }
            _ if place < input.len() => input[place] ^= 1 << random.below(8),
            _ => {}
        }
    }
    input
}

#[test]
fn every_fuzz_target_holds_on_its_seeds_and_on_what_is_near_them() {
    let all = sown::seeds();
    let mut random = Random::new(Random::seed(1));
    for &(name, run) in targets::ALL {
        let seeds: Vec<Vec<u8>> =
            all.iter().filter(|(target, _)| *target == name).map(|(_, seed)| seed.clone()).collect();
        assert!(!seeds.is_empty(), "{name} has no seed");
        let near = (0..INPUTS).map(|_| changed(&mut random, &seeds));
        for input in seeds.iter().cloned().chain(near.collect::<Vec<_>>()) {
            let held = catch_unwind(|| run(&input));
            assert!(held.is_ok(), "{name} does not hold on {:?}", String::from_utf8_lossy(&input));
        }
    }
    let named = all.iter().filter(|(target, _)| !targets::ALL.iter().any(|(name, _)| *name == *target));
    assert_eq!(named.count(), 0, "a seed for nobody");
}

/// What the seeds reach beside.
const OTHERS: &[&str] = &[
    "basic: a user and a password",
    "basic: a password with a colon",
    "cookies: one",
    "cookies: several",
    "events: a batch",
    "events: a field that only some readers know",
    "events: a line that only some readers end",
    "events: a list",
    "events: a member twice in one object",
    "events: a member that another parser takes for one that is read",
    "events: an event or a comment that is longer than the limit",
    "events: an item without a name",
    "events: no data",
    "events: the stream ends in an event",
    "htpasswd: bcrypt",
    "htpasswd: PBKDF2",
    "htpasswd: users",
    "identities: 0 of Keys",
    "identities: 2 of Keys",
    "identities: 2 of Users",
    "identities: 2 of Certificates",
    "identities: signed, 2 of Keys",
    "introspection: passes",
    "introspection: inactive",
    "introspection: wrong_type",
    "places: authorization",
    "places: x-jwt",
    "places: x-partner-token",
    "places: sec-websocket-protocol",
    "places: multiple_credentials",
    "mcp_name: in base64",
    "message: a response",
    "message: a member twice in one object",
    "message: half of a surrogate pair in a string",
    "message: nested too deep",
    "message: no name of a tool",
    "message: subscriptions/listen",
    "message: tools/call",
    "proof: a proof",
    "proof: an address",
    "signature: Apinto: a signature",
    "signature: Apinto: malformed",
    "signature: RFC 9421: a signature",
    "signature: RFC 9421: malformed",
    "signature: RFC 9421: the body is unsigned",
    "signature: SigV4: a signature",
    "signature: SigV4: incomplete",
    "signature: SigV4: the body is unsigned",
    "signature: a signature base",
    "signature: a string to sign",
    "decide: an event is awaited",
    "decide: invalid_event",
    "security_event: 200 of demo, 1 entries",
    "security_event: 202 of demo, 0 entries",
    "security_event: 202 of demo, 1 entries",
    "security_event: 202 of demo, 2 entries",
    "security_event: 202 of ops, 1 entries",
    "security_event: its subject is no object",
    "security_event: it revokes more than 32 of sessions, users and tokens",
    "security_event: it has a `nonce`, as an ID token does",
    "security_event: it has no `exp`",
    "security_event: it has no logout event",
    "security_event: its entry is none of a revocation list",
    "security_event: its entry revokes nothing: no issuer has its `iss`, or no set its `credential`",
    "security_event: its `alg` is none of this issuer",
    "security_event: the body has a Content-Encoding",
    "security_event: the form has more than one logout_token",
    "security_event: something is awaited",
    "status_list: of 2 bytes",
    "status_list: of 3 bytes",
    "status_list: of 50000 bytes",
];

/// What only a good input reaches: without it, a target would show nothing of what comes after.
#[test]
fn the_seeds_reach_what_comes_last() {
    for (name, seed) in sown::seeds() {
        let (_, run) = targets::ALL.iter().find(|(target, _)| *target == name).expect("a target");
        run(&seed);
    }
    let reached = all_reached();
    let reasons = [
        "passes with a proof",
        "passes with a key",
        "passes with a password",
        "passes with an opaque token",
        "passes with a cookie",
        "passes with a certificate",
        "wrong_secret",
        "cross_site",
        "introspection_unavailable",
        "passes",
        "no_credential",
        "insufficient_scope",
        "proof_missing",
        "invalid_proof",
        "use_nonce",
        "bound_to_another",
        "certificate_mismatch",
        "not_bound",
        "step_up_needed",
        "unknown_identity",
        "credential_expired",
        "revoked",
        "malformed_credential",
        "multiple_credentials",
    ];
    let wanted = reasons.iter().map(|reason| format!("decide: {reason}"));
    for what in wanted.chain(OTHERS.iter().map(|other| (*other).to_owned())) {
        assert!(reached.contains(&what), "no seed reaches {what:?}; they reach {reached:#?}");
    }
}
