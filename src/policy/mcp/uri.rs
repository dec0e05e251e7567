//! URIs that servers read in more than one way. Many bring a URI into its normal form before they look for the resource
//! ([URL Standard](https://url.spec.whatwg.org/), RFC 3986 section 6): `new URL` in JavaScript, `AnyUrl` in Python.

/// Schemes whose URIs have a host and a path, whatever they look like (URL Standard, "special scheme").
const SPECIAL: [&str; 6] = ["file", "http", "https", "ws", "wss", "ftp"];

/// Whether servers may read a URI in more than one way.
pub(super) fn is_ambiguous(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return is_ambiguous_template(uri) };
    is_ambiguous_template(uri) || SPECIAL.contains(&scheme) && is_special_ambiguous(scheme, rest)
}

/// Whether servers may read a template in more than one way, whatever it becomes: white space around it, capitals in its
/// scheme, dot segments, `\`, and escapes of what is not escaped, of `/` and `\`, and of escapes.
pub(super) fn is_ambiguous_template(uri: &str) -> bool {
    let scheme = uri.split([':', '{']).next().unwrap_or_default();
    let is_dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    uri.trim() != uri
        || scheme.bytes().any(|byte| byte.is_ascii_uppercase())
        || uri.contains('\\')
        || uri.match_indices('%').any(|(at, _)| is_ambiguous_escape(uri.get(at..).unwrap_or_default()))
        || uri.split(['/', '?', '#']).any(is_dots)
}

/// Whether an escape is of what stands for itself (RFC 3986 section 2.3), of `/` or `\`, or of the `%` of another escape.
fn is_ambiguous_escape(text: &str) -> bool {
    let code = |from: usize| u8::from_str_radix(text.get(from..from.saturating_add(2))?, 16).ok();
    match code(1) {
        Some(b'%') => code(3).is_some(),
        Some(byte) => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/' | b'\\'),
        None => false,
    }
}

/// Whether the host of a special URI, or where it begins and ends, is written in another way than in the normal form.
fn is_special_ambiguous(scheme: &str, rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix("//") else { return true };
    let (host, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    if scheme == "file" {
        // Its readers take the path alone, and an empty segment for none.
        return !host.is_empty() || path.contains(['?', '#']) || path.contains("//");
    }
    let has_default_port =
        ["", "80", "443", "21"].iter().any(|port| host.rsplit_once(':').is_some_and(|it| it.1 == *port));
    host.is_empty()
        || path.is_empty()
        || has_default_port
        || host.bytes().any(|byte| !matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_bring_into_another_form_is_ambiguous() {
        for uri in [
            "MEMO://a",
            "Memo:a",
            " memo://a",
            "memo://a ",
            "memo://a/../b",
            "memo://a/..;x=1/b",
            "memo://a/%2E%2e/b",
            "memo://a%2fb",
            "memo://a%5Cb",
            "memo://a\\b",
            "memo://%61",
            "memo://a%252e",
            "file:/a",
            "file:a",
            "file://localhost/a",
            "file:////a",
            "file:///a//b",
            "file:///a?",
            "file:///a#b",
            "FILE:///a",
            "http:a/b",
            "http:///a/b",
            "https://A/b",
            "https://a",
            "https://a:443/b",
            "https://a:/b",
            "https://x@a/b",
            "https://é/b",
            "..",
        ] {
            assert!(is_ambiguous(uri), "{uri}");
        }
    }

    #[test]
    fn what_is_in_its_normal_form_is_not_ambiguous() {
        for uri in [
            "memo://a",
            "memo://A/B",
            "memo:a",
            "repo://owner/name?ref=main#x",
            "memo://a//b",
            "memo://a/.../.b/b..",
            "memo://a/100%25",
            "memo://a/%C3%A9%20",
            "memo://é",
            "file:///",
            "file:///a/b.txt",
            "file:///C:/a",
            "https://a.example/",
            "https://a:8443/B?c=/D",
            "http://[::1]/a",
            "urn:isbn:1",
            "a",
        ] {
            assert!(!is_ambiguous(uri), "{uri}");
        }
    }

    #[test]
    fn a_template_may_become_what_is_written_in_another_way() {
        assert!(["FILE:///{path}", "file:///../{path}", " a{b}"].into_iter().all(is_ambiguous_template));
        assert!(
            ["file:///{path}", "https://{Host}/a{?q}", "{A}:b", "{+all}"]
                .into_iter()
                .all(|it| !is_ambiguous_template(it))
        );
    }
}
