//! What the commands know of identities that the gate fetches: offline they are read from files, as the gate reads them.

use crate::world::{envoy, folder, run};
use std::fs::write;
use std::path::Path;

/// The SHA-256 of `sk-0123456789abcdefghij`, by sha256sum.
const DIGEST: &str = "9b21de11b07dc56b7710253ad213adf9cd34e8ea36c5c53a6c81713139f2b10c";
const KEY: &str = "x-api-key: sk-0123456789abcdefghij";
const DEFAULT: &str =
    "default: {credentials: {any_of: [partners, mesh]}, scopes: [orders:read]}\nforward: {headers: {x-sub: sub}}\n";

fn set(name: &str, header: &str, more: &str) -> String {
    format!(
        "- {{name: {name}, api_key: {{header: {header}}}, identities: {{uri: 'http://ids.example.com/{name}', cluster: ids{more}}}}}\n"
    )
}

/// A configuration with two sets whose identities are fetched, of which the first has these members.
fn gate(more: &str) -> String {
    format!("credentials:\n{}{}{DEFAULT}", set("partners", "x-api-key", more), set("mesh", "x-mesh", ""))
}

fn document(digest: &str) -> String {
    format!(
        r#"{{"identities": [{{"id": "acme-1", "subject": "acme", "scopes": ["orders:read"], "secrets": [{{"sha256": "{digest}"}}]}}]}}"#
    )
}

fn explain(folder: &Path, more: &[&str]) -> crate::world::Run {
    let arguments =
        ["explain", "gate.yaml", "--request", "GET /orders", "--header", KEY, "--at", "2026-01-01T00:00:00Z"];
    run(&[&arguments[..], more].concat(), folder)
}

#[test]
fn explain_waits_for_a_document_and_judges_by_it() {
    let folder = folder();
    write(folder.join("gate.yaml"), gate("")).unwrap();
    write(folder.join("partners.json"), document(DIGEST)).unwrap();
    write(folder.join("other.json"), document(&DIGEST.replace('9', "8"))).unwrap();
    let none = explain(&folder, &[]);
    assert_eq!(none.status, 1, "{none:?}");
    assert!(none.stdout.contains("the identities of partners: give their document with --identities"), "{none:?}");
    let json = explain(&folder, &["--json"]);
    assert!(json.stdout.contains("\"awaits_identities_of\": \"partners\""), "{json:?}");
    let good = explain(&folder, &["--identities", "partners=partners.json"]);
    assert!(good.status == 0 && good.stdout.contains("x-sub") && good.stdout.contains("acme"), "{good:?}");
    let other = explain(&folder, &["--identities", "partners=other.json"]);
    assert!(other.status == 1 && other.stdout.contains("unknown_identity"), "{other:?}");
    for (given, why) in [
        (&["partners.json"][..], "say whose identities these are, as NAME=FILE; one of partners, mesh"),
        (&["partners=missing.json"], "cannot read missing.json"),
        (
            &["partners=gate.yaml"],
            "gate.yaml: a gate refuses these identities: it is not the document of the identities",
        ),
        (&["partners=partners.json", "partners=other.json"], "the identities of partners are given twice"),
        (&["partners=partners.json", "mesh=partners.json"], "identities[0] has the secret of another entry"),
    ] {
        let options: Vec<&str> = given.iter().flat_map(|given| ["--identities", given]).collect();
        let refused = explain(&folder, &options);
        assert!(refused.status == 2 && refused.stderr.contains(why), "{given:?}: {refused:?}");
    }
    write(
        folder.join("gate.yaml"),
        "issuers: [{issuer: a, audiences: [b], secrets: [{env: S}], algorithms: [HS256]}]\n",
    )
    .unwrap();
    let none = explain(&folder, &["--identities", "partners.json"]);
    assert!(none.status == 2 && none.stderr.contains("this configuration fetches no identities"), "{none:?}");
}

#[test]
fn a_document_that_the_command_signs_is_the_one_that_a_gate_takes() {
    let folder = folder();
    let key = run(&["jwks", "generate", "--kid", "ids"], &folder);
    write(folder.join("key.json"), &key.stdout).unwrap();
    let public = run(&["jwks", "public", "key.json"], &folder).stdout;
    write(folder.join("gate.yaml"), gate(&format!(", signed_by: {}", public.trim()))).unwrap();
    write(folder.join("partners.json"), document(DIGEST)).unwrap();
    let sign = |more: &[&str]| {
        let arguments = ["credentials", "sign", "partners.json", "--key", "key.json", "--at", "2025-12-31T23:00:00Z"];
        run(&[&arguments[..], more].concat(), &folder)
    };
    for (more, wanted) in [
        (&["--set", "partners"][..], None),
        (&["--set", "partners", "--expires-in", "61m"], None),
        (&["--set", "partners", "--expires-in", "59m"], Some("it has expired")),
        (&["--set", "mesh"], Some("its `sub` is not the name of the set")),
    ] {
        let signed = sign(more);
        assert_eq!(signed.status, 0, "{signed:?}");
        write(folder.join("partners.jwt"), &signed.stdout).unwrap();
        let told = explain(&folder, &["--identities", "partners=partners.jwt"]);
        match wanted {
            None => assert_eq!(told.status, 0, "{told:?}"),
            Some(why) => assert!(told.status == 2 && told.stderr.contains(why), "{more:?}: {told:?}"),
        }
    }
    let unsigned = explain(&folder, &["--identities", "partners=partners.json"]);
    assert!(unsigned.stderr.contains("it is not signed, and `signed_by` asks for a signature"), "{unsigned:?}");
    assert_eq!(sign(&["--set", "partners", "--expires-in", "soon"]).status, 2);
    write(folder.join("partners.json"), r#"{"identities": [], "keys": []}"#).unwrap();
    let more = sign(&["--set", "partners"]);
    assert!(more.status == 2 && more.stderr.contains("it has members beside `identities`"), "{more:?}");
    for (secret, wanted) in [
        (r#""sk-0123456789abcdefghij""#, Some("identities[0].secrets[0]: is a secret as it is")),
        (r#"{"env": "KEY"}"#, Some("names an environment variable, and a document has hashes only")),
        (r#"{"dns": "a.example.com"}"#, None),
        (
            r#"{"pbkdf2": "$pbkdf2-sha256$6400$.6UI/S.nXIk8jcbdHx3Fhg$98jZicV16ODfEsEZeYPGHU3kbrUrvUEXOPimVSQDD44"}"#,
            None,
        ),
    ] {
        write(folder.join("partners.json"), format!(r#"{{"identities": [{{"id": "a", "secrets": [{secret}]}}]}}"#))
            .unwrap();
        let told = sign(&["--set", "partners"]);
        match wanted {
            None => assert_eq!(told.status, 0, "{told:?}"),
            Some(why) => assert!(told.status == 2 && told.stderr.contains(why), "{secret}: {told:?}"),
        }
        assert!(!told.stderr.contains("0123456789"), "{told:?}");
    }
}

#[test]
fn cases_have_the_identities_in_files_beside_them() {
    let folder = folder();
    write(folder.join("gate.yaml"), gate("")).unwrap();
    write(folder.join("partners.json"), document(DIGEST)).unwrap();
    let cases = |identities: &str, expected: &str| {
        let text = format!(
            "config: gate.yaml\n{identities}cases:\n- {{name: a, request: {{path: /orders, headers: {{{KEY}}}}}, expect: {{{expected}}}}}\n"
        );
        write(folder.join("cases.yaml"), text).unwrap();
        run(&["test", "cases.yaml"], &folder)
    };
    let given = "identities: {partners: partners.json}\n";
    let good = cases(given, "status: 200, headers: {x-sub: acme}");
    assert_eq!(good.status, 0, "{good:?}");
    assert!(good.stdout.contains("the identities of mesh are fetched by the gate"), "{good:?}");
    let unknown = cases("", "status: 503, reason: identities_unavailable");
    assert_eq!(unknown.status, 0, "{unknown:?}");
    let strange = cases("identities: {nobody: partners.json}\n", "status: 200");
    assert!(
        strange.status == 2 && strange.stderr.contains("nobody is no set whose identities are fetched"),
        "{strange:?}"
    );
    let list = cases("identities: [partners.json]\n", "status: 200");
    assert!(list.status == 2 && list.stderr.contains("names of sets, each with its file"), "{list:?}");
}

#[test]
fn identities_do_not_come_from_another_machine_in_plain_text() {
    let folder = folder();
    let check = |text: &str| {
        write(folder.join("envoy.yaml"), text).unwrap();
        run(&["check", "envoy.yaml"], &folder)
    };
    let one = |more: &str| {
        format!("credentials:\n{}default: {{credentials: partners}}\n", set("partners", "x-api-key", more))
    };
    let plain = check(&envoy(&one(""), "ids", "ids.example.com", ""));
    assert!(plain.status == 1 && plain.stdout.contains("error[identities-in-plain-text]"), "{plain:?}");
    let local = check(&envoy(&one(""), "ids", "127.0.0.1", ""));
    assert!(local.status == 0 && !local.stdout.contains("identities-in-plain-text"), "{local:?}");
    let tls = "    transport_socket: {name: t, typed_config: {'@type': type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}}\n";
    let tls = check(&envoy(&one(""), "ids", "ids.example.com", tls));
    assert!(!tls.stdout.contains("identities-in-plain-text"), "{tls:?}");
    let key = "{keys: [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}";
    let signed = check(&envoy(&one(&format!(", signed_by: {key}")), "ids", "ids.example.com", ""));
    assert!(signed.stdout.contains("warning[identities-in-plain-text]"), "{signed:?}");
    let missing = check(&envoy(&one("").replace("cluster: ids", "cluster: other"), "ids", "127.0.0.1", ""));
    assert!(missing.stdout.contains("error[cluster-missing]"), "{missing:?}");
}
