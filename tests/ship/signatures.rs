//! The signatures of a release, as two other programs judge them: npm `@sigstore/verify`, and OpenSSL by the lines of SECURITY.md.

use super::release::{contents, made, referrers, release, subjects};
use super::{finish, folder, run};
use crate::support;
use crate::support::envoy::root;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn openssl(folder: &Path, arguments: &[&str]) {
    run(Command::new("openssl").args(arguments).current_dir(folder), b"");
}

/// A new key on this curve.
fn key(folder: &Path, curve: &str) -> PathBuf {
    let file = format!("{curve}.pem");
    openssl(folder, &["genpkey", "-algorithm", "EC", "-pkeyopt", &format!("ec_paramgen_curve:{curve}"), "-out", &file]);
    folder.join(file)
}

/// What `@sigstore/verify` says of pairs of a bundle and a file.
fn judged(public: &Path, pairs: &[(PathBuf, PathBuf)]) -> Output {
    let mut command = Command::new(support::node::binary());
    command.arg(root().join("tests/ship/verify.mjs")).arg(public);
    command.args(pairs.iter().flat_map(|(bundle, file)| [bundle, file]));
    finish(command.env("SCOPEGATE_PACKAGES", support::node::packages()).env("NO_COLOR", "1"), b"")
}

/// The bundles of the files of a release, each with its file.
fn pairs(dist: &Path) -> Vec<(PathBuf, PathBuf)> {
    let names = contents(dist).into_keys().filter(|name| name.ends_with(".sigstore.json") && !name.contains(".image."));
    names.map(|name| (dist.join(&name), dist.join(name.trim_end_matches(".sigstore.json")))).collect()
}

#[test]
fn every_file_and_image_is_signed_and_what_was_changed_is_refused() {
    let (dist, layout) = made("signed", Some(&key(&folder("key"), "P-256")));
    let public = dist.join("scopegate.pub");
    let mut all = pairs(&dist);
    let signed = contents(&dist).into_keys().filter(|name| !name.ends_with(".sigstore.json")).count();
    assert_eq!(all.len(), signed - 1, "all but the key itself");
    for (subject, name) in subjects(&layout).iter().zip(["scopegate", "scopegate-full"]) {
        let manifest =
            layout.join("blobs/sha256").join(subject["digest"].as_str().unwrap().trim_start_matches("sha256:"));
        let bundle = dist.join(format!("{name}.image.sigstore.json"));
        let referrers = referrers(&layout, subject);
        let [(_, provenance, envelope), (_, signature, same)] = referrers.as_slice() else { panic!("{referrers:?}") };
        for manifest in [provenance, signature] {
            assert_eq!(manifest["artifactType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
        }
        assert_eq!(provenance["annotations"]["dev.sigstore.bundle.predicateType"], "https://slsa.dev/provenance/v1");
        assert_eq!(*same, fs::read(&bundle).unwrap());
        all.push((bundle, manifest));
        // The statement is in its envelope.
        let envelope_file = layout.join(format!("{name}.envelope"));
        fs::write(&envelope_file, envelope).unwrap();
        let value: serde_json::Value = serde_json::from_slice(envelope).unwrap();
        let payload = value["dsseEnvelope"]["payload"].as_str().unwrap();
        let statement = run(Command::new("openssl").args(["base64", "-d", "-A"]), payload.as_bytes()).stdout;
        let told: serde_json::Value = serde_json::from_slice(&statement).unwrap();
        let digest = subject["digest"].as_str().unwrap();
        assert_eq!(told["subject"][0]["digest"]["sha256"], digest.trim_start_matches("sha256:"));
        let statement_file = layout.join(format!("{name}.statement"));
        fs::write(&statement_file, statement).unwrap();
        all.push((envelope_file, statement_file));
    }
    let output = judged(&public, &all);
    let kinds = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(kinds.lines().filter(|kind| *kind == "dsseEnvelope").count(), 3, "{kinds}");
    assert_eq!(kinds.lines().filter(|kind| *kind == "messageSignature").count(), all.len() - 3, "{kinds}");

    let other = folder("other");
    let other_key = key(&other, "P-256");
    openssl(&other, &["pkey", "-in", other_key.to_str().unwrap(), "-pubout", "-out", "other.pub"]);
    for (bundle, file) in &all {
        let pair = [(bundle.clone(), file.clone())];
        assert!(!judged(&other.join("other.pub"), &pair).status.success(), "{}: by another key", bundle.display());
        let changed = other.join("changed");
        fs::write(&changed, [fs::read(file).unwrap(), b" ".to_vec()].concat()).unwrap();
        assert!(
            !judged(&public, &[(bundle.clone(), changed)]).status.success(),
            "{}: of a changed file",
            bundle.display()
        );
    }
}

/// The lines to type of a section of SECURITY.md, in one script that stops at the first failure.
fn script(heading: &str) -> String {
    let text = fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let section = text.split(&format!("\n## {heading}\n")).nth(1).unwrap().split("\n## ").next().unwrap();
    let lines: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(lines.len() > 6, "{lines:?}");
    format!("set -eu\n{}\n", lines.join("\n"))
}

#[test]
fn the_lines_of_the_page_for_users_verify_a_release_and_refuse_a_changed_one() {
    let (dist, layout) = made("page", Some(&key(&folder("page-key"), "P-256")));
    let subject = subjects(&layout).into_iter().next().unwrap();
    let manifest = subject["digest"].as_str().unwrap().trim_start_matches("sha256:");
    // There is no registry here: skopeo prints the manifest of the layout.
    let programs = folder("programs");
    let program = programs.join("skopeo");
    fs::write(&program, format!("#!/bin/sh\ncat '{}'\n", layout.join("blobs/sha256").join(manifest).display()))
        .unwrap();
    run(Command::new("chmod").arg("+x").arg(&program), b"");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let text = script("Verifying a release");
    let verify = || {
        let mut shell = Command::new("sh");
        finish(shell.args(["-c", &text]).env("PATH", &path).current_dir(&dist), b"")
    };
    let output = verify();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(printed.matches("Verified OK").count(), 3, "checksums, provenance, image: {printed}");
    for name in ["scopegate.wasm", "scopegate.provenance.json", "SHA256SUMS", "scopegate.image.sigstore.json"] {
        let before = fs::read(dist.join(name)).unwrap();
        let mut changed = before.clone();
        // A bundle loses its last signature character, a file gets one more.
        if name.ends_with(".sigstore.json") {
            changed = String::from_utf8(changed)
                .unwrap()
                .replacen("\"signature\":\"ME", "\"signature\":\"MF", 1)
                .into_bytes();
        }
        if changed == before {
            changed.push(b'\n');
        }
        fs::write(dist.join(name), changed).unwrap();
        assert!(!verify().status.success(), "{name} was changed");
        fs::write(dist.join(name), before).unwrap();
    }
    assert!(verify().status.success());
}

#[test]
fn a_key_that_cannot_sign_is_refused_before_anything_is_built() {
    let keys = folder("keys");
    let good = key(&keys, "P-256");
    let at = |name: &str| keys.join(name);
    openssl(&keys, &["pkey", "-in", "P-256.pem", "-pubout", "-out", "public.pem"]);
    openssl(&keys, &["pkey", "-in", "P-256.pem", "-aes256", "-passout", "pass:x", "-out", "encrypted.pem"]);
    openssl(&keys, &["ec", "-in", "P-256.pem", "-aes128", "-passout", "pass:x", "-out", "traditional.pem"]);
    openssl(&keys, &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa.pem"]);
    openssl(&keys, &["genpkey", "-algorithm", "ED25519", "-out", "ed25519.pem"]);
    fs::write(at("garbage.pem"), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    fs::write(at("empty.pem"), "").unwrap();
    for (file, why) in [
        (at("missing.pem"), "No such file"),
        (at("public.pem"), "no private key in it"),
        (at("encrypted.pem"), "encrypted"),
        (at("traditional.pem"), "encrypted"),
        (at("rsa.pem"), "another kind"),
        (at("ed25519.pem"), "another kind"),
        (key(&keys, "P-384"), "another kind"),
        (at("garbage.pem"), "OpenSSL cannot read it"),
        (at("empty.pem"), "no private key in it"),
    ] {
        let output = finish(release(Some(&file)).arg("key"), b"");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && error.contains(why) && error.contains("openssl genpkey"),
            "{file:?}: {error}"
        );
        assert!(error.contains(file.to_str().unwrap()), "{error}");
    }
    assert!(finish(release(Some(&good)).arg("key"), b"").status.success());
    // As `openssl ecparam` and older programs write it.
    openssl(&keys, &["ec", "-in", "P-256.pem", "-out", "sec1.pem"]);
    assert!(finish(release(Some(&at("sec1.pem"))).arg("key"), b"").status.success());
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    assert!(makefile.contains("\ndist: signing-key "), "make looks at the key first");
}
