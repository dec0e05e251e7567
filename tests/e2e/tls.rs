//! `envoy/issuer-tls.yaml`: keys come only from a server with the issuer's name and a certificate of a trusted CA.

use crate::support::client::get_with;
use crate::support::envoy::{Envoy, module, root};
use crate::support::issuer::{Issuer, now};
use crate::support::server::Server;
use rustls::pki_types::PrivatePkcs8KeyDer;
use scopegate::crypto::Algorithm;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

const NAME: &str = "https://idp.example.com/realms/main";

/// A TLS server with a certificate for `host` that has metadata and keys; also the certificate in PEM.
fn provider(host: &str, issuer: &Issuer) -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(vec![host.to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let config = Arc::new(config);
    let metadata = json!({ "issuer": NAME, "jwks_uri": "https://idp.example.com/keys" }).to_string();
    let keys = issuer.jwks().to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let mut request = [0; 4096];
            // A client that does not trust the certificate ends here.
            let Ok(length) = stream.read(&mut request) else { continue };
            let wants_keys = request[..length].starts_with(b"GET /keys ");
            let body = if wants_keys { &keys } else { &metadata };
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes());
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    (address, made.cert.pem())
}

/// The shipped file with free ports, this provider, and this CA.
fn start(upstream: &Server, provider: SocketAddr, ca: &str) -> Envoy {
    let folder = root().join("target/e2e");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("ca-{}-{}.pem", std::process::id(), provider.port()));
    std::fs::write(&file, ca).unwrap();
    let shipped = std::fs::read_to_string(root().join("envoy/issuer-tls.yaml")).unwrap();
    let mut text = shipped;
    for (from, to) in [
        ("port_value: 10000}", "port_value: 0}".to_owned()),
        ("port_value: 9901}", "port_value: 0}".to_owned()),
        ("port_value: 10001}", format!("port_value: {}}}", upstream.address.port())),
        (
            "address: idp.example.com, port_value: 443}",
            format!("address: 127.0.0.1, port_value: {}}}", provider.port()),
        ),
        ("target/scopegate.wasm", module().to_string_lossy().into_owned()),
        ("/etc/ssl/certs/ca-certificates.crt", file.to_string_lossy().into_owned()),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, &to);
    }
    Envoy::start_text(&text, 1).unwrap_or_else(|log| panic!("{log}"))
}

#[test]
fn keys_come_only_from_a_server_with_the_issuers_name_and_a_trusted_certificate() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let token = || issuer.token(now()).claim("iss", NAME).sign();
    let upstream = Server::echo(0).unwrap();
    let (good, ca) = provider("idp.example.com", &issuer);
    let envoy = start(&upstream, good, &ca);
    assert_eq!(get_with(envoy.address(), "/", &token()).status, 200);

    let (other_name, other_ca) = provider("evil.example.com", &issuer);
    let envoy = start(&upstream, other_name, &other_ca);
    assert_eq!(get_with(envoy.address(), "/", &token()).status, 503, "a trusted certificate for another name");

    let (untrusted, _) = provider("idp.example.com", &issuer);
    let envoy = start(&upstream, untrusted, &ca);
    assert_eq!(get_with(envoy.address(), "/", &token()).status, 503, "the right name, and nobody's certificate");
    envoy.wait_for_log("the keys of idp could not be fetched: its metadata: cannot be reached");
}
