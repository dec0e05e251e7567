//! The native module under a scripted Envoy: hooks in any order, on the main thread and two workers. No memory error (this
//! target is built with AddressSanitizer), no failed hook, and no request goes on that may not.
#![no_main]

mod bodies;
pub mod envoy;
mod hooks;
mod plan;
mod routes;
mod threads;

use envoy::{CALLOUTS, Config, EVENTS, SCHEDULERS, lock};
use hooks::Part;
use libfuzzer_sys::fuzz_target;
use plan::{During, Plan, Route, Sent};
use std::ffi::c_void;
use std::sync::Once;
use std::sync::atomic::Ordering;
use std::time::Duration;
use threads::Workers;

/// A configuration that Envoy holds.
struct Held {
    envoy: Box<Config>,
    module: *const c_void,
}

/// Envoy's main thread, which is this one.
struct Main {
    configs: Vec<Held>,
    workers: Workers,
    route: *const c_void,
    /// For how many hundredths of a second it still sleeps.
    patience: u8,
    /// No other input has filters of these names, so it begins without keys and lists.
    run: u64,
}

/// At most so many of each at once.
const MOST: usize = 4;

impl Main {
    fn load(&mut self, plan: &mut Plan<'_>) {
        let (kind, more) = (plan.below(plan::KINDS), plan.next().unwrap_or(0));
        if self.configs.len() >= MOST {
            return;
        }
        self.workers.wait();
        let envoy = Config::new(more & 2 == 0);
        let (name, text) = (format!("{}-{}", self.run, more & 1), plan::configuration(kind));
        let pointer = std::ptr::from_ref(&*envoy).cast_mut().cast();
        let (name, text) = (envoy::Buffer::of(name.as_bytes()), envoy::Buffer::of(text.as_bytes()));
        // SAFETY: all of it is good while the hook runs.
        let module = unsafe { hooks::envoy_dynamic_module_on_http_filter_config_new(pointer, name, text) };
        assert_eq!(module.is_null(), kind == 5, "a configuration of kind {kind}");
        envoy.loaded();
        if !module.is_null() {
            self.configs.push(Held { envoy, module });
        }
    }

    /// Streams of it may be there still.
    fn drop_config(&mut self, which: u8, on_worker: Option<usize>) {
        self.workers.wait();
        let Some(at) = usize::from(which).checked_rem(self.configs.len()) else { return };
        let Held { envoy, module } = self.configs.swap_remove(at);
        let (number, module) = (envoy.number, module.expose_provenance());
        let destroy = move || {
            // SAFETY: what the module gave, once.
            unsafe {
                hooks::envoy_dynamic_module_on_http_filter_config_destroy(std::ptr::with_exposed_provenance(module));
            }
        };
        match on_worker {
            Some(worker) => {
                let destroy_beside_main = move |_: &mut threads::Streams| {
                    destroy();
                    let is_under_way = lock(&CALLOUTS).iter().any(|callout| callout.config == number);
                    assert!(!is_under_way, "Envoy would cancel a request of the main thread on a worker");
                };
                self.workers.run(worker, Box::new(destroy_beside_main));
                self.answer_late(&envoy, module);
                self.workers.wait();
            }
            None => destroy(),
        }
        // On the main thread, Envoy cancels what is under way.
        lock(&CALLOUTS).retain(|callout| callout.config != number);
        drop(envoy);
    }

    /// The answers to the requests of a configuration come while a worker drops it.
    fn answer_late(&self, envoy: &Config, module: usize) {
        if lock(&CALLOUTS).iter().any(|callout| callout.config == envoy.number) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let pointer = std::ptr::from_ref(envoy).cast_mut().cast();
        loop {
            let callout = {
                let mut callouts = lock(&CALLOUTS);
                let Some(at) = callouts.iter().position(|callout| callout.config == envoy.number) else { return };
                callouts.remove(at)
            };
            let answer = plan::answer(&callout.cluster, &callout.body, 0);
            hooks::answer(pointer, std::ptr::with_exposed_provenance(module), callout.id, answer);
        }
    }

    fn begin(&mut self, plan: &mut Plan<'_>) {
        let (which, thread) = (plan.next().unwrap_or(0), usize::from(plan.below(2)));
        let (sent, during) = (Sent::read(plan), During::read(plan));
        let Some(at) = usize::from(which).checked_rem(self.configs.len()) else { return };
        let module = self.configs[at].module.expose_provenance();
        let has_route = matches!(sent.route, Route::Configuration | Route::Both);
        let route = if has_route { self.route.expose_provenance() } else { 0 };
        self.workers.run(thread, Box::new(move |streams| streams.begin(module, sent, during, thread, route)));
    }

    /// The main thread takes its events.
    fn take_events(&mut self) {
        let events = std::mem::take(&mut lock(&EVENTS).configs);
        for number in events {
            if let Some(held) = self.configs.iter().find(|held| held.envoy.number == number) {
                let envoy = std::ptr::from_ref(&*held.envoy).cast_mut().cast();
                // SAFETY: both are there.
                unsafe { hooks::envoy_dynamic_module_on_http_filter_config_scheduled(envoy, held.module, 0) };
            }
        }
    }

    fn answer(&mut self, which: u8, how: u8) {
        let callout = {
            let mut callouts = lock(&CALLOUTS);
            let Some(at) = usize::from(which).checked_rem(callouts.len()) else { return };
            callouts.remove(at)
        };
        if let Some(held) = self.configs.iter().find(|held| held.envoy.number == callout.config) {
            let envoy = std::ptr::from_ref(&*held.envoy).cast_mut().cast();
            hooks::answer(envoy, held.module, callout.id, plan::answer(&callout.cluster, &callout.body, how));
        }
    }

    /// Sleeps for hundredths of a second, until an event comes. Gates that lack something have a tick in a tenth.
    fn sleep(&mut self, hundredths: u8) {
        self.workers.wait();
        for _ in 0..hundredths.min(self.patience) {
            let has_events = {
                let events = lock(&EVENTS);
                !events.configs.is_empty() || events.streams.iter().any(|own| !own.is_empty())
            };
            if has_events {
                return;
            }
            self.patience -= 1;
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Does what one byte of the input, and those after it, say.
    fn step(&mut self, what: u8, plan: &mut Plan<'_>) {
        match what % 16 {
            0 => self.load(plan),
            1 => {
                let (which, more) = (plan.next().unwrap_or(0), plan.below(6));
                self.drop_config(which, (more < 2).then(|| usize::from(more)));
            }
            2..=4 => self.begin(plan),
            5..=9 => {
                let (thread, which, part) = (usize::from(plan.below(2)), plan.next().unwrap_or(0), Part::read(plan));
                self.workers.run(thread, Box::new(move |streams| streams.call(which, part)));
            }
            10 | 11 => {
                let thread = usize::from(plan.below(2));
                self.workers.run(thread, Box::new(move |streams| streams.take_events(thread)));
            }
            12 => self.take_events(),
            13 | 14 => {
                let (which, how) = (plan.next().unwrap_or(0), plan.below(6));
                self.answer(which, how);
            }
            _ => self.sleep(plan.below(12)),
        }
        // Else the worker goes on beside what comes next.
        if what & 0x80 == 0 {
            self.workers.wait();
        }
    }

    fn end(mut self) {
        self.workers.wait();
        (0..2).for_each(|thread| self.workers.run(thread, Box::new(|streams| streams.end())));
        self.workers.wait();
        while !self.configs.is_empty() {
            self.drop_config(0, None);
        }
        assert_eq!(SCHEDULERS.load(Ordering::Acquire), 0, "schedulers that are not deleted");
        // Events that are under way find nothing.
        *lock(&EVENTS) = envoy::Events { streams: Default::default(), configs: Vec::new() };
        lock(&CALLOUTS).clear();
        // SAFETY: what the module gave, once.
        unsafe { hooks::envoy_dynamic_module_on_http_filter_per_route_config_destroy(self.route) };
    }
}

fn play(input: &[u8]) {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        // SAFETY: there is one thread, and no pointer is passed.
        unsafe {
            std::env::set_var("SECRET", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
            assert!(!hooks::envoy_dynamic_module_on_program_init().is_null());
        }
    });
    let (name, text) = (envoy::Buffer::of(b"scopegate"), envoy::Buffer::of(br#"{"scopes":["orders:never"]}"#));
    // SAFETY: all of it is good while the hook runs.
    let route = unsafe { hooks::envoy_dynamic_module_on_http_filter_per_route_config_new(name, text) };
    assert!(!route.is_null());
    let mut main = Main { configs: Vec::new(), workers: Workers::default(), route, patience: 16, run: envoy::number() };
    let mut plan = Plan(input);
    while let Some(what) = plan.next() {
        main.step(what, &mut plan);
    }
    main.end();
}

fuzz_target!(|input: &[u8]| {
    play(input);
});
