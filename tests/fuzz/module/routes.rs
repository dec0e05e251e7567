//! What a route says for the gate: the configuration of the filter for it, and metadata with a list of scopes.

use super::envoy::{Buffer, stream};
use std::ffi::c_void;

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_metadata_keys_count(
    filter: *mut c_void,
    _: u32,
    _: Buffer,
) -> usize {
    usize::from(stream(filter).sent.has_metadata())
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_metadata_keys(
    _: *mut c_void,
    _: u32,
    _: Buffer,
    keys: *mut Buffer,
) -> bool {
    // SAFETY: the module has made room for one key.
    unsafe { *keys = Buffer::of(b"scopes") };
    true
}

macro_rules! never {
    ($($name:ident($($kind:ty),*);)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(_: *mut c_void, _: u32, _: Buffer, _: Buffer, $(_: $kind),*) -> bool {
            false
        }
    )*};
}

never! {
    envoy_dynamic_module_callback_http_get_metadata_string(*mut Buffer);
    envoy_dynamic_module_callback_http_get_metadata_number(*mut f64);
    envoy_dynamic_module_callback_http_get_metadata_bool(*mut bool);
    envoy_dynamic_module_callback_http_get_metadata_list_number(usize, *mut f64);
    envoy_dynamic_module_callback_http_get_metadata_list_bool(usize, *mut bool);
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_metadata_list_size(
    filter: *mut c_void,
    _: u32,
    _: Buffer,
    _: Buffer,
    size: *mut usize,
) -> bool {
    // SAFETY: the module passes a live variable.
    unsafe { *size = 1 };
    stream(filter).sent.has_metadata()
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_http_get_metadata_list_string(
    _: *mut c_void,
    _: u32,
    _: Buffer,
    _: Buffer,
    _: usize,
    value: *mut Buffer,
) -> bool {
    // SAFETY: the module passes a live variable.
    unsafe { *value = Buffer::of(b"orders:never") };
    true
}

#[unsafe(no_mangle)]
extern "C" fn envoy_dynamic_module_callback_get_most_specific_route_config(filter: *mut c_void) -> *const c_void {
    stream(filter).route
}
