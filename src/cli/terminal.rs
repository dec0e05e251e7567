//! Text from files on a terminal: nothing that steers it, and nothing that turns the direction of text around.

/// Whether a character could steer a terminal, or hide text.
pub(in crate::cli) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Lines without what is unsafe.
pub(in crate::cli) fn clean(text: &str) -> String {
    text.replace(|character| character != '\n' && is_unsafe(character), "\u{fffd}")
}
