//! JSON or YAML inside a text of a file, such as the configuration in a `StringValue` or a file in a `ConfigMap`.
//! Problems in it are reported with their place in the file.
//!
//! YAML folds, strips and escapes text in many ways, but it neither adds nor reorders characters other than white
//! space. So each is found again by counting, in every style.

use super::problem::{ConfigError, Problem};
use super::tree::{Node, Position, Tree};
use super::{whole, wire};
use crate::base::json;

/// A text that may hold a JSON object or a YAML document, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The key of the member whose value it is; `start` if it is no member's value.
    pub member: Position,
    /// Where the value begins: its quote, or the first character of a block.
    pub start: Position,
    /// The text after YAML has read it.
    pub text: String,
}

/// The positions of a text's characters in the file that holds it.
#[derive(Clone, Debug)]
pub struct TextPositions<'t> {
    /// The positions of the characters other than white space.
    places: Vec<Position>,
    /// The lines of the text, each with the number of characters other than white space before it.
    lines: Vec<(usize, &'t str)>,
}

impl TextPositions<'_> {
    /// The position in the file of a position in the text.
    #[must_use]
    pub fn outer(&self, at: Position) -> Option<Position> {
        let (before, line) = self.lines.get(at.line.saturating_sub(1))?;
        let within: String = line.chars().take(at.column.saturating_sub(1)).collect();
        self.places.get(before.saturating_add(seen(&within))).or_else(|| self.places.last()).copied()
    }

    /// Replaces the positions of a value, and of all in it, by those in the file.
    pub fn move_out(&self, node: &mut Node) {
        node.at = node.at.and_then(|at| self.outer(at));
        match &mut node.value {
            Tree::List(items) => items.iter_mut().for_each(|item| self.move_out(item)),
            Tree::Object(members) => members.iter_mut().for_each(|(_, member)| self.move_out(member)),
            _ => {}
        }
    }
}

/// The number of characters other than white space.
fn seen(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}

impl Text {
    /// The text, if it begins like a JSON object or has several lines.
    #[must_use]
    pub fn new(member: Position, start: Position, text: &str) -> Option<Self> {
        let has_lines = text.trim_end().contains('\n');
        (text.trim_start().starts_with('{') || has_lines).then(|| Self { member, start, text: text.to_owned() })
    }

    /// Whether it begins like a JSON object.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.text.trim_start().starts_with('{')
    }

    /// The positions of its characters in `file`, the text of the file.
    #[must_use]
    pub fn places(&self, file: &str) -> TextPositions<'_> {
        let mut before = 0_usize;
        let mut lines = Vec::new();
        for line in self.text.split_inclusive('\n') {
            lines.push((before, line));
            before = before.saturating_add(seen(line));
        }
        TextPositions { places: self.characters(file), lines }
    }

    /// Reads the configuration in it as the module does, each value with its place in `file`, the text of the file.
    ///
    /// # Errors
    /// When it is not a configuration, with the place of the first problem.
    pub fn read(&self, file: &str) -> Result<Node, ConfigError> {
        let places = self.characters(file);
        match wire::plugin_configuration(self.text.as_bytes()) {
            Ok(mut node) => {
                Scanner { rest: &self.text, seen: 0, places: &places }.value(&mut node);
                Ok(node)
            }
            Err(what) => {
                let at = json::parse(self.text.as_bytes()).err().and_then(|error| {
                    let before: String = self.text.split_inclusive('\n').take(error.line().saturating_sub(1)).collect();
                    let line = self.text.get(before.len()..)?;
                    let column = line.char_indices().nth(error.column()).map_or(line.len(), |(at, _)| at);
                    let seen = seen(&before).saturating_add(seen(line.get(..column)?));
                    places.get(seen.saturating_sub(1)).or_else(|| places.last()).copied()
                });
                // The position in the file replaces that in the text.
                let what = what.split_once(" at line ").filter(|_| at.is_some()).map_or(&*what, |(what, _)| what);
                let ConfigError(problems) = whole(what.to_owned());
                Err(ConfigError(problems.into_iter().map(|problem| Problem { at, ..problem }).collect()))
            }
        }
    }

    /// The positions of the characters other than white space, in order.
    fn characters(&self, file: &str) -> Vec<Position> {
        let mut characters = Characters::from(file, self.start);
        let style = characters.quote();
        let mut places = Vec::new();
        for wanted in self.text.chars().filter(|character| !character.is_whitespace()) {
            match characters.significant(style) {
                Some((found, at)) if found == wanted => places.push(at),
                _ => break,
            }
        }
        places
    }
}

/// The characters of a file from a position on, each with its position.
struct Characters<'f> {
    rest: std::str::Chars<'f>,
    at: Position,
}

impl<'f> Characters<'f> {
    fn from(file: &'f str, at: Position) -> Self {
        let line = file.split_inclusive('\n').nth(at.line.saturating_sub(1)).unwrap_or_default();
        let before = line.chars().take(at.column.saturating_sub(1)).map(char::len_utf8).sum::<usize>();
        let lines: usize = file.split_inclusive('\n').take(at.line.saturating_sub(1)).map(str::len).sum();
        Self { rest: file.get(lines.saturating_add(before)..).unwrap_or_default().chars(), at }
    }

    /// The quote at the start of a text. A block has none.
    fn quote(&mut self) -> Option<char> {
        let quote = self.rest.clone().next().filter(|character| matches!(character, '"' | '\''))?;
        self.next();
        Some(quote)
    }

    /// The next character other than white space, in a text of this style.
    fn significant(&mut self, style: Option<char>) -> Option<(char, Position)> {
        loop {
            let (character, at) = self.next()?;
            let character = match (style, character) {
                (Some('"'), '\\') => self.unescape()?,
                (Some('\''), '\'') => self.next()?.0,
                _ => character,
            };
            if !character.is_whitespace() {
                return Some((character, at));
            }
        }
    }

    /// The character of an escape, whose backslash has been read. Of white space any character will do.
    fn unescape(&mut self) -> Option<char> {
        let (character, _) = self.next()?;
        let digits = match character {
            'n' | 'r' | 't' => return Some(' '),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => return Some(character),
        };
        let code: String = self.take(digits).map(|(digit, _)| digit).collect();
        u32::from_str_radix(&code, 16).ok().and_then(char::from_u32)
    }
}

impl Iterator for Characters<'_> {
    type Item = (char, Position);

    fn next(&mut self) -> Option<Self::Item> {
        let character = self.rest.next()?;
        let at = self.at;
        self.at = match character {
            '\n' => Position { line: at.line.saturating_add(1), column: 1 },
            _ => Position { column: at.column.saturating_add(1), ..at },
        };
        Some((character, at))
    }
}

/// Walks through valid JSON, and notes the position of each value.
struct Scanner<'t> {
    rest: &'t str,
    /// The number of characters other than white space that have been read.
    seen: usize,
    places: &'t [Position],
}

impl Scanner<'_> {
    /// Looks at the next character other than white space.
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn here(&self) -> Option<Position> {
        self.places.get(self.seen).copied()
    }

    /// Skips `length` bytes.
    fn advance(&mut self, length: usize) {
        let (gone, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.seen = self.seen.saturating_add(gone.chars().filter(|character| !character.is_whitespace()).count());
        self.rest = rest;
    }

    /// Skips a string, and returns it as it is written.
    fn string(&mut self) -> &str {
        let text = self.rest;
        let mut escaped = false;
        let end = text.char_indices().skip(1).find(|(_, character)| {
            let ends = *character == '"' && !escaped;
            escaped = *character == '\\' && !escaped;
            ends
        });
        let length = end.map_or(text.len(), |(at, _)| at.saturating_add(1));
        self.advance(length);
        text.get(..length).unwrap_or_default()
    }

    fn value(&mut self, node: &mut Node) {
        self.peek();
        node.at = self.here();
        match &mut node.value {
            Tree::Object(members) => self.object(members),
            Tree::List(items) => {
                self.advance(1);
                for item in items {
                    self.value(item);
                    self.after_one();
                }
                self.after_all();
            }
            Tree::Text(_) => {
                self.string();
            }
            _ => {
                let ends = |character: char| matches!(character, ',' | ']' | '}') || character.is_whitespace();
                self.advance(self.rest.find(ends).unwrap_or(self.rest.len()));
            }
        }
    }

    fn object(&mut self, members: &mut [(String, Node)]) {
        self.advance(1);
        while self.peek() == Some('"') {
            let at = self.here();
            let name: String = serde_json::from_str(self.string()).unwrap_or_default();
            self.peek();
            self.advance(1);
            let Some((_, node)) = members.iter_mut().find(|(other, _)| *other == name) else { return };
            self.value(node);
            // A member has the position of its key, as in YAML.
            node.at = at;
            self.after_one();
        }
        self.after_all();
    }

    fn after_one(&mut self) {
        if self.peek() == Some(',') {
            self.advance(1);
        }
    }

    fn after_all(&mut self) {
        self.peek();
        self.advance(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_documents;

    fn texts(file: &str) -> Vec<Text> {
        read_documents(file, false).expect("YAML").remove(0).texts
    }

    /// The place of the value at `path` in the JSON of this file, as `line:column`.
    fn place(file: &str, path: &[&str]) -> String {
        let texts = texts(file);
        let [text] = texts.as_slice() else { panic!("{texts:?}") };
        let mut node = text.read(file).expect("JSON");
        for name in path {
            node = match node.value {
                Tree::Object(members) => members.into_iter().find(|(other, _)| other == name).expect("a member").1,
                Tree::List(items) => items.into_iter().nth(name.parse().expect("a number")).expect("an item"),
                _ => panic!("{name}"),
            };
        }
        node.at.map(|at| at.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_value_is_found_in_every_style_of_text() {
        let json = "{\"a\": [1, {\"b\\u0063\": true}], \"d'\": \"e \\\"f\"}";
        let quoted = format!("x:\n  value: '{}'\n", json.replace('\'', "''"));
        let escaped = format!("value: {}\n", serde_json::Value::from(json));
        let block =
            "value: |  # JSON\n  {\"a\": [1,\n    {\"b\\u0063\": true}],\n\n   \"d'\": \"e \\\"f\"}\nz: 1\n".to_owned();
        let folded = block.replace('|', ">-");
        for (file, item, inner, last) in [
            (quoted, "2:18", "2:22", "2:41"),
            (escaped, "1:18", "1:22", "1:44"),
            (block, "2:10", "3:6", "5:4"),
            (folded, "2:10", "3:6", "5:4"),
        ] {
            assert_eq!(place(&file, &["a", "0"]), item, "{file}");
            assert_eq!(place(&file, &["a", "1", "bc"]), inner, "{file}");
            assert_eq!(place(&file, &["d'"]), last, "{file}");
        }
        assert_eq!(place("value: '  {\n  \"a\":\n  1}'\n", &["a"]), "2:3");
        assert_eq!(place("value: \"{\\\n  \\\"a\\\": 1}\"\n", &["a"]), "2:3");
    }

    #[test]
    fn what_is_no_json_says_where() {
        for (file, wanted) in [
            ("value: |\n  {\"a\": 1,\n   \"b\" 2}\n", "3:8"),
            ("value: '{\"a\": 1'\n", "1:15"),
            ("value: |\n  {\"a\": 1,\n   \"a\": 2}\n", "3:10"),
        ] {
            let ConfigError(problems) = texts(file)[0].read(file).expect_err(file);
            assert_eq!(problems[0].at.map(|at| at.to_string()).as_deref(), Some(wanted), "{file}: {problems:?}");
        }
    }
}
