//! `scopegate migrate --compare`: access logs in which the old filters' outcome and Scopegate's record are in one line.

use crate::world::{Run, folder, run};
use serde_json::{Value, json};
use std::fs::write;
use std::path::Path;

/// A line of an access log: the outcome by Envoy's details, and the record of a gate that reports only.
fn line(route: &str, details: &str, record: &Value) -> String {
    let status = if details == "via_upstream" { 200 } else { 401 };
    format!(
        "{}\n",
        json!({ "route": route, "method": "GET", "status": status, "details": details, "scopegate": record })
    )
}

fn allowed() -> Value {
    json!({ "decision": "allow", "requirement": "route metadata", "issuer": "idp", "subject": "alice", "client_id": "web" })
}

fn refused(reason: &str) -> Value {
    json!({ "decision": "would_deny", "reason": reason, "status": 401, "requirement": "route metadata" })
}

fn compare(log: &str, more: &[&str]) -> Run {
    let folder = folder();
    write(folder.join("access.log"), log).unwrap();
    run(&[&["migrate", "--compare", "access.log"], more].concat(), &folder)
}

fn figures(log: &str) -> (Value, i32) {
    let told = compare(log, &["--format", "json"]);
    (serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{told:?}")), told.status)
}

const MISSING: &str = "jwt_authn_access_denied{Jwt_is_missing}";
const NO_POLICY: &str = "rbac_access_denied_matched_policy[none]";

#[test]
fn where_both_agree_or_scopegate_is_stricter_the_exit_status_is_0() {
    let wrong_type = json!({ "decision": "would_deny", "reason": "wrong_type", "status": 401, "requirement": "rules[0]",
        "unverified_issuer": "idp", "member": "typ", "unverified_received": "JWT", "wanted": "at+jwt",
        "unverified_further_reasons": ["insufficient_scope"] });
    let log = [
        line("orders", "via_upstream", &allowed()),
        line("orders", "via_upstream", &allowed()),
        line("orders", MISSING, &refused("no_credential")),
        line("orders", NO_POLICY, &refused("insufficient_scope")),
        line("reports", "via_upstream", &wrong_type),
        line("reports", "upstream_reset_before_response_started{connection_termination}", &wrong_type),
    ];
    let (told, status) = figures(&log.concat());
    assert_eq!(status, 0, "{told}");
    let wanted = json!({ "compared": 6, "both_allow": 2, "both_refuse": 2, "newly_allowed": 0, "newly_refused": 2,
        "decided_by_scopegate": 0, "decided_by_neither": { "counts": {}, "others": 0 }, "without_details": 0 });
    assert_eq!(told["requests"], wanted, "{told}");
    let group = &told["newly_refused"]["groups"][0];
    let [route, requirement, reason] = ["route", "requirement", "reason"].map(|name| group[name].as_str().unwrap());
    assert_eq!([route, requirement, reason], ["reports", "rules[0]", "wrong_type"], "{told}");
    assert_eq!(group["clients"]["counts"], json!({ "@idp?": 2 }), "{told}");
    assert_eq!(group["causes"]["counts"], json!({ "typ is JWT; wanted: at+jwt": 2 }), "{told}");
    assert_eq!(group["further_reasons"]["counts"], json!({ "insufficient_scope": 2 }), "{told}");

    let shown = compare(&log.concat(), &[]);
    assert_eq!(shown.status, 0, "{shown:?}");
    for part in
        ["6 requests compared", "2  both allow", "2  both refuse", "0  the old filters refuse, Scopegate would allow"]
    {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    let row = shown.stdout.lines().find(|line| line.contains("wrong_type")).unwrap();
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>().join(" "),
        "2 reports rules[0] wrong_type @idp? 2; typ is JWT; wanted: at+jwt 2; also insufficient_scope 2"
    );
}

#[test]
fn what_the_old_filters_refuse_and_scopegate_would_allow_is_told_and_the_exit_status_is_1() {
    for details in [
        MISSING,
        NO_POLICY,
        "rbac_access_denied_matched_policy[deny-internal]",
        "invalid_credential_for_basic_auth",
        "unknown_api_key",
        "client_not_allowed",
    ] {
        let log = line("orders", "via_upstream", &allowed()) + &line("admin", details, &allowed());
        let (told, status) = figures(&log);
        assert_eq!(status, 1, "{told}");
        assert_eq!(told["requests"]["newly_allowed"], 1, "{told}");
        let group = &told["newly_allowed"]["groups"][0];
        assert_eq!((&group["route"], &group["details"]), (&json!("admin"), &json!(details)), "{told}");
        assert_eq!(group["clients"]["counts"], json!({ "web": 1 }), "{told}");
        let shown = compare(&log, &[]);
        assert_eq!(shown.status, 1, "{shown:?}");
        assert!(shown.stdout.contains("Do not enforce these routes") && shown.stdout.contains(details), "{shown:?}");
    }
}

#[test]
fn what_one_of_them_has_not_decided_is_counted_apart() {
    let enforced = json!({ "decision": "deny", "reason": "expired", "status": 401, "requirement": "rules[0]" });
    let reuse = json!({ "event": "token_reuse", "fingerprint": "FvdA9cRn0Ls45XKidPuQiq", "clients": 5, "window": 600 });
    let without = json!({ "route": "orders", "status": 200, "scopegate": allowed() });
    let log = [
        line("orders", "via_upstream", &allowed()),
        line("orders", "scopegate_expired", &enforced),
        line("-", "route_not_found", &refused("denied")),
        line("orders", "local_rate_limited", &allowed()),
        line("orders", "local_rate_limited", &allowed()),
        line("orders", "via_upstream", &reuse),
        format!("{without}\n"),
        "[info] scopegate: decision=would_deny reason=expired route=\"orders\" request_id=\"a\" (1 s ago)\n".to_owned(),
        "another line\n".to_owned(),
    ];
    let (told, status) = figures(&log.concat());
    assert_eq!(status, 0, "{told}");
    let neither = json!({ "counts": { "local_rate_limited": 2, "route_not_found": 1 }, "others": 0 });
    let wanted = json!({ "compared": 1, "both_allow": 1, "both_refuse": 0, "newly_allowed": 0, "newly_refused": 0,
        "decided_by_scopegate": 1, "decided_by_neither": neither, "without_details": 1 });
    assert_eq!(told["requests"], wanted, "{told}");
    let shown = compare(&log.concat(), &[]).stdout;
    assert!(shown.contains("3  not compared: neither decided (local_rate_limited 2, route_not_found 1)"), "{shown}");
}

#[test]
fn a_record_in_both_logs_is_compared_by_the_one_that_has_the_outcome() {
    let mut record = allowed();
    record["request_id"] = "id-1".into();
    let own = "[info] scopegate: decision=allow issuer=idp requirement=\"route metadata\" request_id=\"id-1\"\n";
    let (told, status) = figures(&(own.to_owned() + &line("orders", MISSING, &record)));
    assert_eq!((status, &told["requests"]["newly_allowed"]), (1, &json!(1)), "{told}");
}

#[test]
fn the_record_may_be_text_and_the_details_have_their_long_name() {
    let record = allowed().to_string();
    let text = json!({ "route_name": "orders", "response_code_details": MISSING, "scopegate": record });
    let (told, status) = figures(&format!("{text}\n"));
    assert_eq!((status, &told["newly_allowed"]["groups"][0]["route"]), (1, &json!("orders")), "{told}");
    let elsewhere = json!({ "path": "/", "details": MISSING, "gate": allowed() });
    let named = compare(&format!("{elsewhere}\n"), &["--record", "gate"]);
    assert_eq!(named.status, 1, "{named:?}");
}

#[test]
fn a_log_in_which_nothing_can_be_compared_says_what_is_missing() {
    let bare = json!({ "route": "orders", "status": 200, "scopegate": allowed() });
    let enforced = json!({ "decision": "deny", "reason": "expired", "requirement": "default" });
    for (log, part) in [
        (format!("{bare}\n"), "details: \"%RESPONSE_CODE_DETAILS%\""),
        (line("orders", "scopegate_expired", &enforced), "report_only: true"),
        (line("orders", "route_not_found", &allowed()), "no request of the 1 lines was decided by the old filters"),
        ("no record\n".to_owned(), "none of the 1 lines has a record"),
    ] {
        let told = compare(&log, &[]);
        assert_eq!((told.status, told.stdout.as_str()), (2, ""), "{told:?}");
        assert!(told.stderr.contains(part), "{part}: {told:?}");
    }
    let missing = run(&["migrate", "--compare", "nowhere.log"], Path::new("."));
    assert_eq!(missing.status, 2, "{missing:?}");
    assert!(missing.stderr.contains("cannot read nowhere.log"), "{missing:?}");
}

#[test]
fn times_are_shown_as_dates_to_people_alone() {
    let mut record = refused("expired");
    record["member"] = "exp".into();
    record["unverified_received"] = "1796044717".into();
    record["wanted"] = "a time after 1796044737".into();
    let log = line("orders", "via_upstream", &record);
    let shown = compare(&log, &[]).stdout;
    assert!(shown.contains("exp is 2026-11-30T13:18:37Z; wanted: a time after 2026-11-30T13:18:57Z 1"), "{shown}");
    let (told, _) = figures(&log);
    let causes = &told["newly_refused"]["groups"][0]["causes"]["counts"];
    assert_eq!(*causes, json!({ "exp is 1796044717; wanted: a time after 1796044737": 1 }));
    // A number in another claim is none.
    record["member"] = "tenant".into();
    let shown = compare(&line("orders", "via_upstream", &record), &[]).stdout;
    assert!(shown.contains("tenant is 1796044717; wanted"), "{shown}");
}

#[test]
fn a_log_that_is_compressed_is_told_from_one_without_records() {
    let folder = folder();
    write(folder.join("access.log.gz"), [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).unwrap();
    let told = run(&["migrate", "--compare", "access.log.gz"], &folder);
    assert_eq!((told.status, told.stdout.as_str()), (2, ""), "{told:?}");
    let advice = "access.log.gz is compressed: `zcat access.log.gz | scopegate migrate --compare -`";
    assert!(told.stderr.contains(advice), "{told:?}");
}

#[test]
fn beside_logs_no_configuration_is_named() {
    let told = run(&["migrate", "old.yaml", "--compare", "access.log"], &folder());
    assert_eq!(told.status, 2, "{told:?}");
    assert!(told.stderr.contains("`--compare` takes logs alone"), "{told:?}");
}

#[test]
fn text_from_a_log_steers_no_terminal() {
    let log = line("\u{1b}[2Jorders", MISSING, &allowed());
    let shown = compare(&log, &[]).stdout;
    assert!(!shown.contains('\u{1b}') && shown.contains("[2Jorders"), "{shown:?}");
}
