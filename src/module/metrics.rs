//! Metrics. Envoy lets them be defined while it loads a configuration, and not later; so those that a gate defines with the first
//! count, under names with parts in angle brackets, have labels of these names.

use super::bindings::{
    Buffer, ConfigPtr, FilterPtr, METRIC_DONE, Optional,
    envoy_dynamic_module_callback_http_filter_config_define_counter,
    envoy_dynamic_module_callback_http_filter_config_define_gauge,
    envoy_dynamic_module_callback_http_filter_config_define_histogram,
    envoy_dynamic_module_callback_http_filter_decrement_gauge,
    envoy_dynamic_module_callback_http_filter_increment_counter,
    envoy_dynamic_module_callback_http_filter_increment_gauge,
    envoy_dynamic_module_callback_http_filter_record_histogram_value,
    envoy_dynamic_module_callback_http_filter_set_gauge,
};
use crate::shell::{Failure, LATER_COUNTERS};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The most changes that wait for a thread with a stream, where the main thread cannot make them.
const MOST_WAITING: usize = 10_000;

/// What kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// What is done with one.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    Count,
    Raise,
    Lower,
    Set,
    Record,
}

/// A metric as a change names it.
#[derive(Clone, Debug)]
pub struct Metric {
    kind: Kind,
    name: Arc<str>,
    id: usize,
    labels: Vec<String>,
}

/// Changes under configurations that have ended, with the names of their filters: a configuration of that name makes them.
static ORPHANS: Mutex<Vec<(String, Change, Metric, u64)>> = Mutex::new(Vec::new());

/// Notes a change under a configuration that has ended.
pub fn orphan(filter: &str, change: Change, metric: &Metric, value: u64) {
    let mut orphans = ORPHANS.lock().unwrap_or_else(PoisonError::into_inner);
    if orphans.len() < MOST_WAITING {
        orphans.push((filter.to_owned(), change, metric.clone(), value));
    }
}

/// The metrics of a configuration.
#[derive(Debug, Default)]
pub struct Metrics {
    defined: Mutex<HashMap<(Kind, String), usize>>,
    /// Counters with labels: the name up to the first label.
    with_labels: OnceLock<Vec<(String, usize, usize)>>,
    /// Changes by the main thread, which this Envoy does not let it make.
    waiting: Mutex<Vec<(Change, Metric, u64)>>,
}

impl Metrics {
    /// Defines a metric, or finds the one that the main thread has defined.
    pub fn define(&self, envoy: Option<ConfigPtr>, kind: Kind, name: &str) -> Result<Metric, Failure> {
        let mut defined = self.defined.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&id) = defined.get(&(kind, name.to_owned())) {
            return Ok(Metric { kind, name: name.into(), id, labels: Vec::new() });
        }
        match (self.with_labels.get(), envoy) {
            (None, Some(envoy)) => {
                let id = define(envoy, kind, name, &[])?;
                defined.insert((kind, name.to_owned()), id);
                Ok(Metric { kind, name: name.into(), id, labels: Vec::new() })
            }
            (Some(with_labels), _) if kind == Kind::Counter => labelled(with_labels, name),
            _ => Err(Failure::BAD_ARGUMENT),
        }
    }

    /// Defines the counters with labels. After that nothing is defined.
    pub fn finish(&self, envoy: ConfigPtr) -> Result<(), Failure> {
        let mut with_labels = Vec::new();
        for template in LATER_COUNTERS {
            let (name, labels) = template.split_once(".<").ok_or(Failure::BAD_ARGUMENT)?;
            let labels: Vec<&str> = labels.split(".<").map(|label| label.trim_end_matches('>')).collect();
            let id = define(envoy, Kind::Counter, name, &labels)?;
            with_labels.push((format!("{name}."), labels.len(), id));
        }
        self.with_labels.set(with_labels).map_err(|_| Failure::BAD_ARGUMENT)
    }

    /// Notes a change that a thread with a stream is to make.
    pub fn leave(&self, change: Change, metric: &Metric, value: u64) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING {
            waiting.push((change, metric.clone(), value));
        }
    }

    /// Makes the changes of configurations of this filter that have ended. On the main thread.
    pub fn make_orphans(&self, envoy: ConfigPtr, filter: &str) {
        let ours: Vec<_> = {
            let mut orphans = ORPHANS.lock().unwrap_or_else(PoisonError::into_inner);
            orphans.extract_if(.., |(of, ..)| of == filter).collect()
        };
        for (_, change, metric, value) in ours {
            let Ok(metric) = self.define(None, metric.kind, &metric.name) else { continue };
            if !by_configuration(envoy, change, &metric, value) {
                self.leave(change, &metric, value);
            }
        }
    }

    /// Makes the changes that were left.
    pub fn make_left(&self, filter: FilterPtr) {
        let left = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        left.iter().for_each(|(change, metric, value)| by_stream(filter, *change, metric, *value));
    }
}

/// The counter of a name that was not known when the configuration was loaded.
fn labelled(with_labels: &[(String, usize, usize)], name: &str) -> Result<Metric, Failure> {
    for (before, count, id) in with_labels {
        if let Some(values) = name.strip_prefix(before) {
            let labels: Vec<String> = values.split('.').map(str::to_owned).collect();
            return if labels.len() == *count {
                Ok(Metric { kind: Kind::Counter, name: name.into(), id: *id, labels })
            } else {
                Err(Failure::BAD_ARGUMENT)
            };
        }
    }
    Err(Failure::BAD_ARGUMENT)
}

fn define(envoy: ConfigPtr, kind: Kind, name: &str, labels: &[&str]) -> Result<usize, Failure> {
    let define = match kind {
        Kind::Counter => envoy_dynamic_module_callback_http_filter_config_define_counter,
        Kind::Gauge => envoy_dynamic_module_callback_http_filter_config_define_gauge,
        Kind::Histogram => envoy_dynamic_module_callback_http_filter_config_define_histogram,
    };
    let labels: Vec<Buffer> = labels.iter().map(|label| Buffer::of(label.as_bytes())).collect();
    let mut id = 0;
    // SAFETY: Envoy is loading the configuration, so its object is there; all buffers are of live values.
    match unsafe { define(envoy, Buffer::of(name.as_bytes()), labels.as_ptr(), labels.len(), &raw mut id) } {
        METRIC_DONE => Ok(id),
        other => Err(Failure(other)),
    }
}

/// Changes a metric by way of a stream.
pub fn by_stream(filter: FilterPtr, change: Change, metric: &Metric, value: u64) {
    let change = match change {
        Change::Count => envoy_dynamic_module_callback_http_filter_increment_counter,
        Change::Raise => envoy_dynamic_module_callback_http_filter_increment_gauge,
        Change::Lower => envoy_dynamic_module_callback_http_filter_decrement_gauge,
        Change::Set => envoy_dynamic_module_callback_http_filter_set_gauge,
        Change::Record => envoy_dynamic_module_callback_http_filter_record_histogram_value,
    };
    let labels: Vec<Buffer> = metric.labels.iter().map(|label| Buffer::of(label.as_bytes())).collect();
    // SAFETY: the stream is there, since it is in the table of its thread; all buffers are of live values.
    unsafe { change(filter, metric.id, labels.as_ptr(), labels.len(), value) };
}

/// Changes a metric by way of the configuration. On the main thread. Returns whether this Envoy can.
pub fn by_configuration(envoy: ConfigPtr, change: Change, metric: &Metric, value: u64) -> bool {
    let Some(optional) = Optional::get() else { return false };
    let change = match change {
        Change::Count => optional.increment_counter,
        Change::Raise => optional.increment_gauge,
        Change::Lower => optional.decrement_gauge,
        Change::Set => optional.set_gauge,
        Change::Record => optional.record_histogram_value,
    };
    let labels: Vec<Buffer> = metric.labels.iter().map(|label| Buffer::of(label.as_bytes())).collect();
    // SAFETY: the main thread is in a hook of the configuration, so it is there; all buffers are of live values.
    unsafe { change(envoy, metric.id, labels.as_ptr(), labels.len(), value) };
    true
}
