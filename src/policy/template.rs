//! Path templates with the meaning of Envoy's `uri_template` matcher: `{name}` and `*` match one non-empty segment, and
//! `**` matches any rest, which may be empty. A template has at most one `**`, after the others.

/// A compiled template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Segments before `**`, or all of them.
    segments: Vec<Segment>,
    /// The literal text after `**`, if there is one.
    rest: Option<Vec<u8>>,
    /// The literal text before the first operator.
    start: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Vec<u8>),
    /// One segment of path characters, and the literal text that it must end with.
    One {
        /// The name, where it is a variable.
        name: Option<String>,
        suffix: Vec<u8>,
    },
}

/// A variable of a template: where a path has its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathVariable {
    name: String,
    /// The segment, from 0.
    segment: usize,
    /// The literal text after the value.
    suffix: Vec<u8>,
}

/// Why a text is not a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemplateError(pub &'static str);

impl Template {
    /// Compiles `text`.
    ///
    /// # Errors
    /// When Envoy's matcher would refuse it too, or for the form `{name=pattern}`, which is not supported.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let body = text.strip_prefix('/').ok_or(TemplateError("must begin with `/`"))?;
        let mut segments = Vec::new();
        let mut names = Vec::new();
        let mut parts = body.split('/').peekable();
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            if let Some(suffix) = part.strip_prefix("**") {
                if !suffix.is_empty() && !last {
                    return Err(TemplateError("text behind an operator must end the template"));
                }
                let tail: Vec<&str> = parts.collect();
                let tail = if last { suffix.to_owned() } else { format!("/{}", tail.join("/")) };
                if tail.contains(['*', '{', '}']) {
                    return Err(TemplateError("`**` must be the last operator"));
                }
                literal_path(&tail)?;
                return Ok(Self { start: literal_start(text), segments, rest: Some(tail.into_bytes()) });
            }
            let operator = if let Some(suffix) = part.strip_prefix('*') {
                Some((None, suffix))
            } else if let Some(rest) = part.strip_prefix('{') {
                let (name, suffix) = rest.split_once('}').ok_or(TemplateError("`{` without `}`"))?;
                check_name(name)?;
                if names.contains(&name) {
                    return Err(TemplateError("a name is used twice"));
                }
                names.push(name);
                Some((Some(name), suffix))
            } else {
                None
            };
            match operator {
                Some((name, suffix)) if suffix.is_empty() || last => {
                    literal_path(suffix)?;
                    segments.push(Segment::One { name: name.map(str::to_owned), suffix: suffix.as_bytes().to_vec() });
                }
                Some(_) => return Err(TemplateError("text behind an operator must end the template")),
                None => {
                    if part.is_empty() && !last {
                        return Err(TemplateError("an empty segment"));
                    }
                    literal_path(part)?;
                    segments.push(Segment::Literal(part.as_bytes().to_vec()));
                }
            }
        }
        if names.len() > 5 {
            return Err(TemplateError("more than five names"));
        }
        Ok(Self { start: literal_start(text), segments, rest: None })
    }

    /// The prefix of every matching path, up to the first operator.
    #[must_use]
    pub fn literal_start(&self) -> &[u8] {
        &self.start
    }

    /// The names of its variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::One { name, .. } => name.as_deref(),
        })
    }

    /// The variable of this name.
    #[must_use]
    pub fn variable(&self, wanted: &str) -> Option<PathVariable> {
        self.segments.iter().enumerate().find_map(|(segment, part)| match part {
            Segment::One { name: Some(name), suffix } if name == wanted => {
                Some(PathVariable { name: name.clone(), segment, suffix: suffix.clone() })
            }
            Segment::Literal(_) | Segment::One { .. } => None,
        })
    }

    /// Whether `path`, without its query, matches as in Envoy.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        self.matches_with(path, is_operand_character)
    }

    /// Whether `path` matches if operators match every byte but a slash.
    #[must_use]
    pub fn matches_any_byte(&self, path: &[u8]) -> bool {
        self.matches_with(path, |byte| byte != b'/')
    }

    fn matches_with(&self, path: &[u8], is_operand: fn(u8) -> bool) -> bool {
        let mut left = path;
        for segment in &self.segments {
            let Some(body) = left.strip_prefix(b"/") else { return false };
            let end = body.iter().position(|&byte| byte == b'/').unwrap_or(body.len());
            let (part, rest) = body.split_at(end);
            let matched = match segment {
                Segment::Literal(literal) => part == literal,
                Segment::One { suffix, .. } => part
                    .strip_suffix(suffix.as_slice())
                    .is_some_and(|name| !name.is_empty() && name.iter().all(|&byte| is_operand(byte))),
            };
            if !matched {
                return false;
            }
            left = rest;
        }
        match &self.rest {
            None => left.is_empty(),
            Some(tail) => left
                .strip_prefix(b"/")
                .and_then(|left| left.strip_suffix(tail.as_slice()))
                .is_some_and(|rest| rest.iter().all(|&byte| byte == b'/' || is_operand(byte))),
        }
    }
}

impl PathVariable {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value as it is written in `path`, which matches the template. It has none after an encoded slash, which
    /// moves it for a reader that decodes first.
    #[must_use]
    pub fn find<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let mut segments = path.strip_prefix(b"/")?.split(|&byte| byte == b'/');
        let holds_slash = |segment: &[u8]| segment.windows(3).any(|escape| escape.eq_ignore_ascii_case(b"%2f"));
        if segments.by_ref().take(self.segment).any(holds_slash) {
            return None;
        }
        segments.next()?.strip_suffix(self.suffix.as_slice()).filter(|value| !value.is_empty())
    }
}

fn literal_start(text: &str) -> Vec<u8> {
    text.bytes().take_while(|byte| !matches!(byte, b'*' | b'{')).collect()
}

/// A variable's name, with Envoy's limits.
fn check_name(name: &str) -> Result<(), TemplateError> {
    if name.contains('=') {
        return Err(TemplateError("`{name=pattern}` is not supported: write `*`, `**` or `{name}`"));
    }
    let mut bytes = name.bytes();
    let plain = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain && name.len() <= 16 {
        Ok(())
    } else {
        Err(TemplateError("a name is a letter and up to 15 letters, digits or `_`"))
    }
}

fn literal_path(text: &str) -> Result<(), TemplateError> {
    if text.bytes().all(|byte| byte == b'/' || is_path_character(byte)) {
        Ok(())
    } else {
        Err(TemplateError("a character that cannot stand in a path, or an operator inside a segment"))
    }
}

/// The characters of a literal: `pchar` of RFC 3986 without `*` and `=`, which Envoy reserves for operators.
fn is_path_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()+,;:@".contains(&byte)
}

/// What Envoy's operators match: every `pchar` (measured on 1.40, byte by byte).
fn is_operand_character(byte: u8) -> bool {
    is_path_character(byte) || matches!(byte, b'*' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(template: &str, path: &str) -> bool {
        Template::parse(template).expect("a template").matches(path.as_bytes())
    }

    #[test]
    fn operators_mean_what_they_mean_in_envoy() {
        for (template, path) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/", "/a/"),
            ("/a/*", "/a/b"),
            ("/a/{id}/c", "/a/b-1/c"),
            ("/a/{id}.json", "/a/b.json"),
            ("/a/**", "/a/"),
            ("/a/**", "/a/b/c"),
            ("/a/**/c", "/a/b/x/c"),
            ("/a/**.ts", "/a/b/x.ts"),
            ("/**", "/"),
            ("/a/*", "/a/b=c"),
            ("/a/**", "/a/b=c/*"),
        ] {
            assert!(matches(template, path), "{template} {path}");
        }
        for (template, path) in [
            ("/", "/a"),
            ("/a/b", "/a/b/"),
            ("/a", "/A"),
            ("/a/*", "/a/"),
            ("/a/*", "/a/b/"),
            ("/a/*", "/a/b/c"),
            ("/a/{id}.json", "/a/.json"),
            ("/a/{id}.json", "/a/b"),
            ("/a/{id}.json", "/a/b.xml"),
            ("/a/**", "/a"),
            ("/a/**", "/ab"),
            ("/a/**/c", "/a/c"),
        ] {
            assert!(!matches(template, path), "{template} {path}");
        }
    }

    #[test]
    fn bytes_that_operators_leave_out_are_known() {
        let template = Template::parse("/a/*").expect("a template");
        for path in ["/a/b|c", "/a/\"b\"", "/a/{b}", "/a/\u{e9}"] {
            assert!(!template.matches(path.as_bytes()) && template.matches_any_byte(path.as_bytes()), "{path}");
        }
        assert!(!template.matches_any_byte(b"/a/b/c"));
    }

    #[test]
    fn templates_that_envoy_refuses_are_refused() {
        for template in [
            "",
            "a",
            "/a//b",
            "/**/*",
            "/**/{x}",
            "/**/**",
            "/{x}/{x}",
            "/{a-b}",
            "/{1x}",
            "/{x",
            "/{}",
            "/a*b",
            "/a*",
            "/*a/b",
            "/{x}a/b",
            "/{x=*}",
            "/a=b",
            "/{abcdefghijklmnopq}",
            "/{a}/{b}/{c}/{d}/{e}/{f}",
            "/a b",
        ] {
            assert!(Template::parse(template).is_err(), "{template}");
        }
    }

    #[test]
    fn names_are_taken_up_to_their_limits() {
        for template in ["/{a}/{b}/{c}/{d}/{e}", "/{abcdefghijklmnop}", "/{a_1}"] {
            assert!(Template::parse(template).is_ok(), "{template}");
        }
    }
}
