//! A real Envoy with the module as shipped.

pub use super::resources::{Gate, cluster, listener, merge, resources};

use super::client;
use super::guarded::Guarded;
pub use super::modules::module;
use super::native::{self, Environment};
use super::pool::{self, Borrowed};
use super::records;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The root of the project.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Envoy binary, installed by `make setup`.
pub fn binary() -> PathBuf {
    let path =
        std::env::var_os("SCOPEGATE_ENVOY").map_or_else(|| root().join(".tools/envoy-1.40.0/bin/envoy"), PathBuf::from);
    assert!(path.exists(), "{} is missing: run `make setup`, or `make test`", path.display());
    path
}

/// The minor version of the Envoy binary: 40 of 1.40.0.
pub fn minor_version() -> u32 {
    let output = Command::new(binary()).arg("--version").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // version: <commit>/1.40.0/Clean/RELEASE/BoringSSL
    let minor = text.split('/').find_map(|part| part.strip_prefix("1.")).and_then(|rest| rest.split('.').next());
    minor.and_then(|minor| minor.parse().ok()).unwrap_or_else(|| panic!("no version in {text:?}"))
}

/// A process of Envoy, and the files that it writes.
pub struct Running {
    process: Guarded,
    directory: PathBuf,
    pub admin: SocketAddr,
}

impl Running {
    /// Everything that Envoy has logged since it started.
    pub fn log(&self) -> Vec<u8> {
        fs::read(self.directory.join("envoy.log")).unwrap()
    }

    /// The listeners that are active, and their addresses.
    pub fn listeners(&self) -> Vec<(String, SocketAddr)> {
        listeners(self.admin)
    }

    /// The counters and their values.
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let stats = client::get(self.admin, "/stats?type=Counters", &[]).body;
        let lines = stats.lines().filter_map(|line| line.split_once(": "));
        lines.map(|(name, value)| (native::statistic(name), value.trim().parse().unwrap())).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After a failure there is something to read.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// A running Envoy.
pub struct Envoy {
    running: Option<Running>,
    admin: SocketAddr,
    listeners: Vec<(String, SocketAddr)>,
    /// What it did for others, where it is borrowed.
    borrowed: Option<Borrowed>,
}

impl Envoy {
    /// Hands these resources to an Envoy that may have served other tests, and waits until it serves them. That saves a
    /// start, most of which is compiling the module. The virtual machines are new, and the log and the counters begin here;
    /// gauges and histograms do not. Not for what is tested of a start, or of Envoy's options.
    ///
    /// # Panics
    /// With Envoy's log when it refuses them.
    pub fn shared(resources: &Value) -> Self {
        let (running, borrowed, listeners) = pool::borrow(resources);
        Self { admin: running.admin, running: Some(running), listeners, borrowed: Some(borrowed) }
    }

    /// Starts Envoy with a bootstrap of these static resources and waits until it serves.
    ///
    /// # Panics
    /// With Envoy's log when it does not come up.
    pub fn start(static_resources: &Value) -> Self {
        Self::try_start(static_resources, 1).unwrap_or_else(|log| panic!("Envoy did not start:\n{log}"))
    }

    /// Starts Envoy with `workers` workers; the log if it does not come up.
    pub fn try_start(static_resources: &Value, workers: u32) -> Result<Self, String> {
        Self::try_start_in(&Environment::new(), static_resources, workers)
    }

    /// As [`Self::try_start`], in this environment.
    pub fn try_start_in(environment: &Environment, static_resources: &Value, workers: u32) -> Result<Self, String> {
        let bootstrap = json!({
            "node": { "id": "test", "cluster": "test" },
            "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
            "static_resources": static_resources,
        });
        Self::launch_in(environment, &bootstrap.to_string(), workers, &[], &[])
    }

    /// Starts Envoy with a whole bootstrap as text.
    pub fn start_text(bootstrap: &str, workers: u32) -> Result<Self, String> {
        Self::launch(bootstrap, workers, &[], &[])
    }

    /// Starts Envoy through `wrapper`, a command that runs the command after it; with further `options`, which may say
    /// how a log line looks.
    pub fn launch(bootstrap: &str, workers: u32, wrapper: &[&str], options: &[&str]) -> Result<Self, String> {
        Self::launch_in(&Environment::new(), bootstrap, workers, wrapper, options)
    }

    /// As [`Self::launch`], in this environment. Natively it has in addition what the bootstrap asks for.
    pub fn launch_in(
        environment: &Environment,
        bootstrap: &str,
        workers: u32,
        wrapper: &[&str],
        options: &[&str],
    ) -> Result<Self, String> {
        let (bootstrap, mut all) = native::rewritten_bootstrap(bootstrap);
        native::join(&mut all, environment.clone());
        Self::launch_as_written(&all, &bootstrap, workers, wrapper, options)
    }

    /// As [`Self::launch_in`], with the bootstrap as it is.
    pub fn launch_as_written(
        environment: &Environment,
        bootstrap: &str,
        workers: u32,
        wrapper: &[&str],
        options: &[&str],
    ) -> Result<Self, String> {
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let directory = root().join(format!("target/e2e/{}-{number}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = |name: &str| directory.join(name).to_string_lossy().into_owned();
        fs::write(path("envoy.yaml"), bootstrap).unwrap();
        let log = fs::File::create(path("envoy.log")).unwrap();
        let (config, admin_path, workers) = (path("envoy.yaml"), path("admin"), workers.to_string());
        let binary = binary().to_string_lossy().into_owned();
        let own = [
            binary.as_str(),
            "-c",
            &config,
            "--use-dynamic-base-id",
            "--concurrency",
            &workers,
            "--admin-address-path",
            &admin_path,
            "-l",
            "info",
        ];
        let format: &[&str] = if options.contains(&"--log-format") { &[] } else { &["--log-format", "%v"] };
        let command = [wrapper, &own, format, options].concat();
        let stdout = log.try_clone().unwrap();
        let mut process = Guarded::start_in(environment, Path::new(command[0]), &command[1..], stdout.into(), log);
        // With tens of thousands of routes, on a busy machine, it takes a while.
        let deadline = Instant::now() + Duration::from_mins(3);
        let read_log = || fs::read_to_string(path("envoy.log")).unwrap_or_default();
        loop {
            std::thread::sleep(Duration::from_millis(30));
            let admin = fs::read_to_string(&admin_path).ok().and_then(|text| text.trim().parse::<SocketAddr>().ok());
            if let Some(admin) = admin {
                let ready = client::try_send(admin, &client::head("GET", "/ready", &[]));
                if ready.is_some_and(|answer| answer.status == 200) {
                    let listeners = listeners(admin);
                    let running = Some(Running { process, directory, admin });
                    return Ok(Self { running, admin, listeners, borrowed: None });
                }
            }
            if process.has_ended() || native::is_refused(&read_log()) || Instant::now() > deadline {
                drop(process);
                let log = read_log();
                let _ = fs::remove_dir_all(&directory);
                return Err(log);
            }
        }
    }

    /// The address of the admin interface.
    pub const fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The address of the listener of that name.
    pub fn listener(&self, name: &str) -> SocketAddr {
        let found = self.listeners.iter().find(|(other, _)| other == name);
        found.unwrap_or_else(|| panic!("no listener {name}: {:?}", self.listeners)).1
    }

    /// The address of the listener of that name, if it is there by now.
    pub fn find_listener(&self, name: &str) -> Option<SocketAddr> {
        listeners(self.admin).into_iter().find(|(other, _)| other == name).map(|(_, address)| address)
    }

    /// The address of the only listener.
    pub fn address(&self) -> SocketAddr {
        assert_eq!(self.listeners.len(), 1);
        self.listeners[0].1
    }

    /// All that Envoy logged, access log included.
    pub fn log(&self) -> String {
        let log = self.running().log();
        let before = self.borrowed.as_ref().map_or(0, |borrowed| borrowed.logged);
        String::from_utf8_lossy(&log[before..]).into_owned()
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it is there until this is dropped")
    }

    /// What a counter was when this Envoy was borrowed.
    fn before(&self, name: &str) -> u64 {
        self.borrowed.as_ref().and_then(|borrowed| borrowed.counters.get(name)).copied().unwrap_or_default()
    }

    /// The process, to be handed to another test.
    pub fn into_running(mut self) -> Running {
        self.borrowed = None;
        self.running.take().expect("it is there until this is dropped")
    }

    /// Waits until the log holds `text`.
    pub fn wait_for_log(&self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let log = self.log();
            if log.contains(text) {
                return log;
            }
            assert!(Instant::now() < deadline, "the log never held {text:?}:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The value of one of our counters.
    pub fn counter(&self, name: &str) -> u64 {
        self.stat(&format!("wasmcustom.{name}")).unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// The value of one of the filter's counters, once it is at least `least`: what is counted at ticks comes within half a
    /// second.
    pub fn counter_of_at_least(&self, name: &str, least: u64) -> u64 {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let value = self.counter(name);
            if value >= least || Instant::now() > deadline {
                return value;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The value of a counter or gauge of Envoy's, when there is one of that name.
    pub fn stat(&self, name: &str) -> Option<u64> {
        let stats = client::get(self.admin, "/stats", &[]).body;
        let mut lines = stats.lines().filter_map(|line| line.split_once(": "));
        let (_, value) = lines.find(|(other, _)| native::statistic(other) == name)?;
        Some(value.trim().parse::<u64>().ok()? - self.before(name))
    }

    /// The number of the process that was started for it; Envoy is that one or below it.
    pub fn process_id(&self) -> u32 {
        self.running().process.id()
    }

    /// The sum of Envoy's own counters whose names end with `suffix`.
    pub fn total(&self, suffix: &str) -> u64 {
        let stats = client::get(self.admin, "/stats", &[]).body;
        let lines = stats.lines().filter_map(|line| line.split_once(": ")).filter(|(name, _)| name.ends_with(suffix));
        lines.map(|(name, value)| value.trim().parse::<u64>().unwrap() - self.before(name)).sum()
    }

    /// The sum and the count of a histogram, by its name in Prometheus' form; nothing while nothing was recorded.
    pub fn metrics(&self, histogram: &str) -> BTreeMap<String, f64> {
        let text = client::get(self.admin, "/stats/prometheus?usedonly", &[]).body;
        let figure = |line: &str| {
            let (name, value) = line.split_once(char::is_whitespace)?;
            let what = name.strip_prefix(histogram)?.strip_prefix('_')?.split('{').next()?.to_owned();
            Some((what, value.trim().parse().ok()?))
        };
        text.lines().filter(|line| !line.contains("_bucket")).filter_map(figure).collect()
    }

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        !self.running.as_mut().is_none_or(|running| running.process.has_ended())
    }
}

impl Drop for Envoy {
    fn drop(&mut self) {
        if self.running.is_none() {
            return;
        }
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "Envoy's log:\n{}", self.log());
            return;
        }
        // Whatever a test is about: each record that its log has fits the published schema.
        records::assert_records(&self.log());
        if let (Some(running), Some(borrowed)) = (self.running.take(), self.borrowed.take()) {
            pool::give_back(running, borrowed);
        }
    }
}

fn listeners(admin: SocketAddr) -> Vec<(String, SocketAddr)> {
    let body = client::get(admin, "/listeners?format=json", &[]).body;
    let parsed: Value = serde_json::from_str(&body).unwrap();
    let statuses = parsed["listener_statuses"].as_array().cloned().unwrap_or_default();
    statuses
        .iter()
        .map(|status| {
            let address = &status["local_address"]["socket_address"];
            let text = format!("{}:{}", address["address"].as_str().unwrap(), address["port_value"]);
            (status["name"].as_str().unwrap().to_owned(), text.parse().unwrap())
        })
        .collect()
}
