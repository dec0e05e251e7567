//! The pages: the README is short and true, and long pages can be found one's way in.

use super::{document, documents, rows, section};
use scopegate::challenge::{self, Terms};
use scopegate::decision::{Denial, Trace};
use scopegate::policy::Scope;

/// The largest README, in bytes: it is read before one knows whether one wants it.
const README_BYTES: usize = 10_240;
/// The most lines of a page without a table of contents.
const LINES_WITHOUT_CONTENTS: usize = 100;

#[test]
fn the_readme_is_short_and_leads_to_every_page() {
    let readme = document("README.md");
    assert!(readme.len() <= README_BYTES, "README.md has {} bytes; the limit is {README_BYTES}", readme.len());
    for page in documents() {
        // What lies deeper is linked by the pages.
        if page != "README.md" && page != "tests/mutants/survivors.md" {
            assert!(readme.contains(&format!("]({page}")), "README.md has no link to {page}");
        }
    }
}

#[test]
fn the_readme_shows_the_answers_that_clients_get() {
    let readme = document("README.md");
    let scope = |name| vec![Scope::new(name).unwrap()];
    for denial in [
        Denial::NoCredential { scope: scope("orders:read") },
        Denial::InsufficientScope { scope: scope("orders:write"), missing: scope("orders:write") },
    ] {
        let reply = challenge::render(&denial, &Trace::default(), &Terms::of_realm("demo"), false);
        let (_, challenge) = reply.headers.iter().find(|(name, _)| *name == "www-authenticate").unwrap();
        assert!(readme.contains(&format!("\nHTTP/1.1 {} ", reply.status)), "{}", reply.status);
        assert!(readme.contains(&format!("\nwww-authenticate: {challenge}\n")), "{challenge}");
        assert!(readme.contains(&format!("\n{}\n", reply.body)), "{}", reply.body);
    }
}

#[test]
fn what_the_readme_says_of_jwt_authn_is_part_of_the_table_that_is_tested() {
    let readme = document("README.md");
    let evidence = document("tests/README.md");
    let tested = rows(&section(&evidence, "## What `jwt_authn` lets through"));
    let told = rows(&section(&readme, "## Why not `jwt_authn` and `rbac`?"));
    assert_eq!(told.len(), 5);
    for row in &told {
        assert!(tested.contains(row), "{row:?}");
    }
    assert!(readme.contains(&format!("[{} rows that are tested]", tested.len())), "{} rows are tested", tested.len());
}

#[test]
fn a_long_page_has_a_table_of_contents_with_every_section() {
    for page in documents() {
        let text = document(&page);
        if text.lines().count() <= LINES_WITHOUT_CONTENTS || ["README.md", "CHANGELOG.md"].contains(&page.as_str()) {
            continue;
        }
        let (contents, _) = text.split_once("\n## ").unwrap();
        for heading in text.lines().filter_map(|line| line.strip_prefix("## ")) {
            assert!(contents.contains(&format!("[{heading}](#")), "{page}: the contents lack {heading:?}");
        }
    }
}
