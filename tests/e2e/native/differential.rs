//! Thousands of tokens and requests, made from a seed, through Scopegate and through the native filters: what one passes
//! and the other does not is on the list of `disagreements`, and everything on the list happens.

use super::disagreements::{DISAGREEMENTS, Disagreement, How};
use super::mutations::{Draft, SAYINGS, Say, WRITINGS, Write};
use super::presentations::{Request, SENDINGS, SPELLINGS, Send, Spell};
use super::{World, connection_manager, native};
use crate::support::client::{KeptClient, Response};
use crate::support::envoy::{Envoy, Gate, cluster, merge, minor_version};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::support::random::{Random, from_environment};
use crate::support::server::Server;
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// How often each change is tried by itself, with every kind of key.
const ALONE: usize = 4;
/// Words of ours that name no decision about the token: then nothing was compared.
const OVERLOADED: [&str; 2] = ["too_busy", "keys_unavailable"];

#[derive(Clone, Copy)]
enum Change {
    Say(&'static str, Say),
    Write(&'static str, Write),
    Spell(&'static str, Spell),
    Send(&'static str, Send),
}

impl Change {
    fn all() -> Vec<Self> {
        let says = SAYINGS.iter().map(|(name, apply)| Self::Say(name, *apply));
        let writes = WRITINGS.iter().map(|(name, apply)| Self::Write(name, *apply));
        let spells = SPELLINGS.iter().map(|(name, apply)| Self::Spell(name, *apply));
        let sends = SENDINGS.iter().map(|(name, apply)| Self::Send(name, *apply));
        says.chain(writes).chain(spells).chain(sends).collect()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Say(name, _) | Self::Write(name, _) | Self::Spell(name, _) | Self::Send(name, _) => name,
        }
    }
}

impl Change {
    /// What it is about: a claim, a parameter, or itself.
    fn subject(self) -> &'static str {
        match self {
            Self::Say(name, _) => name.split(' ').next().unwrap_or(name),
            other => other.name(),
        }
    }
}

/// A good request with these changes, in the order in which they come about.
fn made(changes: &[Change], issuer: &Issuer, world: &World, random: &mut Random) -> Request {
    let token = issuer.token(world.now);
    let mut draft = Draft { header: token.header, claims: token.claims };
    for change in changes {
        if let Change::Say(_, apply) = change {
            apply(&mut draft, world, random);
        }
    }
    let [mut header, mut claims] =
        [draft.header, draft.claims].map(|part| Value::Object(part).to_string().into_bytes());
    for change in changes {
        if let Change::Write(_, apply) = change {
            apply(&mut header, &mut claims, random);
        }
    }
    let input = [&header, &claims].map(|part| base64url::encode(part)).join(".");
    let mut token = format!("{input}.{}", base64url::encode(&issuer.key.sign(input.as_bytes()).unwrap()));
    for change in changes {
        if let Change::Spell(_, apply) = change
            && is_whole(&token)
        {
            token = apply(&token, world, random);
        }
    }
    let mut request = Request::new(token);
    for change in changes {
        if let Change::Send(_, apply) = change {
            apply(&mut request, random);
        }
    }
    request
}

/// Whether it is still three parts in base64url, so that a part of it can be changed.
fn is_whole(token: &str) -> bool {
    let parts: Vec<&str> = token.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| base64url::decode(part.as_bytes()).is_some_and(|bytes| bytes.len() > 1))
}

/// What became of a request.
#[derive(Debug, PartialEq)]
enum Fate {
    /// What the upstream reads of who sent it, under every spelling.
    Passes(Vec<String>),
    /// The reason of a refusal, as Envoy's response code details.
    Refused(String),
}

fn fate(response: &Response) -> Fate {
    if response.status != 200 {
        return Fate::Refused(response.header("x-details").unwrap_or("refused by Envoy itself").to_owned());
    }
    if response.body.is_empty() {
        return Fate::Passes(Vec::new());
    }
    let echoed = response.echoed();
    let names = ["x-auth-subject", "x_auth_subject", "x-auth_subject", "x_auth-subject"];
    let read = |name| [echoed.headers(name), echoed.trailers(name)].concat();
    Fate::Passes(names.into_iter().flat_map(read).map(str::to_owned).collect())
}

/// How they disagree, if they do.
fn disagreement(gate: &Fate, native: &Fate) -> Option<How> {
    match (gate, native) {
        (Fate::Passes(here), Fate::Passes(there)) => (here != there).then_some(How::Identity),
        (Fate::Refused(_), Fate::Refused(_)) => None,
        (Fate::Passes(_), Fate::Refused(_)) => Some(How::Passes),
        (Fate::Refused(details), Fate::Passes(_)) => {
            let reason = details.strip_prefix("scopegate_").unwrap_or_else(|| panic!("refused by whom? {details}"));
            Some(How::Refuses(reason.to_owned().leak()))
        }
    }
}

fn with_details(listener: Value) -> Value {
    let mut listener = listener;
    let details = json!({ "local_reply_config": { "mappers": [{
        "filter": { "status_code_filter": { "comparison": { "op": "GE", "value": { "default_value": 400, "runtime_key": "none" } } } },
        "headers_to_add": [{ "header": { "key": "x-details", "value": "%RESPONSE_CODE_DETAILS%" } }],
    }] }, "access_log": null });
    merge(&mut listener["filter_chains"][0]["filters"][0]["typed_config"], &details);
    listener
}

fn gate(world: &World) -> Value {
    let gate = Gate::new(json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": world.jwks() }, "max_lifetime": "1h" }],
        "default": { "scopes": ["orders:read"] },
        "rules": [{ "match": { "path_separated_prefix": "/open" }, "public": true }],
        "forward": { "headers": { "x-auth-subject": "sub" } },
        "limits": { "wasm_crypto_percent": 100, "denial_logs_per_second": 0 },
    }));
    Gate { connection_manager: connection_manager(), ..gate }.listener()
}

#[test]
fn scopegate_and_the_native_filters_disagree_where_the_list_says_so_and_nowhere_else() {
    let seed = Random::seed(20_261_125);
    let cases = usize::try_from(from_environment("SCOPEGATE_CASES", 4000)).unwrap();
    let mut random = Random::new(seed);
    let algorithms = [Algorithm::Rs256, Algorithm::Es384, Algorithm::EdDsa];
    let others = algorithms.map(|algorithm| Issuer::new(algorithm, algorithm.name())).into();
    let world = World { others, ..World::new() };
    let upstream = Server::echo(0).unwrap();
    let listeners = [gate(&world), native("native", &world, false)].map(with_details);
    let envoy = Envoy::start(&json!({ "listeners": listeners, "clusters": [cluster("upstream", upstream.address)] }));
    let mut clients = ["gate", "native"].map(|name| KeptClient::new(envoy.listener(name)));

    let changes = Change::all();
    let issuers: Vec<&Issuer> = std::iter::once(&world.issuer).chain(&world.others).collect();
    let mut plans: Vec<(Vec<Change>, &Issuer)> = Vec::new();
    for change in &changes {
        plans.extend(issuers.iter().flat_map(|issuer| vec![(vec![*change], *issuer); ALONE]));
        // Most of what is random in them is tried with the key whose signatures cost least.
        plans.extend(vec![(vec![*change], &world.issuer); ALONE * 4]);
    }
    plans.extend(issuers.iter().map(|issuer| (Vec::new(), *issuer)));
    while plans.len() < cases {
        let mut chosen: Vec<Change> = Vec::new();
        for _ in 0..2 + random.below(2) {
            let change = random.of(&changes);
            // Of what is said of one claim, only the last would count.
            if !chosen.iter().any(|other| other.subject() == change.subject()) {
                chosen.push(change);
            }
        }
        let issuer = if random.chance(3) { random.of(&issuers) } else { &world.issuer };
        plans.push((chosen, issuer));
    }

    let (mut agreed, mut passed) = (0, 0);
    let minor = minor_version();
    let expected = || DISAGREEMENTS.iter().filter(|entry| entry.until.is_none_or(|agreed| minor < agreed));
    let mut happened: BTreeSet<(&str, How)> = BTreeSet::new();
    let mut unlisted: Vec<String> = Vec::new();
    for (changes, issuer) in &plans {
        let request = made(changes, issuer, &world, &mut random);
        let bytes = request.bytes();
        let [here, there] = clients.each_mut().map(|client| fate(&client.send(&bytes)));
        if let Fate::Refused(details) = &here {
            assert!(!OVERLOADED.iter().any(|word| details.ends_with(word)), "{details}: nothing was compared");
        }
        passed += usize::from(matches!(here, Fate::Passes(_)));
        let Some(how) = disagreement(&here, &there) else {
            agreed += 1;
            continue;
        };
        let mut listed =
            expected().filter(|entry| entry.how == how && changes.iter().any(|change| change.name() == entry.sent));
        if listed.next().is_none() {
            let names: Vec<_> = changes.iter().map(|change| change.name()).collect();
            unlisted.push(format!("{names:?}: {here:?} {there:?}\n    {}", bytes.escape_ascii()));
        }
        if let [change] = changes[..] {
            happened.insert((change.name(), how));
        }
    }
    unlisted.sort();
    unlisted.dedup_by_key(|line| line.split("\n    ").next().unwrap().to_owned());
    assert!(unlisted.is_empty(), "not on the list (SCOPEGATE_SEED={seed}):\n{}", unlisted.join("\n"));
    let gone: Vec<&Disagreement> = expected().filter(|entry| !happened.contains(&(entry.sent, entry.how))).collect();
    assert!(gone.is_empty(), "on the list, but they agree (SCOPEGATE_SEED={seed}): {gone:#?}");
    assert!(passed * 16 > plans.len(), "of {} requests only {passed} pass at all", plans.len());
    println!("{} requests: {agreed} alike, {} as listed; Scopegate passes {passed}", plans.len(), plans.len() - agreed);
}
