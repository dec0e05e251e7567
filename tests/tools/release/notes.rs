//! The notes of a release: what its section of the changelog says, and what its files are.

/// Which file is for whom.
const FILES: &str = "\
| file | what it is |
|---|---|
| `scopegate.wasm`, `scopegate-full.wasm` | The modules for Envoy, Istio and Envoy Gateway. README.md of the examples says which one you need. |
| `scopegate.oci.tar` | Both as OCI images, in an OCI layout, with their provenance. |
| `libscopegate-x86_64-unknown-linux-gnu.so`, `libscopegate-aarch64-unknown-linux-gnu.so` | The native module, which is experimental, for glibc 2.17 and later. Rename it to `libscopegate.so`. |
| `scopegate-x86_64-unknown-linux-musl` | The command, in one static program for any Linux. `chmod +x` it. |
| `scopegate.1`, `scopegate-completions.tar.gz` | Its man page, and its completions for shells. |
| `scopegate-examples.tar.gz` | README.md, SECURITY.md, the guide, and configurations for each way to run it. |
| `quickstart.sh` | `sh quickstart.sh` tries the module in this folder, without Rust. |
| `*.cdx.json` | Bills of materials, CycloneDX. |
| `scopegate.provenance.json` | How all of it was built: an in-toto statement with a SLSA predicate. |
| `SHA256SUMS`, `scopegate.wasm.sha256` | Checksums. |
";

/// The notes of `version`, signed with the key of that hint. Of the files those are named that `is_there`.
///
/// # Errors
/// When the changelog has no section of it, nor one of what is not released.
pub fn of(
    changelog: &str,
    version: &str,
    hint: Option<&str>,
    is_there: &dyn Fn(&str) -> bool,
) -> Result<String, String> {
    let found = section(changelog, &format!("## [{version}]"));
    let is_released = found.is_some();
    let section = found.or_else(|| section(changelog, "## [Unreleased]"));
    let section = section.ok_or_else(|| format!("CHANGELOG.md has neither a section [{version}] nor [Unreleased]"))?;
    let mut notes = format!("# Scopegate {version}\n\n");
    if !is_released {
        notes += &format!(
            "**This is not a release.** CHANGELOG.md has no section for {version}: below is what it says of what has not been released.\n\n"
        );
    }
    notes += &match hint {
        Some(hint) => format!(
            "Each file is signed, in `FILE.sigstore.json`, with the key `{hint}`; so are the images, in `scopegate.image.sigstore.json` and \
             `scopegate-full.image.sigstore.json`. `scopegate.pub` is its public part. SECURITY.md, in `scopegate-examples.tar.gz`, says how to verify them.\n\n"
        ),
        None => {
            "**It is not signed.** `SHA256SUMS` finds files that were damaged, not files that somebody replaced.\n\n"
                .to_owned()
        }
    };
    notes += &files(is_there);
    notes += "\n## Changes\n\n";
    notes += section.trim();
    notes.push('\n');
    Ok(notes)
}

/// The table, without the files that this release does not have.
fn files(is_there: &dyn Fn(&str) -> bool) -> String {
    let mut table = String::new();
    for line in FILES.lines() {
        let (names, what) = line.trim_start_matches("| ").split_once(" | ").unwrap_or((line, ""));
        let present: Vec<&str> = names.split(", ").filter(|name| is_there(name.trim_matches('`'))).collect();
        if !names.starts_with('`') {
            table += &format!("{line}\n");
        } else if !present.is_empty() {
            table += &format!("| {} | {what}\n", present.join(", "));
        }
    }
    table
}

/// The text below the heading that begins so, up to the next of its level.
fn section<'t>(text: &'t str, heading: &str) -> Option<&'t str> {
    let start = if text.starts_with(heading) { 0 } else { text.find(&format!("\n{heading}"))?.checked_add(1)? };
    let (_, below) = text.get(start..)?.split_once('\n')?;
    Some(below.split("\n## ").next().unwrap_or(below))
}
