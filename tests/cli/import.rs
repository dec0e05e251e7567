//! `scopegate credentials import`: the keys of another program become digests.

use crate::world::{Run, folder, run};
use std::fs::write;
use std::path::Path;

/// Runs the import, and makes sure that no key is shown.
fn import(folder: &Path, more: &[&str]) -> Run {
    let told = run(&[&["credentials", "import"], more].concat(), folder);
    assert!(!told.stdout.contains("0123456789") && !told.stderr.contains("0123456789"), "{told:?}");
    told
}

const ENVOY: &str = "
http_filters:
- name: envoy.filters.http.api_key_auth
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth
    key_sources: [{header: Authorization}, {header: X-Key}]
    credentials:
    - {key: sk-live_0123456789-0123456789, client: acme}
    - {key: sk-live_0123456789-abcdefghij, client: acme}
    - {key: sk-test_0123456789-abcdefghij, client: globex}
";

#[test]
fn a_gate_takes_the_set_of_an_envoy_filter_and_its_keys() {
    let folder = folder();
    write(folder.join("envoy.yaml"), ENVOY).unwrap();
    let told = import(&folder, &["envoy.yaml"]);
    assert_eq!(told.status, 0, "{told:?}");
    assert!(told.stdout.contains(r#"api_key: [{scheme: Bearer, prefix: "sk-"}, {header: "x-key"}]"#), "{told:?}");
    let gate = format!(
        "credentials:\n{}\ndefault: {{credentials: partners}}\nforward: {{headers: {{x-sub: sub}}}}\n",
        told.stdout
    );
    write(folder.join("gate.yaml"), gate).unwrap();
    for (header, whose) in [
        ("authorization: Bearer sk-live_0123456789-abcdefghij", Some("acme")),
        ("x-key: sk-live_0123456789-0123456789", Some("acme")),
        ("x-key: sk-test_0123456789-abcdefghij", Some("globex")),
        ("x-key: sk-test_0123456789-abcdefghik", None),
    ] {
        let told = run(&["explain", "gate.yaml", "--request", "GET /", "--header", header], &folder);
        assert_eq!(told.status, i32::from(whose.is_none()), "{header}: {told:?}");
        assert!(whose.is_none_or(|whose| told.stdout.contains(whose)), "{header}: {told:?}");
    }
}

#[test]
fn what_no_gate_should_accept_is_left_out_and_named_and_never_shown() {
    let folder = folder();
    let lines = "# from the old gateway\n\nacme: acme-0123456789abcdef\nacme:acme-0123456789abcdef\nweak:0123456789\n\
        spaced:0123456789 0123456789\none:shared-0123456789abc\ntwo:shared-0123456789abc\n0123456789abcdefghijk\n";
    write(folder.join("keys.txt"), lines).unwrap();
    let told = import(&folder, &["keys.txt", "--name", "a b", "--header", "X-Partner"]);
    assert_eq!(told.status, 1, "{told:?}");
    for wanted in [
        "# 1 keys of 1 identities",
        "# Left out: line 9: it is not `ID:KEY`",
        "# Left out: line 5: the key of \"weak\" is shorter than 20 characters",
        "# Left out: line 6: the key of \"spaced\" is not visible ASCII",
        "# Left out: line 7: the key of \"one\" is that of another identity too",
        "# Left out: line 8: the key of \"two\" is that of another identity too",
        "- name: \"a b\"\n  api_key: {header: \"x-partner\"}\n",
    ] {
        assert!(told.stdout.contains(wanted), "{wanted}: {}", told.stdout);
    }
    assert_eq!(told.stdout.matches("sha256").count(), 1, "{}", told.stdout);
}

#[test]
fn a_file_without_keys_is_an_error_and_so_are_keys_that_look_like_tokens() {
    let folder = folder();
    write(folder.join("none.yaml"), "static_resources: {}\n").unwrap();
    write(folder.join("none.txt"), "# nothing\n").unwrap();
    for file in ["none.yaml", "none.txt", "missing.txt"] {
        let told = import(&folder, &[file]);
        assert!(told.status == 2 && told.stderr.contains(file) && told.stdout.is_empty(), "{told:?}");
    }
    write(folder.join("envoy.yaml"), ENVOY.replace("sk-test_", "pk-test_").replace("{header: X-Key}", "{query: key}"))
        .unwrap();
    let told = import(&folder, &["envoy.yaml"]);
    assert_eq!(told.status, 1, "{told:?}");
    for wanted in ["cannot be told from tokens", "key_sources[1]: keys in query strings"] {
        assert!(told.stdout.contains(wanted), "{told:?}");
    }
}
