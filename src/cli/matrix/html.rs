//! A matrix as one self-contained HTML page: no script, no font, no network.

use super::row::{Mark, Row};
use super::section::Section;
use crate::cli::markup::escaped;

const STYLE: &str = "\
:root { color-scheme: light; }
body { margin: 2rem auto; max-width: 80rem; padding: 0 1.5rem; background: #fff; color: #1c2128;
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 .5rem; overflow-wrap: anywhere; }
h2 code { font-size: 1rem; }
p, ul { margin: .25rem 0 .75rem; color: #444c56; }
ul { padding-left: 1.2rem; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: #444c56; padding: .25rem 0 .5rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .7rem; border-bottom: 1px solid #d8dee4; }
thead th { border-bottom: 2px solid #57606a; font-size: .85rem; color: #444c56; text-transform: capitalize; }
tbody th { font-weight: 600; }
td, tbody th { overflow-wrap: break-word; }
code { font: 13px/1.5 ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace; }
tr.never td, tr.never th { color: #6e7781; }
.mark { display: inline-block; margin: 0 .25rem .15rem 0; padding: 0 .5rem; border: 1px solid; border-radius: 1rem;
  font-size: .8rem; white-space: nowrap; }
.public, .allow-missing { color: #9a3412; background: #fff4ec; }
.report-only, .any-token { color: #7a5b00; background: #fff9e0; }
.denied { color: #1f2937; background: #f1f3f5; }
span.never, .ignored { color: #57606a; background: #fff; border-style: dashed; }
span.unreadable { color: #b00020; background: #ffeef0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .5rem 0; }
dd { margin: 0; color: #444c56; }
@media (max-width: 50rem) { .scroll { overflow-x: auto; } table { min-width: 46rem; } }
@media print {
  @page { size: A4 landscape; margin: 12mm; }
  body { margin: 0; max-width: none; padding: 0; font-size: 10pt; }
  code { font-size: 9pt; }
  thead { display: table-header-group; }
  tr, dl { break-inside: avoid; }
  h2 { break-after: avoid; }
  .mark { background: none; color: #000; }
}
";

/// The page.
pub(super) fn page(sections: &[Section]) -> String {
    let body: String = sections.iter().map(section).collect();
    let legend: String = Mark::ALL
        .into_iter()
        .filter(|mark| sections.iter().any(|section| section.count(*mark) > 0))
        .map(definition)
        .collect();
    let legend = if legend.is_empty() { legend } else { format!("<h2>Marks</h2>\n<dl>\n{legend}</dl>\n") };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>What each route and rule needs</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <h1>What each route and rule needs</h1>\n\
         <p>In the order in which they are asked: the metadata of a route, of its virtual host, then the rules, the first \
         that matches, then the default.</p>\n{body}{legend}</body>\n</html>"
    )
}

fn section(section: &Section) -> String {
    let notes: String = section.notes.iter().map(|text| note(text)).collect();
    let notes = if notes.is_empty() { notes } else { format!("<ul>\n{notes}</ul>\n") };
    let counts: Vec<String> = Mark::ALL
        .into_iter()
        .map(|mark| (section.count(mark), mark.words()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    let rows = section.rows.len();
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    let heads: String = section.heads().into_iter().map(head).collect();
    let body: String = section.rows.iter().map(row).collect();
    format!(
        "<h2><code>{}</code></h2>\n{notes}<div class=\"scroll\">\n<table>\n<caption>{rows} rows{counts}</caption>\n\
         <thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n",
        escaped(&section.title)
    )
}

fn definition(mark: Mark) -> String {
    format!("<dt>{}</dt><dd>{}</dd>\n", badge(mark), escaped(mark.meaning()))
}

fn note(text: &str) -> String {
    format!("<li>{}</li>\n", escaped(text))
}

fn head(text: &str) -> String {
    format!("<th scope=\"col\">{text}</th>")
}

fn row(row: &Row) -> String {
    let class = if row.marks.contains(&Mark::Never) { " class=\"never\"" } else { "" };
    let conditions: Vec<String> = row.conditions.iter().map(|condition| escaped(condition)).collect();
    let marks: String = row.marks.iter().map(|mark| badge(*mark)).collect();
    let used = row.used.as_ref().map_or_else(String::new, |used| format!("<td>{}</td>", escaped(used)));
    format!(
        "<tr{class}><th scope=\"row\">{}</th><td><code>{}</code></td><td>{}</td><td><code>{}</code></td><td>{}</td>\
         <td>{marks}</td>{used}</tr>\n",
        escaped(&row.place),
        escaped(&row.matching),
        escaped(&row.methods),
        escaped(&row.needs),
        conditions.join("<br>")
    )
}

fn badge(mark: Mark) -> String {
    let words = mark.words();
    format!("<span class=\"mark {}\">{words}</span>", words.replace(' ', "-"))
}
