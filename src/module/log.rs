//! From the `log` crate to Envoy's log, under the id `dynamic_modules`.

use super::bindings::{
    Buffer, envoy_dynamic_module_callback_log, envoy_dynamic_module_callback_log_enabled, log_level,
};
use log::{Level, LevelFilter, Log, Metadata, Record};

struct EnvoyLog;

/// Sends what is logged to Envoy.
pub fn begin() {
    if log::set_logger(&EnvoyLog).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

impl Log for EnvoyLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // SAFETY: takes no pointers.
        unsafe { envoy_dynamic_module_callback_log_enabled(number(metadata.level())) }
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let text = record.args().to_string();
            // SAFETY: the buffer is that of a live text.
            unsafe { envoy_dynamic_module_callback_log(number(record.level()), Buffer::of(text.as_bytes())) };
        }
    }

    fn flush(&self) {}
}

const fn number(level: Level) -> u32 {
    match level {
        Level::Error => log_level::ERROR,
        Level::Warn => log_level::WARN,
        Level::Info => log_level::INFO,
        Level::Debug | Level::Trace => log_level::DEBUG,
    }
}
