//! A signed request as a command of curl.

use super::SignArguments;
use super::draft::{Draft, Lines};

/// The command, a line for each option.
///
/// # Errors
/// When curl cannot send the request.
pub(super) fn command(draft: &Draft<'_>, arguments: &SignArguments, carriers: &Lines) -> Result<String, String> {
    let method = arguments.method.as_str();
    let mut words = match (method, &arguments.body) {
        ("HEAD", Some(_)) => return Err("--curl: curl sends no body with HEAD".to_owned()),
        ("HEAD", None) => vec!["curl --head".to_owned()],
        ("GET", None) => vec!["curl".to_owned()],
        _ => vec![format!("curl --request {}", quoted(method))],
    };
    // curl would take the dots out of the path.
    if draft.target.path.contains("/.") {
        words.push(format!("--request-target {}", quoted(&draft.target.path)));
    }
    let signed = draft.added.iter().chain(carriers).map(|(name, value)| format!("{name}: {value}"));
    // curl leaves a header without a value out, unless a semicolon ends its name.
    let sent = arguments.header.iter().map(|line| match line.split_once(':') {
        Some((name, value)) if value.trim().is_empty() => format!("{};", name.trim()),
        _ => line.clone(),
    });
    words.extend(sent.chain(signed).map(|line| format!("--header {}", quoted(&line))));
    if let Some(body) = &arguments.body {
        let option = if body == "-" { "--data-binary @-".to_owned() } else { data(body) };
        words.push(option);
    }
    let target = &draft.target;
    words.push(quoted(&format!("{}://{}{}", target.scheme, target.authority, target.path)));
    Ok(words.join(" \\\n  "))
}

/// A body: text, or `@FILE`, as curl has it, too.
fn data(body: &str) -> String {
    format!("--data-binary {}", quoted(body))
}

/// A word for a POSIX shell.
fn quoted(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_every_word_as_it_was() {
        for text in ["", "a", "it's", "$(id) `id` \"\\ ;&|<>*?~!", "a\nb", "--x=é"] {
            let output = std::process::Command::new("sh").args(["-c", &format!("printf %s {}", quoted(text))]).output();
            assert_eq!(String::from_utf8(output.expect("a shell").stdout).as_deref(), Ok(text));
        }
    }
}
