//! An HTTP/1.1 client that sends exactly the bytes it is given.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

/// An answer as it arrived.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    /// The value of the one line of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} is there twice: {:?}", self.headers);
        value
    }

    /// What the echoing upstream received.
    pub fn echoed(&self) -> Echoed {
        assert_eq!(self.status, 200, "{self:?}");
        Echoed(serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not from the upstream: {self:?}")))
    }
}

/// What the echoing upstream received.
#[derive(Clone, Debug)]
pub struct Echoed(pub serde_json::Value);

impl Echoed {
    /// The values of all lines of a header.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.lines("headers", name)
    }

    /// The values of all trailer lines of that name.
    pub fn trailers(&self, name: &str) -> Vec<&str> {
        self.lines("trailers", name)
    }

    fn lines(&self, kind: &str, name: &str) -> Vec<&str> {
        let lines = self.0[kind].as_array().unwrap();
        lines.iter().filter(|line| line[0] == name).filter_map(|line| line[1].as_str()).collect()
    }
}

/// Sends raw bytes and reads one answer.
pub fn send(address: SocketAddr, request: &[u8]) -> Response {
    try_send(address, request).unwrap_or_else(|| panic!("no answer to {:?}", String::from_utf8_lossy(request)))
}

/// Sends a request; `None` without a connection or an answer.
pub fn try_send(address: SocketAddr, request: &[u8]) -> Option<Response> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(request).ok()?;
    read_response(&mut BufReader::new(stream), request.starts_with(b"HEAD "))
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// A GET request.
pub fn get(address: SocketAddr, target: &str, headers: &[(&str, &str)]) -> Response {
    request(address, "GET", target, headers)
}

/// A GET request with a bearer token.
pub fn get_with(address: SocketAddr, target: &str, token: &str) -> Response {
    get(address, target, &[("authorization", &format!("Bearer {token}"))])
}

/// A request without a body.
pub fn request(address: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)]) -> Response {
    send(address, &head(method, target, headers))
}

/// The bytes of a request without a body.
pub fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str("host: api.example.com\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// The statuses of so many requests with one token at the same moment, to each of these addresses in turn, and each over a
/// connection of its own; 0 without an answer.
pub fn at_once(addresses: &[SocketAddr], requests: usize, token: &str) -> Vec<u16> {
    let barrier = Barrier::new(requests);
    let bytes = head("GET", "/", &[("authorization", &format!("Bearer {token}"))]);
    let ask = |address| {
        barrier.wait();
        try_send(address, &bytes).map_or(0, |answer| answer.status)
    };
    thread::scope(|scope| {
        let of = addresses.iter().cycle().take(requests);
        let threads: Vec<_> = of.map(|address| scope.spawn(|| ask(*address))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Reads one answer; `None` when the connection ends first.
pub fn read_response(reader: &mut impl BufRead, without_body: bool) -> Option<Response> {
    let start = line(reader)?;
    let status = start.split(' ').nth(1)?.parse().ok()?;
    let mut headers = Vec::new();
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let value = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let mut body = Vec::new();
    if without_body || status == 204 || status == 304 {
    } else if value("transfer-encoding").is_some() {
        loop {
            let size = usize::from_str_radix(line(reader)?.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            body.extend(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = value("content-length").and_then(|length| length.parse().ok()) {
        body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
    }
    Some(Response { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line).ok()? == 0 {
        return None;
    }
    while matches!(line.last(), Some(b'\r' | b'\n')) {
        line.pop();
    }
    Some(String::from_utf8_lossy(&line).into_owned())
}

/// A client that keeps its connection for as long as the server does.
pub struct KeptClient {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl KeptClient {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    pub fn send(&mut self, request: &[u8]) -> Response {
        let [response] = self.send_all([request]);
        response
    }

    /// Sends all of them before it reads the first answer. Several go over a new connection: Envoy may close a used one
    /// after its own answer, and take a second for that.
    pub fn send_all<const N: usize>(&mut self, requests: [&[u8]; N]) -> [Response; N] {
        let kept = self.connection.take().filter(|_| N == 1);
        let reused = kept.is_some();
        let mut connection = kept.unwrap_or_else(|| BufReader::new(connect(self.address)));
        // An answer may be there although not everything was taken: to a head that is too large.
        let _ = connection.get_mut().write_all(&requests.concat());
        let responses = requests.map(|request| read_response(&mut connection, request.starts_with(b"HEAD ")));
        if responses.iter().any(Option::is_none) {
            assert!(reused, "no answer to {}", requests.concat().escape_ascii());
            return self.send_all(requests);
        }
        let responses = responses.map(Option::unwrap);
        // A tunnel is no connection for the next request.
        let is_kept = |response: &Response| response.header("connection") != Some("close");
        if responses.iter().all(is_kept) && !requests.iter().any(|request| request.starts_with(b"CONNECT ")) {
            self.connection = Some(connection);
        }
        responses
    }
}
