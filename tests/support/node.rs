//! Node, and the packages that tests run on it.

use super::envoy::root;
use std::path::PathBuf;

/// The Node binary, installed by `make node`.
pub fn binary() -> PathBuf {
    installed("SCOPEGATE_NODE", ".tools/node-24.19.0/bin/node")
}

/// The folder with `node_modules`, installed by `make node`.
pub fn packages() -> PathBuf {
    installed("SCOPEGATE_PACKAGES", ".tools/npm")
}

fn installed(variable: &str, default: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(|| root().join(default), PathBuf::from);
    assert!(path.exists(), "{} is missing: run `make node`, or `make test`", path.display());
    path
}
