//! Names of clusters and values of `failure_policy` that are not there: Envoy refuses the file.

use crate::world::{folder, run, shipped};
use std::fs::write;

fn check(text: &str) -> String {
    let folder = folder();
    write(folder.join("envoy.yaml"), text).unwrap();
    run(&["check", "envoy.yaml"], &folder).stdout
}

#[test]
fn a_route_leads_to_a_cluster_that_is_there() {
    const LEADS: &str = "route: {cluster: upstream}";
    let with = |action: &str| shipped().replacen(LEADS, &format!("route: {{{action}}}"), 1);
    let weighted = |name: &str| {
        format!("weighted_clusters: {{clusters: [{{name: upstream, weight: 1}}, {{name: {name}, weight: 1}}]}}")
    };
    let misnamed = with("cluster: upsteam");
    assert_ne!(misnamed, shipped());
    for text in [&misnamed, &with(&weighted("upsteam"))] {
        let told = check(text);
        let words = "leads to the cluster upsteam, which does not exist: Envoy refuses the file";
        assert!(told.contains("error[cluster-missing]") && told.contains(words), "{told}");
    }
    let config = "          route_config:\n";
    let fetched = "dynamic_resources: {cds_config: {path_config_source: {path: clusters.yaml}}}\n";
    for text in [
        with("cluster: issuer"),
        with(&weighted("issuer")),
        with("cluster_header: x-cluster"),
        // Envoy looks for it once a request comes, or it may come later.
        misnamed.replacen(config, &format!("{config}            validate_clusters: false\n"), 1),
        format!("{misnamed}{fetched}"),
    ] {
        let told = check(&text);
        assert!(!told.contains("upsteam") && !told.contains("cluster-missing"), "{told}");
    }
}

#[test]
fn a_failure_policy_is_one_that_envoy_knows() {
    let with = |value: &str| shipped().replacen("failure_policy: FAIL_RELOAD", &format!("failure_policy: {value}"), 1);
    for value in ["FAIL_OPN", "4", "true"] {
        let told = check(&with(value));
        let came = if value.starts_with('F') { format!("\"{value}\"") } else { value.to_owned() };
        assert!(told.contains("error[failure-policy-unknown]"), "{value}: {told}");
        assert!(told.contains(&format!("failure_policy is {came}, which Envoy does not know")), "{value}: {told}");
        assert!(told.contains("write FAIL_RELOAD"), "{value}: {told}");
    }
    for value in ["FAIL_RELOAD", "fail_closed", "1", "2"] {
        assert!(!check(&with(value)).contains("failure-policy-unknown"), "{value}");
    }
}
