//! TLS with a client certificate: the load has none, so another Envoy, on the core of the load, sends it on with one.

use super::super::machine::Cores;
use super::super::support::envoy::{Envoy, cluster, listener, merge};
use super::{Kind, gate_name};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use scopegate::base::base64url;
use scopegate::crypto::sha256;
use serde_json::{Value, json};

/// The certificates of both sides.
pub struct Front {
    server: CertifiedKey<KeyPair>,
    client: CertifiedKey<KeyPair>,
}

impl Front {
    pub fn new() -> Self {
        let certificate = |name: &str| generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        Self { server: certificate("api.example.com"), client: certificate("client.example.com") }
    }

    /// The digest of the client's certificate, as a token has it.
    pub fn thumbprint(&self) -> String {
        base64url::encode(&sha256(self.client.cert.der()))
    }

    /// The listener over TLS, which asks for the certificate.
    pub fn over_tls(&self, mut listener: Value) -> Value {
        let context = context("Downstream", &self.server, &self.client, &json!({ "require_client_certificate": true }));
        listener["filter_chains"][0]["transport_socket"] = context;
        listener
    }

    /// Starts it before the gates that are over TLS.
    pub fn start(&self, cores: &Cores, kinds: &[Kind], gates: &Envoy) -> Envoy {
        let (mut listeners, mut clusters) = (Vec::new(), Vec::new());
        for Kind { name, .. } in kinds.iter().filter(|kind| kind.is_over_tls) {
            let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": name } }]);
            listeners.push(listener(name, &[], &routes, &json!({}), &json!({ "access_log": [] })));
            let mut gate = cluster(name, gates.listener(&gate_name(name)));
            gate["transport_socket"] =
                context("Upstream", &self.client, &self.server, &json!({ "sni": "api.example.com" }));
            clusters.push(gate);
        }
        let bootstrap = json!({
            "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
            "static_resources": { "listeners": listeners, "clusters": clusters },
        });
        let pin = cores.for_load();
        let pin: Vec<&str> = pin.iter().map(String::as_str).collect();
        let started = Envoy::launch(&bootstrap.to_string(), 1, &pin, &[]);
        started.unwrap_or_else(|log| panic!("the front did not start:\n{log}"))
    }
}

/// The transport socket of one side, which has this certificate and trusts that one.
fn context(side: &str, own: &CertifiedKey<KeyPair>, trusted: &CertifiedKey<KeyPair>, more: &Value) -> Value {
    let mut context = json!({
        "@type": format!("type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.{side}TlsContext"),
        "common_tls_context": {
            "tls_certificates": [{
                "certificate_chain": { "inline_string": own.cert.pem() },
                "private_key": { "inline_string": own.signing_key.serialize_pem() },
            }],
            "validation_context": { "trusted_ca": { "inline_string": trusted.cert.pem() } },
        },
    });
    merge(&mut context, more);
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": context })
}
