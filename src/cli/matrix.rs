//! `scopegate matrix`: what each route and rule needs, for reviewers.

mod html;
mod needs;
mod origin;
mod row;
mod rows;
mod section;
mod text;
mod used;

use super::gates::{Gate, find, nothing_found, place};
use super::log::Filter;
use super::source::Source;
use super::usage::{Terms, Usage};
use clap::{Args, ValueEnum};
pub(in crate::cli) use row::{Called, Mark, Row};
pub(in crate::cli) use section::Section;

use crate::policy::Policy;
use std::error::Error;
use std::path::PathBuf;

/// The configuration to show, and how.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Routes and rules are listed in the order in which they are asked: the metadata of a route, of its virtual host, then
`rules` from the first to the last, then `default`. Marks:

  public         every request passes, no token is read
  denied         every request is refused
  any token      a valid token or other credential passes, whatever its scopes are
  allow missing  a request without a credential passes
  report only    what would be refused passes, and is counted
  never          no request can come here
  unreadable     the metadata cannot be read: every request is refused with 500
  ignored        the metadata has no effect here (route_metadata)

Examples:
  scopegate matrix envoy.yaml
  scopegate matrix --format markdown envoy.yaml
  scopegate matrix --format html envoy.yaml > matrix.html
  scopegate matrix envoy.yaml --used access.log"
)]
pub struct MatrixArguments {
    /// A plugin configuration, an Envoy YAML, an Istio or Envoy Gateway resource; several files if listeners and routes
    /// are in separate files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The format
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// A log of the gates: says beside each row who called it; may be given several times
    #[arg(long, value_name = "LOG")]
    pub used: Vec<PathBuf>,
    /// The member of the access log that holds the record [default: one whose name has `scopegate` in it, or else any]
    #[arg(long, value_name = "NAME", requires = "used")]
    pub record: Option<String>,
}

/// The form of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for a terminal
    Table,
    /// A Markdown document
    Markdown,
    /// One HTML page without other files, to read or to print
    Html,
}

/// Shows what is needed where.
///
/// # Errors
/// When a file cannot be read, holds no configuration, or one that the filter would refuse.
pub fn run(arguments: &MatrixArguments) -> Result<String, Box<dyn Error>> {
    let mut terms = Terms::default();
    let mut sections = sections(&arguments.files, &mut |policy| terms.add(policy))?;
    if !arguments.used.is_empty() {
        let usage = Usage::read(&arguments.used, arguments.record.as_deref(), &Filter::default(), terms)?;
        for section in &mut sections {
            section.rows.iter_mut().for_each(|row| used::fill(row, &usage));
            section.clean();
        }
    }
    Ok(match arguments.format {
        Format::Table => text::table(&sections),
        Format::Markdown => text::markdown(&sections),
        Format::Html => html::page(&sections),
    })
}

/// What is needed where, a section for each gate in the files; each policy is handed over.
///
/// # Errors
/// When a file cannot be read, holds no configuration, or one that the filter would refuse.
pub(in crate::cli) fn sections(
    files: &[PathBuf],
    see: &mut dyn FnMut(&Policy),
) -> Result<Vec<Section>, Box<dyn Error>> {
    let sources = Source::read_all(files)?;
    let gates = find(&sources);
    if gates.is_empty() {
        return Err(nothing_found(&sources).into());
    }
    gates.iter().map(|gate| section(gate, see)).collect()
}

fn section(gate: &Gate<'_>, see: &mut dyn FnMut(&Policy)) -> Result<Section, Box<dyn Error>> {
    match &gate.policy {
        Ok(loaded) => {
            see(&loaded.policy);
            Ok(rows::section(gate, &loaded.policy))
        }
        Err(error) => {
            let at = place(gate.file, gate.configuration.position());
            Err(format!("{at}: this configuration cannot be used\n{}", gate.refused(error)).into())
        }
    }
}
