//! Envoy as the host of the gates of one thread.

use super::bindings::{Optional, attribute, header_type};
use super::callouts::Call;
use super::metrics::{Change, Kind};
use super::route;
use super::shared::Space;
use super::stream::{Body, Stream};
use super::worker::{Deferred, Worker};
use crate::base::shared_data::SharedData;
use crate::shell::{Buffer, Counter, Failure, Gauge, Histogram, Host, HostResult, Map, Prepared};

/// The host of this thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct EnvoyHost;

/// The number of `proxy_status_t` for a call that fails inside of the host.
const FAILED: Failure = Failure(10);
/// That for what the host does not offer.
const NOT_OFFERED: Failure = Failure(12);

/// Whether the hook that is under way is of this body.
fn receives(body: Body) -> bool {
    Worker::with(|worker| Some(worker.receives(body))).unwrap_or(false)
}

/// The stream that calls are about.
fn stream() -> HostResult<Stream> {
    Worker::with(Worker::stream).ok_or(Failure::BAD_ARGUMENT)
}

fn done(is_done: bool) -> HostResult<()> {
    if is_done { Ok(()) } else { Err(FAILED) }
}

const fn map_of(map: Map) -> Option<u32> {
    match map {
        Map::RequestHeaders => Some(header_type::REQUEST_HEADERS),
        Map::RequestTrailers => Some(header_type::REQUEST_TRAILERS),
        Map::ResponseHeaders => Some(header_type::RESPONSE_HEADERS),
        Map::CallResponseHeaders => None,
    }
}

fn part(bytes: &[u8], start: usize, limit: usize) -> Vec<u8> {
    let rest = bytes.get(start..).unwrap_or_default();
    rest.get(..limit).unwrap_or(rest).to_vec()
}

impl Host for EnvoyHost {
    #[expect(clippy::disallowed_methods, reason = "this is where the time comes from")]
    fn now_ns(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.ok().and_then(|since| u64::try_from(since.as_nanos()).ok()).filter(|&time| time > 0).unwrap_or(u64::MAX)
    }

    fn memory_bytes(&self) -> Option<u64> {
        None
    }

    fn calls_for_responses(&self) -> bool {
        true
    }

    // Envoy 1.38 has the attribute's number, and logs an error.
    fn has_virtual_host_names(&self) -> bool {
        Optional::get().is_some()
    }

    fn module(&self) -> &'static str {
        "libscopegate.so"
    }

    fn set_tick_period(&self, milliseconds: u32) -> HostResult<()> {
        Worker::with(|worker| worker.set_period(milliseconds)).ok_or(FAILED)
    }

    fn buffer(&self, buffer: Buffer, start: usize, limit: usize) -> HostResult<Vec<u8>> {
        match buffer {
            Buffer::RequestBody => Ok(stream()?.body(Body::Request, receives(Body::Request), start, limit)),
            Buffer::ResponseBody => Ok(stream()?.body(Body::Response, receives(Body::Response), start, limit)),
            Buffer::CallResponseBody => {
                Worker::with(|worker| worker.with_answer(|answer| part(&answer.body, start, limit))).ok_or(FAILED)
            }
            Buffer::PluginConfiguration => {
                Worker::with(|worker| worker.configuration().map(|own| part(&own.text, start, limit))).ok_or(FAILED)
            }
        }
    }

    fn set_buffer(&self, buffer: Buffer, _size: usize, bytes: &[u8]) -> HostResult<()> {
        match buffer {
            Buffer::RequestBody => done(stream()?.replace_body(Body::Request, receives(Body::Request), bytes)),
            Buffer::ResponseBody => done(stream()?.replace_body(Body::Response, receives(Body::Response), bytes)),
            Buffer::CallResponseBody | Buffer::PluginConfiguration => Err(Failure::BAD_ARGUMENT),
        }
    }

    fn header_map(&self, map: Map) -> HostResult<Vec<u8>> {
        match map_of(map) {
            Some(map) => stream()?.header_map(map).ok_or(FAILED),
            None => Worker::with(|worker| worker.with_answer(|answer| answer.headers.clone())).ok_or(FAILED),
        }
    }

    fn remove_header(&self, map: Map, name: &str) -> HostResult<()> {
        done(stream()?.set_header(map_of(map).ok_or(Failure::BAD_ARGUMENT)?, name, None))
    }

    fn set_header(&self, map: Map, name: &str, value: &[u8]) -> HostResult<()> {
        done(stream()?.set_header(map_of(map).ok_or(Failure::BAD_ARGUMENT)?, name, Some(value)))
    }

    fn property(&self, path: &[&str]) -> HostResult<Option<Vec<u8>>> {
        let id = match path {
            ["plugin_vm_id"] => {
                return Ok(Worker::with(|worker| worker.configuration().map(|own| own.name.clone().into_bytes())));
            }
            ["xds", "route_metadata"] => return route::metadata(stream()?.0),
            // The ABI has none of a virtual host.
            ["xds", "virtual_host_metadata"] => return Ok(None),
            ["xds", "route_name"] => attribute::ROUTE_NAME,
            ["xds", "virtual_host_name"] if !self.has_virtual_host_names() => return Ok(None),
            ["xds", "virtual_host_name"] => attribute::VIRTUAL_HOST_NAME,
            ["source", "address"] => attribute::SOURCE_ADDRESS,
            ["connection", "tls_version"] => attribute::TLS_VERSION,
            ["connection", "sha256_peer_certificate_digest"] => attribute::SHA256_PEER_CERTIFICATE_DIGEST,
            ["connection", "uri_san_peer_certificate"] => attribute::URI_SAN_PEER_CERTIFICATE,
            ["connection", "dns_san_peer_certificate"] => attribute::DNS_SAN_PEER_CERTIFICATE,
            _ => return Err(NOT_OFFERED),
        };
        Ok(stream()?.attribute(id))
    }

    fn set_filter_state(&self, key: &str, value: &[u8]) -> HostResult<()> {
        // The key that it has with Wasm, so that access logs and the router read the same.
        let key = ["wasm.", key].concat();
        // Envoy 1.38 takes no other value for a key that a stream has.
        if Optional::get().is_none() && !Worker::with(|worker| worker.note_key(&key)).unwrap_or(false) {
            return Err(FAILED);
        }
        done(stream()?.set_filter_state(&key, value))
    }

    fn resume_request(&self) -> HostResult<()> {
        Worker::with(|worker| worker.defer(Deferred::Resume)).ok_or(Failure::BAD_ARGUMENT)
    }

    fn close_stream(&self) -> HostResult<()> {
        Worker::with(|worker| worker.defer(Deferred::Reset)).ok_or(Failure::BAD_ARGUMENT)
    }

    fn send_local_response(&self, reply: &Prepared) -> HostResult<()> {
        Worker::with(|worker| worker.defer(Deferred::Answer(Box::new(reply.clone())))).ok_or(Failure::BAD_ARGUMENT)
    }

    fn set_effective_context(&self, context: u32) -> HostResult<()> {
        Worker::with(|worker| worker.set_effective(context)).ok_or(Failure::BAD_ARGUMENT)
    }

    fn call_foreign_function(&self, _name: &str, _arguments: &[u8]) -> HostResult<Vec<u8>> {
        Err(NOT_OFFERED)
    }

    // What is put into filter state is text.
    fn declare_text(&self, _key: &str) -> HostResult<()> {
        Ok(())
    }

    fn declare_struct(&self, _key: &str) -> HostResult<()> {
        Err(NOT_OFFERED)
    }

    fn http_call(&self, cluster: &str, headers: &[(&str, &str)], body: &[u8], timeout_ms: u32) -> HostResult<u32> {
        let owned = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let call = Call { token: 0, cluster: cluster.to_owned(), headers: owned, body: body.to_vec(), timeout_ms };
        Worker::with(|worker| Some(worker.call(call))).unwrap_or(Err(FAILED))
    }

    fn shared_data(&self) -> Box<dyn SharedData> {
        let name = Worker::with(|worker| worker.configuration().map(|own| own.name.clone()));
        Box::new(Space::new(&name.unwrap_or_default()))
    }

    fn define_counter(&self, name: &str) -> HostResult<Counter> {
        Worker::with(|worker| Some(worker.define(Kind::Counter, name))).unwrap_or(Err(FAILED)).map(Counter)
    }

    fn define_gauge(&self, name: &str) -> HostResult<Gauge> {
        Worker::with(|worker| Some(worker.define(Kind::Gauge, name))).unwrap_or(Err(FAILED)).map(Gauge)
    }

    fn define_histogram(&self, name: &str) -> HostResult<Histogram> {
        Worker::with(|worker| Some(worker.define(Kind::Histogram, name))).unwrap_or(Err(FAILED)).map(Histogram)
    }

    fn count(&self, counter: Counter, by: u32) {
        if by > 0 {
            change(Change::Count, counter.0, u64::from(by));
        }
    }

    fn set_gauge(&self, gauge: Gauge, value: u64) {
        change(Change::Set, gauge.0, value);
    }

    fn change_gauge(&self, gauge: Gauge, by: i64) {
        if by != 0 {
            change(if by > 0 { Change::Raise } else { Change::Lower }, gauge.0, by.unsigned_abs());
        }
    }

    fn record(&self, histogram: Histogram, value: u64) {
        change(Change::Record, histogram.0, value);
    }
}

fn change(change: Change, metric: u32, value: u64) {
    Worker::with(|worker| {
        worker.change(change, metric, value);
        Some(())
    });
}
