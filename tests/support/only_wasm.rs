//! The tests of `tests/e2e` and `tests/faults` that need the Wasm module, and why. Every other one runs with the native module
//! too.

use super::native;
use std::io::Write as _;

/// A reason, and the tests that it holds for: the binary, the module and the name.
pub const ONLY_WASM: &[(&str, &[&str])] = &[
    (
        "it breaks the module as Wasm: a trap, its memory or its clock; a fault of the native module ends Envoy",
        &[
            "e2e::crashed::the_timeouts_of_the_shipped_file_end_requests_that_waited_in_a_vm_that_crashed",
            "faults::vm::in_whichever_callback_the_vm_traps_requests_are_refused_until_there_is_a_new_one_and_none_passes",
            "faults::vm::a_vm_that_traps_between_two_calls_of_the_host_has_let_nothing_pass_and_forwarded_nothing",
            "faults::vm::where_no_vm_is_made_anew_a_worker_whose_vm_has_failed_answers_503_until_it_gets_another_configuration",
            "faults::vm::a_vm_whose_memory_ends_refuses_and_comes_back",
            "faults::vm::under_a_clock_that_jumps_back_and_forth_every_token_is_judged_by_the_time_that_it_shows",
            "faults::vm::a_vm_that_traps_takes_the_requests_that_wait_in_it_along_and_none_of_them_passes",
            "faults::replay::a_token_that_was_used_in_a_vm_that_traps_is_refused_by_the_next_one",
            "faults::rewritten::a_module_that_is_dropped_takes_the_file_of_no_other_along",
        ],
    ),
    (
        "it counts or takes away calls between Envoy and a VM, by Envoy's trace and restrictions of Wasm",
        &[
            "e2e::host_calls::a_request_makes_as_many_host_calls_as_the_table_says",
            "e2e::host_calls::every_context_that_is_created_is_deleted",
            "e2e::signatures::without_the_host_function_signatures_are_checked_in_the_vm_or_the_configuration_is_refused",
            "faults::host_calls::whatever_host_call_is_refused_no_hostile_request_passes",
            "faults::host_calls::a_host_that_never_asks_the_filter_is_what_it_cannot_protect_against",
        ],
    ),
    (
        "it is about the module without the callbacks of responses; the native module has them",
        &[
            "e2e::artifacts::each_module_says_which_it_is_and_both_leave_responses_as_they_are",
            "e2e::lists::the_module_without_callbacks_of_responses_refuses_the_setting",
            "e2e::sessions::a_module_that_is_not_called_for_responses_refuses_and_names_the_other",
        ],
    ),
    (
        "it fetches the module over HTTP (`code.remote`), which Envoy does for Wasm alone",
        &["e2e::gateway::a_gateway_and_one_of_its_routes_do_what_their_policies_say"],
    ),
    (
        "it gives a secret another value while Envoy runs; the native module reads Envoy's own environment",
        &["e2e::versions::before_1_39_a_new_secret_needs_a_new_vm"],
    ),
    (
        "it swaps the module while Envoy runs; a native module that was loaded stays until Envoy ends",
        &[
            "e2e::upgrade::a_module_that_is_swapped_and_swapped_back_under_load_drops_nothing_and_lets_nothing_bad_through",
            "e2e::upgrade::what_is_remembered_of_clients_and_keys_is_kept_under_one_vm_id_and_forgotten_under_another",
            "e2e::upgrade::a_swap_under_one_vm_id_needs_no_issuer_and_one_under_another_waits_for_it",
            "e2e::upgrade::requests_that_wait_for_keys_when_the_module_is_swapped_are_decided_like_all_others",
            "e2e::upgrade::streams_stay_open_in_the_old_module_which_still_ends_those_that_are_over_or_revoked",
            "e2e::upgrade::a_file_that_changes_in_place_counts_with_the_next_configuration_and_what_is_no_module_changes_nothing",
            "e2e::upgrade::with_the_service_of_the_fleet_a_used_token_stays_used_whatever_is_swapped",
        ],
    ),
    (
        "it runs the demo, which starts Envoy with the Wasm module",
        &["e2e::shipped::every_line_that_make_run_prints_does_what_it_promises"],
    ),
    (
        "it is about `allow_on_headers_stop_iteration`, a flag of Wasm plugins",
        &[
            "e2e::events_bodies::without_the_flag_of_the_plugin_no_event_is_taken_and_none_goes_upstream",
            "e2e::signed::without_the_flag_of_the_plugin_a_body_that_has_to_be_held_is_unreadable",
        ],
    ),
    (
        "it is about a route that Wasm reads as it was before; natively Envoy looks it up when the gate asks",
        &[
            "e2e::filters::a_filter_asks_for_the_route_where_the_table_says_so",
            "e2e::filters::a_filter_clears_the_route_cache_where_the_table_says_so",
        ],
    ),
    (
        "`audit.record: object` is refused natively: the record is text in filter state",
        &[
            "e2e::claims::an_access_log_prints_claims_that_were_verified_and_nothing_that_a_client_wrote",
            "e2e::record::a_record_is_an_object_in_the_access_log_and_says_what_the_text_says",
            "e2e::record::where_no_record_is_asked_for_the_access_log_has_null",
            "e2e::record::a_request_that_outlives_its_configuration_is_logged_in_the_form_that_it_was_judged_under",
            "e2e::record::a_full_record_in_envoy_has_every_member_that_such_a_request_can_have",
        ],
    ),
];

/// Why the native module cannot do this test.
pub fn reason(test: &str) -> Option<&'static str> {
    ONLY_WASM.iter().find(|(_, tests)| tests.contains(&test)).map(|(reason, _)| *reason)
}

/// Whether a test, by the path of a function in it, is left out because the native module is tested. Says so.
///
/// # Panics
/// When the list does not have it.
pub fn is_left_out(inside: &str) -> bool {
    let test = inside.rsplit_once("::").map_or(inside, |(test, _)| test);
    let reason = reason(test).unwrap_or_else(|| panic!("{test} is not in tests/support/only_wasm.rs"));
    let is_native = native::is_tested();
    if is_native {
        // Not caught as what a test prints is.
        let _ = writeln!(std::io::stderr(), "left out natively: {test}: {reason}");
    }
    is_native
}

/// Ends a test that needs Wasm where the native module is tested: its first line.
macro_rules! needs_wasm {
    () => {
        fn here() {}
        if $crate::support::only_wasm::is_left_out(std::any::type_name_of_val(&here)) {
            return;
        }
    };
}
pub(crate) use needs_wasm;
