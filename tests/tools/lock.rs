//! What a `Cargo.lock` says.

use std::collections::BTreeMap;

/// The checksums in a `Cargo.lock`, by name and version.
pub fn checksums(lock: &str) -> BTreeMap<(&str, &str), &str> {
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|package| {
            let field = |name: &str| {
                let lines = package.lines().filter_map(|line| line.split_once(" = "));
                lines.filter(|(other, _)| *other == name).map(|(_, value)| value.trim_matches('"')).next()
            };
            Some(((field("name")?, field("version")?), field("checksum")?))
        })
        .collect()
}
