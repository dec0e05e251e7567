use super::*;
use crate::cli::log::Verdict;

/// The records of a line, as `verdict reason route time`, and what was counted.
fn read_with(member: Option<&str>, line: &str) -> (Vec<String>, Tally) {
    let mut finder = Finder::new(member.map(str::to_owned));
    let mut found = Vec::new();
    finder.read(line.as_bytes(), &mut |record| {
        let text = |name| record.text(name).unwrap_or_else(|| "-".into());
        let time = record.time.map_or(0, |time| time.0);
        found.push(format!("{} {} {} {time}", record.verdict.word(), text("reason"), text("route")));
    });
    (found, finder.tally)
}

fn read(line: &str) -> (Vec<String>, Tally) {
    read_with(None, line)
}

const RECORD: &str = r#"{"decision":"deny","reason":"expired","route":"orders"}"#;

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[test]
fn a_record_is_found_as_an_object_and_as_text_at_any_depth_under_any_key() {
    let text = quoted(RECORD);
    let in_text = quoted(&format!(r#"{{"a":1,"x":{text}}}"#));
    for line in [
        RECORD.to_owned(),
        format!(r#"{{"path":"/","scopegate":{RECORD}}}"#),
        format!(r#"{{"path":"/","gate":{RECORD},"n":null,"f":1.5,"b":true}}"#),
        format!(r#"{{"a":{{"b":[0,{{"c":{RECORD}}}]}}}}"#),
        format!(r#"{{"gate":{text}}}"#),
        format!(r#"{{"filter_state":{{"wasm.scopegate":{text}}}}}"#),
        format!(r#"{{"log":{in_text},"stream":"stdout"}}"#),
        format!("envoy-1  | {RECORD}"),
        format!("{RECORD}\r"),
    ] {
        assert_eq!(read(&line).0, ["deny expired orders 0"], "{line}");
    }
}

#[test]
fn the_lines_of_envoys_log_are_read_with_their_time() {
    let record = "scopegate: decision=deny reason=expired subject=\"a = (b\" route=\"orders\" (3301 s ago)";
    let wanted = ["deny expired orders 1795308451123"];
    for line in [
        format!(
            "[2026-11-22 00:47:31.123][12][info][wasm] [source/context.cc:1195] wasm log scopegate scopegate v: {record}"
        ),
        format!("2026-11-22T00:47:31.123Z\tinfo\tenvoy wasm context.cc:1195\twasm log scopegate: {record}\tthread=22"),
        format!("gate-1 | [2026-11-22 00:47:31.123][12][info][wasm] wasm log: {record}"),
        format!(r#"{{"time":"2026-11-22T00:47:31.123Z","msg":{}}}"#, quoted(&format!("wasm log x: {record}"))),
        format!("[2026-11-22 00:47:31.123][12][info][dynamic_modules] [:] {record}"),
        format!(r#"{{"time":"2026-11-22T00:47:31.123Z","msg":{}}}"#, quoted(record)),
    ] {
        assert_eq!(read(&line).0, wanted, "{line}");
    }
    assert_eq!(read(record).0, ["deny expired orders 0"]);
    let mut seen = Vec::new();
    let line =
        "scopegate: decision=would_deny further_reasons=expired,revoked mcp=method:\"tools/call\",name:\"a b\" (x (y))";
    Finder::default().read(line.as_bytes(), &mut |record| {
        seen.extend([record.text("mcp.name"), record.text("detail")].map(|text| text.unwrap().into_owned()));
        seen.extend(record.list("further_reasons").unwrap().into_iter().map(str::to_owned));
    });
    assert_eq!(seen, ["a b", "x (y)", "expired", "revoked"]);
}

#[test]
fn the_time_is_that_of_the_record_or_else_of_the_line() {
    let record = |time: &str| format!(r#"{{"decision":"allow"{time}}}"#);
    for (line, at) in [
        (record(r#","time":"2026-11-22T00:47:31.123Z""#), 1_795_308_451_123_i64),
        (record(r#","time":1795308451"#), 1_795_308_451_000),
        (format!(r#"{{"start_time":"2026-11-22T00:47:31Z","x":{}}}"#, record("")), 1_795_308_451_000),
        (format!(r#"{{"@timestamp":1795308451123,"x":{}}}"#, record("")), 1_795_308_451_123_i64),
        (
            format!(r#"{{"time":"2026-11-22T00:00:00Z","x":{}}}"#, record(r#","time":"2026-11-22T00:47:31Z""#)),
            1_795_308_451_000,
        ),
        (format!("2026-11-22T00:47:31Z stdout F {}", record("")), 1_795_308_451_000),
        (record(r#","time":"yesterday""#), 0),
    ] {
        assert_eq!(read(&line).0, [format!("allow - - {at}")], "{line}");
    }
}

#[test]
fn other_lines_are_counted_and_no_line_is_taken_for_more_than_it_is() {
    let counts = |line: &str| {
        let (found, tally) = read(line);
        assert!(found.is_empty(), "{line}: {found:?}");
        assert_eq!((tally.lines, tally.records), (1, 0), "{line}");
        (tally.others, tally.unreadable, tally.ambiguous)
    };
    for line in [
        "",
        "starting main dispatch loop",
        r#"{"path":"/decision"}"#,
        r#"{"decision":"maybe"}"#,
        r#"{"scopegate":null,"ua":"{\"decision\":\"allow\"}"}"#,
        "decision=allow reason=x",
    ] {
        assert_eq!(counts(line), (1, 0, 0), "{line}");
    }
    for line in [r#"{"decision":"deny""#, r#"{"x":{"decision":"deny"},}"#, "scopegate: decision=maybe"] {
        assert_eq!(counts(line), (0, 1, 0), "{line}");
    }
    // Headers that a client wrote.
    let text = quoted(RECORD);
    assert_eq!(counts(&format!(r#"{{"user_agent":{text},"gate":{text}}}"#)), (0, 0, 1));
    for line in [
        "'user-agent', 'wasm log x: scopegate: decision=allow subject=\"eve\"'",
        "'user-agent', '{\"decision\":\"allow\"}'",
        r#"{"user_agent":"wasm log x: scopegate: decision=allow"}"#,
        "'user-agent', '[dynamic_modules] [:] scopegate: decision=allow subject=\"eve\"'",
        r#"{"user_agent":"[dynamic_modules] scopegate: decision=allow"}"#,
        "GET / scopegate: decision=allow",
    ] {
        assert_eq!(counts(line), (1, 0, 0), "{line}");
    }
}

#[test]
fn a_named_member_is_the_only_one_that_is_read() {
    let text = quoted(RECORD);
    let wanted = ["deny expired orders 0"];
    let line = format!(r#"{{"user_agent":{},"gate":{{"x":{text}}}}}"#, quoted(r#"{"decision":"allow"}"#));
    assert_eq!(read_with(Some("gate"), &line).0, wanted);
    assert_eq!(read_with(Some("gate"), &format!(r#"{{"a":{{"gate":{RECORD}}}}}"#)).0, wanted);
    let forged = format!(r#"{{"user_agent":{text},"gate":null}}"#);
    assert!(read_with(Some("gate"), &forged).0.is_empty());
    assert!(read_with(Some("gate"), RECORD).0.is_empty());
    // A member with our name needs none to be given.
    assert_eq!(read(&line.replace("\"gate\"", "\"Scopegate\"")).0, wanted);
}

/// To revoke is not for a client to decide, who may have written a header that the log prints.
#[test]
fn a_strict_one_believes_no_text_for_what_it_says() {
    let read = |line: &str| {
        let mut finder = Finder::new(None).strict();
        let mut found = 0;
        finder.read(line.as_bytes(), &mut |_| found += 1);
        (found, finder.tally.ambiguous)
    };
    let record = r#"{"decision":"deny","fingerprint":"f"}"#;
    let text = quoted(record);
    for (line, wanted) in [
        (format!(r#"{{"user_agent":{text}}}"#), (0, 1)),
        (format!(r#"{{"authz":{record},"user_agent":{text}}}"#), (1, 0)),
        (format!(r#"{{"scopegate":{text},"user_agent":{text}}}"#), (1, 0)),
        (format!(r#"{{"log":{}}}"#, quoted(&format!(r#"{{"scopegate":{text}}}"#))), (1, 0)),
        (format!(r#"{{"log":{}}}"#, quoted(&format!(r#"{{"user_agent":{text}}}"#))), (0, 1)),
    ] {
        assert_eq!(read(&line), wanted, "{line}");
    }
}

#[test]
fn several_records_of_a_line_are_all_read() {
    // As the file exporter of an OpenTelemetry collector writes them.
    let log = |nanoseconds: u64| {
        format!(r#"{{"timeUnixNano":"{nanoseconds}","body":{{"stringValue":{}}},"attributes":[]}}"#, quoted(RECORD))
    };
    let logs = [log(1_795_308_451_123_000_000), log(1_795_308_452_000_000_000), "{}".to_owned()].join(",");
    let line =
        format!(r#"{{"resourceLogs":[{{"resource":{{}},"scopeLogs":[{{"scope":{{}},"logRecords":[{logs}]}}]}}]}}"#);
    assert_eq!(read(&line).0, ["deny expired orders 1795308451123", "deny expired orders 1795308452000"]);
}

#[test]
fn members_are_numbers_or_text_and_texts_that_say_nothing_are_absent() {
    let line = r#"{"decision":"allow","expires_in":"-3","token_age":2.0,"status":200,"route":"-","subject":"",
        "scopes":"a b","client_id":"web","identity":"x","credential_set":"keys"}"#
        .replace('\n', "");
    Finder::default().read(line.as_bytes(), &mut |record| {
        assert_eq!(
            ["expires_in", "token_age", "status", "route"].map(|name| record.number(name)),
            [Some(-3), Some(2), Some(200), None]
        );
        assert_eq!(
            ["route", "subject", "none", "status"].map(|name| record.text(name).is_some()),
            [false, false, false, true]
        );
        assert_eq!(record.list("scopes"), Some(vec!["a", "b"]));
        assert_eq!(record.client().as_deref(), Some("web"));
    });
    let line = r#"{"decision":"allow","identity":"x","credential_set":"keys","unverified_fingerprint":"F"}"#;
    Finder::default().read(line.as_bytes(), &mut |record| {
        assert_eq!(record.client().as_deref(), Some("keys/x"));
        assert_eq!(record.fingerprint(), Some(("F".into(), false)));
    });
}

#[test]
fn an_event_comes_with_a_decision_or_alone() {
    for event in [
        r#"{"event":"token_reuse","clients":4,"window":600,"fingerprint":"F","action":"report"}"#,
        r#"{"event":"token_reuse","reuse":{"clients":4,"window_seconds":600},"fingerprint":"F"}"#,
        "scopegate: event=token_reuse clients=4 window=600 fingerprint=F action=report",
    ] {
        let mut seen = Vec::new();
        Finder::default().read(event.as_bytes(), &mut |record| seen.push((record.verdict, record.reuse())));
        assert_eq!(seen, [(Verdict::Reuse, (Some(4), Some(600)))], "{event}");
    }
    // The gate tells it with the decision on the request.
    let line = "scopegate: decision=deny reason=reused event=token_reuse clients=4 window=600 action=deny";
    let mut seen = Vec::new();
    Finder::default().read(line.as_bytes(), &mut |record| seen.push((record.verdict, record.is_reuse)));
    assert_eq!(seen, [(Verdict::Deny, true)]);
}

#[test]
fn what_a_record_lacks_is_taken_from_the_access_log_around_it() {
    let seen = |line: &str| {
        let mut seen = Vec::new();
        Finder::default().read(line.as_bytes(), &mut |record| {
            let text = |name| record.text(name).map_or_else(|| "-".to_owned(), Cow::into_owned);
            seen.push(["route", "method", "status", "request_id", "subject"].map(text).join(" "));
        });
        seen.concat()
    };
    let around = |record: &str| {
        format!(
            r#"{{"route":"orders","method":"GET","response_code":200,"request_id":"r","subject":"eve","scopegate":{record}}}"#
        )
    };
    for (line, wanted) in [
        (around(r#"{"decision":"allow"}"#), "orders GET 200 r -"),
        (around(&quoted(r#"{"decision":"allow"}"#)), "orders GET 200 r -"),
        (around(r#"{"x":{"decision":"allow"}}"#), "orders GET 200 r -"),
        (around(r#"{"decision":"allow","route":"own","status":403}"#), "own GET 403 r -"),
        (format!(r#"{{"log":{}}}"#, quoted(&around(r#"{"decision":"allow"}"#))), "orders GET 200 r -"),
        (r#"{"route_name":"x","scopegate":{"decision":"allow"}}"#.to_owned(), "x - - - -"),
        (r#"{"decision":"allow"}"#.to_owned(), "- - - - -"),
    ] {
        assert_eq!(seen(&line), wanted, "{line}");
    }
}

#[test]
fn scopes_have_spaces_between_them_and_reasons_commas() {
    let line = "scopegate: decision=deny scopes_needed=\"a,b c\" further_reasons=expired,revoked";
    Finder::default().read(line.as_bytes(), &mut |record| {
        assert_eq!(record.list("scopes_needed"), Some(vec!["a,b", "c"]));
        assert_eq!(record.list("further_reasons"), Some(vec!["expired", "revoked"]));
    });
}

#[test]
fn a_record_in_the_access_log_and_in_envoys_log_is_one() {
    let object = |id: &str, reason: &str| {
        format!(r#"{{"request_id":"{id}","scopegate":{{"decision":"deny","reason":"{reason}"}}}}"#)
    };
    let line = |id: &str, reason: &str| format!("scopegate: decision=deny reason={reason} request_id=\"{id}\"");
    let count = |lines: &[String]| {
        let mut finder = Finder::default();
        lines.iter().for_each(|line| finder.read(line.as_bytes(), &mut |_| ()));
        (finder.tally.records, finder.tally.again)
    };
    assert_eq!(count(&[line("a", "x"), line("b", "x"), object("a", "x"), object("b", "x")]), (2, 2));
    assert_eq!(count(&[object("a", "x"), object("b", "x"), line("b", "x"), line("a", "x")]), (2, 2));
    assert_eq!(count(&[line("a", "x"), object("a", "y")]), (2, 0), "another decision");
    // A client that gives all of its requests one id.
    assert_eq!(count(&[object("a", "x"), object("a", "x"), line("a", "x"), line("a", "x"), object("a", "x")]), (3, 2));
    let nameless = |text: &str| text.replace("request_id", "other");
    assert_eq!(count(&[nameless(&line("a", "x")), nameless(&object("a", "x"))]), (2, 0), "without an id they are two");
}
