//! authlib on both sides: an issuer of opaque tokens and of JWTs, which says what the opaque ones mean, and a client that gets
//! them and calls an API behind the gate.

use crate::provider::announced;
use crate::support::client::get_with;
use crate::support::envoy::{Envoy, Gate, cluster, resources, root};
use crate::support::issuer::AUDIENCE;
use crate::support::python;
use crate::support::server::Server;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};

/// The issuer in a separate process, which ends when its standard input is closed.
struct Issuer {
    process: Child,
    address: String,
}

impl Issuer {
    fn start() -> Self {
        let mut command = script("authlib_issuer.py");
        let (process, address) = announced(command.env("AUDIENCE", AUDIENCE));
        Self { process, address }
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn script(name: &str) -> Command {
    let mut command = Command::new(python::binary());
    command.arg(root().join("tests/e2e").join(name));
    command
}

/// A gate for the tokens of this issuer.
fn start(issuer: &Issuer) -> (Envoy, Server) {
    let address = issuer.address.split_once("://").unwrap().1.parse().unwrap();
    let gate = Gate::new(json!({
        "issuers": [{
            "issuer": issuer.address, "name": "authlib", "audiences": [AUDIENCE],
            "jwks": { "uri": format!("{}/jwks", issuer.address), "cluster": "issuer" },
            "introspection": {
                "uri": format!("{}/introspect", issuer.address), "cluster": "issuer", "client_id": "gate", "cache": "1s",
                "secret": { "env": "CLIENT_SECRET" }, "timeout": "5s",
            },
        }],
        "default": { "scopes": ["orders:read"] },
        "rules": [{ "match": { "path": "/write" }, "scopes": ["orders:write"] }],
        "forward": { "headers": { "x-auth-subject": "sub", "x-auth-scope": "scope" } },
    }));
    // It has to be encoded (RFC 6749 section 2.3.1).
    let variables = json!({ "CLIENT_SECRET": "a:b/c%+&" });
    let plugin = json!({ "vm_config": { "environment_variables": { "key_values": variables } } });
    let upstream = Server::echo(0).unwrap();
    let clusters = [cluster("upstream", upstream.address), cluster("issuer", address)];
    let envoy = Envoy::shared(&resources(&[Gate { plugin, ..gate }], &clusters));
    (envoy, upstream)
}

/// What the client was answered.
fn call(issuer: &Issuer, envoy: &Envoy, client: &str, secret: &str) -> Value {
    let gate = format!("http://{}", envoy.address());
    let output = script("authlib_client.py")
        .args([&issuer.address, &gate, client, secret])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
#[ignore = "needs authlib: make evidence-services"]
fn a_client_on_authlib_gets_opaque_tokens_and_jwts_of_authlib_and_each_is_judged() {
    let issuer = Issuer::start();
    let (envoy, _upstream) = start(&issuer);
    for (client, secret, is_opaque) in [("app", "app-secret", true), ("jwt", "jwt-secret", false)] {
        let said = call(&issuer, &envoy, client, secret);
        let token = said["token"].as_str().unwrap();
        assert_eq!(token.contains('.'), !is_opaque, "{token}");
        let read = &said["read"];
        assert_eq!(read["status"], 200, "{said}");
        assert_eq!(
            (&read["seen"]["x-auth-subject"], &read["seen"]["x-auth-scope"]),
            (&json!(client), &json!("orders:read"))
        );
        assert!(!read.to_string().contains(token), "the token is stripped");
        let refused = &said["read where write is asked for"];
        assert_eq!(refused["status"], 403, "{said}");
        let challenge = refused["challenge"].as_str().unwrap();
        assert!(
            challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"orders:write\""),
            "{challenge}"
        );
        assert_eq!(said["write"]["status"], 200, "{said}");
        assert_eq!(said["revocation"], 200, "{said}");
        // A JWT is good until its end, whatever its issuer has forgotten.
        assert_eq!(said["revoked"]["status"], if is_opaque { 401 } else { 200 }, "{said}");
        if is_opaque {
            let challenge = said["revoked"]["challenge"].as_str().unwrap();
            assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
            envoy.wait_for_log("reason=inactive unverified_issuer=authlib");
        }
        assert!(!envoy.log().contains(token), "no token is logged");
    }
    assert_eq!(get_with(envoy.address(), "/orders", "made-up").status, 401);
    assert!(!envoy.log().contains("a:b/c"), "no secret is logged");
}
