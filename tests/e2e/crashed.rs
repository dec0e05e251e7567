//! A request that waits in a crashing VM gets no answer from it: the connection manager's timeouts end it.

use crate::support::client::get;
use crate::support::envoy::{Envoy, root};
use crate::support::only_wasm::needs_wasm;
use std::time::{Duration, Instant};
use walrus::{FunctionBuilder, Module, ValType};

/// A filter that pauses every request and then crashes at its first tick.
fn crashing() -> Vec<u8> {
    let mut module = Module::default();
    let memory = module.memories.add_local(false, false, 1, None, None);
    module.exports.add("memory", memory);
    let tick = module.types.add(&[ValType::I32], &[ValType::I32]);
    let (set_tick, _) = module.add_import_func("env", "proxy_set_tick_period_milliseconds", tick);
    let mut export =
        |name: &str, parameters: usize, result: Option<i32>, body: fn(&mut FunctionBuilder, walrus::FunctionId)| {
            let types = vec![ValType::I32; parameters];
            let results: &[ValType] = if result.is_some() { &[ValType::I32] } else { &[] };
            let mut builder = FunctionBuilder::new(&mut module.types, &types, results);
            body(&mut builder, set_tick);
            if let Some(result) = result {
                builder.func_body().i32_const(result);
            }
            let arguments: Vec<_> = (0..parameters).map(|_| module.locals.add(ValType::I32)).collect();
            let function = builder.finish(arguments, &mut module.funcs);
            module.exports.add(name, function);
        };
    let nothing = |_: &mut FunctionBuilder, _| {};
    export("proxy_abi_version_0_2_1", 0, None, nothing);
    export("proxy_on_memory_allocate", 1, Some(1024), nothing);
    export("proxy_on_context_create", 2, None, nothing);
    export("proxy_on_vm_start", 2, Some(1), nothing);
    export("proxy_on_configure", 2, Some(1), |builder, set_tick| {
        builder.func_body().i32_const(300).call(set_tick).drop();
    });
    // 1 is Pause.
    export("proxy_on_request_headers", 3, Some(1), nothing);
    export("proxy_on_tick", 1, None, |builder, _| {
        builder.func_body().unreachable();
    });
    module.emit_wasm()
}

#[test]
fn the_timeouts_of_the_shipped_file_end_requests_that_waited_in_a_vm_that_crashed() {
    needs_wasm!();
    let module = root().join(format!("target/e2e/crashing-{}.wasm", std::process::id()));
    std::fs::create_dir_all(module.parent().unwrap()).unwrap();
    std::fs::write(&module, crashing()).unwrap();
    let shipped = std::fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap();
    // Each of the two bounds it by itself.
    for (kept, other) in [("request_timeout", "stream_idle_timeout"), ("stream_idle_timeout", "request_timeout")] {
        assert_eq!(shipped.matches(&format!("          {kept}: 60s")).count(), 1, "{kept} is in the shipped file");
        let text = shipped
            .replace("port_value: 10000}", "port_value: 0}")
            .replace("port_value: 9901}", "port_value: 0}")
            .replace("target/scopegate.wasm", &module.to_string_lossy())
            .replace(&format!("          {kept}: 60s"), &format!("          {kept}: 1.5s"))
            .replace(&format!("          {other}: 60s"), &format!("          {other}: 0s"));
        let envoy = Envoy::start_text(&text, 1).unwrap_or_else(|log| panic!("{log}"));
        // The VM may crash at its first tick before the request is there: then it is refused at once.
        let ended = (0..50).find_map(|_| {
            let begun = Instant::now();
            let answer = get(envoy.address(), "/anything", &[]);
            let waited = begun.elapsed();
            if waited < Duration::from_millis(300) {
                std::thread::sleep(Duration::from_millis(100));
                return None;
            }
            Some((answer.status, waited))
        });
        let (status, waited) = ended.unwrap_or_else(|| panic!("{kept}: no request waited: {}", envoy.log()));
        assert!([408, 503, 504].contains(&status), "{kept}: {status}");
        assert!(waited < Duration::from_secs(4), "{kept}: {waited:?}");
    }
    let _ = std::fs::remove_file(module);
}
