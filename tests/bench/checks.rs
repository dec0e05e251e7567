//! Tests of the bench: that its own numbers can be trusted.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by a panic and reads a clock, and uses a part of the bench"
)]

#[path = "main.rs"]
mod bench;

use bench::machine::stolen_of_all;
use bench::measure::{median, order};
use bench::pace::{Outcome, Paced, run};
use bench::settings::Settings;
use bench::{chart, load};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// A server on a thread for each connection, which answers nothing in the first `stall` of every `period`.
fn server(period: Duration, stall: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let start = Instant::now();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            std::thread::spawn(move || answer(stream, start, period, stall));
        }
    });
    address
}

fn answer(mut stream: TcpStream, start: Instant, period: Duration, stall: Duration) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).is_ok_and(|count| count > 0) {
        let into = Duration::from_nanos(u64::try_from(start.elapsed().as_nanos() % period.as_nanos()).unwrap());
        std::thread::sleep(stall.saturating_sub(into));
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n").is_err() {
            return;
        }
    }
}

fn pace(address: SocketAddr, rate: f64) -> Outcome {
    let stream = Paced::new(address, rate, vec![load::request("/", None)]);
    run(vec![stream], Duration::from_secs(2), false).remove(0)
}

#[test]
fn a_stall_is_charged_to_every_request_that_was_due_in_it() {
    // Nothing is answered in 300 of 500 ms. So half of the requests wait more than 50 ms, though only one for each
    // connection is sent in a stall.
    let outcome = pace(server(Duration::from_millis(500), Duration::from_millis(300)), 1_000.0);
    assert!((35_000.0..150_000.0).contains(&outcome.p50_us), "{outcome:?}");
    assert!((270_000.0..450_000.0).contains(&outcome.p99_us), "{outcome:?}");
    assert!((outcome.rate - 1_000.0).abs() < 20.0, "{outcome:?}");
    assert_eq!(outcome.statuses.keys().collect::<Vec<_>>(), [&200], "{outcome:?}");
}

#[test]
fn the_rate_is_kept_and_every_request_counted_once() {
    let outcome = pace(server(Duration::from_secs(1), Duration::ZERO), 2_000.0);
    let counted: u64 = outcome.statuses.values().sum();
    assert!((3_999..=4_001).contains(&counted), "{outcome:?}");
}

#[test]
fn who_never_answers_counts_as_the_slowest() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let outcome = pace(listener.local_addr().unwrap(), 100.0);
    assert_eq!(outcome.statuses.keys().collect::<Vec<_>>(), [&0], "{outcome:?}");
    assert!(outcome.p50_us >= 1e6 && outcome.rate < 1.0, "{outcome:?}");
}

#[test]
fn the_median_is_the_middle_one() {
    assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
    assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < 1e-9);
    assert!(median(std::iter::empty()).is_nan());
}

#[test]
fn arguments_are_read_or_refused() {
    let read = |text: &str| Settings::read(text.split(' ').map(str::to_owned)).map_err(|error| error.to_string());
    let settings = read("--bench --rounds 3 --seconds  --cases hit-rules,footprint").unwrap();
    assert_eq!((settings.rounds, settings.seconds), (3, 2));
    assert_eq!(settings.parts, ["hit-rules", "footprint"]);
    assert!(read("--cases ").unwrap().wants("routes-10000"));
    assert!(read("--cases ").unwrap().is_whole, "nothing is left out");
    assert!(!settings.is_whole && !read("--quick").unwrap().is_whole, "a part does not replace whole results");
    assert!(read("--cases hit").unwrap_err().starts_with("hit is no case; the cases are hit-rules, "));
    assert!(read("--rounds some").unwrap_err().starts_with("some is no number"));
    assert!(read("--fast").unwrap_err().starts_with("--fast is not known"));
}

#[test]
fn in_every_other_round_the_order_is_reversed() {
    let mut reversed = order(1);
    reversed.reverse();
    assert_eq!((order(0), order(2)), (reversed, reversed));
}

#[test]
fn time_that_is_stolen_is_a_part_of_all() {
    assert_eq!(stolen_of_all("cpu  1 2 3 4 5 6 7 8 100 100\ncpu0 1 1 1 1 1 1 1 1 0 0\n"), (8, 36));
    assert_eq!(stolen_of_all(""), (0, 0));
}

#[test]
fn thousands_are_set_apart() {
    assert_eq!([7.0, 999.6, 12_345.0, 1_234_567.0].map(chart::thousands), ["7", "1 000", "12 345", "1 234 567"]);
}
