//! The few regular expressions that a path condition says as well: a path, with or without whatever follows.

use crate::cli::migrate::policy::{PathIs, PathKind};

/// What is known of the paths that a regular expression matches as a whole.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Paths {
    /// Exactly these.
    These(PathIs),
    /// Some of these.
    SomeOf(PathIs),
    /// Any may be.
    Unknown,
}

/// The paths that an expression matches.
pub(super) fn paths(regex: &str) -> Paths {
    let inner = regex.strip_prefix('^').unwrap_or(regex);
    let inner = match inner.strip_suffix('$') {
        Some(before) if !before.ends_with('\\') => before,
        _ => inner,
    };
    let Some((literal, rest)) = literal(inner) else { return Paths::Unknown };
    let path = |kind, text: &str| PathIs::new(kind, text);
    match rest {
        "" => Paths::These(path(PathKind::Exact, &literal)),
        ".*" | "(.*)" | "(?:.*)" => Paths::These(path(PathKind::Prefix, &literal)),
        "(/.*)?" | "(?:/.*)?" | "(|/.*)" | "(?:|/.*)" if !literal.ends_with('/') => {
            Paths::These(path(PathKind::Segments, &literal))
        }
        _ if literal.is_empty() || has_alternatives(inner) => Paths::Unknown,
        _ => Paths::SomeOf(path(PathKind::Prefix, &literal)),
    }
}

/// The words that an expression is one of, such as `GET|HEAD`.
pub(super) fn words(regex: &str) -> Option<Vec<String>> {
    let inner = regex.strip_prefix('^').unwrap_or(regex);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    let bare = inner.strip_prefix("(?:").or_else(|| inner.strip_prefix('(')).and_then(|rest| rest.strip_suffix(')'));
    // `^a|b$` is not `^(a|b)$`: as a whole, each alternative still has to be all of the text.
    let words: Vec<String> = bare.unwrap_or(inner).split('|').map(str::to_owned).collect();
    let is_word = |word: &String| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    words.iter().all(is_word).then_some(words)
}

/// What an expression says literally, and the rest of it.
fn literal(regex: &str) -> Option<(String, &str)> {
    let mut literal = String::new();
    let mut characters = regex.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let meant = match character {
            '\\' => match characters.next() {
                Some((_, escaped)) if !escaped.is_ascii_alphanumeric() => escaped,
                _ => return Some((literal, regex.get(at..)?)),
            },
            '.' | '(' | ')' | '[' | ']' | '{' | '}' | '*' | '+' | '?' | '|' | '^' | '$' => {
                return Some((literal, regex.get(at..)?));
            }
            other => other,
        };
        // What may be repeated or left out is not literal.
        if let Some((_, '*' | '?' | '+' | '{')) = characters.peek() {
            return Some((literal, regex.get(at..)?));
        }
        literal.push(meant);
    }
    Some((literal, ""))
}

/// Whether an expression may have alternatives outside of parentheses.
fn has_alternatives(regex: &str) -> bool {
    let mut depth = 0_usize;
    let mut rest = regex.chars();
    while let Some(character) = rest.next() {
        match character {
            // What follows `\Q` is text up to `\E`.
            '\\' if rest.next() == Some('Q') => return true,
            '[' => match after_class(rest.as_str()) {
                Some(after) => rest = after.chars(),
                None => return true,
            },
            '(' => depth = depth.saturating_add(1),
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

/// What stands after a class whose `[` stands before this text. In RE2 the first `]` of a class is a character of it.
fn after_class(regex: &str) -> Option<&str> {
    let inner = regex.strip_prefix('^').unwrap_or(regex);
    let mut rest = inner.strip_prefix(']').unwrap_or(inner);
    loop {
        if let Some((_, after)) = rest.strip_prefix("[:").and_then(|named| named.split_once(":]")) {
            rest = after;
            continue;
        }
        let mut characters = rest.chars();
        match characters.next()? {
            ']' => return Some(characters.as_str()),
            '\\' => drop(characters.next()?),
            _ => {}
        }
        rest = characters.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_and_whatever_follows_is_said_without_a_regex() {
        let exact = |text: &str| Paths::These(PathIs::new(PathKind::Exact, text));
        let prefix = |text: &str| Paths::These(PathIs::new(PathKind::Prefix, text));
        let some = |text: &str| Paths::SomeOf(PathIs::new(PathKind::Prefix, text));
        for (regex, wanted) in [
            ("/a", exact("/a")),
            ("^/a$", exact("/a")),
            (r"/a\.b", exact("/a.b")),
            ("/a.b", some("/a")),
            ("/a/.*", prefix("/a/")),
            ("/a.*", prefix("/a")),
            ("/a(/.*)?", Paths::These(PathIs::new(PathKind::Segments, "/a"))),
            ("/a/.+", some("/a/")),
            ("/a?", some("/")),
            ("/a/?", some("/a")),
            ("/a{2}", some("/")),
            ("/a/[^/]+", some("/a/")),
            ("/a|/b", Paths::Unknown),
            ("/a|.*", Paths::Unknown),
            ("/(a|b)", some("/")),
            ("/a/.*|/b/.*", Paths::Unknown),
            (".*", prefix("")),
            ("[/]a", Paths::Unknown),
            (r"/\d+", some("/")),
            (r"/a\$", exact("/a$")),
            ("/a\\", some("/a")),
            ("(?i)/a", Paths::Unknown),
            ("/a[](]|/b", Paths::Unknown),
            ("/a[^](]|/b", Paths::Unknown),
            ("/a[^]|]*", some("/a")),
            ("/a[]|]*", some("/a")),
            (r"/a[\](]|/b", Paths::Unknown),
            ("/a[[:alpha:](]|/b", Paths::Unknown),
            ("/a[[:alpha:]|]", some("/a")),
            ("/a[[:](x)|/b", Paths::Unknown),
            ("/a[[](x)|/b", Paths::Unknown),
            ("/a[(|/b", Paths::Unknown),
            (r"/a\Q(\E.*|/b", Paths::Unknown),
            (r"/a\Q|\E.*", Paths::Unknown),
            (r"/a\\Q.", some(r"/a\Q")),
            (r"/a\(|/b", Paths::Unknown),
        ] {
            assert_eq!(paths(regex), wanted, "{regex}");
        }
    }

    #[test]
    fn words_are_told_from_other_expressions() {
        let some = |all: &[&str]| Some(all.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        for (regex, wanted) in [
            ("GET", some(&["GET"])),
            ("GET|HEAD", some(&["GET", "HEAD"])),
            ("^(GET|HEAD)$", some(&["GET", "HEAD"])),
            ("(?:GET)", some(&["GET"])),
            ("G.T", None),
            ("GET|", None),
            ("(GET)|(HEAD)", None),
            ("", None),
        ] {
            assert_eq!(words(regex), wanted, "{regex}");
        }
    }
}
