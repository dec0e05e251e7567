//! Reads a tree. Knows the path of every value, and notes every problem.

use super::fields::Shape;
use super::problem::{Problem, Problems, nearest};
use super::tree::{Node, Tree};
use crate::base::time::Seconds;
use std::cell::RefCell;
use std::ops::RangeInclusive;

/// A value in the tree, and its path.
#[derive(Clone, Debug)]
pub struct Cursor<'n> {
    node: &'n Node,
    path: String,
    problems: &'n RefCell<Problems>,
}

/// An object whose member names have been checked.
#[derive(Clone, Debug)]
pub struct Object<'n> {
    cursor: Cursor<'n>,
    members: &'n [(String, Node)],
}

impl<'n> Cursor<'n> {
    /// The root of a tree.
    pub const fn root(node: &'n Node, problems: &'n RefCell<Problems>) -> Self {
        Self { node, path: String::new(), problems }
    }

    /// A value at this path.
    pub const fn at(node: &'n Node, path: String, problems: &'n RefCell<Problems>) -> Self {
        Self { node, path, problems }
    }

    const fn child(&self, node: &'n Node, path: String) -> Self {
        Self { node, path, problems: self.problems }
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value itself.
    pub const fn value(&self) -> &'n Tree {
        &self.node.value
    }

    /// Notes that something is wrong here.
    #[inline]
    pub fn wrong<T>(&self, what: impl AsRef<str>, remedy: impl AsRef<str>) -> Option<T> {
        self.note(what.as_ref(), remedy.as_ref());
        None
    }

    // Not inlined: this and the readers of this file would be a tenth of the module, and they run once.
    #[cold]
    #[inline(never)]
    fn note(&self, what: &str, remedy: &str) {
        let (what, remedy) = (what.to_owned(), remedy.to_owned());
        self.problems.borrow_mut().add(Problem { path: self.path.clone(), at: self.node.at, what, remedy });
    }

    #[cold]
    fn wrong_kind<T>(&self, wanted: &str) -> Option<T> {
        self.wrong(format!("is {}", self.node.value.kind()), format!("write {wanted}"))
    }

    /// An object of this shape: every member is known, and none is null or repeated.
    #[inline(never)]
    pub fn object(&self, shape: &Shape) -> Option<Object<'n>> {
        let object = self.any_object()?;
        for (name, node) in object.members {
            let member = self.child(node, join(&self.path, name));
            if shape.fields.contains(&name.as_str()) {
                continue;
            }
            let remedy = match nearest(name, shape.fields.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("the fields here are {}", shape.fields.join(", ")),
            };
            member.wrong::<()>("is not a field", remedy);
        }
        Some(object)
    }

    /// An object with free member names.
    #[inline(never)]
    pub fn any_object(&self) -> Option<Object<'n>> {
        let Tree::Object(members) = &self.node.value else { return self.wrong_kind("an object") };
        for (index, (name, node)) in members.iter().enumerate() {
            if members.iter().take(index).any(|(other, _)| other == name) {
                let member = self.child(node, join(&self.path, name));
                member.wrong::<()>("is there twice", "Envoy would use the last one: keep one");
            }
        }
        Some(Object { cursor: self.clone(), members })
    }

    /// The member `name` of an object that has been read: notes nothing.
    pub fn member(&self, name: &str) -> Option<Self> {
        let Tree::Object(members) = &self.node.value else { return None };
        let (_, node) = members.iter().rev().find(|(other, _)| other == name)?;
        Some(self.child(node, join(&self.path, name)))
    }

    /// The members of an object that has been read: notes nothing.
    pub fn values(&self) -> Vec<Self> {
        let Tree::Object(members) = &self.node.value else { return Vec::new() };
        members.iter().map(|(name, node)| self.child(node, join(&self.path, name))).collect()
    }

    /// A list.
    #[inline(never)]
    pub fn list(&self) -> Option<Vec<Self>> {
        let Tree::List(items) = &self.node.value else { return self.wrong_kind("a list") };
        let items = items.iter().enumerate();
        Some(items.map(|(index, item)| self.child(item, format!("{}[{index}]", self.path))).collect())
    }

    /// A non-empty list, each item read by `read`. `None` if an item cannot be read.
    pub fn list_of<T>(&self, what: &str, read: impl Fn(&Self) -> Option<T>) -> Option<Vec<T>> {
        let items = self.list()?;
        if items.is_empty() {
            return self.wrong("is an empty list", format!("name at least one {what}, or leave the field out"));
        }
        // All items are read first, so that all problems are noted.
        let read: Vec<Option<T>> = items.iter().map(read).collect();
        read.into_iter().collect()
    }

    /// Non-empty text.
    #[inline(never)]
    pub fn text(&self) -> Option<&'n str> {
        match &self.node.value {
            Tree::Text(text) if text.is_empty() => self.wrong("is empty", "write some text"),
            Tree::Text(text) => Some(text),
            _ => self.wrong_kind("text"),
        }
    }

    /// `true` or `false`.
    pub fn flag(&self) -> Option<bool> {
        match self.node.value {
            Tree::Bool(flag) => Some(flag),
            _ => self.wrong_kind("true or false"),
        }
    }

    /// A whole number in a range.
    pub fn whole<N: TryFrom<i64> + PartialOrd + std::fmt::Display>(&self, range: RangeInclusive<N>) -> Option<N> {
        let Tree::Whole(number) = self.node.value else { return self.wrong_kind("a whole number") };
        match N::try_from(number) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => self.wrong(
                format!("is {number}"),
                format!("write a whole number from {} to {}", range.start(), range.end()),
            ),
        }
    }

    /// A duration in whole seconds within a range.
    pub fn seconds(&self, range: RangeInclusive<u32>) -> Option<Seconds> {
        let (least, most) = range.into_inner();
        let milliseconds = self.milliseconds(u64::from(least) * 1000..=u64::from(most) * 1000)?;
        if milliseconds % 1000 != 0 {
            return self.wrong("is not a whole number of seconds", "write it in s, m or h");
        }
        u32::try_from(milliseconds / 1000).ok().map(Seconds)
    }

    /// A duration in milliseconds within a range of milliseconds.
    #[inline(never)]
    pub fn milliseconds(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let Tree::Text(text) = &self.node.value else {
            return self.wrong_kind("a duration with a unit, such as 30s, 10m or 1h");
        };
        let Some(value) = duration(text) else {
            return self.wrong("is not a duration", "write a whole number and ms, s, m or h, such as 30s, 10m or 1h");
        };
        if range.contains(&value) {
            return Some(value);
        }
        let remedy = format!("write a duration from {} to {}", in_words(*range.start()), in_words(*range.end()));
        self.wrong(format!("is {text}"), remedy)
    }

    /// One of a few words.
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let remedy = format!("write {}", known.join(" or "));
        let Tree::Text(text) = &self.node.value else {
            return self.wrong(format!("is {}", self.node.value.kind()), remedy);
        };
        match words.iter().find(|(word, _)| word == text) {
            Some((_, value)) => Some(*value),
            None => self.wrong("is not a known word", remedy),
        }
    }
}

impl<'n> Object<'n> {
    /// Its line and column, if known.
    pub const fn cursor(&self) -> &Cursor<'n> {
        &self.cursor
    }

    /// The member `name`, if it is there. Null is an error, and counts as missing.
    #[inline(never)]
    pub fn get(&self, name: &str) -> Option<Cursor<'n>> {
        // Of a repeated member the last one counts, as in Envoy; the repetition is an error anyway.
        let (_, node) = self.members.iter().rev().find(|(other, _)| other == name)?;
        let member = self.cursor.child(node, join(&self.cursor.path, name));
        if node.value == Tree::Null {
            return member.wrong("is null", "give it a value, or leave the field out");
        }
        Some(member)
    }

    /// Whether the member `name` is there, null or not.
    #[inline(never)]
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(other, _)| other == name)
    }

    /// The member `name`, which must be there.
    #[inline(never)]
    pub fn need(&self, name: &str, remedy: &str) -> Option<Cursor<'n>> {
        if self.has(name) {
            return self.get(name);
        }
        self.cursor.wrong(format!("`{name}` is missing"), remedy)
    }

    /// All members.
    pub fn members(&self) -> impl Iterator<Item = (&'n str, Cursor<'n>)> {
        self.members.iter().map(|(name, node)| (name.as_str(), self.cursor.child(node, join(&self.cursor.path, name))))
    }
}

/// `path.name`, with quotes around a name that is not a plain word.
fn join(path: &str, name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    match (path.is_empty(), plain) {
        (true, true) => name.to_owned(),
        (false, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}[{name:?}]"),
    }
}

/// A whole number and a unit, in milliseconds.
fn duration(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn in_words(milliseconds: u64) -> String {
    match milliseconds {
        0 => "0s".to_owned(),
        value if value % 3_600_000 == 0 => format!("{}h", value / 3_600_000),
        value if value % 60_000 == 0 => format!("{}m", value / 60_000),
        value if value % 1000 == 0 => format!("{}s", value / 1000),
        value => format!("{value}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_whole_number_and_a_unit() {
        assert_eq!(duration("30s"), Some(30_000));
        assert_eq!(duration("250ms"), Some(250));
        assert_eq!(duration("24h"), Some(86_400_000));
        for text in ["", "30", "s", "1.5h", "-1s", "1 s", "1d", "1S", "99999999999999999999s", "18446744073709551615h"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
        assert_eq!(in_words(300_000), "5m");
        assert_eq!(in_words(250), "250ms");
    }
}
