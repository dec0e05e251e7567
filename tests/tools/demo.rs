//! `make run`: an Envoy with the filter, an upstream that shows what it received, an issuer with fresh keys, and
//! curl lines to try. Everything listens on 127.0.0.1 and stops with this process.

#![allow(clippy::disallowed_methods, reason = "waits by a clock")]

#[path = "demo/issuer.rs"]
mod issuer;
#[path = "demo/support.rs"]
mod support;

use issuer::Issuer;
use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::client;
use support::guarded::Guarded;
use support::server::{Answer, Server};

const PORT: u16 = 10_000;
const UPSTREAM_PORT: u16 = 10_001;
const ISSUER_PORT: u16 = 10_002;
const ADMIN_PORT: u16 = 9901;

/// The file that is run. `make` starts this program in the root of the project.
const SHIPPED: &str = "envoy/envoy.yaml";
const AUDIENCE: &str = "https://api.example.com";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even this cannot be written, the exit status still tells.
            drop(writeln!(std::io::stderr().lock(), "make run: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let (envoy, port) = arguments()?;
    for (port, what) in [
        (port, "the gate (another one: make run PORT=…)"),
        (UPSTREAM_PORT, "the demo upstream"),
        (ISSUER_PORT, "the demo issuer"),
        (ADMIN_PORT, "Envoy's admin page"),
    ] {
        bind(port).map_err(|error| {
            format!("127.0.0.1:{port} is needed for {what} and cannot be used ({error}); stop what uses it, perhaps another `make run`")
        })?;
    }
    let directory = std::path::absolute("target/demo")?;
    fs::create_dir_all(&directory)?;
    let config = if port == PORT { PathBuf::from(SHIPPED) } else { with_port(&directory, port)? };

    let issuer = Issuer::new();
    let jwks = issuer.jwks();
    let _issuer = Server::start(ISSUER_PORT, move |received| match received.target.as_str() {
        "/jwks.json" => Answer::json(&jwks),
        _ => Answer::status(404),
    })?;
    let _upstream = Server::echo(UPSTREAM_PORT)?;
    let log_path = directory.join("envoy.log");
    let arguments = ["-c", &config.to_string_lossy(), "--use-dynamic-base-id", "--concurrency", "2"];
    let mut process = Guarded::start(&envoy, &arguments, Stdio::inherit(), fs::File::create(&log_path)?);

    let address = SocketAddr::from(([127, 0, 0, 1], port));
    wait_until_ready(address, &mut process, &issuer).map_err(|why| {
        let log = fs::read_to_string(&log_path).unwrap_or_default();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("error") || line.contains("critical")).collect();
        format!("{why}; Envoy's log is {}:\n{}", log_path.display(), lines.join("\n"))
    })?;
    writeln!(std::io::stdout().lock(), "{}", guide(&issuer, port, &log_path.to_string_lossy()))?;
    while !process.has_ended() {
        std::thread::sleep(Duration::from_millis(200));
    }
    Err(format!("Envoy has ended; its log is {}", log_path.display()).into())
}

/// Whether the port can be used. One that is in use gets a little time: a gate that was just stopped still has it.
fn bind(port: u16) -> std::io::Result<TcpListener> {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        match TcpListener::bind(("127.0.0.1", port)) {
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(100)),
            result => return result,
        }
    }
}

fn arguments() -> Result<(PathBuf, u16), Box<dyn Error>> {
    let (mut envoy, mut port) = (None, PORT);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--envoy" => envoy = Some(fs::canonicalize(&value).map_err(|error| format!("{value}: {error}"))?),
            "--port" => port = value.parse().map_err(|_| format!("PORT={value} is not a port"))?,
            _ => return Err(format!("{word} is not known").into()),
        }
    }
    Ok((envoy.ok_or("--envoy is missing")?, port))
}

/// A copy of the shipped file that differs in the port alone.
fn with_port(directory: &Path, port: u16) -> Result<PathBuf, Box<dyn Error>> {
    let text = fs::read_to_string(SHIPPED)?;
    let path = directory.join("envoy.yaml");
    fs::write(&path, text.replace("port_value: 10000}", &format!("port_value: {port}}}")))?;
    Ok(path)
}

fn wait_until_ready(address: SocketAddr, process: &mut Guarded, issuer: &Issuer) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_mins(1);
    while Instant::now() < deadline {
        if process.has_ended() {
            return Err("Envoy did not start".to_owned());
        }
        if std::net::TcpStream::connect(address).is_ok()
            && client::get_with(address, "/orders/1", &issuer.token(now(), "orders:read", AUDIENCE)).status == 200
        {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("Envoy did not become ready in a minute".to_owned())
}

/// Seconds since the Unix epoch.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The lines to try. Each command has its own line, with the expected result before it.
fn guide(issuer: &Issuer, port: u16, log: &str) -> String {
    let now = now();
    let reader = issuer.token(now, "orders:read", AUDIENCE);
    let foreign = issuer.token(now, "orders:read", "https://other.example.com");
    let expired = issuer.token(now.saturating_sub(2 * 3600), "orders:read", AUDIENCE);
    let base = format!("http://127.0.0.1:{port}");
    let lines_to_try = [
        (
            "allowed: 200, and the upstream saw x-auth-subject and x-auth-scope, and no token",
            "/orders/1",
            Some(&reader),
            "",
        ),
        ("no token: 401 with a challenge that names the scope", "/orders/1", None, ""),
        ("missing scope: 403 insufficient_scope, orders:write is needed", "/orders/1", Some(&reader), "-X POST "),
        ("expired: 401 invalid_token", "/orders/1", Some(&expired), ""),
        ("foreign audience: 401 invalid_token", "/orders/1", Some(&foreign), ""),
        ("token in the query: 400 invalid_request, also on this public route", "/healthz?access_token=x", None, ""),
        ("public route: 200 without a token", "/healthz", None, ""),
    ];
    let mut text = format!(
        "\nScopegate is running in Envoy on {base} (Envoy's log: {log}).\nThe tokens are good for an hour. Try:\n"
    );
    for (promise, target, token, extra) in lines_to_try {
        let header = token.map(|token| format!("-H 'Authorization: Bearer {token}' ")).unwrap_or_default();
        text.push_str(&format!("\n# {promise}\ncurl -si {extra}{header}'{base}{target}'\n"));
    }
    text.push_str(&format!(
        "\nCounters: curl -s '127.0.0.1:{ADMIN_PORT}/stats?filter=scopegate'\nCtrl-C stops everything. Access log:\n"
    ));
    text
}
