//! The VM traps, its memory ends, its clock jumps: in the module as shipped, with a defect put into it.

use crate::crowd::during;
use crate::rewritten::{Mark, Rewritten, further_headers};
use crate::stage::{HOSTILE, Stage};
use crate::support::client::{get, get_with, head, try_send};
use crate::support::issuer::{Issuer, now};
use crate::support::only_wasm::needs_wasm;
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Waits until a good token passes.
fn until_good(stage: &Stage, issuer: &Issuer, what: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while get_with(stage.envoy.listener("gate"), "/", &issuer.token(now()).sign()).status != 200 {
        assert!(Instant::now() < deadline, "{what}: it never comes back\n{}", stage.envoy.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn traps(stage: &Stage) -> usize {
    stage.envoy.log().matches("Function: proxy_on_").count()
}

#[test]
fn in_whichever_callback_the_vm_traps_requests_are_refused_until_there_is_a_new_one_and_none_passes() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let module = Rewritten::trapping();
    let stage = Stage::start(&[&issuer], 1, module.plugin());
    until_good(&stage, &issuer, "at first");
    let seen = during(&stage, &issuer, 2, || {
        for round in 0..3 {
            for mark in Mark::ALL {
                let before = traps(&stage);
                let lines = mark.headers();
                let mut lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let bearer = format!("Bearer {}", issuer.token(now()).sign());
                lines.extend([("authorization", bearer.as_str()), ("content-length", "1")]);
                let request = [&head("POST", "/", &lines)[..], b"x"].concat();
                // Two VMs share the fetches, the worker's and the main thread's, and only an answer to the worker's sets off
                // `CallResponse`: with a busy worker the main thread comes first for many seconds.
                let begun = Instant::now();
                let mut sent = 0;
                while traps(&stage) == before {
                    assert!(begun.elapsed() < Duration::from_mins(1), "round {round}: it did not trap: {mark:?}");
                    if begun.elapsed() >= Duration::from_secs(5) * sent {
                        let _ = try_send(stage.envoy.listener("gate"), &request);
                        sent += 1;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
                until_good(&stage, &issuer, &format!("{mark:?}"));
            }
        }
    });
    println!("15 traps: {seen:?}");
    assert!(seen.good(503) > 0, "while it is down: {seen:?}");
    assert!(seen.good(200) > 0 && seen.hostile() > 200, "{seen:?}");
}

#[test]
fn a_vm_that_traps_between_two_calls_of_the_host_has_let_nothing_pass_and_forwarded_nothing() {
    needs_wasm!();
    // What a request with a good token calls, in this order (`a_request_makes_as_many_host_calls_as_the_table_says`); and
    // the answer to a bad one.
    let good = [
        "proxy_get_current_time_nanoseconds",
        "proxy_get_header_map_pairs",
        "proxy_get_property",
        "proxy_remove_header_map_value",
        "proxy_replace_header_map_value",
        "proxy_set_property",
    ];
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let foreign = Issuer::new(Algorithm::Es256, "foreign");
    let cases = good.map(|function| (function, &issuer)).into_iter().chain([("proxy_send_local_response", &foreign)]);
    for (function, signer) in cases {
        let module = Rewritten::trapping_at(function);
        let stage = Stage::start(&[&issuer], 1, module.plugin());
        until_good(&stage, &issuer, function);
        for round in 0..2 {
            let before = traps(&stage);
            let bearer = format!("Bearer {}", signer.token(now()).header("kid", issuer.key.kid.clone()).sign());
            let further = Mark::Headers.headers();
            let mut lines: Vec<_> = further.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            // Its own identity, and the mark by which the upstream would count it: it must not get there at all.
            lines.extend([("authorization", bearer.as_str()), ("x-auth-subject", "admin"), (HOSTILE, "1")]);
            let answer = try_send(stage.envoy.listener("gate"), &head("GET", "/orders/1", &lines));
            assert_eq!(answer.map(|answer| answer.status), Some(503), "{function}, round {round}");
            assert_eq!(traps(&stage), before + 1, "{function}, round {round}: it did not trap");
            until_good(&stage, &issuer, function);
        }
        assert_eq!(stage.reached.hostile.load(Ordering::SeqCst), 0, "{function}");
    }
}

#[test]
fn where_no_vm_is_made_anew_a_worker_whose_vm_has_failed_answers_503_until_it_gets_another_configuration() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let module = Rewritten::trapping();
    let mut plugin = module.plugin();
    plugin["failure_policy"] = "FAIL_CLOSED".into();
    let stage = Stage::start(&[&issuer], 1, plugin);
    until_good(&stage, &issuer, "at first");
    let lines = Mark::ALL[0].headers();
    let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let _ = try_send(stage.envoy.listener("gate"), &head("GET", "/", &lines));
    let status = || get_with(stage.envoy.listener("gate"), "/", &issuer.token(now()).sign()).status;
    // Three times as long as Envoy waits before it makes a VM anew.
    for _ in 0..30 {
        assert_eq!(status(), 503);
        std::thread::sleep(Duration::from_millis(100));
    }
    stage.configure(1);
    until_good(&stage, &issuer, "with another configuration");
}

#[test]
fn a_vm_whose_memory_ends_refuses_and_comes_back() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let module = Rewritten::confined(6);
    let stage = Stage::start(&[&issuer], 1, module.plugin());
    until_good(&stage, &issuer, "at first");
    let mut refused = 0;
    let seen = during(&stage, &issuer, 2, || {
        let deadline = Instant::now() + Duration::from_mins(1);
        // Tokens that are remembered until there is no room for more.
        while traps(&stage) < 2 {
            assert!(Instant::now() < deadline, "its memory never ended");
            let token = issuer
                .token(now())
                .claim("jti", format!("{:x}", crate::traffic::random_id()))
                .claim("padding", "x".repeat(5000))
                .sign();
            let answer = try_send(stage.envoy.listener("gate"), &crate::traffic::good(&token));
            refused += u64::from(answer.is_some_and(|answer| answer.status == 503));
        }
    });
    println!("its memory ended twice: {seen:?}");
    // Whose request it was in which it ended, at least.
    refused += seen.good(503) + seen.hostile.get(&503).copied().unwrap_or_default();
    assert!(refused > 0, "while it is down: {seen:?}");
    until_good(&stage, &issuer, "at last");
}

/// How far the clock jumps, in seconds.
const STEP: i64 = 400;

#[test]
fn under_a_clock_that_jumps_back_and_forth_every_token_is_judged_by_the_time_that_it_shows() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let module = Rewritten::with_wrong_clock(STEP);
    let stage = Stage::start(&[&issuer], 1, module.plugin());
    until_good(&stage, &issuer, "at first");
    let address = stage.envoy.listener("gate");
    // Good for 300 seconds around a moment `step` steps away.
    let began = now();
    let tokens: Vec<(i64, String)> =
        (-3..=3).map(|step| (step, issuer.token(began + step * STEP - 100).sign())).collect();
    let jump = |step: i64| {
        let lines = further_headers(i32::try_from(6 + step).unwrap());
        let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        get(address, "/", &lines)
    };
    let mut counts = [0, 0];
    for step in [1, 0, 3, -3, 2, -1, 0, -2, 3, 0, 1, -3, 0, 2, -2, 0] {
        jump(step);
        // Keys and lists that are too old by this clock are fetched again.
        let deadline = Instant::now() + Duration::from_secs(20);
        while get_with(address, "/", &tokens[usize::try_from(step + 3).unwrap()].1).status != 200 {
            assert!(
                Instant::now() < deadline,
                "{step}: a token that is good by this clock never passes\n{}",
                stage.envoy.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        for (other, token) in &tokens {
            let status = get_with(address, "/", token).status;
            assert_eq!(status == 200, *other == step, "at {step}, a token for {other}: {status}");
            counts[usize::from(*other == step)] += 1;
        }
        assert_eq!(get(address, "/", &[]).status, 401);
    }
    println!("16 jumps of the clock: {} refused, {} passed", counts[0], counts[1]);
}

#[test]
fn a_vm_that_traps_takes_the_requests_that_wait_in_it_along_and_none_of_them_passes() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let module = Rewritten::trapping();
    let stage = Stage::start_with(&[&issuer], 1, module.plugin(), "30s");
    until_good(&stage, &issuer, "at first");
    // An unknown `kid` makes a request wait for a fetch that hangs.
    stage.issuer.now(crate::support::outage::Conduct::Hangs);
    let address = stage.envoy.listener("gate");
    let token = issuer.token(now()).header("kid", "unknown").sign();
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let request = crate::traffic::hostile("of an unknown key", &token);
            std::thread::spawn(move || try_send(address, &request.bytes).map_or(0, |answer| answer.status))
        })
        .collect();
    eventually("they wait", || stage.envoy.counter("scopegate.waiting") == 8);
    let before = traps(&stage);
    let lines = Mark::Headers.headers();
    let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(get(address, "/", &lines).status, 503);
    assert_eq!(traps(&stage), before + 1);
    for waiting in waiting {
        let status = waiting.join().unwrap();
        // They were not judged: no 401.
        assert!([0, 408, 503, 504].contains(&status), "{status}");
    }
    assert_eq!(stage.reached.hostile.load(Ordering::SeqCst), 0);
}
