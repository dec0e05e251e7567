//! A request has one token, wherever it is: two places or two lines are refused, and from the subprotocols the token is taken
//! out whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::credential::{Presented, token, without_token};
use scopegate::policy::{TokenHeader, TokenPlace, TokenPlaces};
use scopegate::request::RequestView;
use scopegate_fuzz::{Request, reached};

fn places() -> TokenPlaces {
    let header = |name: &str, prefix: &str| TokenHeader { name: name.to_owned(), prefix: prefix.to_owned() };
    TokenPlaces {
        authorization: true,
        headers: vec![header("x-partner-token", "Token "), header("x-partner-token", "Key "), header("x-jwt", "")],
        websocket_protocol: true,
    }
}

type Lines<'l> = Vec<(&'l [u8], &'l [u8])>;

fn view<'v>(headers: &'v Lines<'v>) -> RequestView<'v> {
    RequestView { headers, route_name: None, virtual_host: None, ends_with_headers: true }
}

fuzz_target!(|text: &[u8]| {
    let (request, places) = (Request::read(text), places());
    let headers: Lines<'_> = request.headers.iter().map(|(name, value)| (name.as_slice(), *value)).collect();
    let plain = view(&headers);
    match token(&plain, &places, true) {
        Err(denial) => reached("places", denial.reason().name()),
        Ok(Presented::Nothing) => reached("places", "nothing"),
        Ok(Presented::Token(_, found)) => {
            let name = found.place().name().as_bytes();
            assert!(!found.as_bytes().is_empty());
            let of_place: Vec<&[u8]> = headers.iter().filter(|(other, _)| *other == name).map(|(_, value)| *value).collect();
            let holds = |line: &&&[u8]| line.windows(found.as_bytes().len()).any(|part| part == found.as_bytes());
            assert_eq!(of_place.iter().filter(holds).count().min(1), 1, "{}", found.as_bytes().escape_ascii());
            assert!(of_place.len() == 1 || found.place() == TokenPlace::WebSocketProtocol);
            // A further place, and a further line of the same one.
            for (name, value) in [(&b"x-partner-token"[..], &b"Token t"[..]), (b"x-jwt", b"t"), (b"authorization", b"Bearer t")] {
                let more: Lines<'_> = headers.iter().copied().chain([(name, value)]).collect();
                assert!(token(&view(&more), &places, true).is_err(), "{} beside it", name.escape_ascii());
            }
            reached("places", std::str::from_utf8(name).expect("a name"));
        }
    }
    let only = TokenPlaces { websocket_protocol: true, ..TokenPlaces::default() };
    let (Ok(Presented::Token(_, found)), left) = (token(&plain, &only, false), without_token(&plain)) else { return };
    // What the upstream gets has every subprotocol, and the token at most where it was offered as one.
    let left = left.expect("a token is taken out");
    let offered = |lines: &[&[u8]]| -> Vec<Vec<u8>> {
        // White space is a space or a tab here (RFC 9110 section 5.6.3), and nothing else.
        let trim = |one: &'_ [u8]| -> Vec<u8> {
            let start = one.iter().position(|byte| !b" \t".contains(byte)).unwrap_or(one.len());
            let end = one.iter().rposition(|byte| !b" \t".contains(byte)).map_or(start, |last| last + 1);
            one[start..end].to_vec()
        };
        let all = lines.iter().flat_map(|line| line.split(|byte| *byte == b',')).map(trim);
        all.filter(|one| !one.is_empty()).collect()
    };
    let lines: Vec<&[u8]> =
        headers.iter().filter(|(name, _)| *name == b"sec-websocket-protocol").map(|(_, value)| *value).collect();
    let mut wanted = offered(&lines);
    let at = wanted.iter().position(|one| one == b"bearer").expect("bearer") + 1;
    assert_eq!(wanted.remove(at), found.as_bytes());
    assert_eq!(offered(&[&left]), wanted, "{}", left.escape_ascii());
});
