//! One request: holds it while it is undecided, and lets it go or answers it.

use super::host::{self, Map};
use super::pairs;
use super::plugin::{Plugin, Request, State};
use crate::challenge::Reply;
use std::rc::Rc;

/// A request stream.
pub struct Stream {
    context: u32,
    plugin: Option<Rc<Plugin>>,
    request: Option<Rc<Request>>,
}

impl Stream {
    /// A stream of a configured plugin. Without a configuration it refuses everything.
    pub const fn new(context: u32, plugin: Option<Rc<Plugin>>) -> Self {
        Self { context, plugin, request: None }
    }

    /// The headers are here: judges the request. Returns whether it may go on.
    pub fn on_headers(&mut self, ends_with_headers: bool) -> bool {
        let Some(plugin) = &self.plugin else { return refuse("no configuration") };
        match plugin.read_request(self.context, ends_with_headers) {
            Ok(request) => {
                let request = Rc::new(request);
                let state = plugin.on_request(&request);
                self.request = Some(request);
                state == State::Passed
            }
            Err(failure) => {
                log::error!("scopegate: the request cannot be read: status {}", failure.0);
                refuse("the request cannot be read")
            }
        }
    }

    /// A part of the body is here. Returns whether it may go on: never while the request is undecided, whatever the
    /// host does with our pause at its headers.
    pub fn on_body(&self) -> bool {
        self.state() == State::Passed
    }

    /// The trailers are here. They carry no identity either.
    pub fn on_trailers(&self) -> bool {
        if let Some(plugin) = &self.plugin
            && plugin.has_identity_headers()
            && !strip_trailers(plugin)
        {
            return false;
        }
        self.state() == State::Passed
    }

    fn state(&self) -> State {
        self.request.as_ref().map_or(State::Undecided, |request| request.state())
    }
}

/// Removes identity headers from the trailers. Returns whether that could be done.
fn strip_trailers(plugin: &Plugin) -> bool {
    let Ok(map) = host::header_map(Map::RequestTrailers) else { return false };
    let Some(lines) = pairs::parse(&map) else { return false };
    lines.iter().filter(|(name, _)| plugin.is_identity_header(name)).all(|(name, _)| {
        std::str::from_utf8(name).is_ok_and(|name| host::remove_header(Map::RequestTrailers, name).is_ok())
    })
}

/// Refuses a request that cannot be judged.
fn refuse(why: &str) -> bool {
    let reply = Reply {
        status: 500,
        headers: vec![("cache-control", "no-store".to_owned())],
        body: String::new(),
        grpc_status: 13,
        details: "scopegate_host_failure".to_owned(),
    };
    if host::send_local_response(&reply.into()).is_err() {
        log::error!("scopegate: {why}, and that cannot be answered");
    }
    false
}
