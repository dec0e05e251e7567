//! One request: holds it while it is undecided, and lets it go or answers it.

use super::gate::{Gate, Progress, State};
use super::host::{self, Map};
use super::pairs;
use crate::challenge::Reply;
use std::rc::Rc;

/// A request stream.
#[derive(Clone)]
pub struct Stream {
    plugin: Option<Rc<Gate>>,
    progress: Progress,
}

impl Stream {
    /// A stream of a configured plugin. Without a configuration it refuses everything.
    pub const fn new(plugin: Option<Rc<Gate>>) -> Self {
        Self { plugin, progress: Progress::Decided(State::Undecided) }
    }

    /// The configured plugin.
    pub fn plugin(&self) -> Option<Rc<Gate>> {
        self.plugin.clone()
    }

    /// Remembers how far the request has come.
    pub fn set_progress(&mut self, progress: Progress) {
        self.progress = progress;
    }

    /// How far the request has come.
    pub fn state(&self) -> State {
        self.progress.state()
    }
}

/// The headers are here: judges the request. Returns how far that has come.
pub fn on_headers(plugin: Option<&Gate>, context: u32, ends_with_headers: bool) -> Progress {
    let Some(plugin) = plugin else { return refuse("no configuration") };
    match plugin.read_request(context, ends_with_headers) {
        Ok(request) => plugin.on_request(request),
        Err(failure) => {
            log::error!("scopegate: the request cannot be read: status {}", failure.0);
            refuse("the request cannot be read")
        }
    }
}

/// The trailers are here. They carry no identity either: removes such headers, and returns whether that could be done.
pub fn on_trailers(plugin: Option<&Gate>) -> bool {
    plugin.is_none_or(|plugin| !plugin.has_identity_headers() || strip_trailers(plugin))
}

/// Removes identity headers from the trailers. Returns whether that could be done.
fn strip_trailers(plugin: &Gate) -> bool {
    let Ok(map) = host::header_map(Map::RequestTrailers) else { return false };
    let Some(lines) = pairs::parse(&map) else { return false };
    lines.iter().filter(|(name, _)| plugin.is_identity_header(name)).all(|(name, _)| {
        std::str::from_utf8(name).is_ok_and(|name| host::remove_header(Map::RequestTrailers, name).is_ok())
    })
}

/// Refuses a request that cannot be judged.
fn refuse(why: &str) -> Progress {
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
    Progress::Decided(State::Undecided)
}
