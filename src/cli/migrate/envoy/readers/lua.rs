//! Whether Lua looks at headers or metadata that it does not name.

/// A part of a program.
#[derive(Debug, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    /// A text as it stands, without escapes.
    Literal,
    Sign(char),
}

/// Methods whose first argument is a name.
const NAMED: [&str; 6] = ["get", "getAtIndex", "getNumValues", "remove", "replace", "dynamicTypedMetadata"];
/// What goes through all names.
const EVERY: [&str; 2] = ["pairs", "next"];
/// What runs code, or finds functions, that are not written here.
const HIDDEN: [&str; 11] = [
    "load",
    "loadstring",
    "loadfile",
    "dofile",
    "require",
    "getmetatable",
    "getfenv",
    "setfenv",
    "debug",
    "_G",
    "_ENV",
];

/// Whether code that uses something of this name may look at a part of it that it does not name.
pub(super) fn looks_unnamed(code: &str, part_of: &str) -> bool {
    let tokens = tokens(code);
    let sign = |at: usize, own: char| tokens.get(at) == Some(&Token::Sign(own));
    let literal = |at: usize| tokens.get(at) == Some(&Token::Literal);
    let (mut uses, mut unnamed) = (false, false);
    for (at, token) in tokens.iter().enumerate() {
        let after = at.saturating_add(1);
        let Token::Word(word) = token else {
            // Calls what is found by a name.
            if *token == Token::Sign(']') && sign(after, '(') {
                return true;
            }
            continue;
        };
        if HIDDEN.contains(word) {
            return true;
        }
        uses |= word.contains(part_of);
        unnamed |= EVERY.contains(word);
        let before = at.saturating_sub(1);
        let is_of_table = tokens.get(before.saturating_sub(1)) == Some(&Token::Word("table"));
        if NAMED.contains(word) && (sign(before, ':') || sign(before, '.') && !is_of_table) {
            let (argument, end) = (after.saturating_add(1), after.saturating_add(2));
            let is_named = sign(after, '(') && literal(argument) && (sign(end, ')') || sign(end, ','));
            unnamed |= !is_named && !literal(after);
        }
    }
    uses && unnamed
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut found = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = if let Some(comment) = rest.strip_prefix("--") {
            after_long(comment).unwrap_or_else(|| comment.split_once('\n').map_or("", |(_, after)| after))
        } else if let Some(after) = after_long(rest) {
            found.push(Token::Literal);
            after
        } else if matches!(first, '\'' | '"') {
            let (is_plain, after) = after_quoted(rest, first);
            found.push(if is_plain { Token::Literal } else { Token::Sign('\\') });
            after
        } else if is_word(first) {
            let (word, after) = rest.split_at(rest.find(|character| !is_word(character)).unwrap_or(rest.len()));
            found.push(Token::Word(word));
            after
        } else {
            found.push(Token::Sign(first));
            rest.strip_prefix(first).unwrap_or_default()
        };
        rest = after.trim_start();
    }
    found
}

/// What comes after a text in long brackets (`[==[`), if one begins here.
fn after_long(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let level = inner.len().saturating_sub(inner.trim_start_matches('=').len());
    let inner = inner.trim_start_matches('=').strip_prefix('[')?;
    let end = format!("]{}]", "=".repeat(level));
    Some(inner.split_once(&end).map_or("", |(_, after)| after))
}

/// Whether a text in quotes has no escapes, and what comes after it.
fn after_quoted(text: &str, quote: char) -> (bool, &str) {
    let mut is_plain = true;
    let mut is_escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        if is_escaped {
            is_escaped = false;
        } else if character == '\\' {
            (is_plain, is_escaped) = (false, true);
        } else if character == quote {
            return (is_plain, text.get(at.saturating_add(1)..).unwrap_or_default());
        }
    }
    (is_plain, "")
}

#[cfg(test)]
mod tests {
    use super::looks_unnamed;

    #[test]
    fn code_names_what_it_looks_at_unless_it_makes_names_up_or_goes_through_all() {
        for (code, is_unnamed) in [
            ("h:headers():get('x-user')", false),
            ("h:headers():get \"x-user\"", false),
            ("h:headers():get([[x-user]])", false),
            ("h:headers():replace('x-user', name .. '1')", false),
            ("local hs = h:headers() -- pairs(hs)\nhs:get(--[==[ name ]==] 'x-user')", false),
            ("h:logInfo('pairs(hs), get(name)') h:headers():get('a')", false),
            ("h:respond({[':status'] = '403'}, '') h:headers():get('a')", false),
            ("for k, v in pairs({}) do end", false),
            ("table.remove(all) h:headers():get('a')", false),
            ("for k, v in pairs(h:headers()) do end", true),
            ("local all = pairs local hs = h:headers() for k in all(hs) do end", true),
            ("local k = next(h:headers())", true),
            ("h:headers():get(name)", true),
            ("h:headers():get('x-' .. 'user')", true),
            ("h:headers():get(('x-user'))", true),
            ("h:headers():get('x\\45user')", true),
            ("h:headers():get 'x-\\117ser'", true),
            ("local hs = h:headers() hs.get(hs, name)", true),
            ("local hs = h:headers() local get = hs.get", true),
            ("h:headers():getAtIndex(name, 0)", true),
            ("h['head' .. 'ers'](h)", true),
            ("require('auth').judge(h)", true),
            ("loadstring(text)()", true),
            ("h:headers():get('unfinished", true),
        ] {
            assert_eq!(looks_unnamed(code, "headers"), is_unnamed, "{code}");
        }
        assert!(looks_unnamed("h:streamInfo():dynamicMetadata():get('envoy.filters.http.jwt_' .. 'authn')", "dynamic"));
        assert!(!looks_unnamed("h:headers():get(name)", "dynamic"));
    }
}
