//! The steps of the guide from reporting to refusing, one after the other in one Envoy.

use crate::dynamic::World;
use crate::gate::configuration;
use crate::support::client::{get, get_with};
use crate::support::envoy::{Gate, root};
use crate::support::issuer::{Issuer, now};
use crate::support::wait::eventually;
use crate::support::yaml;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs;

/// The configurations of the section, in their order, for the tokens of this issuer.
fn steps(issuer: &Issuer) -> Vec<Value> {
    let guide = fs::read_to_string(root().join("envoy/GUIDE.md")).unwrap();
    let section = guide.split("### From reporting to refusing\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let examples = section.split("```yaml plugin\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let of_issuer = |text: &str| {
        let mut members = yaml::parse(text);
        members.as_object_mut().unwrap().remove("issuers");
        configuration(issuer, members)
    };
    examples.map(of_issuer).collect()
}

#[test]
fn each_step_refuses_what_it_says_and_reports_the_rest() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let steps = steps(&issuer);
    let [report, promote, lift] = &steps[..] else { panic!("three configurations: {steps:?}") };
    let plugin = |step: &Value| Gate::new(step.clone()).plugin();
    let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
    let world = World::start_plugin(&plugin(report), &routes, &[]);
    let token = issuer.token(now()).scope("profile").sign();
    let in_query = format!("/orders?access_token={token}");
    let statuses = || {
        let with_token = |target: &str| get_with(world.address(), target, &token).status;
        let without = |target: &str| get(world.address(), target, &[]).status;
        [with_token("/orders"), with_token("/reports"), without("/else"), without(&in_query)]
    };
    assert_eq!(statuses(), [200; 4]);
    let reported = [
        "scopegate.requirement.would_deny.rules_0_",
        "scopegate.requirement.would_deny.rules_1_",
        "scopegate.requirement.would_deny.default",
        "scopegate.refused.report_only.demo.insufficient_scope",
        "scopegate.refused.report_only.none.no_credential",
    ];
    for counter in reported {
        eventually(counter, || world.counter(counter) >= 1);
    }
    for (step, wanted) in [(promote, [403, 200, 200, 400]), (lift, [403, 403, 401, 400]), (report, [200; 4])] {
        world.change_plugin(&plugin(step));
        // Each worker takes over a configuration by itself.
        eventually("all workers have it", || (0..6).all(|_| statuses() == wanted));
        if wanted[0] == 403 {
            // Natively what has an outcome or a reason in its name begins anew with each configuration.
            eventually("they are counted", || world.counter("scopegate.requirement.deny.rules_0_") >= 12);
        }
    }
}
