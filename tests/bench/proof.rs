//! Before anything is measured: all contenders of a case give the same answers, and send the same upstream.

use super::cases::Case;
use super::contenders::{Behind, Contender, contender, environment};
use super::support::client::{Response, send};
use super::support::envoy::{Envoy, cluster};
use super::support::issuer::now;
use super::support::server::Server;
use super::tokens::with_changed_signature;
use serde_json::{Value, json};

/// Headers that differ from request to request.
const OF_THE_REQUEST: [&str; 1] = ["x-request-id"];

/// Proves it for all cases, before an upstream that shows what it received, with this cluster beside it.
///
/// # Panics
/// When they differ.
pub fn prove(cases: &[Case], other: &Value) {
    let upstream = Server::echo(0).unwrap();
    let listeners: Vec<_> =
        cases.iter().flat_map(|case| Contender::ALL.map(|who| contender(who, case, Behind::Upstream))).collect();
    let clusters = [cluster("upstream", upstream.address), other.clone()];
    let bootstrap = json!({
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "static_resources": { "listeners": listeners, "clusters": clusters },
    });
    let started = Envoy::launch_in(&environment(), &bootstrap.to_string(), 1, &[], &[]);
    let envoy = started.unwrap_or_else(|log| panic!("Envoy did not start:\n{log}"));
    for case in cases {
        let measured = case.credentials.last().unwrap();
        same(&envoy, case, "what is measured", measured.as_deref(), case.status);
        if case.native_authentication.is_some() {
            for (what, credential, status) in &case.refused {
                same(&envoy, case, what, Some(credential), *status);
            }
            continue;
        }
        let token = || case.mint.token().scope(&case.scope);
        let good = token().sign();
        let expired = token().claim("iat", now() - 600).claim("exp", now() - 300).sign();
        for (what, token, status) in [
            ("allowed", good.clone(), 200),
            ("allowed, once more", good.clone(), 200),
            ("wrong scope", token().scope("another").sign(), 403),
            ("expired", expired, 401),
            ("bad signature", with_changed_signature(&good), 401),
        ] {
            same(&envoy, case, what, Some(&format!("Bearer {token}")), status);
        }
        for (what, posted, status) in &case.refused_messages {
            let case = Case { posted: Some(posted.clone()), ..case.clone() };
            same(&envoy, &case, what, measured.as_deref(), *status);
        }
    }
}

fn same(envoy: &Envoy, case: &Case, what: &str, credential: Option<&str>, status: u16) {
    let request = case.request(credential);
    let [ours, module, native] = Contender::ALL.map(|who| send(envoy.listener(&who.listener(case.name)), &request));
    assert_eq!(ours.status, status, "{}, {what}: {ours:?}", case.name);
    assert_eq!(module.status, status, "{}, {what}, natively: {module:?}", case.name);
    assert_eq!(native.status, status, "{}, {what}: {native:?}", case.name);
    if status == 200 && case.forwards_alike {
        let subject = ours.echoed();
        let subject = subject.headers("x-auth-subject");
        assert_eq!(subject.len(), 1, "{}, {what}: the subject is sent upstream", case.name);
        assert_eq!(forwarded(&ours), forwarded(&module), "{}, {what}: what the module sends upstream", case.name);
        assert_eq!(forwarded(&ours), forwarded(&native), "{}, {what}: what is sent upstream", case.name);
    }
}

/// The headers that reached the upstream, sorted.
fn forwarded(response: &Response) -> Vec<String> {
    let echoed = response.echoed();
    let lines = echoed.0["headers"].as_array().unwrap();
    let mut lines: Vec<String> = lines
        .iter()
        .filter(|line| !OF_THE_REQUEST.iter().any(|name| line[0] == *name))
        .map(ToString::to_string)
        .collect();
    lines.sort_unstable();
    lines
}
