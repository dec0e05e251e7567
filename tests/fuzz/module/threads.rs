//! The threads of two workers, and their streams.

use super::envoy::{EVENTS, Stream, lock};
use super::hooks::{self, Part};
use super::plan::{During, Sent};
use std::ffi::c_void;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{LazyLock, Mutex};

type Job = Box<dyn FnOnce(&mut Streams) + Send>;

/// The streams of a thread.
#[derive(Default)]
pub struct Streams(Vec<Box<Stream>>);

/// A thread, and what says that it has done a job.
struct Thread {
    jobs: Sender<Job>,
    done: Mutex<Receiver<()>>,
}

static THREADS: LazyLock<[Thread; 2]> = LazyLock::new(|| [Thread::begin(), Thread::begin()]);

impl Thread {
    fn begin() -> Self {
        let (jobs, to_do) = channel::<Job>();
        let (did, done) = channel();
        std::thread::spawn(move || {
            let mut streams = Streams::default();
            for job in to_do {
                job(&mut streams);
                // Nothing of Envoy's is in a stream now, so those that have been destroyed are freed.
                streams.0.retain(|stream| !stream.is_destroyed.get());
                if did.send(()).is_err() {
                    return;
                }
            }
        });
        Self { jobs, done: Mutex::new(done) }
    }
}

/// How many jobs of each thread have not been waited for.
#[derive(Default)]
pub struct Workers([usize; 2]);

impl Workers {
    /// Has a thread do something, beside the one that asks.
    pub fn run(&mut self, thread: usize, job: Job) {
        THREADS[thread].jobs.send(job).expect("a thread");
        self.0[thread] += 1;
    }

    /// Waits until all is done.
    pub fn wait(&mut self) {
        for (thread, count) in self.0.iter_mut().enumerate() {
            (0..std::mem::take(count)).for_each(|_| lock(&THREADS[thread].done).recv().expect("a thread"));
        }
    }
}

impl Streams {
    pub fn begin(&mut self, module: usize, sent: Sent, during: During, thread: usize, route: usize) {
        if self.0.len() >= 8 {
            return;
        }
        let (module, route) =
            (std::ptr::with_exposed_provenance::<c_void>(module), std::ptr::with_exposed_provenance(route));
        let stream = Stream::new(sent, during, thread, route);
        // SAFETY: the configuration is there, since no other thread drops one before this is done.
        stream.module.set(unsafe { hooks::envoy_dynamic_module_on_http_filter_new(module, stream.pointer()) });
        self.0.push(stream);
    }

    pub fn call(&mut self, which: u8, part: Part) {
        if let Some(at) = usize::from(which).checked_rem(self.0.len()) {
            hooks::call(&self.0[at], part);
        }
    }

    /// Takes the events of streams that are there; Envoy drops the others.
    pub fn take_events(&mut self, thread: usize) {
        let events = std::mem::take(&mut lock(&EVENTS).streams[thread]);
        for number in events {
            if let Some(stream) = self.0.iter().find(|stream| stream.number == number) {
                hooks::call(stream, Part::Scheduled);
            }
        }
    }

    /// All streams end.
    pub fn end(&mut self) {
        self.0.iter().for_each(|stream| hooks::call(stream, Part::Destroy));
        self.0.clear();
    }
}
