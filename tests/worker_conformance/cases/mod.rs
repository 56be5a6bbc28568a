//! What every worker must do, by subject.

mod boot;
mod calls;
mod cancel;
mod ending;
mod json;
mod metrics;
mod stacks;
mod streams;
mod versions;

use crate::runtime::Runtime;

/// One promise; `run` panics where it is broken.
pub struct Case {
    pub name: &'static str,
    /// The capabilities that a worker must have for it.
    pub needs: &'static [&'static str],
    pub run: fn(&Runtime),
}

macro_rules! cases {
    ($($module:ident $needs:tt: $($name:ident),*;)*) => {
        pub const CASES: &[Case] = &[$($(
            Case {
                name: concat!(stringify!($module), "::", stringify!($name)),
                needs: &$needs,
                run: $module::$name,
            },
        )*)*];
    };
}

cases! {
    boot []: hello_comes_first, import_tells_workers, import_of_a_missing_app_fails, apps_load,
        failed_init_is_told_and_can_be_retried, ping_is_answered;
    calls []: every_kind_of_value_goes_there_and_back, arguments_by_place_and_name,
        the_action_knows_its_call, the_action_knows_its_trace, an_exception_has_type_message_and_traceback,
        an_app_chooses_code_and_metadata, the_worst_that_an_action_can_throw, a_missing_action, a_private_action,
        what_belongs_to_the_life_of_an_app_is_no_action, arguments_beyond_the_limits,
        a_result_without_a_form, a_result_that_is_too_large, execute_of_a_streaming_action,
        a_request_that_is_garbage, an_argument_without_a_kind, an_app_that_is_not_loaded,
        two_calls_at_once, the_largest_call_ids_stay_apart;
    streams []: chunks_then_end, an_empty_stream, a_plain_result_is_a_response,
        chunk_credit_is_kept_and_resumes, byte_credit_is_kept_and_resumes,
        an_exception_after_chunks, a_chunk_that_is_too_large;
    cancel []: caller_gone_closes_the_generator, caller_gone_ends_an_async_action,
        deadline_ends_an_async_action, timeout_interrupts,
        the_stacks_are_printed_and_nothing_ends, a_harder_cancel_after_a_soft_one,
        unknown_calls_are_ignored, ping_is_answered_while_busy;
    ending []: shutdown_closes_apps_and_exits_0, shutdown_lets_a_call_finish,
        end_of_file_ends_the_worker, end_of_file_ends_a_busy_worker, garbage_ends_it,
        an_unknown_kind_of_frame_ends_it, an_endless_frame_ends_it;
    json ["json"]: values_go_there_and_back, a_number_is_what_its_form_says,
        tensors_of_every_dtype, arguments_by_place_and_name, of_two_equal_keys_the_last_one_counts,
        malformed_requests, malformed_values, malformed_tensors, levels_of_nesting,
        a_result_that_nests_too_deep, a_result_without_a_form, a_result_that_is_too_large,
        chunks_then_end, credit_counts_the_text, a_chunk_that_is_too_large,
        a_plain_result_of_a_stream, an_exception_after_chunks, failures_are_those_of_any_call,
        cancel_ends_an_async_action, each_call_has_its_own_kind;
    metrics ["metrics"]: what_a_call_counts_arrives_once_with_its_labels,
        each_kind_has_its_definition, a_busy_call_holds_nothing_back,
        what_is_unsent_comes_before_the_exit;
    stacks ["stacks"]: they_come_while_an_action_is_busy, an_idle_worker_runs_no_call,
        an_answer_is_no_larger_than_a_message;
    versions []: hello_says_which_are_spoken, an_older_version_ends_it, a_newer_version_ends_it,
        unknown_capabilities_are_ignored, one_of_frame_and_payload_names_the_action,
        payload_kinds_that_nobody_agreed_on, what_nobody_agreed_on_is_not_sent;
}
