//! URIs that servers read in more than one way. Many bring a URI into its normal form before they look for the resource
//! ([URL Standard](https://url.spec.whatwg.org/), RFC 3986 section 6): `new URL` in JavaScript, `AnyUrl` in Python.

/// Schemes whose URIs have a host and a path, whatever they look like (URL Standard, "special scheme").
const SPECIAL: [&str; 6] = ["file", "http", "https", "ws", "wss", "ftp"];

/// Whether servers may read a URI in more than one way.
pub(super) fn is_ambiguous(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else { return is_ambiguous_template(uri) };
    let is_other_ambiguous = || {
        let authority = rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        authority.starts_with('@') || authority.ends_with(':') || authority.contains('[')
    };
    is_ambiguous_template(uri)
        || if SPECIAL.contains(&scheme) { is_special_ambiguous(scheme, rest) } else { is_other_ambiguous() }
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
    let (host, path) = rest.find(['/', '?', '#']).and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, ""));
    if scheme == "file" {
        // Its readers take the path alone, an empty segment for none, and `|` for the colon of a drive.
        return !host.is_empty() || !path.starts_with('/') || path.contains(['?', '#', '|']) || path.contains("//");
    }
    let (name, port) = host.split_once(':').unwrap_or((host, "1"));
    let is_of_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    !path.starts_with('/')
        || name.is_empty()
        || !name.bytes().all(is_of_name)
        || is_unusual_number(name)
        || matches!(port, "" | "80" | "443" | "21")
        || port.starts_with('0')
}

/// Whether a host is an address of IPv4 in another way than four decimal numbers: one is, whose last label is a number.
fn is_unusual_number(host: &str) -> bool {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_usual =
        |label: &str| label.bytes().all(|byte| byte.is_ascii_digit()) && (label == "0" || !label.starts_with('0'));
    last.starts_with(|first: char| first.is_ascii_digit())
        && !(host.split('.').count() == 4 && host.split('.').all(is_usual))
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
            "https://a:0443/b",
            "http://127.1/a",
            "http://0x7f.0.0.1/",
            "http://127.0.0.01/",
            "http://[::1]/a",
            "file://",
            "https://a:#b/",
            "memo://a:/b",
            "memo://@a",
            "memo://[0::1]/",
            "file:///C|/a",
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
            "http://127.0.0.1:8080/a",
            "https://4.example/",
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
