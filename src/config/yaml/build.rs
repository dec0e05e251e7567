//! From raw YAML to the values that its reader makes of it, with their oddities.

use super::super::embedded::Text;
use super::super::tree::{Node, Position, Tree};
use super::raw::{Raw, RawTree};
use super::{Dialect, Flaw, YamlError, scalar, wrong};
use base64::Engine as _;
use std::collections::HashSet;

/// Makes the values of one document.
pub(super) struct Builder {
    pub dialect: Dialect,
    /// Texts that may hold JSON or YAML themselves.
    pub texts: Vec<Text>,
    pub flaws: Vec<Flaw>,
}

impl Builder {
    pub(super) fn node(&mut self, raw: Raw) -> Result<Node, YamlError> {
        let at = raw.at;
        self.value(raw, at)
    }

    /// A value at `member`: the position of its key, or its own.
    fn value(&mut self, raw: Raw, member: Position) -> Result<Node, YamlError> {
        let Raw { tree, tag, at, start } = raw;
        let value = match tree {
            RawTree::Scalar { text, plain } => self.scalar(text, plain, tag.as_deref(), [member, start]),
            RawTree::List(items) => {
                self.judge_collection(tag.as_deref(), start);
                Tree::List(items.into_iter().map(|item| self.node(item)).collect::<Result<_, _>>()?)
            }
            RawTree::Object(members) => {
                self.judge_collection(tag.as_deref(), start);
                Tree::Object(self.members(members)?)
            }
        };
        Ok(Node { value, at: Some(at) })
    }

    fn scalar(&mut self, text: String, plain: bool, tag: Option<&str>, [member, start]: [Position; 2]) -> Tree {
        let tree = match (tag, self.dialect) {
            (None, _) if !plain => Tree::Text(text),
            (None, Dialect::Envoy) => scalar::envoy(&text),
            (None, Dialect::Kubernetes) => scalar::kubernetes(&text).unwrap_or_else(|| {
                self.error("yaml-number", start, format!("{text} is a number that JSON cannot write"), "write another");
                Tree::Text(text)
            }),
            (None, Dialect::Json) => scalar::json(&text).unwrap_or_else(|| {
                self.error("not-json", start, format!("{text} is no JSON"), "put text into double quotes");
                Tree::Text(text)
            }),
            (Some("!"), _) => Tree::Text(text),
            (Some(tag), Dialect::Kubernetes) => self.tagged_in_kubernetes(text, tag, start),
            (Some(tag), _) => self.tagged_in_envoy(&text, tag, start),
        };
        if let Tree::Text(text) = &tree
            && !plain
        {
            self.texts.extend(Text::new(member, start, text));
        }
        tree
    }

    /// Envoy ignores tags, and then quotes too: `!!str 5` is the number.
    fn tagged_in_envoy(&mut self, text: &str, tag: &str, at: Position) -> Tree {
        let tree = scalar::envoy_tagged(text);
        let holds = match tag {
            "!!str" | "!!timestamp" => matches!(tree, Tree::Text(_)),
            "!!int" => matches!(tree, Tree::Whole(_)),
            "!!bool" => matches!(tree, Tree::Bool(_)),
            // Envoy leaves fractions and encoded values to the field that takes them.
            "!!float" => true,
            "!!null" | "!!binary" => false,
            "!ignore" => {
                let what = "!ignore has no effect on a value: Envoy reads it";
                self.error("yaml-tag", at, what.to_owned(), "put it before the key");
                return tree;
            }
            _ => {
                self.unknown_tag(tag, at);
                return tree;
            }
        };
        if !holds {
            let what = format!("Envoy passes over the tag {tag}: this is {}", tree.kind());
            self.warn("yaml-tag", at, what, "write the value as it is meant: text in quotes, without a tag");
        }
        tree
    }

    fn tagged_in_kubernetes(&mut self, text: String, tag: &str, at: Position) -> Tree {
        let value = || scalar::kubernetes(&text);
        let read = match tag {
            "!!str" | "!!timestamp" => Some(Tree::Text(text.clone())),
            "!!int" => value().filter(|value| matches!(value, Tree::Whole(_))),
            "!!float" => value().filter(|value| matches!(value, Tree::Whole(_) | Tree::Fraction(_))),
            "!!bool" => value().filter(|value| matches!(value, Tree::Bool(_))),
            "!!null" => value().filter(|value| *value == Tree::Null),
            "!!binary" => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(&text).ok();
                bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(Tree::Text)
            }
            _ => {
                self.unknown_tag(tag, at);
                Some(Tree::Text(text.clone()))
            }
        };
        read.unwrap_or_else(|| {
            self.error("yaml-tag", at, format!("this is not what its tag {tag} says"), "leave the tag out");
            Tree::Text(text)
        })
    }

    fn judge_collection(&mut self, tag: Option<&str>, at: Position) {
        if let Some(tag) = tag.filter(|tag| !matches!(*tag, "!" | "!!map" | "!!seq" | "!!set" | "!!omap" | "!!pairs")) {
            self.unknown_tag(tag, at);
        }
    }

    fn unknown_tag(&mut self, tag: &str, at: Position) {
        let reader = if self.dialect == Dialect::Kubernetes { "Kubernetes" } else { "Envoy" };
        let what = format!("the tag {tag} is unknown: {reader} reads the value as if it were not there");
        self.error("yaml-tag", at, what, "leave the tag out, or let the tool that knows it make the file");
    }

    fn members(&mut self, written: Vec<(Raw, Raw)>) -> Result<Vec<(String, Node)>, YamlError> {
        let mut members: Vec<(String, Node)> = Vec::with_capacity(written.len());
        let mut seen: HashSet<String> = HashSet::with_capacity(written.len());
        // Their names, in either of protobuf's spellings.
        let mut spellings: HashSet<String> = HashSet::with_capacity(written.len());
        // Those that come from a merge, and may be replaced.
        let mut merged: HashSet<String> = HashSet::new();
        for (key, value) in written {
            let ignored = self.dialect == Dialect::Envoy && key.tag.as_deref() == Some("!ignore");
            if ignored {
                continue;
            }
            let at = key.at;
            let is_merge = key.text() == Some("<<");
            if is_merge && self.dialect == Dialect::Kubernetes && is_plain(&key) {
                for (name, node) in self.merge(value, at)? {
                    if seen.contains(&name) && !merged.contains(&name) {
                        let what = format!("`<<` replaces {name}, which is written before it");
                        self.warn("yaml-merge", at, what, "write `<<` first");
                    }
                    merged.insert(name.clone());
                    put(&mut members, name, node);
                }
                continue;
            }
            let name = self.key(key)?;
            if is_merge && self.dialect != Dialect::Kubernetes {
                let what = "`<<` merges nothing in Envoy: it is an unknown field".to_owned();
                self.error("yaml-merge", at, what, "write the members here, or give the whole object by an alias");
            }
            // A member has the position of its key; its problems are shown there.
            let node = Node { at: Some(at), ..self.value(value, at)? };
            if merged.remove(&name) {
                put(&mut members, name.clone(), node);
            } else {
                let other = snake_case(&name);
                if seen.contains(&name) {
                    self.error("duplicate-key", at, format!("`{name}` is there twice"), self.dialect.of_two());
                } else if self.dialect != Dialect::Kubernetes && spellings.contains(&other) {
                    let what = format!("`{name}` is there in another spelling too");
                    self.error("duplicate-key", at, what, "Envoy would use either: keep one");
                }
                spellings.insert(other);
                members.push((name.clone(), node));
            }
            seen.insert(name);
        }
        Ok(members)
    }

    /// The members that `<<` brings: of an object, or of several, of which the first takes precedence.
    fn merge(&mut self, value: Raw, at: Position) -> Result<Vec<(String, Node)>, YamlError> {
        let sources = match value.tree {
            RawTree::List(items) => items,
            _ => vec![value],
        };
        let mut members = Vec::new();
        for source in sources.into_iter().rev() {
            let RawTree::Object(written) = source.tree else {
                self.error("yaml-merge", at, "`<<` takes an object or a list of objects".into(), "give it an alias");
                continue;
            };
            for (name, node) in self.members(written)? {
                put(&mut members, name, node);
            }
        }
        Ok(members)
    }

    /// The member name of a key.
    fn key(&mut self, key: Raw) -> Result<String, YamlError> {
        let Raw { tree: RawTree::Scalar { text, plain }, tag, at, .. } = key else {
            return Err(wrong("a key that is not text", Some(key.at)));
        };
        if let Some(tag) = tag.filter(|tag| !tag.starts_with("!!") && tag != "!") {
            self.unknown_tag(&tag, at);
        }
        match self.dialect {
            Dialect::Envoy if plain && scalar::is_null(&text) => Ok("null".to_owned()),
            Dialect::Kubernetes if plain => match scalar::kubernetes(&text) {
                Some(Tree::Bool(flag)) => Ok(flag.to_string()),
                Some(Tree::Whole(number)) => Ok(number.to_string()),
                Some(Tree::Null) => Err(wrong("a key that is null", Some(at))),
                _ => Ok(text),
            },
            _ => Ok(text),
        }
    }

    fn error(&mut self, rule: &'static str, at: Position, what: String, remedy: &str) {
        self.flaws.push(Flaw { rule, is_error: true, at: Some(at), what, remedy: remedy.to_owned() });
    }

    fn warn(&mut self, rule: &'static str, at: Position, what: String, remedy: &str) {
        self.flaws.push(Flaw { rule, is_error: false, at: Some(at), what, remedy: remedy.to_owned() });
    }
}

/// Whether a key has neither quotes nor a tag. Only such a `<<` merges.
fn is_plain(key: &Raw) -> bool {
    key.tag.is_none() && matches!(key.tree, RawTree::Scalar { plain: true, .. })
}

/// A name in the first of protobuf's two spellings: `fail_open` for `failOpen`.
fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(character.to_ascii_lowercase());
    }
    out
}

/// Sets a member, and keeps its place if it is there.
fn put(members: &mut Vec<(String, Node)>, name: String, node: Node) {
    match members.iter_mut().find(|(other, _)| *other == name) {
        Some((_, old)) => *old = node,
        None => members.push((name, node)),
    }
}
