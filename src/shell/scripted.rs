//! A host that a test scripts: the test sets the clock, looks at the streams, and says which calls are refused.

use super::feed::SharedData;
use super::host::{Buffer, Counter, Failure, Gauge, Histogram, Host, Map, Result};
use super::pairs;
use super::reply_cache::Prepared;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

/// A host, shared by the test and the filter.
#[derive(Clone)]
pub struct ScriptedHost(Rc<Script>);

/// The name of a cluster that the host does not have.
pub const NO_CLUSTER: &str = "nowhere";

/// The state of the host, and the calls it received.
pub struct Script {
    /// The time in milliseconds since the epoch.
    pub now_ms: Cell<u64>,
    /// The plugin's configuration.
    configuration: Vec<u8>,
    shared: ScriptedData,
    /// The streams, those that have ended too.
    pub streams: RefCell<BTreeMap<u32, HostStream>>,
    effective: Cell<u32>,
    /// The calls that can be refused, by name, since this was last cleared.
    pub calls: RefCell<Vec<&'static str>>,
    /// Which of them is refused: the place in `calls`.
    pub refused: Cell<Option<usize>>,
    /// The callouts that have not been answered: by token, the cluster.
    pub callouts: RefCell<BTreeMap<u32, String>>,
    /// The bodies that were sent with callouts, by token.
    pub bodies: RefCell<BTreeMap<u32, String>>,
    next_token: Cell<u32>,
    /// The answer to a callout that is being handed over: its headers and its body.
    pub answer: RefCell<(Vec<u8>, Vec<u8>)>,
    /// Called during a call that resumes or answers a request: the host calls back in.
    pub comes_back: RefCell<Option<ComesBack>>,
    metrics: RefCell<Vec<String>>,
    /// The values of the metrics.
    pub values: RefCell<BTreeMap<String, i64>>,
    /// What it gives as a random number.
    pub random: Cell<u64>,
    /// The period of the timer.
    pub tick_ms: Cell<u32>,
    /// Whether the module is called for responses.
    pub has_responses: Cell<bool>,
    /// Whether types of filter state can be declared.
    pub declares: Cell<bool>,
    /// The declarations.
    pub declared: RefCell<Vec<Vec<u8>>>,
}

/// Called with the context of a stream.
type ComesBack = Rc<dyn Fn(u32)>;

/// A stream as the host sees it.
#[derive(Clone, Debug, Default)]
pub struct HostStream {
    /// The request's headers, as they are now.
    pub headers: Vec<(String, String)>,
    /// The request's trailers.
    pub trailers: Vec<(String, String)>,
    /// The response's headers.
    pub response: Vec<(String, String)>,
    /// What has come of the request's body, and is held.
    pub body: Vec<u8>,
    /// What has gone upstream of it.
    pub gone: Vec<u8>,
    /// What is here of the response's body, and has not gone on.
    pub response_body: Vec<u8>,
    /// How the headers were edited, in order.
    pub edits: Vec<String>,
    /// What was answered: status and details.
    pub answers: Vec<(u16, String)>,
    /// The headers that went upstream.
    pub upstream: Option<Vec<(String, String)>>,
    /// The audit record, as it was put into filter state.
    pub record: Option<Vec<u8>>,
    /// The address of its client, with a port.
    pub address: String,
    /// Whether its headers went on alone, for a body that is judged.
    pub is_listened_to: bool,
    /// Whether the stream has been closed.
    pub is_closed: bool,
    /// Whether the stream has ended.
    pub is_gone: bool,
}

impl HostStream {
    /// Whether the request is undecided.
    pub fn is_undecided(&self) -> bool {
        self.upstream.is_none() && self.answers.is_empty()
    }

    /// The headers go upstream, once, and what is held of the body.
    pub fn go_on(&mut self) {
        assert!(self.answers.is_empty() || self.is_listened_to, "an answered request goes on: {self:?}");
        self.upstream.get_or_insert_with(|| self.headers.clone());
        self.gone.append(&mut self.body);
    }
}

impl ScriptedHost {
    /// A host with this configuration for the plugin, at this time in milliseconds.
    pub fn new(configuration: &str, now_ms: u64) -> Self {
        Self(Rc::new(Script {
            now_ms: Cell::new(now_ms),
            configuration: configuration.as_bytes().to_vec(),
            shared: ScriptedData::default(),
            streams: RefCell::default(),
            effective: Cell::new(0),
            calls: RefCell::default(),
            refused: Cell::new(None),
            callouts: RefCell::default(),
            bodies: RefCell::default(),
            next_token: Cell::new(100),
            answer: RefCell::default(),
            comes_back: RefCell::default(),
            metrics: RefCell::default(),
            values: RefCell::default(),
            random: Cell::new(7),
            tick_ms: Cell::new(0),
            has_responses: Cell::new(true),
            declares: Cell::new(true),
            declared: RefCell::default(),
        }))
    }

    /// What it knows.
    pub fn script(&self) -> &Script {
        &self.0
    }

    /// Makes `context` the one that calls are about, as the host does with each callback.
    pub fn enter(&self, context: u32) {
        self.0.effective.set(context);
    }

    /// Notes a call. Fails when it is the one to be refused.
    fn call(&self, name: &'static str) -> Result<()> {
        let mut calls = self.0.calls.borrow_mut();
        calls.push(name);
        if self.0.refused.get() == Some(calls.len() - 1) { Err(Failure(10)) } else { Ok(()) }
    }

    /// Looks at the stream of the effective context.
    fn stream<T>(&self, of: impl FnOnce(&mut HostStream) -> T) -> Result<T> {
        let mut streams = self.0.streams.borrow_mut();
        let stream = streams.get_mut(&self.0.effective.get()).filter(|stream| !stream.is_gone);
        stream.map(of).ok_or(Failure(2))
    }

    fn come_back(&self) {
        let (context, comes_back) = (self.0.effective.get(), self.0.comes_back.borrow().clone());
        if let Some(comes_back) = comes_back {
            comes_back(context);
        }
        self.enter(context);
    }

    fn define(&self, name: &str) -> Result<u32> {
        self.call("define_metric")?;
        let mut metrics = self.0.metrics.borrow_mut();
        metrics.push(name.to_owned());
        Ok(u32::try_from(metrics.len() - 1).unwrap())
    }

    fn change(&self, metric: u32, change: impl FnOnce(i64) -> i64) {
        let name = self.0.metrics.borrow()[usize::try_from(metric).unwrap()].clone();
        let mut values = self.0.values.borrow_mut();
        let value = values.entry(name).or_default();
        *value = change(*value);
    }
}

fn lines(map: &[(String, String)]) -> Vec<u8> {
    pairs::serialise(&map.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
}

impl Host for ScriptedHost {
    fn now_ns(&self) -> u64 {
        self.0.now_ms.get().saturating_mul(1_000_000)
    }

    fn memory_bytes(&self) -> Option<u64> {
        Some(1)
    }

    fn module(&self) -> &'static str {
        "a module of a test"
    }

    fn calls_for_responses(&self) -> bool {
        self.0.has_responses.get()
    }

    fn set_tick_period(&self, milliseconds: u32) -> Result<()> {
        self.call("set_tick_period")?;
        self.0.tick_ms.set(milliseconds);
        Ok(())
    }

    fn buffer(&self, buffer: Buffer, start: usize, limit: usize) -> Result<Vec<u8>> {
        self.call("buffer")?;
        let whole = match buffer {
            Buffer::PluginConfiguration => self.0.configuration.clone(),
            Buffer::RequestBody => self.stream(|stream| stream.body.clone())?,
            Buffer::ResponseBody => self.stream(|stream| stream.response_body.clone())?,
            Buffer::CallResponseBody => self.0.answer.borrow().1.clone(),
        };
        Ok(whole.into_iter().skip(start).take(limit).collect())
    }

    fn set_buffer(&self, buffer: Buffer, size: usize, bytes: &[u8]) -> Result<()> {
        self.call("set_buffer")?;
        assert_eq!(buffer, Buffer::ResponseBody, "no other is written");
        self.stream(|stream| {
            assert_eq!(size, stream.response_body.len(), "the whole buffer is replaced");
            stream.response_body = bytes.to_vec();
        })
    }

    fn header_map(&self, map: Map) -> Result<Vec<u8>> {
        self.call("header_map")?;
        match map {
            Map::RequestHeaders => self.stream(|stream| lines(&stream.headers)),
            Map::RequestTrailers => self.stream(|stream| lines(&stream.trailers)),
            Map::ResponseHeaders => self.stream(|stream| lines(&stream.response)),
            Map::CallResponseHeaders => Ok(self.0.answer.borrow().0.clone()),
        }
    }

    fn remove_header(&self, map: Map, name: &str) -> Result<()> {
        self.call("remove_header")?;
        self.stream(|stream| match map {
            Map::RequestTrailers => stream.trailers.retain(|(other, _)| other != name),
            Map::ResponseHeaders => stream.response.retain(|(other, _)| other != name),
            Map::RequestHeaders | Map::CallResponseHeaders => {
                stream.edits.push(format!("remove {name}"));
                stream.headers.retain(|(other, _)| other != name);
            }
        })
    }

    fn set_header(&self, map: Map, name: &str, value: &[u8]) -> Result<()> {
        self.call("set_header")?;
        let value = String::from_utf8(value.to_vec()).unwrap();
        self.stream(|stream| {
            if map == Map::ResponseHeaders {
                stream.response.retain(|(other, _)| other != name);
                stream.response.push((name.to_owned(), value));
                return;
            }
            stream.edits.push(format!("set {name}"));
            stream.headers.retain(|(other, _)| other != name);
            stream.headers.push((name.to_owned(), value));
        })
    }

    fn property(&self, path: &[&str]) -> Result<Option<Vec<u8>>> {
        self.call("property")?;
        if path == ["source", "address"] {
            return self.stream(|stream| Some(stream.address.clone().into_bytes()));
        }
        Ok(None)
    }

    fn set_filter_state(&self, _key: &str, value: &[u8]) -> Result<()> {
        self.call("set_filter_state")?;
        self.stream(|stream| stream.record = Some(value.to_vec()))
    }

    fn resume_request(&self) -> Result<()> {
        self.call("resume_request")?;
        self.stream(HostStream::go_on)?;
        self.come_back();
        Ok(())
    }

    fn close_stream(&self) -> Result<()> {
        self.call("close_stream")?;
        self.stream(|stream| {
            assert!(!stream.is_closed, "a stream is closed twice: {stream:?}");
            assert!(stream.upstream.is_some(), "a stream is closed that did not go on: {stream:?}");
            assert!(stream.answers.is_empty(), "a stream is closed that was answered: {stream:?}");
            stream.is_closed = true;
        })?;
        self.come_back();
        Ok(())
    }

    fn send_local_response(&self, reply: &Prepared) -> Result<()> {
        self.call("send_local_response")?;
        self.stream(|stream| {
            assert!(
                stream.upstream.is_none() || stream.is_listened_to,
                "a request that went on is answered: {stream:?}"
            );
            stream.answers.push((reply.status, reply.details.clone()));
        })?;
        self.come_back();
        Ok(())
    }

    fn set_effective_context(&self, context: u32) -> Result<()> {
        self.call("set_effective_context")?;
        let is_gone = self.0.streams.borrow().get(&context).is_some_and(|stream| stream.is_gone);
        if is_gone {
            return Err(Failure(2));
        }
        self.enter(context);
        Ok(())
    }

    fn call_foreign_function(&self, name: &str, arguments: &[u8]) -> Result<Vec<u8>> {
        self.call("call_foreign_function")?;
        if name == "declare_property" && self.0.declares.get() {
            self.0.declared.borrow_mut().push(arguments.to_vec());
            return Ok(Vec::new());
        }
        Err(Failure(1))
    }

    fn http_call(&self, cluster: &str, _headers: &[(&str, &str)], body: &[u8], _timeout_ms: u32) -> Result<u32> {
        self.call("http_call")?;
        if cluster == NO_CLUSTER {
            return Err(Failure::BAD_ARGUMENT);
        }
        let token = self.0.next_token.get();
        self.0.next_token.set(token + 1);
        self.0.callouts.borrow_mut().insert(token, cluster.to_owned());
        self.0.bodies.borrow_mut().insert(token, String::from_utf8(body.to_vec()).unwrap());
        Ok(token)
    }

    fn shared_data(&self) -> Box<dyn SharedData> {
        Box::new(self.0.shared.clone())
    }

    fn define_counter(&self, name: &str) -> Result<Counter> {
        self.define(name).map(Counter)
    }

    fn define_gauge(&self, name: &str) -> Result<Gauge> {
        self.define(name).map(Gauge)
    }

    fn define_histogram(&self, name: &str) -> Result<Histogram> {
        self.define(name).map(Histogram)
    }

    fn count(&self, counter: Counter, by: u32) {
        self.change(counter.0, |value| value + i64::from(by));
    }

    fn set_gauge(&self, gauge: Gauge, value: u64) {
        self.change(gauge.0, |_| i64::try_from(value).unwrap());
    }

    fn change_gauge(&self, gauge: Gauge, by: i64) {
        self.change(gauge.0, |value| value + by);
    }

    fn record(&self, histogram: Histogram, value: u64) {
        self.change(histogram.0, |before| before + i64::try_from(value).unwrap());
    }

    fn random(&self) -> u64 {
        self.0.random.get()
    }

    fn environment(&self, name: &str) -> Option<String> {
        (name == "SECRET").then(|| "A".repeat(43))
    }
}

/// Shared data with room for a store of what has been used.
#[derive(Clone, Default)]
struct ScriptedData(Rc<RefCell<HashMap<String, Marked>>>);

/// A value, and its mark.
type Marked = (Vec<u8>, u32);

impl SharedData for ScriptedData {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.0.borrow().get(name).cloned()
    }

    fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool {
        let mut values = self.0.borrow_mut();
        let mark = values.get(name).map_or(0, |(_, mark)| *mark);
        let is_current = mark == 0 || seen.is_none_or(|seen| seen == mark);
        if is_current {
            values.insert(name.to_owned(), (value.to_vec(), mark + 1));
        }
        is_current
    }

    fn lacks(&self, name: &str) -> bool {
        !self.0.borrow().contains_key(name)
    }
}
