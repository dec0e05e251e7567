//! What the shell asks of its host: a trait, implemented by the proxy-wasm host for the module and by a scripted one
//! for tests.
//!
//! Every call that the host can refuse returns a `Result`. Calls for metrics return nothing, since no request should
//! fail for a metric.

use super::declaration;
use super::feed::SharedData;
use super::reply_cache::Prepared;
use crate::base::time::UnixSeconds;
use std::hash::{BuildHasher as _, RandomState};

/// A refused host call: a `proxy_status_t` other than OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure(pub u32);

impl Failure {
    /// A bad argument: for a callout, an unknown cluster.
    pub const BAD_ARGUMENT: Self = Self(2);
}

/// Shorthand of this room.
pub type Result<T> = std::result::Result<T, Failure>;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A map of headers or trailers (`proxy_map_type_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    RequestHeaders,
    RequestTrailers,
    ResponseHeaders,
    CallResponseHeaders,
}

/// A buffer (`proxy_buffer_type_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffer {
    RequestBody,
    ResponseBody,
    CallResponseBody,
    PluginConfiguration,
}

/// A counter that has been defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter(pub u32);

/// A gauge that has been defined. All workers share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge(pub u32);

/// A histogram that has been defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram(pub u32);

/// A host: what is called on behalf of one filter in one worker.
///
/// Calls about a request concern the stream of the effective context. The host may call back in during a call, so
/// nothing is borrowed across a call that resumes or answers a request.
pub trait Host {
    /// The time in nanoseconds since the Unix epoch. If the host has no time, the end of time, when every token has
    /// expired.
    fn now_ns(&self) -> u64;

    /// The size of our memory in bytes; `None` where it is not ours alone.
    fn memory_bytes(&self) -> Option<u64>;

    /// Whether the module has the callbacks of responses.
    fn calls_for_responses(&self) -> bool;

    /// Whether the host tells the names of virtual hosts.
    fn has_virtual_host_names(&self) -> bool {
        true
    }

    /// The file name of the module, for the log.
    fn module(&self) -> &'static str;

    /// Sets the period of the timer.
    fn set_tick_period(&self, milliseconds: u32) -> Result<()>;

    /// A buffer from `start` on, up to `limit` bytes of it.
    fn buffer(&self, buffer: Buffer, start: usize, limit: usize) -> Result<Vec<u8>>;

    /// Puts these bytes in the place of what is in a buffer: of its first `size` bytes, which are all of them.
    fn set_buffer(&self, buffer: Buffer, size: usize, bytes: &[u8]) -> Result<()>;

    /// All lines of a map, as [`super::pairs::parse`] reads them.
    fn header_map(&self, map: Map) -> Result<Vec<u8>>;

    /// Removes all lines of a header.
    fn remove_header(&self, map: Map, name: &str) -> Result<()>;

    /// Makes a header have one line with this value.
    fn set_header(&self, map: Map, name: &str, value: &[u8]) -> Result<()>;

    /// A property; `None` when there is none of that path.
    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>>;

    /// Whether the metadata of the route, or of its virtual host, surely has nothing of ours. That costs less than reading
    /// metadata; a host that cannot tell says no.
    fn lacks_metadata(&self, _source: &str) -> bool {
        false
    }

    /// Puts a value into the stream's filter state, under `wasm.` and this key.
    fn set_filter_state(&self, key: &str, value: &[u8]) -> Result<()>;

    /// Lets the request of the effective context go on.
    fn resume_request(&self) -> Result<()>;

    /// Resets the stream of the effective context. The host does so after the callback.
    fn close_stream(&self) -> Result<()>;

    /// Answers the request of the effective context.
    fn send_local_response(&self, reply: &Prepared) -> Result<()>;

    /// Makes `context` the one that calls about a stream are about. Fails when its stream is gone.
    fn set_effective_context(&self, context: u32) -> Result<()>;

    /// Calls a function that the host offers by name.
    fn call_foreign_function(&self, name: &str, arguments: &[u8]) -> Result<Vec<u8>>;

    /// Declares that the values of a key of filter state are text, for as long as the stream lives. Others then read
    /// them as text; without that they are bytes.
    fn declare_text(&self, key: &str) -> Result<()> {
        self.call_foreign_function("declare_property", &declaration::of_text(key)).map(drop)
    }

    /// Declares that the values of a key of filter state are of the type `google.protobuf.Struct`.
    fn declare_struct(&self, key: &str) -> Result<()> {
        self.call_foreign_function("declare_property", &declaration::of_struct(key)).map(drop)
    }

    /// Sends a request to a cluster; the answer comes to the root context under the number returned, whichever context is
    /// effective.
    fn http_call(&self, cluster: &str, headers: &[(&str, &str)], body: &[u8], timeout_ms: u32) -> Result<u32>;

    /// The data that all workers of the process share, and all plugins with the same `vm_id`.
    fn shared_data(&self) -> Box<dyn SharedData>;

    /// Defines a counter.
    fn define_counter(&self, name: &str) -> Result<Counter>;

    /// Defines a gauge.
    fn define_gauge(&self, name: &str) -> Result<Gauge>;

    /// Defines a histogram.
    fn define_histogram(&self, name: &str) -> Result<Histogram>;

    /// Adds to a counter.
    fn count(&self, counter: Counter, by: u32);

    /// Sets a gauge for the whole process.
    fn set_gauge(&self, gauge: Gauge, value: u64);

    /// Adds to a gauge, or takes away from it.
    fn change_gauge(&self, gauge: Gauge, by: i64);

    /// Records a value.
    fn record(&self, histogram: Histogram, value: u64);

    /// The time in seconds since the Unix epoch; at the end of time, the last second.
    fn now(&self) -> UnixSeconds {
        seconds(self.now_ns())
    }

    /// A random number, good for spreading things out.
    fn random(&self) -> u64 {
        RandomState::new().hash_one(self.now_ns())
    }

    /// The value of an environment variable of ours.
    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}

/// Nanoseconds since the Unix epoch in seconds.
pub fn seconds(nanoseconds: u64) -> UnixSeconds {
    match nanoseconds {
        u64::MAX => UnixSeconds(i64::MAX),
        nanoseconds => UnixSeconds(i64::try_from(nanoseconds / NANOS_PER_SECOND).unwrap_or(i64::MAX)),
    }
}
