//! What `check` says of the service of a fleet.

use crate::check::check;
use std::fs;

#[test]
fn the_cluster_of_the_service_has_to_exist_and_to_be_here_or_to_speak_tls() {
    let shipped = fs::read_to_string("envoy/fleet/envoy.yaml").unwrap();
    let good = check(&shipped);
    assert!(good.status == 0 && !good.stdout.contains("replay-in-plain-text"), "{good:?}");
    let with = |from: &str, to: &str| {
        assert!(shipped.contains(from), "{from}");
        check(&shipped.replace(from, to))
    };
    let missing = with("service: {cluster: webdis,", "service: {cluster: nowhere,");
    assert!(missing.status == 1 && missing.stdout.contains("the cluster nowhere, which does not exist"), "{missing:?}");
    let place = "{address: 127.0.0.1, port_value: 7379}";
    let away = with(place, "{address: 10.0.0.9, port_value: 7379}");
    assert!(away.status == 1 && away.stdout.contains("error[replay-in-plain-text]"), "{away:?}");
    let tls = format!(
        "{}\n    transport_socket:\n      name: tls\n      typed_config:\n        \"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext\n",
        shipped.replace(place, "{address: 10.0.0.9, port_value: 7379}").trim_end()
    );
    let safe = check(&tls);
    assert!(!safe.stdout.contains("replay-in-plain-text"), "{safe:?}");
}
