//! Modules that make host calls and do nothing else: what a request costs in Envoy's Wasm host before a filter has
//! done anything.

use walrus::ir::Value;
use walrus::{
    ConstExpr, DataKind, FunctionBuilder, FunctionId, InstrSeqBuilder, MemoryId, Module, ModuleConfig, ValType,
};

/// A host call of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// All header lines are read.
    Headers,
    /// The time is read.
    Time,
    /// A header is removed, and another set.
    Edits,
    /// The whole metadata of the route and of the virtual host are read.
    Metadata,
    /// A value is put into filter state.
    FilterState,
}

const I32: ValType = ValType::I32;
/// Where the host puts what it returns, and what it says of that.
const RETURNED: i32 = 4_096;
const OUT: i32 = 16;
/// Where texts lie.
const TEXTS: i32 = 64;

/// A module with the callbacks of the shipped one, of which only that for request headers does anything: it makes
/// `calls`.
pub fn module(calls: &[Call]) -> Vec<u8> {
    let mut module = Module::with_config(ModuleConfig::new());
    let memory = module.memories.add_local(false, false, 2, None, None);
    module.exports.add("memory", memory);
    let mut texts = Texts::default();
    let mut functions = Vec::new();
    for call in calls {
        functions.push((*call, import(&mut module, *call)));
    }
    export(&mut module, "proxy_abi_version_0_2_1", 0, None, |_| {});
    export(&mut module, "proxy_on_memory_allocate", 1, Some(RETURNED), |_| {});
    export(&mut module, "proxy_on_vm_start", 2, Some(1), |_| {});
    export(&mut module, "proxy_on_configure", 2, Some(1), |_| {});
    export(&mut module, "proxy_on_context_create", 2, None, |_| {});
    export(&mut module, "proxy_on_delete", 1, None, |_| {});
    export(&mut module, "proxy_on_request_headers", 3, Some(0), |body| {
        for (call, functions) in &functions {
            make(body, *call, functions, &mut texts);
        }
    });
    texts.place(&mut module, memory);
    module.emit_wasm()
}

/// The host functions of a call.
fn import(module: &mut Module, call: Call) -> Vec<FunctionId> {
    let functions: &[(&str, usize)] = match call {
        Call::Headers => &[("proxy_get_header_map_pairs", 3)],
        Call::Time => &[("proxy_get_current_time_nanoseconds", 1)],
        Call::Edits => &[("proxy_remove_header_map_value", 3), ("proxy_replace_header_map_value", 5)],
        Call::Metadata => &[("proxy_get_property", 4)],
        Call::FilterState => &[("proxy_set_property", 4)],
    };
    let mut add = |(name, parameters): &(&str, usize)| {
        let ty = module.types.add(&vec![I32; *parameters], &[I32]);
        module.add_import_func("env", name, ty).0
    };
    functions.iter().map(&mut add).collect()
}

fn make(body: &mut InstrSeqBuilder<'_>, call: Call, functions: &[FunctionId], texts: &mut Texts) {
    let mut made = |function: FunctionId, arguments: &[i32]| {
        for argument in arguments {
            body.i32_const(*argument);
        }
        body.call(function).drop();
    };
    match call {
        Call::Headers => made(functions[0], &[0, OUT, OUT + 4]),
        Call::Time => made(functions[0], &[OUT]),
        Call::Edits => {
            let (name, length) = texts.add("authorization");
            made(functions[0], &[0, name, length]);
            let ((name, length), (value, value_length)) = (texts.add("x-auth-subject"), texts.add("alice"));
            made(functions[1], &[0, name, length, value, value_length]);
        }
        Call::Metadata => {
            for path in ["xds\0route_metadata", "xds\0virtual_host_metadata"] {
                let (path, length) = texts.add(path);
                made(functions[0], &[path, length, OUT, OUT + 4]);
            }
        }
        Call::FilterState => {
            let (key, length) = texts.add("scopegate");
            let (value, value_length) = texts.add(&format!("{{\"decision\":\"allow\",\"x\":\"{}\"}}", "x".repeat(100)));
            made(functions[0], &[key, length, value, value_length]);
        }
    }
}

fn export(
    module: &mut Module,
    name: &str,
    parameters: usize,
    returns: Option<i32>,
    fill: impl FnOnce(&mut InstrSeqBuilder<'_>),
) {
    let results: &[ValType] = if returns.is_some() { &[I32] } else { &[] };
    let mut builder = FunctionBuilder::new(&mut module.types, &vec![I32; parameters], results);
    let mut body = builder.func_body();
    fill(&mut body);
    if let Some(value) = returns {
        body.i32_const(value);
    }
    let arguments = (0..parameters).map(|_| module.locals.add(I32)).collect();
    let function = builder.finish(arguments, &mut module.funcs);
    module.exports.add(name, function);
}

/// Texts in the module's memory.
#[derive(Default)]
struct Texts(Vec<u8>);

impl Texts {
    /// Where a text lies, and how long it is.
    fn add(&mut self, text: &str) -> (i32, i32) {
        let place = |length: usize| i32::try_from(length).unwrap();
        let start = TEXTS + place(self.0.len());
        self.0.extend(text.as_bytes());
        (start, place(text.len()))
    }

    fn place(self, module: &mut Module, memory: MemoryId) {
        let offset = ConstExpr::Value(Value::I32(TEXTS));
        module.data.add(DataKind::Active { memory, offset }, self.0);
    }
}
