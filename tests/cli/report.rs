//! `scopegate report`: what logs say together, as figures, as a page, and about one token.

use crate::support::node;
use crate::world::{Run, folder, run};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::{read_to_string, write};
use std::path::{Path, PathBuf};
use std::process::Command;

const POLICY: &str = "
issuers:
- {issuer: 'https://idp/', name: idp, audiences: [api], max_lifetime: 10m, implies: {all: [orders:read]}, jwks: {uri: 'https://idp/k', cluster: idp}}
- {issuer: 'https://old/', name: old, audiences: [api], jwks: {uri: 'https://old/k', cluster: idp}}
rules:
- match: {path_separated_prefix: /orders}
  scopes: [orders:read]
  methods: {DELETE: {scopes: [orders:delete]}}
- match: {path: /reports}
  allow_missing: true
- match: {path: /unused}
  public: true
- match: {path: /closed}
  deny: true
";

/// A line of an access log: the second of the record, and its members beyond the usual ones.
fn line(second: u32, members: Value) -> String {
    let mut record = json!({ "time": format!("2026-11-22T10:00:{second:02}.500Z"), "decision": "allow", "route": "orders",
        "requirement": "rules[0]", "method": "GET", "credential": "bearer", "issuer": "idp", "subject": "alice", "client_id": "web",
        "scopes": ["orders:read", "orders:delete"], "scopes_needed": ["orders:read"], "fingerprint": "FvdA9cRn0Ls45XKidPuQiq",
        "expires_in": 200, "token_age": 100, "client_network": "192.0.2.0/24" });
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            record.as_object_mut().unwrap().remove(name);
        } else {
            record[name] = value.clone();
        }
    }
    format!("{}\n", json!({ "path": "/", "scopegate": record }))
}

/// Twelve allowed requests of `web`, and some of all other kinds.
fn log() -> String {
    let mut log: String = (0..12).map(|second| line(second, json!({}))).collect();
    let denied =
        |reason: &str| json!({ "decision": "deny", "reason": reason, "client_id": "mobile", "subject": "bob" });
    log += &line(20, denied("insufficient_scope"));
    log += &line(21, denied("insufficient_scope"));
    log += &line(22, denied("expired"));
    log += "[2026-11-22 10:00:23.000][9][info][wasm] wasm log x: scopegate: decision=deny reason=no_credential route=\"orders\"\n";
    log += "[2026-11-22 10:00:23.000][9][info][main] another line\n{\"decision\":\n";
    // A long token, by way of a scope that includes the needed one.
    let old = json!({ "fingerprint": "BrWc-GLf3VVEB3xXXa7ip8", "client_id": "cron", "scopes": ["all", "extra"], "expires_in": "7000" });
    log += &line(30, old);
    for _ in 0..3 {
        let members = json!({ "decision": "would_deny", "reason": "wrong_audience", "further_reasons": ["expired"],
            "requirement": "rules[1]", "route": "reports" });
        log += &line(40, members);
    }
    let elsewhere = json!({ "client_network": "198.51.100.0/24", "event": "token_reuse", "clients": 4, "window": 600 });
    log += &line(41, elsewhere);
    log += &format!(
        "{}\n",
        json!({ "event": "token_reuse", "time": "2026-11-22T10:00:42Z", "fingerprint": "DGDlztqioAvUw2Al_82Zl5",
            "issuer": "idp", "subject": "eve", "clients": 5, "window": 600, "action": "report" })
    );
    log
}

fn in_folder(log: &str) -> PathBuf {
    let folder = folder();
    write(folder.join("access.log"), log).unwrap();
    write(folder.join("policy.yaml"), POLICY).unwrap();
    folder
}

fn report(folder: &Path, more: &[&str]) -> Run {
    run(&[&["report", "access.log"], more].concat(), folder)
}

fn figures(folder: &Path, more: &[&str]) -> Value {
    let told = report(folder, &[&["--json"], more].concat());
    assert_eq!((told.status, &*told.stderr), (0, ""));
    serde_json::from_str(&told.stdout).unwrap()
}

#[test]
fn the_figures_count_decisions_reasons_routes_and_callers() {
    let folder = in_folder(&log());
    let told = figures(&folder, &[]);
    let wanted = json!({ "files": ["access.log"], "lines": 24, "records": 22, "seen_again": 0, "other_lines": 1, "unreadable_lines": 1, "ambiguous_lines": 0,
        "records_without_time": 0, "from": "2026-11-22T10:00:00Z", "to": "2026-11-22T10:00:41Z" });
    assert_eq!(told["log"], wanted);
    let denied = json!({ "insufficient_scope": 2, "expired": 1, "no_credential": 1 });
    let wanted =
        json!({ "requests": 21, "allowed": 14, "served": 0, "denied": denied, "would_deny": { "wrong_audience": 3 } });
    assert_eq!(told["decisions"], wanted);
    assert_eq!(told["token_reuse_events"], 2, "one with a decision, and one alone");
    let names = |table: &str| -> Vec<(String, u64)> {
        let rows = told[table]["rows"].as_array().unwrap().iter();
        rows.map(|row| (row["name"].as_str().unwrap().to_owned(), row["decisions"]["requests"].as_u64().unwrap()))
            .collect()
    };
    let of = |rows: &[(&str, u64)]| rows.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect::<Vec<_>>();
    assert_eq!(names("routes"), of(&[("orders", 18), ("reports", 3)]));
    assert_eq!(names("clients"), of(&[("web", 16), ("mobile", 3), ("cron", 1)]));
    assert_eq!(names("issuers"), of(&[("idp", 20)]));
    assert_eq!(names("subjects"), of(&[("alice", 17), ("bob", 3)]));
    assert_eq!(told["over_time"]["seconds"], 1);
    let spans = told["over_time"]["spans"].as_array().unwrap();
    assert_eq!(spans.len(), 42, "from the first to the last, those without a request too");
    assert_eq!(
        spans[20],
        json!({ "from": "2026-11-22T10:00:20Z", "allowed": 0, "denied": { "insufficient_scope": 1 }, "would_deny": {} })
    );
}

#[test]
fn reused_and_long_lived_tokens_are_found() {
    let folder = in_folder(&log());
    let told = figures(&folder, &["--policy", "policy.yaml"]);
    let reused = told["reused_tokens"].as_array().unwrap();
    let shown = |token: &Value| (token["fingerprint"].as_str().unwrap().to_owned(), token["clients"].as_u64().unwrap());
    let wanted = [("DGDlztqioAvUw2Al_82Zl5".to_owned(), 5), ("FvdA9cRn0Ls45XKidPuQiq".to_owned(), 4)];
    assert_eq!(reused.iter().map(shown).collect::<Vec<_>>(), wanted);
    assert_eq!(reused[0]["subject"], "eve");
    assert_eq!(reused[1]["networks"]["counts"], json!({ "192.0.2.0/24": 18, "198.51.100.0/24": 1 }));
    let long = |more: &[&str]| figures(&folder, more)["long_lived"].clone();
    let told = long(&["--policy", "policy.yaml"]);
    assert_eq!(told["tokens"][0]["fingerprint"], "BrWc-GLf3VVEB3xXXa7ip8");
    assert_eq!(told["tokens"].as_array().unwrap().len(), 1);
    assert_eq!(told["tokens"][0]["lifetime_seconds"], 7100);
    let of_idp = json!({ "issuer": "idp", "requests": 20, "over": 1, "longest_seconds": 7100, "limit_seconds": 600 });
    assert_eq!(told["issuers"], json!([of_idp]));
    assert_eq!(told["refused"], json!({ "expired": 1 }));
    assert_eq!(long(&[])["issuers"][0]["limit_seconds"], 3600, "an hour, where no policy is given");
    assert_eq!(long(&["--max-lifetime", "299s"])["issuers"][0]["over"], 20);
    assert_eq!(long(&["--max-lifetime", "2h"])["tokens"], json!([]));
}

#[test]
fn least_privilege_says_what_was_granted_for_nothing_what_is_not_called_and_what_could_ask_for_more() {
    let folder = in_folder(&log());
    let told = figures(&folder, &["--policy", "policy.yaml"])["least_privilege"].clone();
    let unused = json!([
        { "client": "web", "issuer": "idp", "requests": 13, "unused": { "orders:delete": 13 }, "used": ["orders:read"] },
        { "client": "cron", "issuer": "idp", "requests": 1, "unused": { "extra": 1 }, "used": ["all"] },
    ]);
    assert_eq!(told["unused_scopes"], unused, "a scope that includes the needed one is used");
    let uncalled: Vec<String> = told["uncalled"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", row["place"].as_str().unwrap(), row["methods"].as_str().unwrap()))
        .collect();
    assert_eq!(uncalled, ["rules[0] DELETE", "rules[2] any", "default any"], "a denied rule needs no call");
    let weaker = &told["weaker"];
    assert_eq!((weaker.as_array().unwrap().len(), &weaker[0]["allowed"]), (1, &json!(14)), "{weaker}");
    assert_eq!(weaker[0]["could_ask_for"], json!(["max_lifetime: no token lives longer than 1 hour 58 minutes"]));
    // Without the long token all callers have a scope more.
    let told = figures(&folder, &["--policy", "policy.yaml", "--where", "client_id=web"])["least_privilege"].clone();
    let could = &told["weaker"][0]["could_ask_for"];
    assert_eq!(could[0], "scopes: all callers have orders:delete", "{told}");
    // Records without the needed scopes say of no scope that it was for nothing.
    let folder_of_standard = in_folder(&line(1, json!({ "scopes_needed": null })).repeat(12));
    let standard = figures(&folder_of_standard, &["--policy", "policy.yaml"])["least_privilege"].clone();
    assert_eq!(standard["unused_scopes"], json!([]));
    assert_eq!(
        standard["weaker"],
        json!([{ "place": "rules[0], any other", "needs": "orders:read", "allowed": 12,
        "could_ask_for": ["max_lifetime: no token lives longer than 5 minutes"] }])
    );
    // What only a policy tells is not guessed.
    let told = figures(&folder, &["--where", "client_id=web"])["least_privilege"].clone();
    assert_eq!(told["uncalled"], Value::Null);
    assert_eq!(told["weaker"][0]["could_ask_for"], json!(["scopes: all callers have orders:delete"]));
}

#[test]
fn a_requirement_could_be_lifted_of_what_no_caller_needs() {
    let call = |members: Value| {
        let mut members = members;
        let requirement = members.as_object_mut().unwrap().entry("requirement");
        requirement.or_insert_with(|| "rules[1]".into());
        members["scopes"] = json!([]);
        members["scopes_needed"] = json!([]);
        line(1, members)
    };
    let could = |log: String| {
        let told = figures(&in_folder(&log), &["--policy", "policy.yaml"]);
        let rows = told["least_privilege"]["weaker"].as_array().unwrap().clone();
        rows.first().map_or_else(Vec::new, |row| row["could_ask_for"].as_array().unwrap().clone())
    };
    let old = call(json!({ "issuer": "old", "requirement": "default", "expires_in": null }));
    let bound = |count: usize| call(json!({ "credential": "dpop", "expires_in": null })).repeat(count) + &old;
    let all = [
        "allow_missing: no request came without a credential",
        "issuers: all tokens are of idp",
        "sender_constraint: all callers show a DPoP proof",
    ];
    assert_eq!(could(bound(10)), all);
    assert!(could(bound(9)).is_empty(), "nine requests say nothing");
    let anonymous = call(json!({ "credential": null, "issuer": null, "expires_in": null }));
    assert_eq!(could(bound(10) + &anonymous), all[1..]);
    assert_eq!(could(bound(10) + &call(json!({ "issuer": "old", "expires_in": null }))), [all[0]]);
}

#[test]
fn what_report_only_would_have_refused_is_told_by_reason_requirement_and_route() {
    let folder = in_folder(&log());
    let few = |counts: Value| json!({ "counts": counts, "others": 0 });
    let wanted = json!([{ "reason": "wrong_audience", "requirement": "rules[1]", "route": "reports", "requests": 3,
        "callers": few(json!({ "web": 3 })), "further_reasons": few(json!({ "expired": 3 })) }]);
    assert_eq!(figures(&folder, &[])["would_deny"], wanted);
}

#[test]
fn a_span_of_time_and_conditions_choose_records() {
    let folder = in_folder(&log());
    let requests = |more: &[&str]| figures(&folder, more)["decisions"]["requests"].as_u64().unwrap();
    assert_eq!(requests(&["--since", "2026-11-22T10:00:20Z", "--until", "2026-11-22T10:00:23Z"]), 3);
    assert_eq!(requests(&["--where", "reason=expired", "--where", "reason=no_credential"]), 2);
    let told = report(&folder, &["--since", "yesterday"]);
    assert_eq!(told.status, 2, "{told:?}");
    assert!(told.stderr.contains("--since yesterday"), "{told:?}");
}

#[test]
fn one_token_is_told_with_everything_that_it_did() {
    let folder = in_folder(&log());
    let told = report(&folder, &["--fingerprint", "FvdA9cRn0Ls45XKidPuQiq"]);
    assert_eq!(told.status, 0, "{told:?}");
    for wanted in [
        "token      FvdA9cRn0Ls45XKidPuQiq",
        "subject    alice, bob",
        "seen       2026-11-22T10:00:00Z to 2026-11-22T10:00:41Z",
        "requests   19, of which 13 allowed",
        "refused    insufficient_scope 2, expired 1",
        "would be   wrong_audience 3",
        "networks   192.0.2.0/24 18, 198.51.100.0/24 1",
        "2026-11-22 10:00:22  deny      expired",
    ] {
        assert!(told.stdout.contains(wanted), "{wanted}\n{}", told.stdout);
    }
    assert_eq!(told.stdout.lines().filter(|line| line.starts_with("2026-11-22")).count(), 19);
    let told = figures(&folder, &["--fingerprint", "DGDlztqioAvUw2Al_82Zl5"]);
    assert_eq!(
        (&told["clients"], &told["token_reuse_events"], &told["token"]["subject"][0]["value"]),
        (&json!(5), &json!(1), &json!("eve"))
    );
    assert_eq!(told["records"].as_array().unwrap().len(), 1);
    let none = report(&folder, &["--fingerprint", "AAAAAAAAAAAAAAAAAAAAAA"]);
    assert!(none.status == 2 && none.stderr.contains("no record of 22 has the fingerprint"), "{none:?}");
}

/// Text that a page must show as text, in every member.
fn hostile() -> String {
    let text = "</td></table><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">'\"&amp;\u{202e}";
    let names =
        ["route", "subject", "client_id", "issuer", "reason", "requirement", "fingerprint", "client_network", "method"];
    let with = |decision: &str| {
        let mut members =
            json!({ "decision": decision, "scopes": [text], "scopes_needed": [text, "x"], "further_reasons": [text] });
        names.iter().for_each(|name| members[*name] = format!("{text}{name}").into());
        line(1, members)
    };
    let mut log = with("allow").repeat(12) + &with("deny") + &with("would_deny");
    let mut more = json!({ "scopes": [format!("{text}unused"), text], "client_network": "other", "expires_in": 90000 });
    names.iter().take(7).for_each(|name| more[*name] = format!("{text}{name}").into());
    log += &line(2, more);
    writeln!(
        log,
        "{}",
        json!({ "event": "token_reuse", "fingerprint": text, "subject": text, "clients": 3, "action": text })
    )
    .unwrap();
    log
}

#[test]
fn text_of_a_log_cannot_become_markup() {
    let folder = in_folder(&hostile());
    for more in [&[][..], &["--policy", "policy.yaml"]] {
        let page = report(&folder, more).stdout;
        assert!(page.matches("pwned").count() > 10, "the text is shown");
        for tag in ["<script", "<img", "onerror=\"", "</td></table><", "\u{202e}"] {
            assert!(!page.contains(tag), "{tag}");
        }
        // Outside of the style sheet, each `<` begins an element of ours, and none has an attribute with foreign text.
        let (_, body) = page.split_once("<body>").unwrap();
        for element in body.split('<').skip(1) {
            let (tag, _) = element.split_once('>').expect("a tag that ends");
            assert!(!tag.contains("pwned") || tag.starts_with("svg"), "{tag}");
        }
    }
}

#[test]
fn the_page_needs_nothing_else() {
    let folder = in_folder(&log());
    let told = report(&folder, &["--policy", "policy.yaml", "--output", "report.html"]);
    assert_eq!((told.status, &*told.stdout), (0, "report.html\n"), "{told:?}");
    let page = read_to_string(folder.join("report.html")).unwrap();
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">") && page.ends_with("</html>\n"));
    for word in ["http://", "https://", "<script", "src=", "@import", "url("] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
    for text in
        ["Refusals over time", "Tokens seen from several clients", "Tokens that outlive the policy", "Least privilege"]
    {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn a_log_without_records_is_no_report() {
    let folder = in_folder("a\nb\n");
    let told = report(&folder, &[]);
    assert!(told.status == 2 && told.stderr.contains("none of the 2 lines has a record"), "{told:?}");
    write(folder.join("access.log"), "").unwrap();
    assert_eq!(figures(&folder, &[])["decisions"]["requests"], 0);
    assert_eq!(report(&folder, &[]).status, 0, "an empty log is a page");
}

#[test]
#[ignore = "needs Chromium: make evidence-services"]
fn a_browser_shows_the_page_in_both_schemes_and_runs_nothing_of_a_log() {
    for (name, log) in [("usual", log().repeat(3)), ("hostile", hostile()), ("empty", String::new())] {
        let folder = in_folder(&log);
        assert_eq!(report(&folder, &["--policy", "policy.yaml", "--output", "report.html"]).status, 0);
        let output = Command::new(node::binary())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/report_page.mjs"))
            .arg(folder.join("report.html"))
            .env("CHROMIUM", "chromium-headless-shell")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let told: Value =
            serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
        assert!(told["title"].as_str().unwrap().starts_with("Decisions of Scopegate"), "{name}: {told}");
        assert_eq!(
            (&told["scripts"], &told["images"], &told["fetched"]),
            (&json!(0), &json!(0), &json!(0)),
            "{name}: {told}"
        );
        for (scheme, is_dark) in [("light", false), ("dark", true), ("paper", false)] {
            let seen = &told[scheme];
            assert_eq!(seen["dark"], is_dark, "{name}, {scheme}: {told}");
            assert!(seen["contrast"].as_f64().unwrap() >= 4.5, "{name}, {scheme}: {seen}");
        }
        for width in ["wide", "narrow"] {
            assert_eq!(told[width], 0, "{name}, {width}: nothing is wider than the window: {told}");
        }
    }
}
