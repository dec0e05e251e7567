//! What the documents show of the command: log lines as `explain` prints them, and what `check` finds.

use crate::support::issuer::Issuer;
use crate::world::{folder, run, shipped};
use scopegate::crypto::Algorithm;
use serde_json::Value;

const AT: &str = "2026-11-21T10:00:00Z";
const NOW: i64 = 1_795_255_200;

/// A line with the fingerprint left out, which is another one for each token.
fn without_fingerprint(line: &str) -> String {
    let (before, rest) = line.split_once("fingerprint=").expect("a fingerprint");
    format!("{before}fingerprint={}", rest.split_once(' ').map_or("", |(_, after)| after))
}

#[test]
fn the_log_lines_of_the_page_for_people_on_call_are_those_that_are_written() {
    let page = include_str!("../../envoy/ON-CALL.md");
    let lines = page.lines().filter_map(|line| line.trim().strip_prefix("scopegate: decision="));
    let shown: Vec<String> = lines.map(|line| without_fingerprint(&format!("decision={line}"))).collect();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let good = issuer.token(NOW);
    let expired = issuer.token(NOW).claim("iat", NOW - 3601).claim("exp", NOW - 3301);
    let folder = folder();
    std::fs::write(folder.join("envoy.yaml"), shipped()).unwrap();
    std::fs::write(folder.join("jwks.json"), issuer.jwks().to_string()).unwrap();
    let mut written = Vec::new();
    for token in [good, expired] {
        std::fs::write(folder.join("token.txt"), token.sign()).unwrap();
        let request =
            ["explain", "envoy.yaml", "--request", "POST /orders/1", "--route", "orders", "--token", "@token.txt"];
        let explained = run(&[&request[..], &["--keys", "jwks.json", "--at", AT, "--json"]].concat(), &folder);
        let told: Value = serde_json::from_str(&explained.stdout).unwrap_or_else(|_| panic!("{explained:?}"));
        written.push(without_fingerprint(told["audit"].as_str().unwrap()));
    }
    assert_eq!(written.len(), 2);
    for line in &written {
        assert!(shown.contains(line), "envoy/ON-CALL.md is to show: scopegate: {line}\nit shows {shown:#?}");
    }
    for line in &shown {
        assert!(written.contains(line), "no such line is written: scopegate: {line}\nbut {written:#?}");
    }
}

/// What comes after the file, the line and the column, which move with every edit of the shipped file.
fn without_place(line: &str) -> &str {
    line.strip_prefix("envoy.yaml:").and_then(|rest| rest.splitn(3, ':').nth(2)).unwrap_or(line)
}

#[test]
fn what_check_says_before_you_deploy_is_what_it_says_of_two_mistakes_in_the_shipped_file() {
    let page = include_str!("../../envoy/README.md");
    let (_, block) = page.split_once("\n$ cargo run --quiet -- check envoy.yaml\n").unwrap();
    let shown: Vec<&str> = block.lines().take_while(|line| *line != "```").map(without_place).collect();
    let mistaken =
        shipped().replace("FAIL_RELOAD ", "FAIL_OPEN ").replace("{scopes: [orders:write],", "{scope: [orders:write],");
    let folder = folder();
    std::fs::write(folder.join("envoy.yaml"), mistaken).unwrap();
    let checked = run(&["check", "envoy.yaml"], &folder);
    let written: Vec<&str> = checked.stdout.lines().map(without_place).collect();
    assert_eq!((checked.status, written.len()), (1, shown.len()), "{checked:?}");
    for (shown, written) in shown.iter().zip(written) {
        let (begins, ends) = shown.split_once('…').unwrap_or((shown, ""));
        assert!(written.starts_with(begins) && written.ends_with(ends), "shown: {shown}\nwritten: {written}");
    }
}
