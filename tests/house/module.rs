//! The shipped module: what it needs of its host, what it offers, how large it is.

use super::{assert_none, exports, root};
use std::path::PathBuf;
use std::{env, fs};
use walrus::Module;

/// The largest module, in bytes (900 KiB): Envoy compiles it at every start, on its main thread.
const MOST_BYTES: usize = 900 * 1024;

/// What Envoy has of WASI since 1.36, the oldest version that we support. A module with any other import is refused.
const WASI: [&str; 18] = [
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_close",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_read",
    "fd_seek",
    "fd_write",
    "path_open",
    "poll_oneoff",
    "proc_exit",
    "random_get",
    "sched_yield",
];

fn bytes() -> Vec<u8> {
    let path = env::var_os("SCOPEGATE_WASM").map_or_else(|| root().join("target/scopegate.wasm"), PathBuf::from);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run make wasm", path.display()))
}

fn module() -> Module {
    Module::from_buffer(&bytes()).unwrap_or_else(|error| panic!("not a WebAssembly module: {error}: run make wasm"))
}

#[test]
fn the_module_imports_only_what_every_supported_envoy_has() {
    let module = module();
    let unknown: Vec<String> = module
        .imports
        .iter()
        .filter(|import| match import.module.as_str() {
            "env" => !import.name.starts_with("proxy_"),
            "wasi_snapshot_preview1" => !WASI.contains(&import.name.as_str()),
            _ => true,
        })
        .map(|import| format!("{}.{}", import.module, import.name))
        .collect();
    assert_none(&unknown, "Envoy 1.36 refuses a module with these: find the dependency that brings them.");
    assert!(module.imports.iter().next().is_some(), "a filter without any host call is no filter");
}

#[test]
fn the_module_exports_only_what_the_filter_answers() {
    let module = module();
    let mut exported: Vec<&str> = module.exports.iter().map(|export| export.name.as_str()).collect();
    let mut kept = exports::KEEP;
    exported.sort_unstable();
    kept.sort_unstable();
    assert_eq!(exported, kept, "what is exported is called: see tests/tools/exports.rs, and run make wasm");
}

#[test]
fn the_module_is_small() {
    let size = bytes().len();
    assert!(size <= MOST_BYTES, "{size} bytes are more than {MOST_BYTES}: run make size to see where they are");
}

#[test]
fn the_module_holds_no_names_and_no_path_of_the_machine_that_built_it() {
    let bytes = bytes();
    let home = env::var("HOME").unwrap_or_default();
    let ours = root().display().to_string();
    let found: Vec<String> = [home, ours]
        .into_iter()
        .filter(|path| path.len() > 1 && bytes.windows(path.len()).any(|window| window == path.as_bytes()))
        .collect();
    assert_none(&found, "The same sources then no longer give the same file: see `wasm` in the Makefile.");
    let named = module().funcs.iter().any(|function| function.name.is_some());
    assert!(!named, "names of functions are for debuggers: run make wasm, which drops them");
}
