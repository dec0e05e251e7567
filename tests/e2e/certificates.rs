//! Tokens that are bound to a client certificate, with real ones: RFC 8705, over TLS 1.2 and 1.3.

use crate::gate::configuration;
use crate::support::client::{Response, head, read_response};
use crate::support::envoy::{Envoy, Gate, cluster, merge};
use crate::support::issuer::{Issuer, now};
use crate::support::server::Server;
use rcgen::{CertificateParams, CertifiedKey, DistinguishedName, DnType, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version};
use scopegate::base::base64url;
use scopegate::crypto::{Algorithm, sha256};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

pub const NAME: &str = "api.example.com";
const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

pub type Certificate = CertifiedKey<KeyPair>;

/// A certificate by itself. Each has a subject of its own, by which Envoy looks for who vouches for it.
pub fn certificate(name: &str) -> Certificate {
    certificate_with(name, None)
}

/// A certificate whose first alternative name of a URI is this.
pub fn certificate_with(name: &str, uri: Option<&str>) -> Certificate {
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.subject_alt_names.extend(uri.map(|uri| SanType::URI(uri.try_into().unwrap())));
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    let signing_key = KeyPair::generate().unwrap();
    CertifiedKey { cert: parameters.self_signed(&signing_key).unwrap(), signing_key }
}

/// The confirmation of a token that is bound to this certificate.
pub fn bound_to(certificate: &Certificate) -> Value {
    json!({ "x5t#S256": base64url::encode(&sha256(certificate.cert.der())) })
}

/// The listener over TLS, with this certificate and more in the context.
pub fn over_tls(mut listener: Value, server: &Certificate, more: &Value) -> Value {
    let mut context = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": { "tls_certificates": [{
            "certificate_chain": { "inline_string": server.cert.pem() },
            "private_key": { "inline_string": server.signing_key.serialize_pem() },
        }] },
    });
    merge(&mut context, more);
    listener["filter_chains"][0]["transport_socket"] =
        json!({ "name": "envoy.transport_sockets.tls", "typed_config": context });
    listener
}

/// A TLS context that asks for certificates, and takes these.
pub fn asking_for(certificates: &[Certificate]) -> Value {
    let trusted: String = certificates.iter().map(|one| one.cert.pem()).collect();
    json!({ "common_tls_context": { "validation_context": { "trusted_ca": { "inline_string": trusted } } } })
}

/// Certificates, issuer, upstream, and an Envoy with a listener for each way to ask for certificates, and one without TLS.
struct World {
    issuer: Issuer,
    server: Certificate,
    clients: [Certificate; 2],
    envoy: Envoy,
    _upstream: Server,
}

impl World {
    fn start(members: Value) -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let (server, clients) = (certificate(NAME), ["one.example.com", "two.example.com"].map(certificate));
        let upstream = Server::echo(0).unwrap();
        let listener = |name, context: Option<Value>| {
            let gate = Gate { name, ..Gate::new(configuration(&issuer, members.clone())) };
            match context {
                Some(more) => over_tls(gate.listener(), &server, &more),
                None => gate.listener(),
            }
        };
        let resources = json!({
            "listeners": [
                listener("asks", Some(asking_for(&clients))),
                listener("asks nobody", Some(json!({}))),
                listener("plain", None),
            ],
            "clusters": [cluster("upstream", upstream.address)],
        });
        let envoy = Envoy::start(&resources);
        Self { issuer, server, clients, envoy, _upstream: upstream }
    }

    fn token(&self, cnf: Value) -> String {
        self.issuer.token(now()).claim("cnf", cnf).sign()
    }

    fn client(&self, version: &'static SupportedProtocolVersion, own: Option<&Certificate>) -> Arc<ClientConfig> {
        client(&self.server, version, own)
    }

    /// The answer on a new connection.
    fn ask(&self, listener: &str, client: &Arc<ClientConfig>, headers: &[(&str, &str)]) -> Response {
        let answers = ask_on_one_connection(self.envoy.listener(listener), client, &[headers]);
        answers.into_iter().next().unwrap()
    }
}

/// A client that knows this server, and shows this certificate.
pub fn client(
    server: &Certificate,
    version: &'static SupportedProtocolVersion,
    own: Option<&Certificate>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(server.cert.der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    Arc::new(match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let chain: Vec<CertificateDer<'static>> = vec![own.cert.der().clone()];
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    })
}

pub fn ask_on_one_connection(
    address: SocketAddr,
    client: &Arc<ClientConfig>,
    requests: &[&[(&str, &str)]],
) -> Vec<Response> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let connection = ClientConnection::new(Arc::clone(client), ServerName::try_from(NAME).unwrap()).unwrap();
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    let mut answers = Vec::new();
    for headers in requests {
        reader.get_mut().write_all(&head("GET", "/", headers)).unwrap();
        answers.push(read_response(&mut reader, false).expect("an answer"));
    }
    answers
}

pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn a_stolen_token_is_of_no_use_without_the_certificate_that_it_is_bound_to() {
    let world = World::start(json!({}));
    let token = bearer(&world.token(bound_to(&world.clients[0])));
    let headers = [("authorization", token.as_str())];
    let hash = base64url::decode(bound_to(&world.clients[0])["x5t#S256"].as_str().unwrap().as_bytes()).unwrap();
    let hash = hash.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let forwarded = format!("Hash={hash}");
    let forged = [("authorization", token.as_str()), ("x-forwarded-client-cert", forwarded.as_str())];
    for version in VERSIONS {
        let [owner, thief] = [0, 1].map(|client: usize| world.client(version, Some(&world.clients[client])));
        let nobody = world.client(version, None);
        // The token is remembered after the first one; each further connection is resumed where TLS allows it.
        for _ in 0..3 {
            assert_eq!(world.ask("asks", &owner, &headers).status, 200, "{version:?}");
            for (listener, client) in [("asks", &thief), ("asks", &nobody), ("asks nobody", &owner)] {
                for sent in [&headers[..], &forged[..]] {
                    let answer = world.ask(listener, client, sent);
                    assert_eq!(answer.status, 401, "{version:?} {listener}");
                    let challenge = answer.header("www-authenticate").unwrap();
                    assert!(challenge.starts_with("Bearer realm=\"api\", error=\"invalid_token\""), "{challenge}");
                }
            }
        }
        // One connection, one certificate, several tokens.
        let other = bearer(&world.token(bound_to(&world.clients[1])));
        let asked = [&headers[..], &[("authorization", other.as_str())], &headers[..]];
        let answers = ask_on_one_connection(world.envoy.listener("asks"), &owner, &asked);
        assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 401, 200], "{version:?}");
    }
    let plain = crate::support::client::get(world.envoy.listener("plain"), "/", &headers);
    assert_eq!(plain.status, 401, "without TLS");
    world.envoy.wait_for_log("(the client showed no certificate)");
    let log = world.envoy.wait_for_log("(the client showed another certificate)");
    assert!(!log.contains(&hash), "no log has the digest of a certificate");
}

#[test]
fn what_senders_must_prove_is_what_the_configuration_asks() {
    let rules = json!([
        { "match": { "path": "/mtls" }, "sender_constraint": "mtls" },
        { "match": { "path": "/any" } },
        { "match": { "path": "/public" }, "public": true },
    ]);
    let world = World::start(json!({ "rules": rules, "default": { "sender_constraint": "required" } }));
    let client = world.client(&version::TLS13, Some(&world.clients[0]));
    let key = json!({ "jkt": bound_to(&world.clients[0])["x5t#S256"] });
    let ask = |target: &str, cnf: Value| {
        let token = bearer(&world.token(cnf));
        let stream = TcpStream::connect(world.envoy.listener("asks")).unwrap();
        let connection = ClientConnection::new(Arc::clone(&client), ServerName::try_from(NAME).unwrap()).unwrap();
        let mut reader = BufReader::new(StreamOwned::new(connection, stream));
        reader.get_mut().write_all(&head("GET", target, &[("authorization", &token)])).unwrap();
        read_response(&mut reader, false).unwrap().status
    };
    let mine = || bound_to(&world.clients[0]);
    let mut refused: BTreeMap<&str, u64> = BTreeMap::new();
    for (target, cnf, reason) in [
        ("/mtls", mine(), None),
        ("/mtls", Value::Null, Some("not_bound")),
        ("/mtls", key.clone(), Some("not_bound")),
        ("/other", mine(), None),
        ("/other", Value::Null, Some("not_bound")),
        ("/other", key.clone(), Some("proof_missing")),
        ("/other", json!({ "kid": "a" }), Some("bound_to_another")),
        ("/other", json!({}), Some("malformed_token")),
        ("/any", Value::Null, None),
        ("/any", key, Some("proof_missing")),
        ("/public", bound_to(&world.clients[1]), None),
    ] {
        let status = if reason.is_some() { 401 } else { 200 };
        assert_eq!(ask(target, cnf.clone()), status, "{target} {cnf}");
        reason.into_iter().for_each(|reason| *refused.entry(reason).or_default() += 1);
    }
    for (reason, times) in refused {
        assert_eq!(world.envoy.counter_of_at_least(&format!("scopegate.denied.{reason}"), times), times, "{reason}");
    }
}

#[test]
fn a_certificate_that_envoy_has_verified_stands_for_an_identity() {
    let (server, issuer) = (certificate(NAME), Issuer::new(Algorithm::Es256, "a"));
    let orders = certificate_with("orders.example.com", Some("spiffe://example.com/orders"));
    let (billing, pinned, stranger) =
        (certificate("billing.example.com"), certificate("pinned"), certificate("stranger.example.com"));
    let digest = sha256(pinned.cert.der()).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let members = json!({
        "credentials": [{ "name": "mesh", "mtls": {}, "scopes": ["orders:read"], "identities": [
            { "id": "orders", "secrets": [{ "uri": "spiffe://example.com/orders" }] },
            { "id": "billing", "secrets": [{ "dns": "billing.example.com" }] },
            { "id": "pinned", "subject": "worker", "secrets": [{ "sha256": digest }] },
        ] }],
        "default": { "credentials": { "any_of": ["mesh", "bearer"] }, "scopes": ["orders:read"] },
        "forward": { "headers": { "x-auth-subject": "sub", "x-auth-credential": "credential" } },
    });
    let upstream = Server::echo(0).unwrap();
    let clients = [&orders, &billing, &pinned, &stranger];
    let trusted: String = clients.iter().map(|one| one.cert.pem()).collect();
    let context =
        json!({ "common_tls_context": { "validation_context": { "trusted_ca": { "inline_string": trusted } } } });
    let listener = over_tls(Gate::new(configuration(&issuer, members)).listener(), &server, &context);
    let envoy = Envoy::start(&json!({ "listeners": [listener], "clusters": [cluster("upstream", upstream.address)] }));
    let token = format!("Bearer {}", issuer.token(now()).scope("orders:read").sign());
    for version in VERSIONS {
        let ask = |own: Option<&Certificate>, headers: &[(&str, &str)]| {
            let answers = ask_on_one_connection(envoy.address(), &client(&server, version, own), &[headers]);
            answers.into_iter().next().unwrap()
        };
        for (own, subject) in [(&orders, "orders"), (&billing, "billing"), (&pinned, "worker")] {
            let echoed = ask(Some(own), &[("x-auth-subject", "admin")]).echoed();
            assert_eq!(echoed.headers("x-auth-subject"), [subject]);
            assert_eq!(echoed.headers("x-auth-credential"), ["mesh"]);
        }
        let unknown = ask(Some(&stranger), &[]);
        assert_eq!(unknown.status, 401, "{unknown:?}");
        let by_token = ask(Some(&stranger), &[("authorization", &token)]).echoed();
        assert_eq!(by_token.headers("x-auth-credential"), ["bearer"]);
        assert_eq!(ask(None, &[("x-forwarded-client-cert", "URI=spiffe://example.com/orders")]).status, 401);
    }
    envoy.wait_for_log("credential=mtls credential_set=mesh");
}
