//! A token in a query is found in whatever else the query holds, and however it is encoded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::credential::{TOKEN_PARAMETERS, find_token};
use scopegate::policy::QueryPolicy;

fuzz_target!(|query: &[u8]| {
    let policy = QueryPolicy::default();
    let holds = |query: &[u8]| find_token(query, &policy, &[]).is_some();
    let found = holds(query);
    assert_eq!(holds(&[b"a=b&", query].concat()), found);
    assert_eq!(holds(&[query, b"&a=b"].concat()), found);
    let encoded: Vec<u8> = query
        .iter()
        .flat_map(|&byte| match byte {
            // A plus is a space, and what is encoded stays.
            b'&' | b';' | b'=' | b'%' | b'+' => vec![byte],
            _ => format!("%{byte:02x}").into_bytes(),
        })
        .collect();
    if !query.contains(&b'%') {
        assert_eq!(holds(&encoded), found, "{}", String::from_utf8_lossy(&encoded));
    }
    assert!(find_token(query, &policy, &["a".to_owned()]).is_some() <= found, "what is allowed finds no more");
    for name in TOKEN_PARAMETERS {
        assert!(holds(&[query, b"&", name.as_bytes(), b"=x"].concat()));
        assert!(holds(&[query, b";", name.to_ascii_uppercase().as_bytes(), b"=x"].concat()));
    }
});
