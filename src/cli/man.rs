//! The man page: a section for each command, with the examples of its help.

use super::Output;
use clap::Command;
use clap_mangen::Man;
use std::error::Error;
use std::io::Write as _;

/// The man page of this command.
///
/// # Errors
/// Never, in memory.
pub(super) fn page(mut command: Command) -> Result<Output, Box<dyn Error>> {
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    sections(&command, "scopegate", &mut page)?;
    man.render_version_section(&mut page)?;
    Ok(Output::from(String::from_utf8_lossy(&page).into_owned()))
}

/// The sections of the commands below `command`, whose name is `above`.
fn sections(command: &Command, above: &str, page: &mut Vec<u8>) -> Result<(), Box<dyn Error>> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        let name = format!("{above} {}", inner.get_name());
        if inner.has_subcommands() {
            sections(inner, &name, page)?;
            continue;
        }
        let man = Man::new(inner.clone());
        writeln!(page, ".SH \"{}\"", name.to_uppercase())?;
        man.render_synopsis_section(page)?;
        man.render_description_section(page)?;
        man.render_options_section(page)?;
        if let Some(more) = inner.get_after_help() {
            writeln!(page, ".PP\n.nf\n{}\n.fi", plain(&more.to_string()))?;
        }
    }
    Ok(())
}

/// Preformatted text, line by line.
fn plain(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        // A line that begins with a dot or a quote would be a request.
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_requests() {
        assert_eq!(plain(".SH x\n'y\na\\b --c\n"), "\\&.SH x\n\\&'y\na\\eb \\-\\-c");
    }
}
