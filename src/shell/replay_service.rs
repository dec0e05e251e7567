//! What the service of a fleet is told to claim something, and how its answer is read. Only the two answers that are known
//! are one; any other says nothing.

use crate::base::json;
use crate::policy::{FleetClaim, ReplayService, ServiceForm};
use serde_json::json;

/// The longest answer that is read, in bytes. A known one has fewer than thirty.
pub const ANSWER_BYTES: usize = 256;

/// The headers of the request.
pub fn headers(service: &ReplayService) -> Vec<(&str, &str)> {
    let content_type = match service.form {
        ServiceForm::Webdis => "application/x-www-form-urlencoded",
        ServiceForm::Upstash => "application/json",
    };
    let mut headers = service.endpoint.request("POST");
    headers.extend([("accept", "application/json"), ("content-type", content_type)]);
    headers.extend(service.authorization.as_deref().map(|value| ("authorization", value)));
    headers
}

/// The body of the request: `SET key 1 NX EX seconds`.
pub fn body(form: ServiceForm, claim: &FleetClaim) -> String {
    let (key, seconds) = (claim.key(), claim.lifetime.0.to_string());
    match form {
        ServiceForm::Webdis => format!("SET/{key}/1/NX/EX/{seconds}"),
        ServiceForm::Upstash => json!(["SET", key, "1", "NX", "EX", seconds]).to_string(),
    }
}

/// Whether something is used for the first time, as this answer says; `None` for any but the two that are known.
pub fn read(form: ServiceForm, answer: &[u8]) -> Option<bool> {
    let answer = json::parse(answer).ok()?;
    let (first, again) = match form {
        ServiceForm::Webdis => (json!({ "SET": [true, "OK"] }), json!({ "SET": null })),
        ServiceForm::Upstash => (json!({ "result": "OK" }), json!({ "result": null })),
    };
    if answer == first { Some(true) } else { (answer == again).then_some(false) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::UnixSeconds;
    use crate::policy::{Endpoint, Pool};

    fn service(form: ServiceForm) -> ReplayService {
        let endpoint = Endpoint::parse("https://redis.example.com/at/", "redis").unwrap();
        ReplayService::new(endpoint, form, &[7; 32])
    }

    #[test]
    fn it_is_told_to_set_a_key_once_for_so_many_seconds() {
        let service = service(ServiceForm::Webdis);
        let claim = service.claim(Pool::Tokens, &[b"x"], UnixSeconds(160), UnixSeconds(100));
        let key = claim.key();
        assert_eq!(body(ServiceForm::Webdis, &claim), format!("SET/{key}/1/NX/EX/70"));
        assert_eq!(body(ServiceForm::Upstash, &claim), format!(r#"["SET","{key}","1","NX","EX","70"]"#));
    }

    #[test]
    fn it_is_asked_at_its_address_with_its_authorization() {
        let mut service = service(ServiceForm::Upstash);
        let value = |service: &ReplayService, name: &str| {
            headers(service).into_iter().find(|(other, _)| *other == name).map(|(_, value)| value.to_owned())
        };
        assert_eq!(value(&service, "authorization"), None);
        service.authorization = Some("Bearer x".into());
        for (name, wanted) in [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", "redis.example.com"),
            (":path", "/at/"),
            ("content-type", "application/json"),
            ("authorization", "Bearer x"),
        ] {
            assert_eq!(value(&service, name).as_deref(), Some(wanted));
        }
    }

    #[test]
    fn two_answers_are_known_and_no_other_is_one() {
        let (webdis, upstash) = (ServiceForm::Webdis, ServiceForm::Upstash);
        assert_eq!(read(webdis, br#"{"SET":[true,"OK"]}"#), Some(true));
        assert_eq!(read(webdis, br#"{"SET":null}"#), Some(false));
        assert_eq!(read(upstash, br#"{"result":"OK"}"#), Some(true));
        assert_eq!(read(upstash, br#" { "result" : null } "#), Some(false));
        let others = [
            r#"{"SET":[false,"ERR invalid expire time in 'set' command"]}"#,
            r#"{"SET":[false,"OK"]}"#,
            r#"{"SET":[true,"QUEUED"]}"#,
            r#"{"SET":[true,"OK"],"x":1}"#,
            r#"{"SET":null,"SET":[true,"OK"]}"#,
            r#"{"SET":"OK"}"#,
            r#"{"SET":true}"#,
            r#"{"set":null}"#,
            r#"{"GET":null}"#,
            r#"{"result":"ok"}"#,
            r#"{"result":["OK"]}"#,
            r#"{"result":"OK","result":null}"#,
            r#"{"result":"T0s="}"#,
            r#"{"error":"NOPERM"}"#,
            r#"[{"result":"OK"}]"#,
            "{}",
            "null",
            "OK",
            "",
            "+OK\r\n",
        ];
        for answer in others {
            for form in [webdis, upstash] {
                assert_eq!(read(form, answer.as_bytes()), None, "{answer}");
            }
        }
        assert_eq!(read(upstash, br#"{"SET":[true,"OK"]}"#), None, "the answer of the other form");
        assert_eq!(read(webdis, br#"{"result":"OK"}"#), None);
    }
}
