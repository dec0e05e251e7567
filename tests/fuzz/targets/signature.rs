//! What is signed of a request has a line for each part and no more, and says what another reader finds in the request. No
//! unsigned `x-amz-*` stays.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scopegate::request::RequestView;
use scopegate::signature::{Fault, Payload, SignedRequest, apinto, message, sigv4};
use scopegate_fuzz::{Request, reached};

const BODY: [u8; 32] = [7; 32];

fn reached_by(form: &str, read: &Result<SignedRequest<'_>, Fault>) {
    let what = match read {
        Ok(_) => "a signature",
        Err(Fault::Malformed(_)) => "malformed",
        Err(Fault::Incomplete(_)) => "incomplete",
        Err(Fault::BodyUnsigned(_)) => "the body is unsigned",
    };
    reached("signature", &format!("{form}: {what}"));
}

/// The names that each are on one line of `text` with a value, after these lines.
fn assert_lines(text: &[u8], signed: &SignedRequest<'_>, before: usize, after: usize) {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let names: Vec<&str> = signed.covered().collect();
    assert_eq!(lines.len(), before + names.len() + after, "{}", text.escape_ascii());
    for (line, name) in lines.iter().skip(before).zip(names) {
        let quoted = format!("\"{name}\": ");
        assert!(line.starts_with(name.as_bytes()) || line.starts_with(quoted.as_bytes()), "{}", line.escape_ascii());
    }
}

/// A form whose string to sign is made of a canonical request.
fn check_canonical(signed: &SignedRequest<'_>, view: &RequestView<'_>) {
    let Ok(text) = signed.string_to_sign(view, Some(&BODY)) else { return };
    reached("signature", "a string to sign");
    assert_eq!(text.split(|byte| *byte == b'\n').count(), if signed.scope.is_some() { 4 } else { 3 });
    let canonical = signed.canonical_request(view, Some(&BODY)).expect("no fault").expect("a canonical request");
    assert_lines(&canonical, signed, 3, 3);
    assert_eq!(signed.string_to_sign(view, None).is_ok(), signed.payload() != Payload::Body);
    assert!(signed.covers("host") && !signed.key_id.is_empty() && signed.signature.len() == 32);
    let lines: Vec<&[u8]> = canonical.split(|byte| *byte == b'\n').collect();
    assert_eq!(lines[0], view.method());
    let sent = view.query().map_or(vec![], parts);
    assert_eq!(parts(lines[2]).len(), sent.len(), "no part is left out, and no two are one");
    if signed.scope.is_some() {
        assert_eq!(parts(lines[2]), sent);
    }
}

/// The parts of a query, sorted. `a` and `a=` are one to every reader.
fn parts(query: &[u8]) -> Vec<&[u8]> {
    let parts = query.split(|byte| *byte == b'&').filter(|part| !part.is_empty());
    let mut parts: Vec<&[u8]> = parts.map(|part| part.strip_suffix(b"=").unwrap_or(part)).collect();
    parts.sort_unstable();
    parts
}

fn check_message(signed: &SignedRequest<'_>, view: &RequestView<'_>) {
    let Ok(text) = signed.string_to_sign(view, None) else { return };
    reached("signature", "a signature base");
    assert_lines(&text, signed, 0, 1);
    let last = text.rsplit(|byte| *byte == b'\n').next().expect("a line");
    let parameters = last.strip_prefix(b"\"@signature-params\": ").expect("the parameters");
    let mut inputs = view.values("signature-input");
    assert!(inputs.any(|line| line.windows(parameters.len()).any(|part| part == parameters)));
    assert_eq!(signed.payload() != Payload::Nothing, signed.covers("content-digest"));
}

fuzz_target!(|text: &[u8]| {
    let request = Request::read(text);
    let headers: Vec<(&[u8], &[u8])> = request.headers.iter().map(|(name, value)| (name.as_slice(), *value)).collect();
    let view = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
    for line in view.values("authorization") {
        let mut sides = line.splitn(2, |byte| *byte == b' ');
        let (scheme, value) = (sides.next().unwrap_or_default(), sides.next().unwrap_or_default());
        let of_aws = sigv4::read(value, &view);
        reached_by("SigV4", &of_aws);
        if let Ok(signed) = of_aws {
            check_canonical(&signed, &view);
            let removed = signed.unsigned_headers(&view);
            for (name, _) in headers.iter().filter(|(name, _)| name.starts_with(b"x-amz-")) {
                let name = std::str::from_utf8(name).expect("a name");
                assert_ne!(removed.contains(&name), signed.covers(name), "{name}");
            }
        }
        let of_apinto = apinto::read(scheme, value, &view);
        reached_by("Apinto", &of_apinto);
        if let Ok(signed) = of_apinto {
            check_canonical(&signed, &view);
        }
    }
    for tag in [None, Some("app")] {
        let read = message::read(&view, tag);
        assert!(message::is_presented(&view) || matches!(read, Ok(None)));
        if let Some(read) = read.transpose() {
            reached_by("RFC 9421", &read);
            if let Ok(signed) = read {
                check_message(&signed, &view);
            }
        }
    }
});
