//! Cases in their order: the first whose requests a request is among decides.

use super::{Overlap, Region};

/// The most cases. A configuration with more is not carried over.
const MOST: usize = 2000;

/// Cases in their order. The last is about all requests.
#[derive(Clone, Debug, PartialEq)]
pub struct Cases<T> {
    before: Vec<(Region, T)>,
    last: T,
}

impl<T: Clone + PartialEq> Cases<T> {
    /// One answer for all requests.
    pub const fn always(answer: T) -> Self {
        Self { before: Vec::new(), last: answer }
    }

    /// One answer for the requests of a region, another for all others.
    pub fn when(region: Region, inside: T, outside: T) -> Self {
        if region == Region::default() {
            return Self::always(inside);
        }
        Self { before: vec![(region, inside)], last: outside }
    }

    /// Cases in their order, and what holds for all others; `unclear` if there are too many.
    #[must_use]
    pub fn ordered(cases: Vec<(Region, T)>, last: T, unclear: &T) -> Self {
        if cases.len() > MOST {
            return Self::always(unclear.clone());
        }
        let mut made = Self { before: Vec::new(), last };
        for (region, answer) in cases {
            if region == Region::default() {
                made.last = answer;
                break;
            }
            made.add(region, answer);
        }
        made.tidied()
    }

    /// All cases, the last with the region of all requests.
    pub fn all(&self) -> impl Iterator<Item = (Region, &T)> {
        let last = std::iter::once((Region::default(), &self.last));
        self.before.iter().map(|(region, answer)| (region.clone(), answer)).chain(last)
    }

    /// The answer for whatever no other case is about.
    pub const fn last(&self) -> &T {
        &self.last
    }

    /// The one answer, if there is no other.
    pub fn only(&self) -> Option<&T> {
        self.before.iter().all(|(_, answer)| *answer == self.last).then_some(&self.last)
    }

    /// The answer of the first case whose region `is_in` takes.
    pub fn first(&self, is_in: impl Fn(&Region) -> bool) -> &T {
        self.before.iter().find(|(region, _)| is_in(region)).map_or(&self.last, |(_, answer)| answer)
    }

    /// Other answers.
    pub fn map<U: Clone + PartialEq>(&self, of: impl Fn(&T) -> U) -> Cases<U> {
        let before = self.before.iter().map(|(region, answer)| (region.clone(), of(answer)));
        Cases { before: before.collect(), last: of(&self.last) }.tidied()
    }

    /// The answer to each request, from both answers to it. Where no region says what two cases are about, it is `unclear`.
    pub fn both<U: Clone + PartialEq, V: Clone + PartialEq>(
        &self,
        other: &Cases<U>,
        unclear: &V,
        of: impl Fn(&T, &U) -> V,
    ) -> Cases<V> {
        let mut made = Cases { before: Vec::new(), last: of(&self.last, &other.last) };
        for (own, answer) in self.all() {
            for (region, with) in other.all() {
                match own.and(&region) {
                    Overlap::None => {}
                    // The first case about all requests is the last one that decides.
                    Overlap::Region(both) if both == Region::default() => {
                        made.last = of(answer, with);
                        return made.tidied();
                    }
                    Overlap::Region(both) => made.add(both, of(answer, with)),
                    Overlap::Unclear => made.add(own.clone(), unclear.clone()),
                }
                if made.before.len() > MOST {
                    return Cases::always(unclear.clone());
                }
            }
        }
        made.tidied()
    }

    /// The cases for the requests of a region alone.
    #[must_use]
    pub fn within(&self, region: &Region, unclear: &T) -> Self {
        let mut made = Self { before: Vec::new(), last: self.last.clone() };
        for (own, answer) in self.all() {
            if own.covers(region) {
                made.last = answer.clone();
                return made.tidied();
            }
            match own.and(region) {
                Overlap::None => {}
                // What the region says anyway is not said again.
                Overlap::Region(_) => made.add(own.beyond(region), answer.clone()),
                Overlap::Unclear => {
                    made.last = unclear.clone();
                    return made.tidied();
                }
            }
        }
        made.tidied()
    }

    /// Adds a case after the others, unless they decide all of its requests.
    fn add(&mut self, region: Region, answer: T) {
        if !self.before.iter().any(|(earlier, _)| earlier.covers(&region)) {
            self.before.push((region, answer));
        }
    }

    /// Without cases that a later one says too.
    fn tidied(mut self) -> Self {
        self.before = without_repeated(self.before, &self.last);
        self
    }
}

/// Cases without those after which the first that decides the same requests has the same answer.
pub(super) fn without_repeated<T: PartialEq>(cases: Vec<(Region, T)>, last: &T) -> Vec<(Region, T)> {
    let mut kept: Vec<(Region, T)> = Vec::new();
    for (region, answer) in cases.into_iter().rev() {
        // Those that are kept stand in the opposite order.
        let later = kept.iter().rev().find(|(other, _)| !region.is_apart(other));
        let is_said = match later {
            None => answer == *last,
            Some((other, same)) => other.covers(&region) && answer == *same,
        };
        if !is_said {
            kept.push((region, answer));
        }
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::super::{PathIs, PathKind};
    use super::*;

    fn path(kind: PathKind, text: &str) -> Region {
        Region::path(PathIs::new(kind, text))
    }

    #[test]
    fn two_answers_to_a_request_are_combined_where_both_are_given() {
        let a = Cases::when(path(PathKind::Prefix, "/a"), 1, 0);
        let b = Cases::when(path(PathKind::Exact, "/a/b"), 10, 20);
        let both = a.both(&b, &99, |a, b| a + b);
        let all: Vec<_> = both.all().map(|(region, answer)| (region.path.map(|path| path.text), *answer)).collect();
        // `/a/b`, the other paths below `/a`, and all others.
        assert_eq!(all, [(Some("/a/b".into()), 11), (Some("/a".into()), 21), (None, 20)]);
    }

    #[test]
    fn the_first_case_about_all_requests_decides() {
        let every = Cases::when(Region::default(), 1, 2);
        assert_eq!(every.only(), Some(&1));
        assert_eq!(every.both(&Cases::always(0), &99, |a, b| a + b).only(), Some(&1));
        let list = vec![(path(PathKind::Exact, "/a"), 0), (Region::default(), 1), (path(PathKind::Exact, "/b"), 2)];
        let ordered = Cases::ordered(list, 3, &99);
        assert_eq!((ordered.all().count(), *ordered.last()), (2, 1));
    }

    #[test]
    fn what_no_region_says_is_unclear() {
        let a = Cases::when(path(PathKind::Template, "/a/{x}"), 1, 0);
        let b = Cases::when(path(PathKind::Template, "/a/*"), 1, 0);
        assert_eq!(*a.both(&b, &99, |a, b| a + b).all().next().unwrap().1, 99);
    }

    #[test]
    fn within_a_region_only_its_own_cases_are_left() {
        let rules =
            Cases::ordered(vec![(path(PathKind::Segments, "/a"), 1), (path(PathKind::Prefix, "/b"), 2)], 0, &99);
        assert_eq!(rules.within(&path(PathKind::Prefix, "/a/c"), &99).only(), Some(&1));
        assert_eq!(rules.within(&path(PathKind::Prefix, "/b/c"), &99).only(), Some(&2));
        assert_eq!(rules.within(&path(PathKind::Prefix, "/c"), &99).only(), Some(&0));
        assert_eq!(rules.within(&path(PathKind::Prefix, "/"), &99).only(), None);
    }
}
