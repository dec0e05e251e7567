//! The problems of a configuration: all of them, each with its place and a remedy.

use super::tree::Position;
use std::fmt;

/// A problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path of the field, such as `issuers[0].jwks.inline`; empty for the whole.
    pub path: String,
    /// Its line and column, if known.
    pub at: Option<Position>,
    /// What is wrong. Never holds a secret.
    pub what: String,
    /// The remedy.
    pub remedy: String,
}

/// All problems of a configuration. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(formatter, "{at}: ")?;
        }
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.what)?;
        if !self.remedy.is_empty() {
            write!(formatter, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Collects problems.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a problem.
    pub fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// `value`, if there is one and there are no problems.
    ///
    /// # Errors
    /// The problems.
    pub fn settle<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ if self.0.is_empty() => {
                let what = "cannot be read".to_owned();
                Err(ConfigError(vec![Problem { path: String::new(), at: None, what, remedy: String::new() }]))
            }
            _ => Err(ConfigError(self.0)),
        }
    }
}

/// The known word that `word` was probably meant to be.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    known
        .into_iter()
        .map(|known| (distance(word, known), known))
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3))
        .min()
        .map(|(_, known)| known)
}

/// Levenshtein distance over bytes.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = i;
        let mut last = i + 1;
        let mut next = vec![last];
        for (above, b) in row.iter().skip(1).zip(right.bytes()) {
            last = (diagonal + usize::from(a != b)).min(above + 1).min(last + 1);
            diagonal = *above;
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_its_neighbour() {
        let known = ["issuers", "default", "rules", "route_metadata"];
        assert_eq!(nearest("isuers", known), Some("issuers"));
        assert_eq!(nearest("routemetadata", known), Some("route_metadata"));
        assert_eq!(nearest("completely", known), None);
    }
}
