//! Python with the packages that tests run on it.

use super::envoy::root;
use std::path::PathBuf;

/// The Python binary, installed by `make python`.
pub fn binary() -> PathBuf {
    let path =
        std::env::var_os("SCOPEGATE_PYTHON").map_or_else(|| root().join(".tools/python/bin/python"), PathBuf::from);
    assert!(path.exists(), "{} is missing: run `make python`, or `make evidence-services`", path.display());
    path
}
