//! The names of the members of every object that is open, to find those that an object has twice.

use std::borrow::Cow;
use std::cmp::Ordering;

/// Up to this many names are compared with each other; more are looked up in a table.
const FEW: usize = 16;

/// A stack of names: those of an object lie above those of the objects around it.
pub(super) struct Names<'b>(Vec<Name<'b>>);

struct Name<'b> {
    /// Of all its bytes: two names almost never have the same one, unless they are chosen to.
    hash: u64,
    text: Cow<'b, [u8]>,
}

impl<'b> Names<'b> {
    /// None yet, and room for those of most messages.
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(32))
    }

    /// Where the names of an object that opens now will begin.
    pub(super) const fn mark(&self) -> usize {
        self.0.len()
    }

    /// Adds a name, without escapes, to the innermost object.
    pub(super) fn push(&mut self, text: Cow<'b, [u8]>) {
        self.0.push(Name { hash: hash(&text), text });
    }

    /// Closes the object whose names begin at `mark`. Whether none of them was there twice.
    pub(super) fn close(&mut self, mark: usize) -> bool {
        let names = self.0.get_mut(mark..).unwrap_or_default();
        let unique = if names.len() <= FEW { differ(names) } else { differ_in_table(names) };
        self.0.truncate(mark);
        unique
    }
}

impl Name<'_> {
    fn is(&self, other: &Self) -> bool {
        self.hash == other.hash && self.text == other.text
    }

    fn order(&self, other: &Self) -> Ordering {
        self.hash.cmp(&other.hash).then_with(|| self.text.cmp(&other.text))
    }
}

/// Eight bytes a step. Each product depends most on what came last in its highest bits, which are brought down.
fn hash(text: &[u8]) -> u64 {
    let mix = |hash: u64, word: u64| {
        let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        product ^ product >> 32
    };
    let (words, rest) = text.as_chunks();
    let hash = words.iter().fold(0, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    // A text of zeros differs from one of fewer zeros.
    mix(hash, rest.iter().fold(1, |word, byte| word << 8 | u64::from(*byte)))
}

fn differ(mut names: &[Name<'_>]) -> bool {
    while let Some((name, rest)) = names.split_first() {
        if rest.iter().any(|other| other.is(name)) {
            return false;
        }
        names = rest;
    }
    true
}

/// Finds names in a table, at a place that their hash says. Names that were chosen to meet there are sorted instead.
fn differ_in_table(names: &mut [Name<'_>]) -> bool {
    let size = (2 * names.len()).next_power_of_two();
    // Each has one more than the number of a name, or 0.
    let mut table = vec![0_usize; size];
    let mut steps = 4 * size;
    for (number, name) in names.iter().enumerate() {
        let mut place = usize::try_from(name.hash & 0xffff_ffff).unwrap_or_default() & (size - 1);
        while let Some(&taken) = table.get(place).filter(|taken| **taken > 0) {
            if names.get(taken - 1).is_some_and(|other| other.is(name)) {
                return false;
            }
            if steps == 0 {
                return differ_sorted(names);
            }
            steps -= 1;
            place = (place + 1) & (size - 1);
        }
        if let Some(free) = table.get_mut(place) {
            *free = number + 1;
        }
    }
    true
}

/// Sorts them as a heap: it takes no memory, and n log n steps whatever the names are.
fn differ_sorted(names: &mut [Name<'_>]) -> bool {
    for top in (0..names.len() / 2).rev() {
        sift(names, top);
    }
    for end in (1..names.len()).rev() {
        names.swap(0, end);
        sift(names.get_mut(..end).unwrap_or_default(), 0);
    }
    names.is_sorted_by(|a, b| a.order(b) == Ordering::Less)
}

/// Moves the name at `top` down to where none below it is greater.
fn sift(names: &mut [Name<'_>], mut top: usize) {
    let is_greater = |names: &[Name<'_>], a: usize, b: usize| match (names.get(a), names.get(b)) {
        (Some(a), Some(b)) => a.order(b) == Ordering::Greater,
        _ => false,
    };
    loop {
        let left = 2 * top + 1;
        let child = if is_greater(names, left + 1, left) { left + 1 } else { left };
        if !is_greater(names, child, top) {
            return;
        }
        names.swap(child, top);
        top = child;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_unique(texts: &[String]) -> bool {
        let mut names = Names::new();
        names.push(Cow::Borrowed(b"of the object around it"));
        let mark = names.mark();
        texts.iter().for_each(|text| names.push(Cow::Borrowed(text.as_bytes())));
        let unique = names.close(mark);
        assert_eq!(names.mark(), mark);
        unique
    }

    #[test]
    fn a_name_that_is_there_twice_is_found_among_any_number_of_names() {
        for count in [1, 2, FEW - 1, FEW, FEW + 1, 2 * FEW, 1_000] {
            let mut texts: Vec<String> = (0..count).map(|number| format!("a name with the number {number}")).collect();
            assert!(are_unique(&texts), "{count}");
            texts.push(texts[count / 2].clone());
            assert!(!are_unique(&texts), "{count}");
        }
        assert!(are_unique(&[0, 1, 7, 8, 9, 16].map(|length| "\0".repeat(length))));
    }

    #[test]
    fn names_that_were_chosen_to_meet_in_the_table_are_sorted() {
        let meets = |text: &String| hash(text.as_bytes()) & 0x3ff == 7;
        let mut texts: Vec<String> = (0..).map(|number| format!("{number}")).filter(meets).take(400).collect();
        assert!(are_unique(&texts));
        let mut names: Vec<Name<'_>> = texts
            .iter()
            .map(|text| Name { hash: hash(text.as_bytes()), text: Cow::Borrowed(text.as_bytes()) })
            .collect();
        assert!(differ_sorted(&mut names) && names.is_sorted_by(|a, b| a.order(b) == Ordering::Less));
        texts.push(texts[200].clone());
        assert!(!are_unique(&texts));
        // As if all names had one hash.
        let alike = |text: &'static str| Name { hash: 1, text: Cow::Borrowed(text.as_bytes()) };
        assert!(differ_sorted(&mut ["c", "a", "d", "b"].map(alike)));
        assert!(!differ_sorted(&mut ["c", "a", "d", "b", "a"].map(alike)));
    }
}
