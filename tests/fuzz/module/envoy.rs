//! A scripted Envoy: the functions of `abi.h` that the native module imports.
//!
//! Each stream, configuration and scheduler is an allocation of its own, which is freed when Envoy's object would be. What is
//! handed over lies in allocations that are freed as soon as Envoy may reuse them. So AddressSanitizer sees a pointer that the
//! module keeps for too long.

use super::hooks;
use super::plan::{During, Sent};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Buffer {
    pub data: *const u8,
    pub length: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Header {
    name: *const u8,
    name_length: usize,
    value: *const u8,
    value_length: usize,
}

pub type Line = (Box<[u8]>, Box<[u8]>);

impl Buffer {
    pub const fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), length: bytes.len() }
    }

    pub fn bytes<'b>(self) -> &'b [u8] {
        // SAFETY: the module passes buffers that are good while the call runs.
        if self.length == 0 { &[] } else { unsafe { std::slice::from_raw_parts(self.data, self.length) } }
    }
}

impl Header {
    pub fn of((name, value): &Line) -> Self {
        Self { name: name.as_ptr(), name_length: name.len(), value: value.as_ptr(), value_length: value.len() }
    }

    fn line(&self) -> Line {
        let name = Buffer { data: self.name, length: self.name_length };
        let value = Buffer { data: self.value, length: self.value_length };
        (name.bytes().into(), value.bytes().into())
    }
}

/// A stream of Envoy's.
pub struct Stream {
    pub number: u64,
    pub sent: Sent,
    /// What happens while Envoy answers, resumes or resets it.
    pub during: During,
    /// What the module gave for it.
    pub module: Cell<*const c_void>,
    /// The configuration of its route.
    pub route: *const c_void,
    pub is_destroyed: Cell<bool>,
    pub answered: Cell<u32>,
    maps: RefCell<[Vec<Line>; 3]>,
    /// Received and buffered, of the request and of the response.
    pub bodies: RefCell<[Vec<Box<[u8]>>; 4]>,
    /// The worker's queue of events.
    pub thread: usize,
}

/// A configuration of Envoy's.
pub struct Config {
    pub number: u64,
    has_clusters: bool,
    may_define: Cell<bool>,
}

/// A request that the module has sent.
pub struct Callout {
    pub config: u64,
    pub id: u64,
    pub cluster: String,
    pub body: Vec<u8>,
}

enum Scheduler {
    Stream { thread: usize, stream: u64 },
    Config(u64),
}

/// An event that a scheduler has committed, until its thread takes it.
pub struct Events {
    pub streams: [Vec<u64>; 2],
    pub configs: Vec<u64>,
}

pub static EVENTS: Mutex<Events> = Mutex::new(Events { streams: [Vec::new(), Vec::new()], configs: Vec::new() });
pub static CALLOUTS: Mutex<Vec<Callout>> = Mutex::new(Vec::new());
/// Schedulers that have not been deleted.
pub static SCHEDULERS: AtomicUsize = AtomicUsize::new(0);
/// Requests that went on, those of them that waited before, and requests that were answered.
pub static WENT_ON: AtomicUsize = AtomicUsize::new(0);
pub static RESUMED: AtomicUsize = AtomicUsize::new(0);
pub static ANSWERED: AtomicUsize = AtomicUsize::new(0);
static LAST: AtomicU64 = AtomicU64::new(0);

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn number() -> u64 {
    LAST.fetch_add(1, Ordering::Relaxed)
}

impl Config {
    pub fn new(has_clusters: bool) -> Box<Self> {
        Box::new(Self { number: number(), has_clusters, may_define: Cell::new(true) })
    }

    /// It has been loaded: nothing more is defined.
    pub fn loaded(&self) {
        self.may_define.set(false);
    }
}

impl Stream {
    pub fn new(sent: Sent, during: During, thread: usize, route: *const c_void) -> Box<Self> {
        Box::new(Self {
            number: number(),
            maps: RefCell::new([sent.headers(), Vec::new(), response()]),
            sent,
            during,
            module: Cell::new(std::ptr::null()),
            route,
            is_destroyed: Cell::new(false),
            answered: Cell::new(0),
            bodies: RefCell::default(),
            thread,
        })
    }

    pub const fn pointer(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// Part of a body comes. What came before is in the other buffer.
    pub fn receive(&self, of_response: bool, piece: &[u8]) {
        let mut bodies = self.bodies.borrow_mut();
        let received = if of_response { 2 } else { 0 };
        bodies[received] = vec![piece.into()];
    }

    /// The hook of that part has ended.
    pub fn end_of_part(&self, of_response: bool, is_buffered: bool) {
        let mut bodies = self.bodies.borrow_mut();
        let received = if of_response { 2 } else { 0 };
        let piece = std::mem::take(&mut bodies[received]);
        if is_buffered {
            bodies[received + 1].extend(piece);
        }
    }

    /// Whether the request goes on: nothing does that must not.
    pub fn goes_on(&self) {
        assert!(self.sent.may_pass(), "a request goes on that has to be refused: {:?}", self.sent);
        WENT_ON.fetch_add(1, Ordering::Relaxed);
    }
}

fn response() -> Vec<Line> {
    [(":status", "200"), ("content-type", "application/json")]
        .map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()))
        .into()
}

/// The stream that a call is about. Envoy has told the module when it destroyed one.
pub fn stream<'s>(filter: *mut c_void) -> &'s Stream {
    // SAFETY: if the module passes one that has been freed, this is what the sanitizer is to find.
    let stream: &Stream = unsafe { &*filter.cast::<Stream>() };
    assert!(!stream.is_destroyed.get(), "a call about a stream that has been destroyed");
    stream
}

fn config<'c>(pointer: *mut c_void) -> &'c Config {
    // SAFETY: as for `stream`.
    unsafe { &*pointer.cast::<Config>() }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_log(_level: u32, message: Buffer) {
    let text = String::from_utf8_lossy(message.bytes()).into_owned();
    assert!(!text.contains("a panic in"), "{text}");
    if std::env::var_os("SHOW_LOG").is_some() {
        eprintln!("{text}");
    }
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_log_enabled(_level: u32) -> bool {
    true
}

macro_rules! definitions {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(own: *mut c_void, name: Buffer, _: *const Buffer, _: usize, id: *mut usize) -> u32 {
            assert!(config(own).may_define.get() && !name.bytes().is_empty());
            // SAFETY: the module passes a live variable.
            unsafe { *id = 1 };
            0
        }
    )*};
}

definitions! {
    envoy_dynamic_module_callback_http_filter_config_define_counter
    envoy_dynamic_module_callback_http_filter_config_define_gauge
    envoy_dynamic_module_callback_http_filter_config_define_histogram
}

macro_rules! changes {
    ($check:ident: $($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(own: *mut c_void, id: usize, labels: *const Buffer, count: usize, _: u64) -> u32 {
            $check(own);
            assert_eq!(id, 1);
            // SAFETY: the module passes as many labels as it says.
            (0..count).for_each(|at| drop(unsafe { *labels.add(at) }.bytes().to_vec()));
            0
        }
    )*};
}

changes! { stream:
    envoy_dynamic_module_callback_http_filter_increment_counter
    envoy_dynamic_module_callback_http_filter_increment_gauge
    envoy_dynamic_module_callback_http_filter_decrement_gauge
    envoy_dynamic_module_callback_http_filter_set_gauge
    envoy_dynamic_module_callback_http_filter_record_histogram_value
}

changes! { config:
    envoy_dynamic_module_callback_http_filter_config_increment_counter
    envoy_dynamic_module_callback_http_filter_config_increment_gauge
    envoy_dynamic_module_callback_http_filter_config_decrement_gauge
    envoy_dynamic_module_callback_http_filter_config_set_gauge
    envoy_dynamic_module_callback_http_filter_config_record_histogram_value
}

fn new_scheduler(scheduler: Scheduler) -> *mut c_void {
    SCHEDULERS.fetch_add(1, Ordering::AcqRel);
    Box::into_raw(Box::new(scheduler)).cast()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_config_scheduler_new(own: *mut c_void) -> *mut c_void {
    new_scheduler(Scheduler::Config(config(own).number))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_scheduler_new(filter: *mut c_void) -> *mut c_void {
    let stream = stream(filter);
    new_scheduler(Scheduler::Stream { thread: stream.thread, stream: stream.number })
}

fn commit(scheduler: *mut c_void) {
    // SAFETY: as for `stream`.
    match unsafe { &*scheduler.cast::<Scheduler>() } {
        Scheduler::Stream { thread, stream } => lock(&EVENTS).streams[*thread].push(*stream),
        Scheduler::Config(config) => lock(&EVENTS).configs.push(*config),
    }
}

fn delete(scheduler: *mut c_void) {
    // SAFETY: the module deletes each once, which is what the sanitizer looks at.
    drop(unsafe { Box::from_raw(scheduler.cast::<Scheduler>()) });
    SCHEDULERS.fetch_sub(1, Ordering::AcqRel);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_config_scheduler_commit(scheduler: *mut c_void, _event: u64) {
    commit(scheduler);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_config_scheduler_delete(scheduler: *mut c_void) {
    delete(scheduler);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_scheduler_commit(scheduler: *mut c_void, _event: u64) {
    commit(scheduler);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_scheduler_delete(scheduler: *mut c_void) {
    delete(scheduler);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_config_http_callout(
    own: *mut c_void,
    id: *mut u64,
    cluster: Buffer,
    headers: *const Header,
    count: usize,
    body: Buffer,
    _timeout_ms: u64,
) -> u32 {
    let config = config(own);
    // SAFETY: the module passes as many lines as it says.
    (0..count).for_each(|at| drop(unsafe { &*headers.add(at) }.line()));
    if !config.has_clusters {
        return 2;
    }
    let number = number();
    let cluster = String::from_utf8_lossy(cluster.bytes()).into_owned();
    lock(&CALLOUTS).push(Callout { config: config.number, id: number, cluster, body: body.bytes().to_vec() });
    // SAFETY: the module passes a live variable.
    unsafe { *id = number };
    0
}

fn set(place: *mut Buffer, bytes: Option<&[u8]>) -> bool {
    // SAFETY: the module passes a live variable.
    bytes.map(|bytes| unsafe { *place = Buffer::of(bytes) }).is_some()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_header(
    filter: *mut c_void,
    map: u32,
    name: Buffer,
    value: *mut Buffer,
    index: usize,
    _count: *mut usize,
) -> bool {
    let maps = stream(filter).maps.borrow();
    let lines = &maps[map as usize];
    set(value, lines.iter().filter(|line| *line.0 == *name.bytes()).nth(index).map(|line| &*line.1))
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_headers_size(filter: *mut c_void, map: u32) -> usize {
    stream(filter).maps.borrow()[map as usize].len()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_headers(
    filter: *mut c_void,
    map: u32,
    headers: *mut Header,
) -> bool {
    for (at, line) in stream(filter).maps.borrow()[map as usize].iter().enumerate() {
        // SAFETY: the module has made room for as many lines as it was told.
        unsafe { *headers.add(at) = Header::of(line) };
    }
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_set_header(
    filter: *mut c_void,
    map: u32,
    name: Buffer,
    value: Buffer,
) -> bool {
    let (name, value) = (name.bytes(), (!value.data.is_null()).then(|| value.bytes()));
    let mut maps = stream(filter).maps.borrow_mut();
    let lines = &mut maps[map as usize];
    // All lines are copied, so that what was handed over before is freed.
    let mut copied: Vec<Line> = lines.iter().filter(|line| *line.0 != *name).cloned().collect();
    copied.extend(value.map(|value| (name.into(), value.into())));
    *lines = copied;
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_send_response(
    filter: *mut c_void,
    status: u32,
    headers: *const Header,
    count: usize,
    body: Buffer,
    details: Buffer,
) {
    let stream = stream(filter);
    assert!((200..600).contains(&status) && !details.bytes().is_empty());
    assert_ne!(details.bytes(), b"scopegate_internal_error", "a hook has failed");
    // SAFETY: the module passes as many lines as it says.
    (0..count).for_each(|at| drop(unsafe { &*headers.add(at) }.line()));
    drop(body.bytes().to_vec());
    stream.answered.set(stream.answered.get() + 1);
    ANSWERED.fetch_add(1, Ordering::Relaxed);
    assert_eq!(stream.answered.get(), 1, "a stream is answered once");
    hooks::during(stream);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_continue_decoding(filter: *mut c_void) {
    let stream = stream(filter);
    assert_eq!(stream.answered.get(), 0, "a stream goes on that has been answered");
    stream.goes_on();
    RESUMED.fetch_add(1, Ordering::Relaxed);
    hooks::during(stream);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_reset_stream(filter: *mut c_void, _: u32, _: Buffer) {
    hooks::during(stream(filter));
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_set_filter_state_bytes(
    filter: *mut c_void,
    key: Buffer,
    value: Buffer,
) -> bool {
    let _ = (stream(filter), key.bytes().to_vec(), value.bytes().to_vec());
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
    filter: *mut c_void,
    attribute: u32,
    value: *mut Buffer,
) -> bool {
    let _ = stream(filter);
    set(value, (attribute == 24).then_some(&b"127.0.0.1:1"[..]))
}
