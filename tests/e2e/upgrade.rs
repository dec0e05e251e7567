//! The module that ECDS swaps while Envoy serves: from this version to the next and back. What envoy/UPGRADING.md says of it.

use crate::chain::filter;
use crate::dynamic::World;
use crate::gate::configuration;
use crate::keys::{KeyServer, in_background, remote};
use crate::open_streams::{endless, open};
use crate::support::client::{get, get_with, head, send, try_send};
use crate::support::envoy::{Gate, cluster};
use crate::support::events::{events, logout, push_logout};
use crate::support::issuer::{ISSUER, Issuer, now};
use crate::support::modules::requests_module;
use crate::support::only_wasm::needs_wasm;
use crate::support::outage::{Conduct, Unreliable};
use crate::support::redis::{Redis, Webdis};
use crate::support::server::Answer;
use crate::support::wait::eventually;
use crate::support::xds::Folder;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The version that is tested.
const THIS: &str = env!("CARGO_PKG_VERSION");

/// The module of this version, and that of the next one: the same code under another version.
struct Modules {
    this: PathBuf,
    next: PathBuf,
    next_version: String,
    folder: Folder,
}

impl Modules {
    fn new() -> Self {
        let last = if THIS.ends_with('9') { "8" } else { "9" };
        let next_version = format!("{}{last}", &THIS[..THIS.len() - 1]);
        let this = requests_module();
        let mut bytes = fs::read(&this).unwrap();
        let places: Vec<usize> =
            bytes.windows(THIS.len()).enumerate().filter(|(_, it)| *it == THIS.as_bytes()).map(|(at, _)| at).collect();
        assert!(!places.is_empty(), "the module does not name its version");
        places.iter().for_each(|at| bytes[*at..at + THIS.len()].copy_from_slice(next_version.as_bytes()));
        let folder = Folder::new();
        let next = PathBuf::from(folder.path("next.wasm"));
        fs::write(&next, bytes).unwrap();
        Self { this, next, next_version, folder }
    }

    /// Whether this version runs, and whether the next one does; nothing while Envoy does not say. Its main thread compiles
    /// modules, and answers nobody meanwhile.
    fn try_run(&self, world: &World) -> Option<[u64; 2]> {
        let answer = try_send(world.envoy.admin(), &head("GET", "/stats?filter=build_info", &[]))?;
        let gauge = |version: &str| {
            let name = format!("wasmcustom.scopegate.build_info.{version}");
            let value = answer.body.lines().filter_map(|line| line.split_once(": ")).find(|(other, _)| *other == name);
            value.map_or(0, |(_, value)| value.trim().parse().unwrap())
        };
        Some([THIS, &self.next_version].map(gauge))
    }

    fn run(&self, world: &World) -> [u64; 2] {
        self.try_run(world).expect("Envoy says what runs")
    }

    /// Changes the plugin, and waits until these versions run.
    fn swap(&self, world: &World, plugin: &Value, run: [u64; 2]) {
        let began = Instant::now();
        world.put_plugin(plugin);
        while self.try_run(world) != Some(run) {
            assert!(began.elapsed() < Duration::from_mins(3), "the other module never ran in every worker");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn to_upstream() -> Value {
    json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }])
}

/// Asks until it is stopped; returns how many requests passed.
fn ask_on(world: &World, stop: &AtomicBool, tokens: &[(String, u16)]) -> usize {
    let mut passed = 0;
    while !stop.load(Ordering::SeqCst) {
        for (token, wanted) in tokens {
            let answer = get_with(world.address(), "/", token);
            assert_eq!(answer.status, *wanted, "{answer:?}");
            passed += usize::from(answer.status == 200);
        }
        assert_eq!(get(world.address(), "/", &[]).status, 401);
        thread::sleep(Duration::from_millis(5));
    }
    passed
}

#[test]
fn a_module_that_is_swapped_and_swapped_back_under_load_drops_nothing_and_lets_nothing_bad_through() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let keys = KeyServer::start(KeyServer::keys(&issuer));
    let stolen = json!({ "iss": ISSUER, "jti": "stolen" });
    let lists = Unreliable::start(Conduct::answer("200 OK", "", format!("{stolen}\n").as_bytes()));
    let modules = Modules::new();
    let plugin = |module: &Path| {
        let list = json!({ "name": "main", "uri": "http://lists.example.com/revoked", "cluster": "lists" });
        let rules = json!([{ "match": { "path": "/once" }, "single_use": true }]);
        let members = json!({ "revocation": { "lists": [list] }, "rules": rules });
        Gate::new(remote(json!({}), members)).module(module).plugin()
    };
    let clusters = [cluster("issuer", keys.server.address), cluster("lists", lists.address)];
    let world = World::start_plugin(&plugin(&modules.this), &to_upstream(), &clusters);
    let token = |id: &str| issuer.token(now()).claim("jti", id).sign();
    // A busy machine takes minutes for six swaps.
    let good = issuer.token(now()).claim("jti", "good").claim("exp", now() + 3000).sign();
    let forged = format!("{}.{}", good.rsplit_once('.').unwrap().0, "A".repeat(86));
    let tokens = [
        (good.clone(), 200),
        (forged, 401),
        (token("stolen"), 401),
        (issuer.token(now()).claim("exp", now() - 100).sign(), 401),
    ];
    eventually("keys and the list are there", || get_with(world.address(), "/", &good).status == 200);
    assert_eq!(modules.run(&world), [1, 0]);
    let before = world.counter("scopegate.allowed");
    let (stop, passed) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| passed.fetch_add(ask_on(&world, &stop, &tokens), Ordering::SeqCst));
        }
        // Both versions run for a moment, and share the store: what one of them let pass, the other refuses.
        scope.spawn(|| {
            for number in 0.. {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                // A subject may use up a sixteenth of the store.
                let id = format!("once-{number}");
                let once = issuer.token(now()).claim("jti", id.as_str()).claim("sub", id.as_str()).sign();
                let statuses = [0; 3].map(|_| get_with(world.address(), "/once", &once).status);
                assert_eq!(statuses, [200, 401, 401]);
                passed.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(20));
            }
        });
        for _ in 0..3 {
            for (module, run) in [(&modules.next, [0, 1]), (&modules.this, [1, 0])] {
                modules.swap(&world, &plugin(module), run);
                thread::sleep(Duration::from_millis(300));
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
    let passed = u64::try_from(passed.load(Ordering::SeqCst)).unwrap();
    assert_eq!(keys.requests.load(Ordering::SeqCst), 1, "the next module has the keys that the other has fetched");
    eventually("every decision is counted", || world.counter("scopegate.allowed") - before >= passed);
    assert_eq!(world.envoy.total("extension_config_discovery.http_filter.scopegate.update_rejected"), 0);
    assert!(!world.envoy.log().contains("panicked"));
}

/// What an Envoy has of its clients, in the order in which [`ask`] asks for it.
const NEW: [u16; 4] = [200; 4];

/// Who uses a token that passes once, one whose session an event has ended, one that another client has shown, and a quota.
fn ask(world: &World, issuer: &Issuer, agent: &str) -> [u16; 4] {
    let token = |id: &str| issuer.token(now()).claim("jti", id).claim("sid", id).sign();
    let shown = |target: &str, id: &str| {
        let bearer = format!("Bearer {}", token(id));
        get(world.address(), target, &[("authorization", &bearer), ("user-agent", agent)]).status
    };
    [shown("/once", "once"), shown("/", "session"), shown("/shown", "shown"), shown("/quota", "quota")]
}

/// A gate that remembers what its clients do, and a quota of Envoy's beside it.
fn remembering(issuer: &Issuer, module: &Path, vm_id: &str) -> Value {
    let mut members = configuration(
        issuer,
        json!({
            "events": events(),
            "rules": [
                { "match": { "path": "/once" }, "single_use": true },
                { "match": { "path": "/shown" }, "reuse": { "max_clients": 1, "action": "challenge" } },
            ],
        }),
    );
    members["issuers"][0]["jwks"] = json!({ "uri": "http://issuer.example.com/jwks.json", "cluster": "issuer" });
    let plugin = json!({ "allow_on_headers_stop_iteration": true, "vm_config": { "vm_id": vm_id } });
    Gate { plugin, ..Gate::new(members) }.module(module).plugin()
}

fn with_quota() -> Value {
    let all = json!({ "default_value": { "numerator": 100 } });
    let bucket = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "quota", "filter_enabled": all, "filter_enforced": all,
        "token_bucket": { "max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "3600s" },
    });
    let upstream = json!({ "cluster": "upstream" });
    json!([
        { "match": { "path": "/quota" }, "route": upstream, "typed_per_filter_config": { "envoy.filters.http.local_ratelimit": bucket } },
        { "match": { "prefix": "/" }, "route": upstream },
    ])
}

#[test]
fn what_is_remembered_of_clients_and_keys_is_kept_under_one_vm_id_and_forgotten_under_another() {
    needs_wasm!();
    let modules = Modules::new();
    // By the `vm_id` before and after: what is refused after the swap, and whether keys are fetched again.
    let kept = [401, 401, 401, 429];
    for (ids, after, fetches) in [
        (["a", "a"], kept, 0..=0),
        // In Istio there is none: what is used and revoked is kept, and each thread fetches keys for itself.
        (["", ""], kept, 1..=4),
        (["a", "b"], [200, 200, 200, 429], 1..=4),
    ] {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let keys = KeyServer::start(KeyServer::keys(&issuer));
        let limits = filter("local_ratelimit.v3.LocalRateLimit", json!({ "stat_prefix": "l" }));
        let clusters = [cluster("issuer", keys.server.address)];
        let plugin = |module: &Path, id: &str| remembering(&issuer, module, id);
        let world = World::start_chain(&plugin(&modules.this, ids[0]), &[limits], &with_quota(), &clusters);
        assert_eq!(ask(&world, &issuer, "one/1"), NEW, "{ids:?}");
        let event = push_logout(&logout(&issuer).claim("sid", "session").sign());
        assert_eq!(send(world.address(), &event).status, 200);
        eventually("all workers know", || (0..8).all(|_| ask(&world, &issuer, "two/1") == kept));
        let before = keys.requests.load(Ordering::SeqCst);
        modules.swap(&world, &plugin(&modules.next, ids[1]), [0, 1]);
        let asked = ask(&world, &issuer, "two/1");
        assert_eq!(asked, after, "{ids:?}");
        let again = ask(&world, &issuer, "three/1");
        assert_eq!([again[0], again[2]], [401, 401], "{ids:?}: the new module remembers what it sees");
        let fetched = keys.requests.load(Ordering::SeqCst) - before;
        assert!(fetches.contains(&fetched), "{ids:?}: {fetched}");
        // The way back.
        modules.swap(&world, &plugin(&modules.this, ids[0]), [1, 0]);
        let asked = ask(&world, &issuer, "four/1");
        assert_eq!(asked, after, "{ids:?}: what the old module knew is gone with its last VM");
    }
}

#[test]
fn a_swap_under_one_vm_id_needs_no_issuer_and_one_under_another_waits_for_it() {
    needs_wasm!();
    let modules = Modules::new();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let keys = KeyServer::start(KeyServer::keys(&issuer));
    let plugin = |module: &Path, id: &str| {
        let own = json!({ "vm_config": { "vm_id": id } });
        Gate { plugin: own, ..Gate::new(remote(json!({ "timeout": "1s" }), json!({}))) }.module(module).plugin()
    };
    let clusters = [cluster("issuer", keys.server.address)];
    let world = World::start_plugin(&plugin(&modules.this, "a"), &to_upstream(), &clusters);
    let token = issuer.token(now()).sign();
    let statuses = || [0; 8].map(|_| get_with(world.address(), "/", &token).status);
    assert_eq!(statuses(), [200; 8]);
    *keys.answer.lock().unwrap() = Answer::status(503);
    modules.swap(&world, &plugin(&modules.next, "a"), [0, 1]);
    assert_eq!(statuses(), [200; 8]);
    modules.swap(&world, &plugin(&modules.this, "b"), [1, 0]);
    assert_eq!(statuses(), [503; 8]);
    *keys.answer.lock().unwrap() = KeyServer::keys(&issuer);
    eventually("the keys come", || statuses() == [200; 8]);
}

#[test]
fn requests_that_wait_for_keys_when_the_module_is_swapped_are_decided_like_all_others() {
    needs_wasm!();
    let modules = Modules::new();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let keys = KeyServer::held(KeyServer::keys(&issuer));
    let plugin = |module: &Path| Gate::new(remote(json!({ "timeout": "30s" }), json!({}))).module(module).plugin();
    let clusters = [cluster("issuer", keys.server.address)];
    let world = World::start_plugin(&plugin(&modules.this), &to_upstream(), &clusters);
    let token = issuer.token(now()).sign();
    let forged = format!("{}.{}", token.rsplit_once('.').unwrap().0, "A".repeat(86));
    let ask = || {
        [(&token, 200), (&forged, 401)].map(|(token, wanted)| {
            let bearer = format!("Bearer {token}");
            (in_background(world.address(), head("GET", "/", &[("authorization", &bearer)])), wanted)
        })
    };
    let mut waiting: Vec<_> = (0..4).flat_map(|_| ask()).collect();
    eventually("they wait", || world.counter("scopegate.waiting") == 8);
    // The old VMs stay for them.
    modules.swap(&world, &plugin(&modules.next), [1, 1]);
    waiting.extend((0..4).flat_map(|_| ask()));
    eventually("more wait", || world.counter("scopegate.waiting") == 16);
    assert!(waiting.iter().all(|(answer, _)| !answer.is_finished()));
    keys.release();
    for (answer, wanted) in waiting {
        assert_eq!(answer.join().unwrap().status, wanted);
    }
    eventually("the old module is gone", || modules.run(&world) == [0, 1]);
    assert_eq!(world.counter("scopegate.waiting"), 0);
}

#[test]
fn streams_stay_open_in_the_old_module_which_still_ends_those_that_are_over_or_revoked() {
    needs_wasm!();
    let modules = Modules::new();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let plugin = |module: &Path| {
        let mut members =
            configuration(&issuer, json!({ "events": events(), "default": { "close_streams": "revocation" } }));
        members["issuers"][0]["leeway"] = json!("0s");
        Gate { plugin: json!({ "allow_on_headers_stop_iteration": true }), ..Gate::new(members) }
            .module(module)
            .plugin()
    };
    let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "endless", "timeout": "0s" } }]);
    let world = World::start_plugin(&plugin(&modules.this), &routes, &[cluster("endless", endless())]);
    let began = now();
    let stream = |sid: &str, exp: i64| {
        let token = issuer.token(began).claim("sid", sid).claim("exp", exp).sign();
        open(world.address(), &token, &[])
    };
    let (over, revoked, last) = (stream("s-0", began + 15), stream("s-1", began + 300), stream("s-2", began + 300));
    eventually("they are open", || world.counter("scopegate.streams.open") == 3);
    modules.swap(&world, &plugin(&modules.next), [1, 1]);
    assert!([&over, &revoked, &last].iter().all(|stream| stream.try_recv().is_err()), "a swap ends none");
    let end = |sid: &str| send(world.address(), &push_logout(&logout(&issuer).claim("sid", sid).sign())).status;
    assert_eq!(end("s-1"), 200, "the new module takes the event");
    revoked.recv_timeout(Duration::from_secs(10)).expect("and the old one ends the stream");
    over.recv_timeout(Duration::from_secs(30)).expect("its token is over");
    thread::sleep(Duration::from_secs(1));
    assert!(last.try_recv().is_err());
    assert_eq!(modules.run(&world), [1, 1], "the old module stays for the last stream");
    assert_eq!(end("s-2"), 200);
    last.recv_timeout(Duration::from_secs(10)).expect("it was revoked");
    eventually("the old module is gone", || modules.run(&world) == [0, 1]);
    let closed = ["revocation", "expiry"].map(|cause| world.counter(&format!("scopegate.streams.closed.{cause}")));
    assert_eq!(closed, [2, 1]);
}

#[test]
fn a_file_that_changes_in_place_counts_with_the_next_configuration_and_what_is_no_module_changes_nothing() {
    needs_wasm!();
    let modules = Modules::new();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let file = PathBuf::from(modules.folder.path("module.wasm"));
    let put = |bytes: &[u8]| {
        let unfinished = modules.folder.path("unfinished");
        fs::write(&unfinished, bytes).unwrap();
        fs::rename(unfinished, &file).unwrap();
    };
    let plugin = |realm: &str, more: Value| {
        let mut members = configuration(&issuer, json!({ "challenge": { "realm": realm } }));
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Gate::new(members).module(&file).plugin()
    };
    put(&fs::read(&modules.this).unwrap());
    let world = World::start_plugin(&plugin("one", json!({})), &to_upstream(), &[]);
    let realm = || get(world.address(), "/", &[]).header("www-authenticate").unwrap_or_default().to_owned();
    let stays = |realm_now: &str, run: [u64; 2]| {
        thread::sleep(Duration::from_secs(2));
        for _ in 0..8 {
            assert_eq!((realm(), modules.run(&world)), (format!("Bearer realm=\"{realm_now}\""), run));
        }
    };
    let rejected = |count: u64| {
        let name = "extension_config_discovery.http_filter.scopegate.update_rejected";
        eventually("it is refused", || {
            let answer = try_send(world.envoy.admin(), &head("GET", "/stats?filter=update_rejected", &[]));
            answer.is_some_and(|answer| answer.body.lines().any(|line| line.ends_with(&format!("{name}: {count}"))))
        });
    };
    put(&fs::read(&modules.next).unwrap());
    stays("one", [1, 0]);
    // A field that this version does not know: with the next one it may.
    world.put_plugin(&plugin("two", json!({ "unheard_of": true })));
    rejected(1);
    world.envoy.wait_for_log("configuration refused: unheard_of");
    stays("one", [1, 0]);
    modules.swap(&world, &plugin("three", json!({})), [0, 1]);
    stays("three", [0, 1]);
    put(b"\0asm\x01\0\0\0nothing");
    world.put_plugin(&plugin("four", json!({})));
    rejected(2);
    stays("three", [0, 1]);
    fs::remove_file(&file).unwrap();
    world.put_plugin(&plugin("five", json!({})));
    rejected(3);
    stays("three", [0, 1]);
    assert_eq!(get_with(world.address(), "/", &issuer.token(now()).sign()).status, 200);
}

#[test]
#[ignore = "needs Redis and Webdis: make evidence-services"]
fn with_the_service_of_the_fleet_a_used_token_stays_used_whatever_is_swapped() {
    needs_wasm!();
    let modules = Modules::new();
    let (redis, issuer) = (Redis::start(), Issuer::new(Algorithm::Es256, "a"));
    let webdis = Webdis::of(&redis);
    let plugin = |module: &Path, id: &str| {
        let service =
            json!({ "cluster": "store", "form": "webdis", "secret": { "env": "REPLAY_SECRET" }, "timeout": "2s" });
        let members = json!({ "default": { "single_use": true }, "replay": { "service": service } });
        let secret = json!({ "key_values": { "REPLAY_SECRET": "A".repeat(43) } });
        let own = json!({ "vm_config": { "vm_id": id, "environment_variables": secret } });
        Gate { plugin: own, ..Gate::new(configuration(&issuer, members)) }.module(module).plugin()
    };
    let clusters = [cluster("store", webdis.address)];
    let world = World::start_plugin(&plugin(&modules.this, "a"), &to_upstream(), &clusters);
    let status = |id: &str| get_with(world.address(), "/", &issuer.token(now()).claim("jti", id).sign()).status;
    assert_eq!([status("first"), status("first")], [200, 401]);
    modules.swap(&world, &plugin(&modules.next, "b"), [0, 1]);
    assert_eq!([status("first"), status("second"), status("second")], [401, 200, 401]);
    modules.swap(&world, &plugin(&modules.this, "a"), [1, 0]);
    assert_eq!([status("first"), status("second"), status("third")], [401, 401, 200]);
}
