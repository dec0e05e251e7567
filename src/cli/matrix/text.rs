//! A matrix as text: columns for a terminal, or Markdown.

use super::row::{CONDITIONS, Row};
use super::section::Section;
use crate::cli::markup::text_reference;

/// Columns as wide as needed, for a terminal.
pub(super) fn table(sections: &[Section]) -> String {
    let mut parts = Vec::new();
    for section in sections {
        let mut lines = vec![section.title.clone()];
        lines.extend(section.notes.iter().map(|note| format!("  {note}")));
        lines.push(String::new());
        let heads = section.heads();
        let mut cells = vec![heads.iter().map(|head| head.to_uppercase()).collect()];
        cells.extend(section.rows.iter().flat_map(lines_of));
        let width = |column: usize| {
            cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        for row in &cells {
            let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            lines.push(line.join("  ").trim_end().to_owned());
        }
        parts.push(lines.join("\n"));
    }
    parts.join("\n\n")
}

/// The lines of a row: one for each condition, so that no column becomes wider than a screen.
fn lines_of(row: &Row) -> Vec<Vec<String>> {
    let with = |mut cells: Vec<String>, condition: &str| {
        cells.iter_mut().skip(CONDITIONS).take(1).for_each(|cell| condition.clone_into(cell));
        cells
    };
    let mut conditions = row.conditions.iter();
    let cells = row.cells();
    let below = vec![String::new(); cells.len()];
    let mut lines = vec![with(cells, conditions.next().map_or("", String::as_str))];
    lines.extend(conditions.map(|condition| with(below.clone(), condition)));
    lines
}

/// A Markdown document.
pub(super) fn markdown(sections: &[Section]) -> String {
    let mut out = String::from("# What each route and rule needs\n");
    for section in sections {
        out.push_str(&format!("\n## {}\n\n", escaped(&section.title)));
        section.notes.iter().for_each(|note| out.push_str(&format!("- {}\n", escaped(note))));
        if !section.notes.is_empty() {
            out.push('\n');
        }
        let heads = section.heads();
        out.push_str(&format!("| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(heads.len())));
        for row in &section.rows {
            out.push_str(&format!(
                "| {} |\n",
                row.cells().iter().map(|cell| escaped(cell)).collect::<Vec<_>>().join(" | ")
            ));
        }
    }
    out.trim_end().to_owned()
}

/// Text that Markdown shows as it is.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if let Some(reference) = text_reference(character) {
            out.push_str(reference);
            continue;
        }
        match character {
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '{' | '}' | '~' | '!' => {
                out.push('\\');
                out.push(character);
            }
            character => out.push(character),
        }
    }
    out
}
