//! Redis and Webdis, as envoy/fleet/ configures them, on free ports.

use super::client;
use super::envoy::root;
use super::guarded::Guarded;
use super::wait::eventually;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn folder(what: &str) -> PathBuf {
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let folder = root().join(format!("target/e2e/{what}-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Whether Redis and Webdis are installed here.
pub fn are_there() -> bool {
    ["redis-server", "webdis"].into_iter().all(is_there)
}

fn is_there(program: &str) -> bool {
    // Webdis knows no option.
    Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success()
}

/// Starts a program by the command `pin`, which may be none.
fn launch(pin: &[String], program: &str, folder: &Path, arguments: &[&str]) -> Guarded {
    assert!(is_there(program), "{program} is missing: `.ci/needs services` says what to install");
    let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let mut words = pin.iter().map(String::as_str).chain([program]);
    let first = words.next().unwrap();
    let arguments: Vec<&str> = words.chain(arguments.iter().copied()).collect();
    Guarded::start(Path::new(first), &arguments, log.try_clone().unwrap().into(), log)
}

/// A Redis with the configuration of envoy/fleet/redis.conf.
pub struct Redis {
    pub port: u16,
    folder: PathBuf,
    pin: Vec<String>,
    process: Option<Guarded>,
}

impl Redis {
    pub fn start() -> Self {
        Self::pinned(&[])
    }

    /// Started by this command, which pins it to a core.
    pub fn pinned(pin: &[String]) -> Self {
        let folder = folder("redis");
        let port = free_port();
        let shipped = fs::read_to_string(root().join("envoy/fleet/redis.conf")).unwrap();
        assert!(shipped.contains("\nport 6379\n"));
        let own = shipped.replace("\nport 6379\n", &format!("\nport {port}\nbind 127.0.0.1\n"));
        // A user for the test, which looks at the keys.
        let own = format!("{own}\nuser test on >test ~* &* +@all\ndir {}\npidfile {0}/pid\n", folder.display());
        fs::write(folder.join("redis.conf"), own).unwrap();
        let mut redis = Self { port, folder, pin: pin.to_vec(), process: None };
        redis.run();
        redis
    }

    pub fn address(&self) -> SocketAddr {
        at(self.port)
    }

    /// Starts it, with what it has on the disk.
    pub fn run(&mut self) {
        let configuration = self.folder.join("redis.conf");
        let arguments = [configuration.to_str().unwrap(), "--daemonize", "no"];
        self.process = Some(launch(&self.pin, "redis-server", &self.folder, &arguments));
        eventually("Redis answers", || TcpStream::connect(at(self.port)).is_ok() && self.ask(&["PING"]) == "+PONG");
    }

    /// Kills it: nothing is written any more.
    pub fn kill(&mut self) {
        let process: u32 = fs::read_to_string(self.folder.join("pid")).unwrap().trim().parse().unwrap();
        assert!(Command::new("kill").args(["-9", &process.to_string()]).status().unwrap().success());
        self.process = None;
    }

    /// The answer to a command of the test's user: its first line, or the string that it holds, or how many members.
    pub fn ask(&self, command: &[&str]) -> String {
        let mut stream = TcpStream::connect(at(self.port)).unwrap();
        let mut answers = BufReader::new(stream.try_clone().unwrap());
        let mut said = String::new();
        for command in [&["AUTH", "test", "test"][..], command] {
            write!(stream, "*{}\r\n", command.len()).unwrap();
            command.iter().for_each(|part| write!(stream, "${}\r\n{part}\r\n", part.len()).unwrap());
            said.clear();
            answers.read_line(&mut said).unwrap();
        }
        if let Some(length) = said.strip_prefix('$').and_then(|length| length.trim().parse::<usize>().ok()) {
            let mut bytes = vec![0; length];
            answers.read_exact(&mut bytes).unwrap();
            return String::from_utf8(bytes).unwrap();
        }
        said.trim().to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.process.take());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A Webdis with the configuration of envoy/fleet/webdis.json, in front of a Redis.
pub struct Webdis {
    pub address: SocketAddr,
    _process: Guarded,
}

impl Webdis {
    pub fn start(redis: SocketAddr) -> Self {
        Self::pinned(&[], redis)
    }

    /// Started by this command, which pins it to a core.
    pub fn pinned(pin: &[String], redis: SocketAddr) -> Self {
        let folder = folder("webdis");
        let address = at(free_port());
        let shipped = fs::read_to_string(root().join("envoy/fleet/webdis.json")).unwrap();
        let own = shipped
            .replace("\"redis_host\": \"redis\"", "\"redis_host\": \"127.0.0.1\"")
            .replace("\"redis_port\": 6379", &format!("\"redis_port\": {}", redis.port()))
            .replace("\"http_port\": 7379", &format!("\"http_port\": {}", address.port()));
        let configuration = folder.join("webdis.json");
        fs::write(&configuration, own).unwrap();
        let process = launch(pin, "webdis", &folder, &[configuration.to_str().unwrap()]);
        // Each of its connections to Redis is made when it is needed, and answers 503 until it is there.
        let is_ready = |number: usize| {
            let answer =
                client::try_send(address, &client::head("GET", &format!("/SET/scopegate:ready:{number}/1/EX/1"), &[]));
            answer.is_some_and(|answer| answer.status == 200)
        };
        eventually("Webdis answers", || (0..50).all(is_ready));
        Self { address, _process: process }
    }

    /// One for this Redis.
    pub fn of(redis: &Redis) -> Self {
        Self::start(redis.address())
    }
}

/// An address that leads to a Redis, and can be made to lead to another: what fails over.
pub struct Switch {
    pub address: SocketAddr,
    target: std::sync::Arc<AtomicU32>,
}

impl Switch {
    pub fn to(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let target = std::sync::Arc::new(AtomicU32::new(redis.port.into()));
        let current = std::sync::Arc::clone(&target);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let port = u16::try_from(current.load(Ordering::SeqCst)).unwrap();
                let Ok(server) = TcpStream::connect(at(port)) else { continue };
                for (mut from, mut to) in [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server.try_clone().unwrap(), client.try_clone().unwrap()),
                ] {
                    std::thread::spawn(move || {
                        let _ = std::io::copy(&mut from, &mut to);
                        let _ = to.shutdown(std::net::Shutdown::Both);
                    });
                }
            }
        });
        Self { address, target }
    }

    /// From now on new connections lead there.
    pub fn lead_to(&self, redis: &Redis) {
        self.target.store(redis.port.into(), Ordering::SeqCst);
    }
}
