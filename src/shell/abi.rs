//! The proxy-wasm ABI: from the host's calls to ours. No decisions.
//!
//! Root contexts, with their timers and fetches, are the SDK's. Streams are not: for each request the SDK looks its tables
//! through several times, and it panics when the host comes back in while a stream is busy, or names a context that it does
//! not know. So what concerns streams is exported here under names of our own, and takes the place of the SDK's exports
//! in the shipped module (tests/tools/unused.rs).
#![expect(unsafe_code, reason = "exported functions have their names without mangling, and the SDK's are foreign")]

use super::gate::{Gate, Progress, State};
use super::stream::{self, Stream};
use super::streams::Streams;
use proxy_wasm::traits::{Context, RootContext};
use proxy_wasm::types::LogLevel;
use std::cell::RefCell;
use std::rc::Rc;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|context| Box::new(Root { context, plugin: None }));
}}

thread_local! {
    /// The plugins of this VM by their root contexts: one, or a few that share the VM.
    static PLUGINS: RefCell<Vec<(u32, Rc<Gate>)>> = const { RefCell::new(Vec::new()) };
    /// The root contexts of this VM, which the SDK knows.
    static ROOTS: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    static STREAMS: Streams<Stream> = Streams::default();
}

/// `proxy_action_t`.
const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;

mod sdk {
    unsafe extern "C" {
        pub safe fn proxy_on_context_create(context: u32, parent: u32);
        pub safe fn proxy_on_delete(context: u32);
    }
}

mod module {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        /// 1 in the module that exports the callbacks of responses, and 0 in the other. `make wasm` replaces this import by
        /// the answer (tests/tools/responses.rs), since a module cannot see its own exports.
        pub safe fn scopegate_responses() -> i32;
    }
}

struct Root {
    context: u32,
    plugin: Option<Rc<Gate>>,
}

impl Drop for Root {
    fn drop(&mut self) {
        forget(self.context);
        if let Some(plugin) = &self.plugin {
            plugin.give_up();
        }
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _trailers: usize) {
        if let Some(plugin) = &self.plugin {
            plugin.on_fetched(token, headers, body);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let ending = if module::scopegate_responses() == 0 { "" } else { "-full" };
        log::info!("scopegate: the module is scopegate{ending}.wasm");
        self.plugin = Gate::configure(self.context).map(Rc::new);
        forget(self.context);
        if let Some(plugin) = &self.plugin {
            PLUGINS.with_borrow_mut(|plugins| plugins.push((self.context, Rc::clone(plugin))));
        }
        self.plugin.is_some()
    }

    fn on_tick(&mut self) {
        if let Some(plugin) = &self.plugin {
            plugin.tick();
        }
    }
}

fn forget(root: u32) {
    let gone = PLUGINS.with_borrow_mut(|plugins| {
        let place = plugins.iter().position(|(context, _)| *context == root);
        place.map(|place| plugins.remove(place))
    });
    // Dropped once the list is free again.
    drop(gone);
}

/// The plugin of a root context. Without a configuration there is none.
fn plugin_of(root: u32) -> Option<Rc<Gate>> {
    PLUGINS.with_borrow(|plugins| {
        plugins.iter().find(|(context, _)| *context == root).map(|(_, plugin)| Rc::clone(plugin))
    })
}

/// A stream that begins below a root context.
fn stream_of(root: u32) -> Stream {
    Stream::new(plugin_of(root))
}

/// A context begins: a root context, which has no parent, or a stream.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_context_create(context: u32, parent: u32) {
    if parent == 0 {
        ROOTS.with_borrow_mut(|roots| roots.push(context));
        sdk::proxy_on_context_create(context, parent);
    } else {
        STREAMS.with(|streams| streams.begin(context, parent, stream_of));
    }
}

/// The headers of a request are here.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_request_headers(context: u32, _count: u32, ends_with_headers: u32) -> u32 {
    let ends_with_headers = ends_with_headers != 0;
    STREAMS.with(|streams| {
        let plugin = streams.take(context, stream_of).and_then(|stream| stream.plugin());
        // A body may come while we are still here: until then it is not decided.
        if !ends_with_headers {
            streams.insert(context, Stream::new(plugin.clone()));
        }
        let progress = stream::on_headers(plugin.as_deref(), context, ends_with_headers);
        let state = progress.state();
        if !ends_with_headers {
            streams.change(context, |stream| stream.set_progress(progress));
        } else if let Progress::Waiting(_) = progress {
            let mut stream = Stream::new(plugin);
            stream.set_progress(progress);
            streams.insert(context, stream);
        }
        action(state)
    })
}

/// A part of the body is here. It never goes on while the request is undecided, whatever the host does with our pause at
/// its headers.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_request_body(context: u32, _size: u32, _ends: u32) -> u32 {
    action(state(context))
}

/// The trailers are here.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_request_trailers(context: u32, _count: u32) -> u32 {
    let plugin = STREAMS.with(|streams| streams.look(context, Stream::plugin)).flatten();
    if stream::on_trailers(plugin.as_deref()) { action(state(context)) } else { PAUSE }
}

/// The headers of a response are here. Only the module `scopegate-full.wasm` exports what is called for responses.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_response_headers(_context: u32, _count: u32, _ends_with_headers: u32) -> u32 {
    CONTINUE
}

/// A part of the response's body is here.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_response_body(_context: u32, _size: u32, _ends: u32) -> u32 {
    CONTINUE
}

/// The trailers of a response are here.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_response_trailers(_context: u32, _count: u32) -> u32 {
    CONTINUE
}

/// A context ends.
#[unsafe(no_mangle)]
pub extern "C" fn scopegate_on_delete(context: u32) {
    let root = ROOTS.with_borrow_mut(|roots| {
        let place = roots.iter().position(|root| *root == context);
        place.map(|place| roots.swap_remove(place))
    });
    match root {
        Some(root) => sdk::proxy_on_delete(root),
        None => STREAMS.with(|streams| streams.remove(context)),
    }
}

/// How far a stream has come. One that is not known is not decided.
fn state(context: u32) -> State {
    STREAMS.with(|streams| streams.look(context, Stream::state)).unwrap_or(State::Undecided)
}

const fn action(state: State) -> u32 {
    match state {
        State::Passed => CONTINUE,
        State::Undecided | State::Answered => PAUSE,
    }
}
