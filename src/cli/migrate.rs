//! `scopegate migrate`: writes Scopegate's configuration from what other filters have, and tells what means something else
//! now.

mod changed;
mod compare;
mod envoy;
pub mod findings;
mod gateway;
mod istio;
mod kubernetes;
pub mod policy;
mod report;
pub(in crate::cli) mod tree;
pub(in crate::cli) mod write;

use super::source::{DocumentKind, Source};
use super::{CANNOT, FAILED, print, terminal};
use clap::{Args, ValueEnum};
use findings::{Finding, Findings};
use serde_json::{Value, json};
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to migrate, and where to write.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The new configuration lets nothing through that the old one refused, but for four cases that the report tells: a good token
behind `bearer` in other letters than `Bearer`, a bad token behind another scheme where no token is needed, a bad token beside a
good one in a header that is removed, and in Istio a host with another port or a dot at its end. What it cannot say becomes `deny: true` where it
held, and is in the report. What another filter or a route reads of the old filters' metadata, or of headers that Scopegate removes,
is in the report too, with status 2, and so is code that is not in the files: there you decide. Give the files of clusters that
have filters too. Comments of the files are not kept.

Without --out the new files go to standard output and the report to standard error. With --out the files are written there,
under their names, and the report goes to standard output.

With --report-only the old filters stay in the new file, behind a Scopegate that refuses nothing. Then --compare reads access
logs in JSON that have the record of Scopegate and `details: \"%RESPONSE_CODE_DETAILS%\"` in each line, and says where the two
differ. envoy/MIGRATION.md leads through the steps.

Exit status: 0 everything is carried over, though some of it may be stricter; 2 something became `deny: true` or is left out,
or a file cannot be read. With --compare: 1 if Scopegate would allow what the old filters refused; 2 if nothing can be compared.

Examples:
  scopegate migrate old.yaml > new.yaml
  scopegate migrate old.yaml --out migrated
  scopegate migrate old.yaml --format json > report.json
  scopegate migrate policies.yaml --out migrated
  scopegate migrate old.yaml --report-only --out step1
  scopegate migrate --compare access.log"
)]
pub struct MigrateArguments {
    /// Envoy YAML or JSON with `jwt_authn`, `rbac`, `basic_auth` or `api_key_auth`: a bootstrap, or listeners and routes in
    /// separate files; or resources of Kubernetes: `RequestAuthentication` and `AuthorizationPolicy` of Istio,
    /// `SecurityPolicy` of Envoy Gateway with the Secrets and `ConfigMap`s that it names; - is standard input
    #[arg(required_unless_present = "compare", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The folder for the new files
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Writes over files in the folder
    #[arg(long, requires = "out")]
    pub force: bool,
    /// The form of the report
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Where the new filter finds the module
    #[arg(long, value_name = "PATH", default_value = "/etc/envoy/scopegate.wasm")]
    pub module: String,
    /// Keeps the old filters, and puts Scopegate before them, which only reports
    #[arg(long)]
    pub report_only: bool,
    /// Says where Scopegate and the old filters differ, by these access logs; - for standard input
    #[arg(long, value_name = "LOG", num_args = 1.., conflicts_with_all = ["out", "report_only"])]
    pub compare: Vec<PathBuf>,
    /// The member of the access log that holds the record [default: one whose name has `scopegate` in it, or else any]
    #[arg(long, value_name = "NAME", requires = "compare")]
    pub record: Option<String>,
}

/// How the new filter is to be.
#[derive(Clone, Copy, Debug)]
pub struct NewFilter<'m> {
    /// Where it finds the module.
    pub module: &'m str,
    /// Whether it only reports, in front of the old filters.
    pub report_only: bool,
}

/// The form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people.
    Text,
    /// One JSON object.
    Json,
}

/// What became of an old configuration.
#[derive(Clone, Debug, Default)]
pub struct Migrated {
    /// The configurations of the gates.
    pub plugins: Vec<Value>,
    /// The new files, with their texts.
    pub written: Vec<(PathBuf, String)>,
    /// What is told.
    pub findings: Findings,
}

/// Migrates, prints, and gives the exit status.
pub(super) fn main(arguments: &MigrateArguments) -> ExitCode {
    match run(arguments) {
        Ok(status) => status,
        Err(error) => {
            // If even this cannot be written, the exit status still tells.
            let _ = writeln!(std::io::stderr().lock(), "scopegate: {}", terminal::clean(&error.to_string()));
            ExitCode::from(CANNOT)
        }
    }
}

fn run(arguments: &MigrateArguments) -> Result<ExitCode, Box<dyn Error>> {
    if !arguments.compare.is_empty() {
        if !arguments.files.is_empty() {
            return Err("`--compare` takes logs alone: leave out the files of the old configuration".into());
        }
        return compared(arguments);
    }
    let sources = Source::read_all(&arguments.files)?;
    let new_filter = NewFilter { module: &arguments.module, report_only: arguments.report_only };
    let Migrated { plugins, written, findings } = migrated(&sources, new_filter)?;
    let findings = findings.sorted();
    if let Some(folder) = &arguments.out {
        save(folder, &written, arguments.force)?;
    }
    let (mut out, mut told) = (String::new(), String::new());
    match (arguments.format, &arguments.out) {
        (Format::Json, folder) => out = machine(&findings, &plugins, &written, folder.is_none()),
        (Format::Text, Some(folder)) => {
            out = report::text(&findings, arguments.report_only);
            for (file, _) in &written {
                out.push_str(&format!("\nwritten: {}", new_place(folder, file).display()));
            }
        }
        (Format::Text, None) => {
            told = report::text(&findings, arguments.report_only);
            for (index, (file, text)) in written.iter().enumerate() {
                if written.len() > 1 {
                    out.push_str(&format!("{}# {}\n", if index > 0 { "---\n" } else { "" }, file.display()));
                }
                out.push_str(text);
            }
        }
    }
    if !out.is_empty() {
        print(out.trim_end_matches('\n'))?;
    }
    if !told.is_empty() {
        writeln!(std::io::stderr().lock(), "{told}")?;
    }
    let is_loss = findings.iter().any(|finding| finding.kind.is_loss());
    Ok(if is_loss { ExitCode::from(CANNOT) } else { ExitCode::SUCCESS })
}

/// What becomes of these files.
fn migrated(sources: &[Source], new_filter: NewFilter<'_>) -> Result<Migrated, Box<dyn Error>> {
    if !kubernetes::are_there(sources) {
        return envoy::migrate(sources, new_filter);
    }
    if new_filter.report_only {
        return Err("--report-only is for Envoy's own files: write `report_only: true` into the new resource".into());
    }
    let mut all = kubernetes::migrate(sources);
    let has_envoy = |source: &Source| source.documents.iter().any(|document| document.kind == DocumentKind::Envoy);
    if sources.iter().any(has_envoy) {
        let of_envoy = envoy::migrate(sources, new_filter)?;
        all.plugins.extend(of_envoy.plugins);
        all.written.extend(of_envoy.written);
        all.findings.0.extend(of_envoy.findings.0);
    }
    Ok(all)
}

/// Compares what logs say of both.
fn compared(arguments: &MigrateArguments) -> Result<ExitCode, Box<dyn Error>> {
    let as_json = matches!(arguments.format, Format::Json);
    let output = compare::run(&arguments.compare, arguments.record.as_deref(), as_json)?;
    print(&output.text)?;
    Ok(if output.failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// One JSON object with all of it.
fn machine(findings: &[Finding], plugins: &[Value], written: &[(PathBuf, String)], with_text: bool) -> String {
    let file = |(file, text): &(PathBuf, String)| {
        let text = with_text.then_some(text);
        json!({ "file": file.to_string_lossy(), "text": text })
    };
    json!({
        "findings": report::values(findings),
        "plugins": plugins,
        "files": written.iter().map(file).collect::<Vec<_>>(),
    })
    .to_string()
}

/// Where a new file goes.
fn new_place(folder: &Path, file: &Path) -> PathBuf {
    // Standard input has no name.
    let name = file.file_name().filter(|name| *name != "-");
    folder.join(name.unwrap_or(std::ffi::OsStr::new("envoy.yaml")))
}

/// Writes the new files, all or none.
fn save(folder: &Path, written: &[(PathBuf, String)], force: bool) -> Result<(), Box<dyn Error>> {
    let places: Vec<PathBuf> = written.iter().map(|(file, _)| new_place(folder, file)).collect();
    for (index, place) in places.iter().enumerate() {
        if places.iter().take(index).any(|other| other == place) {
            return Err(format!("two files are named {}: migrate them one by one", place.display()).into());
        }
        if !force && place.exists() {
            return Err(format!("{} exists: choose another folder, or say --force", place.display()).into());
        }
    }
    std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    for (place, (_, text)) in places.iter().zip(written) {
        std::fs::write(place, text).map_err(|error| format!("cannot write {}: {error}", place.display()))?;
    }
    Ok(())
}
