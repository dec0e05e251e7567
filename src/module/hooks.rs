//! What Envoy calls, as its `abi.h` names it. Each hook catches a panic: a request is then answered with 500, and never goes on.
//!
//! A stream is known to Envoy by the number of its context, in the place of a pointer, so there is nothing to free.

use super::bindings::{Buffer, ConfigPtr, FilterPtr, Header, status};
use super::callouts::Answer;
use super::configuration::Configuration;
use super::log as envoy_log;
use super::route::RouteConfiguration;
use super::stream::{Body, Stream};
use super::worker::Worker;
use crate::config;
use crate::shell::{Action, Prepared, serialise_map};
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The version of the ABI. Envoy takes any, and warns where it is another than its own.
const ABI_VERSION: &std::ffi::CStr = c"v0.1.0";

/// Does the work of a hook; `None` if it panics, or at the end of the thread.
fn hook<R>(name: &str, work: impl FnOnce(&Worker) -> Option<R>) -> Option<R> {
    if let Ok(result) = catch_unwind(AssertUnwindSafe(|| Worker::with(work))) {
        return result;
    }
    let _ =
        catch_unwind(|| log::error!("scopegate: a panic in {name}; this is a defect of Scopegate, please report it"));
    None
}

/// Refuses a stream whose hook has failed.
fn refuse(filter: FilterPtr, module: *const c_void) {
    let context = context_of(module);
    hook("an answer", |worker| {
        // A stream that is over has been answered already.
        if !worker.is_over(context) {
            worker.end_stream(context);
            Stream(filter).answer(&Prepared {
                status: 500,
                headers: Vec::new(),
                body: "internal error\n".to_owned(),
                grpc_status: 13,
                details: "scopegate_internal_error".to_owned(),
            });
        }
        Some(())
    });
}

fn context_of(module: *const c_void) -> u32 {
    u32::try_from(module.addr()).unwrap_or(0)
}

/// A configuration of ours, by the pointer that Envoy holds.
///
/// # Safety
/// Envoy passes what [`envoy_dynamic_module_on_http_filter_config_new`] returned, before it destroys it.
unsafe fn configuration_of<'c>(module: *const c_void) -> Option<&'c Arc<Configuration>> {
    // SAFETY: by the contract above, it points to a boxed `Arc`.
    unsafe { module.cast::<Arc<Configuration>>().as_ref() }
}

/// # Safety
/// As [`Buffer::bytes`].
unsafe fn text_of(buffer: Buffer) -> Option<String> {
    // SAFETY: by the contract above.
    String::from_utf8(unsafe { buffer.bytes() }.to_vec()).ok()
}

#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_program_init() -> *const c_char {
    let _ = catch_unwind(envoy_log::begin);
    ABI_VERSION.as_ptr()
}

/// # Safety
/// Called by Envoy, with buffers that are good while this runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_new(
    envoy: ConfigPtr,
    name: Buffer,
    text: Buffer,
) -> *const c_void {
    // SAFETY: Envoy's buffers, and no setter is called.
    let (name, text) = unsafe { (text_of(name), text.bytes().to_vec()) };
    let made = hook("the start of a configuration", |worker| {
        worker.drop_ended();
        let configuration = Configuration::new(envoy, name?, text);
        let is_good = worker.begin_root(&configuration);
        let is_ready = is_good && {
            let defined = configuration.metrics.finish(envoy);
            if let Err(failure) = defined {
                log::error!("scopegate: this Envoy does not let metrics be defined: {}", failure.0);
            }
            worker.begin_timer(&configuration)
        };
        if !is_ready {
            configuration.end();
            worker.drop_ended();
            return None;
        }
        Some(configuration)
    });
    made.map_or(std::ptr::null(), |configuration| Box::into_raw(Box::new(configuration)).cast_const().cast())
}

/// # Safety
/// Called by Envoy, once, with what it got for the configuration.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_destroy(module: *const c_void) {
    if module.is_null() {
        return;
    }
    // SAFETY: by the contract above, the box is ours again.
    let configuration = unsafe { Box::from_raw(module.cast_mut().cast::<Arc<Configuration>>()) };
    let is_free = hook("the end of a configuration", |worker| {
        let is_main = configuration.is_main();
        if is_main {
            // While Envoy's object is still there: the gate gives up what it has begun.
            worker.end_root(&configuration);
        }
        configuration.end();
        worker.drop_ended();
        // On its own thread Envoy cancels what is under way. On another it would do so beside the main thread.
        Some(is_main || configuration.outbox.wait_for_answers())
    });
    if is_free != Some(true) {
        // The main thread may still hand an answer over.
        Box::leak(configuration);
    }
}

/// # Safety
/// Called by Envoy, with buffers that are good while this runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_new(
    name: Buffer,
    text: Buffer,
) -> *const c_void {
    // SAFETY: Envoy's buffers, and no setter is called.
    let (name, text) = unsafe { (text_of(name).unwrap_or_default(), text.bytes().to_vec()) };
    let made = hook("the configuration of a route", |_| match config::route_configuration(&text) {
        Ok(metadata) => Some(RouteConfiguration { metadata }),
        Err(error) => {
            log::error!("scopegate: the configuration of a route ({name}) is refused: {error}");
            None
        }
    });
    made.map_or(std::ptr::null(), RouteConfiguration::leak)
}

#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_http_filter_per_route_config_destroy(module: *const c_void) {
    RouteConfiguration::take_back(module);
}

/// # Safety
/// Called by Envoy with its own pointers. A null pointer closes the stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_new(
    module: *const c_void,
    filter: FilterPtr,
) -> *const c_void {
    // SAFETY: by the contract of Envoy.
    let configuration = unsafe { configuration_of(module) };
    let context = hook("the start of a stream", |worker| worker.begin_stream(configuration?, filter));
    context.and_then(|context| usize::try_from(context).ok()).map_or(std::ptr::null(), std::ptr::without_provenance)
}

#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_http_filter_request_headers(
    filter: FilterPtr,
    module: *const c_void,
    ends: bool,
) -> u32 {
    let context = context_of(module);
    let result = hook("the headers of a request", |worker| {
        worker.before_headers(context);
        let action = worker.on_stream(context, |own| own.on_request_headers(context, ends))?;
        let reads_body = action == Action::Pause && worker.on_stream(context, |own| own.reads_body(context))?;
        worker.after_request(context, action == Action::Pause);
        Some(match action {
            Action::Continue => status::CONTINUE,
            Action::Pause if ends || reads_body || worker.is_over(context) => status::STOP,
            Action::Pause => status::STOP_ALL_AND_WATERMARK,
        })
    });
    result.unwrap_or_else(|| {
        refuse(filter, module);
        status::STOP
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_http_filter_request_body(
    filter: FilterPtr,
    module: *const c_void,
    ends: bool,
) -> u32 {
    let context = context_of(module);
    let result = hook("the body of a request", |worker| {
        if worker.is_over(context) {
            return Some(Action::Pause);
        }
        let action = worker.on_body(context, Body::Request, |own, size| own.on_request_body(context, size, ends))?;
        worker.after_request(context, action == Action::Pause);
        Some(action)
    });
    after_body(filter, module, result)
}

#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_http_filter_request_trailers(
    filter: FilterPtr,
    module: *const c_void,
) -> u32 {
    let context = context_of(module);
    let result = hook("the trailers of a request", |worker| {
        if worker.is_over(context) {
            return Some(Action::Pause);
        }
        let action = worker.on_stream(context, |own| own.on_request_trailers(context))?;
        worker.after_request(context, action == Action::Pause);
        Some(action)
    });
    after_part(filter, module, result, status::STOP)
}

#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_http_filter_response_headers(
    filter: FilterPtr,
    module: *const c_void,
    ends: bool,
) -> u32 {
    let context = context_of(module);
    let result = hook("the headers of a response", |worker| {
        on_response(worker, context, || worker.on_stream(context, |own| own.on_response_headers(context, ends)))
    });
    after_part(filter, module, result, status::STOP)
}

#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_http_filter_response_body(
    filter: FilterPtr,
    module: *const c_void,
    ends: bool,
) -> u32 {
    let context = context_of(module);
    let result = hook("the body of a response", |worker| {
        let result = on_response(worker, context, || {
            worker.on_body(context, Body::Response, |own, size| own.on_response_body(context, size, ends))
        });
        if !ends {
            worker.after_response(context);
        }
        result
    });
    after_body(filter, module, result)
}

#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_http_filter_response_trailers(
    filter: FilterPtr,
    module: *const c_void,
) -> u32 {
    let context = context_of(module);
    let result = hook("the trailers of a response", |worker| {
        on_response(worker, context, || {
            worker.on_stream(context, |own| own.on_response_trailers(context)).map(|()| Action::Continue)
        })
    });
    after_part(filter, module, result, status::STOP)
}

/// Does the work for a response. Where nothing is to be done, Envoy is asked nothing.
fn on_response(worker: &Worker, context: u32, work: impl FnOnce() -> Option<Action>) -> Option<Action> {
    if worker.awaits_response(context) { work() } else { Some(Action::Continue) }
}

/// What is done with a part of a body.
fn after_body(filter: FilterPtr, module: *const c_void, result: Option<Action>) -> u32 {
    let is_over = hook("a body", |worker| Some(worker.is_over(context_of(module)))).unwrap_or(true);
    after_part(filter, module, result, if is_over { status::STOP_NO_BUFFER } else { status::STOP_AND_BUFFER })
}

fn after_part(filter: FilterPtr, module: *const c_void, result: Option<Action>, stop: u32) -> u32 {
    match result {
        Some(Action::Continue) => status::CONTINUE,
        Some(Action::Pause) => stop,
        None => {
            refuse(filter, module);
            stop
        }
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_http_filter_stream_complete(_filter: FilterPtr, _module: *const c_void) {}

#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_http_filter_destroy(module: *const c_void) {
    hook("the end of a stream", |worker| {
        worker.delete_stream(context_of(module));
        Some(())
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn envoy_dynamic_module_on_http_filter_scheduled(
    _filter: FilterPtr,
    module: *const c_void,
    _event: u64,
) {
    hook("a timer", |worker| {
        worker.on_scheduled(context_of(module));
        Some(())
    });
}

/// # Safety
/// Called by Envoy with its own pointers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_scheduled(
    _envoy: ConfigPtr,
    module: *const c_void,
    _event: u64,
) {
    // SAFETY: by the contract of Envoy.
    let configuration = unsafe { configuration_of(module) };
    hook("a timer of a configuration", |worker| {
        worker.on_config_scheduled(configuration?);
        Some(())
    });
}

/// # Safety
/// Called by Envoy with its own pointers, and with headers and pieces of a body that are good while this runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn envoy_dynamic_module_on_http_filter_config_http_callout_done(
    _envoy: ConfigPtr,
    module: *const c_void,
    id: u64,
    result: u32,
    headers: *const Header,
    header_count: usize,
    pieces: *const Buffer,
    piece_count: usize,
) {
    // SAFETY: by the contract of Envoy. Another thread that drops the configuration waits for this answer.
    let configuration = unsafe { configuration_of(module) }.cloned();
    let answer = if result == super::bindings::CALLOUT_ANSWERED && !headers.is_null() {
        // SAFETY: by the contract of Envoy; no setter is called here.
        unsafe {
            let lines: Vec<(&[u8], &[u8])> =
                std::slice::from_raw_parts(headers, header_count).iter().map(|header| header.line()).collect();
            let pieces = if pieces.is_null() { &[] } else { std::slice::from_raw_parts(pieces, piece_count) };
            let body: Vec<&[u8]> = pieces.iter().map(|piece| piece.bytes()).collect();
            Answer { token: 0, header_count, headers: serialise_map(&lines), body: body.concat() }
        }
    } else {
        Answer::default()
    };
    hook("the answer to a callout", |_| {
        configuration?.outbox.answered(id, answer);
        Some(())
    });
}

/// Hooks that Envoy wants to be there, for what this module never begins.
mod unused {
    use super::{Buffer, FilterPtr, Header, c_void};

    #[unsafe(no_mangle)]
    pub extern "C" fn envoy_dynamic_module_on_http_filter_http_callout_done(
        _filter: FilterPtr,
        _module: *const c_void,
        _id: u64,
        _result: u32,
        _headers: *const Header,
        _header_count: usize,
        _pieces: *const Buffer,
        _piece_count: usize,
    ) {
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_headers(
        _filter: FilterPtr,
        _module: *const c_void,
        _stream: u64,
        _headers: *const Header,
        _header_count: usize,
        _ends: bool,
    ) {
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_data(
        _filter: FilterPtr,
        _module: *const c_void,
        _stream: u64,
        _pieces: *const Buffer,
        _piece_count: usize,
        _ends: bool,
    ) {
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_trailers(
        _filter: FilterPtr,
        _module: *const c_void,
        _stream: u64,
        _trailers: *const Header,
        _trailer_count: usize,
    ) {
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_complete(
        _filter: FilterPtr,
        _module: *const c_void,
        _stream: u64,
    ) {
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn envoy_dynamic_module_on_http_filter_http_stream_reset(
        _filter: FilterPtr,
        _module: *const c_void,
        _stream: u64,
        _reason: u32,
    ) {
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn envoy_dynamic_module_on_http_filter_downstream_above_write_buffer_high_watermark(
        _filter: FilterPtr,
        _module: *const c_void,
    ) {
    }

    #[unsafe(no_mangle)]
    pub extern "C" fn envoy_dynamic_module_on_http_filter_downstream_below_write_buffer_low_watermark(
        _filter: FilterPtr,
        _module: *const c_void,
    ) {
    }
}
