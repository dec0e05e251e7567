//! The certificate of the listener in Kubernetes: envoy/kubernetes/tls, and what the page says to add to the listener.

use crate::certificates::{Certificate, NAME, certificate, client};
use crate::kubernetes::Pod;
use crate::support::client::{head, read_response};
use crate::support::config_map::{Files, Mounts};
use crate::support::envoy::root;
use crate::support::wait::eventually;
use crate::support::yaml;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned, version};
use std::fs;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const FOLDERS: [&str; 2] = ["/etc/envoy/tls", "/etc/envoy/certificate"];

/// The files of a Secret of type `kubernetes.io/tls`.
fn secret(of: &Certificate) -> Files {
    [("tls.crt", of.cert.pem()), ("tls.key", of.signing_key.serialize_pem())]
        .map(|(name, text)| (name.into(), text))
        .into()
}

/// A text with the folders as they are on this machine.
fn placed(mounts: &Mounts, text: &str) -> String {
    FOLDERS.iter().fold(text.to_owned(), |text, folder| {
        assert!(text.contains("/etc/envoy/"), "{folder}");
        text.replace(folder, &mounts.path(folder).to_string_lossy())
    })
}

/// The status of an answer over TLS, if the listener shows this certificate.
fn status(address: SocketAddr, shown: &Certificate, token: &str) -> Option<u16> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let connection = ClientConnection::new(client(shown, &version::TLS13, None), ServerName::try_from(NAME).unwrap());
    let mut reader = BufReader::new(StreamOwned::new(connection.unwrap(), stream));
    reader.get_mut().write_all(&head("GET", "/orders/1", &[("authorization", token)])).ok()?;
    Some(read_response(&mut reader, false)?.status)
}

#[test]
fn the_listener_has_the_certificate_of_the_secret_and_follows_its_renewal() {
    static UP: AtomicBool = AtomicBool::new(true);
    let [first, renewed] = [NAME, NAME].map(certificate);
    let page = fs::read_to_string(root().join("envoy/kubernetes/README.md")).unwrap();
    let socket = page.split("```").find(|block| block.contains("tls_certificate_sds_secret_configs")).unwrap();
    let socket = socket.strip_prefix("text\n").unwrap().to_owned();
    let mounts = Mounts::new();
    mounts.mount(FOLDERS[1], &secret(&first));
    let map = yaml::documents(Path::new("envoy/kubernetes/tls/certificate.yaml")).remove(0);
    let text = placed(&mounts, map["data"]["tls.yaml"].as_str().unwrap());
    mounts.mount(FOLDERS[0], &[("tls.yaml".to_owned(), text)].into());

    let with_socket = |text: String| {
        // The end of the filter chain of the first listener.
        let at = text.find("\n  # Whether the pod is ready").unwrap();
        let (chain, rest) = text.split_at(at);
        let lines: Vec<&str> = socket.lines().map(|line| line.get(4..).unwrap_or_default()).collect();
        let socket = lines.join("\n") + "\n";
        format!("{chain}{}{rest}", placed(&mounts, &socket))
    };
    let pod = Pod::start([&with_socket, &|text| text, &|text| text], &UP);
    let token = pod.bearer("orders:read");
    assert_eq!(status(pod.gate(), &first, &token), Some(200));
    assert_eq!(status(pod.gate(), &renewed, &token), None);
    assert_eq!(status(pod.gate(), &first, "Bearer x"), Some(401));
    mounts.mount(FOLDERS[1], &secret(&renewed));
    eventually("the new certificate", || status(pod.gate(), &renewed, &token) == Some(200));
    eventually("no worker shows the old one", || (0..16).all(|_| status(pod.gate(), &first, &token).is_none()));
}
