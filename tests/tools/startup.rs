//! How long Envoy takes from its start until it is ready: `startup ENVOY MODULE…`, first without a module, then with each.

#![allow(clippy::disallowed_methods, reason = "it measures by a clock")]

#[path = "demo/support.rs"]
mod support;

use serde_json::{Value, json};
use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{fs, io, thread};
use support::client;
use support::guarded::Guarded;

/// How often each start is measured; the median counts.
const TIMES: usize = 5;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [envoy, modules @ ..] if !modules.is_empty() => report(Path::new(envoy), modules),
        _ => Err("usage: startup ENVOY MODULE…".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even that cannot be written, the exit code says it.
            let _unwritten = writeln!(io::stderr(), "startup: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report(envoy: &Path, modules: &[String]) -> Result<(), Box<dyn Error>> {
    let rows = std::iter::once(None).chain(modules.iter().map(Some));
    for module in rows {
        let time = median(envoy, module.map(String::as_str))?;
        let bytes = module.map(fs::metadata).transpose()?.map_or(0, |metadata| metadata.len());
        let name = module.map_or("no module", String::as_str);
        writeln!(io::stdout(), "{:>6} ms  {bytes:>9} bytes  {name}", time.as_millis())?;
    }
    Ok(())
}

fn median(envoy: &Path, module: Option<&str>) -> Result<Duration, Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        times.push(start(envoy, module)?);
    }
    times.sort_unstable();
    times.get(TIMES / 2).copied().ok_or_else(|| "nothing was measured".into())
}

/// Starts Envoy once and waits until its admin page says that it is ready.
fn start(envoy: &Path, module: Option<&str>) -> Result<Duration, Box<dyn Error>> {
    let folder = std::path::absolute("target/startup")?;
    fs::create_dir_all(&folder)?;
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (config, admin) = (path("envoy.json"), path("admin"));
    fs::write(&config, bootstrap(module).to_string())?;
    if fs::exists(&admin)? {
        fs::remove_file(&admin)?;
    }
    let arguments = ["-c", &config, "--use-dynamic-base-id", "--concurrency", "2", "--admin-address-path", &admin];
    let began = Instant::now();
    let mut process = Guarded::start(envoy, &arguments, Stdio::null(), fs::File::create(path("envoy.log"))?);
    loop {
        let address = fs::read_to_string(&admin).ok().and_then(|text| text.trim().parse::<SocketAddr>().ok());
        let answer = address.and_then(|address| client::try_send(address, &client::head("GET", "/ready", &[])));
        if answer.is_some_and(|answer| answer.status == 200) {
            return Ok(began.elapsed());
        }
        if process.has_ended() || began.elapsed() > Duration::from_mins(1) {
            return Err(format!("Envoy did not become ready: {}", path("envoy.log")).into());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// One listener with the filter, where there is a module, and no upstream.
fn bootstrap(module: Option<&str>) -> Value {
    let any = |name: &str| format!("type.googleapis.com/envoy.extensions.filters.{name}");
    let filter = |module: &str| {
        json!({ "name": "scopegate", "typed_config": { "@type": any("http.wasm.v3.Wasm"), "config": {
            "name": "scopegate",
            "root_id": "scopegate",
            "failure_policy": "FAIL_RELOAD",
            "vm_config": { "runtime": "envoy.wasm.runtime.v8", "code": { "local": { "filename": module } } },
            "configuration": { "@type": "type.googleapis.com/google.protobuf.Struct", "value": { "issuers": [{
                "issuer": "https://issuer.example.com/",
                "audiences": ["https://api.example.com"],
                "jwks": { "inline": { "keys": [{ "kty": "OKP", "crv": "Ed25519",
                    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] } },
            }] } },
        } } })
    };
    let router = json!({ "name": "router", "typed_config": { "@type": any("http.router.v3.Router") } });
    let filters: Vec<Value> = module.map(filter).into_iter().chain([router]).collect();
    let route = json!({ "match": { "prefix": "/" }, "direct_response": { "status": 200 } });
    let manager = json!({
        "@type": any("network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "startup",
        "http_filters": filters,
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [route] }] },
    });
    let address = json!({ "socket_address": { "address": "127.0.0.1", "port_value": 0 } });
    json!({
        "admin": { "address": address },
        "static_resources": { "listeners": [{
            "name": "startup",
            "address": address,
            "filter_chains": [{ "filters": [{ "name": "http", "typed_config": manager }] }],
        }] },
    })
}
