//! What `authorization` holds after `Basic` is one user name and one password, which other words for it cannot be: what is
//! read is written again as it was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::base::base64url;
use scopegate::credential::{SentSecret, secret_of};
use scopegate::policy::{MAX_PASSWORD, MAX_USER, Policy};
use scopegate::request::RequestView;
use scopegate_fuzz::{configuration, policy, reached, staff};
use serde_json::json;

thread_local! {
    static POLICY: Policy = policy(configuration(json!({ "credentials": [staff()] })));
}

/// Base64 of the standard alphabet, with its padding (RFC 4648 section 4).
fn written(bytes: &[u8]) -> String {
    let text = base64url::encode(bytes).replace('-', "+").replace('_', "/");
    format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4))
}

fuzz_target!(|value: &[u8]| {
    POLICY.with(|policy| {
        let set = policy.credentials.first().expect("a set");
        let find = |lines: &[&[u8]]| {
            let headers: Vec<(&[u8], &[u8])> = lines.iter().map(|line| (&b"authorization"[..], *line)).collect();
            let view = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
            secret_of(&view, set, &policy.credentials).map(|found| {
                found.map(|found| match found.secret {
                    SentSecret::Password(text) => text.checked(),
                    SentSecret::ApiKey(_) | SentSecret::Certificate | SentSecret::Signature(_) => panic!("not a password"),
                })
            })
        };
        assert!(find(&[]).is_ok_and(|found| found.is_none()));
        // Two lines are two credentials, whatever they hold.
        assert!(find(&[value, b"Basic YTpi"]).is_err() && find(&[b"Bearer a.b.c", value]).is_err());
        let Ok(Some(Ok(read))) = find(&[value]) else { return reached("basic", "not a user and a password") };
        let (user, password) = (read.user(), read.password());
        assert!((1..=MAX_USER).contains(&user.len()) && password.len() <= MAX_PASSWORD);
        assert!(!user.contains(&b':'), "the first colon ends the user name");
        let both = [user, b":", password].concat();
        let text = std::str::from_utf8(&both).expect("UTF-8");
        assert!(!text.chars().any(char::is_control), "{text:?}");
        let trimmed = value.trim_ascii();
        let (scheme, rest) = trimmed.split_at(5);
        assert!(scheme.eq_ignore_ascii_case(b"basic") && rest.starts_with(b" "), "{}", value.escape_ascii());
        assert_eq!(rest.trim_ascii_start(), written(&both).as_bytes(), "{}", value.escape_ascii());
        reached("basic", if password.contains(&b':') { "a password with a colon" } else { "a user and a password" });
    });
});
