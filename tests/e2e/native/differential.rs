//! Thousands of tokens and requests, made from a seed, through Scopegate and through the native filters: what one passes
//! and the other does not is on the list of `disagreements`, and everything on the list happens. And what both make of
//! them alike is not right for that: each change says what must become of it in Scopegate.

use super::changes::{Change, Made, made};
use super::comparison::listeners;
use super::disagreements::{DISAGREEMENTS, Disagreement, How};
use super::keyring::Keyring;
use crate::support::client::{KeptClient, Response};
use crate::support::envoy::{Envoy, cluster, minor_version};
use crate::support::issuer::now;
use crate::support::random::{Random, from_environment};
use crate::support::server::Server;
use std::collections::BTreeSet;

/// How often each change is tried by itself, with every kind of key.
const ALONE: usize = 2;
/// How often it is tried besides with the key whose signatures cost least, for what is random in it.
const ALONE_WITH_ONE: usize = 18;
/// Words of ours that name no decision about the token: then nothing was compared.
const OVERLOADED: [&str; 2] = ["too_busy", "keys_unavailable"];

/// What became of a request.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// What the upstream reads of who sent it, under every spelling, where it says what it reads.
    Passes(Option<Vec<String>>),
    /// The reason of a refusal, as Envoy's response code details.
    Refused(String),
}

/// Sends a request, after the one that comes before it.
fn outcome(client: &mut KeptClient, made: &Made) -> Outcome {
    let bytes = made.request.bytes();
    let Some(before) = &made.request.before else { return read(&client.send(&bytes)) };
    let [first, second] = client.send_all([&before.bytes, &bytes]);
    assert_eq!(first.status, if before.passes { 200 } else { 401 }, "what stands before {}", bytes.escape_ascii());
    read(&second)
}

pub(super) fn read(response: &Response) -> Outcome {
    if response.status != 200 {
        return Outcome::Refused(response.header("x-details").unwrap_or("refused by Envoy itself").to_owned());
    }
    if response.body.is_empty() {
        return Outcome::Passes(None);
    }
    let echoed = response.echoed();
    let names = ["x-auth-subject", "x_auth_subject", "x-auth_subject", "x_auth-subject"];
    let read = |name| [echoed.headers(name), echoed.trailers(name)].concat();
    Outcome::Passes(Some(names.into_iter().flat_map(read).map(str::to_owned).collect()))
}

/// What is wrong with what Scopegate made of a request, whatever the native filters made of it.
fn wrong(made: &Made, here: &Outcome) -> Option<String> {
    match here {
        Outcome::Passes(_) if !made.fate.lets_pass() => Some("Scopegate lets through what it must refuse".to_owned()),
        Outcome::Passes(Some(read)) => {
            let subject: Vec<String> = made.subject.iter().cloned().collect();
            (*read != subject).then(|| format!("the upstream reads {read:?} of who sent it, and not {subject:?}"))
        }
        Outcome::Refused(details) if !made.fate.lets_refuse() => {
            Some(format!("Scopegate refuses by {details} what it must let through"))
        }
        Outcome::Passes(None) | Outcome::Refused(_) => None,
    }
}

/// How they disagree, if they do.
pub(super) fn disagreement(here: &Outcome, there: &Outcome) -> Option<How> {
    match (here, there) {
        (Outcome::Passes(here), Outcome::Passes(there)) => (here != there).then_some(How::Identity),
        (Outcome::Refused(_), Outcome::Refused(_)) => None,
        (Outcome::Passes(_), Outcome::Refused(_)) => Some(How::Passes),
        (Outcome::Refused(details), Outcome::Passes(_)) => {
            let reason = details.strip_prefix("scopegate_").unwrap_or_else(|| panic!("refused by whom? {details}"));
            Some(How::Refuses(reason.to_owned().leak()))
        }
    }
}

/// Whether the list has this disagreement for one of these changes. Several together may be refused for another reason
/// than each: where all can sign, a character may be another, and the token no JSON.
fn covers(entry: &Disagreement, changes: &[Change], how: How) -> bool {
    let is_same = match (entry.how, how) {
        (How::Refuses(_), How::Refuses(_)) if changes.len() > 1 => true,
        (listed, how) => listed == how,
    };
    is_same && changes.iter().any(|change| change.name() == entry.sent)
}

/// What to change, and which key signs: nothing, then each change by itself with every key, then two or three at once.
fn plan(index: usize, changes: &[Change], keys: usize, random: &mut Random) -> (Vec<Change>, usize) {
    let Some(index) = index.checked_sub(keys) else { return (Vec::new(), index) };
    let alone = ALONE * keys + ALONE_WITH_ONE;
    if let Some(change) = changes.get(index / alone) {
        return (vec![*change], (index % alone).checked_sub(ALONE_WITH_ONE).map_or(0, |rest| rest % keys));
    }
    let key = if random.chance(3) { random.below(keys) } else { 0 };
    let mut chosen: Vec<Change> = Vec::new();
    for _ in 0..2 + random.below(2) {
        let change = random.of(changes);
        if chosen.iter().all(|other| other.name() != change.name()) {
            chosen.push(change);
        }
    }
    (chosen, key)
}

#[test]
fn scopegate_and_the_native_filters_disagree_where_the_list_says_so_and_nowhere_else() {
    let seed = Random::seed(20_261_125);
    let cases = usize::try_from(from_environment("SCOPEGATE_CASES", 8000)).unwrap();
    let mut random = Random::new(seed);
    let mut keyring = Keyring::new();
    let (upstream, lists) = (Server::echo(0).unwrap(), keyring.lists());
    let envoy = Envoy::start(&serde_json::json!({
        "listeners": listeners(&keyring),
        "clusters": [cluster("upstream", upstream.address), cluster("lists", lists.address)],
    }));
    let mut clients = ["gate", "native"].map(|name| KeptClient::new(envoy.listener(name)));

    let (changes, keys) = (Change::all(), keyring.bases().len());
    let (mut agreed, mut passed, mut undecided) = (0, 0, 0);
    let minor = minor_version();
    let expected = || DISAGREEMENTS.iter().filter(|entry| entry.until.is_none_or(|agreed| minor < agreed));
    let mut happened: BTreeSet<(&str, How)> = BTreeSet::new();
    let mut idle: BTreeSet<&str> = changes.iter().map(|change| change.name()).collect();
    let mut unlisted: Vec<String> = Vec::new();
    let mut wrongs: Vec<String> = Vec::new();
    let (mut sent, mut index) = (0, 0);
    while sent < cases {
        let (changes, key) = plan(index, &changes, keys, &mut random);
        index += 1;
        keyring.world.now = now();
        let base = keyring.bases()[key];
        let Some(made) = made(&changes, base, &keyring, &mut random) else { continue };
        sent += 1;
        if let [change] = changes[..]
            && made.fate == change.fate()
        {
            idle.remove(change.name());
        }
        let [here, there] = clients.each_mut().map(|client| outcome(client, &made));
        if let Outcome::Refused(details) = &here {
            assert!(!OVERLOADED.iter().any(|word| details.ends_with(word)), "{details}: nothing was compared");
        }
        passed += usize::from(matches!(here, Outcome::Passes(_)));
        undecided += usize::from(made.fate.lets_pass() && made.fate.lets_refuse());
        let shown = || {
            let names: Vec<_> = changes.iter().map(|change| change.name()).collect();
            format!("{names:?}: {here:?} {there:?}\n    {}", made.request.bytes().escape_ascii())
        };
        wrongs.extend(wrong(&made, &here).map(|why| format!("{why}: {}", shown())));
        let Some(how) = disagreement(&here, &there) else {
            agreed += 1;
            continue;
        };
        if !expected().any(|entry| covers(entry, &changes, how)) {
            unlisted.push(shown());
        }
        if let [change] = changes[..] {
            happened.insert((change.name(), how));
        }
    }
    for (what, mut lines) in [("wrong, listed or not", wrongs), ("not on the list", unlisted)] {
        lines.sort();
        lines.dedup_by_key(|line| line.split("\n    ").next().unwrap().to_owned());
        assert!(lines.is_empty(), "{what} (SCOPEGATE_SEED={seed}):\n{}", lines.join("\n"));
    }
    assert!(idle.is_empty(), "these change nothing: {idle:#?}");
    let gone: Vec<&Disagreement> = expected().filter(|entry| !happened.contains(&(entry.sent, entry.how))).collect();
    assert!(gone.is_empty(), "on the list, but they agree (SCOPEGATE_SEED={seed}): {gone:#?}");
    assert_eq!(keyring.times_asked(), 0, "somebody fetched the keys that a token offers");
    assert!(passed * 32 > sent, "of {sent} requests only {passed} pass at all");
    println!(
        "{sent} requests with {} kinds of changes: {agreed} alike, {} as listed in {} classes; Scopegate passes {passed}; \
         of {undecided} either would do",
        changes.len(),
        sent - agreed,
        expected().count()
    );
}
