//! `scopegate jwks fetch`, against servers of the test.

use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::support::server::{Answer, Server};
use crate::world::{Run, folder};
use rustls::pki_types::PrivatePkcs8KeyDer;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs::{read, write};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs `jwks fetch` without a proxy; `ca` names the CA certificates.
fn fetch_with(arguments: &[&str], folder: &Path, ca: Option<&str>) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
    command.args(["jwks", "fetch"]).args(arguments).current_dir(folder).env("NO_PROXY", "*");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name);
    }
    if let Some(ca) = ca {
        command.env("SSL_CERT_FILE", ca);
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { stdout: text(output.stdout), stderr: text(output.stderr), status: output.status.code().unwrap() }
}

fn fetch(arguments: &[&str], folder: &Path) -> Run {
    fetch_with(arguments, folder, None)
}

fn set() -> Value {
    Issuer::new(Algorithm::Es256, "a").jwks()
}

/// A server that answers by the path.
fn server() -> Server {
    Server::start(0, |received| match received.target.as_str() {
        "/jwks.json" => Answer::json(&set()),
        "/useless.json" => Answer::json(&json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] })),
        "/page.html" => {
            let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
            Answer { status: 200, headers, body: b"<html>".to_vec() }
        }
        "/packed.json" => {
            let headers = vec![("content-encoding".to_owned(), "gzip".to_owned())];
            Answer { status: 200, headers, body: b"\x1f\x8b\x08\0".to_vec() }
        }
        "/long.json" => Answer { body: format!("{:<2000}", set().to_string()).into_bytes(), ..Answer::status(200) },
        "/large.json" => Answer { body: vec![b' '; 2_000_000], ..Answer::status(200) },
        "/moved.json" => Answer {
            headers: vec![("location".into(), "https://other.example.com/jwks.json".into())],
            ..Answer::status(302)
        },
        _ => Answer::status(404),
    })
    .unwrap()
}

#[test]
fn a_key_set_is_fetched_and_judged_as_inspect_judges_it() {
    let (folder, server) = (folder(), server());
    let uri = format!("http://{}/jwks.json", server.address);
    let run = fetch(&[&uri, "--output", "jwks.json"], &folder);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stdout.starts_with(&format!("{uri}, ")), "{run:?}");
    assert!(
        run.stdout.contains("keys[0]  kid a  usable for ES256  thumbprint ")
            && run.stdout.contains("\n1 of 1 keys can be used"),
        "{run:?}"
    );
    assert!(run.stdout.contains("warning: fetched in plain text"), "{run:?}");
    let written: Value = serde_json::from_slice(&read(folder.join("jwks.json")).unwrap()).unwrap();
    assert_eq!(written["keys"][0]["kid"], "a");
    let run = fetch(&[&format!("http://{}/useless.json", server.address)], &folder);
    assert!(run.status == 1 && run.stdout.contains("0 of 1 keys can be used"), "{run:?}");
}

#[test]
fn what_cannot_be_fetched_is_said() {
    let (folder, server) = (folder(), server());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let at = |address: SocketAddr, path: &str| format!("http://{address}{path}");
    for (uri, wanted) in [
        (at(server.address, "/none"), "answered with status 404 in place of 200"),
        (at(server.address, "/page.html"), "such as a login page or an error (content-type text/html)"),
        (at(server.address, "/packed.json"), "compression was not asked for (content-encoding gzip)"),
        (at(server.address, "/large.json"), "larger than limits.jwks_bytes, 1048576 bytes"),
        (
            at(server.address, "/moved.json"),
            "redirects to https://other.example.com/jwks.json (status 302), which Envoy does not follow",
        ),
        (at(silent.local_addr().unwrap(), "/"), "no answer in time"),
        (at(closed, "/"), "cannot be fetched: "),
        ("ftp://idp.example.com/jwks.json".to_owned(), "only http:// and https://"),
        ("https://alice:hunter2@idp.example.com/".to_owned(), "a user name or a password"),
        ("https:///jwks.json".to_owned(), "names no host"),
        ("https://idp.example.com/a b".to_owned(), "have to be escaped"),
    ] {
        let start = Instant::now();
        let run = fetch(&["--timeout", "1", &uri, "--output", "out.json"], &folder);
        assert_eq!(run.status, 2, "{uri}: {run:?}");
        assert!(run.stderr.contains(wanted) && run.stdout.is_empty(), "{uri}: {run:?}");
        assert!(!run.stderr.contains("hunter2"), "{run:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{uri}");
        assert!(!folder.join("out.json").exists(), "{uri}: nothing is written that is no key set");
    }
    assert_eq!(fetch(&[], &folder).status, 2);
    assert_eq!(fetch(&["--timeout", "0", "https://a/"], &folder).status, 2);
}

#[test]
fn the_issuers_of_a_configuration_are_fetched() {
    let (folder, server) = (folder(), server());
    let issuer = |name: &str, path: &str| {
        json!({ "issuer": format!("{ISSUER}{name}"), "name": name, "audiences": [AUDIENCE],
                "jwks": { "uri": format!("http://{}{path}", server.address), "cluster": "idp" } })
    };
    let inline = json!({ "issuer": ISSUER, "name": "inline", "audiences": [AUDIENCE], "jwks": { "inline": set() } });
    let file = |issuers: Value, limits: Value| {
        write(folder.join("scopegate.json"), json!({ "issuers": issuers, "limits": limits }).to_string()).unwrap();
    };
    let both = || json!([issuer("one", "/jwks.json"), inline.clone(), issuer("two", "/jwks.json")]);
    file(both(), json!({}));
    let run = fetch(&["scopegate.json"], &folder);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stdout.contains("issuer one: http://") && run.stdout.contains("issuer two: http://"), "{run:?}");
    assert!(!run.stdout.contains("inline"), "{run:?}");
    let run = fetch(&["scopegate.json", "--output", "jwks.json"], &folder);
    assert!(run.status == 2 && run.stderr.contains("choose one with --issuer: one, two"), "{run:?}");
    let run = fetch(&["scopegate.json", "--issuer", "two", "--output", "jwks.json"], &folder);
    assert!(run.status == 0 && folder.join("jwks.json").exists() && !run.stdout.contains("issuer one"), "{run:?}");
    let run = fetch(&["scopegate.json", "--issuer", "three"], &folder);
    assert!(run.status == 2 && run.stderr.contains("there are one, two"), "{run:?}");
    // One that cannot be fetched keeps no other from being shown.
    file(json!([issuer("one", "/none"), issuer("two", "/jwks.json")]), json!({}));
    let run = fetch(&["scopegate.json"], &folder);
    assert!(run.status == 2 && run.stderr.contains("status 404") && run.stderr.contains("issuer two: "), "{run:?}");
    // The limits are those of the configuration.
    file(json!([issuer("one", "/long.json")]), json!({ "jwks_bytes": 2000 }));
    assert_eq!(fetch(&["scopegate.json"], &folder).status, 0);
    file(json!([issuer("one", "/long.json")]), json!({ "jwks_bytes": 1024 }));
    let run = fetch(&["scopegate.json"], &folder);
    assert!(run.status == 2 && run.stderr.contains("larger than limits.jwks_bytes, 1024 bytes"), "{run:?}");
    file(json!([inline]), json!({}));
    let run = fetch(&["scopegate.json"], &folder);
    assert!(run.status == 2 && run.stderr.contains("no issuer has a jwks.uri or jwks.discovery"), "{run:?}");
}

#[test]
fn a_key_set_is_found_by_the_metadata_of_its_issuer() {
    let folder = folder();
    // Its own address is not known before it runs: the metadata is made from what is asked for.
    let server = Server::start(0, |received| {
        let host = received.headers.iter().find(|(name, _)| name == "host").map(|(_, value)| value.clone()).unwrap();
        let of = |issuer: String| Answer::json(&json!({ "issuer": issuer, "jwks_uri": format!("http://{host}/keys") }));
        match received.target.as_str() {
            "/keys" => Answer::json(&set()),
            "/.well-known/openid-configuration" => of(format!("http://{host}")),
            "/.well-known/oauth-authorization-server/tenant" => of(format!("http://{host}/tenant")),
            "/other/.well-known/openid-configuration" => of("http://evil.example.com".to_owned()),
            _ => Answer::status(404),
        }
    })
    .unwrap();
    let file = |path: &str| {
        let issuer = json!({ "issuer": format!("http://{}{path}", server.address), "name": "one",
                             "audiences": [AUDIENCE], "jwks": { "discovery": { "cluster": "idp" } } });
        write(folder.join("scopegate.json"), json!({ "issuers": [issuer] }).to_string()).unwrap();
        fetch(&["scopegate.json"], &folder)
    };
    for (path, place) in
        [("", "/.well-known/openid-configuration"), ("/tenant", "/.well-known/oauth-authorization-server/tenant")]
    {
        let run = file(path);
        assert_eq!(run.status, 0, "{run:?}");
        let at = format!("http://{}", server.address);
        assert!(run.stdout.starts_with(&format!("issuer one: {at}/keys (so says {at}{place}), ")), "{run:?}");
        assert!(run.stdout.contains("1 of 1 keys can be used"), "{run:?}");
    }
    let run = file("/other");
    assert!(run.status == 2 && run.stderr.contains("the metadata is of the issuer http://evil.example.com"), "{run:?}");
}

#[test]
fn https_is_trusted_only_with_a_certificate_that_a_known_ca_has_signed() {
    let folder = folder();
    let (address, certificate) = tls_server(&set());
    write(folder.join("ca.pem"), certificate).unwrap();
    let uri = format!("https://localhost:{}/jwks.json", address.port());
    let run = fetch_with(&[&uri], &folder, Some("ca.pem"));
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stdout.contains("1 of 1 keys can be used") && !run.stdout.contains("plain text"), "{run:?}");
    let run = fetch(&[&uri], &folder);
    assert!(run.status == 2 && run.stderr.contains("certificate"), "{run:?}");
    let other = format!("https://127.0.0.1:{}/jwks.json", address.port());
    let run = fetch_with(&[&other], &folder, Some("ca.pem"));
    assert!(run.status == 2 && run.stderr.contains("certificate"), "a certificate of another name: {run:?}");
}

/// A TLS server for `localhost` that answers everything with this document, and its certificate in PEM.
fn tls_server(document: &Value) -> (SocketAddr, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let (config, body) = (Arc::new(config), document.to_string());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            // A client that does not trust the certificate ends here.
            if stream.read(&mut [0; 4096]).is_ok() {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
            }
        }
    });
    (address, made.cert.pem())
}
