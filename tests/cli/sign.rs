//! `scopegate sign`: what it prints is what another signer makes of the request, and what a gate accepts.

use crate::support::server::Server;
use crate::support::signer::{Signer, Unsigned, content_digest, hex};
use crate::world::{Run, folder};
use scopegate::crypto::sha256;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SIGNER: Signer<'static> = Signer { key_id: "AKIDBATCH1", secret: SECRET };
const AT: i64 = 1_795_867_200;

/// Runs the command with the secret in its environment, at a time if the arguments name none.
fn sign(arguments: &[&str]) -> Run {
    sign_in(Path::new("."), arguments)
}

fn sign_in(folder: &Path, arguments: &[&str]) -> Run {
    let at = AT.to_string();
    let given = [&["sign"], arguments].concat();
    let time: &[&str] = if arguments.contains(&"--at") { &[] } else { &["--at", &at] };
    let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
    command.args([&given, time].concat()).current_dir(folder).env("SIGNING", SECRET).env("SHORT", "abc");
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let run = Run { stdout: text(output.stdout), stderr: text(output.stderr), status: output.status.code().unwrap() };
    assert!(!run.stdout.contains(SECRET) && !run.stderr.contains(SECRET), "{run:?}");
    run
}

fn words(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

/// The printed headers.
fn headers(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().take_while(|line| !line.is_empty());
    lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn sorted(mut lines: Vec<(String, String)>) -> Vec<(String, String)> {
    lines.sort();
    lines
}

const SIGV4: &str = "--form sigv4 --key-id AKIDBATCH1 --secret-env SIGNING --region eu-west-1 --service";
const APINTO: &str = "--form apinto --key-id AKIDBATCH1 --secret-env SIGNING";
const MESSAGE: &str = "--form message --key-id AKIDBATCH1 --secret-env SIGNING --no-nonce";

#[test]
fn another_signer_makes_the_same_of_a_request() {
    let get = Unsigned { at: AT, ..Unsigned::default() };
    let target = "/orders/a%20b?a=1&b=2";
    let typed = vec![("content-type", "text/plain".to_owned())];
    let post =
        Unsigned { method: "POST", target: "/orders?a=1&b=2", headers: typed, body: b"{\"qty\":2}", ..get.clone() };
    let scope = ("eu-west-1", "orders");
    let given = ["--header", "Content-Type: text/plain", "--body", "{\"qty\":2}", "POST"];
    let posts = |form: &str| {
        let all = [words(form), given.to_vec(), vec!["https://api.example.com/orders?a=1&b=2"]].concat();
        let run = sign(&all);
        assert_eq!(run.status, 0, "{run:?}");
        sorted(headers(&run.stdout))
    };
    let own =
        |lines: Vec<(String, String)>| sorted(lines.into_iter().filter(|(name, _)| name != "content-type").collect());
    assert_eq!(posts(&format!("{SIGV4} orders")), own(SIGNER.sigv4(&post, scope)));
    assert_eq!(posts(APINTO), own(SIGNER.apinto(&post)));
    let digested = Unsigned {
        headers: vec![("content-digest", content_digest(post.body)), ("content-type", "text/plain".to_owned())],
        ..post.clone()
    };
    assert_eq!(posts(MESSAGE), own(SIGNER.message(&digested, &format!(";created={AT}"))));
    let stated = vec![("x-amz-content-sha256", hex(&sha256(post.body)))];
    let stated = Unsigned { headers: [post.headers.clone(), stated].concat(), ..post };
    assert_eq!(posts(&format!("{SIGV4} orders --content-sha256")), own(SIGNER.sigv4(&stated, scope)));
    assert_eq!(posts(&format!("{SIGV4} s3")), own(SIGNER.sigv4(&stated, ("eu-west-1", "s3"))), "always for s3");
    // A URL is put into the form in which it is sent.
    let url = "HTTPS://API.example.com:443/orders/a b?b=2&a=1";
    let run = sign(&[words(&format!("{SIGV4} orders")), vec!["GET", url]].concat());
    let encoded = Unsigned { target, ..get };
    assert_eq!(sorted(headers(&run.stdout)), sorted(SIGNER.sigv4(&encoded, scope)), "{run:?}");
}

#[test]
fn headers_are_signed_as_they_are_chosen() {
    let given = ["--header", "x-a: 1", "--header", "x-b: 2", "--header", "x-amz-meta: m"];
    let signed = |more: &[&str], form: &str| {
        let run = sign(&[&words(form)[..], &given, more, &["GET", "https://a/"]].concat());
        assert_eq!(run.status, 0, "{run:?}");
        run.stdout
    };
    let sigv4 = format!("{SIGV4} orders");
    let all = signed(&[], &sigv4);
    assert!(all.contains("SignedHeaders=host;x-a;x-amz-date;x-amz-meta;x-b,"), "{all}");
    let one = signed(&["--sign-header", "X-B"], &sigv4);
    assert!(one.contains("SignedHeaders=host;x-amz-date;x-amz-meta;x-b,"), "{one}");
    let nonce = signed(&["--sign-header", "x-a", "--nonce", "n-1"], APINTO);
    assert!(nonce.contains("SignedHeaders=host;x-a;x-gateway-date;x-gateway-nonce,"), "{nonce}");
    assert!(nonce.contains("x-gateway-nonce: n-1\n"), "{nonce}");
    let parts = ["--component", "@scheme", "--sign-header", "x-a", "--tag", "t", "--expires-in", "1m"];
    let message = signed(&parts, MESSAGE);
    let wanted = format!(
        "sig=(\"@method\" \"@authority\" \"@path\" \"@query\" \"@scheme\" \"x-a\");created={AT};expires={};keyid=\"AKIDBATCH1\";tag=\"t\"",
        AT + 60
    );
    assert!(message.contains(&wanted), "{message}");
    let random = |run: String| run.split("nonce=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let form = MESSAGE.replace(" --no-nonce", "");
    let (first, second) = (random(signed(&[], &form)), random(signed(&[], &form)));
    assert!(first != second && first.len() > 20, "{first} {second}");
}

#[test]
fn what_was_signed_is_shown_on_demand() {
    let told = sign(&words(&format!("{SIGV4} orders --explain GET https://api.example.com/orders?b=2&a=1"))).stdout;
    let lines = [
        "canonical request:\nGET\n/orders\na=1&b=2\nhost:api.example.com\nx-amz-date:20261128T120000Z\n\nhost;x-amz-date\n",
        "string to sign:\nAWS4-HMAC-SHA256\n20261128T120000Z\n20261128/eu-west-1/orders/aws4_request\n",
    ];
    assert!(lines.iter().all(|line| told.contains(line)), "{told}");
    let told = sign(&words(&format!("{MESSAGE} --explain GET https://api.example.com/orders"))).stdout;
    assert!(told.contains("string to sign:\n\"@method\": GET\n\"@authority\": api.example.com\n"), "{told}");
    assert!(!told.contains("canonical"), "{told}");
}

/// Every algorithm with which messages are signed, held against the public key of the configuration.
#[test]
fn a_gate_with_the_public_key_accepts_what_a_private_key_has_signed() {
    for algorithm in ["EdDSA", "ES256", "ES384", "RS256", "PS512"] {
        let folder = folder();
        let run = |arguments: &[&str]| crate::world::run(arguments, &folder);
        let made = run(&["jwks", "generate", "--algorithm", algorithm, "--kid", "bank-1"]).stdout;
        std::fs::write(folder.join("key.json"), made).unwrap();
        let public: Value = serde_json::from_str(&run(&["jwks", "public", "key.json"]).stdout).unwrap();
        let set = json!({ "name": "banks", "signature": { "tag": "gate" }, "identities": [
            { "id": "bank-1", "secrets": [{ "jwk": public["keys"][0] }] } ] });
        let config = json!({ "credentials": [set], "default": { "credentials": "banks" } });
        std::fs::write(folder.join("gate.yaml"), config.to_string()).unwrap();
        let words = words("--form signature --key key.json --tag gate --body {} PUT https://api.example.com/p?x=1");
        let signed = sign_in(&folder, &words);
        assert_eq!(signed.status, 0, "{algorithm}: {signed:?}");
        let lines: Vec<String> = signed.stdout.lines().map(str::to_owned).collect();
        let at = AT.to_string();
        let explain = |body: &str| {
            let mut all = vec![
                "explain",
                "gate.yaml",
                "--request",
                "PUT /p?x=1",
                "--at",
                &at,
                "--header",
                "host: api.example.com",
            ];
            lines.iter().for_each(|line| all.extend(["--header", line]));
            all.extend(["--body", body]);
            run(&all)
        };
        assert_eq!(explain("{}").status, 0, "{algorithm}: {}", explain("{}").stdout);
        let other = explain("[]");
        assert!(other.stdout.contains("refused: digest_mismatch"), "{algorithm}: {}", other.stdout);
    }
}

/// A shell runs the command of curl that is printed, and the server gets what was signed.
#[test]
fn the_command_of_curl_sends_what_was_signed() {
    let server = Server::echo(0).unwrap();
    let folder = folder();
    std::fs::write(folder.join("body.bin"), b"line 1\nline 2\n").unwrap();
    let host = server.address.to_string();
    for (method, path, body, sent) in [
        ("GET", "/orders/a%20b/../c?q=it's&x={1}", None, ""),
        ("POST", "/orders", Some("it's $HOME"), "it's $HOME"),
        ("PUT", "/orders?a", Some("@body.bin"), "line 1\nline 2\n"),
    ] {
        let url = format!("http://{host}{path}");
        let mut arguments =
            words(&format!("{SIGV4} orders --curl --header")).into_iter().map(str::to_owned).collect::<Vec<_>>();
        arguments.push("x-note: a 'b'".to_owned());
        arguments.extend(body.iter().flat_map(|body| ["--body".to_owned(), (*body).to_owned()]));
        arguments.extend([method.to_owned(), url]);
        let signed = sign_in(&folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(signed.status, 0, "{signed:?}");
        let script = format!("NO_PROXY='*' {}", signed.stdout.replacen("curl", "curl --silent", 1));
        let output = Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
        let echoed: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{script}\n{output:?}"));
        let path = path.replace('{', "%7B").replace('}', "%7D");
        assert_eq!([&echoed["method"], &echoed["target"], &echoed["body"]], [method, &path, sent], "{script}");
        let value = |name: &str| {
            let all = echoed["headers"].as_array().unwrap().iter();
            let found: Vec<&str> = all
                .filter(|line| line[0].as_str().unwrap().eq_ignore_ascii_case(name))
                .map(|line| line[1].as_str().unwrap())
                .collect();
            found.join("|")
        };
        let headers = vec![("x-note", value("x-note"))];
        assert_eq!((value("host"), value("x-note")), (host.clone(), "a 'b'".to_owned()));
        let request = Unsigned { method, target: &path, host: &host, headers, body: sent.as_bytes(), at: AT };
        let line = SIGNER.sigv4(&request, ("eu-west-1", "orders")).pop().unwrap().1;
        assert_eq!(value("authorization"), line, "{script}");
    }
}

#[test]
fn what_cannot_be_signed_is_named() {
    let sigv4 = format!("{SIGV4} orders");
    for (form, rest, named) in [
        (sigv4.as_str(), "GET https://a/?a=2&a=1", "the values of a repeated parameter do not come in ascending order"),
        (&sigv4, "get https://a/", "the method is not in upper case"),
        (&sigv4, "--header x-a:1 --header X-A:2 GET https://a/", "a signed header has two lines"),
        (
            &sigv4,
            "--header x-a:1 --sign-header x-b GET https://a/",
            "--sign-header x-b: the request has no such header",
        ),
        (
            &sigv4,
            "--header authorization:x GET https://a/",
            "--header authorization: the command writes this one itself",
        ),
        (&sigv4, "--header x-amz-date:x GET https://a/", "--header x-amz-date: the command writes this one itself"),
        (&sigv4, "GET https://a/#b", "what follows # is never sent"),
        (&sigv4, "GET /orders", "https://HOST/PATH"),
        (&sigv4, "GET https://a/?access_token=x", "a gate refuses what was signed, as token_in_query"),
        (&sigv4, "--nonce n GET https://a/", "--nonce: signatures of this form have nothing of the kind"),
        (&sigv4, "--curl --body x HEAD https://a/", "curl sends no body with HEAD"),
        ("--form sigv4 --key-id a --secret-env SIGNING", "GET https://a/", "needs --region"),
        ("--form apinto --secret-env SIGNING", "GET https://a/", "write --key-id"),
        ("--form apinto --key-id a --secret-env NOWHERE", "GET https://a/", "NOWHERE is not set"),
        ("--form apinto --key-id a --secret-env SHORT", "GET https://a/", "a secret that is too short"),
        (APINTO, "GET https://a/b/", "the path ends with `/`"),
        (APINTO, "GET https://a/b?flag", "a part of the query is not a name, one `=`, and a value"),
        (APINTO, "GET https://a/b?x=1&x=2", "the query has a parameter twice"),
        (APINTO, "--key key.json GET https://a/", "cannot be used with"),
        (MESSAGE, "--expires-in 0s GET https://a/", "a gate refuses what was signed, as stale"),
        (MESSAGE, "--component @query-param GET https://a/", "this cannot be signed"),
        (MESSAGE, "--component x-none GET https://a/", "a signed header is absent"),
    ] {
        let run = sign(&[words(form), words(rest)].concat());
        assert!(run.status == 2 && run.stdout.is_empty(), "{form} {rest}: {run:?}");
        assert!(run.stderr.contains(named), "{form} {rest}: {}", run.stderr);
    }
}
