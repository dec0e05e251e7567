//! The dashboard and the alerts under envoy/: each query is one that a real Prometheus answers.

use crate::prometheus::{Prometheus, load, start};
use crate::support::envoy::root;
use crate::support::node;
use crate::support::wait::eventually;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

const MOST_PANELS: usize = 12;

fn dashboard() -> Value {
    let text = fs::read_to_string(root().join("envoy/grafana/scopegate.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The queries of the dashboard, each with the title of its panel, as Grafana sends them.
fn queries() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().unwrap().clone();
        targets.into_iter().map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    };
    panels
        .iter()
        .flat_map(of_panel)
        .map(|(title, query)| (title, query.replace("$__rate_interval", "20s").replace("$job", ".*")))
        .collect()
}

/// The names of the metrics in an expression.
fn metrics(expression: &str) -> BTreeSet<String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    expression
        .split(|c| !is_of_name(c))
        .filter(|word| word.starts_with("scopegate_") || word.starts_with("envoy_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_dashboard_has_few_panels_and_each_says_what_it_answers() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() <= MOST_PANELS);
    let titles: BTreeSet<&str> = panels.iter().map(|panel| panel["title"].as_str().unwrap()).collect();
    assert_eq!(titles.len(), panels.len());
    assert!(panels.iter().all(|panel| panel["description"].as_str().is_some_and(|text| text.ends_with('.'))));
}

/// Grafana itself is not run: its own types say whether it would read the dashboard.
#[test]
fn the_dashboard_is_one_by_the_types_of_grafana() {
    let modules = node::packages().join("node_modules");
    let folder = root().join(format!("target/e2e/grafana-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let types = modules.join("@grafana/schema");
    let text = fs::read_to_string(root().join("envoy/grafana/scopegate.json")).unwrap();
    // In JSON a word stands for the member of an enumeration.
    let program = |text: &str| {
        let of_list = "T extends (infer Item)[] ? Json<Item>[]";
        let of_object = "T extends object ? { [Key in keyof T]: Json<T[Key]> } : T";
        let json = format!("type Json<T> = T extends string ? `${{T}}` : {of_list} : {of_object};");
        let import = format!("import type {{ Dashboard }} from {:?};", types.display().to_string());
        format!("{import}\n{json}\nexport const dashboard: Json<Dashboard> = {text};\n")
    };
    let errors = |text: &str| {
        fs::write(folder.join("dashboard.ts"), program(text)).unwrap();
        let mut command = Command::new(node::binary());
        command.arg(modules.join("typescript/bin/tsc")).args(["--noEmit", "--strict", "--skipLibCheck"]);
        command.args(["--module", "nodenext", "--moduleResolution", "nodenext"]).arg(folder.join("dashboard.ts"));
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (is_good, told) = errors(&text);
    assert!(is_good, "{told}");
    let (is_good, told) = errors(&text.replacen("palette-classic", "palette-clasic", 1));
    assert!(!is_good && told.contains("palette-clasic"), "{told}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
#[ignore = "needs Prometheus: make evidence-services"]
fn each_query_of_the_dashboard_returns_data_and_each_metric_of_an_alert_exists() {
    let world = start();
    let prometheus = Prometheus::start(world.envoy.admin());
    for (title, query) in queries() {
        eventually(&format!("{title}: {query}"), || {
            load(&world);
            prometheus.value(&query).is_some_and(|value| !value.is_nan())
        });
    }
    let alerts = fs::read_to_string(root().join("envoy/prometheus/alerts.yaml")).unwrap();
    let expressions = alerts.lines().filter(|line| line.contains("scopegate_") && !line.contains("description"));
    let named: BTreeSet<String> = expressions.flat_map(metrics).collect();
    assert!(named.len() >= 11, "{named:?}");
    for name in named {
        assert!(prometheus.value(&name).is_some(), "{name} is not scraped");
    }
}

#[test]
#[ignore = "needs promtool: make evidence-services"]
fn each_alert_fires_where_it_should_and_not_where_all_is_well() {
    let folder = root().join("envoy/prometheus");
    let run = |arguments: &[&str]| {
        let output = Command::new("promtool").current_dir(&folder).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    run(&["check", "config", "prometheus.yaml"]);
    run(&["check", "rules", "alerts.yaml"]);
    run(&["test", "rules", "alerts_test.yaml"]);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let (alerts, tests) = (read("alerts.yaml"), read("alerts_test.yaml"));
    for name in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("- alertname: {name}\n")), "no test has {name} firing");
        assert!(tests.contains(&format!("{{alertname: {name}, ")), "no test has {name} silent");
    }
}
