//! What records say of events that were taken.

use crate::audit::read_struct;
use crate::mcp::decide_on;
use crate::support::issuer::{ISSUER, Issuer};
use crate::support::records::{misfits, schema};
use crate::world::{NOW, compiled, config, get, token};
use scopegate::audit::{AuditRecord, Seen};
use scopegate::config::Loaded;
use scopegate::crypto::Algorithm;
use scopegate::facts::Body;
use scopegate::security_event::REVOCATION_EVENT;
use serde_json::{Value, json};

const PATH: &str = "/.well-known/scopegate/events";
const REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

/// The record of an event of the issuer or the operator, as JSON and as a line.
fn record(set: &str, operator: &Issuer, audit: Value) -> (Value, String) {
    let Loaded { policy, settings, .. } = compiled(&config(json!({
        "audit": audit,
        "events": {
            "path": PATH,
            "issuers": { "demo": { "audience": "gate-1", "keep": "1h" } },
            "operators": { "ops": { "audience": "gate-1", "signed_by": operator.jwks() } },
        },
    })));
    let ask = get(PATH).method("POST").header("content-type", "application/secevent+jwt");
    let decision = decide_on(&ask, &policy, Body::Whole(set.as_bytes()));
    let record = AuditRecord::of(&decision, &policy, settings.audit, b"POST").unwrap();
    let record = record.with_seen(Seen::default().answered(Some(202)));
    let json = serde_json::from_str(&record.to_json()).unwrap();
    assert_eq!(read_struct(&record.to_struct()), json, "both forms say the same");
    assert_eq!(misfits("record", &json, &schema()), Vec::<String>::new(), "{json}");
    (json, record.to_line())
}

#[test]
fn the_record_of_an_event_names_who_sent_it_its_id_and_what_it_does() {
    let operator = Issuer::new(Algorithm::EdDsa, "ops-1");
    let event = |id: &str| {
        let event = token().header("typ", "secevent+jwt").claim("aud", "gate-1").claim("iat", NOW).claim("jti", id);
        event.claim("sub_id", json!({ "format": "iss_sub", "iss": ISSUER, "sub": "alice" }))
    };
    let of_issuer = event("e 1\"").claim("events", json!({ REVOKED: {}, VERIFICATION: {} })).sign();
    let (json, line) = record(&of_issuer, &operator, json!({}));
    assert_eq!(
        json,
        json!({ "decision": "receive", "issuer": "demo", "event_id": "e 1%22", "entries": 1, "without_effect": 1, "status": 202 })
    );
    assert_eq!(line, "decision=receive issuer=demo event_id=\"e 1%22\" entries=1 without_effect=1 status=202");

    let entry = json!({ "iss": ISSUER, "sid": "s-1" });
    let of_operator = operator.token(NOW).header("typ", "secevent+jwt").claim("iss", "ops").claim("aud", "gate-1");
    let of_operator = of_operator.claim("jti", "o-1").claim("events", json!({ REVOCATION_EVENT: entry })).sign();
    let (json, line) = record(&of_operator, &operator, json!({}));
    assert_eq!(
        json,
        json!({ "decision": "receive", "operator": "ops", "event_id": "o-1", "entries": 1, "without_effect": 0, "status": 202 })
    );
    assert_eq!(line, "decision=receive operator=ops event_id=\"o-1\" entries=1 without_effect=0 status=202");

    let minimal = record(&of_operator, &operator, json!({ "fields": "minimal" })).0;
    assert_eq!(minimal, json!({ "decision": "receive", "entries": 1, "without_effect": 0, "status": 202 }));
}
