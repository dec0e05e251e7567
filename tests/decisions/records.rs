//! The members of records: which sets have them, and what they say.

use crate::audit::read_struct;
use crate::mcp::{decide_on, judging, post};
use crate::support::records::{misfits, schema};
use crate::world::{Ask, NOW, compiled, config, configured_keys, extend, get, policy, token};
use proptest::prelude::*;
use scopegate::audit::{AuditRecord, Outcome, Seen};
use scopegate::challenge::{self, Terms};
use scopegate::config::Loaded;
use scopegate::decision::{Basis, Decision};
use scopegate::engine::decide;
use scopegate::facts::{Body, Facts, NoMemory, TokenMemory};
use scopegate::policy::{AuditField, AuditFields, AuditSettings, CacheLimits};
use scopegate::token_cache::TokenCache;
use serde_json::{Value, json};

/// Everything that a host can say.
fn seen() -> Seen {
    let now_ms = u64::try_from(NOW).unwrap() * 1000 + 42;
    Seen::default()
        .at(Some(now_ms))
        .answered(Some(403))
        .with_method(b"GET")
        .with_places(Some(b"orders"), Some(b"api"))
        .with_id(Some(b"id-1"))
        .with_client(b"203.0.113.77:4711")
}

fn judged(ask: &Ask, members: &Value, memory: &dyn TokenMemory) -> (Value, String) {
    let Loaded { policy, settings, .. } = compiled(&config(members.clone()));
    let keys = configured_keys(&policy);
    let shows_needs = settings.audit.fields.show_all_needs();
    let decision = ask.judge(&keys, memory, |view, facts| decide(&policy, view, &Facts { shows_needs, ..*facts }));
    let record = AuditRecord::of(&decision, &policy, settings.audit, b"GET").unwrap().with_seen(seen());
    let json = serde_json::from_str(&record.to_json()).unwrap();
    assert_eq!(read_struct(&record.to_struct()), json, "both forms say the same");
    assert_eq!(misfits("record", &json, &schema()), Vec::<String>::new(), "{json}");
    (json, record.to_line())
}

fn record(ask: &Ask, members: &Value) -> Value {
    judged(ask, members, &NoMemory).0
}

fn full(mut members: Value) -> Value {
    extend(&mut members, json!({ "audit": { "fields": "full" } }));
    members
}

fn names(record: &Value) -> Vec<&str> {
    record.as_object().unwrap().keys().map(String::as_str).collect()
}

fn whole() -> Ask {
    let signed = token().claim("jti", "j-1").claim("client_id", "app").claim("iat", NOW - 30).claim("exp", NOW + 270);
    get("/").bearer(signed.scope("a b").sign())
}

#[test]
fn a_full_record_says_what_is_known_of_a_verified_token_and_of_its_request() {
    let record = record(&whole(), &full(json!({ "default": { "scopes": ["a"] } })));
    for (name, wanted) in [
        ("time", json!("2027-01-15T08:00:00.042Z")),
        ("client_id", json!("app")),
        ("kid", json!("a")),
        ("algorithm", json!("ES256")),
        ("verified_by", json!("module")),
        ("cache", json!("miss")),
        ("expires_in", json!(270)),
        ("token_age", json!(30)),
        ("scopes", json!(["a", "b"])),
        ("scopes_needed", json!(["a"])),
        ("status", json!(403)),
        ("method", json!("GET")),
        ("route", json!("orders")),
        ("virtual_host", json!("api")),
        ("request_id", json!("id-1")),
        ("client_network", json!("203.0.113.0/24")),
    ] {
        assert_eq!(record[name], wanted, "{name}: {record}");
    }
    let digest = scopegate::base::base64url::encode(&scopegate::crypto::sha256(b"j-1"));
    assert_eq!(record["jti_hash"], digest[..22], "{record}");
    assert!(!record.to_string().contains("j-1\""), "the jti itself is not shown: {record}");
}

#[test]
fn a_set_of_fields_or_a_list_chooses_the_members() {
    let of = |fields: Value| {
        let (record, _) = judged(&whole(), &json!({ "audit": { "fields": fields } }), &NoMemory);
        names(&record).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of(json!("minimal")), ["credential", "decision", "fingerprint", "requirement", "status"]);
    let standard = [
        "cache",
        "client_id",
        "credential",
        "decision",
        "expires_in",
        "fingerprint",
        "issuer",
        "requirement",
        "status",
        "subject",
    ];
    assert_eq!(of(json!("standard")), standard);
    assert_eq!(of(json!(["kid", "time"])), ["decision", "kid", "time"]);
    assert_eq!(of(json!(["decision"])), ["decision"]);
    let (without, _) = judged(&whole(), &json!({}), &NoMemory);
    assert_eq!(names(&without), standard, "standard is the default");
}

#[test]
fn a_log_line_of_standard_fields_has_the_route_and_the_request_too() {
    let line = |fields: &str| judged(&whole(), &json!({ "audit": { "fields": fields } }), &NoMemory).1;
    assert!(line("standard").ends_with(" expires_in=270 cache=miss status=403 route=\"orders\" request_id=\"id-1\""));
    assert!(line("minimal").ends_with(" credential=bearer status=403"));
    let full = line("full");
    for part in [
        "decision=allow time=2027-01-15T08:00:00.042Z ",
        " kid=\"a\" algorithm=ES256 verified_by=module ",
        " scopes=\"a b\" ",
        " virtual_host=\"all\" client_network=203.0.113.0/24 ",
    ] {
        assert!(full.contains(&part.replace("\"all\"", "\"api\"")), "{part}: {full}");
    }
}

#[test]
fn what_an_unverified_token_says_is_under_no_name_of_what_is_verified() {
    let of_verified = [
        "issuer",
        "subject",
        "client_id",
        "jti_hash",
        "fingerprint",
        "kid",
        "algorithm",
        "verified_by",
        "expires_in",
        "token_age",
        "scopes",
        "received",
    ];
    let signed = token().claim("jti", "j").claim("client_id", "app").claim("iat", NOW - 30).scope("a");
    let forged = |text: String| format!("{}.AAAA", text.rsplit_once('.').unwrap().0);
    for signed in [
        signed.clone().claim("exp", NOW - 900).sign(),
        signed.clone().claim("aud", "other").sign(),
        signed.clone().header("typ", "JWT").sign(),
        signed.clone().header("kid", "z").sign(),
        forged(signed.sign()),
    ] {
        let record = record(&get("/").bearer(&signed), &full(json!({ "default": { "scopes": ["a"] } })));
        assert_eq!(record["decision"], "deny");
        let shown: Vec<&&str> = of_verified.iter().filter(|name| record.get(**name).is_some()).collect();
        assert_eq!(shown, Vec::<&&str>::new(), "{record}");
        assert!(record["unverified_fingerprint"].is_string(), "{record}");
        assert_eq!(record["scopes_needed"], json!(["a"]), "that is the requirement's: {record}");
    }
}

#[test]
fn the_scopes_that_are_needed_are_those_of_the_alternative_that_was_met_or_is_nearest() {
    let rule =
        json!({ "default": { "scopes": { "any_of": [{ "all_of": ["a", "b"] }, { "all_of": ["c", "d", "e"] }] } } });
    let of = |scope: &str, members: Value| {
        let record = record(&get("/").bearer(token().scope(scope).sign()), &members);
        (record["scopes_needed"].clone(), record["scopes_missing"].clone())
    };
    assert_eq!(of("c d e", full(rule.clone())), (json!(["c", "d", "e"]), json!(null)));
    assert_eq!(of("a", full(rule.clone())), (json!(["a", "b"]), json!(["b"])));
    assert_eq!(of("c d", full(rule.clone())), (json!(["c", "d", "e"]), json!(["e"])));
}

#[test]
fn without_full_fields_only_a_missing_scope_says_what_is_needed() {
    let rule = json!({ "default": { "scopes": ["a", "b"] } });
    let of = |ask: &Ask| {
        let record = record(ask, &rule);
        (record["scopes_needed"].clone(), record["scopes_missing"].clone())
    };
    assert_eq!(of(&get("/").bearer(token().scope("a").sign())), (json!(["a", "b"]), json!(["b"])));
    assert_eq!(of(&get("/")), (json!(["a", "b"]), json!(null)), "no credential");
    assert_eq!(of(&get("/").bearer(token().scope("a b").sign())), (json!(null), json!(null)));
    assert_eq!(of(&get("/").bearer(token().claim("exp", 1).sign())), (json!(null), json!(null)));
}

#[test]
fn a_scope_that_another_one_includes_is_not_missing() {
    let members = json!({ "default": { "scopes": ["orders:read", "x"] } });
    let mut configuration = config(members);
    configuration["issuers"][0]["implies"] = json!({ "admin": ["orders:read"] });
    let Loaded { policy, settings, .. } = compiled(&configuration);
    let ask = get("/").bearer(token().scope("admin").sign());
    let decision = ask.decide(&policy);
    let record = AuditRecord::of(&decision, &policy, settings.audit, b"GET").unwrap().to_json();
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!((&record["scopes_needed"], &record["scopes_missing"]), (&json!(["orders:read", "x"]), &json!(["x"])));
}

#[test]
fn a_record_says_whether_the_token_was_remembered_and_is_the_same_otherwise() {
    let cache = TokenCache::new(CacheLimits::default());
    let ask = whole();
    let of = || judged(&ask, &full(json!({})), &cache).0;
    let (mut first, second) = (of(), of());
    assert_eq!((&first["cache"], &second["cache"]), (&json!("miss"), &json!("hit")));
    first["cache"] = json!("hit");
    assert_eq!(first, second);
    let (without, _) = judged(&get("/"), &full(json!({})), &cache);
    assert_eq!(without.get("cache"), None, "there is no token: {without}");
}

#[test]
fn times_that_no_number_holds_are_the_nearest_one() {
    let ask = |exp: i64| get("/").bearer(token().claim("exp", exp).sign());
    assert_eq!(record(&ask(i64::MAX), &json!({}))["expires_in"], i32::MAX);
    let late = Ask { now: NOW + 5, ..ask(NOW + 3) };
    let Loaded { policy, settings, .. } = compiled(&config(json!({})));
    let decision = late.decide(&policy);
    let seen = Seen::default().at(u64::try_from(late.now * 1000).ok());
    let record = AuditRecord::of(&decision, &policy, settings.audit, b"GET").unwrap().with_seen(seen).to_json();
    assert!(
        record.contains("\"decision\":\"allow\"") && record.contains("\"expires_in\":-2"),
        "in the leeway: {record}"
    );
}

#[test]
fn a_token_with_many_or_long_scopes_does_not_fill_the_record() {
    let many = (0..100).map(|at| format!("s{at}")).collect::<Vec<_>>().join(" ");
    let scope = format!("{} {many}", "l".repeat(129));
    let record = record(&get("/").bearer(token().scope(&scope).sign()), &full(json!({})));
    let scopes = record["scopes"].as_array().unwrap();
    assert_eq!((scopes.len(), &scopes[0]), (32, &json!("s0")), "{record}");
}

/// The record of a message in every form, and its `mcp.name`.
fn of_message(ask: &Ask, body: Body<'_>) -> (String, Value) {
    let rules = json!({ "resources": { "rules": [{ "uri": "memo://closed/*", "deny": true }] }, "versions": ["2025-11-25", "2026-07-28"] });
    let policy = policy(&judging(rules));
    let decision = decide_on(ask, &policy, body);
    let record = AuditRecord::of(
        &decision,
        &policy,
        AuditSettings { fields: AuditFields::FULL, ..AuditSettings::default() },
        b"POST",
    )
    .unwrap();
    let json: Value = serde_json::from_str(&record.to_json()).unwrap();
    let shown = format!("{json}{}{}{:?}", String::from_utf8_lossy(&record.to_struct()), record.to_line(), record.why());
    (shown, json["mcp"]["name"].clone())
}

#[test]
fn the_name_of_a_resource_has_no_query_no_fragment_and_no_userinfo() {
    let message = |method: &str, params: Value| {
        json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
    };
    let read = |uri: &str| message("resources/read", json!({ "uri": uri }));
    let template = |uri: &str| {
        let reference = json!({ "type": "ref/resource", "uri": uri });
        message("completion/complete", json!({ "ref": reference, "argument": { "name": "a", "value": "b" } }))
    };
    for (body, name) in [
        (read("memo://open/a?key=hidden-text"), "memo://open/a"),
        (read("memo://closed/a?key=hidden-text"), "memo://closed/a"),
        (read("memo://open/a#hidden-text"), "memo://open/a"),
        (read("memo:a?x=1#hidden-text?y"), "memo:a"),
        (read("postgres://app:hidden-text@db.example.com/t?hidden-text"), "postgres://db.example.com/t"),
        (read("https://example.com?q=hidden-text/@x"), "https://example.com"),
        (read("memo://open/a@b"), "memo://open/a@b"),
        (message("resources/subscribe", json!({ "uri": "memo://open/b?hidden-text" })), "memo://open/b"),
        (template("memo://open/{id}?key=hidden-text"), "memo://open/{id}"),
        (template("memo://open/{id}{?hidden-text}"), "memo://open/{id}"),
    ] {
        let (shown, found) =
            of_message(&post().header("mcp-protocol-version", "2025-11-25"), Body::Whole(body.as_bytes()));
        assert_eq!(found, name, "{body}: {shown}");
        assert!(!shown.contains("hidden-text"), "{shown}");
    }
    // The name of a tool is no URI.
    let tool = message("tools/call", json!({ "name": "what?" }));
    let old = post().header("mcp-protocol-version", "2025-11-25");
    assert_eq!(of_message(&old, Body::Whole(tool.as_bytes())).1, "what?");
    // What is refused by its headers has its name from there.
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "resources/read"),
        ("mcp-name", "memo://closed/a?hidden-text"),
    ];
    let ask = headers.into_iter().fold(post(), |ask, (name, value)| ask.header(name, value));
    let (shown, found) = of_message(&ask, Body::Awaited);
    assert_eq!(found, "memo://closed/a", "{shown}");
    assert!(!shown.contains("hidden-text"), "{shown}");
}

#[test]
fn every_member_that_the_schema_names_can_be_chosen() {
    let schema = schema();
    let names: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut known: Vec<&str> = AuditField::ALL.iter().map(|field| field.name).collect();
    known.sort_unstable();
    assert_eq!(names, known);
    assert_eq!(AuditSettings::default().fields, AuditFields::STANDARD);
}

/// What is in a request and that nothing may show: an item for each part of the token, each secret and each claim that no
/// configuration here asks for.
fn hidden(signed: &str) -> Vec<String> {
    let parts = signed.split('.').map(str::to_owned);
    let others = [
        "jti-that-is-hashed",
        "claim-that-is-not-asked-for",
        "query-text",
        "key-of-partner-0123456789",
        "203.0.113.77",
    ];
    parts.chain(others.map(str::to_owned)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_record_line_metric_or_header_holds_a_token_a_secret_a_query_or_a_claim_that_is_not_asked_for(
        kind in 0..7_usize, report_only in any::<bool>(), granted in any::<bool>(), chosen in prop::collection::vec(any::<prop::sample::Index>(), 1..37),
        is_list in any::<bool>(), subject in prop::sample::select(vec!["plain", "hash", "omit"]),
    ) {
        let token = token().claim("jti", "jti-that-is-hashed").claim("email", "claim-that-is-not-asked-for").scope(if granted { "a" } else { "b" });
        let signed = match kind {
            0 => token.claim("exp", NOW - 900).sign(),
            1 => token.claim("aud", "other").sign(),
            2 => token.header("kid", "z").sign(),
            3 => format!("{}.AAAA", token.sign().rsplit_once('.').unwrap().0),
            _ => token.sign(),
        };
        let mut ask = get("/orders?note=query-text");
        match kind {
            5 => ask.target = Some(format!("/orders?note=query-text&access_token={signed}")),
            6 => ask = ask.header("x-api-key", "key-of-partner-0123456789"),
            _ => ask = ask.bearer(&signed),
        }
        let names: Vec<&str> = chosen.iter().map(|index| AuditField::ALL[index.index(AuditField::ALL.len())].name).collect();
        let fields = if is_list { json!(names) } else { json!("full") };
        let Loaded { policy, settings, .. } = compiled(&config(json!({
            "report_only": report_only,
            "default": { "scopes": ["a"] },
            "forward": { "headers": { "x-auth-scope": "scope" } },
            "audit": { "fields": fields, "subject": subject },
        })));
        let keys = configured_keys(&policy);
        let shows_needs = settings.audit.fields.show_all_needs();
        let decision = ask.judge(&keys, &NoMemory, |view, facts| decide(&policy, view, &Facts { shows_needs, ..*facts }));
        let record = AuditRecord::of(&decision, &policy, settings.audit, b"GET").unwrap().with_seen(seen());
        let json: Value = serde_json::from_str(&record.to_json()).unwrap();
        prop_assert_eq!(misfits("record", &json, &schema()), Vec::<String>::new());
        let mut shown = format!("{json}{}{}", String::from_utf8_lossy(&record.to_struct()), record.to_line());
        shown += &record.why().unwrap_or_default();
        shown += &Outcome::of(&decision).unwrap().counter();
        let places = [decision.trace().requirement, decision.trace().added];
        shown.extend(places.into_iter().flatten().map(|place| place.path("GET").into_owned()));
        let denial = match &decision {
            Decision::Deny(refusal) => Some(&refusal.denial),
            Decision::Allow(grant) => {
                shown.extend(grant.set.iter().flat_map(|(name, value)| [name.to_string(), value.clone()]));
                match &grant.basis {
                    Basis::ReportOnly(denial) => Some(denial),
                    _ => None,
                }
            }
            _ => None,
        };
        for grpc in [false, true] {
            let reply = denial.map(|denial| challenge::render(denial, decision.trace(), &Terms::of(&policy, "api"), grpc));
            shown += &format!("{reply:?}");
        }
        for hidden in hidden(&signed) {
            prop_assert!(!shown.contains(&hidden), "{hidden}: {shown}");
        }
        if subject != "plain" {
            prop_assert!(!shown.contains("alice"), "{shown}");
        }
        if kind < 4 {
            let of_verified = ["issuer", "subject", "client_id", "jti_hash", "fingerprint", "kid", "expires_in", "scopes"];
            prop_assert!(of_verified.iter().all(|name| json.get(name).is_none()), "{json}");
        }
    }
}
