//! `scopegate revocations`.

use crate::support::issuer::Issuer;
use crate::world::{Run, folder, run};
use scopegate::base::time::UnixSeconds;
use scopegate::crypto::{Algorithm, PureVerifier};
use scopegate::jose::KeySet;
use scopegate::revocation::{Chunks, EntryKind, List, ListError, Loader, Revision, Terms};
use serde_json::{Value, json};
use std::fs::{read, read_to_string, write};
use std::path::Path;
use std::rc::Rc;

pub const AT: &str = "2026-11-21T10:00:00Z";
pub const NOW: i64 = 1_795_255_200;

fn build(folder: &Path, entries: &str, more: &[&str]) -> Run {
    write(folder.join("revoked.jsonl"), entries).unwrap();
    run(&[&["revocations", "build", "revoked.jsonl", "--at", AT], more].concat(), folder)
}

/// The list as a gate reads it.
fn load(document: &[u8], signed_by: Option<&Issuer>) -> Result<List, ListError> {
    let keys = |issuer: &Issuer| Rc::new(KeySet::parse(issuer.jwks().to_string().as_bytes(), 10_000, 10).unwrap());
    let terms = Terms { name: "main".into(), max_bytes: 32 << 20, signed_by: signed_by.map(keys) };
    Loader::begin(Chunks::from(document), &terms, None, &PureVerifier, UnixSeconds(NOW))?.finish()
}

const ENTRIES: &str = r#"{"iss":"https://a/","jti":"1"}

{"iss":"https://a/","jti":"2","until":1795255200,"reason":"over"}
{"fingerprint":"FvdA9cRn0Ls45XKidPuQiq","until":1795255201}
{"iss":"https://a/","sub":"alice","issued_before":1795255000}
"#;

#[test]
fn a_list_is_built_without_what_is_over() {
    let folder = folder();
    let built = build(&folder, ENTRIES, &[]);
    assert_eq!(built.status, 0, "{built:?}");
    let lines: Vec<&str> = built.stdout.lines().collect();
    assert_eq!(lines[0], r#"{"entries_at_least":3}"#);
    assert_eq!(lines.len(), 4, "{built:?}");
    assert!(!built.stdout.contains("over"), "{built:?}");
    let list = load(built.stdout.as_bytes(), None).unwrap();
    assert_eq!(
        [EntryKind::TokenId, EntryKind::Fingerprint, EntryKind::Subject].map(|kind| list.entries_of(kind)),
        [1, 1, 1]
    );
    // What was built is an input again, and entries may have been added to it by hand.
    let again = build(&folder, &format!("{}{{\"iss\":\"https://a/\",\"sid\":\"s\"}}\n", built.stdout), &[]);
    assert!(again.stdout.starts_with(r#"{"entries_at_least":4}"#), "{again:?}");
    assert_eq!(build(&folder, "", &[]).stdout, "{\"entries_at_least\":0}\n");
}

#[test]
fn a_file_is_written_whole_and_told_of() {
    let folder = folder();
    let built = build(&folder, ENTRIES, &["--output", "list.jsonl"]);
    let list = read_to_string(folder.join("list.jsonl")).unwrap();
    let (revision, bytes) = (Revision::of(&Chunks::from(list.as_bytes())), list.len());
    let told = format!("list.jsonl: revision {revision}, 3 entries, {bytes} bytes; 1 left out as over\n");
    assert_eq!((built.status, built.stdout.as_str()), (0, told.as_str()), "{built:?}");
    assert_eq!(list, build(&folder, ENTRIES, &[]).stdout);
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "nothing is left beside: {files:?}");
    let failed = build(&folder, ENTRIES, &["--output", "missing/list.jsonl"]);
    assert_eq!((failed.status, failed.stderr.contains("cannot write missing/list.jsonl")), (2, true), "{failed:?}");
}

#[test]
fn the_binary_form_means_the_same() {
    let folder = folder();
    let built = build(&folder, ENTRIES, &["--binary", "--output", "list.bin"]);
    assert_eq!(built.status, 0, "{built:?}");
    let list = load(&read(folder.join("list.bin")).unwrap(), None).unwrap();
    assert_eq!(
        [EntryKind::TokenId, EntryKind::Fingerprint, EntryKind::Subject].map(|kind| list.entries_of(kind)),
        [1, 1, 1]
    );
    let refused = build(&folder, ENTRIES, &["--binary"]);
    assert_eq!((refused.status, refused.stderr.contains("--output")), (2, true), "{refused:?}");
}

#[test]
fn a_signed_list_is_one_that_a_gate_accepts() {
    let folder = folder();
    let issuer = Issuer::new(Algorithm::Es256, "lists");
    write(folder.join("key.json"), Value::Object(issuer.key.to_jwk()).to_string()).unwrap();
    let sign = ["--sign", "key.json", "--expires-in", "24h", "--name", "main"];
    let text = build(&folder, ENTRIES, &sign);
    assert_eq!(text.status, 0, "{text:?}");
    let list = load(text.stdout.as_bytes(), Some(&issuer)).unwrap();
    assert_eq!(list.entries(), 3);
    let signature = list.signature().unwrap();
    assert_eq!((signature.issued_at.0, signature.expires_at.unwrap().0), (NOW, NOW + 86_400));
    let binary = build(&folder, ENTRIES, &[&sign[..], &["--binary", "--output", "list.bin"]].concat());
    assert_eq!(binary.status, 0, "{binary:?}");
    let document = read(folder.join("list.bin")).unwrap();
    assert_eq!(load(&document, Some(&issuer)).unwrap().entries(), 3);
    let other = Issuer::new(Algorithm::Es256, "lists");
    assert_eq!(load(&document, Some(&other)).err(), Some(ListError::Signature("no key verifies it")));
    let named = build(&folder, ENTRIES, &["--sign", "key.json", "--name", "another"]);
    let error = load(named.stdout.as_bytes(), Some(&issuer)).err();
    assert_eq!(error, Some(ListError::Signature("its `sub` is the name of another list")));
}

#[test]
fn the_revision_that_is_told_of_a_file_is_that_of_a_gate() {
    let folder = folder();
    let issuer = Issuer::new(Algorithm::Es256, "lists");
    write(folder.join("key.json"), Value::Object(issuer.key.to_jwk()).to_string()).unwrap();
    let kinds = "1 by jti, 1 by fingerprint, 1 by sub";
    let mut revisions = Vec::new();
    for (more, signer) in [
        (&["--output", "list"][..], None),
        (&["--output", "list", "--sign", "key.json"], Some(&issuer)),
        (&["--output", "list", "--binary"], None),
        (&["--output", "list", "--binary", "--sign", "key.json"], Some(&issuer)),
    ] {
        let built = build(&folder, ENTRIES, more);
        let document = read(folder.join("list")).unwrap();
        let revision = load(&document, signer).unwrap().revision();
        let told = format!("list: revision {revision}, 3 entries, {} bytes; ", document.len());
        assert_eq!(built.stdout, format!("{told}1 left out as over\n"), "{built:?}");
        let shown = run(&["revocations", "show", "list", "--at", AT], &folder);
        let signed = signer.map_or("", |_| "; signed, and the signature has not been checked");
        assert_eq!((shown.status, shown.stdout), (0, format!("{told}{kinds}{signed}\n")), "{more:?}");
        revisions.push(revision);
    }
    assert_eq!((revisions[0], revisions[2]), (revisions[1], revisions[3]), "a signature is no part of it");
    write(folder.join("page"), "<html>").unwrap();
    let refused = run(&["revocations", "show", "list", "page"], &folder);
    assert_eq!((refused.status, refused.stdout.as_str()), (2, ""), "{refused:?}");
    assert!(refused.stderr.contains("page: gates refuse this list: it is neither JSON Lines"), "{refused:?}");
    // Lines whose time is over are not counted; the document is still the one that gates compare.
    build(&folder, ENTRIES, &["--output", "list"]);
    let later = run(&["revocations", "show", "list", "--at", "2026-11-21T10:00:01Z"], &folder);
    assert!(later.stdout.contains(", 2 entries, ") && later.stdout.contains(&revisions[0].to_string()), "{later:?}");
}

#[test]
fn what_is_no_entry_is_named_with_its_line() {
    let folder = folder();
    for (entries, wanted) in [
        ("{\"iss\":\"https://a/\",\"jit\":\"1\"}\n", "revoked.jsonl: line 1: names nothing"),
        ("\n{\"iss\":\"https://a/\",\"jti\":\"1\"\n", "revoked.jsonl: line 2: is not JSON"),
        ("{\"entries_at_least\":2}\n{\"iss\":\"https://a/\",\"jti\":\"1\"}\n", "its end is missing"),
    ] {
        let refused = build(&folder, entries, &[]);
        assert_eq!((refused.status, refused.stdout.as_str()), (2, ""), "{refused:?}");
        assert!(refused.stderr.contains(wanted), "{wanted}: {refused:?}");
    }
    let missing = run(&["revocations", "build", "missing.jsonl"], &folder);
    assert_eq!((missing.status, missing.stderr.contains("cannot read missing.jsonl")), (2, true), "{missing:?}");
}

#[test]
fn more_entries_than_text_may_have_need_the_binary_form() {
    let folder = folder();
    let lines: Vec<String> = (0..=100_000).map(|id| format!("{{\"iss\":\"https://a/\",\"jti\":\"{id}\"}}\n")).collect();
    let refused = build(&folder, &lines.concat(), &[]);
    assert_eq!((refused.status, refused.stderr.contains("--binary")), (2, true), "{refused:?}");
    let built = build(&folder, &lines.concat(), &["--binary", "--output", "list.bin"]);
    assert!(built.stdout.starts_with("list.bin: revision "), "{built:?}");
    assert!(built.stdout.contains(", 100001 entries, 1600040 bytes; "), "{built:?}");
    assert_eq!(load(&read(folder.join("list.bin")).unwrap(), None).unwrap().entries(), 100_001);
}

#[test]
fn the_examples_in_the_help_are_what_they_say() {
    let folder = folder();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    write(folder.join("key.json"), Value::Object(issuer.key.to_jwk()).to_string()).unwrap();
    write(folder.join("token.txt"), issuer.token(NOW).claim("jti", "id-1").sign()).unwrap();
    write(folder.join("revoked.jsonl"), ENTRIES).unwrap();
    write(folder.join("scopegate.yaml"), configuration().to_string()).unwrap();
    let record =
        json!({ "decision": "allow", "subject": "alice", "client_id": "web", "fingerprint": "FvdA9cRn0Ls45XKidPuQiq" });
    write(folder.join("access.log"), record.to_string()).unwrap();
    for command in [["token", "revoke"], ["revocations", "build"]] {
        let help = run(&[&command[..], &["--help"]].concat(), &folder);
        let (_, examples) = help.stdout.split_once("Examples:").unwrap();
        let examples: Vec<&str> = examples.lines().filter_map(|line| line.trim().strip_prefix("scopegate ")).collect();
        // What is pushed needs gates, and a key: another test has them.
        let is_alone = |example: &&str| example.starts_with(&command.join(" ")) && !example.contains("--push");
        let examples: Vec<&str> = examples.into_iter().filter(is_alone).collect();
        assert!(examples.len() > 1, "{examples:?}");
        for example in examples {
            let (example, _) = example.split_once(" >> ").unwrap_or((example, ""));
            let example = example.replace("/var/www/", "");
            let done = run(&example.split(' ').collect::<Vec<_>>(), &folder);
            assert_eq!(done.status, 0, "{example}: {done:?}");
        }
    }
}

/// A configuration whose one issuer is that of the entries.
fn configuration() -> Value {
    let keys = json!({ "uri": "https://a/jwks.json", "cluster": "a" });
    json!({ "issuers": [{ "issuer": "https://a/", "audiences": ["api"], "jwks": keys }] })
}

#[test]
fn entries_that_mean_nothing_or_everything_are_refused() {
    let folder = folder();
    write(folder.join("scopegate.yaml"), configuration().to_string()).unwrap();
    let config = ["--config", "scopegate.yaml"];
    assert_eq!(build(&folder, ENTRIES, &config).status, 0);
    let strange = format!("{ENTRIES}{{\"iss\":\"https://a\",\"jti\":\"1\"}}\n");
    let refused = build(&folder, &strange, &config);
    let wanted = "revoked.jsonl: line 6: `iss` https://a is no configured issuer, so the entry revokes nothing; there are https://a/";
    assert!(refused.status == 2 && refused.stdout.is_empty() && refused.stderr.contains(wanted), "{refused:?}");
    assert_eq!(build(&folder, &strange, &[]).status, 0, "without a configuration it is not known");
    for (entry, wanted) in [
        (
            r#"{"iss":"https://a/","sub":"alice","issued_before":1795255200000}"#,
            "line 1: `issued_before` is 1795255200000, which looks like milliseconds: write seconds, 1795255200 (2026-11-21T10:00:00Z)",
        ),
        (r#"{"iss":"https://a/","jti":"1","until":1795255200000}"#, "line 1: `until` is 1795255200000"),
    ] {
        for more in [&config[..], &[]] {
            let refused = build(&folder, entry, more);
            assert!(refused.status == 2 && refused.stderr.contains(wanted), "{refused:?}");
        }
    }
    let missing = build(&folder, ENTRIES, &["--config", "none.yaml"]);
    assert!(missing.status == 2 && missing.stderr.contains("cannot read none.yaml"), "{missing:?}");
}
