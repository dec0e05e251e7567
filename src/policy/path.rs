//! Paths that every reader understands alike, and ambiguous ones.
//!
//! A rule about a path is only as good as the agreement between this filter, Envoy's router and the upstream on
//! what the path is. So a path that any of them might read in another way is *ambiguous*, and a rule that would
//! have to judge it refuses the request instead of guessing
//! ([RFC 3986 section 6](https://www.rfc-editor.org/rfc/rfc3986#section-6), RFC 9700 section 4.13).

use crate::base::text::{escape_value, hex_digit, percent_decode};

/// Ambiguous forms that are admitted, because an API needs them. They are matched as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathPolicy {
    /// `%2F` inside a segment (GitLab, npm).
    pub encoded_slash: bool,
    /// `;` (matrix parameters).
    pub semicolon: bool,
}

/// A path as it came and as RFC 3986 normalises it.
#[derive(Debug)]
pub struct PathForms<'a> {
    /// The path as it came, without the query.
    raw: &'a [u8],
    /// The path with escapes of unreserved characters decoded and the others in upper case, if that differs.
    normal: Option<Vec<u8>>,
    ambiguous: bool,
}

/// A condition on a path gives different answers for readings that upstreams may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

impl<'a> PathForms<'a> {
    /// Looks at `raw`, the path without its query.
    #[must_use]
    pub fn of(raw: &'a [u8], policy: PathPolicy) -> Self {
        let ambiguous = !is_unambiguous(raw, policy);
        let normal = if ambiguous || !raw.contains(&b'%') { None } else { Some(normalise(raw)) };
        Self { raw, normal: normal.filter(|normal| normal != raw), ambiguous }
    }

    /// The ways in which readers may read the path; `None` if they are unknown.
    pub(super) fn readings(&self) -> Option<[Option<&[u8]>; 2]> {
        (!self.ambiguous).then_some([Some(self.raw), self.normal.as_deref()])
    }

    /// The answer of `condition`, if it is the same for every reading of the path.
    ///
    /// # Errors
    /// [`Ambiguous`] when the path is, or when the condition holds for the path as it came and not as normalised,
    /// or the other way round (`/%61dmin` under a rule for `/admin`): Envoy's router and the upstream would differ.
    pub fn test(&self, condition: impl Fn(&[u8]) -> bool) -> Result<bool, Ambiguous> {
        if self.ambiguous {
            return Err(Ambiguous);
        }
        let answer = condition(self.raw);
        match &self.normal {
            Some(normal) if condition(normal) != answer => Err(Ambiguous),
            _ => Ok(answer),
        }
    }
}

/// Whether every reader understands `path` alike: it begins with `/` and holds no `\`, `#`, `//`, `;`, no dot
/// segment in any encoding, no encoded `/`, `\`, `.` or NUL, however often encoded, no overlong UTF-8 and no
/// invalid escape, but for what `policy` admits.
#[must_use]
pub fn is_unambiguous(path: &[u8], policy: PathPolicy) -> bool {
    if path.first() != Some(&b'/') || !characters_are_plain(path, policy) {
        return false;
    }
    if !path.contains(&b'%') {
        return segments_are_plain(path);
    }
    // The segments as a reader sees them that decodes first: an admitted encoded slash ends a segment, and `..%3B` is
    // `..;`.
    let decoded = percent_decode(path);
    segments_are_plain(&decoded) && hides_nothing(decoded)
}

fn characters_are_plain(path: &[u8], policy: PathPolicy) -> bool {
    let mut at = 0;
    let mut previous = 0_u8;
    while let Some(&byte) = path.get(at) {
        let value = match byte {
            b'\\' | b'#' | 0..=b' ' | 0x7f => return false,
            b';' if !policy.semicolon => return false,
            b'%' => {
                let Some(value) = escape_value(path.get(at + 1).copied(), path.get(at + 2).copied()) else {
                    return false;
                };
                match value {
                    b'.' | b'\\' | 0 => return false,
                    b'/' if !policy.encoded_slash => return false,
                    _ => {}
                }
                at += 2;
                value
            }
            other => other,
        };
        if starts_overlong(previous, value) {
            return false;
        }
        previous = value;
        at += 1;
    }
    true
}

/// Whether decoding a decoded path again, any number of times, brings out nothing that structures a path. The escape
/// may itself be written with escapes (`%252%66`).
fn hides_nothing(decoded: Vec<u8>) -> bool {
    const MOST_READINGS: usize = 4;
    let mut read = decoded;
    for _ in 0..MOST_READINGS {
        let escapes = (0..read.len()).filter(|&at| read.get(at) == Some(&b'%'));
        let mut values = escapes.filter_map(|at| escape_value(read.get(at + 1).copied(), read.get(at + 2).copied()));
        if values.any(|value| matches!(value, b'.' | b'/' | b'\\' | b'%' | b';' | 0)) {
            return false;
        }
        let next = percent_decode(&read);
        if next.len() == read.len() {
            return true;
        }
        let begins_overlong = |pair: &[u8]| matches!(pair, &[previous, byte] if starts_overlong(previous, byte));
        if next.windows(2).any(begins_overlong) || !segments_are_plain(&next) {
            return false;
        }
        read = next;
    }
    false
}

/// Whether these bytes begin a UTF-8 sequence longer than need be, by which old decoders hid a `.` or a `/`.
fn starts_overlong(previous: u8, byte: u8) -> bool {
    matches!(byte, 0xc0 | 0xc1)
        || previous == 0xe0 && (0x80..0xa0).contains(&byte)
        || previous == 0xf0 && (0x80..0x90).contains(&byte)
}

/// Whether no segment is a dot segment, or empty before the end.
fn segments_are_plain(path: &[u8]) -> bool {
    let mut segments = path.split(|&byte| byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let name = segment.split(|&byte| byte == b';').next().unwrap_or_default();
        let is_blank = |byte: &u8| *byte <= b' ' || *byte == 0x7f;
        // A segment of more than two dots is an ordinary name, so three characters are enough.
        let mut name = name.iter().filter(|byte| !is_blank(byte));
        let is_dots = matches!((name.next(), name.next(), name.next()), (Some(b'.'), None | Some(b'.'), None));
        // An empty segment is a doubled slash, unless it is the last, where the path ends in a slash.
        if is_dots || segment.is_empty() && segments.peek().is_some() {
            return false;
        }
    }
    true
}

/// Decodes escapes of unreserved characters and writes the others in upper case (RFC 3986 sections 6.2.2.1 and
/// 6.2.2.2).
fn normalise(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut at = 0;
    while let Some(&byte) = path.get(at) {
        match escape_value(path.get(at + 1).copied(), path.get(at + 2).copied()) {
            Some(value) if byte == b'%' => {
                if value.is_ascii_alphanumeric() || matches!(value, b'-' | b'.' | b'_' | b'~') {
                    out.push(value);
                } else {
                    let digits = [hex_digit(value >> 4), hex_digit(value)];
                    out.push(b'%');
                    out.extend(digits.iter().flat_map(|&digit| u8::try_from(digit)));
                }
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: PathPolicy = PathPolicy { encoded_slash: false, semicolon: false };

    fn plain(path: &str, policy: PathPolicy) -> bool {
        is_unambiguous(path.as_bytes(), policy)
    }

    #[test]
    fn ordinary_paths_are_unambiguous() {
        for path in [
            "/",
            "/orders",
            "/orders/",
            "/a/b.c/d..e/...",
            "/%7Euser",
            "/caf%C3%A9",
            "/a%20b",
            "/a:b@c,d=e",
            "/.well-known/x",
            "/a%25b",
            "/a%25bc",
            "/a%2541",
            "/100%25",
            "/a%25%25b",
            "/%F0%9F%8E%89",
            "/%E0%A0%80",
            "/%E0%BF%BF",
            "/%F0%90%80%80",
        ] {
            assert!(plain(path, STRICT), "{path}");
        }
    }

    #[test]
    fn everything_that_can_be_read_in_two_ways_is_ambiguous() {
        for path in [
            "",
            "orders",
            "*",
            "http://a/b",
            "//",
            "/a//b",
            "//a",
            "/a/./b",
            "/a/../b",
            "/a/..",
            "/.",
            "/a\\b",
            "/a;x/b",
            "/a/..;/b",
            "/a#b",
            "/%2e%2e/a",
            "/a/.%2E/b",
            "/%2E",
            "/a%2Fb",
            "/a%2fb",
            "/a%5Cb",
            "/a%5cb",
            "/a%00",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%4g",
            "/a%g4",
            "/a%u002e",
            "/a%252e%252e/b",
            "/a%252Fb",
            "/a%255cb",
            "/a%2500",
            "/a%25252e",
            "/a%252%66b",
            "/a%25%32%66b",
            "/a%252%2566b",
            "/a%25%25%2525",
            "/%25c0%25ae",
            "/a/.%2509./b",
            "/%c0%ae%c0%ae/",
            "/a%c1%9cb",
            "/%e0%80%af",
            "/%f0%80%80%af",
            "/%e0%9f%bf",
            "/%f0%8f%bf%bf",
            "/a b",
            "/a/..%3b/b",
            "/a/.%3Bx",
            "/a/..%253b/b",
            "/a/..%20/b",
            "/a/.%09./b",
            "/a/.%7F./b",
            "/a\tb",
        ] {
            assert!(!plain(path, STRICT), "{path}");
        }
    }

    #[test]
    fn an_admitted_form_admits_nothing_else() {
        let slash = PathPolicy { encoded_slash: true, semicolon: false };
        for path in ["/a%2Fb", "/projects/group%2fname/x"] {
            assert!(plain(path, slash), "{path}");
        }
        for path in ["/a%2F..%2Fb", "/a%2F%2Fb", "/%2Fa", "/a%2F./b", "/a%252Fb", "/a;b", "/a%2e%2e%2Fb"] {
            assert!(!plain(path, slash), "{path}");
        }
        let semicolon = PathPolicy { encoded_slash: false, semicolon: true };
        for path in ["/a;v=1/b", "/a;v=1"] {
            assert!(plain(path, semicolon), "{path}");
        }
        for path in ["/a/..;/b", "/a/.;x/b", "/a%2Fb", "/a;v=1//b"] {
            assert!(!plain(path, semicolon), "{path}");
        }
    }

    #[test]
    fn unreserved_characters_are_decoded_and_other_escapes_are_in_upper_case() {
        for (path, wanted) in [
            ("/%61%5A%30", "/aZ0"),
            ("/%2d%2E%5f%7e", "/-._~"),
            ("/%2f%c3%a9%2B", "/%2F%C3%A9%2B"),
            ("/a%4", "/a%4"),
            ("/a0b", "/a0b"),
        ] {
            assert_eq!(normalise(path.as_bytes()), wanted.as_bytes(), "{path}");
        }
    }

    #[test]
    fn a_condition_that_depends_on_the_reading_is_ambiguous() {
        let test = |path: &str| {
            PathForms::of(path.as_bytes(), PathPolicy { encoded_slash: true, semicolon: false })
                .test(|path| path.starts_with(b"/admin") || path == b"/a%2Fb")
        };
        assert_eq!(test("/admin/x"), Ok(true));
        assert_eq!(test("/%61dmin/x"), Err(Ambiguous));
        assert_eq!(test("/admin/%7Ex"), Ok(true));
        assert_eq!(test("/other/%61"), Ok(false));
        assert_eq!(test("/a%2Fb"), Ok(true));
        assert_eq!(test("/a%2fb"), Err(Ambiguous));
        assert_eq!(test("/a/../b"), Err(Ambiguous));
    }
}
