/*
 * Runs the unit tests: all of them, or the one suite whose name is given.
 */
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    Suite *(*create)(void);
} suites[] = {
    {"abi", abi_suite},
    {"arguments", arguments_suite},
    {"allowance", allowance_suite},
    {"applier", applier_suite},
    {"asking", asking_suite},
    {"assert", assert_suite},
    {"backoff", backoff_suite},
    {"batch_limit", batch_limit_suite},
    {"bell", bell_suite},
    {"config", config_suite},
    {"config_source", config_source_suite},
    {"confirming", confirming_suite},
    {"crowd", crowd_suite},
    {"error", error_suite},
    {"event", event_suite},
    {"fence", fence_suite},
    {"hosts", hosts_suite},
    {"id", id_suite},
    {"idset", idset_suite},
    {"inbox", inbox_suite},
    {"intake", intake_suite},
    {"key", key_suite},
    {"keyspace", keyspace_suite},
    {"kept_keys", kept_keys_suite},
    {"lane", lane_suite},
    {"lease", lease_suite},
    {"listener", listener_suite},
    {"mapper", mapper_suite},
    {"live_feed", live_feed_suite},
    {"message", message_suite},
    {"orphans", orphans_suite},
    {"pgoutput", pgoutput_suite},
    {"reader", reader_suite},
    {"nearest", nearest_suite},
    {"random", random_suite},
    {"repeats", repeats_suite},
    {"secret", secret_suite},
    {"redis_address", redis_address_suite},
    {"redis_reply", redis_reply_suite},
    {"requests", requests_suite},
    {"tickets", tickets_suite},
    {"parked", parked_suite},
    {"resolve", resolve_suite},
    {"results", results_suite},
    {"ring", ring_suite},
    {"ring_stress", ring_stress_suite},
    {"settings", settings_suite},
    {"single", single_suite},
    {"single_keys", single_keys_suite},
    {"snapshot", snapshot_suite},
    {"pulse", pulse_suite},
    {"stats", stats_suite},
    {"suspects", suspects_suite},
    {"wal_changes", wal_changes_suite},
    {"wal_orders", wal_orders_suite},
    {"wal_parts", wal_parts_suite},
    {"wal_reads", wal_reads_suite},
    {"wal_rows", wal_rows_suite},
    {"wal_session", wal_session_suite},
    {"checkpoint_text", checkpoint_text_suite},
    {"settled", settled_suite},
    {"worker", worker_suite},
};

int main(int argc, char **argv)
{
    setenv("CK_DEFAULT_TIMEOUT", "30", 0); /* seconds; four, as Check has it, pass on a busy machine */
    SRunner *runner = srunner_create(NULL);
    int chosen = 0;
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        if (argc < 2 || strcmp(argv[1], suites[i].name) == 0) {
            srunner_add_suite(runner, suites[i].create());
            chosen++;
        }
    }
    if (chosen == 0) {
        fprintf(stderr, "there is no suite \"%s\"\n", argv[1]);
        srunner_free(runner);
        return EXIT_FAILURE;
    }
    srunner_run_all(runner, CK_ENV);
    int run = srunner_ntests_run(runner);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return run > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
