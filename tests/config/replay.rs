//! The service of a fleet.

use super::{problems, read, with};

const SERVICE: &str = "cluster: redis, form: webdis, secret: {env: NONCES}";

fn service(more: &str) -> String {
    with(&format!("replay: {{service: {{{SERVICE}, {more}}}}}"))
}

#[test]
fn what_is_wrong_with_the_service_of_a_fleet_is_said() {
    snapshot!(problems(&[
        ("a service of nothing", with("replay: {service: {}}")),
        ("a service by its name", with("replay: {service: redis}")),
        ("an unknown form", with("replay: {service: {cluster: a, form: redis, secret: {env: NONCES}}}")),
        ("a short secret", with("replay: {service: {cluster: a, form: webdis, secret: {env: SHORT}}}")),
        ("a secret in the open", with("replay: {service: {cluster: a, form: webdis, secret: AAAA}}")),
        ("a timeout out of range", service("timeout: 1m")),
        ("an address with a query", service("uri: 'https://a/?x'")),
        ("an address that is none", service("uri: redis://a")),
        ("an authorization that is not there", service("authorization: {env: NOWHERE}")),
        ("an authorization in the open", service("authorization: Bearer x")),
        ("proofs in a service that is not there", with("dpop: {origins: ['https://a'], replay: service}")),
        ("proofs in an unknown place", with("dpop: {origins: ['https://a'], replay: redis}")),
    ]));
}

#[test]
fn a_service_is_asked_within_200_ms_for_tokens_and_for_proofs_where_that_is_written() {
    let of = |text: &str| read(text).unwrap().settings.replay.service.unwrap();
    let plain = of(&service("uri: 'https://redis.example.com/x/'"));
    assert_eq!((plain.timeout_ms, plain.proofs), (200, scopegate::policy::ReplayPlace::Process));
    assert_eq!((plain.endpoint.authority.as_str(), plain.endpoint.path.as_str()), ("redis.example.com", "/x/"));
    let proofs =
        format!("replay: {{service: {{{SERVICE}, timeout: 1s}}}}\ndpop: {{origins: ['https://a'], replay: service}}");
    let both = of(&with(&proofs));
    assert_eq!((both.timeout_ms, both.proofs), (1000, scopegate::policy::ReplayPlace::Service));
    assert_eq!((both.endpoint.authority.as_str(), both.endpoint.cluster.as_str()), ("localhost", "redis"));
    assert!(read(&with("replay: {entries: 1000}")).unwrap().settings.replay.service.is_none());
}
