//! What `--help` says: every command has examples, and every example runs.

use crate::support::issuer::Issuer;
use crate::support::server::{Answer, Server};
use crate::world::{folder, run, shipped};
use scopegate::config::read_yaml;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs::{create_dir_all, write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The commands, with those below others, in an order in which files are there that examples name.
pub const COMMANDS: [&[&str]; 23] = [
    &["check"],
    &["explain"],
    &["sign"],
    &["test"],
    &["matrix"],
    &["migrate"],
    &["tail"],
    &["report"],
    &["token", "mint"],
    &["token", "inspect"],
    &["token", "revoke"],
    &["revocations", "build"],
    &["revocations", "show"],
    &["jwks", "generate"],
    &["jwks", "public"],
    &["jwks", "inspect"],
    &["jwks", "fetch"],
    &["credentials", "new"],
    &["credentials", "hash"],
    &["credentials", "import"],
    &["credentials", "sign"],
    &["completions"],
    &["man"],
];

fn help(command: &[&str]) -> String {
    let told = run(&[command, &["--help"]].concat(), Path::new("."));
    assert_eq!(told.status, 0, "{told:?}");
    told.stdout
}

/// The file of cases that the help of `test` shows.
pub fn cases() -> String {
    let help = help(&["test"]);
    let (_, file) = help.split_once("\n  config: ").unwrap();
    let (file, _) = file.split_once("\n\n").unwrap();
    format!("config: {}", file.replace("\n  ", "\n"))
}

#[test]
fn every_command_is_here() {
    let listed = |above: &[&str]| -> Vec<String> {
        let help = help(above);
        let (_, commands) = help.split_once("Commands:\n").unwrap();
        let lines = commands.lines().take_while(|line| !line.is_empty());
        let names = lines.map(|line| line.split_whitespace().next().unwrap().to_owned());
        names.filter(|name| name != "help").map(|name| [above.join(" "), name].join(" ").trim().to_owned()).collect()
    };
    let mut all = listed(&[]);
    for above in ["token", "jwks", "revocations", "credentials"] {
        all.retain(|name| name != above);
        all.extend(listed(&[above]));
    }
    let mut here: Vec<String> = COMMANDS.iter().map(|command| command.join(" ")).collect();
    all.sort();
    here.sort();
    assert_eq!(all, here);
}

#[test]
fn every_example_runs() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let keys = issuer.jwks();
    let server = Server::start(0, move |received| match received.method.as_str() {
        "POST" => Answer::status(202),
        _ => Answer::json(&keys),
    })
    .unwrap();
    let uri = format!("http://{}/jwks.json", server.address);
    let events = format!("http://{}/.well-known/scopegate/events", server.address);
    let folder = files(&issuer, &uri);
    for command in COMMANDS {
        let help = help(command);
        let (_, examples) = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{command:?} has none:\n{help}"));
        let examples = examples.replace("\\\n", " ");
        let start = format!("scopegate {}", command.join(" "));
        let mut count = 0;
        for example in examples
            .lines()
            .map(str::trim)
            .filter(|line| line.starts_with("scopegate ") || line.contains("| scopegate ") || line.contains("_SECRET="))
        {
            let example = example.replace("https://idp.example.com/jwks.json", &uri).replace("/var/www/", "./");
            let example = ["1", "2"].iter().fold(example, |example, gate| {
                let address = format!("https://gate-{gate}.example.com/.well-known/scopegate/events");
                example.replace(&address, &events)
            });
            // A file is followed until the command is ended.
            let follows = command == ["tail"] && !example.contains("--no-follow");
            let example = if follows { example.replace("scopegate tail", "timeout 1 scopegate tail") } else { example };
            let said = shell(&folder, &example);
            if follows && said.0 == 124 {
                count += 1;
                continue;
            }
            // A refusal is an answer, and the first of the commands may be another one that makes a key.
            let may_refuse = matches!(command, ["explain"] | ["token", "inspect"]);
            assert!(said.0 == 0 || may_refuse && said.0 == 1, "{example}: {said:?}");
            count += usize::from(example.contains(&start));
        }
        assert!(count > 0, "{command:?}:\n{help}");
    }
}

/// Runs a line with the command in the path, and gives its exit status and what it said.
fn shell(folder: &Path, line: &str) -> (i32, String) {
    let binary = Path::new(env!("CARGO_BIN_EXE_scopegate")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    // `man` may be missing; another test holds what it is given.
    let line = line.replace("| man -l -", "| grep -q TH");
    let output = Command::new("sh")
        .args(["-c", &line])
        .current_dir(folder)
        .env("PATH", path)
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// All files that examples name.
fn files(issuer: &Issuer, uri: &str) -> PathBuf {
    let folder = folder();
    let file = |name: &str, text: &str| write(folder.join(name), text).unwrap();
    create_dir_all(folder.join("envoy")).unwrap();
    file("envoy/envoy.yaml", &shipped());
    file("envoy.yaml", &shipped());
    file("orders.test.yaml", &cases());
    file("partners.json", "{\"identities\": []}");
    let params = json!({ "name": "get_weather" });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    file("call.json", &call.to_string());
    file("key.txt", "sk-0123456789abcdefghij\n");
    file("keys.txt", "acme:sk-0123456789abcdefghij\n");
    let filter = "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth";
    file(
        "old-envoy.yaml",
        &format!("'@type': {filter}\ncredentials: [{{client: acme, key: sk-0123456789abcdefghij}}]\n"),
    );
    let rule = "rules: [{match: {prefix: /}, requires: {provider_name: idp}}]";
    let old = crate::migrate::envoy(&crate::migrate::jwt(rule), crate::migrate::EVERY);
    file("old.yaml", &old);
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/migrate/istio/healthz.yaml");
    file("policies.yaml", &std::fs::read_to_string(policies).unwrap());
    file("jwks.json", &issuer.jwks().to_string());
    file("token.txt", &issuer.token(1_795_255_200).sign());
    let resources = |resources: &[Value]| json!({ "resources": resources }).to_string();
    let mut whole = read_yaml(&shipped()).unwrap().value.to_json();
    let clusters = whole["static_resources"]["clusters"].take();
    let mut listener = whole["static_resources"]["listeners"][0].take();
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    let mut routes = manager.as_object_mut().unwrap().remove("route_config").unwrap();
    routes["name"] = "main".into();
    manager["rds"] = json!({ "route_config_name": "main", "config_source": { "ads": {} } });
    let plugin = &mut manager["http_filters"][1]["typed_config"];
    let issuers = &mut plugin["config"]["configuration"]["value"]["issuers"];
    issuers[0]["name"] = "idp".into();
    issuers[0]["jwks"]["uri"] = uri.into();
    let mut alone = plugin["config"]["configuration"]["value"].clone();
    let list = json!({ "name": "main", "uri": "https://lists.example.com/revoked.jsonl", "cluster": "lists" });
    alone["revocation"] = json!({ "lists": [list] });
    file("scopegate.yaml", &alone.to_string());
    let record = json!({ "decision": "allow", "route": "orders", "subject": "alice", "client_id": "web",
                         "fingerprint": "FvdA9cRn0Ls45XKidPuQiq" });
    for name in ["access.log", "access.log.1"] {
        file(name, &format!("{}\n", json!({ "details": "via_upstream", "scopegate": record })));
    }
    file("revoked.jsonl", "{\"entries_at_least\":0}\n");
    let extension = json!({ "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                            "name": "scopegate", "typed_config": plugin });
    file("filters.yaml", &resources(&[extension]));
    file("listeners.yaml", &resources(&[listener]));
    file("routes.yaml", &resources(&[routes]));
    file("clusters.yaml", &resources(clusters.as_array().unwrap()));
    folder
}
