//! The one cookie of a name is found wherever it is, twice is refused, and when it is taken out no reader finds it, while
//! every other cookie stays as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::credential::{cookie, without_cookies};
use scopegate::policy::{Cookie, Csrf};
use scopegate::request::RequestView;
use scopegate_fuzz::reached;

const NAME: &[u8] = b"__Host-token";

fn with<T>(lines: &[&[u8]], read: impl FnOnce(&RequestView<'_>) -> T) -> T {
    let headers: Vec<(&[u8], &[u8])> = lines.iter().map(|line| (&b"cookie"[..], *line)).collect();
    read(&RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true })
}

/// The pairs as a simple reader has them: what is between semicolons, without the white space around it.
fn pairs<'l>(lines: &[&'l [u8]]) -> Vec<&'l [u8]> {
    let all = lines.iter().flat_map(|line| line.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    all.filter(|pair| !pair.is_empty()).collect()
}

/// Whether a reader that is less strict takes a pair for the cookie.
fn is_own(pair: &[u8]) -> bool {
    pair.split(|byte| *byte == b'=').next().is_some_and(|name| name.trim_ascii() == NAME)
}

fuzz_target!(|bytes: &[u8]| {
    let own = Cookie { name: "__Host-token".to_owned(), csrf: Csrf { origins: vec![] } };
    // Two lines, as HTTP/2 has them.
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let all = pairs(&lines);
    let count = all.iter().filter(|pair| is_own(pair)).count();
    let found = with(&lines, |request| cookie(request, &own).map(|found| found.map(|token| token.as_bytes().to_vec())));
    let kept = with(&lines, |request| without_cookies(request, &|name| name == NAME));
    match (count, found) {
        (0, Ok(None)) => reached("cookies", "none"),
        (1, Ok(Some(token))) => {
            let pair = all.iter().find(|pair| is_own(pair)).expect("it is there");
            let value = pair.iter().position(|byte| *byte == b'=').map_or(&b""[..], |at| &pair[at + 1..]);
            assert_eq!(token, value.trim_ascii());
            reached("cookies", "one");
        }
        (2.., Err(_)) => reached("cookies", "several"),
        (count, found) => panic!("{count} of them, and {found:?}"),
    }
    assert_eq!(kept.is_some(), count > 0);
    let Some(kept) = kept else { return };
    let left = [kept.as_slice()];
    let others: Vec<&[u8]> = all.into_iter().filter(|pair| !is_own(pair)).collect();
    assert_eq!(pairs(&left), others, "{}", kept.escape_ascii());
    assert!(with(&left, |request| cookie(request, &own).is_ok_and(|found| found.is_none())));
    assert_eq!(with(&left, |request| without_cookies(request, &|name| name == NAME)), None);
});
