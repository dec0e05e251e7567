//! Storms: configurations, connections and slow clients, while good requests go on.

use crate::crowd::{Stops, during};
use crate::stage::{HOSTILE, Stage};
use crate::support::client::{get_with, read_response};
use crate::support::issuer::{Issuer, now};
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::json;
use std::io::{BufReader, ErrorKind, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Connections that come and go, at most: each leaves a port that is not used again for a minute.
const STORM: u64 = 8000;
/// Good requests that are answered while every slow client still waits, at least. On an idle machine it is each of the 40;
/// where one of two workers waited for a slow client, so many would come in one of 250 runs.
const OVERTAKING: usize = 8;

fn start() -> (Stage, Issuer) {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let stage = Stage::start(&[&issuer], 2, json!({}));
    eventually("keys", || get_with(stage.envoy.listener("gate"), "/", &issuer.token(now()).sign()).status == 200);
    (stage, issuer)
}

#[test]
fn a_storm_of_configurations_lets_nothing_bad_pass_and_refuses_nothing_good() {
    let (stage, issuer) = start();
    let before = stage.configured().0;
    let seen = during(&stage, &issuer, 2, || {
        for number in 1..=60 {
            stage.configure(number);
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let (taken, refused) = stage.configured();
    println!("{} configurations taken: {seen:?}", taken - before);
    assert!(taken - before > 10 && refused == 0, "{taken} taken, {refused} refused");
    assert_eq!(seen.good.keys().copied().collect::<Vec<_>>(), [200], "{seen:?}");
}

/// Whether a client has not been answered yet.
fn waits(client: &TcpStream) -> bool {
    client.set_nonblocking(true).unwrap();
    let peeked = client.peek(&mut [0]);
    client.set_nonblocking(false).unwrap();
    peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn a_storm_of_connections_and_slow_clients_lets_nothing_pass_and_delays_no_other_client() {
    let (stage, issuer) = start();
    let address = stage.envoy.listener("gate");
    let token = issuer.token(now()).header("kid", "foreign").sign();
    let request = format!("GET /orders/1 HTTP/1.1\r\nhost: a\r\n{HOSTILE}: 1\r\nauthorization: Bearer {token}\r\n\r\n");
    let (mut slowest, mut overtaking) = (Duration::ZERO, 0);
    let (came, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    // Connections that come and go: without a word, with half a request, with a whole one.
    let storm = || {
        while !stop.load(Ordering::Relaxed) && came.load(Ordering::Relaxed) < STORM {
            for part in [0, 30, request.len()] {
                let mut stream = TcpStream::connect(address).unwrap();
                let _ = stream.write_all(&request.as_bytes()[..part]);
                came.fetch_add(1, Ordering::Relaxed);
            }
            // As long as the slow ones last: more than Envoy takes in never reach it.
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    // Slow clients: a byte at a time, until Envoy has enough of it; and a body that never ends.
    let [mut slow, mut bodies] =
        [150, 20].map(|count| (0..count).map(|_| TcpStream::connect(address).unwrap()).collect::<Vec<_>>());
    let slow_clients = || {
        for stream in &mut bodies {
            let head = request.replace("GET", "POST").replace("host", "content-length: 1000000\r\nhost");
            stream.write_all(head.as_bytes()).unwrap();
        }
        for byte in request.as_bytes().chunks(1).take(40) {
            for stream in &mut slow {
                let _ = stream.write_all(byte);
            }
            let began = Instant::now();
            assert_eq!(get_with(address, "/orders/1", &issuer.token(now()).sign()).status, 200);
            slowest = slowest.max(began.elapsed());
            overtaking += usize::from(slow.iter().all(waits));
            std::thread::sleep(Duration::from_millis(80));
        }
        for stream in bodies {
            // Judged by its head: a refused request does not wait for its body.
            assert_eq!(read_response(&mut BufReader::new(stream), false).map(|answer| answer.status), Some(401));
        }
        let ended = slow.into_iter().filter_map(|stream| {
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            read_response(&mut BufReader::new(stream), false)
        });
        let statuses: Vec<u16> = ended.map(|answer| answer.status).collect();
        assert_eq!(statuses, [408; 150], "request_headers_timeout");
    };
    let seen = during(&stage, &issuer, 1, || {
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(storm)));
            let _stopping = Stops(&stop);
            slow_clients();
        });
    });
    let came = came.into_inner();
    println!("{came} connections came and went, and the slowest good request took {slowest:?}: {seen:?}");
    assert!(came > STORM / 4, "{came} connections came and went");
    assert!(
        overtaking >= OVERTAKING,
        "{overtaking} good requests overtook the slow clients; the slowest took {slowest:?}"
    );
    assert_eq!(seen.good.keys().copied().collect::<Vec<_>>(), [200], "{seen:?}");
}
