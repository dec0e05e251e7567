//! Requirements beside routes: the route's metadata, read key by key, and the configuration of the filter for the route.

use super::bindings::{
    Buffer, FilterPtr, ROUTE_METADATA, envoy_dynamic_module_callback_get_most_specific_route_config,
    envoy_dynamic_module_callback_http_get_metadata_bool, envoy_dynamic_module_callback_http_get_metadata_keys,
    envoy_dynamic_module_callback_http_get_metadata_keys_count,
    envoy_dynamic_module_callback_http_get_metadata_list_bool,
    envoy_dynamic_module_callback_http_get_metadata_list_number,
    envoy_dynamic_module_callback_http_get_metadata_list_size,
    envoy_dynamic_module_callback_http_get_metadata_list_string,
    envoy_dynamic_module_callback_http_get_metadata_number, envoy_dynamic_module_callback_http_get_metadata_string,
};
use crate::config::{METADATA_NAMESPACE, Node, Tree, as_metadata, number_tree};
use crate::shell::Failure;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_void;
use std::sync::{PoisonError, RwLock};

/// A requirement that the operator has written as the filter's configuration for a route or a virtual host.
#[derive(Debug)]
pub struct RouteConfiguration {
    /// As metadata of a route that says the same.
    pub metadata: Vec<u8>,
}

/// The configurations of routes that there are. Envoy hands over whatever a route has for the filter, also what another module has
/// made.
static OURS: RwLock<BTreeSet<usize>> = RwLock::new(BTreeSet::new());

/// Metadata that cannot be read: the number of `proxy_status_t` for what is not offered.
const UNREADABLE: Failure = Failure(12);

/// What a value of metadata is. Envoy logs an error when it is asked for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Flag,
    Number,
    List,
}

const KINDS: [Kind; 4] = [Kind::Text, Kind::Flag, Kind::List, Kind::Number];
/// The fields of requirements that are not text, for the first question about each.
const FLAGS: [&str; 5] = ["allow_missing", "deny", "public", "report_only", "single_use"];
const LISTS: [&str; 8] =
    ["acr_values", "audiences", "claims", "credentials", "issuers", "jwt_allowed_in", "scopes", "token_types"];

thread_local! {
    /// What each value was when it was read last, and which of them the log has been told of.
    static SEEN: RefCell<BTreeMap<String, (Kind, bool)>> = const { RefCell::new(BTreeMap::new()) };
    /// Whether the log has been told of a route with two requirements.
    static TOLD_OF_TWO: Cell<bool> = const { Cell::new(false) };
}

/// The most keys that are remembered: they come from the operator.
const MOST_KEYS: usize = 256;

impl RouteConfiguration {
    /// Hands it to Envoy.
    pub fn leak(self) -> *const c_void {
        let pointer = Box::into_raw(Box::new(self)).cast_const().cast::<c_void>();
        OURS.write().unwrap_or_else(PoisonError::into_inner).insert(pointer.addr());
        pointer
    }

    /// Takes it back, once Envoy holds it no more. What is not ours is left alone.
    pub fn take_back(pointer: *const c_void) {
        if OURS.write().unwrap_or_else(PoisonError::into_inner).remove(&pointer.addr()) {
            // SAFETY: it was made by `leak`, and is taken out of the set once.
            drop(unsafe { Box::from_raw(pointer.cast_mut().cast::<Self>()) });
        }
    }

    /// What a stream's route has for the filter, as metadata.
    fn of(filter: FilterPtr) -> Result<Option<Vec<u8>>, Failure> {
        // SAFETY: the stream is there.
        let pointer = unsafe { envoy_dynamic_module_callback_get_most_specific_route_config(filter) };
        if pointer.is_null() {
            return Ok(None);
        }
        let ours = OURS.read().unwrap_or_else(PoisonError::into_inner);
        if !ours.contains(&pointer.addr()) {
            return Err(UNREADABLE);
        }
        // SAFETY: it was made by `leak`, and is not taken back while the set is read.
        let own = unsafe { pointer.cast::<Self>().as_ref() };
        Ok(own.map(|own| own.metadata.clone()))
    }
}

/// The requirement of a stream's route, as serialised metadata; `None` where it has none.
pub fn metadata(filter: FilterPtr) -> Result<Option<Vec<u8>>, Failure> {
    let configuration = RouteConfiguration::of(filter)?;
    let namespace = Buffer::of(METADATA_NAMESPACE.as_bytes());
    // SAFETY: the stream is there, and the buffer is of a live value.
    let count =
        unsafe { envoy_dynamic_module_callback_http_get_metadata_keys_count(filter, ROUTE_METADATA, namespace) };
    match (configuration, count) {
        (configuration, 0) => Ok(configuration),
        (Some(_), _) => {
            if !TOLD_OF_TWO.replace(true) {
                log::error!(
                    "scopegate: a route has a requirement in its metadata and in its configuration for the filter, its \
                     requests are refused"
                );
            }
            Err(UNREADABLE)
        }
        (None, count) => read(filter, namespace, count).map(Some),
    }
}

fn read(filter: FilterPtr, namespace: Buffer, count: usize) -> Result<Vec<u8>, Failure> {
    let mut keys = vec![Buffer::NONE; count];
    let room = keys.as_mut_ptr();
    // SAFETY: there is room for as many keys as Envoy has just counted.
    let read = unsafe { envoy_dynamic_module_callback_http_get_metadata_keys(filter, ROUTE_METADATA, namespace, room) };
    if !read {
        return Err(UNREADABLE);
    }
    let mut members = Vec::with_capacity(count);
    for key in keys {
        // SAFETY: Envoy has filled it in, and no setter is called here.
        let name = String::from_utf8(unsafe { key.bytes() }.to_vec()).map_err(|_| UNREADABLE)?;
        let value = Entry { filter, namespace, key }.read(&name).ok_or(UNREADABLE)?;
        members.push((name, value));
    }
    Ok(as_metadata(&Tree::Object(members).into()))
}

/// One member of the metadata.
struct Entry {
    filter: FilterPtr,
    namespace: Buffer,
    key: Buffer,
}

// SAFETY of all calls: the stream is there, the key is Envoy's and no setter is called, and results go to live variables.
impl Entry {
    /// The value, asked for as what it was before.
    fn read(&self, name: &str) -> Option<Node> {
        let (first, is_told) = SEEN.with_borrow(|seen| seen.get(name).copied()).unwrap_or((guess(name), false));
        let rest = KINDS.into_iter().filter(|kind| *kind != first);
        let found = [first].into_iter().chain(rest).find_map(|kind| self.as_kind(kind).map(|value| (kind, value)));
        if found.is_none() && !is_told {
            log::error!(
                "scopegate: {name} in a route's metadata is an object or null, which Envoy does not hand over: write the \
                 requirement as the filter's configuration for the route"
            );
        }
        let kind = found.as_ref().map_or(first, |(kind, _)| *kind);
        if kind != guess(name) || found.is_none() {
            SEEN.with_borrow_mut(|seen| {
                if seen.len() < MOST_KEYS || seen.contains_key(name) {
                    seen.insert(name.to_owned(), (kind, is_told || found.is_none()));
                }
            });
        }
        found.map(|(_, value)| value)
    }

    fn as_kind(&self, kind: Kind) -> Option<Node> {
        let &Self { filter, namespace, key } = self;
        let (mut text, mut flag, mut number, mut size) = (Buffer::NONE, false, 0.0, 0);
        let source = ROUTE_METADATA;
        // SAFETY: see above.
        unsafe {
            match kind {
                Kind::Text => envoy_dynamic_module_callback_http_get_metadata_string(
                    filter,
                    source,
                    namespace,
                    key,
                    &raw mut text,
                )
                .then(|| node_of_text(text))?,
                Kind::Flag => {
                    envoy_dynamic_module_callback_http_get_metadata_bool(filter, source, namespace, key, &raw mut flag)
                        .then(|| Tree::Bool(flag).into())
                }
                Kind::Number => envoy_dynamic_module_callback_http_get_metadata_number(
                    filter,
                    source,
                    namespace,
                    key,
                    &raw mut number,
                )
                .then(|| number_tree(number).into()),
                Kind::List => {
                    let list = envoy_dynamic_module_callback_http_get_metadata_list_size(
                        filter,
                        source,
                        namespace,
                        key,
                        &raw mut size,
                    );
                    let items: Option<Vec<Node>> = (0..size).map(|index| self.item(index)).collect();
                    list.then(|| Some(Tree::List(items?).into()))?
                }
            }
        }
    }

    fn item(&self, index: usize) -> Option<Node> {
        let &Self { filter, namespace, key } = self;
        let (mut text, mut flag, mut number) = (Buffer::NONE, false, 0.0);
        let source = ROUTE_METADATA;
        // SAFETY: see above.
        unsafe {
            if envoy_dynamic_module_callback_http_get_metadata_list_string(
                filter,
                source,
                namespace,
                key,
                index,
                &raw mut text,
            ) {
                return node_of_text(text);
            }
            if envoy_dynamic_module_callback_http_get_metadata_list_bool(
                filter,
                source,
                namespace,
                key,
                index,
                &raw mut flag,
            ) {
                return Some(Tree::Bool(flag).into());
            }
            envoy_dynamic_module_callback_http_get_metadata_list_number(
                filter,
                source,
                namespace,
                key,
                index,
                &raw mut number,
            )
            .then(|| number_tree(number).into())
        }
    }
}

/// What a field of a requirement is, by its name.
fn guess(name: &str) -> Kind {
    match name {
        _ if FLAGS.contains(&name) => Kind::Flag,
        _ if LISTS.contains(&name) => Kind::List,
        _ => Kind::Text,
    }
}

fn node_of_text(text: Buffer) -> Option<Node> {
    // SAFETY: Envoy has just filled it in, and no setter is called here.
    String::from_utf8(unsafe { text.bytes() }.to_vec()).ok().map(|text| Tree::Text(text).into())
}
