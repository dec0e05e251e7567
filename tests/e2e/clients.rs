//! Real clients, npm `openid-client` and `oauth4webapi`, with tokens of a real provider, npm `oidc-provider`: bound to a key
//! (RFC 9449, with nonces of provider and gate) or to a certificate (RFC 8705), all over TLS. The provider binds no token to
//! both.

use crate::certificates::{Certificate, asking_for, certificate, over_tls};
use crate::provider::Provider;
use crate::support::envoy::{Envoy, Gate, cluster, root};
use crate::support::node;
use crate::support::server::Server;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// Of the gate's nonces: 32 bytes.
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// Names a client, and gives what it was answered in turn and who the upstream took it for.
type Answered = BTreeMap<String, (Vec<String>, Vec<String>)>;

fn start(
    provider: &Provider,
    of_provider: &Certificate,
    server: &Certificate,
    clients: &[Certificate],
) -> (Envoy, Server) {
    let upstream = Server::echo(0).unwrap();
    let gate = Gate::new(json!({
        "issuers": [{
            "issuer": provider.issuer, "name": "provider", "audiences": ["https://es.example.com", "https://opaque.example.com"],
            "jwks": { "discovery": { "cluster": "provider" } },
            "introspection": {
                "uri": format!("{}/token/introspection", provider.issuer), "cluster": "provider",
                "client_id": "gate", "secret": { "env": "CLIENT_SECRET" }, "timeout": "5s",
            },
            // Of client credentials the provider says no `sub`, where the token is opaque.
            "required_claims": ["client_id"],
        }],
        "default": { "scopes": ["orders:read"], "sender_constraint": "required" },
        "dpop": { "origins": ["https://api.example.com"], "nonce": { "secret": { "env": "NONCES" } } },
        "forward": { "headers": { "x-auth-client": "client_id" } },
    }));
    let plugin = json!({ "vm_config": { "environment_variables": { "key_values": { "NONCES": SECRET, "CLIENT_SECRET": "a b:c/%+&" } } } });
    let listener = over_tls(Gate { plugin, ..gate }.listener(), server, &asking_for(clients));
    let mut keys = cluster("provider", provider.address);
    keys["transport_socket"] = json!({ "name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        "common_tls_context": { "validation_context": { "trusted_ca": { "inline_string": of_provider.cert.pem() } } },
    } });
    let envoy = Envoy::try_start(
        &json!({ "listeners": [listener], "clusters": [cluster("upstream", upstream.address), keys] }),
        2,
    );
    // A proof of the second in which the store began could have been used before it.
    thread::sleep(Duration::from_secs(2));
    (envoy.unwrap_or_else(|log| panic!("{log}")), upstream)
}

fn run(world: &Value) -> Answered {
    let mut command = Command::new(node::binary());
    command.arg(root().join("tests/e2e/clients.mjs")).env("PACKAGES", node::packages()).env("WORLD", world.to_string());
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let words =
        |value: &Value| value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect();
    let lines = String::from_utf8(output.stdout).unwrap();
    let read = |line: &str| {
        let said: Value = serde_json::from_str(line).unwrap();
        (said["name"].as_str().unwrap().to_owned(), (words(&said["answers"]), words(&said["subjects"])))
    };
    lines.lines().map(read).collect()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn real_clients_prove_that_they_hold_the_key_or_the_certificate_of_their_token() {
    let [of_provider, server] = ["127.0.0.1", "api.example.com"].map(certificate);
    let clients = ["one.example.com", "two.example.com"].map(certificate);
    let provider = Provider::start_secure(&of_provider.cert.pem(), &of_provider.signing_key.serialize_pem());
    let (envoy, _upstream) = start(&provider, &of_provider, &server, &clients);
    let pair = |one: &Certificate| json!({ "cert": one.cert.pem(), "key": one.signing_key.serialize_pem() });
    let mut answered = run(&json!({
        "issuer": provider.issuer,
        "gate": envoy.address().port(),
        "trusted": [of_provider.cert.pem(), server.cert.pem()],
        "certificates": clients.each_ref().map(pair),
    }));
    let mut expect = |name: &str, answers: &[&str], subjects: &[&str]| {
        let (got, by) = answered.remove(name).unwrap_or_else(|| panic!("{name} did not run"));
        assert_eq!((got, by), (texts(answers), texts(subjects)), "{name}");
    };
    // Provider and gate ask for a nonce each, once: the next proofs have it.
    let asked_once =
        ["/token 400 use_dpop_nonce", "/token 200", "/orders 401 use_dpop_nonce", "/orders 200", "/orders 200"];
    for algorithm in ["ES256", "Ed25519", "RS256", "PS256"] {
        let answers = [&asked_once[..], &["/orders 200"]].concat();
        expect(&format!("openid-client {algorithm}"), &answers, &["demo"; 3]);
    }
    expect("oauth4webapi ES256", &asked_once, &["demo"; 2]);
    let refused = ["/orders 401 invalid_token", "OAUTH_WWW_AUTHENTICATE_CHALLENGE"];
    expect("openid-client, opaque", &[&asked_once[..], &refused].concat(), &["demo"; 2]);
    let refused = ["/orders 401 invalid_token", "OAUTH_WWW_AUTHENTICATE_CHALLENGE"];
    expect("a thief with a key", &refused, &[]);
    expect("a thief without one", &refused, &[]);
    let bound = ["/token 200"];
    expect("its certificate", &[&bound[..], &["/orders 200"]].concat(), &["certified"]);
    expect("another certificate", &[&bound[..], &refused].concat(), &[]);
    expect("no certificate", &[&bound[..], &refused].concat(), &[]);
    assert!(answered.is_empty(), "{answered:?}");
    for reason in ["use_nonce", "bound_to_another", "proof_missing", "certificate_mismatch"] {
        envoy.wait_for_log(&format!("401 scopegate_{reason} "));
    }
}
