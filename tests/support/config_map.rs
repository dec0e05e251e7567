//! A `ConfigMap` as the kubelet mounts it: a folder whose files are links into `..data`, which is a link to a folder with a
//! time for its name. A change makes another such folder, and swaps `..data` by a rename.

use super::envoy::root;
use super::native;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The files of a `ConfigMap`, by name.
pub type Files = BTreeMap<String, String>;

/// The folder below which everything is mounted; it is deleted when this is dropped.
pub struct Mounts(PathBuf);

impl Mounts {
    pub fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let folder = root().join(format!("target/e2e/mounts-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// Where something is that a container sees at `path`.
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// Mounts a `ConfigMap`, or brings what is mounted there up to date: `AtomicWriter` of the kubelet.
    pub fn mount(&self, path: &str, files: &Files) {
        let folder = self.path(path);
        fs::create_dir_all(&folder).unwrap();
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let stamped = format!("..2026_11_30_08_00_00.{number:09}");
        fs::create_dir(folder.join(&stamped)).unwrap();
        for (name, text) in files {
            let (text, environment) = native::rewritten_text(text);
            assert!(environment.is_empty(), "{name} needs an environment");
            fs::write(folder.join(&stamped).join(name), text).unwrap();
        }
        let before = fs::read_link(folder.join("..data")).ok();
        symlink(&stamped, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
        for name in files.keys().filter(|name| !folder.join(name).is_symlink()) {
            symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
        }
        if let Some(before) = before {
            fs::remove_dir_all(folder.join(before)).unwrap();
        }
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
