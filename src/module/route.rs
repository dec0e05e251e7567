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

/// A requirement that the operator has written as the filter's configuration for a route or a virtual host.
#[derive(Debug)]
pub struct RouteConfiguration {
    /// As metadata of a route that says the same.
    pub metadata: Vec<u8>,
}

/// Metadata that cannot be read: the number of `proxy_status_t` for what is not offered.
const UNREADABLE: Failure = Failure(12);

/// The requirement of a stream's route, as serialised metadata; `None` where it has none.
pub fn metadata(filter: FilterPtr) -> Result<Option<Vec<u8>>, Failure> {
    // SAFETY: the stream is there.
    let configuration = unsafe { envoy_dynamic_module_callback_get_most_specific_route_config(filter) };
    // SAFETY: it is a pointer that we gave Envoy for a configuration, which lives as long as the route that holds it.
    let configuration = unsafe { configuration.cast::<RouteConfiguration>().as_ref() };
    let namespace = Buffer::of(METADATA_NAMESPACE.as_bytes());
    // SAFETY: the stream is there, and the buffer is of a live value.
    let count =
        unsafe { envoy_dynamic_module_callback_http_get_metadata_keys_count(filter, ROUTE_METADATA, namespace) };
    match (configuration, count) {
        (None, 0) => Ok(None),
        (Some(configuration), 0) => Ok(Some(configuration.metadata.clone())),
        (Some(_), _) => {
            log::error!("scopegate: a route has a requirement in its metadata and in its configuration for the filter");
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
        let value = Entry { filter, namespace, key }.value();
        let value = value.ok_or_else(|| {
            log::error!(
                "scopegate: {name} in a route's metadata is an object or null, which Envoy does not hand over: write the \
                 requirement as the filter's configuration for the route"
            );
            UNREADABLE
        })?;
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
    fn value(&self) -> Option<Node> {
        let &Self { filter, namespace, key } = self;
        let (mut text, mut flag, mut number, mut size) = (Buffer::NONE, false, 0.0, 0);
        // SAFETY: see above.
        unsafe {
            let source = ROUTE_METADATA;
            if envoy_dynamic_module_callback_http_get_metadata_string(filter, source, namespace, key, &raw mut text) {
                return node_of_text(text);
            }
            if envoy_dynamic_module_callback_http_get_metadata_bool(filter, source, namespace, key, &raw mut flag) {
                return Some(Tree::Bool(flag).into());
            }
            if envoy_dynamic_module_callback_http_get_metadata_number(filter, source, namespace, key, &raw mut number) {
                return Some(number_tree(number).into());
            }
            envoy_dynamic_module_callback_http_get_metadata_list_size(filter, source, namespace, key, &raw mut size)
                .then_some(())?;
        }
        let items: Option<Vec<Node>> = (0..size).map(|index| self.item(index)).collect();
        Some(Tree::List(items?).into())
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

fn node_of_text(text: Buffer) -> Option<Node> {
    // SAFETY: Envoy has just filled it in, and no setter is called here.
    String::from_utf8(unsafe { text.bytes() }.to_vec()).ok().map(|text| Tree::Text(text).into())
}
