//! How large the shipped modules are, and what they are made of: `size LINKED SHIPPED FULL`. Ends with 1 when one of them
//! is over the limit.
//!
//! The table counts the code of each crate in the linked module, which still has its names, as far as the shipped one
//! keeps it. A generic function belongs to the crate that wrote it, and what was inlined to where it went.

#[expect(dead_code, reason = "one of the modules is taken apart, for both have the same code")]
mod exports;
mod responses;
mod unused;

use exports::Artifact;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::process::ExitCode;
use walrus::{FunctionKind, Module};

/// The largest module that we ship, in bytes (1.5 MiB): Envoy compiles it at every start, on its main thread, and 100 KB take
/// about a tenth of a second.
const LIMIT: usize = 1536 * 1024;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let report = match arguments.as_slice() {
        [linked, shipped, full] => report(linked, shipped, full).map_err(|error| error.to_string()),
        _ => Err("usage: size LINKED SHIPPED FULL".to_owned()),
    };
    let (text, fits) = report.unwrap_or_else(|error| (format!("size: {error}\n"), false));
    let printed = std::io::stdout().lock().write_all(text.as_bytes());
    if fits && printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The report, and whether the shipped modules keep to the limit.
fn report(linked: &str, shipped: &str, full: &str) -> Result<(String, bool), Box<dyn Error>> {
    let (size, full_size) = (size_of(shipped)?, size_of(full)?);
    let crates = code_of_crates(linked).map_err(|error| format!("{linked}: {error}"))?;
    let code: usize = crates.values().sum();
    let mut largest_first: Vec<_> = crates.iter().collect();
    largest_first.sort_by_key(|(name, bytes)| (std::cmp::Reverse(**bytes), (*name).clone()));

    let mut text = format!("{:>9}  {:>5}  crate\n", "bytes", "%");
    for (name, bytes) in largest_first {
        text += &row(*bytes, size, name);
    }
    text += &row(size.saturating_sub(code), size, "(constants, tables, types)");
    text += &row(size, size, shipped);
    text += &row(full_size, size, full);
    text += &row(LIMIT, size, "the limit");
    let too_large = size.max(full_size).saturating_sub(LIMIT);
    if too_large > 0 {
        text += &format!("too large by {too_large} bytes\n");
    }
    Ok((text, too_large == 0))
}

fn size_of(module: &str) -> Result<usize, Box<dyn Error>> {
    let size = fs::metadata(module).map_err(|error| format!("{module}: {error}"))?.len();
    Ok(usize::try_from(size)?)
}

fn row(bytes: usize, whole: usize, name: &str) -> String {
    let per_mille = bytes.saturating_mul(1000).checked_div(whole).unwrap_or(0);
    format!("{bytes:>9}  {:>3}.{}  {name}\n", per_mille / 10, per_mille % 10)
}

/// The bytes of code of each crate, without what trimming takes away.
fn code_of_crates(linked: &str) -> Result<BTreeMap<String, usize>, Box<dyn Error>> {
    let mut module = Module::from_buffer(&fs::read(linked)?).map_err(|error| error.to_string())?;
    unused::drop_from(&mut module, Artifact::Requests)?;
    // Written and read once more: the linker leaves room in its numbers, the shipped module does not.
    let module = Module::from_buffer(&module.emit_wasm()).map_err(|error| error.to_string())?;
    let mut crates = BTreeMap::new();
    for function in module.funcs.iter() {
        if let FunctionKind::Local(local) = &function.kind {
            let bytes = local.original_range.as_ref().map_or(0, ExactSizeIterator::len);
            let entry: &mut usize = crates.entry(crate_of(function.name.as_deref().unwrap_or_default())).or_default();
            *entry = entry.saturating_add(bytes);
        }
    }
    if crates.keys().all(|name| name == NO_CRATE) {
        return Err("has no names; build it with strip = \"debuginfo\"".into());
    }
    Ok(crates)
}

/// Where functions of no Rust name go: the C parts of the standard library.
const NO_CRATE: &str = "(not Rust)";

/// The crate of a mangled name: `_ZN` and lengths with parts (our crates), or `_R` with a crate root (std).
fn crate_of(symbol: &str) -> String {
    if let Some(path) = symbol.strip_prefix("_ZN") {
        return first_part(path).map_or_else(|| NO_CRATE.to_owned(), crate_of_path);
    }
    if let Some(path) = symbol.strip_prefix("_R") {
        // A crate root: `C`, perhaps `s` with a number and `_`, then length and name.
        let roots = path.match_indices('C').filter_map(|(at, _)| path.get(at + 1..));
        let mut names = roots.filter_map(|root| match root.strip_prefix('s') {
            Some(numbered) => first_part(numbered.split_once('_')?.1),
            None => first_part(root),
        });
        return names.next().unwrap_or(NO_CRATE).to_owned();
    }
    NO_CRATE.to_owned()
}

/// The first part of `4core3fmt…`, and of `7___rustc…`, where `_R` has one underscore more than the name.
fn first_part(text: &str) -> Option<&str> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (length, rest) = text.split_at_checked(digits)?;
    let rest = rest.strip_prefix('_').filter(|rest| rest.starts_with('_')).unwrap_or(rest);
    rest.get(..length.parse().ok()?)
}

/// The crate in `core`, and in `_$LT$core..fmt..Error$u20$as…`, where `$…$` is a sign.
fn crate_of_path(part: &str) -> String {
    let mut plain = part.trim_start_matches('_').to_owned();
    while let Some((before, after)) = plain.split_once('$') {
        let Some((_, after)) = after.split_once('$') else { break };
        plain = format!("{before} {after}");
    }
    let skipped = ["impl", "mut", "dyn", "const"];
    let primitive = ["bool", "char", "f32", "f64", "i32", "i64", "str", "u8", "u16", "u32", "u64", "usize"];
    let mut words = plain.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    // A type parameter is one letter: the function is a blanket implementation, most of them in core.
    match words.find(|word| !skipped.contains(word)) {
        Some(word) if primitive.contains(&word) => "core".to_owned(),
        Some(word) if word.len() > 1 && !word.starts_with(|c: char| c.is_ascii_digit()) => word.to_owned(),
        _ => "(of any type)".to_owned(),
    }
}
