//! The names of the members of every object that is open, to find those that an object has twice.

use std::borrow::Cow;
use std::cmp::Ordering;

/// Up to this many names are compared with each other; more are sorted, so that time grows little faster than the text.
const FEW: usize = 16;

/// A stack of names: those of an object lie above those of the objects around it.
#[derive(Default)]
pub(super) struct Names<'b>(Vec<Cow<'b, [u8]>>);

impl<'b> Names<'b> {
    /// Where the names of an object that opens now will begin.
    pub(super) const fn mark(&self) -> usize {
        self.0.len()
    }

    /// Adds a name, without escapes, to the innermost object.
    pub(super) fn push(&mut self, name: Cow<'b, [u8]>) {
        self.0.push(name);
    }

    /// Closes the object whose names begin at `mark`. Whether none of them was there twice.
    pub(super) fn close(&mut self, mark: usize) -> bool {
        let names = self.0.get_mut(mark..).unwrap_or_default();
        let unique = if names.len() <= FEW { differ(names) } else { differ_sorted(names) };
        self.0.truncate(mark);
        unique
    }
}

fn differ(mut names: &[Cow<'_, [u8]>]) -> bool {
    while let Some((name, rest)) = names.split_first() {
        if rest.iter().any(|other| other == name) {
            return false;
        }
        names = rest;
    }
    true
}

fn differ_sorted(names: &mut [Cow<'_, [u8]>]) -> bool {
    names.sort_unstable_by(|a, b| order(a, b));
    names.is_sorted_by(|a, b| order(a, b) == Ordering::Less)
}

/// By length, then by bytes: most names have another length.
fn order(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}
