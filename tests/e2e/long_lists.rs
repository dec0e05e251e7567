//! The longest revocation lists, in every form: their memory, and whether they hold requests up.

use crate::revocation::{Published, World, list, start};
use crate::support::client::{KeptClient, head};
use crate::support::issuer::{ISSUER, Issuer, now};
use crate::support::native;
use crate::support::wait::eventually;
use scopegate::base::base64url;
use scopegate::base::time::UnixSeconds;
use scopegate::crypto::{Algorithm, sha256};
use scopegate::revocation::{Builder, DIGEST_CLAIM, Entry, Line, MAX_LINES_BYTES, MAX_LINES_ENTRIES, SIGNED_TYPE};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const COUNT: usize = 1_000_000;
/// How much longer the list is in every round.
const MORE: usize = 10_000;
const ROUNDS: usize = 4;
/// How many rounds there are at most until one has been quiet.
const MOST_ROUNDS: usize = 16;

/// A list in the binary form, of `count` unknown tokens and this one.
pub fn binary(count: usize, id: &str) -> Vec<u8> {
    let mut builder = Builder::new(UnixSeconds(0));
    (0..count).for_each(|number| builder.add(&Entry::token(ISSUER.into(), format!("another-{number}"))));
    builder.add(&Entry::token(ISSUER.into(), id.to_owned()));
    builder.finish().bytes().pieces().concat()
}

/// The list, signed.
fn signed(signer: &Issuer, list: Vec<u8>) -> Vec<u8> {
    let mut token = signer.token(now()).header("typ", SIGNED_TYPE);
    token.claims.clear();
    let token = token.claim("iat", now()).claim(DIGEST_CLAIM, base64url::encode(&sha256(&list)));
    [token.sign().into_bytes(), b"\n".to_vec(), list].concat()
}

/// As many lines as may be, as long as they may be together, and this token among them.
fn lines(id: &str) -> Vec<u8> {
    let line = |id: &str| Line::Entry(Entry::token(ISSUER.into(), id.to_owned())).written() + "\n";
    let longest = MAX_LINES_BYTES / MAX_LINES_ENTRIES;
    let filler = "x".repeat(longest - line("999999-").len());
    let mut text: String = (1..MAX_LINES_ENTRIES).map(|number| line(&format!("{number}-{filler}"))).collect();
    text += &line(id);
    assert!(text.len() <= MAX_LINES_BYTES && text.len() > MAX_LINES_BYTES * 9 / 10, "{}", text.len());
    text.into_bytes()
}

/// Publishes a list, sends requests until it refuses the token that is only on it, and returns how long the longest of
/// them took.
fn longest_wait(world: &World, published: &Published, document: Vec<u8>, id: &str) -> Duration {
    let mut connection = KeptClient::new(world.envoy.address());
    let request = head("GET", "/", &[("authorization", &format!("Bearer {}", world.token("good")))]);
    let revoked = world.token(id);
    published.put(document);
    let (began, mut longest, mut asked) = (Instant::now(), Duration::ZERO, Instant::now());
    loop {
        let start = Instant::now();
        assert_eq!(connection.send(&request).status, 200);
        longest = longest.max(start.elapsed());
        if asked.elapsed() > Duration::from_millis(100) {
            asked = Instant::now();
            if world.status(&revoked) == 401 {
                return longest;
            }
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{}", world.envoy.log());
    }
}

/// A list of a form holds no request up, and stays within its memory. Returns the figures.
fn is_bearable(form: &str, members: Value, make: impl Fn(usize, &str) -> Vec<u8>, most: Option<usize>) -> String {
    let published = Published::default();
    published.put(make(0, "first"));
    let server = published.serve();
    let world = start(server.address, list(members), 1);
    eventually("the first list", || world.status(&world.token("first")) == 401);
    // The native module has Envoy's memory, and no gauge of its own.
    let most = most.filter(|_| !native::is_tested());
    let memory = || if native::is_tested() { 0 } else { world.envoy.counter("scopegate.vm.memory_bytes") };
    std::thread::sleep(Duration::from_millis(1500));
    let empty = memory();
    let (mut longest, mut taken) = (Vec::new(), Vec::new());
    // Other processes make a wait longer, and nothing makes one shorter: one round without them shows it.
    let is_shown = |longest: &[Duration]| longest.iter().min() < Some(&Duration::from_millis(50));
    while taken.len() < ROUNDS || taken.len() < MOST_ROUNDS && !is_shown(&longest) {
        let round = taken.len();
        let id = format!("stolen-{round}");
        // Ever longer lists, as lists are.
        longest.push(longest_wait(&world, &published, make(COUNT + round * MORE, &id), &id));
        std::thread::sleep(Duration::from_millis(1200));
        taken.push(memory().saturating_sub(empty));
    }
    assert!(is_shown(&longest), "{form}: {longest:?}");
    if let Some(most) = most {
        assert!(taken[0] <= 20 * most as u64, "{form}, at rest: {taken:?}");
        assert!(
            taken.iter().all(|&taken| taken <= 40 * (most + longest.len() * MORE) as u64),
            "{form}, at the peak: {taken:?}"
        );
    }
    format!("{form}: memory taken at first and after reloads: {taken:?}; longest waits: {longest:?}")
}

#[test]
fn a_million_entries_take_their_bytes_and_delay_no_request() {
    let members = json!({ "max_bytes": 33_554_432, "timeout": "5s" });
    println!("{}", is_bearable("1 000 000 entries", members, binary, Some(COUNT)));
}

#[test]
fn a_million_entries_that_are_signed_do_neither() {
    let signer = Issuer::new(Algorithm::Es256, "lists");
    let members = json!({ "max_bytes": 33_554_432, "timeout": "5s", "signed_by": signer.jwks() });
    let make = |count: usize, id: &str| signed(&signer, binary(count, id));
    println!("{}", is_bearable("1 000 000 entries, signed", members, make, Some(COUNT)));
}

#[test]
fn the_longest_text_delays_no_request() {
    let members = json!({ "max_bytes": MAX_LINES_BYTES, "timeout": "5s" });
    let make = |count: usize, id: &str| if count == 0 { binary(0, id) } else { lines(id) };
    println!("{}", is_bearable("100 000 lines in 16 MiB", members, make, None));
}

#[test]
fn a_document_that_is_longer_than_envoy_hands_over_fails_as_an_outage_does_and_says_so() {
    let published = Published::default();
    published.put(binary(0, "first"));
    let server = published.serve();
    let world = start(server.address, list(json!({ "max_bytes": 33_554_432, "timeout": "5s" })), 1);
    eventually("the first list", || world.status(&world.token("first")) == 401);
    published.put(vec![b'\n'; 33_554_433]);
    world.envoy.wait_for_log("list main could not be fetched: did not answer, broke off, or sent more than 32 MiB");
    assert_eq!(
        (world.status(&world.token("first")), world.status(&world.token("good"))),
        (401, 200),
        "it stays in use"
    );
    published.put(binary(0, "second"));
    eventually("it is back", || world.status(&world.token("second")) == 401);
}
