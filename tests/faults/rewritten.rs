//! The module as shipped with a defect put into it, which a request sets off by the number of its headers: nothing else
//! of it is changed, so what is tested is what is shipped.

use crate::support::envoy::{module, root};
use crate::support::only_wasm::needs_wasm;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use walrus::ir::{BinaryOp, LoadKind, MemArg, StoreKind, UnaryOp};
use walrus::{ConstExpr, ExportItem, FunctionBuilder, FunctionId, GlobalId, InstrSeqBuilder, Module, ValType};

/// What a request with a certain number of headers sets off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The VM traps at once.
    Headers,
    /// It traps at the next call of this kind.
    Body,
    Tick,
    CallResponse,
    Delete,
}

impl Mark {
    pub const ALL: [Self; 5] = [Self::Headers, Self::Body, Self::Tick, Self::CallResponse, Self::Delete];

    const fn code(self) -> i32 {
        match self {
            Self::Headers => 3,
            Self::Body => 4,
            Self::Tick => 5,
            Self::CallResponse => 6,
            Self::Delete => 7,
        }
    }

    const fn export(self) -> &'static str {
        match self {
            Self::Headers => "proxy_on_request_headers",
            Self::Body => "proxy_on_request_body",
            Self::Tick => "proxy_on_tick",
            Self::CallResponse => "proxy_on_http_call_response",
            Self::Delete => "proxy_on_delete",
        }
    }

    /// The further headers of a request that sets it off.
    pub fn headers(self) -> Vec<(String, String)> {
        further_headers(self.code())
    }
}

/// Further headers, so that a request has ten times `code` and a few in all, with those that Envoy adds.
pub fn further_headers(code: i32) -> Vec<(String, String)> {
    (0..code * 10 - 3).map(|number| (format!("x-{number}"), "1".to_owned())).collect()
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A module in a separate file, which is removed with this.
pub struct Rewritten(PathBuf);

impl Rewritten {
    fn write(name: &str, mut module: Module) -> Self {
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let path = root().join(format!("target/e2e/{name}-{}-{number}.wasm", std::process::id()));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, module.emit_wasm()).unwrap();
        Self(path)
    }

    /// To be merged into the `PluginConfig`. A VM that traps is made again soon.
    pub fn plugin(&self) -> Value {
        json!({
            "reload_config": { "backoff": { "base_interval": "0.1s", "max_interval": "0.2s" } },
            "vm_config": { "code": { "local": { "filename": self.0.to_string_lossy() } } },
        })
    }

    /// It traps where a [`Mark`] says.
    pub fn trapping() -> Self {
        let mut module = shipped();
        let armed = module.globals.add_local(ValType::I32, true, false, ConstExpr::Value(walrus::ir::Value::I32(0)));
        for mark in Mark::ALL {
            wrap(&mut module, mark.export(), |body, arguments| {
                if mark == Mark::Headers {
                    remember_code(body, arguments[1], armed);
                }
                body.global_get(armed).i32_const(mark.code()).binop(BinaryOp::I32Eq);
                body.if_else(
                    None,
                    |then| {
                        then.unreachable();
                    },
                    |_| {},
                );
            });
        }
        Self::write("trapping", module)
    }

    /// It traps where a request that sets off [`Mark::Headers`] would call this function of the host: what the filter did
    /// before that stays done.
    pub fn trapping_at(function: &str) -> Self {
        let mut module = shipped();
        let armed = module.globals.add_local(ValType::I32, true, false, ConstExpr::Value(walrus::ir::Value::I32(0)));
        wrap(&mut module, Mark::Headers.export(), |body, arguments| remember_code(body, arguments[1], armed));
        let host = module.imports.get_func("env", function).unwrap();
        let kind = module.funcs.get(host).ty();
        let (right, _) = module.add_import_func("env", function, kind);
        let replaced = module.replace_imported_func(host, |(body, arguments)| {
            body.global_get(armed).i32_const(Mark::Headers.code()).binop(BinaryOp::I32Eq);
            body.if_else(
                None,
                |then| {
                    then.unreachable();
                },
                |_| {},
            );
            for argument in arguments {
                body.local_get(*argument);
            }
            body.call(right);
        });
        replaced.unwrap();
        Self::write("trapping-at", module)
    }

    /// Its memory cannot grow by more than this number of pages of 64 KiB.
    pub fn confined(pages: u64) -> Self {
        let mut module = shipped();
        let memory = module.memories.iter_mut().next().unwrap();
        memory.maximum = Some(memory.initial + pages);
        Self::write("confined", module)
    }

    /// Its clock goes wrong by this number of seconds for each code above or below 6, from the request with that code
    /// on.
    pub fn with_wrong_clock(seconds: i64) -> Self {
        let mut module = shipped();
        let code = module.globals.add_local(ValType::I32, true, false, ConstExpr::Value(walrus::ir::Value::I32(6)));
        wrap(&mut module, "proxy_on_request_headers", |body, arguments| remember_code(body, arguments[1], code));
        let clock = module.imports.get_func("env", "proxy_get_current_time_nanoseconds").unwrap();
        let kind = module.funcs.get(clock).ty();
        let (right, _) = module.add_import_func("env", "proxy_get_current_time_nanoseconds", kind);
        let memory = module.memories.iter().next().unwrap().id();
        let at = MemArg { align: 8, offset: 0 };
        let replaced = module.replace_imported_func(clock, |(body, arguments)| {
            body.local_get(arguments[0]).call(right);
            body.local_get(arguments[0]).local_get(arguments[0]).load(memory, LoadKind::I64 { atomic: false }, at);
            body.global_get(code).i32_const(6).binop(BinaryOp::I32Sub).unop(UnaryOp::I64ExtendSI32);
            body.i64_const(seconds * 1_000_000_000).binop(BinaryOp::I64Mul).binop(BinaryOp::I64Add);
            body.store(memory, StoreKind::I64 { atomic: false }, at);
        });
        replaced.unwrap();
        Self::write("wrong-clock", module)
    }
}

impl Drop for Rewritten {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The host functions that the module as shipped asks for.
pub fn host_functions() -> Vec<String> {
    let module = shipped();
    // In their order in the module they would change places with every link.
    let names: BTreeSet<String> = module.imports.iter().map(|import| import.name.clone()).collect();
    names.into_iter().collect()
}

/// The callbacks that it offers.
pub fn callbacks() -> Vec<String> {
    let module = shipped();
    let functions = module.exports.iter().filter(|export| matches!(export.item, ExportItem::Function(_)));
    functions.map(|export| export.name.clone()).filter(|name| name.starts_with("proxy_on_")).collect()
}

fn shipped() -> Module {
    Module::from_file(module()).unwrap()
}

/// Keeps the code of a request: a tenth of the number of its headers, where that is 3 or more.
fn remember_code(body: &mut InstrSeqBuilder<'_>, headers: walrus::LocalId, code: GlobalId) {
    body.local_get(headers).i32_const(10).binop(BinaryOp::I32DivU).i32_const(3).binop(BinaryOp::I32GeU);
    body.if_else(
        None,
        |then| {
            then.local_get(headers).i32_const(10).binop(BinaryOp::I32DivU).global_set(code);
        },
        |_| {},
    );
}

/// Puts something before an exported function, which is called with the same arguments.
fn wrap(module: &mut Module, name: &str, before: impl FnOnce(&mut InstrSeqBuilder<'_>, &[walrus::LocalId])) {
    let export = module.exports.iter().find(|export| export.name == name).unwrap();
    let (export, ExportItem::Function(inner)) = (export.id(), export.item) else { panic!("{name} is no function") };
    let outer = outer(module, inner, before);
    module.exports.get_mut(export).item = ExportItem::Function(outer);
}

fn outer(
    module: &mut Module,
    inner: FunctionId,
    before: impl FnOnce(&mut InstrSeqBuilder<'_>, &[walrus::LocalId]),
) -> FunctionId {
    let kind = module.types.get(module.funcs.get(inner).ty());
    let (parameters, results) = (kind.params().to_vec(), kind.results().to_vec());
    let arguments: Vec<_> = parameters.iter().map(|kind| module.locals.add(*kind)).collect();
    let mut builder = FunctionBuilder::new(&mut module.types, &parameters, &results);
    let mut body = builder.func_body();
    before(&mut body, &arguments);
    for argument in &arguments {
        body.local_get(*argument);
    }
    body.call(inner);
    builder.finish(arguments, &mut module.funcs)
}

#[test]
fn a_module_that_is_dropped_takes_the_file_of_no_other_along() {
    needs_wasm!();
    let kept = Rewritten::confined(6);
    drop(Rewritten::confined(6));
    assert!(kept.0.exists());
}
