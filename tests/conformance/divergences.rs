//! Where we see a vector otherwise than it is published, and why.

use crate::support::envoy::root;
use crate::support::yaml;
use std::collections::{BTreeMap, BTreeSet};

/// Where vectors are run.
const PLACES: [&str; 3] = ["native", "host", "vm"];

/// What is known of a suite in a place: the cases, and what they give.
pub struct Divergences(Vec<Known>);

struct Known {
    suites: Vec<String>,
    places: Vec<String>,
    cases: BTreeSet<u64>,
    verdict: char,
}

impl Divergences {
    /// Reads `divergences.yaml`.
    pub fn read() -> Self {
        let documents = yaml::documents(&root().join("tests/conformance/divergences.yaml"));
        let texts = |value: &serde_json::Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let known = documents[0].as_array().unwrap().iter().map(|entry| {
            let reason = entry["reason"].as_str().unwrap_or_default();
            assert!(reason.len() > 20, "a divergence without a reason: {entry}");
            let verdict = match entry["is"].as_str().unwrap() {
                "accepted" => 'v',
                "refused" => 'n',
                "refused for its key" => 'k',
                "refused for its form" => 't',
                other => panic!("{other}"),
            };
            Known {
                suites: texts(&entry["suites"]),
                places: texts(&entry["places"]),
                cases: read_ranges(entry["cases"].as_str().unwrap()),
                verdict,
            }
        });
        Self(known.collect())
    }

    /// A line for each suite or place in the list that does not exist.
    pub fn strangers(&self, suites: &[&str]) -> Vec<String> {
        let of = |known: &Known| {
            let suites = known.suites.iter().filter(|name| !suites.contains(&name.as_str())).cloned();
            suites
                .chain(known.places.iter().filter(|name| !PLACES.contains(&name.as_str())).cloned())
                .collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of).map(|name| format!("divergences.yaml: there is no `{name}`")).collect()
    }

    /// A line for each difference between what is known of a suite and what was seen.
    pub fn differences(&self, place: &str, suite: &str, seen: &[(u64, char)]) -> Vec<String> {
        let mut wanted = BTreeMap::new();
        let names = |list: &[String], name: &str| list.iter().any(|other| other == name);
        for known in self.0.iter().filter(|known| names(&known.places, place) && names(&known.suites, suite)) {
            wanted.extend(known.cases.iter().map(|case| (*case, known.verdict)));
        }
        let seen: BTreeMap<u64, char> = seen.iter().copied().collect();
        let beside = |these: &BTreeMap<u64, char>, those: &BTreeMap<u64, char>| {
            let mut by_verdict: BTreeMap<char, Vec<u64>> = BTreeMap::new();
            for (case, verdict) in these.iter().filter(|(case, verdict)| those.get(case) != Some(verdict)) {
                by_verdict.entry(*verdict).or_default().push(*case);
            }
            by_verdict
        };
        let line = |what: &str, found: BTreeMap<char, Vec<u64>>| -> Vec<String> {
            let say = |(verdict, cases): (char, Vec<u64>)| {
                format!("{place}: {suite}: {what} `{verdict}`: {}", write_ranges(&cases))
            };
            found.into_iter().map(say).collect()
        };
        let mut lines = line("a divergence that stands in no line of divergences.yaml,", beside(&seen, &wanted));
        lines.extend(line("a divergence that is no longer there,", beside(&wanted, &seen)));
        lines
    }
}

fn read_ranges(text: &str) -> BTreeSet<u64> {
    let numbers = text.split(", ").flat_map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse::<u64>().unwrap()..=last.parse::<u64>().unwrap()
    });
    numbers.collect()
}

fn write_ranges(numbers: &[u64]) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let text = |(first, last): &(u64, u64)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    ranges.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_divergence_that_appears_or_disappears_or_is_another_one_is_told() {
    let known =
        Known { suites: vec!["a".into()], places: vec!["native".into()], cases: read_ranges("1-3, 7"), verdict: 'n' };
    let all = Divergences(vec![known]);
    let seen = |cases: &[u64], verdict| cases.iter().map(|&case| (case, verdict)).collect::<Vec<_>>();
    assert!(all.differences("native", "a", &seen(&[1, 2, 3, 7], 'n')).is_empty());
    assert_eq!(all.differences("native", "a", &seen(&[1, 2, 3], 'n')).len(), 1);
    assert_eq!(all.differences("native", "a", &seen(&[1, 2, 3, 7, 8], 'n')).len(), 1);
    assert_eq!(all.differences("native", "a", &seen(&[1, 2, 3, 7], 'k')).len(), 2);
    assert_eq!(all.differences("vm", "a", &seen(&[1], 'n')).len(), 1);
    assert_eq!(all.strangers(&["a", "b"]), Vec::<String>::new());
    assert_eq!(all.strangers(&["b"]), ["divergences.yaml: there is no `a`"]);
    assert_eq!(write_ranges(&[1, 2, 3, 7]), "1-3, 7");
}
