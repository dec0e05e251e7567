//! The report of the cases, as text and for a build server.

use crate::cli::markup::reference;
use crate::cli::terminal::clean;

/// A file of cases.
#[derive(Clone, Debug)]
pub(super) struct FileReport {
    /// The file.
    pub file: String,
    /// Notes for the reader.
    pub notes: Vec<String>,
    /// Its cases, or why they could not be decided.
    pub cases: Result<Vec<CaseReport>, Unread>,
}

/// Why a file could not be read, or its cases not be decided: the problems, a line each.
#[derive(Clone, Debug)]
pub(super) struct Unread(pub String);

/// A case.
#[derive(Clone, Debug)]
pub(super) struct CaseReport {
    /// Its name.
    pub name: String,
    /// Its place, as `file:line:column`.
    pub place: String,
    /// The differences.
    pub failures: Vec<String>,
}

impl FileReport {
    fn cases(&self) -> &[CaseReport] {
        self.cases.as_deref().unwrap_or_default()
    }

    /// How many of its cases failed.
    pub(super) fn failed(&self) -> usize {
        self.cases().iter().filter(|case| !case.failures.is_empty()).count()
    }
}

/// Lines for a person, with a summary at the end.
pub(super) fn text(reports: &[FileReport]) -> String {
    let mut out = String::new();
    for report in reports {
        out.push_str(&report.file);
        out.push('\n');
        report.notes.iter().for_each(|note| out.push_str(&format!("  note   {note}\n")));
        if let Err(Unread(problems)) = &report.cases {
            problems.lines().for_each(|line| out.push_str(&format!("  error  {line}\n")));
        }
        for case in report.cases() {
            if case.failures.is_empty() {
                out.push_str(&format!("  ok     {}\n", case.name));
            } else {
                out.push_str(&format!("  FAILED {} ({})\n", case.name, case.place));
                case.failures.iter().for_each(|failure| out.push_str(&format!("           {failure}\n")));
            }
        }
    }
    let cases: usize = reports.iter().map(|report| report.cases().len()).sum();
    let failed: usize = reports.iter().map(FileReport::failed).sum();
    let unread = reports.iter().filter(|report| report.cases.is_err()).count();
    let passed = cases.saturating_sub(failed);
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let text = format!("{out}\n{cases} case{}: {passed} passed, {failed} failed", plural(cases));
    let text = if unread == 0 { text } else { format!("{text}; {unread} file{} could not be read", plural(unread)) };
    clean(&text)
}

/// A `JUnit` report: a suite for each file.
pub(super) fn junit(reports: &[FileReport]) -> String {
    let mut suites = String::new();
    for report in reports {
        let file = escaped(&report.file);
        let errors = usize::from(report.cases.is_err());
        let tests = report.cases().len().saturating_add(errors);
        let failed = report.failed();
        suites.push_str(&format!(
            "  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"{errors}\">\n"
        ));
        if let Err(Unread(problems)) = &report.cases {
            suites.push_str(&format!(
                "    <testcase name=\"the file can be read\" classname=\"{file}\">\n      \
                 <error message=\"{0}\">{0}</error>\n    </testcase>\n",
                escaped(problems)
            ));
        }
        for case in report.cases() {
            let name = escaped(&case.name);
            if case.failures.is_empty() {
                suites.push_str(&format!("    <testcase name=\"{name}\" classname=\"{file}\"/>\n"));
                continue;
            }
            let short = escaped(&case.failures.join("; "));
            let long = escaped(&format!("{}\n{}", case.place, case.failures.join("\n")));
            suites.push_str(&format!(
                "    <testcase name=\"{name}\" classname=\"{file}\">\n      \
                 <failure message=\"{short}\">{long}</failure>\n    </testcase>\n"
            ));
        }
        if !report.notes.is_empty() {
            let notes = escaped(&report.notes.join("\n"));
            suites.push_str(&format!("    <system-out>{notes}</system-out>\n"));
        }
        suites.push_str("  </testsuite>\n");
    }
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"scopegate\">\n{suites}</testsuites>\n")
}

/// Text as XML takes it, inside and outside of attributes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if let Some(reference) = reference(character) {
            out.push_str(reference);
            continue;
        }
        match character {
            '\n' => out.push_str("&#10;"),
            // XML has no way to write these.
            character if character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            character => out.push(character),
        }
    }
    out
}
