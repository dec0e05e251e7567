//! Reads a request.

use super::super::host::{Host, Map, Result};
use super::super::metadata_cache::Parsed;
use super::Gate;
use super::message::BodyRead;
use super::response::AwaitedResponse;
use super::signed_body::PassingBody;
use crate::base::text::shown;
use crate::decision::Need;
use crate::facts::{Awaited, AwaitedNeeds, Introspected, MetadataSource, TokenName};
use crate::policy::Uses;
use crate::replay_store::RequestClaims;
use crate::sightings::RequestSightings;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A request, with everything needed to judge it again.
pub struct StreamRequest {
    pub(super) context: u32,
    /// The header map as the host serialised it. Freed once the request is decided, since there may be many long
    /// streams.
    pub(super) headers: RefCell<Vec<u8>>,
    pub(super) route_name: Option<String>,
    pub(super) virtual_host: Option<String>,
    pub(super) metadata: Parsed,
    pub(super) metadata_source: MetadataSource,
    pub(super) ends_with_headers: bool,
    pub(super) state: Cell<RequestState>,
    /// The results of its waits: each kind of need is awaited once.
    pub(super) awaited: Cell<AwaitedNeeds>,
    /// What it has claimed for its fleet.
    pub(super) claims: RequestClaims,
    /// What its client has been counted as.
    pub(super) sightings: RequestSightings,
    /// What the issuer of its opaque token has said to it.
    pub(super) introspected: RefCell<Option<(TokenName, Introspected)>>,
    /// Its body, where it is judged.
    pub(super) body: BodyRead,
    /// What is done with its response, from when it goes on until the response is here; `None`: nothing.
    pub(super) response: RefCell<Option<Box<AwaitedResponse>>>,
    /// Its body, from when it goes on until all of it is here; `None`: it may be any.
    pub(super) signed: RefCell<Option<Box<PassingBody>>>,
}

/// The state of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// It has not been decided, and nothing of it may go upstream.
    Undecided,
    /// Its headers have gone on, and its body may not before it is judged.
    Listening,
    /// It goes on.
    Passed,
    /// It has been answered here.
    Answered,
}

/// The progress of a stream's request, and what is kept of it.
#[derive(Clone)]
pub enum Progress {
    /// It is decided, or refused for good: nothing of the request is kept.
    Decided(RequestState),
    /// It waits, or has waited, or something is done with its response or its body.
    Waiting(Rc<StreamRequest>),
}

impl Progress {
    /// The state of the request.
    pub fn state(&self) -> RequestState {
        match self {
            Self::Decided(state) => *state,
            Self::Waiting(request) => request.state.get(),
        }
    }
}

impl StreamRequest {
    /// A request that the host did not let us read.
    pub(super) fn unread(context: u32) -> Self {
        Self {
            context,
            headers: RefCell::default(),
            route_name: None,
            virtual_host: None,
            metadata: Parsed::Nothing,
            metadata_source: MetadataSource::Route,
            ends_with_headers: true,
            state: Cell::new(RequestState::Undecided),
            awaited: Cell::default(),
            claims: RequestClaims::default(),
            sightings: RequestSightings::default(),
            introspected: RefCell::default(),
            body: BodyRead::default(),
            response: RefCell::default(),
            signed: RefCell::default(),
        }
    }

    /// Whether something is kept of it once it has gone on.
    pub(super) fn is_kept(&self) -> bool {
        self.awaits_response() || self.signed.borrow().is_some()
    }

    /// Whether nothing is kept of it, since it is decided.
    pub fn is_settled(&self) -> bool {
        matches!(self.state.get(), RequestState::Passed | RequestState::Answered) && !self.is_kept()
    }

    /// Whether its body may be judged.
    #[cfg(feature = "module")]
    pub fn reads_body(&self) -> bool {
        self.body.wanted.get().is_some()
    }

    /// Notes the result of a wait.
    pub(super) fn note(&self, need: &Need, awaited: Awaited) {
        self.awaited.set(self.awaited.get().with(need.kind(), awaited));
    }
}

impl<H: Host> Gate<H> {
    /// Reads what the policy uses of a request.
    pub(super) fn read_request(&self, context: u32, ends_with_headers: bool) -> Result<StreamRequest> {
        let headers = self.host.header_map(Map::RequestHeaders)?;
        let name = |path: &[&str]| -> Result<Option<String>> {
            if !self.policy.uses.has(Uses::ROUTE_NAMES) {
                return Ok(None);
            }
            Ok(self.host.property(path)?.and_then(|bytes| String::from_utf8(bytes).ok()))
        };
        let (metadata_source, metadata) = self.read_metadata();
        Ok(StreamRequest {
            context,
            headers: RefCell::new(headers),
            route_name: name(&["xds", "route_name"])?,
            virtual_host: name(&["xds", "virtual_host_name"])?,
            metadata,
            metadata_source,
            ends_with_headers,
            state: Cell::new(RequestState::Undecided),
            awaited: Cell::default(),
            claims: RequestClaims::default(),
            sightings: RequestSightings::default(),
            introspected: RefCell::default(),
            body: BodyRead::default(),
            response: RefCell::default(),
            signed: RefCell::default(),
        })
    }

    /// The requirement in route metadata, else that in virtual host metadata.
    fn read_metadata(&self) -> (MetadataSource, Parsed) {
        if !self.policy.uses.has(Uses::METADATA) {
            return (MetadataSource::Route, Parsed::Nothing);
        }
        let sources = [
            (MetadataSource::Route, "route_metadata", "route_name"),
            (MetadataSource::VirtualHost, "virtual_host_metadata", "virtual_host_name"),
        ];
        for ((whose, source, holder), expects) in sources.into_iter().zip(&self.expects_metadata) {
            // Where the last request had none, this one is likely to have none, and asking for that alone costs less.
            if !expects.get() && self.host.lacks_metadata(source) {
                continue;
            }
            let named = || format!("{source} of {}", self.name_of(holder));
            let parsed = match self.host.property(&["xds", source]) {
                Ok(None) => Parsed::Nothing,
                Ok(Some(bytes)) => {
                    self.metadata.parse(bytes, &self.policy, &|name| self.host.environment(name), |error| {
                        log::error!("scopegate: {} cannot be read, its requests are refused: {error}", named());
                    })
                }
                Err(failure) => {
                    if !self.told_unreadable.replace(true) {
                        log::error!(
                            "scopegate: {} cannot be read, its requests are refused: status {}",
                            named(),
                            failure.0
                        );
                    }
                    Parsed::Unreadable
                }
            };
            let has_some = !matches!(parsed, Parsed::Nothing);
            expects.set(has_some);
            if has_some {
                return (whose, parsed);
            }
        }
        (MetadataSource::Route, Parsed::Nothing)
    }

    /// The name of the route or the virtual host, for the log.
    fn name_of(&self, property: &str) -> String {
        let name = self.host.property(&["xds", property]).ok().flatten().unwrap_or_default();
        if name.is_empty() { "a route without a name".to_owned() } else { shown(&name) }
    }
}
