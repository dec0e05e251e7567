//! The proxy-wasm ABI: from the SDK's callbacks to ours. No decisions.

use super::plugin::Plugin;
use super::stream::Stream;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use std::rc::Rc;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|context| Box::new(Root { context, plugin: None }));
}}

struct Root {
    context: u32,
    plugin: Option<Rc<Plugin>>,
}

impl Drop for Root {
    fn drop(&mut self) {
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
        self.plugin = Plugin::configure(self.context).map(Rc::new);
        self.plugin.is_some()
    }

    fn on_tick(&mut self) {
        if let Some(plugin) = &self.plugin {
            plugin.tick();
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(context, self.plugin.clone())))
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        action(self.on_headers(end_of_stream))
    }

    fn on_http_request_body(&mut self, _size: usize, _end_of_stream: bool) -> Action {
        action(self.on_body())
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        action(self.on_trailers())
    }
}

const fn action(goes_on: bool) -> Action {
    if goes_on { Action::Continue } else { Action::Pause }
}
