//! `scopegate token revoke`.

use crate::revocations::{AT, NOW};
use crate::support::issuer::{ISSUER, Issuer};
use crate::world::{Run, folder, run};
use scopegate::checks::fingerprint;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs::write;

fn revoke(token: &str, more: &[&str]) -> Run {
    let folder = folder();
    write(folder.join("token.txt"), token).unwrap();
    run(&[&["token", "revoke", "@token.txt"], more].concat(), &folder)
}

fn printed(run: &Run) -> Value {
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(run.stdout.lines().count(), 1, "one line: {run:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn a_token_is_named_by_its_id_or_by_its_fingerprint() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (named, nameless) = (issuer.token(NOW).claim("jti", "id-1").sign(), issuer.token(NOW).sign());
    let digest = |token: &str| fingerprint(token.rsplit_once('.').unwrap().0.as_bytes());
    // The token is good for five minutes, and no gate has more leeway than five more.
    let until = NOW + 600;
    assert_eq!(printed(&revoke(&named, &[])), json!({ "iss": ISSUER, "jti": "id-1", "until": until }));
    assert_eq!(printed(&revoke(&nameless, &[])), json!({ "fingerprint": digest(&nameless), "until": until }));
    assert_eq!(
        printed(&revoke(&format!("Bearer {named}\n"), &["--by", "fingerprint", "--reason", "stolen"])),
        json!({ "fingerprint": digest(&named), "until": until, "reason": "stolen" })
    );
    let refused = revoke(&nameless, &["--by", "jti"]);
    assert_eq!((refused.status, refused.stderr.contains("no iss and jti")), (2, true), "{refused:?}");
    let refused = revoke("eyJhbGciOi.secret", &[]);
    assert_eq!((refused.status, refused.stderr.contains("secret")), (2, false), "{refused:?}");
    assert!(refused.stderr.contains("malformed"), "{refused:?}");
}

#[test]
fn one_command_revokes_the_session_the_user_the_client_or_the_key_of_a_token() {
    let issuer = Issuer::new(Algorithm::Es256, "key-1");
    let token = issuer.token(NOW).claim("jti", "id-1").claim("sid", "s-1").claim("client_id", "web").claim("azp", "x");
    let token = token.claim("sub", "alice").sign();
    let before = "2026-11-21T10:00:07Z";
    for (by, wanted) in [
        ("session", json!({ "iss": ISSUER, "sid": "s-1" })),
        ("subject", json!({ "iss": ISSUER, "sub": "alice", "issued_before": NOW + 7 })),
        ("client", json!({ "iss": ISSUER, "client_id": "web", "issued_before": NOW + 7 })),
        ("key", json!({ "iss": ISSUER, "kid": "key-1" })),
    ] {
        let timed = wanted.get("issued_before").is_some();
        let more = if timed { vec!["--by", by, "--issued-before", before] } else { vec!["--by", by] };
        // Other tokens that the entry means may be good for longer than this one.
        assert_eq!(printed(&revoke(&token, &more)), wanted, "{by}");
        let all = [&more[..], &["--until", AT, "--reason", "stolen"]].concat();
        let mut longer = wanted.clone();
        longer["until"] = NOW.into();
        longer["reason"] = "stolen".into();
        assert_eq!(printed(&revoke(&token, &all)), longer, "{by}");
        if timed {
            let missed = revoke(&token, &["--by", by, "--issued-before", AT]);
            assert_eq!((missed.status, missed.stdout.as_str()), (2, ""), "{missed:?}");
            assert!(missed.stderr.contains("issued later, at 2026-11-21T10:00:00Z, so the entry would not mean it"));
        } else {
            let missed = revoke(&token, &["--by", by, "--issued-before", AT]);
            assert!(missed.stderr.contains("--by subject and --by client alone"), "{missed:?}");
        }
    }
    let of_azp = printed(&revoke(&issuer.token(NOW).claim("azp", "app").sign(), &["--by", "client"]));
    assert_eq!(of_azp["client_id"], "app", "as a gate reads it");
    let mut nothing = issuer.token(NOW).header("kid", Value::Null);
    nothing.claims.remove("sub");
    let nothing = nothing.sign();
    for (by, member) in [("session", "sid"), ("subject", "sub"), ("client", "client_id"), ("key", "kid")] {
        let refused = revoke(&nothing, &["--by", by]);
        assert_eq!((refused.status, refused.stdout.as_str()), (2, ""), "{refused:?}");
        let wanted = format!("the token has no iss and {member}, so no entry by {member} can mean it");
        assert!(refused.stderr.contains(&wanted), "{refused:?}");
    }
    let opaque = revoke("opaque-token", &["--by", "session"]);
    assert!(opaque.stderr.contains("or with --name") && !opaque.stderr.contains("opaque-token"), "{opaque:?}");
    for more in [&["--by", "jti", "--until", AT][..], &["--until", AT]] {
        let refused = revoke(&token, more);
        assert!(refused.status == 2 && refused.stderr.contains("lasts as long as the token says"), "{refused:?}");
    }
}

#[test]
fn an_entry_by_subject_or_client_means_the_token_and_what_was_issued_up_to_now() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let before = |issued_at: Option<i64>, by: &str| {
        let token = issuer.token(NOW).claim("client_id", "web").claim("iat", issued_at);
        revoke(&token.sign(), &["--by", by])
    };
    for by in ["subject", "client"] {
        let now = crate::support::issuer::now();
        // A token without a time, an old one, and one whose issuer's clock is ahead.
        for (issued_at, least) in [(None, now + 1), (Some(now - 100), now + 1), (Some(now + 200), now + 201)] {
            let entry = printed(&before(issued_at, by));
            let least = least..=least + 20;
            assert!(least.contains(&entry["issued_before"].as_i64().unwrap()), "{by} {issued_at:?}: {entry}");
            assert!(entry.get("until").is_none(), "{entry}");
        }
        let future = before(Some(now + 1000), by);
        assert!(future.status == 2 && future.stderr.contains("yet to come: no gate accepts it"), "{future:?}");
    }
}

#[test]
fn a_name_is_enough_where_there_is_no_token() {
    let folder = folder();
    let named = |by: &str, name: &str, more: &[&str]| {
        run(&[&["token", "revoke", "--by", by, "--name", name], more].concat(), &folder)
    };
    let of_issuer = ["--issuer", ISSUER];
    for (by, wanted) in [
        ("jti", json!({ "iss": ISSUER, "jti": "-x" })),
        ("session", json!({ "iss": ISSUER, "sid": "-x" })),
        ("key", json!({ "iss": ISSUER, "kid": "-x" })),
    ] {
        assert_eq!(printed(&named(by, "-x", &of_issuer)), wanted);
    }
    for (by, member) in [("subject", "sub"), ("client", "client_id")] {
        let entry = printed(&named(by, "x", &[&of_issuer[..], &["--issued-before", AT]].concat()));
        assert_eq!(entry, json!({ "iss": ISSUER, member: "x", "issued_before": NOW }));
        let entry = printed(&named(by, "x", &of_issuer));
        let since = entry["issued_before"].as_i64().unwrap() - crate::support::issuer::now();
        assert!((-20..=1).contains(&since), "{entry}");
    }
    let identity = named("identity", "acme-1", &["--set", "partners", "--until", AT, "--reason", "lost"]);
    let wanted = json!({ "credential": "partners", "id": "acme-1", "until": NOW, "reason": "lost" });
    assert_eq!(printed(&identity), wanted);
    let fingerprint = printed(&named("fingerprint", "-vdA9cRn0Ls45XKidPuQiq", &[]));
    assert_eq!(fingerprint, json!({ "fingerprint": "-vdA9cRn0Ls45XKidPuQiq" }));
    for (by, more, wanted) in [
        ("subject", &[][..], "--name x: say whose sub that is with --issuer alone"),
        ("subject", &["--set", "partners"], "--name x: say whose sub that is with --issuer alone"),
        ("identity", &of_issuer, "--name x: say whose id that is with --set alone"),
        ("fingerprint", &[], "22 characters"),
        ("fingerprint", &of_issuer, "of no issuer and of no set"),
        ("session", &["--issuer", ""], "`iss` is not text"),
    ] {
        let refused = named(by, "x", more);
        assert!(refused.status == 2 && refused.stderr.contains(wanted), "{by} {more:?}: {refused:?}");
    }
    let nameless = run(&["token", "revoke", "--by", "identity"], &folder);
    assert!(nameless.stderr.contains("--by identity: say which with --name and --set"), "{nameless:?}");
}

#[test]
fn a_log_shows_what_to_revoke_without_the_token() {
    let folder = folder();
    let record = |members: Value| format!("{}\n", json!({ "time": "2026-11-21T10:00:00Z", "scopegate": members }));
    let of = |fingerprint: &str, expires_in: i64| json!({ "decision": "allow", "subject": "alice", "fingerprint": fingerprint, "expires_in": expires_in });
    let key = |reason: &str| json!({ "decision": "deny", "reason": reason, "subject": "alice", "credential_set": "partners", "identity": "a%C3%A9" });
    let unverified =
        json!({ "decision": "deny", "reason": "token_in_query", "unverified_fingerprint": "DGDlztqioAvUw2Al_82Zl5" });
    let log = [
        record(of("FvdA9cRn0Ls45XKidPuQiq", 100)),
        record(of("FvdA9cRn0Ls45XKidPuQiq", 300)),
        record(of("BrWc-GLf3VVEB3xXXa7ip8", 100)),
        record(json!({ "decision": "allow", "subject": "bob", "fingerprint": "AAAAAAAAAAAAAAAAAAAAAA" })),
        record(key("wrong_secret")),
        record(unverified),
    ]
    .concat();
    let revoke = |log: &str, more: &[&str]| {
        write(folder.join("access.log"), log).unwrap();
        run(&[&["token", "revoke", "--log", "access.log"], more].concat(), &folder)
    };
    let entries = |log: &str, more: &[&str]| -> Vec<Value> {
        let told = revoke(log, more);
        assert_eq!((told.status, &*told.stderr), (0, ""));
        told.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    // A second more than the longest leeway: a record has whole seconds.
    let until = |expires_in: i64| NOW + expires_in + 301;
    let of_alice = json!({ "fingerprint": "FvdA9cRn0Ls45XKidPuQiq", "until": until(300), "reason": "stolen" });
    let other = json!({ "fingerprint": "BrWc-GLf3VVEB3xXXa7ip8", "until": until(100), "reason": "stolen" });
    let of = |more: &[&str]| entries(&log, more);
    assert_eq!(
        of(&["--where", "subject=alice", "--reason", "stolen"]),
        [of_alice, other],
        "each once, a claimed identity not"
    );
    assert_eq!(
        of(&["--where", "subject=bob"]),
        [json!({ "fingerprint": "AAAAAAAAAAAAAAAAAAAAAA" })],
        "no end is known"
    );
    let found = of(&["--where", "reason=token_in_query"]);
    assert_eq!(found, [json!({ "fingerprint": "DGDlztqioAvUw2Al_82Zl5" })]);
    let identity = entries(&record(key("insufficient_scope")), &["--where", "subject=alice"]);
    assert_eq!(identity, [json!({ "credential": "partners", "id": "a\u{e9}" })]);
    // The entries are a list.
    write(folder.join("entries"), revoke(&log, &["--where", "decision=allow"]).stdout).unwrap();
    assert_eq!(run(&["revocations", "build", "entries", "--at", AT], &folder).stdout.lines().count(), 4);
    let none = revoke(&log, &["--where", "subject=eve"]);
    assert!(none.status == 2 && none.stderr.contains("0 of 6 records are meant") && none.stdout.is_empty(), "{none:?}");
    assert_eq!(revoke(&log, &[]).status, 2, "a whole log is not revoked");
}

#[test]
fn a_fingerprint_alone_is_enough() {
    let folder = folder();
    let revoke = |more: &[&str]| run(&[&["token", "revoke", "--fingerprint"], more].concat(), &folder);
    let name = "-vdA9cRn0Ls45XKidPuQiq";
    assert_eq!(printed(&revoke(&[name])), json!({ "fingerprint": name }));
    let until = revoke(&[name, "--until", AT, "--reason", "stolen"]);
    assert_eq!(printed(&until), json!({ "fingerprint": name, "until": NOW, "reason": "stolen" }));
    let short = revoke(&["vdA9"]);
    assert!(short.status == 2 && short.stderr.contains("22 characters"), "{short:?}");
}
