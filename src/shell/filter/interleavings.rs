//! Requests in any order, with keys that come, fail or stay away, a host that refuses calls, and streams that end at
//! any moment. After each step [`Proxy`] checks what must be true of every request.

use super::proxy::{CLIENTS, Client, Proxy, Reports, TIMEOUT};
use proptest::prelude::*;

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A stream begins; its headers come later.
    Begin(Client),
    /// The headers of one of the streams come, with or without a body after them.
    Headers(usize, bool),
    Body(usize),
    Trailers(usize),
    End(usize),
    /// Time passes, and the timer calls.
    Tick(u64),
    /// A callout is answered with this status.
    Answer(u16),
    /// The call after this number of others is refused.
    Refuse(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..CLIENTS.len()).prop_map(|client| Step::Begin(CLIENTS[client])),
        4 => (0..8_usize, any::<bool>()).prop_map(|(stream, ends)| Step::Headers(stream, ends)),
        2 => (0..8_usize).prop_map(Step::Body),
        1 => (0..8_usize).prop_map(Step::Trailers),
        1 => (0..8_usize).prop_map(Step::End),
        4 => prop_oneof![Just(0), Just(5), Just(50), Just(TIMEOUT - 1), Just(TIMEOUT), Just(60_000)].prop_map(Step::Tick),
        3 => prop_oneof![3 => Just(200_u16), 1 => Just(503), 1 => Just(404), 1 => Just(304)].prop_map(Step::Answer),
    ]
}

/// The steps, with calls that the host refuses.
fn step_of_a_host_that_refuses() -> impl Strategy<Value = Step> {
    prop_oneof![6 => step(), 1 => (0..8_usize).prop_map(Step::Refuse)]
}

fn reports() -> impl Strategy<Value = Reports> {
    prop_oneof![2 => Just(Reports::Nothing), 1 => Just(Reports::Default), 1 => Just(Reports::Everything)]
}

fn proxy(reports: Reports, has_keys: bool) -> Proxy {
    let proxy = Proxy::reporting(reports);
    if has_keys { proxy.fetched() } else { proxy }
}

/// The progress of a test's stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Begun,
    Open,
    Complete,
    Ended,
}

/// Does the steps that are possible. Returns the streams whose headers have come and that have not ended.
fn run(proxy: &mut Proxy, steps: &[Step]) -> Vec<u32> {
    let mut streams: Vec<(u32, Stage)> = Vec::new();
    for step in steps {
        match *step {
            Step::Begin(client) => streams.push((proxy.begin(client), Stage::Begun)),
            Step::Headers(index, ends) => {
                if let Some((context, stage @ Stage::Begun)) = streams.get_mut(index) {
                    *stage = if ends { Stage::Complete } else { Stage::Open };
                    proxy.headers(*context, ends);
                }
            }
            Step::Body(index) => {
                if let Some((context, Stage::Open)) = streams.get(index) {
                    proxy.body(*context);
                }
            }
            Step::Trailers(index) => {
                if let Some((context, stage @ Stage::Open)) = streams.get_mut(index) {
                    *stage = Stage::Complete;
                    proxy.trailers(*context);
                }
            }
            Step::End(index) => {
                if let Some((context, stage)) = streams.get_mut(index).filter(|(_, stage)| *stage != Stage::Ended) {
                    *stage = Stage::Ended;
                    proxy.end(*context);
                }
            }
            Step::Tick(milliseconds) => proxy.tick(milliseconds),
            Step::Answer(status) => {
                let token = proxy.script().callouts.borrow().keys().next().copied();
                token.into_iter().for_each(|token| proxy.answer(token, status));
            }
            Step::Refuse(after) => {
                let calls = proxy.script().calls.borrow().len();
                proxy.script().refused.set(Some(calls + after));
            }
        }
    }
    let is_there = |stage: &Stage| matches!(stage, Stage::Open | Stage::Complete);
    streams.iter().filter(|(_, stage)| is_there(stage)).map(|(context, _)| *context).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_request_goes_on_or_is_answered_once_whatever_comes_between(
        has_keys: bool,
        reports in reports(),
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut proxy = proxy(reports, has_keys);
        let streams = run(&mut proxy, &steps);
        // No request waits beyond its deadline: first for newer keys, then for nothing.
        proxy.tick(TIMEOUT);
        proxy.tick(TIMEOUT);
        for context in streams {
            let stream = proxy.stream(context);
            prop_assert!(!stream.is_undecided(), "{:?}", stream);
            prop_assert!(reports != Reports::Everything || stream.answers.is_empty(), "it only reports: {:?}", stream);
        }
        prop_assert_eq!(proxy.metric("waiting"), 0);
    }

    #[test]
    fn a_host_that_refuses_calls_at_any_moment_gets_nothing_upstream_that_must_not_go_there(
        has_keys: bool,
        reports in reports(),
        steps in proptest::collection::vec(step_of_a_host_that_refuses(), 1..40),
    ) {
        let mut proxy = proxy(reports, has_keys);
        run(&mut proxy, &steps);
        proxy.tick(TIMEOUT);
    }
}
