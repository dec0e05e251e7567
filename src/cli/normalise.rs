//! Normalises a path as Envoy's connection manager does before any filter sees it, so that `explain` and `test` judge
//! what the filter would judge. A test compares it with a real Envoy: 1.39.3 and 1.40.0 do all of it, and versions
//! before 1.39 leave `/..;x/` as it is.

use super::source::View;
use crate::base::text::escape_value;
use crate::config::Tree;

/// The settings of a connection manager about paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathSettings {
    /// `normalize_path`.
    normalize: bool,
    /// `merge_slashes`.
    merge_slashes: bool,
    /// `path_with_escaped_slashes_action`.
    escaped_slashes: EscapedSlashes,
}

/// The action for a path with `%2F` or `%5C`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum EscapedSlashes {
    #[default]
    Keep,
    Reject,
    Redirect,
    Unescape,
}

/// The result for the target of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The filter sees this target.
    Passed(String),
    /// Envoy answers 400 by itself (`path_normalization_failed`).
    Refused,
    /// Envoy answers 307, with this target as `location`.
    Redirected(String),
}

impl PathSettings {
    /// Everything that changes a path without refusing it.
    pub const ALL: Self = Self { normalize: true, merge_slashes: true, escaped_slashes: EscapedSlashes::Unescape };

    /// The settings of this connection manager.
    #[must_use]
    pub fn of(manager: &View<'_>) -> Self {
        let is_true = |name: &str| manager.get(name).is_some_and(|view| view.is_true());
        let action = manager.get("path_with_escaped_slashes_action");
        let escaped_slashes = match action.map(|view| &view.node.value) {
            Some(Tree::Text(text)) if text == "REJECT_REQUEST" => EscapedSlashes::Reject,
            Some(Tree::Text(text)) if text == "UNESCAPE_AND_REDIRECT" => EscapedSlashes::Redirect,
            Some(Tree::Text(text)) if text == "UNESCAPE_AND_FORWARD" => EscapedSlashes::Unescape,
            _ => EscapedSlashes::Keep,
        };
        Self { normalize: is_true("normalize_path"), merge_slashes: is_true("merge_slashes"), escaped_slashes }
    }

    /// The settings that change something, as the file names them.
    #[must_use]
    pub fn names(self) -> String {
        let escaped = match self.escaped_slashes {
            EscapedSlashes::Keep => None,
            EscapedSlashes::Reject => Some("path_with_escaped_slashes_action: REJECT_REQUEST"),
            EscapedSlashes::Redirect => Some("path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT"),
            EscapedSlashes::Unescape => Some("path_with_escaped_slashes_action: UNESCAPE_AND_FORWARD"),
        };
        let normalize = self.normalize.then_some("normalize_path");
        let merge = self.merge_slashes.then_some("merge_slashes");
        let names: Vec<&str> = [normalize, merge, escaped].into_iter().flatten().collect();
        if names.is_empty() { "no normalisation of paths".to_owned() } else { names.join(", ") }
    }

    /// Applies the settings to a target, a path with its query. A target that does not begin with a slash is left
    /// alone.
    #[must_use]
    pub fn apply(self, target: &str) -> Arrival {
        if !target.starts_with('/') {
            return Arrival::Passed(target.to_owned());
        }
        // Envoy knows no fragment in a request.
        if target.contains('#') {
            return Arrival::Refused;
        }
        let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
        let mut path = path.as_bytes().to_vec();
        let mut redirects = false;
        if self.escaped_slashes != EscapedSlashes::Keep {
            let unescaped = unescape_slashes(&path);
            if unescaped != path {
                match self.escaped_slashes {
                    EscapedSlashes::Reject => return Arrival::Refused,
                    EscapedSlashes::Redirect => redirects = true,
                    EscapedSlashes::Unescape | EscapedSlashes::Keep => {}
                }
                path = unescaped;
            }
        }
        if self.normalize {
            let Some(normal) = normalise(&without_dot_parameters(&path)) else { return Arrival::Refused };
            path = normal;
        }
        if self.merge_slashes {
            merge_slashes(&mut path);
        }
        let target = format!("{}{query}", String::from_utf8_lossy(&path));
        if redirects { Arrival::Redirected(target) } else { Arrival::Passed(target) }
    }
}

/// Merges slashes. Envoy leaves two of a path of slashes only.
fn merge_slashes(path: &mut Vec<u8>) {
    if path.len() > 1 && path.iter().all(|byte| *byte == b'/') {
        path.truncate(2);
    } else {
        path.dedup_by(|later, earlier| *later == b'/' && *earlier == b'/');
    }
}

/// Removes everything after a `;` in dot segments: `/..;x=1/` becomes `/../`.
fn without_dot_parameters(path: &[u8]) -> Vec<u8> {
    let segments = path.split(|byte| *byte == b'/').map(|segment| match segment {
        [b'.', b';', ..] => &b"."[..],
        [b'.', b'.', b';', ..] => &b".."[..],
        _ => segment,
    });
    segments.collect::<Vec<_>>().join(&b'/')
}

fn unescape_slashes(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, tail)) = rest.split_first() {
        (rest, out) = match rest {
            [b'%', b'2', b'F' | b'f', tail @ ..] => (tail, with(out, b'/')),
            [b'%', b'5', b'C' | b'c', tail @ ..] => (tail, with(out, b'\\')),
            _ => (tail, with(out, first)),
        };
    }
    out
}

fn with(mut out: Vec<u8>, byte: u8) -> Vec<u8> {
    out.push(byte);
    out
}

/// RFC 3986 as Envoy's URL library does it: decodes escapes of unreserved characters, escapes others that should be,
/// turns `\` into `/`, and removes dot segments, with everything after a `;` in them. `None` when it refuses the path.
fn normalise(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    // The last `%` that begins no escape.
    let mut stray = None;
    while let Some((&first, tail)) = rest.split_first() {
        if let Some(after) = after_dot(rest) {
            rest = dots(&mut out, after);
            continue;
        }
        rest = tail;
        match first {
            b'\\' => out.push(b'/'),
            b'%' => match escape(tail) {
                Some((0, ..)) => return None,
                Some((value, _, after)) if is_unreserved(value) => {
                    out.push(value);
                    rest = after;
                    if let Some(at) = stray.filter(|at| out.len() <= at + 3) {
                        keep_apart(&mut out, at, after);
                    }
                }
                Some((_, digits, after)) => {
                    out.push(b'%');
                    out.extend(digits);
                    rest = after;
                }
                None => {
                    stray = Some(out.len());
                    out.push(b'%');
                }
            },
            byte if is_escaped(byte) => out.extend(format!("%{byte:02X}").bytes()),
            byte => out.push(byte),
        }
    }
    Some(out)
}

/// The meaning of a dot that `after` follows: at the beginning of a segment it may be the segment, or half of it.
fn dots<'p>(out: &mut Vec<u8>, after: &'p [u8]) -> &'p [u8] {
    if out.last() == Some(&b'/') {
        if let Some(next) = segment_end(after) {
            return next;
        }
        if let Some(next) = after_dot(after).and_then(segment_end) {
            up(out);
            return next;
        }
    }
    out.push(b'.');
    after
}

/// A stray `%` at `at` and a decoded character after it must not form a new escape.
fn keep_apart(out: &mut Vec<u8>, at: usize, next: &[u8]) {
    let behind: Vec<u8> = out.get(at.saturating_add(1)..).unwrap_or_default().to_vec();
    let mut digits = behind.clone();
    if behind.len() == 1 {
        digits.extend(next.first().filter(|byte| byte.is_ascii()));
    }
    if escape(&digits).is_some() {
        out.truncate(at.saturating_add(1));
        out.extend(*b"25");
        out.extend(behind);
    }
}

/// The rest of `path` after a dot, escaped or not, at its beginning.
fn after_dot(path: &[u8]) -> Option<&[u8]> {
    match path {
        [b'.', tail @ ..] | [b'%', b'2', b'E' | b'e', tail @ ..] => Some(tail),
        _ => None,
    }
}

/// The rest of `path` after the end of a segment, if `path` begins with one.
fn segment_end(path: &[u8]) -> Option<&[u8]> {
    match path {
        [] => Some(path),
        [b'/' | b'\\', tail @ ..] => Some(tail),
        _ => None,
    }
}

/// Removes the last segment, and keeps the slash at the end.
fn up(out: &mut Vec<u8>) {
    if out.len() > 1 {
        out.pop();
        while out.last().is_some_and(|byte| *byte != b'/') {
            out.pop();
        }
    }
}

/// An escape, whose `%` has been read: its value, its digits, and the rest.
fn escape(path: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (digits, after) = path.split_at_checked(2)?;
    let value = escape_value(digits.first().copied(), digits.get(1).copied())?;
    Some((value, digits, after))
}

/// Characters that a path must not contain unescaped.
const fn is_escaped(byte: u8) -> bool {
    !byte.is_ascii_graphic() || matches!(byte, b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}')
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_yaml;

    fn arrival(settings: &str, target: &str) -> Arrival {
        PathSettings::of(&View::root(&read_yaml(settings).expect("YAML"))).apply(target)
    }

    fn passed(target: &str) -> Arrival {
        Arrival::Passed(target.to_owned())
    }

    #[test]
    fn nothing_changes_where_nothing_is_set() {
        for target in ["/a//b/../c", "/%61%2F\\?x=/../y", "*", "/", "//"] {
            assert_eq!(arrival("{merge_slashes: false}", target), passed(target), "{target}");
        }
    }

    #[test]
    fn each_setting_does_its_own() {
        assert_eq!(arrival("{normalize_path: true}", "/a//b/../c%6f%2F?x=/../y"), passed("/a//co%2F?x=/../y"));
        assert_eq!(arrival("{merge_slashes: true}", "//a///b/../c?x=//"), passed("/a/b/../c?x=//"));
        let escaped = |action: &str| arrival(&format!("path_with_escaped_slashes_action: {action}"), "/a%2fb%5Cc?%2F");
        assert_eq!(escaped("KEEP_UNCHANGED"), passed("/a%2fb%5Cc?%2F"));
        assert_eq!(escaped("REJECT_REQUEST"), Arrival::Refused);
        assert_eq!(escaped("UNESCAPE_AND_FORWARD"), passed("/a/b\\c?%2F"));
        assert_eq!(escaped("UNESCAPE_AND_REDIRECT"), Arrival::Redirected("/a/b\\c?%2F".to_owned()));
    }

    #[test]
    fn what_envoy_refuses_never_arrives() {
        assert_eq!(arrival("{normalize_path: true}", "/a%00b"), Arrival::Refused);
        assert_eq!(arrival("{normalize_path: false}", "/a#b"), Arrival::Refused);
    }
}
