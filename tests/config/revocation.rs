//! What is said of a `revocation` that is wrong, and what holds where it is silent.

use crate::{KEY, around, problems, read, with};
use scopegate::policy::WhenStale;

/// One that the host alone can check signatures with.
const HOST_KEY: &str = "{kty: EC, crv: P-521, kid: b, x: ACiHl34hVBZNfm1BH93TEcnf_9A-lPkO_NWsaY8Ui21gN9gICo4Itwv0M7pv2RqdyL9gLvrsEX45OyXo5_BQBHQN, y: AU43MHvC_Rqp861v5Qda2eVUArwnpAgjD0k9RucQR1nXJAuC7irHjHn5l2PnM0tYN_rhHE1UdC5oaBY2eLqq73Pw}";

#[test]
fn what_is_wrong_with_revocation_is_said() {
    let entry = |members: &str| with(&format!("revocation: {{entries: [{members}]}}"));
    let lists = |lists: &str| with(&format!("revocation: {{lists: [{lists}]}}"));
    snapshot!(problems(&[
        ("no object", with("revocation: []")),
        ("entries that are no list", with("revocation: {entries: {iss: https://a/, jti: x}}")),
        ("a misspelt field", with("revocation: {entry: []}")),
        ("an entry that names nothing", entry("{}")),
        ("an issuer alone", entry("{iss: https://a/}")),
        ("an identifier alone", entry("{jti: x}")),
        ("two names in one entry", entry("{iss: https://a/, jti: x, sub: y, issued_before: 1}")),
        ("a misspelt member", entry("{iss: https://a/, jit: x}")),
        ("a subject without a time", entry("{iss: https://a/, sub: x}")),
        ("a time where there is none", entry("{iss: https://a/, jti: x, issued_before: 1}")),
        ("a fingerprint that is none", entry("{fingerprint: x}")),
        ("an issuer of a fingerprint", entry("{iss: https://a/, fingerprint: FvdA9cRn0Ls45XKidPuQiq}")),
        ("an issuer that is not configured", entry("{iss: https://a, jti: x}")),
        ("an identifier that is a number", entry("{iss: https://a/, jti: 1}")),
        ("an empty identifier", entry("{iss: https://a/, jti: ''}")),
        ("null", entry("{iss: https://a/, jti: x, until: ~}")),
        ("a date in words", entry("{iss: https://a/, jti: x, until: '2027-01-01T00:00:00Z'}")),
        ("a duration for a date", entry("{iss: https://a/, sub: x, issued_before: 5m}")),
        ("two entries", entry("{jti: x}, {sub: y}")),
        ("a list of nothing", lists("{}")),
        ("a misspelt field of a list", lists("{url: https://a/l, cluster: a}")),
        ("a list without scheme", lists("{uri: a/l, cluster: a}")),
        ("a list out of range", lists("{uri: https://a/l, cluster: a, refresh: 0s, timeout: 10ms, max_stale: 1000h}")),
        ("a list that is too large", lists("{uri: https://a/l, cluster: a, max_bytes: 33554433}")),
        ("an unknown word", lists("{uri: https://a/l, cluster: a, when_stale: refuse}")),
        ("a boolean for a word", lists("{uri: https://a/l, cluster: a, when_stale: off}")),
        ("the same list twice", lists("{uri: https://a/l, cluster: a}, {uri: https://a/l, cluster: b}")),
        ("no keys", lists("{uri: https://a/l, cluster: a, signed_by: {keys: []}}")),
        ("no key set", lists("{uri: https://a/l, cluster: a, signed_by: {}}")),
        ("a list of keys", lists("{uri: https://a/l, cluster: a, signed_by: []}")),
        (
            "a key that no list can be checked with",
            lists(&format!("{{uri: https://a/l, cluster: a, signed_by: {{keys: [{HOST_KEY}]}}}}"))
        ),
        ("keys that are secrets", lists("{uri: https://a/l, cluster: a, signed_by: {keys: [{kty: oct, k: AAAA}]}}")),
    ]));
}

#[test]
fn a_key_that_no_list_can_be_checked_with_is_a_warning_beside_one_that_can() {
    let list = format!("{{uri: https://a/l, cluster: a, signed_by: {{keys: [{KEY}, {HOST_KEY}]}}}}");
    let text = around(&format!("  jwks: {{inline: {{keys: [{KEY}]}}}}"), &format!("revocation: {{lists: [{list}]}}\n"));
    let loaded = read(&text).unwrap();
    assert_eq!(
        loaded.warnings,
        ["revocation.lists[0].signed_by: a P-521 key checks no list: that is done in the VM, which has no ES512"]
    );
    assert_eq!(loaded.settings.revocation.lists[0].terms.signed_by.as_ref().unwrap().keys().len(), 2);
}

#[test]
fn a_list_is_fetched_every_ten_seconds_and_insisted_on_for_an_hour_unless_it_says_otherwise() {
    let text = around(
        &format!("  jwks: {{inline: {{keys: [{KEY}]}}}}"),
        "revocation: {lists: [{uri: https://a/l, cluster: a}]}\n",
    );
    let list = read(&text).unwrap().settings.revocation.lists.remove(0);
    assert_eq!((list.refresh.0, list.timeout_ms, list.max_stale.0), (10, 2000, 3600));
    assert_eq!((list.when_stale, list.terms.max_bytes), (WhenStale::Deny, 16 << 20));
    assert_eq!((list.terms.name.as_str(), list.terms.signed_by.is_none()), ("https://a/l", true));
}
