//! The shipped modules: what they need of their host, what they offer, how large they are.

use super::exports::Artifact;
use super::{assert_none, root};
use std::path::PathBuf;
use std::{env, fs};
use walrus::Module;

/// The largest module, in bytes (1.5 MiB): Envoy compiles it at every start, on its main thread.
const MOST_BYTES: usize = 1536 * 1024;

/// The modules that `make wasm` builds.
const ARTIFACTS: [Artifact; 2] = [Artifact::Requests, Artifact::Full];

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

/// A module of this tree, whatever the tests in Envoy are told to load.
fn path(artifact: Artifact) -> PathBuf {
    root().join(match artifact {
        Artifact::Requests => "target/scopegate.wasm",
        Artifact::Full => "target/scopegate-full.wasm",
    })
}

fn bytes(artifact: Artifact) -> Vec<u8> {
    let path = path(artifact);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}: run make wasm", path.display()))
}

fn module(artifact: Artifact) -> Module {
    let module = Module::from_buffer(&bytes(artifact));
    module.unwrap_or_else(|error| panic!("not a WebAssembly module: {error}: run make wasm"))
}

#[test]
fn the_modules_import_only_what_every_supported_envoy_has() {
    for module in ARTIFACTS.into_iter().map(module) {
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
}

#[test]
fn the_modules_export_only_what_the_filter_answers() {
    for artifact in ARTIFACTS {
        let module = module(artifact);
        let mut exported: Vec<&str> = module.exports.iter().map(|export| export.name.as_str()).collect();
        let mut kept = artifact.exports();
        exported.sort_unstable();
        kept.sort_unstable();
        assert_eq!(exported, kept, "what is exported is called: see tests/tools/exports.rs, and run make wasm");
    }
}

#[test]
fn the_full_module_is_called_for_responses_and_the_other_is_not() {
    let called =
        |artifact: Artifact| module(artifact).exports.iter().any(|export| export.name.starts_with("proxy_on_response"));
    assert!(called(Artifact::Full) && !called(Artifact::Requests));
}

#[test]
fn the_modules_are_small() {
    for artifact in ARTIFACTS {
        let size = bytes(artifact).len();
        assert!(size <= MOST_BYTES, "{size} bytes are more than {MOST_BYTES}: run make size to see where they are");
    }
}

#[test]
fn the_modules_hold_no_names_and_no_path_of_the_machine_that_built_them() {
    let home = env::var("HOME").unwrap_or_default();
    let ours = root().display().to_string();
    for artifact in ARTIFACTS {
        let bytes = bytes(artifact);
        // A method of MCP is `notifications/roots/list_changed`.
        let found: Vec<String> = [&home, &ours]
            .into_iter()
            .map(|path| format!("{}/", path.trim_end_matches('/')))
            .filter(|path| path.len() > 1 && bytes.windows(path.len()).any(|window| window == path.as_bytes()))
            .collect();
        assert_none(&found, "The same sources then no longer give the same file: see `wasm` in the Makefile.");
        let named = module(artifact).funcs.iter().any(|function| function.name.is_some());
        assert!(!named, "names of functions are for debuggers: run make wasm, which drops them");
    }
}
