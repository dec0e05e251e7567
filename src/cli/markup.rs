//! Escaping for HTML, XML and the HTML in Markdown.

/// The reference that replaces a character in text between tags.
pub(in crate::cli) const fn text_reference(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

/// The reference that replaces a character in text and in quoted attributes.
pub(in crate::cli) const fn reference(character: char) -> Option<&'static str> {
    match character {
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => text_reference(character),
    }
}

/// Text as HTML takes it, between tags and in quoted attributes.
pub(in crate::cli) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match reference(character) {
            Some(reference) => out.push_str(reference),
            None => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_opens_no_tag_and_closes_no_attribute() {
        assert_eq!(escaped("<a b='c' d=\"e\">&amp;é"), "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;amp;é");
        assert_eq!("<\"'".chars().map(text_reference).collect::<Vec<_>>(), [Some("&lt;"), None, None]);
    }
}
