//! The native module: what it needs of Envoy, and what it offers. These tests need it, and the Envoys of `.tools`: `make
//! evidence-native` builds the one and installs the others; elsewhere they say that they are left out.
#![allow(clippy::print_stderr, reason = "a test that is left out says so")]

use super::root;
use object::elf::{DF_1_NODELETE, DF_1_NOW, DT_FLAGS_1, DT_NEEDED, FileHeader64};
use object::read::elf::{Dyn as _, ElfFile64};
use object::{Endianness, Object as _, ObjectSymbol as _};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The Envoys that load it, by their minor versions.
const ENVOYS: [&str; 3] = ["1.38.", "1.39.", "1.40."];
const CALLBACK: &str = "envoy_dynamic_module_callback_";
const HOOK: &str = "envoy_dynamic_module_on_";

/// The module's bytes, where the tests are told of one.
fn module() -> Option<Vec<u8>> {
    let path = env::var_os("SCOPEGATE_NATIVE").map(PathBuf::from);
    let Some(path) = path else {
        eprintln!("left out: SCOPEGATE_NATIVE names no native module; `make evidence-native` does");
        return None;
    };
    Some(fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run make module", path.display())))
}

fn parse(bytes: &[u8]) -> ElfFile64<'_, Endianness> {
    ElfFile64::parse(bytes).expect("a library for Linux of 64 bits")
}

/// The names of dynamic symbols that begin with `prefix`.
fn symbols(file: &ElfFile64<'_, Endianness>, prefix: &str, undefined: bool) -> BTreeSet<String> {
    let symbols = file.dynamic_symbols().filter(|symbol| symbol.is_undefined() == undefined);
    symbols.filter_map(|symbol| symbol.name().ok()).filter(|name| name.starts_with(prefix)).map(str::to_owned).collect()
}

/// The functions that a source names after `fn`.
fn functions(source: &str, prefix: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(source)).expect("a source");
    let before = format!("fn {prefix}");
    let found = text.match_indices(&before).map(|(at, _)| {
        let name = text.get(at + 3..).expect("a name");
        name.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
            .next()
            .expect("a word")
            .to_owned()
    });
    found.collect()
}

/// The binaries of Envoy in `.tools`.
fn envoys() -> Vec<(String, PathBuf)> {
    let folders = fs::read_dir(root().join(".tools")).expect("a folder of tools");
    let mut found: Vec<(String, PathBuf)> = folders
        .filter_map(|entry| {
            let folder = entry.expect("an entry").path();
            let version = folder.file_name()?.to_str()?.strip_prefix("envoy-")?.to_owned();
            Some((version, binary(&folder)?))
        })
        .collect();
    found.sort();
    found
}

fn binary(folder: &Path) -> Option<PathBuf> {
    let libraries = fs::read_dir(folder.join("lib")).ok()?;
    let mut pythons = libraries.map(|entry| entry.expect("an entry").path().join("site-packages/envoy/_bin/envoy"));
    pythons.find(|path| path.exists())
}

#[test]
fn the_native_module_imports_what_its_bindings_declare_and_exports_the_hooks() {
    let Some(bytes) = module() else { return };
    let file = parse(&bytes);
    assert_eq!(symbols(&file, CALLBACK, true), functions("src/module/bindings.rs", CALLBACK));
    assert_eq!(symbols(&file, HOOK, false), functions("src/module/hooks.rs", HOOK));
    let exported: Vec<String> = symbols(&file, "", false).into_iter().filter(|name| !name.starts_with(HOOK)).collect();
    assert_eq!(exported, [""; 0], "nothing else can be called from outside");
}

#[test]
fn each_envoy_that_loads_the_native_module_has_what_it_imports() {
    let Some(bytes) = module() else { return };
    let imported = symbols(&parse(&bytes), CALLBACK, true);
    let mut seen = BTreeSet::new();
    for (version, path) in envoys() {
        let Some(minor) = ENVOYS.iter().find(|minor| version.starts_with(**minor)) else { continue };
        let binary = fs::read(&path).expect("a binary of Envoy");
        let offered = symbols(&parse(&binary), CALLBACK, false);
        let missing: Vec<&String> = imported.difference(&offered).collect();
        assert!(missing.is_empty(), "Envoy {version} lacks {missing:?}");
        seen.insert(*minor);
    }
    assert!(!seen.is_empty(), "no Envoy in .tools is of {ENVOYS:?}");
}

#[test]
fn a_function_that_envoy_lacks_is_found_at_load_and_the_module_stays_in_memory() {
    let Some(bytes) = module() else { return };
    let file = parse(&bytes);
    let header: &FileHeader64<Endianness> = file.elf_header();
    let endian = file.endian();
    let sections = object::read::elf::FileHeader::sections(header, endian, &*bytes).expect("sections");
    let (entries, strings) = sections.dynamic(endian, &*bytes).expect("a dynamic section").expect("one of it");
    let strings = sections.strings(endian, &*bytes, strings).expect("its texts");
    let flags = entries.iter().filter(|entry| entry.d_tag(endian) == DT_FLAGS_1.into());
    let flags = flags.map(|entry| entry.d_val(endian)).fold(0, |all, flags| all | flags);
    assert_ne!(flags & u64::from(DF_1_NOW), 0, "without BIND_NOW a missing function ends Envoy when it is called");
    assert_ne!(flags & u64::from(DF_1_NODELETE), 0, "it has a thread, so it must not be unloaded");
    let needed: Vec<String> = entries
        .iter()
        .filter(|entry| entry.d_tag(endian) == DT_NEEDED.into())
        .map(|entry| String::from_utf8_lossy(entry.string(endian, strings).expect("a name")).into_owned())
        .collect();
    for library in &needed {
        let known = ["libc.so.6", "libgcc_s.so.1", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2"];
        assert!(known.contains(&library.as_str()), "{library}: Envoy's image may not have it");
    }
}
