//! What makes one list of tests run on both artifacts: resources with the native module in the place of Wasm, and the tests
//! that are left out with it.

use crate::support::envoy::root;
use crate::support::native::{Environment, Rewritten, rewrite, statistic};
use crate::support::only_wasm::{ONLY_WASM, reason};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const LIBRARY: &str = "/modules/libscopegate.so";
const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";
const NATIVE: &str = "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

fn plugin(code: &str, configuration: Value) -> Value {
    json!({
        "name": "a", "root_id": "scopegate", "failure_policy": "FAIL_RELOAD", "configuration": configuration,
        "vm_config": {
            "vm_id": "one", "runtime": "envoy.wasm.runtime.v8", "code": { "local": { "filename": code } },
            "environment_variables": { "key_values": { "KEY": "secret" } },
        },
    })
}

fn native(configuration: &Value) -> Value {
    json!({
        "dynamic_module_config": { "name": "scopegate", "metrics_namespace": "wasmcustom", "do_not_close": true },
        "filter_name": "one",
        "filter_config": configuration,
    })
}

fn document(document: &Value) -> Value {
    rewrite(document, Path::new(LIBRARY)).document
}

#[test]
fn a_filter_keeps_its_configuration_as_it_is_and_its_environment_becomes_envoys() {
    for configuration in [
        json!({ "@type": STRUCT, "value": { "issuers": [] } }),
        json!({ "@type": "StringValue", "value": "{\"a\": 1}" }),
    ] {
        let config = plugin(LIBRARY, configuration.clone());
        let filter = json!({ "name": "gate", "typed_config": { "@type": WASM, "config": config } });
        let Rewritten { document, environment } = rewrite(&json!([filter]), Path::new(LIBRARY));
        let mut wanted = native(&configuration);
        wanted["@type"] = NATIVE.into();
        assert_eq!(document, json!([{ "name": "gate", "typed_config": wanted }]));
        assert_eq!(environment, Environment::from([("KEY".to_owned(), "secret".to_owned())]));
    }
}

#[test]
fn a_filter_in_a_typed_struct_and_one_that_is_discovered_are_found() {
    let configuration = json!({ "@type": STRUCT, "value": {} });
    let typed = json!({ "@type": "TypedStruct", "type_url": WASM, "value": { "config": plugin(LIBRARY, configuration.clone()) } });
    let wanted = json!({ "@type": "TypedStruct", "type_url": NATIVE, "value": native(&configuration) });
    assert_eq!(document(&json!({ "typed_config": typed })), json!({ "typed_config": wanted }));
    let discovery = |types: Value| json!({ "name": "a", "config_discovery": { "type_urls": types } });
    assert_eq!(document(&discovery(json!(["other", WASM]))), discovery(json!(["other", WASM, NATIVE])));
}

#[test]
fn a_record_as_an_object_becomes_text_in_the_configuration_and_in_access_logs() {
    let settings = |form: &str| json!({ "audit": { "record": form, "fields": "full" } });
    let forms = |form: &str| [json!({ "value": settings(form) }), json!({ "value": settings(form).to_string() })];
    for (given, wanted) in forms("object").into_iter().zip(forms("text")) {
        let filter = json!({ "@type": WASM, "config": plugin(LIBRARY, given) });
        assert_eq!(document(&filter)["filter_config"], wanted);
    }
    let log = |record: &str| json!({ "json_format": { "gate": record, "code": "%RESPONSE_CODE%" } });
    let (object, text) = ("%TYPED_CEL(filter_state['wasm.scopegate'])%", "%FILTER_STATE(wasm.scopegate:PLAIN)%");
    assert_eq!(document(&log(object)), log(text));
}

#[test]
fn a_condition_on_what_the_gate_publishes_makes_text_of_it() {
    let state = json!({ "call_expr": { "function": "_[_]", "args": [
        { "ident_expr": { "name": "filter_state" } }, { "const_expr": { "string_value": "wasm.scopegate.route_name" } },
    ] } });
    let name = json!({ "select_expr": { "operand": { "ident_expr": { "name": "xds" } }, "field": "route_name" } });
    let policy = |state: &Value| json!({ "condition": { "call_expr": { "function": "_==_", "args": [state, name] } } });
    let mut wanted = policy(&json!({ "call_expr": { "function": "string", "args": [state] } }));
    wanted["cel_config"] = json!({ "enable_string_conversion": true });
    assert_eq!(document(&policy(&state)), wanted);
    assert_eq!(document(&policy(&name)), policy(&name));
}

/// A virtual host with these requirements of its own and of its two routes, with other metadata beside them.
fn host(own: Option<&Value>, routes: [&Value; 2]) -> Value {
    let with = |requirement: &Value| json!({ "filter_metadata": { "scopegate": requirement, "other": { "a": {} } } });
    let mut host = json!({ "routes": routes.map(|requirement| json!({ "metadata": with(requirement) })) });
    if let Some(own) = own {
        host["metadata"] = with(own);
    }
    host
}

/// What the filters of these names are configured with for a route or a virtual host; `other` metadata stays.
fn moved(names: &[&str], requirement: &Value) -> Value {
    let own = json!({
        "@type": format!("{NATIVE}PerRoute"),
        "dynamic_module_config": { "name": "scopegate", "do_not_close": true },
        "per_route_config_name": "scopegate",
        "filter_config": { "@type": STRUCT, "value": requirement },
    });
    let all: serde_json::Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), own.clone())).collect();
    json!({ "metadata": { "filter_metadata": { "other": { "a": {} } } }, "typed_per_filter_config": all })
}

#[test]
fn requirements_that_the_module_cannot_read_in_metadata_move_and_others_stay() {
    let flat = json!({ "scopes": ["a", "b"], "public": false, "max_age": 5, "realm": "x" });
    let nested = json!({ "scopes": { "any_of": ["a"] } });
    for nested in [&nested, &json!({ "roles": [["a"]] }), &json!({ "deny": null })] {
        let table = |host: Value| json!({ "route_config": { "virtual_hosts": [host] } });
        let rewritten = document(&table(host(None, [&flat, nested])));
        let mut wanted = host(None, [&flat, nested]);
        wanted["routes"][1] = moved(&["scopegate"], nested);
        assert_eq!(rewritten, table(wanted));
    }
    // What is a virtual host's own holds for its routes, and metadata beside it is refused.
    for own in [&flat, &nested] {
        let rewritten = document(&json!({ "virtual_hosts": [host(Some(own), [&flat, &nested])] }));
        let mut wanted = moved(&["scopegate"], own);
        wanted["routes"] = json!([moved(&["scopegate"], &flat), moved(&["scopegate"], &nested)]);
        assert_eq!(rewritten, json!({ "virtual_hosts": [wanted] }));
    }
}

#[test]
fn what_moves_is_for_every_filter_of_the_document_by_its_name() {
    let nested = json!({ "methods": {} });
    let gate = json!({ "@type": WASM, "config": plugin(LIBRARY, json!({})) });
    let inside =
        json!({ "@type": "ExtensionWithMatcher", "extension_config": { "name": "inner", "typed_config": gate } });
    let rewritten = document(&json!({
        "name": "listener",
        "typed_config": {
            "http_filters": [{ "name": "first", "typed_config": gate }, { "name": "outer", "typed_config": inside }],
            "route_config": { "virtual_hosts": [host(Some(&nested), [&nested; 2])] },
        },
    }));
    let host = &rewritten["typed_config"]["route_config"]["virtual_hosts"][0];
    let names: Vec<&String> = host["typed_per_filter_config"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["first", "inner", "outer"]);
}

#[test]
fn counters_with_labels_are_read_by_the_names_that_they_have_with_wasm() {
    for (native, wasm) in [
        ("requirement.outcome.deny.requirement.rules_0_", "requirement.deny.rules_0_"),
        ("refused.mode.enforce.issuer.none.reason.expired", "refused.enforce.none.expired"),
        ("refused.enforce.none.expired", "refused.enforce.none.expired"),
        ("denied.expired", "denied.expired"),
    ] {
        let name = |name: &str| format!("wasmcustom.scopegate.{name}");
        assert_eq!(statistic(&name(native)), name(wasm));
    }
}

#[test]
#[should_panic(expected = "other code than the module's")]
fn a_filter_with_other_code_is_not_passed_over() {
    document(&json!({ "@type": WASM, "config": plugin("/modules/broken.wasm", json!({})) }));
}

#[test]
#[should_panic(expected = "KEY has two values")]
fn two_filters_cannot_have_two_values_of_a_variable() {
    let one = json!({ "@type": WASM, "config": plugin(LIBRARY, json!({})) });
    let mut other = one.clone();
    other["config"]["vm_config"]["environment_variables"]["key_values"]["KEY"] = "another".into();
    document(&json!([one, other]));
}

/// The files of Rust below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { sources(&path) } else { vec![path] };
    paths.flat_map(below).filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

#[test]
fn each_test_that_is_left_out_natively_exists_and_says_so_and_no_other_does() {
    let tests: Vec<&str> = ONLY_WASM.iter().flat_map(|(_, tests)| tests.iter().copied()).collect();
    for test in &tests {
        let (module, name) = test.rsplit_once("::").unwrap();
        let file = root().join("tests").join(format!("{}.rs", module.replace("::", "/")));
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{test}: {}: {error}", file.display()));
        // Below `#[test]`, or below a further attribute.
        assert!(text.contains(&format!("]\nfn {name}() {{\n    needs_wasm!();\n")), "{test}");
        assert!(reason(test).is_some_and(|reason| !reason.is_empty()), "{test}");
    }
    let all = ["tests/e2e", "tests/faults"].map(|folder| sources(&root().join(folder))).concat();
    let said: usize =
        all.iter().map(|file| fs::read_to_string(file).unwrap().matches("\n    needs_wasm!();\n").count()).sum();
    assert_eq!(said, tests.len(), "each that says so is in the list");
}
