//! An issuer's server that misbehaves in every way that we know of.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Conduct {
    /// Answers with these bytes and closes the connection.
    Says(Vec<u8>),
    /// Does not listen.
    Refuses,
    /// Reads the request and says nothing.
    Hangs,
    /// Answers 200 and sends a body that never ends, slowly.
    Drips,
    /// Closes the connection.
    HangsUp,
}

impl Conduct {
    /// An answer with this status, these further header lines and this body.
    pub fn answer(status: &str, lines: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{lines}content-length: {}\r\n\r\n", body.len());
        Self::Says([head.as_bytes(), body].concat())
    }
}

/// Every way in which a server of documents fails that we know of, where this document is a good one.
pub fn ways(good: &[u8]) -> Vec<(&'static str, Conduct)> {
    let ok = |body: &[u8]| Conduct::answer("200 OK", "", body);
    let length = good.len() + 1;
    let cut_off =
        [format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n").as_bytes(), good].concat();
    let elsewhere = Conduct::answer("302 Found", "location: http://127.0.0.1/elsewhere\r\n", good);
    vec![
        ("the connection is refused", Conduct::Refuses),
        ("the connection is closed", Conduct::HangsUp),
        ("no answer", Conduct::Hangs),
        ("500", Conduct::answer("500 Oops", "", good)),
        ("404", Conduct::answer("404 Not Found", "", b"")),
        ("a redirect", elsewhere),
        ("304 to whoever has no ETag", Conduct::answer("304 Not Modified", "", b"")),
        ("an empty body", ok(b"")),
        ("a page", ok(b"<!doctype html><title>Welcome</title>")),
        ("truncated JSON", ok(&good[..good.len() / 2])),
        ("an answer that breaks off", Conduct::Says(cut_off)),
        ("ten MiB", ok(&vec![b' '; 10 << 20])),
        ("an endless slow body", Conduct::Drips),
        ("an empty key set", ok(br#"{"keys":[]}"#)),
        ("a set without a usable key", ok(br#"{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}"#)),
    ]
}

/// The running server; it stops when it is dropped.
pub struct Unreliable {
    pub address: SocketAddr,
    /// The requests that it has read, as text.
    pub requests: Arc<Mutex<Vec<String>>>,
    conduct: Arc<Mutex<Conduct>>,
    listening: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

impl Unreliable {
    pub fn start(conduct: Conduct) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            conduct: Arc::new(Mutex::new(conduct)),
            listening: Arc::new(AtomicBool::new(true)),
            stop: Arc::default(),
        };
        let (conduct, stop, address) = (Arc::clone(&server.conduct), Arc::clone(&server.stop), server.address);
        let (requests, listening) = (Arc::clone(&server.requests), Arc::clone(&server.listening));
        std::thread::spawn(move || {
            let mut listener = Some(listener);
            while !stop.load(Ordering::SeqCst) {
                if matches!(*conduct.lock().unwrap(), Conduct::Refuses) {
                    listener = None;
                } else if listener.is_none() {
                    listener = TcpListener::bind(address).ok();
                }
                listening.store(listener.is_some(), Ordering::SeqCst);
                let Some(listener) = &listener else {
                    std::thread::sleep(Duration::from_millis(2));
                    continue;
                };
                listener.set_nonblocking(true).unwrap();
                match listener.accept() {
                    Ok((stream, _)) => {
                        let (conduct, requests) = (Arc::clone(&conduct), Arc::clone(&requests));
                        let stop = Arc::clone(&stop);
                        std::thread::spawn(move || serve(stream, &conduct, &requests, &stop));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        });
        server
    }

    /// From now on it does this.
    pub fn now(&self, conduct: Conduct) {
        let listens = !matches!(conduct, Conduct::Refuses);
        *self.conduct.lock().unwrap() = conduct;
        while self.listening.load(Ordering::SeqCst) != listens {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// How many requests it has read.
    pub fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

impl Drop for Unreliable {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

fn serve(mut stream: TcpStream, conduct: &Mutex<Conduct>, requests: &Mutex<Vec<String>>, stop: &AtomicBool) {
    stream.set_nonblocking(false).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    requests.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
    let conduct = conduct.lock().unwrap().clone();
    let lives = || !stop.load(Ordering::SeqCst);
    match conduct {
        Conduct::Says(bytes) => {
            let _ = stream.write_all(&bytes);
        }
        Conduct::Refuses | Conduct::HangsUp => {}
        Conduct::Hangs => {
            stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            while lives() && !matches!(stream.read(&mut byte), Ok(0)) {}
        }
        Conduct::Drips => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            while lives() && stream.write_all(b"1\r\n \r\n").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
