//! `quickstart.sh`, in a folder that has of a release what it needs, on a machine that has nothing of Rust.

use super::{finish, folder, run};
use crate::support::envoy::{binary, module, root};
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

/// A folder as `make dist` makes it, as far as it is needed.
fn release(name: &str) -> PathBuf {
    let folder = folder(name);
    let machine = String::from_utf8(run(Command::new("uname").arg("-m"), b"").stdout).unwrap();
    let command = format!("scopegate-{}-unknown-linux-musl", machine.trim());
    fs::copy(env!("CARGO_BIN_EXE_scopegate"), folder.join(command)).unwrap();
    fs::copy(module(), folder.join("scopegate.wasm")).unwrap();
    fs::copy(root().join("envoy/quickstart.sh"), folder.join("quickstart.sh")).unwrap();
    let archive = folder.join("scopegate-examples.tar.gz");
    let mut tar = Command::new("tar");
    run(
        tar.args(["--transform", "s,^,scopegate-0.0.0/,", "-czf"]).arg(archive).arg("-C").arg(root()).arg("envoy"),
        b"",
    );
    folder
}

/// The script there, with four free ports and no environment but what it is told.
fn quickstart(folder: &PathBuf) -> (Command, u16) {
    let listeners: Vec<TcpListener> = (0..4).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    let mut command = Command::new("sh");
    command.arg("quickstart.sh").current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin").env("ENVOY", binary());
    for (variable, port) in ["PORT", "UPSTREAM_PORT", "ISSUER_PORT", "ADMIN_PORT"].iter().zip(&ports) {
        command.env(variable, port.to_string());
    }
    (command, ports[0])
}

#[test]
fn the_folder_of_a_release_is_all_that_the_quickstart_needs() {
    let folder = release("quickstart");
    let before: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let output = finish(quickstart(&folder).0.arg("--check"), b"");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    let statuses: Vec<&str> = printed.lines().filter_map(|line| line.split_once(' ')).map(|(first, _)| first).collect();
    assert_eq!(statuses, ["200", "401", "403", "401", "401", "400", "200"], "{printed}");
    let after: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(before, after, "it leaves nothing in the folder");
}

#[test]
fn a_quickstart_that_cannot_work_says_what_is_missing() {
    let folder = release("incomplete");
    let said = |command: &mut Command| {
        let output = finish(command, b"");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let (mut command, port) = quickstart(&folder);
    let taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let error = said(command.arg("--check"));
    assert!(error.contains(&format!("port {port} of 127.0.0.1 is in use")), "{error}");
    drop(taken);
    let error = said(quickstart(&folder).0.env("ENVOY", "/nonexistent/envoy"));
    assert!(error.contains("/nonexistent/envoy does not run here"), "{error}");
    let error = said(quickstart(&folder).0.arg("--help-me"));
    assert!(error.contains("usage: sh quickstart.sh"), "{error}");
    fs::remove_file(folder.join("scopegate.wasm")).unwrap();
    let error = said(&mut quickstart(&folder).0);
    assert!(error.contains("has no scopegate.wasm") && error.contains("make dist"), "{error}");
}

#[test]
fn what_it_runs_is_the_envoy_that_is_tested() {
    let script = fs::read_to_string(root().join("envoy/quickstart.sh")).unwrap();
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let version = makefile.lines().find_map(|line| line.strip_prefix("ENVOY_VERSION ?= ")).unwrap();
    assert!(script.contains(&format!("\nENVOY_VERSION={version}\n")), "{version}");
}
