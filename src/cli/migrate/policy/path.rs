//! Sets of paths, as `match` of a rule names them.

/// A set of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathIs {
    /// How the text is compared.
    pub kind: PathKind,
    /// The path, or how it begins.
    pub text: String,
    /// Whether ASCII letter case does not count.
    pub ignore_case: bool,
}

/// How a path is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// The whole path.
    Exact,
    /// How it begins.
    Prefix,
    /// Its first segments.
    Segments,
    /// Envoy's `uri_template`.
    Template,
}

impl PathKind {
    /// The field of `match`.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Exact => "path",
            Self::Prefix => "prefix",
            Self::Segments => "path_separated_prefix",
            Self::Template => "template",
        }
    }
}

impl PathIs {
    /// A set in which letter case counts.
    #[must_use]
    pub fn new(kind: PathKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), ignore_case: false }
    }

    /// All paths, but for none at all (CONNECT) and `*`.
    #[must_use]
    pub fn every() -> Self {
        Self::new(PathKind::Prefix, "/")
    }

    fn has_letters(&self) -> bool {
        self.text.bytes().any(|byte| byte.is_ascii_alphabetic())
    }

    /// Whether all paths of `other` are in it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        // A set in which case counts has not all spellings of one in which it does not.
        let has_spellings = other.ignore_case && other.has_letters();
        (self.ignore_case || !self.has_letters() || !has_spellings) && self.is_around(other, self.ignore_case)
    }

    /// Whether the texts say so, with or without regard to letter case.
    fn is_around(&self, other: &Self, ignore_case: bool) -> bool {
        let own = self.text.as_bytes();
        let begins = |prefix: &[u8]| starts_with(other.start().as_bytes(), prefix, ignore_case);
        let is_same = || own.len() == other.text.len() && begins(own);
        match (self.kind, other.kind) {
            (PathKind::Template, _) => self == other,
            (PathKind::Exact, PathKind::Exact) => is_same(),
            (PathKind::Exact, _) => false,
            (PathKind::Prefix, _) => begins(own),
            (PathKind::Segments, PathKind::Exact | PathKind::Segments) if is_same() => true,
            (PathKind::Segments, _) => begins(own) && other.start().as_bytes().get(own.len()) == Some(&b'/'),
        }
    }

    /// What every path of it begins with.
    fn start(&self) -> &str {
        if self.kind == PathKind::Template { literal_start(&self.text) } else { &self.text }
    }

    /// Whether no path is in both.
    #[must_use]
    pub fn is_apart(&self, other: &Self) -> bool {
        if self.kind == PathKind::Template || other.kind == PathKind::Template {
            let (a, b) = (self.start().as_bytes(), other.start().as_bytes());
            return !starts_with(a, b, true) && !starts_with(b, a, true);
        }
        !self.is_around(other, true) && !other.is_around(self, true)
    }
}

/// Whether a text begins so.
fn starts_with(text: &[u8], start: &[u8], ignore_case: bool) -> bool {
    text.get(..start.len()).is_some_and(|own| if ignore_case { own.eq_ignore_ascii_case(start) } else { own == start })
}

/// What a template says literally before its first operator.
fn literal_start(template: &str) -> &str {
    template.split(['{', '*']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> PathIs {
        let (kind, text) = match text.strip_suffix("...") {
            Some(text) => (PathKind::Prefix, text),
            None => match text.strip_suffix("//") {
                Some(text) => (PathKind::Segments, text),
                None => (PathKind::Exact, text),
            },
        };
        let lower = text.strip_prefix('~');
        PathIs { ignore_case: lower.is_some(), ..PathIs::new(kind, lower.unwrap_or(text)) }
    }

    #[test]
    fn a_set_covers_what_all_of_its_paths_are_in() {
        for (outer, inner, covers, apart) in [
            ("/a", "/a", true, false),
            ("/a", "/b", false, true),
            ("/a...", "/ab", true, false),
            ("/a//", "/ab", false, true),
            ("/a//", "/a", true, false),
            ("/a//", "/a/b", true, false),
            ("/a//", "/a/...", true, false),
            ("/a//", "/a...", false, false),
            ("/a...", "/a//", true, false),
            ("/a//", "/ab...", false, true),
            ("/...", "~/a", true, false),
            ("/a...", "~/a/b", false, false),
            ("~/A...", "/a/b", true, false),
            ("/a", "/a...", false, false),
        ] {
            assert_eq!(set(outer).covers(&set(inner)), covers, "{outer} {inner}");
            assert_eq!(set(outer).is_apart(&set(inner)), apart, "{outer} {inner}");
            assert_eq!(set(inner).is_apart(&set(outer)), apart, "{inner} {outer}");
        }
    }

    #[test]
    fn a_template_is_apart_from_what_begins_in_another_way() {
        let template = PathIs::new(PathKind::Template, "/a/{id}/b");
        assert!(PathIs::new(PathKind::Prefix, "/a/").covers(&template));
        assert!(!template.covers(&PathIs::new(PathKind::Exact, "/a/1/b")));
        assert!(!template.is_apart(&PathIs::new(PathKind::Exact, "/a/1/b")));
        assert!(template.is_apart(&PathIs::new(PathKind::Exact, "/c")));
    }
}
