//! Tokens that are bound to the certificate of a client whose TLS connection ends at another proxy: two Envoys in a row.

use crate::certificates::{
    Certificate, NAME, ask_on_one_connection, bearer, bound_to, certificate, certificate_with, client,
};
use crate::gate::configuration;
use crate::support::client::{Response, head, read_response};
use crate::support::envoy::{Envoy, Gate, cluster, listener, merge};
use crate::support::issuer::{Issuer, now};
use crate::support::server::Server;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned, version};
use scopegate::crypto::{Algorithm, sha256};
use serde_json::{Value, json};
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const XFCC: &str = "x-forwarded-client-cert";
pub const FRONT_URI: &str = "spiffe://example.com/front";

fn hex(certificate: &Certificate) -> String {
    sha256(certificate.cert.der()).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A listener with TLS, which requires a certificate of these.
pub fn with_tls(mut listener: Value, server: &Certificate, trusted: &[&Certificate]) -> Value {
    let trusted: String = trusted.iter().map(|certificate| certificate.cert.pem()).collect();
    listener["filter_chains"][0]["transport_socket"] = json!({ "name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": true,
        "common_tls_context": {
            "tls_certificates": [tls_certificate(server)],
            "validation_context": { "trusted_ca": { "inline_string": trusted } },
        },
    } });
    listener
}

fn tls_certificate(own: &Certificate) -> Value {
    json!({
        "certificate_chain": { "inline_string": own.cert.pem() },
        "private_key": { "inline_string": own.signing_key.serialize_pem() },
    })
}

/// A front that ends the clients' TLS, and a gate behind it that verifies who connects.
struct World {
    issuer: Issuer,
    server: Certificate,
    /// Known to the gate by its URI.
    front: Certificate,
    /// Known to the gate by its digest.
    second: Certificate,
    /// A peer that the gate's listener takes, and the list does not name.
    stranger: Certificate,
    clients: [Certificate; 2],
    gate: Envoy,
    before: Envoy,
    _upstream: Server,
}

impl World {
    fn start(header: &str, members: Value) -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let server = certificate(NAME);
        let front = certificate_with("front.example.com", Some(FRONT_URI));
        let second = certificate("second.example.com");
        let stranger = certificate_with("stranger.example.com", Some("spiffe://example.com/stranger"));
        let clients = ["one.example.com", "two.example.com"].map(certificate);
        let upstream = Server::echo(0).unwrap();
        let mut all = json!({ "mtls": { "forwarded": { "header": header, "from": [FRONT_URI, hex(&second)] } } });
        merge(&mut all, &members);
        let gate = Gate {
            connection_manager: json!({ "forward_client_cert_details": "FORWARD_ONLY" }),
            ..Gate::new(configuration(&issuer, all))
        };
        let peers = [&front, &second, &stranger, &clients[0]];
        let gate = Envoy::start(&json!({
            "listeners": [with_tls(gate.listener(), &server, &peers)],
            "clusters": [cluster("upstream", upstream.address)],
        }));
        let mut to_gate = cluster("gate", gate.listener("gate"));
        to_gate["transport_socket"] = json!({ "name": "envoy.transport_sockets.tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": NAME,
            "common_tls_context": {
                "tls_certificates": [tls_certificate(&front)],
                "validation_context": { "trusted_ca": { "inline_string": server.cert.pem() } },
            },
        } });
        let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "gate" } }]);
        let manager = json!({
            "forward_client_cert_details": "SANITIZE_SET",
            "set_current_client_cert_details": { "subject": true, "cert": true, "uri": true },
        });
        let front_listener = listener("front", &[], &routes, &json!({}), &manager);
        let before = Envoy::start(&json!({
            "listeners": [with_tls(front_listener, &server, &[&clients[0], &clients[1]])],
            "clusters": [to_gate],
        }));
        Self { issuer, server, front, second, stranger, clients, gate, before, _upstream: upstream }
    }

    /// A token that is bound to the first client's certificate.
    fn token(&self) -> String {
        bearer(&self.issuer.token(now()).claim("cnf", bound_to(&self.clients[0])).sign())
    }

    /// The answer to a peer of the gate with this certificate.
    fn ask_gate(&self, peer: &Certificate, headers: &[(&str, &str)]) -> Response {
        self.ask(self.gate.listener("gate"), peer, headers)
    }

    fn ask(&self, address: SocketAddr, peer: &Certificate, headers: &[(&str, &str)]) -> Response {
        let client = client(&self.server, &version::TLS13, Some(peer));
        ask_on_one_connection(address, &client, &[headers]).remove(0)
    }
}

/// What the client's certificate is in each header.
fn forwarded(header: &str, certificate: &Certificate) -> String {
    if header == XFCC {
        format!("By={FRONT_URI};Hash={};Subject=\"CN=one.example.com\"", hex(certificate))
    } else {
        format!(":{}:", STANDARD.encode(certificate.cert.der()))
    }
}

#[test]
fn a_front_envoy_forwards_the_certificate_that_a_token_is_bound_to() {
    let world = World::start(XFCC, json!({}));
    let [owner, thief] = &world.clients;
    let token = world.token();
    let front = world.before.listener("front");
    let own = forwarded(XFCC, owner);
    for version in [&version::TLS12, &version::TLS13] {
        for (who, status) in [(owner, 200), (thief, 401)] {
            let client = client(&world.server, version, Some(who));
            // The front writes the header anew, so what a client says of itself counts for nothing.
            let forged = [("authorization", token.as_str()), (XFCC, own.as_str())];
            let answers = ask_on_one_connection(front, &client, &[&forged[..1], &forged[..], &forged[..1]]);
            assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [status; 3], "{version:?}");
            if status == 200 {
                let upstream = answers[1].echoed();
                let values = upstream.headers(XFCC);
                assert!(values.len() == 1 && values[0].contains(&hex(owner)) && !values[0].contains(','), "{values:?}");
            }
        }
    }
    let log = world.gate.wait_for_log("(the client showed another certificate)");
    assert!(!log.contains(&hex(owner)), "no log has the digest of a certificate");
    // A token that is bound to the front's own certificate is of no use to its clients, nor to the front itself.
    let of_front = bearer(&world.issuer.token(now()).claim("cnf", bound_to(&world.front)).sign());
    assert_eq!(world.ask(front, owner, &[("authorization", &of_front)]).status, 401);
    assert_eq!(world.ask_gate(&world.front, &[("authorization", &of_front)]).status, 401);
    world.gate.wait_for_log("(the client showed no certificate)");
}

#[test]
fn only_a_peer_of_the_list_is_believed_whatever_the_header() {
    for header in [XFCC, "client-cert"] {
        let world = World::start(header, json!({}));
        let [owner, thief] = &world.clients;
        let token = world.token();
        let [own, anothers] = [owner, thief].map(|certificate| forwarded(header, certificate));
        let ask = |peer: &Certificate, value: &str| {
            world.ask_gate(peer, &[("authorization", token.as_str()), (header, value)])
        };
        for peer in [&world.front, &world.second] {
            assert_eq!(ask(peer, &own).status, 200, "{header}");
            assert_eq!(ask(peer, &anothers).status, 401, "{header}");
        }
        assert_eq!(ask(&world.stranger, &own).status, 401, "{header}: a peer that is not in the list");
        // A client comes to the gate directly: its own certificate counts, whatever it says.
        let direct = ask(owner, &anothers);
        assert_eq!(direct.status, 200, "{header}");
        assert_eq!(direct.echoed().headers(header), [""; 0], "{header}: and what it says goes nowhere");
    }
}

#[test]
fn what_is_not_one_certificate_proves_none() {
    let world = World::start(XFCC, json!({}));
    let token = world.token();
    let own = hex(&world.clients[0]);
    let (long, one) = ("a".repeat(50_000), format!("Hash={own}"));
    let mut refused = 0;
    for (values, said) in [
        (vec![format!("{one},{one}")], Some("several elements")),
        (vec![one.clone(), one.clone()], Some("several elements")),
        (vec![format!("{one};{one}")], Some("several Hash")),
        (vec![String::new()], Some("malformed")),
        (vec![format!("URI=\"a;{one}")], Some("malformed")),
        (vec![format!("URI=a\";{one}")], Some("malformed")),
        (vec![format!("Hash={long}")], Some("not a SHA-256 digest")),
        (vec![format!("URI={long};{one}")], None),
        (vec![format!("hash=\"{}\"", own.to_ascii_uppercase())], None),
        (vec![format!("Subject=\"a\\\";Hash=0,\";{one}")], None),
    ] {
        let mut lines = vec![("authorization", token.as_str())];
        lines.extend(values.iter().map(|value| (XFCC, value.as_str())));
        let answer = world.ask_gate(&world.front, &lines);
        assert_eq!(answer.status, if said.is_some() { 401 } else { 200 }, "{:.80}", values[0]);
        said.into_iter().for_each(|said| drop(world.gate.wait_for_log(said)));
        refused += u64::from(said.is_some());
    }
    assert_eq!(world.gate.counter_of_at_least("scopegate.denied.certificate_mismatch", refused), refused);
}

#[test]
fn the_header_of_a_stranger_reaches_no_upstream_on_any_way_to_pass() {
    let rules = json!([
        { "match": { "path": "/public" }, "public": true },
        { "match": { "path": "/optional" }, "allow_missing": true },
        { "match": { "path": "/reported" }, "report_only": true },
    ]);
    let members = json!({ "rules": rules, "bypass_cors_preflight": true });
    for (header, names) in [(XFCC, &[XFCC][..]), ("client-cert", &["client-cert", "client-cert-chain"])] {
        let world = World::start(header, members.clone());
        let unbound = bearer(&world.issuer.token(now()).sign());
        let pass = |peer: &Certificate, method: &str, target: &str, more: &[(&str, &str)]| {
            let client = client(&world.server, &version::TLS13, Some(peer));
            let stream = TcpStream::connect(world.gate.listener("gate")).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let connection = ClientConnection::new(client, ServerName::try_from(NAME).unwrap()).unwrap();
            let mut reader = BufReader::new(StreamOwned::new(connection, stream));
            let mut headers = more.to_vec();
            headers.extend(names.iter().map(|name| (*name, "Hash=0")));
            let spelled = names[0].replace('-', "_");
            headers.push((&spelled, "Hash=0"));
            reader.get_mut().write_all(&head(method, target, &headers)).unwrap();
            let answer = read_response(&mut reader, false).expect("an answer");
            assert_eq!(answer.status, 200, "{method} {target}");
            let echoed = answer.echoed();
            assert_eq!(echoed.headers(&spelled), [""; 0], "{target}: another spelling, from anyone");
            names.iter().map(|name| echoed.headers(name).len()).sum::<usize>()
        };
        let preflight = [("origin", "https://a.example.com"), ("access-control-request-method", "GET")];
        let token = [("authorization", unbound.as_str())];
        for (method, target, more) in [
            ("GET", "/", &token[..]),
            ("GET", "/public", &[]),
            ("GET", "/optional", &[]),
            ("GET", "/reported", &[]),
            ("OPTIONS", "/", &preflight),
        ] {
            assert_eq!(pass(&world.stranger, method, target, more), 0, "{header} {method} {target}");
            assert_eq!(pass(&world.front, method, target, more), names.len(), "{header} {method} {target}");
        }
    }
}
