//! `scopegate check`: each mistake is found, and the file without it is not blamed.

use crate::world::{Run, folder, run, shipped};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Checks this text as `envoy.yaml`.
pub fn check(text: &str) -> Run {
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), text).unwrap();
    run(&["check", "envoy.yaml"], &folder)
}

/// The shipped file with one edit.
pub fn with(from: &str, to: &str) -> String {
    let text = shipped();
    assert!(text.contains(from), "{from:?} is not in the shipped file");
    text.replacen(from, to, 1)
}

/// The shipped file, which fetches the route configuration `main` instead of holding it.
pub fn with_routes_elsewhere() -> String {
    let text = shipped();
    let (before, rest) = text.split_once("          route_config:\n").unwrap();
    let (_, clusters) = rest.split_once("  clusters:\n").unwrap();
    let source = "config_source: {path_config_source: {path: routes.yaml}}";
    format!("{before}          rds: {{route_config_name: main, {source}}}\n\n  clusters:\n{clusters}")
}

#[test]
fn the_shipped_file_has_no_problems() {
    let checked = check(&shipped());
    assert_eq!((checked.status, checked.stdout.trim()), (0, "no problems found"), "{checked:?}");
}

#[test]
fn the_clusters_of_discovery_are_looked_for_too() {
    let shipped = fs::read_to_string("envoy/issuer-tls.yaml").unwrap();
    let checked = check(&shipped);
    assert_eq!(checked.status, 0, "{checked:?}");
    assert!(!checked.stdout.contains("error[") && !checked.stdout.contains("keys-in-plain-text"), "{checked:?}");
    let edit = |from: &str, to: &str| {
        assert!(shipped.contains(from), "{from}");
        check(&shipped.replacen(from, to, 1)).stdout
    };
    let missing = edit("{cluster: idp}", "{cluster: idp, jwks_cluster: elsewhere}");
    assert!(missing.contains("error[cluster-missing]") && missing.contains("names the cluster elsewhere"), "{missing}");
    let missing = edit("{cluster: idp}", "{cluster: nowhere, jwks_cluster: idp}");
    assert!(missing.contains("names the cluster nowhere"), "{missing}");
    let end = shipped.find("    transport_socket:").unwrap();
    let plain = check(&shipped[..end]).stdout;
    assert!(plain.contains("keys-in-plain-text") && plain.contains("the cluster idp"), "{plain}");
}

#[test]
fn the_clusters_of_revocation_lists_are_looked_for_too() {
    let shipped = fs::read_to_string("envoy/issuer-tls.yaml").unwrap();
    let with_list = |cluster: &str| {
        let list =
            format!("revocation: {{lists: [{{name: main, uri: \"https://l.example.com/r\", cluster: {cluster}}}]}}");
        let at = shipped.find("issuers:").unwrap();
        let indent = at - shipped[..at].rfind('\n').unwrap() - 1;
        format!("{}{list}\n{}{}", &shipped[..at], " ".repeat(indent), &shipped[at..])
    };
    let good = check(&with_list("idp"));
    assert!(good.status == 0 && !good.stdout.contains("revocations-in-plain-text"), "{good:?}");
    let missing = check(&with_list("nowhere"));
    assert!(missing.status == 1 && missing.stdout.contains("revocation.lists[0]"), "{missing:?}");
    assert!(
        missing.stdout.contains("error[cluster-missing]") && missing.stdout.contains("the cluster nowhere"),
        "{missing:?}"
    );
    let text = with_list("idp");
    let plain = check(&text[..text.find("    transport_socket:").unwrap()]).stdout;
    assert!(plain.contains("warning[revocations-in-plain-text]") && plain.contains("a revocation list"), "{plain}");
}

#[test]
fn every_problem_is_told_and_not_only_the_first() {
    let text = with("failure_policy: FAIL_RELOAD", "failure_policy: FAIL_OPEN")
        .replace("audiences: [https://api.example.com]", "audience: [https://api.example.com]")
        .replace("max_lifetime: 1h", "max_lifetime: 1");
    let checked = check(&text);
    assert_eq!(checked.stdout.matches("error[").count(), 4, "{}", checked.stdout);
    assert!(checked.stdout.ends_with("4 errors, 0 warnings\n"), "{}", checked.stdout);
}

#[test]
fn routes_may_stand_in_a_file_of_their_own() {
    let folder = folder();
    let listener = with_routes_elsewhere();
    fs::write(folder.join("listeners.yaml"), listener).unwrap();
    let routes = |metadata: &str| {
        format!(
            "resources:\n- \"@type\": type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n  name: main\n  virtual_hosts:\n  - name: api\n    domains: [\"*\"]\n    routes:\n    - name: internal\n      match: {{prefix: /}}\n      route: {{cluster: upstream}}\n      metadata: {{filter_metadata: {{scopegate: {metadata}}}}}\n    - name: everything\n      match: {{prefix: /}}\n      route: {{cluster: upstream}}\n"
        )
    };
    fs::write(folder.join("routes.yaml"), routes("{scopes: [a]}")).unwrap();
    let checked = run(&["check", "listeners.yaml", "routes.yaml"], &folder);
    assert_eq!(checked.stdout.trim(), "no problems found", "{checked:?}");
    fs::write(folder.join("routes.yaml"), routes("{scopes: a}")).unwrap();
    let checked = run(&["check", "listeners.yaml", "routes.yaml"], &folder);
    assert!(checked.stdout.starts_with("routes.yaml:11:"), "{}", checked.stdout);
    assert_eq!(checked.status, 1);
}

#[test]
fn plugin_configurations_and_kubernetes_resources_are_read_too() {
    let plugin = "issuers:\n- issuer: https://a/\n  audiences: [b]\n  jwks: {uri: https://a/keys, cluster: a}\n";
    let indented =
        |depth: usize| plugin.lines().map(|line| format!("{}{line}\n", " ".repeat(depth))).collect::<Vec<_>>().concat();
    let wasm = format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: scopegate}}\nspec:\n  pluginConfig:\n{}",
        indented(4)
    );
    let extension = wasm.replace("WasmPlugin", "TrafficExtension").replace("spec:\n", "spec:\n wasm:\n");
    let gateway = format!(
        "---\napiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nspec:\n  wasm:\n  - name: scopegate\n    config:\n{}---\nkind: Service\n",
        indented(6)
    );
    let json =
        r#"{"issuers":[{"issuer":"https://a/","audiences":["b"],"jwks":{"uri":"https://a/keys","cluster":"a"}}]}"#
            .to_owned();
    for text in [plugin.to_owned(), wasm, extension, gateway, json] {
        let checked = check(&text);
        assert_eq!((checked.status, checked.stdout.trim()), (0, "no problems found"), "{text}\n{checked:?}");
        let bad = check(&text.replace("audiences", "audience"));
        assert!(
            bad.stdout.contains("error[configuration]: ") && bad.stdout.contains("did you mean `audiences`?"),
            "{}",
            bad.stdout
        );
    }
}

#[test]
fn a_kubernetes_resource_that_fails_open_is_an_error() {
    let config = "{issuers: [{issuer: https://a/, audiences: [b], jwks: {uri: https://a/keys, cluster: a}}]}";
    for (kind, spec, good, line) in [
        ("WasmPlugin", "  failStrategy: FAIL_OPEN\n  pluginConfig: ", "FAIL_RELOAD", "a.yaml:3:3"),
        ("TrafficExtension", "  wasm:\n    failStrategy: FAIL_OPEN\n    pluginConfig: ", "FAIL_RELOAD", "a.yaml:4:5"),
        ("EnvoyExtensionPolicy", "  wasm:\n  - failOpen: true\n    config: ", "false", "a.yaml:4:5"),
    ] {
        let text = format!("kind: {kind}\nspec:\n{spec}{config}\n");
        let folder = folder();
        fs::write(folder.join("a.yaml"), &text).unwrap();
        let checked = run(&["check", "a.yaml"], &folder);
        assert!(
            checked.status == 1 && checked.stdout.starts_with(&format!("{line}: error[fails-open]")),
            "{checked:?}"
        );
        fs::write(folder.join("a.yaml"), text.replace("FAIL_OPEN", good).replace("true", good)).unwrap();
        assert_eq!(run(&["check", "a.yaml"], &folder).status, 0, "{kind}");
    }
}

/// The shipped file with this text as its configuration, in a `StringValue`.
fn with_text(value: &str) -> String {
    let text = shipped();
    let (before, rest) =
        text.split_once("                  \"@type\": type.googleapis.com/google.protobuf.Struct\n").unwrap();
    let (_, after) = rest.split_once("          - name: envoy.filters.http.router\n").unwrap();
    format!(
        "{before}                  \"@type\": type.googleapis.com/google.protobuf.StringValue\n                  value: \
         {value}\n          - name: envoy.filters.http.router\n{after}"
    )
}

#[test]
fn what_is_wrong_in_json_in_a_text_has_its_line_in_the_file() {
    let indent = " ".repeat(20);
    let good = [
        r#"{"issuers": [{"issuer": "https://a/", "audiences": ["b"],"#,
        r#"  "jwks": {"uri": "https://a/k", "cluster": "issuer"}}],"#,
        r#" "rules": [{"match": {"path": "/a"}, "public": true},"#,
        r#"   {"match": {"route": "nowhere"}, "deny": true}]}"#,
    ];
    let in_block = |lines: &[&str]| {
        let lines: Vec<String> = lines.iter().map(|line| format!("{indent}{line}")).collect();
        with_text(&format!("|\n{}", lines.join("\n")))
    };
    let line_of = |text: &str, part: &str| text.lines().position(|line| line.contains(part)).unwrap() + 1;
    let places = |text: &str| {
        let checked = check(text);
        checked
            .stdout
            .lines()
            .filter_map(|line| line.split_once(": ").map(|(place, _)| place.to_owned()))
            .collect::<Vec<_>>()
    };
    // A warning about a rule, and errors of the reader.
    let text = in_block(&good);
    let line = line_of(&text, "nowhere");
    assert_eq!(places(&text), [format!("envoy.yaml:{line}:24")], "{}", check(&text).stdout);
    let bad: Vec<String> =
        good.iter().map(|line| line.replace("audiences", "audience").replace("deny", "dney")).collect();
    let bad: Vec<&str> = bad.iter().map(String::as_str).collect();
    let text = in_block(&bad);
    let (first, last) = (line_of(&text, "\"audience\""), line_of(&text, "dney"));
    let wanted = [format!("envoy.yaml:{first}:34"), format!("envoy.yaml:{first}:59"), format!("envoy.yaml:{last}:56")];
    assert_eq!(places(&text), wanted, "{}", check(&text).stdout);
    // What is no JSON, in a block and in quotes on one line.
    let text = in_block(&[good[0], &good[1].replace(':', ""), good[2], good[3]]);
    assert!(check(&text).stdout.contains(&format!("envoy.yaml:{}:", line_of(&text, "uri"))), "{}", check(&text).stdout);
    let text = with_text(&format!("'{}'", good.concat().replace("audiences", "audience")));
    let line = line_of(&text, "\"audience\"");
    assert!(places(&text).iter().all(|place| place.starts_with(&format!("envoy.yaml:{line}:"))), "{text}");
    assert_eq!(places(&text).len(), 2, "{}", check(&text).stdout);
}

#[test]
fn nothing_in_a_file_steers_the_terminal_or_forges_a_line() {
    let text = with(
        "scopegate: {scopes: [orders:write]",
        "\"scopegate\\e[31m\\u202e\": 1\n                    scopegate: {scopes: [orders:write]",
    )
    .replace("cluster: issuer}", "cluster: \"is\\e]0;x\\asuer\\nb: error[x]\"}")
    .replace("name: internal", "name: \"inter\\e[31mnal\"");
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), text).unwrap();
    let safe = |said: &str| {
        said.chars().all(|character| character == '\n' || !character.is_control() && character != '\u{202e}')
    };
    let checked = run(&["check", "envoy.yaml"], &folder);
    assert!(checked.status == 1 && checked.stdout.contains("error[cluster-missing]"), "{checked:?}");
    assert!(safe(&checked.stdout) && !checked.stdout.contains("\nb: "), "{checked:?}");
    for more in [&[][..], &["--route", "none"]] {
        let explained = run(&[&["explain", "envoy.yaml", "--request", "GET /"], more].concat(), &folder);
        assert!(safe(&explained.stdout) && safe(&explained.stderr), "{explained:?}");
    }
}

#[test]
fn json_and_sarif_are_for_machines() {
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), with("failure_policy: FAIL_RELOAD", "failure_policy: FAIL_OPEN")).unwrap();
    let parse =
        |flag: &str| -> Value { serde_json::from_str(&run(&["check", flag, "envoy.yaml"], &folder).stdout).unwrap() };
    let json = parse("--json");
    assert_eq!((&json["errors"], &json["findings"][0]["rule"]), (&Value::from(1), &Value::from("fails-open")));
    let line = json["findings"][0]["line"].as_u64().unwrap();
    assert!(shipped().lines().nth(usize::try_from(line).unwrap() - 1).unwrap().contains("failure_policy"));
    let sarif = parse("--sarif");
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(
        (&sarif["version"], &result["ruleId"], &result["level"]),
        (&"2.1.0".into(), &"fails-open".into(), &"error".into())
    );
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], line);
}

#[test]
fn what_cannot_be_read_is_said_and_ends_with_two() {
    let folder = folder();
    fs::write(folder.join("bad.yaml"), "a: [1").unwrap();
    fs::write(folder.join("other.yaml"), "hello: world\n").unwrap();
    fs::write(folder.join("plain.yaml"), "static_resources: {listeners: []}\n").unwrap();
    for (file, words) in [
        ("missing.yaml", "cannot read missing.yaml"),
        ("bad.yaml", "bad.yaml:2:1: not YAML"),
        ("other.yaml", "neither a plugin configuration"),
        ("plain.yaml", "no Scopegate filter in it"),
    ] {
        let checked = run(&["check", file], &folder);
        assert_eq!(checked.status, 2, "{file}: {checked:?}");
        assert!(checked.stderr.contains(words), "{file}: {}", checked.stderr);
    }
    assert_eq!(run(&["check"], &folder).status, 2);
    let endless = run(&["check", "/dev/zero"], &folder);
    assert!(endless.status == 2 && endless.stderr.contains("/dev/zero is larger than 64 MB"), "{endless:?}");
}

/// The shipped file with so many routes, and with so many rules.
fn with_many(number: usize) -> [(&'static str, String); 2] {
    let (mut routes, mut rules) = (String::new(), String::new());
    for number in 0..number {
        routes.push_str(&format!(
            "              - name: r{number}\n                match: {{path_separated_prefix: /r{number}}}\n                route: {{cluster: upstream}}\n                metadata: {{filter_metadata: {{scopegate: {{scopes: [s{number}]}}}}}}\n"
        ));
        rules.push_str(&format!(
            "                    - match: {{path_separated_prefix: /r{number}}}\n                      scopes: [s{number}]\n"
        ));
    }
    let everything = "              - name: everything\n";
    let head = "                    rules:\n";
    [("routes", with(everything, &format!("{routes}{everything}"))), ("rules", with(head, &format!("{head}{rules}")))]
}

/// Seconds of processor time that these commands take, however busy the machine is.
fn effort(commands: &[&[&str]], folder: &Path) -> f64 {
    let lines: Vec<String> =
        commands.iter().map(|command| format!("{{ \"$0\" {} || :; }} >/dev/null\n", command.join(" "))).collect();
    let script = format!("{}times", lines.concat());
    let output = Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_scopegate")]).current_dir(folder).output();
    let output = String::from_utf8(output.unwrap().stdout).unwrap();
    let of_children = output.lines().last().unwrap();
    let seconds = |time: &str| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    of_children.split_whitespace().map(seconds).sum()
}

/// Ten times as many take eight times the effort. What compares each with each takes up to a hundred times.
#[test]
fn ten_thousand_routes_or_rules_are_no_burden() {
    let folder = folder();
    let efforts = [1000, 10_000].map(|number| {
        with_many(number).map(|(name, text)| {
            let file = format!("{name}-{number}.yaml");
            fs::write(folder.join(&file), text).unwrap();
            let checked = run(&["check", &file], &folder);
            assert_eq!(checked.stdout.trim(), "no problems found", "{name}");
            let request = format!("GET /r{}/x", number - 1);
            let explained = run(&["explain", &file, "--request", &request, "--route", "everything"], &folder);
            assert!(explained.status == 1 && explained.stdout.contains("no_credential"), "{name}: {explained:?}");
            assert_eq!(run(&["matrix", &file], &folder).status, 0, "{name}");
            let explain = ["explain", &file, "--request", "'GET /r999/x'", "--route", "everything"];
            effort(&[&["check", &file], &explain, &["matrix", &file]], &folder)
        })
    });
    for (of_few, of_many) in efforts[0].iter().zip(efforts[1]) {
        assert!(of_many < of_few * 20.0, "{efforts:?}");
    }
}
