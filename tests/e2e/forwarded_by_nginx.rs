//! Tokens that are bound to the certificate of a client whose TLS connection ends at nginx, as envoy/client-cert.conf
//! configures it: RFC 9440.

use crate::certificates::{
    Certificate, NAME, ask_on_one_connection, bearer, bound_to, certificate, certificate_with, client,
};
use crate::forwarded::{FRONT_URI, with_tls};
use crate::gate::configuration;
use crate::support::client::Response;
use crate::support::envoy::{Envoy, Gate, cluster, root};
use crate::support::guarded::Guarded;
use crate::support::issuer::{Issuer, now};
use crate::support::server::Server;
use crate::support::wait::eventually;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, CertifiedKey, DistinguishedName, DnType, KeyPair};
use rustls::version;
use scopegate::crypto::Algorithm;
use serde_json::json;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

/// nginx in a folder of its own.
struct Nginx {
    address: SocketAddr,
    folder: PathBuf,
    process: Option<Guarded>,
}

impl Nginx {
    /// With the shipped configuration, in front of this gate.
    fn start(gate: SocketAddr, server: &Certificate, front: &Certificate, clients: &[&Certificate]) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("client-cert-{}", std::process::id()));
        fs::create_dir_all(folder.join("envoy")).unwrap();
        fs::create_dir_all(folder.join("target")).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut own = fs::read_to_string(root().join("envoy/client-cert.conf")).unwrap();
        for (from, to) in [("127.0.0.1:10443", address), ("127.0.0.1:10000", gate)] {
            assert!(own.contains(from));
            own = own.replace(from, &to.to_string());
        }
        let pem = |certificates: &[&Certificate]| certificates.iter().map(|one| one.cert.pem()).collect::<String>();
        for (name, text) in [
            ("client-cert.conf", own),
            ("server.pem", pem(&[server])),
            ("server.key", server.signing_key.serialize_pem()),
            ("front.pem", pem(&[front])),
            ("front.key", front.signing_key.serialize_pem()),
            ("clients-ca.pem", pem(clients)),
            ("gate-ca.pem", pem(&[server])),
        ] {
            fs::write(folder.join("envoy").join(name), text).unwrap();
        }
        let log = fs::File::create(folder.join("log")).unwrap();
        let prefix = folder.to_str().unwrap();
        let arguments = ["-p", prefix, "-c", "envoy/client-cert.conf", "-g", "daemon off;"];
        let process = Guarded::start(Path::new("nginx"), &arguments, log.try_clone().unwrap().into(), log);
        let nginx = Self { address, folder, process: Some(process) };
        eventually("nginx listens", || TcpStream::connect(address).is_ok());
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.process.take());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A certificate with so many alternative names.
fn long_certificate(name: &str, names: usize) -> Certificate {
    let all: Vec<String> = (0..names).map(|number| format!("{number}.of-many-names.example.com")).collect();
    let mut parameters = CertificateParams::new(all).unwrap();
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    let signing_key = KeyPair::generate().unwrap();
    CertifiedKey { cert: parameters.self_signed(&signing_key).unwrap(), signing_key }
}

#[test]
fn nginx_forwards_the_certificate_that_a_token_is_bound_to() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let (server, front) = (certificate(NAME), certificate_with("front.example.com", Some(FRONT_URI)));
    let [owner, thief] = ["one.example.com", "two.example.com"].map(certificate);
    // 37 and 49 lines of base64: the configuration has 48.
    let (large, too_large) = (long_certificate("large.example.com", 45), long_certificate("larger.example.com", 75));
    let lines = |certificate: &Certificate| certificate.cert.der().len().div_ceil(48);
    assert!((30..=48).contains(&lines(&large)) && lines(&too_large) > 48, "{} {}", lines(&large), lines(&too_large));
    let forwarded = json!({ "mtls": { "forwarded": { "header": "client-cert", "from": [FRONT_URI] } } });
    let gate = Gate::new(configuration(&issuer, forwarded));
    let envoy = Envoy::start(&json!({
        "listeners": [with_tls(gate.listener(), &server, &[&front])],
        "clusters": [cluster("upstream", upstream.address)],
    }));
    let nginx = Nginx::start(envoy.listener("gate"), &server, &front, &[&owner, &thief, &large, &too_large]);

    let token = |certificate: &Certificate| bearer(&issuer.token(now()).claim("cnf", bound_to(certificate)).sign());
    let value = |certificate: &Certificate| format!(":{}:", STANDARD.encode(certificate.cert.der()));
    let of_owner = token(&owner);
    for version in [&version::TLS12, &version::TLS13] {
        let ask = |own: Option<&Certificate>, headers: &[(&str, &str)]| -> Response {
            ask_on_one_connection(nginx.address, &client(&server, version, own), &[headers]).remove(0)
        };
        let passed = ask(Some(&owner), &[("authorization", &of_owner)]);
        assert_eq!(passed.status, 200, "{version:?}: {passed:?}");
        assert_eq!(passed.echoed().headers("client-cert"), [value(&owner)]);
        assert_eq!(ask(Some(&large), &[("authorization", &token(&large))]).status, 200, "{version:?}");
        for (who, headers) in [
            (Some(&thief), &[][..]),
            (None, &[]),
            // What a client says of itself is replaced, and nothing is added to it.
            (Some(&thief), &[("client-cert", value(&owner))]),
            (None, &[("client-cert", value(&owner))]),
            (None, &[("client_cert", value(&owner))]),
        ] {
            let mut all = vec![("authorization", of_owner.as_str())];
            all.extend(headers.iter().map(|(name, value)| (*name, value.as_str())));
            assert_eq!(ask(who, &all).status, 401, "{version:?}: {headers:?}");
        }
        let forged =
            [("authorization", of_owner.as_str()), ("client-cert", &value(&thief)), ("client-cert-chain", "a")];
        let passed = ask(Some(&owner), &forged);
        assert_eq!(passed.status, 200, "{version:?}: {passed:?}");
        assert_eq!(passed.echoed().headers("client-cert"), [value(&owner)]);
        assert_eq!(passed.echoed().headers("client-cert-chain"), [""; 0]);
        // nginx does not forward half of one.
        assert_eq!(ask(Some(&too_large), &[("authorization", &token(&too_large))]).status, 401, "{version:?}");
    }
    envoy.wait_for_log("(the client showed another certificate)");
    envoy.wait_for_log("(the client showed no certificate)");
}
