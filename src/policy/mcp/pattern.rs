//! Patterns of names and URIs: `*` is any run of characters, also none; the rest is exact.

use std::fmt;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Its text.
    text: String,
    /// The bytes before the first `*`; all where there is none.
    literal: usize,
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl Pattern {
    /// The pattern that is written so.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), literal: text.find('*').unwrap_or(text.len()) }
    }

    /// What is exact before the first `*`.
    #[must_use]
    pub fn beginning(&self) -> &str {
        self.text.get(..self.literal).unwrap_or(&self.text)
    }

    /// Whether it has a `*`.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.literal < self.text.len()
    }

    /// Whether it matches everything that begins with `beginning`.
    #[must_use]
    pub fn covers(&self, beginning: &str) -> bool {
        let rest = self.text.get(self.literal..).unwrap_or_default();
        !rest.is_empty() && rest.bytes().all(|byte| byte == b'*') && beginning.starts_with(self.beginning())
    }

    /// Whether it matches `name`.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let Some(mut rest) = name.strip_prefix(self.beginning()) else { return false };
        let Some(after) = self.text.get(self.literal..).and_then(|open| open.strip_prefix('*')) else {
            return rest.is_empty();
        };
        let mut parts = after.split('*');
        // The last part ends the name; those before it are found from the left, each as early as can be.
        let Some(last) = parts.next_back() else { return true };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = rest.get(at.saturating_add(part.len())..).unwrap_or_default();
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_of_characters_and_the_rest_is_exact() {
        for (pattern, good, bad) in [
            ("drop_db", vec!["drop_db"], vec!["drop_d", "drop_dbs", "Drop_db", ""]),
            ("delete_*", vec!["delete_", "delete_x"], vec!["delete", "xdelete_a"]),
            ("*", vec!["", "a", "*"], vec![]),
            ("*_admin", vec!["_admin", "a_admin", "a_admin_admin"], vec!["a_admin_", "admin"]),
            ("a*b*c", vec!["abc", "a1b2c", "abbcc", "abcbc"], vec!["ab", "acb", "abcd", "ac"]),
            ("a*a", vec!["aa", "aba"], vec!["a", "ab"]),
            ("a**b", vec!["ab", "axb"], vec!["a"]),
            ("*ab*ab*", vec!["abab", "xabyabz"], vec!["ab", "aba"]),
            ("é*", vec!["é", "éa"], vec!["e"]),
        ] {
            let compiled = Pattern::new(pattern);
            good.iter().for_each(|name| assert!(compiled.matches(name), "{pattern} {name}"));
            bad.iter().for_each(|name| assert!(!compiled.matches(name), "{pattern} {name}"));
        }
    }

    #[test]
    fn a_pattern_covers_what_it_matches_whatever_follows() {
        for (pattern, beginning, wanted) in [
            ("file:///public/*", "file:///public/", true),
            ("file:///public/*", "file:///public/a", true),
            ("file:///public/*", "file:///", false),
            ("file:///public/*.txt", "file:///public/a.txt", false),
            ("file:///public/", "file:///public/", false),
            ("**", "", true),
        ] {
            assert_eq!(Pattern::new(pattern).covers(beginning), wanted, "{pattern} {beginning}");
        }
    }
}
