//! Counting under names that come from a log: in bounded memory, and honest about what is left out.

use std::collections::HashMap;

/// The longest name that is kept, in bytes. A record has at most 128 bytes of what comes from outside, three for one where
/// they are escaped.
const MAX_NAME_BYTES: usize = 1200;

/// A value that can be worth less than another.
pub(in crate::cli) trait Weighed {
    /// What it is worth; what is worth least goes first.
    fn weight(&self) -> u64;
}

/// Values by name. When it is full, the half that is worth less goes, and is counted. What comes back later begins
/// anew, so a count of a full table may be too low, never too high.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Table<V> {
    rows: HashMap<Box<str>, V>,
    limit: usize,
    /// How many rows went, and what they were worth together.
    pub dropped: (u64, u64),
}

impl<V: Weighed + Default> Table<V> {
    /// An empty table of at most `limit` rows.
    pub(in crate::cli) fn new(limit: usize) -> Self {
        Self { rows: HashMap::new(), limit, dropped: (0, 0) }
    }

    /// The value of a name.
    pub(in crate::cli) fn row(&mut self, name: &str) -> &mut V {
        let name = cut(name);
        if self.rows.len() >= self.limit && !self.rows.contains_key(name) {
            self.shrink();
        }
        // A name that is there costs no memory.
        if !self.rows.contains_key(name) {
            self.rows.insert(name.into(), V::default());
        }
        self.rows.entry(name.into()).or_default()
    }

    /// The value of a name, if it is there.
    pub(in crate::cli) fn get(&self, name: &str) -> Option<&V> {
        self.rows.get(cut(name))
    }

    /// How many rows there are.
    pub(in crate::cli) fn len(&self) -> usize {
        self.rows.len()
    }

    /// All rows, those that are worth most first.
    pub(in crate::cli) fn ranked(&self) -> Vec<(&str, &V)> {
        let mut rows: Vec<(&str, &V)> = self.rows.iter().map(|(name, value)| (&**name, value)).collect();
        rows.sort_by(|(one, a), (other, b)| b.weight().cmp(&a.weight()).then_with(|| one.cmp(other)));
        rows
    }

    fn shrink(&mut self) {
        let mut weights: Vec<u64> = self.rows.values().map(Weighed::weight).collect();
        let middle = weights.len() / 2;
        let (_, limit, _) = weights.select_nth_unstable(middle);
        let limit = *limit;
        let (mut rows, mut worth) = self.dropped;
        // Of many that are worth the same about half go.
        let mut is_second = false;
        self.rows.retain(|_, value| {
            let weight = value.weight();
            is_second = !is_second;
            let stays = weight > limit || weight == limit && is_second;
            if !stays {
                rows = rows.saturating_add(1);
                worth = worth.saturating_add(weight);
            }
            stays
        });
        self.dropped = (rows, worth);
    }
}

/// The part of a name that is kept.
pub(in crate::cli) fn cut(name: &str) -> &str {
    cut_at(name, MAX_NAME_BYTES)
}

/// At most the first `most` bytes of a name, cut between characters.
pub(in crate::cli) fn cut_at(name: &str, most: usize) -> &str {
    if name.len() <= most {
        return name;
    }
    let end = (0..=most).rev().find(|&end| name.is_char_boundary(end)).unwrap_or_default();
    name.get(..end).unwrap_or_default()
}

/// A few names with their counts. The first ones stay; the others are counted together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Few {
    rows: Vec<(Box<str>, u64)>,
    /// How often another name came.
    pub others: u64,
}

impl Few {
    /// How many names are kept.
    const LIMIT: usize = 12;

    /// Counts a name.
    pub(in crate::cli) fn count(&mut self, name: &str) {
        let name = cut(name);
        if let Some((_, count)) = self.rows.iter_mut().find(|(other, _)| **other == *name) {
            *count = count.saturating_add(1);
        } else if self.rows.len() < Self::LIMIT {
            self.rows.push((name.into(), 1));
        } else {
            self.others = self.others.saturating_add(1);
        }
    }

    /// The names with their counts, the highest first.
    pub(in crate::cli) fn ranked(&self) -> Vec<(&str, u64)> {
        let mut rows: Vec<(&str, u64)> = self.rows.iter().map(|(name, count)| (&**name, *count)).collect();
        rows.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
        rows
    }

    /// The only name that ever came.
    pub(in crate::cli) fn only(&self) -> Option<&str> {
        match self.rows.as_slice() {
            [(name, _)] if self.others == 0 => Some(name),
            _ => None,
        }
    }

    /// How many names came; at least that many if there were others.
    pub(in crate::cli) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no name came.
    pub(in crate::cli) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weighed for u64 {
        fn weight(&self) -> u64 {
            *self
        }
    }

    #[test]
    fn a_full_table_keeps_what_counts_most_and_says_what_went() {
        let mut table: Table<u64> = Table::new(100);
        for round in 0..1000_u64 {
            *table.row("often") += 1;
            *table.row(&format!("once {round}")) += 1;
            assert!(table.len() <= 100);
        }
        assert_eq!(table.ranked()[0], ("often", &1000));
        let (rows, worth) = table.dropped;
        assert_eq!((rows, worth), (1001 - u64::try_from(table.len()).unwrap(), rows));
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        let mut table: Table<u64> = Table::new(2);
        *table.row(&"\u{e9}".repeat(1000)) += 1;
        assert_eq!(table.ranked()[0].0.len(), MAX_NAME_BYTES);
        assert_eq!(cut(&format!("x{}", "\u{e9}".repeat(1000))).len(), MAX_NAME_BYTES - 1);
    }

    #[test]
    fn a_few_names_are_counted_and_the_rest_together() {
        let mut few = Few::default();
        assert_eq!((few.only(), few.is_empty()), (None, true));
        few.count("a");
        assert_eq!(few.only(), Some("a"));
        for number in 0..20 {
            few.count(&number.to_string());
        }
        few.count("a");
        assert_eq!((few.ranked()[0], few.len(), few.others, few.only()), (("a", 2), 12, 9, None));
    }
}
