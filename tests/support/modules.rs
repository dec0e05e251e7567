//! The modules that `make wasm` leaves: the one that is tested, and the others beside it.

use super::envoy::root;
use super::native;
use std::path::PathBuf;

/// The module as shipped, built by `make wasm`; or the native module, where that is tested.
pub fn module() -> PathBuf {
    if let Some(library) = native::library() {
        return library;
    }
    let path = std::env::var_os("SCOPEGATE_WASM").map_or_else(|| root().join("target/scopegate.wasm"), PathBuf::from);
    assert!(path.exists(), "{} is missing: run `make wasm`, or `make test`", path.display());
    path
}

/// The module that is called for responses too, beside the one that is tested. The native module is.
pub fn full_module() -> PathBuf {
    native::library().unwrap_or_else(|| beside("scopegate-full.wasm"))
}

/// The module that is called for requests alone, beside the one that is tested.
pub fn requests_module() -> PathBuf {
    beside("scopegate.wasm")
}

fn beside(name: &str) -> PathBuf {
    let path = module().with_file_name(name);
    assert!(path.exists(), "{} is missing: run `make wasm`, or `make test`", path.display());
    path
}
