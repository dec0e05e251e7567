//! Lines of htpasswd become users as they are written, or are refused: no line is passed over, and no hash is read whose
//! password would be found fast, or whose work has no limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::config::{self, Node};
use scopegate::crypto::{Effort, PasswordHash};
use scopegate::policy::SetKind;
use scopegate_fuzz::{configuration, environment, reached};
use serde_json::json;

/// What is true of every hash that is read.
fn hash(text: &str) {
    let Ok(hash) = PasswordHash::parse(text) else { return };
    let (begin, name) = match hash.effort() {
        Effort::Nothing => panic!("{text} is a hash without effort"),
        Effort::Bcrypt(cost) => {
            assert!((5..=12).contains(&cost) && text.len() == 60, "{text}");
            ("$2", "bcrypt")
        }
        Effort::Pbkdf2Sha256(rounds) | Effort::Pbkdf2Sha512(rounds) => {
            assert!((1..=1_000_000).contains(&rounds), "{text}");
            ("$pbkdf2-sha", "PBKDF2")
        }
    };
    assert!(text.starts_with(begin), "{text}");
    assert_eq!(PasswordHash::parse(text).map(|again| again.digest()), Ok(hash.digest()));
    // It shows nothing of what it is compared with.
    let digits = text.get(text.len().saturating_sub(12)..).unwrap_or_default();
    assert!(!format!("{hash:?}").contains(digits));
    reached("htpasswd", name);
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    hash(text);
    text.lines().filter_map(|line| line.trim().split_once(':')).for_each(|(_, text)| hash(text));
    let sets = json!([{ "name": "staff", "basic": {}, "htpasswd": text }]);
    let read = config::compile(&Node::from(configuration(json!({ "credentials": sets }))), &environment);
    let Ok(loaded) = read else { return reached("htpasswd", "refused") };
    let set = loaded.policy.credentials.first().expect("a set");
    let SetKind::Passwords(passwords) = &set.kind else { panic!("not of passwords") };
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(set.identities.len(), lines.len());
    for (line, identity) in lines.into_iter().zip(&set.identities) {
        let (user, hash) = line.split_once(':').expect("a colon");
        assert_eq!(identity.id.as_str(), user);
        let (found, secrets) = passwords.find(user.as_bytes());
        assert!(found.and_then(|at| set.identities.get(at)).is_some_and(|found| found.id == identity.id), "{user}");
        let hash = PasswordHash::parse(hash).expect("a hash");
        assert_eq!(secrets.hashes.iter().map(PasswordHash::digest).collect::<Vec<_>>(), [hash.digest()]);
    }
    assert!(passwords.find(b"").0.is_none() && passwords.find(b"somebody:else").0.is_none());
    reached("htpasswd", "users");
});
