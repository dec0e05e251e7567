//! A `DataSource` of Envoy: text in the configuration, or in a file.

use crate::cli::migrate::findings::Why;
use crate::cli::source::View;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as STANDARD;
use std::io::Read as _;
use std::path::Path;

/// The largest file that is read, in bytes.
const MOST: u64 = 1 << 20;

/// The text of a source; `field` is where it would go by hand.
///
/// # Errors
/// Why it cannot be read here.
pub(super) fn text_of_source(file: &Path, source: &View<'_>, field: &str) -> Result<String, Why> {
    let part = |name: &str| source.get(name).and_then(|view| view.text());
    if let Some(text) = part("inline_string") {
        return Ok(text.to_owned());
    }
    if let Some(coded) = part("inline_bytes") {
        let bytes = STANDARD.decode(coded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        return bytes.ok_or_else(|| Why::new(file, source, "has an `inline_bytes` that is no text in base64"));
    }
    match part("filename") {
        Some(name) => read(name).ok_or_else(|| {
            let what = format!("names the file {name}, which cannot be read here: put what it holds in its place");
            Why::or_write(file, source, what, field)
        }),
        None => Err(Why::or_write(file, source, "is in a place that is not read here", field)),
    }
}

fn read(name: &str) -> Option<String> {
    let mut text = String::new();
    let file = std::fs::File::open(name).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    file.take(MOST.saturating_add(1)).read_to_string(&mut text).ok()?;
    // Of a longer one it is not known what it says.
    u64::try_from(text.len()).is_ok_and(|length| length <= MOST).then_some(text)
}
