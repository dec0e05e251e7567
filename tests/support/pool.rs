//! Envoys that serve one test after another: each gets an Envoy for itself, configured through files.
//!
//! A start compiles the module, which takes more than a second of processor time. A further virtual machine with a module
//! that the process has compiled takes milliseconds, also under another `vm_id`: so each borrower's are new.

use super::envoy::{Envoy, Running, listener, module};
use super::native::{self, Environment};
use super::xds::Folder;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What an Envoy did before it was borrowed, and how it is configured.
pub struct Borrowed {
    /// How many bytes its log had.
    pub logged: usize,
    /// Its counters.
    pub counters: BTreeMap<String, u64>,
    files: Folder,
    environment: Environment,
}

/// Those that no test uses, and since when.
static IDLE: Mutex<Vec<(Running, Folder, Environment, Instant)>> = Mutex::new(Vec::new());

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The listener whose virtual machine keeps the compiled module alive.
const KEEPER: &str = "keeper";

/// How long an Envoy rests after a test: what its gate counted last is in the counters by then.
const REST: Duration = Duration::from_millis(600);

/// An Envoy that serves these resources, and its listeners.
///
/// # Panics
/// With its log when it does not.
pub fn borrow(resources: &Value) -> (Running, Borrowed, Vec<(String, SocketAddr)>) {
    // A process has one environment: others are for those that need the same.
    let environment = native::rewritten(resources).environment;
    let (running, files) = rested(&environment).unwrap_or_else(|| start(&environment));
    let borrowed = Borrowed { logged: running.log().len(), counters: running.counters(), files, environment };
    let mut resources = resources.clone();
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    own_machines(&mut resources, number);
    configure(&running, &borrowed.files, &resources);
    let mut listeners = running.listeners();
    listeners.retain(|(name, _)| name != KEEPER);
    (running, borrowed, listeners)
}

/// Takes everything from this Envoy, and keeps it for another test.
pub fn give_back(running: Running, borrowed: Borrowed) {
    configure(&running, &borrowed.files, &json!({ "listeners": [], "clusters": [] }));
    IDLE.lock().unwrap().push((running, borrowed.files, borrowed.environment, Instant::now()));
}

/// The one in this environment that has rested longest. It is waited for: a start takes longer.
fn rested(environment: &Environment) -> Option<(Running, Folder)> {
    let (running, files, _, since) = {
        let mut idle = IDLE.lock().unwrap();
        let found = idle.iter().position(|(_, _, other, _)| other == environment)?;
        idle.remove(found)
    };
    std::thread::sleep(REST.saturating_sub(since.elapsed()));
    Some((running, files))
}

fn start(environment: &Environment) -> (Running, Folder) {
    let files = Folder::new();
    for name in ["clusters.json", "listeners.json"] {
        files.put(name, &[]);
    }
    let filter = json!({
        "name": "scopegate",
        "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": {
            "name": KEEPER, "root_id": "scopegate",
            "configuration": { "@type": "type.googleapis.com/google.protobuf.Struct", "value": {
                "issuers": [{ "issuer": KEEPER, "audiences": [KEEPER], "jwks": { "inline": { "keys": [
                    { "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
                ] } } }],
                "default": { "deny": true },
            } },
            "vm_config": {
                "vm_id": KEEPER, "runtime": "envoy.wasm.runtime.v8",
                "code": { "local": { "filename": module().to_string_lossy() } },
            },
        } },
    });
    let bootstrap = json!({
        "node": { "id": "test", "cluster": "test" },
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "static_resources": { "listeners": [listener(KEEPER, &[filter], &json!([]), &json!({}), &json!({}))] },
        "dynamic_resources": { "cds_config": files.source("clusters.json"), "lds_config": files.source("listeners.json") },
    });
    let envoy = Envoy::launch_in(environment, &bootstrap.to_string(), 1, &[], &["--drain-time-s", "1"]);
    let envoy = envoy.unwrap_or_else(|log| panic!("Envoy did not start:\n{log}"));
    (envoy.into_running(), files)
}

/// Gives virtual machines a name that no test had before, so that nothing is shared with an earlier one.
fn own_machines(value: &mut Value, number: u32) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "vm_id" => *text = format!("{text}-{number}"),
                    member => own_machines(member, number),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| own_machines(item, number)),
        _ => {}
    }
}

/// Hands over the clusters and then the listeners, and waits until exactly those are there.
fn configure(running: &Running, files: &Folder, resources: &Value) {
    put(running, files, "cluster_manager.cds", "clusters.json", "config.cluster.v3.Cluster", &resources["clusters"]);
    put(
        running,
        files,
        "listener_manager.lds",
        "listeners.json",
        "config.listener.v3.Listener",
        &resources["listeners"],
    );
    let wanted = resources["listeners"].as_array().map_or(0, Vec::len) + 1;
    let deadline = Instant::now() + Duration::from_mins(1);
    while running.listeners().len() != wanted {
        assert!(Instant::now() < deadline, "the listeners never came:\n{}", String::from_utf8_lossy(&running.log()));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Writes resources of one kind, and waits until Envoy has taken them.
fn put(running: &Running, files: &Folder, subscription: &str, file: &str, kind: &str, resources: &Value) {
    let count = |what: &str| running.counters().get(&format!("{subscription}.{what}")).copied().unwrap_or_default();
    let before = count("update_success");
    let typed = |resource: &Value| {
        let mut resource = resource.clone();
        resource["@type"] = format!("type.googleapis.com/envoy.{kind}").into();
        resource
    };
    let resources: Vec<Value> = resources.as_array().into_iter().flatten().map(typed).collect();
    files.put(file, &resources);
    let deadline = Instant::now() + Duration::from_mins(1);
    while count("update_success") == before {
        let log = || String::from_utf8_lossy(&running.log()).into_owned();
        assert!(count("update_rejected") == 0, "Envoy refused {file}:\n{}", log());
        assert!(Instant::now() < deadline, "Envoy never read {file}:\n{}", log());
        std::thread::sleep(Duration::from_millis(10));
    }
}
