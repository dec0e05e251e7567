//! Pages that may send requests.

use super::{problems, read, with};

#[test]
fn what_is_wrong_with_origins_is_said() {
    let origins = |list: &str| with(&format!("default: {{csrf: {{origins: {list}}}}}"));
    snapshot!(problems(&[
        ("none", with("default: {csrf: {}}")),
        ("a list in place of an object", with("default: {csrf: ['https://a']}")),
        ("an empty list", origins("[]")),
        ("a star", origins("['*']")),
        ("null", origins("['null']")),
        ("no scheme", origins("[app.example.com]")),
        ("another scheme", origins("['ws://a']")),
        ("a path", origins("['https://a/']")),
        ("upper case", origins("['https://A']")),
        ("a default port", origins("['https://a:443', 'http://a:80']")),
        ("a port that is none", origins("['https://a:0443', 'https://a:', 'https://a:99999']")),
        ("a user", origins("['https://u@a']")),
        ("no host", origins("['https://', 'https://:8443', 'https://[]']")),
        ("csrf beside public", with("default: {public: true, csrf: {origins: ['https://a']}}")),
    ]));
    assert!(
        read(&origins(
            "['https://a', 'http://a:443', 'https://a-b_c.d:8443', 'http://[::1]:8080', 'https://[fe80::1]']"
        ))
        .is_ok()
    );
}
