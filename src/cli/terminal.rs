//! Makes text from files safe for a terminal: nothing that steers it, and nothing that changes the direction of text.

/// Whether a character could steer a terminal, hide text, or turn its direction.
pub(in crate::cli) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Lines with unsafe characters replaced.
pub(in crate::cli) fn clean(text: &str) -> String {
    text.replace(|character| character != '\n' && is_unsafe(character), "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_hides_or_turns_text_is_unsafe() {
        for character in "\n\r\t\u{1b}\u{7f}\u{9b}\u{200b}\u{200f}\u{2028}\u{202e}\u{2066}\u{feff}".chars() {
            assert!(is_unsafe(character), "{character:?}");
        }
        for character in " a\"<é\u{ad}\u{200a}\u{2010}\u{202f}\u{fffd}".chars() {
            assert!(!is_unsafe(character), "{character:?}");
        }
        assert_eq!(clean("a\n\u{202e}b\u{1b}[0m"), "a\n\u{fffd}b\u{fffd}[0m");
    }
}
