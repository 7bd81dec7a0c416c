//! The list of all promises, and the macros that make a test of each.

/// Makes one test per promise for a [`Subject`](crate::Subject), in a module per topic.
///
/// The subject is named by a path that is right in every module: `crate::Kernel`, not
/// `Kernel`.
///
/// ```text
/// mod one_worker {
///     trefoil_conformance::suite!(crate::OneWorker);
/// }
/// ```
#[macro_export]
macro_rules! suite {
    ($subject:ty) => {
        $crate::suite! { @ $subject;
            spawn {
                join_returns_the_value,
                run_returns_the_value,
                many_threads_run,
                many_threads_live_at_once,
                threads_spawn_threads,
                a_long_chain_of_joins_ends,
                a_detached_thread_runs_on,
                is_finished_tells_the_end,
                anybody_may_join,
                join_shows_what_the_thread_wrote,
                nothing_is_leaked_or_dropped_twice,
                joining_oneself_is_refused,
                a_thread_begins_unasked,
            }
            panics {
                a_string_arrives_at_join,
                a_literal_arrives_at_join,
                any_payload_arrives_at_join,
                a_panic_unwinds_the_stack,
                a_payload_that_panics_in_drop_is_the_joiners,
                a_detached_payload_that_panics_in_drop_harms_nobody,
                a_detached_result_that_panics_in_drop_harms_nobody,
                a_capture_that_panics_in_drop_is_a_panic,
                the_first_threads_panic_comes_out_of_run,
                a_caught_panic_stays_inside,
                panicking_knows_its_own_panic,
                a_neighbours_panic_is_not_mine,
                a_neighbours_panic_poisons_no_lock,
                a_neighbours_panic_leaves_room_for_mine,
            }
            future {
                a_thread_is_awaited,
                awaiting_oneself_is_refused,
                a_thread_that_is_awaited_no_more_goes_on,
                messages_are_a_stream,
                a_future_that_wakes_itself_is_ended,
                streams_of_one_task_are_told_apart,
                a_waker_that_panics_harms_nobody,
                a_stream_does_not_wait_for_a_select,
                what_is_ready_is_returned,
                a_future_is_waited_for,
                plain_threads_take_part,
                a_future_that_gives_way_lets_others_run,
                the_park_token_is_left,
                a_late_waker_harms_nobody,
                a_panic_comes_out,
                an_ended_wait_drops_the_future,
                no_wake_up_is_lost,
            }
            identity {
                ids_are_unique,
                current_is_what_the_handle_names,
                a_name_is_seen_from_everywhere,
                the_first_thread_is_main,
                a_long_name_is_kept_whole,
                a_name_with_a_nul_is_refused,
                a_thread_knows_its_model,
                a_thread_stays_on_its_os_thread,
                thread_locals_stay_where_they_are,
            }
            stack {
                no_stack_at_all_is_refused,
                an_absurd_stack_is_refused,
                a_tiny_stack_is_rounded_up,
                a_stack_has_the_size_asked_for,
                the_largest_stack_can_be_used,
                a_large_stack_can_be_used,
                an_ordinary_stack_can_be_used,
            }
            usage {
                nothing_is_known_where_it_is_off,
                a_deep_site_is_told_from_a_shallow_one,
                a_used_stack_does_not_make_the_next_thread_deep,
                each_thread_counts,
                a_joined_thread_is_counted_already,
                all_runs_count,
                the_site_is_the_programs,
                scoped_threads_count,
                the_deepest_of_a_site_is_told,
                a_panicking_thread_counts,
                the_last_destructor_counts,
                the_first_thread_counts,
                the_callers_past_is_not_the_first_threads,
                only_threads_that_ended_count,
                a_thread_that_never_ran_does_not_count,
                no_thread_uses_more_than_its_stack,
                a_thread_asks_for_its_own_runtime,
                the_memory_is_given_back,
            }
            overflow {
                a_thread_is_named,
                a_thread_without_a_name_is_reported,
                a_name_is_written_whole,
                the_first_thread_is_reported,
                the_size_is_the_one_asked_for,
                a_small_stack_is_reported,
                the_child_is_reported_and_not_its_joiner,
                the_joiner_is_reported_after_its_child,
                the_right_one_of_many_is_reported,
                a_later_thread_is_reported,
                a_scoped_thread_is_reported,
                a_large_frame_is_reported,
                an_overflow_while_unwinding_is_reported,
                a_plain_thread_is_reported_as_before,
                a_plain_thread_that_knows_us_is_reported_as_before,
            }
            monitor {
                who_keeps_a_worker_is_named_once,
                who_runs_inside_of_its_joiner_is_named,
            }
            memory {
                a_parked_thread_costs_little,
                a_burst_leaves_no_memory_behind,
                programs_run_beside_many_stacks,
                a_thread_too_many_is_refused,
                a_thread_without_address_space_is_refused,
                locked_memory_is_no_obstacle,
            }
            park {
                an_unpark_before_is_remembered,
                only_one_unpark_is_remembered,
                another_thread_unparks,
                a_plain_os_thread_unparks,
                no_unpark_is_lost,
                an_unpark_shows_what_was_written,
                an_unpark_before_the_start_is_remembered,
                an_unpark_after_the_end_does_nothing,
                an_unpark_after_the_run_does_nothing,
                park_timeout_returns_by_itself,
                park_timeout_returns_by_an_unpark,
                other_waits_leave_the_token_alone,
            }
            time {
                sleep_lasts_long_enough,
                sleep_of_nothing_returns,
                an_unpark_does_not_end_a_sleep,
                a_short_sleep_overtakes_a_long_one,
                every_timer_comes_and_none_early,
                a_timeout_that_did_not_come_is_gone,
                yielding_lets_others_run,
                yielding_threads_do_not_starve_timers,
                yielding_threads_take_turns,
            }
            inline {
                a_joiner_runs_it,
                it_is_itself,
                its_locals_end_with_it,
                how_it_ends_is_its_result,
                it_may_wait,
                an_unpark_of_the_joiner_is_kept,
                a_joiner_of_one_that_waits_is_told_at_once,
                a_joiner_within_a_timeout_is_told_at_once,
                others_have_their_turn,
                joins_nest_as_deep_as_they_like,
                who_asked_for_more_has_its_own_stack,
                it_is_joined_in_an_unwinding,
                no_suspend_refuses_it,
                a_scope_runs_its_own,
                threads_of_a_scope_may_need_each_other,
                a_join_that_was_cancelled_was_a_wait,
                a_join_that_took_too_long_was_a_wait,
                what_a_scoped_thread_leaves_to_do_counts,
                others_have_their_turn_after_a_long_one,
                it_may_wait_while_it_unwinds,
                both_are_ended_with_the_run,
                wake_ups_find_whom_they_are_for,
                trees_of_any_shape_come_to_an_end,
            }
            scope {
                children_borrow,
                a_scope_returns_its_value,
                a_scope_waits_for_detached_children,
                a_scope_waits_for_forgotten_children,
                scopes_nest,
                a_panic_of_the_body_waits_for_the_children,
                a_panic_of_an_unjoined_child_is_the_scopes,
                a_panic_of_a_joined_child_is_the_joiners,
                a_scope_outlives_what_its_children_own,
                the_parent_waits_for_its_scope,
                no_end_of_a_child_is_lost,
            }
            locals {
                every_thread_has_its_own,
                a_reference_outlives_waits,
                it_is_made_at_the_first_use,
                all_forms_are_those_of_std,
                they_are_dropped_before_the_joiner_is_told,
                they_are_dropped_before_a_scope_ends,
                they_are_dropped_at_any_end,
                the_youngest_is_dropped_first,
                a_destructor_may_wait,
                a_destructor_of_an_ended_thread_is_left,
                a_destructor_may_use_others,
                a_panic_of_a_destructor_ends_there,
                a_detached_result_may_use_them,
                a_result_that_is_left_late_may_use_them,
                an_initializer_may_do_anything,
                a_panic_inside_leaves_the_value,
                a_value_may_be_lent,
                a_plain_thread_has_some,
            }
            join_two {
                both_borrow_and_return,
                joins_nest,
                each_may_wait_for_the_other,
                a_panic_waits_for_the_other,
                a_cancelled_caller_waits_for_the_other,
                it_works_where_no_thread_can_be_had,
                what_ended_the_first_decides_about_poison,
                nothing_borrowed_is_used_later,
            }
            fairness {
                permits_give_way,
                permits_in_an_unwinding_suspend_nobody,
                what_is_there_gives_way,
                a_time_that_has_come_gives_way,
                a_token_that_is_there_gives_way,
                what_does_not_wait_gives_no_new_budget,
                a_join_of_what_has_ended_gives_way,
                a_descriptor_that_is_ready_gives_way,
                all_is_seen_beside_threads_that_yield,
                all_is_seen_beside_a_chain_of_hand_overs,
                all_is_seen_beside_threads_that_join,
                all_is_seen_beside_threads_that_always_find_a_message,
            }
            checkpoint {
                others_get_their_turn,
                timers_come,
                a_computing_thread_is_ended,
                a_destructor_may_compute,
                a_plain_thread_goes_on,
            }
            no_suspend {
                every_wait_is_refused,
                every_wait_of_a_thread_is_refused,
                every_wait_for_a_lock_is_refused,
                every_wait_for_others_is_refused,
                every_wait_at_a_channel_is_refused,
                every_wait_for_a_socket_is_refused,
                every_wait_for_a_child_is_refused,
                a_wait_for_another_thread_is_refused,
                a_wait_for_a_value_is_refused,
                every_join_is_refused,
                what_need_not_wait_goes_on,
                a_checkpoint_lets_nobody_run,
                a_region_ends_with_its_closure,
                nothing_is_left_behind,
                a_refused_message_may_use_the_channel,
                a_wait_in_a_tracked_scope_says_so,
                a_wait_in_an_initializer_says_so,
                a_wait_in_a_hook_says_so,
                a_wait_while_unwinding_says_so,
                a_wait_with_a_lock_of_std_says_so,
                a_wait_with_a_lent_local_says_so,
            }
            local_threads {
                what_is_shared_need_not_be_send,
                it_starts_on_this_very_worker,
                it_waits_like_others,
                what_it_has_is_dropped_here,
                a_panic_arrives_at_join,
                it_is_refused_where_there_is_nobody_to_share_with,
            }
            placement {
                a_kernel_thread_gets_both,
                the_next_thread_is_as_usual,
                children_are_placed_like_their_parent,
                nonsense_is_refused,
                a_missing_cpu_is_refused,
                a_higher_priority_takes_a_privilege,
                it_waits_like_others,
            }
            mutex {
                one_at_a_time,
                a_taken_lock_is_waited_for,
                try_lock_does_not_wait,
                a_panic_poisons,
                a_lock_taken_while_unwinding_is_not_poisoned,
                the_holder_may_wait,
                a_thousand_threads_take_turns,
                a_hog_starves_nobody,
                an_attempt_times_out,
                no_timeout_loses_the_lock,
            }
            condvar {
                producers_and_consumers,
                notify_all_wakes_all,
                notify_one_wakes_one_each,
                the_lock_is_free_during_the_wait,
                a_wait_times_out,
                a_notify_ends_a_timed_wait,
                a_notify_without_a_waiter_is_forgotten,
                a_waiter_gets_a_poisoned_lock_back,
                a_wait_ends_at_its_time,
                a_condition_that_panics_poisons,
                a_timed_condition_that_panics_poisons,
                a_thousand_threads_are_woken,
                no_timeout_loses_a_notification,
            }
            rwlock {
                readers_share,
                a_writer_is_alone,
                a_taken_lock_is_waited_for,
                trying_does_not_wait,
                readers_do_not_starve_a_writer,
                a_writers_panic_poisons,
                a_writer_becomes_a_reader,
                attempts_time_out,
                a_writer_that_gives_up_lets_readers_in,
                no_timeout_loses_the_lock,
                a_cancelled_holder_lets_the_others_in,
                a_cancelled_waiter_holds_up_nobody,
                a_thousand_threads_read_and_write,
            }
            semaphore {
                no_more_than_the_permits,
                a_permit_is_waited_for,
                a_wait_for_a_permit_times_out,
                a_barrier_waits_for_all,
                a_barrier_for_one_is_open,
                an_owned_permit_changes_hands,
                permits_are_divided,
                no_timeout_loses_a_permit,
                a_thousand_threads_share_the_permits,
                a_thousand_threads_meet,
            }
            once {
                only_one_initializes,
                the_others_wait,
                a_panic_poisons_a_once,
                a_panic_leaves_a_once_lock_empty,
                a_cancelled_initialization_is_taken_over,
                one_of_a_thousand_initializes,
                a_forced_panic_poisons_again,
                waiting_for_a_once,
                a_wait_for_a_value_outlasts_a_panic,
            }
            lazy_lock {
                one_of_a_thousand_makes_it,
                the_others_wait,
                a_panic_poisons_it,
                what_it_holds_is_dropped,
                a_cancelled_closure_leaves_nobody_waiting,
            }
            wait_group {
                a_thousand_members_are_waited_for,
                several_wait_for_the_last,
                a_panic_ends_a_part,
                a_wait_times_out,
                no_timeout_loses_the_end,
                a_waiting_thread_is_ended,
            }
            oneshot {
                a_value_is_waited_for,
                a_thousand_answers_arrive,
                a_receiver_hears_of_the_senders_end,
                a_sender_hears_of_the_receivers_end,
                a_closed_receiver_gets_what_was_sent,
                receiving_times_out,
                no_timeout_loses_the_value,
                a_value_left_is_dropped,
                waiting_threads_are_ended,
                a_chain_of_threads_passes_it_on,
            }
            mpsc {
                a_thousand_senders_are_heard,
                both_sides_wait,
                a_bound_of_nothing_is_a_rendezvous,
                each_side_hears_of_the_others_end,
                receiving_times_out,
                no_timeout_loses_a_message,
                messages_left_are_dropped,
                waiting_threads_are_ended,
            }
            channel {
                messages_keep_their_order,
                each_message_arrives_once,
                a_full_channel_makes_senders_wait,
                an_empty_channel_makes_receivers_wait,
                a_ready_channel_lets_others_run,
                a_rendezvous_is_one,
                receivers_hear_that_the_senders_have_gone,
                senders_hear_that_the_receivers_have_gone,
                receiving_times_out,
                sending_times_out,
                a_message_ends_a_timed_wait,
                no_timeout_loses_a_message,
                channels_are_iterated,
                messages_left_are_dropped,
                a_ring_hands_messages_round,
            }
            wake_ups {
                no_permit_is_lost,
                no_notification_is_lost,
                no_message_is_lost,
                no_selected_message_is_lost,
                no_turn_is_lost,
                no_answer_is_lost,
                a_planted_fault_is_found,
            }
            select {
                each_arm_has_its_turn,
                it_waits_for_a_message,
                it_waits_to_send,
                a_place_is_kept_while_the_message_is_made,
                a_default_ends_it,
                an_end_is_an_answer,
                two_selects_meet,
                it_does_not_meet_itself,
                a_message_that_panics_gives_its_place_back,
                room_that_was_not_used_goes_on,
                a_select_that_sends_nothing_hides_nobody,
                bodies_run_in_place,
                time_sends,
                the_end_of_a_thread_is_an_arm,
                hooks_run_at_the_end,
                a_list_is_selected_from,
                a_dropped_operation_is_taken_back,
                ready_tells_and_does_nothing,
                ready_tells_of_a_message_beside_kept_room,
                a_thousand_selects_are_served,
                a_cancelled_select_loses_nothing,
                a_message_that_is_refused_comes_back,
                a_storm_loses_no_message,
            }
            tcp {
                a_hundred_connections_echo,
                much_goes_both_ways,
                a_reader_waits,
                accept_waits,
                a_read_times_out,
                a_write_times_out,
                half_a_connection_goes_on,
                a_closed_connection_wakes_the_reader,
                shutdown_wakes_the_own_reader,
                a_refused_connection_is_an_error,
                two_may_read_one_socket,
                a_socket_changes_hands,
                urgent_data_holds_up_no_reader,
                one_read_takes_one_message,
                an_unread_error_queue_wakes_nobody_again_and_again,
                a_busy_connection_lets_others_run,
            }
            process {
                the_end_is_told,
                a_command_is_carried_out,
                a_child_is_talked_to,
                much_goes_through_a_child,
                both_pipes_are_read_at_once,
                a_pipe_that_has_ended_is_not_looked_at,
                who_waits_lets_others_run,
                a_child_that_never_ends_is_given_up,
                a_timeout_races_the_end,
                collected_output_is_kept,
                a_child_that_has_ended_takes_nothing,
                what_cannot_be_started_is_an_error,
                without_descriptors_a_child_is_still_waited_for,
                thousands_of_children_leave_nothing,
                many_threads_wait_for_their_children,
                several_threads_wait_for_one_child,
                a_dropped_child_runs_on_or_is_killed,
                a_cancelled_call_leaves_no_zombie,
            }
            signal {
                a_signal_is_received,
                every_listener_is_told,
                signals_of_a_kind_are_joined,
                nobody_has_to_listen,
                a_select_takes_a_signal,
                some_signals_are_refused,
                ctrl_c_is_waited_for,
                a_plain_thread_listens,
                a_childs_end_is_a_signal,
                a_signal_interrupts_no_wait,
                listeners_leave_nothing,
            }
            listener {
                shards_share_the_connections,
                one_loop_serves_all_at_once,
                an_address_is_shared_by_agreement,
                a_short_queue_makes_clients_wait,
                no_linger_resets,
                vectored_calls_and_peek_work,
            }
            udp {
                one_socket_serves_many,
                a_receiver_waits,
                each_message_goes_to_one,
                long_messages_are_cut_or_refused,
                a_receive_times_out,
                a_refusal_wakes_the_receiver,
                shutdown_ends_a_receiver,
                options_go_with_the_socket,
                a_plain_thread_takes_part,
            }
            unix {
                many_connections_echo,
                bad_paths_are_refused,
                abstract_addresses_work,
                each_call_waits,
                connect_waits_for_room,
                streams_time_out,
                shutdown_wakes_those_who_wait,
                messages_come_whole,
                a_sender_waits_for_the_receiver,
                a_sender_gives_up,
                no_message_is_lost_to_a_timeout,
                a_plain_thread_takes_part,
            }
            pipe {
                a_reader_waits,
                a_writer_waits,
                vectored_calls_work,
                either_end_is_shared,
                the_end_of_the_readers_wakes_the_writer,
                a_child_writes_to_it,
                ends_go_to_std_and_back,
            }
            net_faults {
                accept_outlives_a_lack_of_descriptors,
                a_lack_of_descriptors_keeps_nobody_busy,
                a_reset_is_seen_at_each_stage,
                a_reset_ends_who_connects,
                a_listener_ends_under_those_who_wait,
                two_wait_by_one_handle,
                a_clone_is_closed_under_who_waits,
                a_number_is_used_again_at_once,
                numbers_change_hands_under_load,
                a_peer_that_never_reads_is_given_up,
                both_halves_are_closed_in_turn,
                many_are_opened_and_dropped,
                ten_thousand_are_dropped_at_once,
                who_trickles_is_given_up,
                no_descriptor_is_leaked,
            }
            blocking {
                a_call_borrows_and_returns,
                many_calls_block_at_once,
                more_calls_than_the_pool_has_threads,
                a_blocked_call_stops_nobody_else,
                a_panic_comes_back,
                a_call_may_lock_and_receive,
                calls_nest,
                a_call_leaves_the_token_alone,
                a_panic_ends_the_thread,
                the_place_is_the_programs,
                the_pool_is_visible,
                a_name_that_is_none_is_an_error,
                a_lookup_stops_nobody_else,
            }
            fs {
                what_is_written_is_read,
                a_position_may_be_given,
                a_file_is_opened_as_asked,
                a_file_has_metadata_and_handles,
                paths_are_handled_as_in_std,
                directories_are_read,
                an_open_stops_nobody_else,
                the_place_is_the_programs,
                a_lock_is_waited_for,
                a_lock_of_another_process_is_waited_for,
                many_that_wait_for_a_lock_do_not_keep_its_holder,
                a_cancelled_thread_begins_no_call,
                a_call_that_has_begun_comes_to_its_end,
                a_call_is_refused_in_no_suspend,
                plain_threads_share_a_file,
                no_descriptor_is_left,
            }
            stdio {
                a_line_is_waited_for,
                input_is_read_as_in_std,
                input_may_be_a_file,
                who_is_ended_takes_nothing,
                a_run_ends_without_its_line,
                the_input_is_locked_across_waits,
                a_non_blocking_input_is_waited_for,
                a_full_pipe_stops_nobody_else,
                output_is_in_order,
                a_broken_pipe_is_an_error,
                a_call_is_refused_in_no_suspend,
                no_line_is_lost_to_a_timeout,
                everything_is_copied,
            }
            plain {
                it_sends_and_receives,
                it_locks,
                it_waits_for_conditions,
                it_shares_the_rest,
                it_joins,
                it_parks_and_is_unparked,
                it_sleeps_and_yields,
                it_cannot_spawn_and_is_told_so,
                its_scopes_do_not_hang,
                it_is_forgotten_when_it_ends,
                many_of_them_and_many_of_ours,
            }
            runs {
                a_runtime_runs_again,
                a_runtime_may_be_dropped_unused,
                what_run_was_given_is_dropped,
                in_runtime_tells_where_one_is,
                run_inside_run_is_refused,
                run_inside_run_is_refused_in_a_blocking_call,
                a_blocking_call_may_run_another_runtime,
                a_blocking_call_leaves_nothing_behind,
                a_runtime_may_be_made_inside_a_run,
                a_runtime_changes_hands,
                several_runtimes_at_once,
                two_runs_of_one_runtime_at_once,
                the_end_of_a_run_is_not_the_others,
            }
            shutdown {
                a_parked_thread_is_ended,
                a_sleeping_thread_is_ended,
                a_receiving_thread_is_ended,
                a_sending_thread_is_ended,
                a_thread_at_a_rendezvous_is_ended,
                an_accepting_thread_is_ended,
                a_reading_thread_is_ended,
                a_writing_thread_is_ended,
                a_thread_at_a_condvar_is_ended,
                a_thread_at_a_semaphore_is_ended,
                a_joining_thread_is_ended,
                a_scope_is_ended_from_below,
                a_cancelled_child_is_no_panic,
                a_thread_at_a_lock_gets_its_turn,
                threads_at_a_barrier_go_together,
                threads_that_have_not_begun_are_dropped,
                a_thread_may_catch_its_cancellation,
                a_destructor_may_wait,
                a_destructor_may_spawn,
                many_threads_in_many_waits_are_ended,
                a_thread_that_cannot_end_is_named,
                a_thread_that_will_not_end_is_named,
                a_handle_outlives_its_run,
                a_join_from_outside_ends_with_the_run,
                a_panic_instead_of_an_end_harms_nobody,
                a_runtime_dropped_by_its_own_thread_says_so,
                a_runtime_dropped_by_its_own_thread_that_unwinds_is_gone,
                a_runtime_dropped_in_a_blocking_call_says_so,
                a_runtime_dropped_in_a_blocking_call_that_unwinds_is_gone,
                a_runtime_in_the_result_of_its_own_thread_is_gone,
            }
            cancelled_reads {
                at_any_moment,
                under_a_hail_of_signals,
                whoever_has_the_signal,
                of_the_first_threads_at_once,
                with_all_signals_blocked,
                in_its_time,
                of_a_kernel_threads_connection,
            }
            cancellation {
                park_is_a_point,
                park_timeout_is_a_point,
                sleep_is_a_point,
                sleep_until_is_a_point,
                a_tick_is_a_point,
                a_checkpoint_is_a_point,
                join_is_a_point,
                a_scoped_join_is_a_point,
                a_condition_is_a_point,
                a_permit_is_a_point,
                sending_is_a_point,
                receiving_is_a_point,
                select_is_a_point,
                mpsc_is_a_point,
                oneshot_is_a_point,
                a_wait_group_is_a_point,
                a_token_is_a_point,
                block_on_is_a_point,
                a_child_is_a_point,
                output_is_a_point,
                a_childs_pipe_is_a_point,
                ctrl_c_is_a_point,
                accept_is_a_point,
                connect_is_a_point,
                reading_is_a_point,
                writing_is_a_point,
                a_file_lock_is_a_point,
                standard_input_is_a_point,
                standard_output_is_a_point,
                a_file_is_no_point,
                a_datagram_is_a_point,
                a_unix_stream_is_a_point,
                a_pipe_is_a_point,
                a_mutex_is_no_point,
                a_rwlock_is_no_point,
                a_once_is_no_point,
                a_barrier_is_no_point,
                the_end_of_a_scope_is_no_point,
                a_blocking_call_is_no_point,
                what_is_there_is_got_first,
                a_thread_can_ask,
                a_thread_that_has_not_begun_is_dropped,
                uncancellable_holds_it_off,
                a_panic_ends_uncancellable,
                a_request_beside_a_suspended_panic_is_seen,
                no_lock_is_poisoned,
                a_plain_thread_is_ended,
                an_ended_thread_is_not_affected,
                a_storm_loses_nothing,
            }
            token {
                a_token_cancels_what_is_below,
                those_who_wait_go_on,
                a_wait_times_out,
                done_ends_with_the_token,
                a_call_ends_with_the_token,
                a_call_may_come_to_its_end,
                calls_nest,
                a_cancellation_goes_through_a_call,
                a_guard_cancels,
                a_plain_thread_takes_part,
                a_thousand_threads_hear_it,
                no_signal_is_lost,
            }
            timeout {
                a_wait_is_ended_in_time,
                what_comes_in_time_is_returned,
                a_call_that_never_waits_comes_to_its_end,
                timeouts_nest,
                the_first_that_is_over_is_first,
                the_earlier_limit_counts,
                what_is_held_is_released,
                a_panic_goes_through,
                who_catches_it_meets_it_again,
                a_panic_after_a_call_that_caught_it_poisons,
                it_is_not_raised_in_an_unwinding,
                uncancellable_holds_it_off,
                a_cancellation_goes_through,
                a_scope_ends_first,
                it_bounds_a_socket,
                a_plain_thread_has_timeouts,
                no_message_is_lost_to_a_timeout,
            }
            interval {
                no_tick_comes_early,
                the_first_tick_is_at_once,
                missed_ticks_are_treated_as_asked,
                an_ended_tick_is_still_due,
                an_interval_is_reset,
                no_period_is_refused,
            }
            try_scope {
                values_come_from_all,
                an_error_cancels_the_others,
                a_panic_cancels_the_others,
                the_body_may_fail,
                a_failure_after_the_body_counts,
                a_cancelled_thread_is_no_failure,
                nobody_begins_after_the_failure,
                a_thread_spawns_in_its_scope,
                the_end_of_the_caller_cancels_all,
                scopes_nest,
                a_later_failure_that_panics_in_drop_harms_nobody,
                what_must_not_begin_may_panic_in_drop,
                one_of_many_failures_is_reported,
            }
            registry {
                a_waiting_thread_is_described,
                the_place_is_the_programs,
                the_place_of_a_lock_is_the_programs,
                a_running_thread_waits_for_nothing,
                ended_threads_are_forgotten,
                everybody_is_listed_once,
                reading_it_disturbs_nobody,
                a_thread_knows_where_it_was_spawned,
            }
            stress {
                a_random_mixture_adds_up,
                parcels_wander_through_a_net,
                a_storm_of_threads_and_panics_adds_up,
                descriptors_wander_and_lose_nothing,
                both_directions_wander_and_lose_nothing,
            }
        }
    };
    (@ $subject:ty; $($topic:ident { $($promise:ident,)* })*) => {
        $(
            mod $topic {
                $(
                    #[test]
                    fn $promise() {
                        $crate::watched(
                            concat!(module_path!(), "::", stringify!($promise)),
                            $crate::$topic::$promise::<$subject>,
                        );
                    }
                )*
            }
        )*
    };
}

/// Makes one test per promise for two [`Subject`](crate::Subject)s that share objects.
///
/// ```text
/// mod kernel_and_green {
///     trefoil_conformance::suite_across!(crate::Kernel, crate::Green);
/// }
/// ```
#[macro_export]
macro_rules! suite_across {
    ($first:ty, $second:ty) => {
        $crate::suite_across! { @ $first, $second;
            a_blocking_call_runs_the_other,
            a_run_in_a_blocking_call_ends_by_itself,
            messages_cross,
            a_lock_excludes_across,
            a_condition_crosses,
            a_thread_is_joined_and_unparked_across,
            the_other_objects_cross,
            a_token_crosses,
            a_barrier_waits_for_both,
            a_socket_crosses,
            messages_of_the_system_cross,
            a_file_crosses,
            a_socket_leaves_a_busy_worker,
            a_socket_is_shared_with_a_busy_worker,
            a_child_serves_both,
            a_signal_reaches_both,
            a_channel_serves_both,
            a_select_serves_both,
            a_wake_up_outlives_its_waker,
        }
    };
    (@ $first:ty, $second:ty; $($promise:ident,)*) => {
        $(
            #[test]
            fn $promise() {
                $crate::watched(
                    concat!(module_path!(), "::", stringify!($promise)),
                    $crate::across::$promise::<$first, $second>,
                );
            }
        )*
    };
}

/// Makes one test per promise about a [`Subject`](crate::Subject) that runs single threads of
/// the kernel model, by a kernel runtime beside it or by itself.
///
/// ```text
/// mod beside_green {
///     trefoil_conformance::suite_beside!(crate::Green);
/// }
/// ```
#[macro_export]
macro_rules! suite_beside {
    ($subject:ty) => {
        $crate::suite_beside! { @ $subject;
            a_runtime_dropped_by_a_kernel_thread_of_its_run_says_so,
            a_runtime_dropped_by_a_kernel_thread_that_unwinds_is_gone,
            a_blocking_call_of_a_kernel_thread_does_not_run_its_own,
            a_kernel_thread_of_another_run_may_drop_a_runtime,
            a_kernel_thread_is_measured_with_the_others,
            a_kernel_thread_asks_for_the_run_it_is_in,
            a_kernel_thread_is_placed,
            a_join_of_a_kernel_thread_is_a_wait,
        }
    };
    (@ $subject:ty; $($promise:ident,)*) => {
        $(
            #[test]
            fn $promise() {
                $crate::watched(
                    concat!(module_path!(), "::", stringify!($promise)),
                    $crate::beside::$promise::<$subject>,
                );
            }
        )*
    };
}

/// Makes one test per promise about threads that are moved to kernel threads, for a
/// [`Relieved`](crate::relief::Relieved) subject. Named by a path as for [`suite!`](crate::suite).
///
/// ```text
/// mod relief_of_green {
///     trefoil_conformance::suite_relief!(crate::Green);
/// }
/// ```
#[macro_export]
macro_rules! suite_relief {
    ($subject:ty) => {
        $crate::suite_relief! { @ $subject;
            the_next_thread_of_a_learned_site_is_a_kernel_thread,
            nobody_is_moved_who_was_not_asked,
            a_sleeper_goes_on_beside_four_hogs,
            another_closure_of_the_line_is_another_site,
            what_was_asked_for_is_had,
            what_cannot_be_elsewhere_stays,
            a_quiet_site_is_forgotten,
            who_waits_for_long_is_quiet,
            who_lets_others_run_is_quiet,
            who_would_stall_is_not_forgotten,
            the_bound_holds,
            a_panic_or_a_cancellation_gives_the_place_back,
            the_end_of_the_run_ends_it,
            its_children_are_as_usual,
            its_children_come_beside_threads_that_yield,
            it_has_its_name_and_its_locals,
            a_scope_waits_for_threads_that_were_moved,
            it_shares_objects_with_all_others,
        }
    };
    (@ $subject:ty; $($promise:ident,)*) => {
        $(
            #[test]
            fn $promise() {
                $crate::watched(
                    concat!(module_path!(), "::", stringify!($promise)),
                    $crate::relief::$promise::<$subject>,
                );
            }
        )*
    };
}

#[cfg(test)]
mod tests {
    /// The topics, as the crate's root has them.
    const TOPICS: &[(&str, &str)] = &[
        ("spawn", include_str!("spawn.rs")),
        ("panics", include_str!("panics.rs")),
        ("future", include_str!("future.rs")),
        ("identity", include_str!("identity.rs")),
        ("stack", include_str!("stack.rs")),
        ("usage", include_str!("usage.rs")),
        ("overflow", include_str!("overflow.rs")),
        ("monitor", include_str!("monitor.rs")),
        ("memory", include_str!("memory.rs")),
        ("park", include_str!("park.rs")),
        ("time", include_str!("time.rs")),
        ("inline", include_str!("inline.rs")),
        ("scope", include_str!("scope.rs")),
        ("locals", include_str!("locals.rs")),
        ("join_two", include_str!("join_two.rs")),
        ("fairness", include_str!("fairness.rs")),
        ("checkpoint", include_str!("checkpoint.rs")),
        ("no_suspend", include_str!("no_suspend.rs")),
        ("local_threads", include_str!("local_threads.rs")),
        ("placement", include_str!("placement.rs")),
        ("mutex", include_str!("mutex.rs")),
        ("condvar", include_str!("condvar.rs")),
        ("rwlock", include_str!("rwlock.rs")),
        ("select", include_str!("select.rs")),
        ("wake_ups", include_str!("wake_ups.rs")),
        ("semaphore", include_str!("semaphore.rs")),
        ("once", include_str!("once.rs")),
        ("lazy_lock", include_str!("lazy_lock.rs")),
        ("wait_group", include_str!("wait_group.rs")),
        ("oneshot", include_str!("oneshot.rs")),
        ("mpsc", include_str!("mpsc.rs")),
        ("channel", include_str!("channel.rs")),
        ("tcp", include_str!("tcp.rs")),
        ("process", include_str!("process.rs")),
        ("signal", include_str!("signal.rs")),
        ("listener", include_str!("listener.rs")),
        ("udp", include_str!("udp.rs")),
        ("unix", include_str!("unix.rs")),
        ("pipe", include_str!("pipe.rs")),
        ("net_faults", include_str!("net_faults.rs")),
        ("blocking", include_str!("blocking.rs")),
        ("fs", include_str!("fs.rs")),
        ("stdio", include_str!("stdio.rs")),
        ("plain", include_str!("plain.rs")),
        ("runs", include_str!("runs.rs")),
        ("shutdown", include_str!("shutdown.rs")),
        ("cancellation", include_str!("cancellation.rs")),
        ("cancelled_reads", include_str!("cancelled_reads.rs")),
        ("token", include_str!("token.rs")),
        ("timeout", include_str!("timeout.rs")),
        ("interval", include_str!("interval.rs")),
        ("try_scope", include_str!("try_scope.rs")),
        ("registry", include_str!("registry.rs")),
        ("stress", include_str!("stress.rs")),
        ("across", include_str!("across.rs")),
        ("beside", include_str!("beside.rs")),
        ("relief", include_str!("relief.rs")),
    ];

    /// The names of the promises that are listed above, topic by topic.
    fn listed(topic: &str) -> Vec<&'static str> {
        let source = include_str!("suite.rs");
        let begin = match topic {
            "across" => "@ $first, $second;\n".to_owned(),
            "beside" => "suite_beside! { @ $subject;\n".to_owned(),
            "relief" => "suite_relief! { @ $subject;\n".to_owned(),
            _ => format!(" {topic} {{\n"),
        };
        let list = source.split_once(&begin).expect("the topic is listed").1;
        let names = list.lines().map(|line| line.trim().strip_suffix(','));
        names.map_while(|name| name).collect()
    }

    fn written(source: &'static str) -> Vec<&'static str> {
        let promises = source
            .lines()
            .filter_map(|line| line.strip_prefix("pub fn "));
        let names = promises.filter_map(|promise| promise.split_once('<'));
        names.map(|(name, _)| name).collect()
    }

    /// A promise that is written and not listed would be tested by nobody.
    #[test]
    fn every_promise_is_in_the_suite() {
        for (topic, source) in TOPICS {
            assert_eq!(listed(topic), written(source), "the promises of `{topic}`");
        }
        let modules = include_str!("lib.rs").matches("\npub mod ").count();
        assert_eq!(modules, TOPICS.len(), "a topic is missing here");
    }
}
