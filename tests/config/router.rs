//! What cannot be where the router edits requests.

use super::{read, read_yaml, with};

#[test]
fn what_only_reports_stands_beside_the_filters_own_edits_and_metadata_that_does_is_unreadable_beside_a_routers() {
    let policy = |by: &str| {
        read(&with(&format!("forward: {{by: {by}, headers: {{x-user: sub, x-auth-role: role}}}}"))).unwrap().policy
    };
    for (text, refused) in [
        ("{report_only: true}", true),
        ("{report_only: false, methods: {GET: {report_only: true}}}", true),
        ("{report_only: false, scopes: [a], methods: {GET: {scopes: []}}}", false),
        ("{public: true}", false),
    ] {
        let node = read_yaml(text).unwrap();
        assert!(scopegate::config::requirement(&node, &policy("filter"), &|_| None).is_ok(), "{text}");
        assert_eq!(scopegate::config::requirement(&node, &policy("router"), &|_| None).is_err(), refused, "{text}");
    }
}
