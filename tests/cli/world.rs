//! Running the command.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// What the command printed, and how it ended.
#[derive(Debug)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub status: i32,
}

/// Runs the command in a folder.
pub fn run(arguments: &[&str], folder: &Path) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_scopegate")).args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { stdout: text(output.stdout), stderr: text(output.stderr), status: output.status.code().unwrap() }
}

/// A new folder below the build directory.
pub fn folder() -> PathBuf {
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The shipped Envoy file.
pub fn shipped() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("envoy/envoy.yaml")).unwrap()
}

/// An Envoy file with this gate, and a cluster of this name and address with further members.
pub fn envoy(gate: &str, cluster: &str, address: &str, more: &str) -> String {
    format!(
        "static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: 8080}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          http_filters:
          - name: scopegate
            typed_config:
              '@type': type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                root_id: scopegate
                failure_policy: FAIL_RELOAD
                vm_config: {{vm_id: a, runtime: envoy.wasm.runtime.v8, code: {{local: {{filename: scopegate.wasm}}}}}}
                configuration:
                  '@type': type.googleapis.com/google.protobuf.Struct
                  value:
                      {}
          - name: envoy.filters.http.router
  clusters:
  - name: {cluster}
    load_assignment: {{cluster_name: {cluster}, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: {address}, port_value: 443}}}}}}}}]}}]}}
{more}",
        gate.replace('\n', "\n                      ")
    )
}
