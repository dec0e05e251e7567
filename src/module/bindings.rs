//! What Envoy offers a dynamic module, as declared in its `source/extensions/dynamic_modules/abi/abi.h`.
//!
//! Each entity is in Envoy 1.38.2, 1.39.3 and 1.40.0, but for [`Optional`], which says what it needs. The header's policy: what
//! has been released is not changed, and stays for at least four releases once it is deprecated. A test holds the list of
//! functions against what the library imports. Linked with `BIND_NOW`, a function that an Envoy lacks is a refusal when it
//! loads the library.
//!
//! Pointers to buffers of Envoy's are good until the hook ends or a setter is called.

use std::ffi::{CStr, c_char, c_void};
use std::sync::OnceLock;

/// `envoy_dynamic_module_type_envoy_buffer`, and `..._module_buffer`, which has the same form: bytes of Envoy's or ours.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Buffer {
    pub data: *const u8,
    pub length: usize,
}

/// `envoy_dynamic_module_type_envoy_http_header`, and `..._module_http_header`, which has the same form.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub name: *const u8,
    pub name_length: usize,
    pub value: *const u8,
    pub value_length: usize,
}

/// A `DynamicModuleHttpFilter` of Envoy's: one stream.
pub type FilterPtr = *mut c_void;
/// A `DynamicModuleHttpFilterConfig` of Envoy's.
pub type ConfigPtr = *mut c_void;
/// What wakes a stream on its thread, or a configuration on the main thread.
pub type SchedulerPtr = *mut c_void;

/// `envoy_dynamic_module_type_http_header_type`.
pub mod header_type {
    pub const REQUEST_HEADERS: u32 = 0;
    pub const REQUEST_TRAILERS: u32 = 1;
    pub const RESPONSE_HEADERS: u32 = 2;
}

/// `envoy_dynamic_module_type_http_body_type`.
pub mod body_type {
    pub const RECEIVED_REQUEST: u32 = 0;
    pub const BUFFERED_REQUEST: u32 = 1;
    pub const RECEIVED_RESPONSE: u32 = 2;
    pub const BUFFERED_RESPONSE: u32 = 3;
}

/// `envoy_dynamic_module_type_attribute_id`.
pub mod attribute {
    pub const SOURCE_ADDRESS: u32 = 24;
    pub const TLS_VERSION: u32 = 31;
    pub const DNS_SAN_PEER_CERTIFICATE: u32 = 35;
    pub const URI_SAN_PEER_CERTIFICATE: u32 = 37;
    pub const SHA256_PEER_CERTIFICATE_DIGEST: u32 = 38;
    pub const ROUTE_NAME: u32 = 61;
    pub const VIRTUAL_HOST_NAME: u32 = 63;
}

/// `envoy_dynamic_module_type_metadata_source_Route`.
pub const ROUTE_METADATA: u32 = 1;
/// `envoy_dynamic_module_type_http_callout_init_result_Success`, and that there is no such cluster.
pub const CALLOUT_SENT: u32 = 0;
pub const NO_CLUSTER: u32 = 2;
/// `envoy_dynamic_module_type_http_callout_result_Success`.
pub const CALLOUT_ANSWERED: u32 = 0;
/// `envoy_dynamic_module_type_metrics_result_Success`.
pub const METRIC_DONE: u32 = 0;
/// `envoy_dynamic_module_type_http_filter_stream_reset_reason_LocalReset`.
pub const LOCAL_RESET: u32 = 0;

/// `FilterHeadersStatus`, `FilterDataStatus` and `FilterTrailersStatus`, as the hooks return them.
pub mod status {
    pub const CONTINUE: u32 = 0;
    /// Of headers and trailers: no more goes on; more is handed over.
    pub const STOP: u32 = 1;
    /// Of headers: nothing more is handed over until the stream goes on.
    pub const STOP_ALL_AND_WATERMARK: u32 = 4;
    /// Of a body: what has come is kept.
    pub const STOP_AND_BUFFER: u32 = 1;
    /// Of a body: what has come is dropped.
    pub const STOP_NO_BUFFER: u32 = 3;
}

/// `envoy_dynamic_module_type_log_level`.
pub mod log_level {
    pub const DEBUG: u32 = 1;
    pub const INFO: u32 = 2;
    pub const WARN: u32 = 3;
    pub const ERROR: u32 = 4;
}

unsafe extern "C" {
    // Common.
    pub fn envoy_dynamic_module_callback_log(level: u32, message: Buffer);
    pub fn envoy_dynamic_module_callback_log_enabled(level: u32) -> bool;

    // Of a configuration.
    pub fn envoy_dynamic_module_callback_http_filter_config_define_counter(
        config: ConfigPtr,
        name: Buffer,
        labels: *const Buffer,
        labels_length: usize,
        id: *mut usize,
    ) -> u32;
    pub fn envoy_dynamic_module_callback_http_filter_config_define_gauge(
        config: ConfigPtr,
        name: Buffer,
        labels: *const Buffer,
        labels_length: usize,
        id: *mut usize,
    ) -> u32;
    pub fn envoy_dynamic_module_callback_http_filter_config_define_histogram(
        config: ConfigPtr,
        name: Buffer,
        labels: *const Buffer,
        labels_length: usize,
        id: *mut usize,
    ) -> u32;
    pub fn envoy_dynamic_module_callback_http_filter_config_scheduler_new(config: ConfigPtr) -> SchedulerPtr;
    pub fn envoy_dynamic_module_callback_http_filter_config_scheduler_commit(scheduler: SchedulerPtr, event: u64);
    pub fn envoy_dynamic_module_callback_http_filter_config_scheduler_delete(scheduler: SchedulerPtr);
    pub fn envoy_dynamic_module_callback_http_filter_config_http_callout(
        config: ConfigPtr,
        id: *mut u64,
        cluster: Buffer,
        headers: *const Header,
        headers_length: usize,
        body: Buffer,
        timeout_ms: u64,
    ) -> u32;

    // Of a stream.
    pub fn envoy_dynamic_module_callback_http_filter_increment_counter(
        filter: FilterPtr,
        id: usize,
        labels: *const Buffer,
        labels_length: usize,
        value: u64,
    ) -> u32;
    pub fn envoy_dynamic_module_callback_http_filter_increment_gauge(
        filter: FilterPtr,
        id: usize,
        labels: *const Buffer,
        labels_length: usize,
        value: u64,
    ) -> u32;
    pub fn envoy_dynamic_module_callback_http_filter_decrement_gauge(
        filter: FilterPtr,
        id: usize,
        labels: *const Buffer,
        labels_length: usize,
        value: u64,
    ) -> u32;
    pub fn envoy_dynamic_module_callback_http_filter_set_gauge(
        filter: FilterPtr,
        id: usize,
        labels: *const Buffer,
        labels_length: usize,
        value: u64,
    ) -> u32;
    pub fn envoy_dynamic_module_callback_http_filter_record_histogram_value(
        filter: FilterPtr,
        id: usize,
        labels: *const Buffer,
        labels_length: usize,
        value: u64,
    ) -> u32;
    pub fn envoy_dynamic_module_callback_http_get_header(
        filter: FilterPtr,
        map: u32,
        name: Buffer,
        value: *mut Buffer,
        index: usize,
        count: *mut usize,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_headers_size(filter: FilterPtr, map: u32) -> usize;
    pub fn envoy_dynamic_module_callback_http_get_headers(filter: FilterPtr, map: u32, headers: *mut Header) -> bool;
    pub fn envoy_dynamic_module_callback_http_set_header(
        filter: FilterPtr,
        map: u32,
        name: Buffer,
        value: Buffer,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_send_response(
        filter: FilterPtr,
        status: u32,
        headers: *const Header,
        headers_length: usize,
        body: Buffer,
        details: Buffer,
    );
    pub fn envoy_dynamic_module_callback_http_get_body_size(filter: FilterPtr, body: u32) -> usize;
    pub fn envoy_dynamic_module_callback_http_get_body_chunks_size(filter: FilterPtr, body: u32) -> usize;
    pub fn envoy_dynamic_module_callback_http_get_body_chunks(
        filter: FilterPtr,
        body: u32,
        chunks: *mut Buffer,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_append_body(filter: FilterPtr, body: u32, bytes: Buffer) -> bool;
    pub fn envoy_dynamic_module_callback_http_drain_body(filter: FilterPtr, body: u32, count: usize) -> bool;
    pub fn envoy_dynamic_module_callback_http_received_buffered_request_body(filter: FilterPtr) -> bool;
    pub fn envoy_dynamic_module_callback_http_received_buffered_response_body(filter: FilterPtr) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_keys_count(
        filter: FilterPtr,
        source: u32,
        namespace: Buffer,
    ) -> usize;
    pub fn envoy_dynamic_module_callback_http_get_metadata_keys(
        filter: FilterPtr,
        source: u32,
        namespace: Buffer,
        keys: *mut Buffer,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_string(
        filter: FilterPtr,
        source: u32,
        namespace: Buffer,
        key: Buffer,
        value: *mut Buffer,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_number(
        filter: FilterPtr,
        source: u32,
        namespace: Buffer,
        key: Buffer,
        value: *mut f64,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_bool(
        filter: FilterPtr,
        source: u32,
        namespace: Buffer,
        key: Buffer,
        value: *mut bool,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_list_size(
        filter: FilterPtr,
        source: u32,
        namespace: Buffer,
        key: Buffer,
        size: *mut usize,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_list_string(
        filter: FilterPtr,
        source: u32,
        namespace: Buffer,
        key: Buffer,
        index: usize,
        value: *mut Buffer,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_list_number(
        filter: FilterPtr,
        source: u32,
        namespace: Buffer,
        key: Buffer,
        index: usize,
        value: *mut f64,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_get_metadata_list_bool(
        filter: FilterPtr,
        source: u32,
        namespace: Buffer,
        key: Buffer,
        index: usize,
        value: *mut bool,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_set_filter_state_bytes(
        filter: FilterPtr,
        key: Buffer,
        value: Buffer,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_http_filter_get_attribute_string(
        filter: FilterPtr,
        attribute: u32,
        value: *mut Buffer,
    ) -> bool;
    pub fn envoy_dynamic_module_callback_get_most_specific_route_config(filter: FilterPtr) -> *const c_void;
    pub fn envoy_dynamic_module_callback_http_filter_continue_decoding(filter: FilterPtr);
    pub fn envoy_dynamic_module_callback_http_filter_reset_stream(filter: FilterPtr, reason: u32, details: Buffer);
    pub fn envoy_dynamic_module_callback_http_filter_scheduler_new(filter: FilterPtr) -> SchedulerPtr;
    pub fn envoy_dynamic_module_callback_http_filter_scheduler_commit(scheduler: SchedulerPtr, event: u64);
    pub fn envoy_dynamic_module_callback_http_filter_scheduler_delete(scheduler: SchedulerPtr);

    // Of the C library, for `Optional`.
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// A change of a metric by the main thread, which has no stream: `..._http_filter_config_<change>`.
pub type ChangeOfMetric = unsafe extern "C" fn(ConfigPtr, usize, *const Buffer, usize, u64) -> u32;

/// What some of these Envoys lack, looked for when the library is loaded: all of it is in 1.39.3.
#[derive(Clone, Copy, Debug)]
pub struct Optional {
    pub increment_counter: ChangeOfMetric,
    pub increment_gauge: ChangeOfMetric,
    pub decrement_gauge: ChangeOfMetric,
    pub set_gauge: ChangeOfMetric,
    pub record_histogram_value: ChangeOfMetric,
}

impl Optional {
    /// `None` where this Envoy lacks any of it, as 1.38 does.
    pub fn get() -> Option<&'static Self> {
        static FOUND: OnceLock<Option<Optional>> = OnceLock::new();
        FOUND.get_or_init(Self::find).as_ref()
    }

    fn find() -> Option<Self> {
        let find = |name: &CStr| {
            // SAFETY: the name ends with a NUL, and a null library means the whole process.
            let found = unsafe { dlsym(std::ptr::null_mut(), name.as_ptr()) };
            // SAFETY: the header declares all five with these parameters and this result.
            (!found.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, ChangeOfMetric>(found) })
        };
        Some(Self {
            increment_counter: find(c"envoy_dynamic_module_callback_http_filter_config_increment_counter")?,
            increment_gauge: find(c"envoy_dynamic_module_callback_http_filter_config_increment_gauge")?,
            decrement_gauge: find(c"envoy_dynamic_module_callback_http_filter_config_decrement_gauge")?,
            set_gauge: find(c"envoy_dynamic_module_callback_http_filter_config_set_gauge")?,
            record_histogram_value: find(c"envoy_dynamic_module_callback_http_filter_config_record_histogram_value")?,
        })
    }
}

impl Buffer {
    /// Nothing: for a value that is not there.
    pub const NONE: Self = Self { data: std::ptr::null(), length: 0 };

    /// These bytes, which the callee reads before it returns. Never a null pointer.
    pub const fn of(bytes: &[u8]) -> Self {
        Self { data: bytes.as_ptr(), length: bytes.len() }
    }

    /// The bytes of a buffer of Envoy's.
    ///
    /// # Safety
    /// Envoy has just filled it in, and no setter is called while the bytes are in use.
    pub const unsafe fn bytes<'b>(self) -> &'b [u8] {
        if self.data.is_null() || self.length == 0 {
            return &[];
        }
        // SAFETY: by the contract above, these bytes are Envoy's and stay as they are.
        unsafe { std::slice::from_raw_parts(self.data, self.length) }
    }
}

impl Header {
    /// A line of ours, which the callee reads before it returns.
    pub const fn of(name: &[u8], value: &[u8]) -> Self {
        Self { name: name.as_ptr(), name_length: name.len(), value: value.as_ptr(), value_length: value.len() }
    }

    /// Room for one that Envoy fills in.
    pub const EMPTY: Self = Self { name: std::ptr::null(), name_length: 0, value: std::ptr::null(), value_length: 0 };

    /// The name and the value of a line of Envoy's.
    ///
    /// # Safety
    /// As [`Buffer::bytes`].
    pub const unsafe fn line<'b>(self) -> (&'b [u8], &'b [u8]) {
        let name = Buffer { data: self.name, length: self.name_length };
        let value = Buffer { data: self.value, length: self.value_length };
        // SAFETY: by the contract above.
        unsafe { (name.bytes(), value.bytes()) }
    }
}
