//! Routes in a separate file, with and without the gate that serves them.

use crate::check::with_routes_elsewhere;
use crate::world::{folder, run};
use std::fs;

#[test]
fn routes_alone_are_judged_as_routes_and_what_could_not_be_judged_is_said() {
    let folder = folder();
    let routes = |route: &str| {
        let text = format!(
            "resources:\n- \"@type\": type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n  name: main\n  virtual_hosts:\n  - name: api\n    domains: [\"*\"]\n    routes:\n    - {{name: a, match: {{prefix: /}}, {route}}}\n"
        );
        fs::write(folder.join("routes.yaml"), text).unwrap();
    };
    let own = |requirement: &str| {
        routes(&format!("route: {{cluster: up}}, metadata: {{filter_metadata: {{scopegate: {requirement}}}}}"));
    };
    let plugin =
        "issuers:\n- issuer: https://a/\n  name: idp\n  audiences: [b]\n  jwks: {uri: https://a/keys, cluster: a}\n";
    fs::write(folder.join("scopegate.yaml"), plugin).unwrap();
    fs::write(folder.join("listeners.yaml"), with_routes_elsewhere()).unwrap();
    let check = |more: &[&str]| run(&[&["check", "routes.yaml"], more].concat(), &folder);
    let alone = |more: &[&str]| {
        let checked = check(more);
        let errors: Vec<String> =
            ["metadata", "unknown-field", "answer-needs-token", "judged-twice", "compared-as-it-is", "disabled"]
                .into_iter()
                .filter(|rule| checked.stdout.contains(&format!("[{rule}]")))
                .map(str::to_owned)
                .collect();
        assert!(checked.stderr.is_empty(), "{checked:?}");
        errors
    };
    let gate = ["--gate", "scopegate.yaml"];
    let listener = ["--gate", "listeners.yaml"];
    // What is wrong by itself.
    own("{scope: [a]}");
    for more in [&[][..], &gate, &listener] {
        assert_eq!(alone(more), ["metadata"], "{more:?}");
    }
    routes("route: {cluster: up}, metdata: {}");
    assert_eq!(alone(&[]), ["unknown-field"]);
    own("{claims: [{claim: a, equals: \"x*\"}]}");
    assert_eq!(alone(&[]), ["compared-as-it-is"]);
    routes(
        "route: {cluster: up}, typed_per_filter_config: {scopegate: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}",
    );
    assert_eq!(alone(&[]), ["disabled"]);
    // What depends on the gate.
    own("{issuers: [idp]}");
    assert_eq!((alone(&[]), alone(&gate), alone(&listener)), (vec![], vec![], vec!["metadata".to_owned()]));
    own("{issuers: [other]}");
    assert_eq!((alone(&[]), alone(&gate)), (vec![], vec!["metadata".to_owned()]));
    routes("redirect: {https_redirect: true}");
    assert_eq!((alone(&[]), alone(&gate)), (vec![], vec!["answer-needs-token".to_owned()]));
    routes("route: {cluster: up, internal_redirect_policy: {}}");
    assert_eq!((alone(&[]), alone(&gate)), (vec![], vec!["judged-twice".to_owned()]));
    // What could not be judged.
    own("{scopes: [a]}");
    let said = check(&[]).stdout;
    assert!(
        said.starts_with("no problems found\nnote: the routes at routes.yaml") && said.contains("--gate FILE"),
        "{said}"
    );
    let said = check(&gate).stdout;
    assert!(
        said.contains("note: the routes at routes.yaml") && said.contains("their listener is not in these files"),
        "{said}"
    );
    assert_eq!(check(&listener).stdout, "no problems found\n");
    // A gate that is none, or is wrong.
    let none = check(&["--gate", "routes.yaml"]);
    assert!(none.status == 2 && none.stderr.contains("--gate routes.yaml: no gate in it"), "{none:?}");
    fs::write(folder.join("scopegate.yaml"), plugin.replace("audiences", "audience")).unwrap();
    let wrong = check(&gate);
    assert!(wrong.status == 2 && wrong.stderr.contains("did you mean `audiences`?"), "{wrong:?}");
}
