//! The published vectors: Wycheproof and the examples of the RFCs, natively, by ring too, and in a real Envoy, where
//! signatures are checked by the host and in the VM. Verdicts that differ are in `divergences.yaml`, each with its reason.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by a panic, reads files, and prints its table"
)]

mod divergences;
mod in_envoy;
mod ring;
mod runner;
#[path = "../support/mod.rs"]
mod support;
mod vectors;

use divergences::Divergences;
use scopegate::base::base64url;
use scopegate::crypto::{PureVerifier, RingVerifier, sha256};
use std::fmt::Write as _;
use vectors::{Suite, Wanted};

/// The verdicts of a place: a line for each suite, in their order.
struct Verdicts {
    place: &'static str,
    lines: Vec<String>,
}

#[test]
fn natively_every_published_vector_gives_what_it_should() {
    let suites = vectors::suites();
    let lines = runner::run(&vectors::document(&suites), &PureVerifier);
    judge(&suites, &[Verdicts { place: "native", lines }]);
}

#[test]
fn natively_ring_gives_every_published_vector_the_verdict_of_the_vm() {
    let document = vectors::document(&vectors::suites());
    let (ring, vm) = (runner::run(&document, &RingVerifier), runner::run(&document, &PureVerifier));
    for (ring, vm) in ring.iter().zip(&vm) {
        assert_eq!(ring, vm, "ring, and what the VM has");
    }
    assert_eq!(ring.len(), vm.len());
}

#[test]
fn in_envoy_every_published_vector_gives_what_it_should_by_the_host_and_in_the_vm() {
    let suites = vectors::suites();
    let places = in_envoy::run(&vectors::document(&suites));
    judge(&suites, &places);
    // The VM has no P-521; whatever else both can check, they see alike.
    for (host, vm) in places[0].lines.iter().zip(&places[1].lines) {
        let is_p521 = ["ecdsa_secp521r1", "rfc7515", "rfc7520"].iter().any(|name| host.starts_with(name));
        assert!(host == vm || is_p521, "the host and the VM differ:\n{host}\n{vm}");
    }
}

/// RFC 7638 section 3.1, and RFC 8037 section A.3, from the members that the RFC says, through our digest and base64url.
#[test]
fn thumbprints_of_the_rfcs() {
    let rsa = concat!(
        r#"{"e":"AQAB","kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1"#,
        "L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMic",
        "AtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBni",
        r#"Iqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}"#
    );
    assert_eq!(base64url::encode(&sha256(rsa.as_bytes())), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    let okp = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    assert_eq!(base64url::encode(&sha256(okp.as_bytes())), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/// Holds verdicts against what is published and what is known to differ, and prints a table.
fn judge(suites: &[Suite], places: &[Verdicts]) {
    let known = Divergences::read();
    let mut problems = known.strangers(&suites.iter().map(|suite| suite.name.as_str()).collect::<Vec<_>>());
    let mut table = String::new();
    let _ = write!(table, "{:42}", "suite");
    for place in places {
        let _ = write!(table, "| {:<6} passed refused divergent ", place.place);
    }
    let mut totals = vec![[0; 3]; places.len()];
    for (number, suite) in suites.iter().enumerate() {
        let _ = write!(table, "\n{:42}", suite.name);
        for (place, total) in places.iter().zip(&mut totals) {
            let (name, verdicts) = place.lines[number].split_once(' ').unwrap();
            assert_eq!((name, verdicts.len()), (suite.name.as_str(), suite.cases.len()), "{}", place.place);
            let mut counts = [0; 3];
            let mut divergent = Vec::new();
            for ((case, wanted), verdict) in suite.cases.iter().zip(verdicts.chars()) {
                match (wanted, verdict) {
                    (Wanted::Valid, 'v') => counts[0] += 1,
                    (Wanted::Invalid | Wanted::Acceptable, 'n' | 'k' | 't') => counts[1] += 1,
                    _ => divergent.push((*case, verdict)),
                }
            }
            counts[2] = divergent.len();
            let _ = write!(table, "|{:14} {:7} {:9} ", counts[0], counts[1], counts[2]);
            total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
            problems.extend(known.differences(place.place, &suite.name, &divergent));
        }
    }
    let _ = write!(table, "\n{:42}", "all");
    for total in &totals {
        let _ = write!(table, "|{:14} {:7} {:9} ", total[0], total[1], total[2]);
    }
    println!("{table}");
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// The test vectors of draft-ietf-oauth-status-list, each as the list of a token that is signed here.
#[test]
fn status_lists_of_the_draft() {
    use scopegate::base::time::UnixSeconds;
    use scopegate::crypto::{Algorithm, AlgorithmSet};
    use scopegate::jose::KeySet;
    use scopegate::revocation::{Chunks, StatusLoader, StatusTerms};
    use serde_json::json;
    let issuer = support::issuer::Issuer::new(Algorithm::EdDsa, "a");
    let uri = "https://a.example/1";
    let terms = StatusTerms {
        issuer: "https://a.example".into(),
        uri: uri.into(),
        max_bytes: 1 << 20,
        algorithms: AlgorithmSet::default_for_issuer(),
        keys: KeySet::parse(issuer.jwks().to_string().as_bytes(), 10_000, 10).ok().map(Into::into),
    };
    let documents = support::yaml::documents(&support::envoy::root().join("tests/conformance/status_lists.yaml"));
    for vector in documents[0].as_array().unwrap() {
        let list = json!({ "bits": vector["bits"], "lst": vector["lst"] });
        let claims = json!({ "sub": uri, "iat": 1, "status_list": list }).to_string();
        let header = json!({ "alg": "EdDSA", "kid": "a", "typ": "statuslist+jwt" }).to_string();
        let document = Chunks::from(support::issuer::sign_texts(&issuer.key, &header, &claims).as_bytes());
        let mut loader = StatusLoader::begin(&document, &terms, None, &PureVerifier, UnixSeconds(1)).unwrap();
        let list = (0..100).find_map(|_| loader.step().unwrap()).unwrap();
        let name = &vector["where"];
        assert_eq!(list.entries(), usize::try_from(vector["entries"].as_u64().unwrap()).unwrap(), "{name}");
        assert_eq!(list.get(vector["entries"].as_u64().unwrap()), None, "{name}");
        let told: Vec<(u64, u8)> =
            (0..).map_while(|index| Some((index, list.get(index)?))).filter(|(_, value)| *value != 0).collect();
        let says = vector["says"].as_object().unwrap();
        for (index, value) in says {
            assert_eq!(list.get(index.parse().unwrap()).map(u64::from), value.as_u64(), "{name} at {index}");
        }
        if name == "8 bits" {
            let mut values: Vec<u8> = told.iter().map(|(_, value)| *value).collect();
            values.sort_unstable();
            assert_eq!(values, (1..=255).collect::<Vec<u8>>());
        } else {
            assert_eq!(told.len(), says.len(), "{name}: {told:?}");
        }
    }
    assert_eq!(documents[0].as_array().unwrap().len(), 6);
}
