//! Finds the rules whose beginning a text has, among thousands, without looking at the others.

/// Sorted prefixes, each with its rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Prefixes(Vec<Prefix>);

#[derive(Clone, Debug, PartialEq)]
struct Prefix {
    text: Vec<u8>,
    rules: Vec<usize>,
    /// The longest other prefix of this one.
    parent: Option<usize>,
}

impl Prefixes {
    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a prefix of a rule.
    pub(super) fn add(&mut self, text: Vec<u8>, rule: usize) {
        self.0.push(Prefix { text, rules: vec![rule], parent: None });
    }

    /// Sorts the prefixes, groups the rules of each, and links each prefix to the next shorter one.
    pub(super) fn finish(&mut self) {
        self.0.sort_by(|a, b| a.text.cmp(&b.text));
        self.0.dedup_by(|later, earlier| {
            let same = later.text == earlier.text;
            if same {
                earlier.rules.append(&mut later.rules);
            }
            same
        });
        // In this order a prefix comes after all its own prefixes, which are on the stack.
        let mut open: Vec<usize> = Vec::new();
        for at in 0..self.0.len() {
            let Some(text) = self.0.get(at).map(|prefix| prefix.text.clone()) else { break };
            while open.last().and_then(|&last| self.0.get(last)).is_some_and(|last| !text.starts_with(&last.text)) {
                open.pop();
            }
            if let Some(prefix) = self.0.get_mut(at) {
                prefix.parent = open.last().copied();
            }
            open.push(at);
        }
    }

    /// The rules of every prefix of `path`. The longest of these, if there is one, is the last prefix that sorts no
    /// later than `path`, or a prefix of that one.
    pub(super) fn collect(&self, path: &[u8], found: &mut Vec<usize>) {
        let behind = self.0.partition_point(|prefix| prefix.text.as_slice() <= path);
        let mut next = behind.checked_sub(1);
        while let Some(prefix) = next.and_then(|at| self.0.get(at)) {
            if path.starts_with(&prefix.text) {
                found.extend(&prefix.rules);
            }
            next = prefix.parent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_with_each_of_its_prefixes_and_with_no_other() {
        let mut prefixes = Prefixes::default();
        let texts = ["/", "/a", "/a/b", "/a/b", "/a/c", "/ab", "/b/", "/b/x/y", ""];
        for (rule, text) in texts.iter().enumerate() {
            prefixes.add(text.as_bytes().to_vec(), rule);
        }
        prefixes.finish();
        for path in ["/a/b/z", "/a", "/ab/c", "/b/x", "/b/x/y/z", "/", "x", "", "/a/d", "/b"] {
            let mut found = Vec::new();
            prefixes.collect(path.as_bytes(), &mut found);
            found.sort_unstable();
            let wanted: Vec<usize> = (0..texts.len()).filter(|&rule| path.starts_with(texts[rule])).collect();
            assert_eq!(found, wanted, "{path}");
        }
    }
}
