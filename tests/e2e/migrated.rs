//! What `scopegate migrate` writes, side by side with what it read: 45 configurations of `jwt_authn`, `rbac`, `basic_auth` and
//! `api_key_auth` of the shapes that people have, each as it was and as it is translated, in one Envoy. Requests are generated
//! around what each asks for. None that the old one refuses may be let through by the new one; each that the new one refuses
//! and the old one let through has its reason in the report.

mod configurations;
mod explained;
mod material;
mod outcome;
mod requests;
mod tokens;
mod translated;

use crate::support::client::KeptClient;
use crate::support::envoy::{Envoy, cluster};
use crate::support::issuer::{Issuer, now};
use crate::support::random::{Random, from_environment};
use crate::support::server::{Answer, Server};
use crate::support::xds::Folder;
use configurations::{Keys, Old, manager};
use explained::Difference;
use outcome::{Outcome, decision, observed, recorded};
use requests::{Exception, FORGED, Requests, Sent};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use tokens::Maker;
use translated::{Translated, translate};

/// Words of Scopegate that name no decision about a request: then nothing was compared.
const OVERLOADED: [&str; 3] = ["too_busy", "keys_unavailable", "policy_unreadable"];

/// How many faults of a configuration are shown.
const SHOWN: usize = 4;

/// Serves the key sets that configurations fetch.
fn key_server(keys: &Keys) -> Server {
    let sets: BTreeMap<String, Value> = keys.0.iter().map(|(place, key)| (place.clone(), key.jwks())).collect();
    Server::start(0, move |received| {
        let host = received.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = host.map(|(_, host)| host.as_str()).unwrap_or_default();
        let found = sets.get(&format!("https://{host}{}", received.target));
        found.map_or_else(|| Answer::status(404), Answer::json)
    })
    .unwrap()
}

/// The clusters that the configurations name.
fn clusters(olds: &[Old], upstream: &Server, keys: &Server) -> Vec<Value> {
    let upstreams: BTreeSet<String> = olds.iter().flat_map(Old::upstreams).collect();
    let issuers: BTreeSet<String> =
        olds.iter().flat_map(|old| &old.providers).filter_map(|provider| provider.cluster.clone()).collect();
    assert!(upstreams.is_disjoint(&issuers), "{upstreams:?} {issuers:?}");
    let own = upstreams.iter().map(|name| cluster(name, upstream.address));
    own.chain(issuers.iter().map(|name| cluster(name, keys.address))).collect()
}

/// A listener under this name, which finds its routes in a file where they are apart.
fn served(name: &str, listener: &Value, routes: Option<&Value>, files: &Folder) -> Value {
    let mut listener = observed(listener.clone());
    listener["name"] = name.into();
    listener["address"] = json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } });
    if let Some(routes) = routes {
        let mut resource = routes.clone();
        resource["@type"] = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration".into();
        let file = format!("{name}.json");
        files.put(&file, &[resource]);
        manager(&mut listener)["rds"] =
            json!({ "route_config_name": routes["name"], "config_source": files.source(&file) });
    }
    listener
}

/// A configuration as it was and as it is translated, in Envoy; and the old filters with Scopegate in front, which only reports.
struct Pair<'k> {
    old: &'k Old,
    new: Translated,
    requests: Requests<'k>,
    clients: [KeptClient; 2],
    reporting: Option<KeptClient>,
}

/// What was seen of a configuration.
#[derive(Debug, Default)]
struct Seen {
    both_pass: usize,
    both_refuse: usize,
    refused_by_old: usize,
    /// By the reason of Scopegate, with how often and an example.
    newly_refused: BTreeMap<String, (usize, String)>,
    /// Headers of an identity that the upstream reads otherwise, and those that it did not get.
    read_otherwise: BTreeMap<String, (usize, String)>,
    added: BTreeMap<String, (usize, String)>,
    /// What may pass though it was refused, with how often and an example.
    excepted: BTreeMap<Exception, (usize, String)>,
    wrong: Vec<String>,
}

impl Pair<'_> {
    fn compare(&mut self, random: &mut Random, seen: &mut Seen) {
        let sent = self.requests.request(random);
        let [old, new] = self.clients.each_mut().map(|client| Outcome::of(&client.send(&sent.bytes)));
        let told = || format!("{:?} {old:?} {new:?}\n    {}", sent.flaws, sent.bytes.escape_ascii());
        if let Outcome::Refused { details, .. } = &new {
            assert!(!OVERLOADED.iter().any(|word| details.ends_with(word)), "{}: {}", self.old.name, told());
        }
        seen.refused_by_old += usize::from(matches!(old, Outcome::Refused { .. }));
        if let Some(client) = &mut self.reporting {
            let answer = client.send(&sent.bytes);
            let (reported, decision) = (Outcome::of(&answer), decision(&answer));
            if reported.is_let_through() != old.is_let_through() {
                seen.wrong.push(format!("report-only makes it {reported:?}: {}", told()));
            }
            // Without a route it does not matter what is decided.
            let wanted = if new.is_let_through() { "allow" } else { "would_deny" };
            if !matches!(old, Outcome::Nowhere(_)) && decision.as_deref() != Some(wanted) {
                seen.wrong.push(format!("report-only records {decision:?}: {}", told()));
            }
        }
        match (old.is_let_through(), new.is_let_through()) {
            (true, true) => {
                seen.both_pass += 1;
                if self.new.is_new {
                    match sent.in_right_letters() {
                        None => self.compare_identities(&old, &new, &told, seen),
                        // Only the new one finds this token, so it is that of both in the right letters.
                        Some(bytes) => {
                            self.compare_identities(&new, &new, &told, seen);
                            let [old, new] = self.clients.each_mut().map(|client| Outcome::of(&client.send(&bytes)));
                            self.compare_identities(&old, &new, &told, seen);
                        }
                    }
                }
            }
            (false, true) => match self.exception(&sent) {
                Some(exception) => seen.excepted.entry(exception).or_insert_with(|| (0, told())).0 += 1,
                None => seen.wrong.push(format!("let through: {}", told())),
            },
            (true, false) => {
                let entry = seen.newly_refused.entry(new.reason().to_owned()).or_insert_with(|| (0, told()));
                entry.0 += 1;
            }
            (false, false) => seen.both_refuse += 1,
        }
    }

    /// The exception that is all that the old one refuses of a request: both let it through without that.
    fn exception(&mut self, sent: &Sent) -> Option<Exception> {
        let mut passes =
            |bytes: &[u8]| self.clients.iter_mut().all(|client| Outcome::of(&client.send(bytes)).is_let_through());
        sent.excepted().into_iter().find(|(_, bytes)| passes(bytes)).map(|(exception, _)| exception)
    }

    /// What the upstream reads of who sent a request: never what the client says, unless the old one let it.
    fn compare_identities(&self, old: &Outcome, new: &Outcome, told: &dyn Fn() -> String, seen: &mut Seen) {
        let (Outcome::Passed(Some(old)), Outcome::Passed(Some(new))) = (old, new) else { return };
        for name in &self.requests.material.identities {
            let [before, after] = [old, new].map(|lines| {
                let of_name = lines.iter().filter(|(other, _)| other.replace('_', "-") == *name);
                of_name.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
            });
            if after.contains(&FORGED) {
                seen.wrong.push(format!("{name} is the client's: {}", told()));
            } else if before != after && !before.contains(&FORGED) {
                let differences = if before.is_empty() { &mut seen.added } else { &mut seen.read_otherwise };
                differences.entry(name.clone()).or_insert_with(|| (0, told())).0 += 1;
            }
        }
    }
}

#[test]
fn nothing_that_an_old_configuration_refuses_is_let_through_by_its_translation() {
    let first = Random::seed(20_261_130);
    let (olds, keys) = configurations::all();
    assert_eq!(olds.len(), 45);
    let wanted = usize::try_from(from_environment("SCOPEGATE_REQUESTS", 6000)).unwrap() / olds.len() + 1;
    let stranger = Issuer::new(Algorithm::Es256, "stranger");
    let (upstream, key_server, files) = (Server::echo(0).unwrap(), key_server(&keys), Folder::new());
    let clusters = clusters(&olds, &upstream, &key_server);
    let news: Vec<Translated> = olds.iter().map(|old| translate(old, &clusters, &files, &[])).collect();
    let mut listeners = Vec::new();
    for (old, new) in olds.iter().zip(&news) {
        if new.is_new {
            let mut reporting = translate(old, &clusters, &files, &["--report-only"]);
            recorded(reporting.routes());
            let name = format!("reporting-{}", old.name);
            listeners.push(served(&name, &reporting.listener, reporting.routes.as_ref(), &files));
        }
        listeners.push(served(&format!("old-{}", old.name), &old.listener, old.routes.as_ref(), &files));
        listeners.push(served(&format!("new-{}", old.name), &new.listener, new.routes.as_ref(), &files));
    }
    let envoy = Envoy::shared(&json!({ "listeners": listeners, "clusters": clusters }));

    let (mut unexplained_ones, mut wrongs, mut total, mut untranslated) = (Vec::new(), Vec::new(), [0; 3], Vec::new());
    for (old, new) in olds.iter().zip(news) {
        let mut random = Random::new(first);
        let maker = Maker::new(old, &keys, &stranger, now());
        let requests = Requests::new(&maker, &mut random);
        let clients = ["old", "new"].map(|side| KeptClient::new(envoy.listener(&format!("{side}-{}", old.name))));
        let reporting = new.is_new.then(|| KeptClient::new(envoy.listener(&format!("reporting-{}", old.name))));
        let mut pair = Pair { old, new, requests, clients, reporting };
        let mut seen = Seen::default();
        for _ in 0..wanted {
            pair.compare(&mut random, &mut seen);
        }
        let newly_refused: usize = seen.newly_refused.values().map(|(count, _)| count).sum();
        if !pair.new.is_new {
            untranslated.push(old.name.as_str());
        }
        println!(
            "{}: {} pass, {} refused by both, {newly_refused} by the new one alone",
            old.name, seen.both_pass, seen.both_refuse
        );
        let differences = seen.newly_refused.iter().map(|(reason, seen)| (Difference::Refused(reason), seen));
        let differences =
            differences.chain(seen.read_otherwise.iter().map(|(name, seen)| (Difference::Read(name), seen)));
        let differences = differences.chain(seen.added.iter().map(|(name, seen)| (Difference::Added(name), seen)));
        let excepted = seen.excepted.iter().map(|(exception, seen)| (Difference::Excepted(*exception), seen));
        let differences = differences.chain(excepted);
        for (difference, (count, example)) in differences {
            match pair.new.explanation(&difference) {
                Some(why) => println!("    {count} {difference}: {why}"),
                None => unexplained_ones.push(format!("{}: {count} {difference}: {example}", old.name)),
            }
        }
        wrongs.extend(seen.wrong.iter().take(SHOWN).map(|wrong| format!("{}: {wrong}", old.name)));
        assert!(seen.refused_by_old > 0, "{}: nothing is refused", old.name);
        assert!(seen.both_pass + newly_refused > 0, "{}: nothing passes", old.name);
        total = [total[0] + seen.both_pass, total[1] + seen.both_refuse, total[2] + newly_refused];
    }
    println!("not translated: {untranslated:?}");
    assert!(untranslated.len() <= 5, "{untranslated:?}");
    let mut faults: Vec<String> = Vec::new();
    for (what, lines) in [("wrong", wrongs), ("not in the report", unexplained_ones)] {
        faults.extend((!lines.is_empty()).then(|| format!("{what}:\n{}", lines.join("\n"))));
    }
    assert!(faults.is_empty(), "SCOPEGATE_SEED={first}: {}", faults.join("\n"));
    println!("seed {first}, {wanted} requests for each: {total:?} pass, refused by both, refused by the new one alone");
    let all: usize = total.iter().sum();
    assert!(total.iter().all(|count| count * 20 > all), "there is little to compare: {total:?}");
}
