/* integration [SUITE...]: the suites named, or all, over the source that CP_TEST_SOURCE names (sources.h). Needs the
 * servers of scripts/with-servers. */
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    Suite *(*create)(void);
} suites[] = {
    /* clang-format off */
    {"parity", parity_suite},
    {"changes", changes_suite},
    {"mapping", mapping_suite},
    {"mapping_failing", mapping_failing_suite},
    {"bulk", bulk_suite},
    {"entities", entities_suite},
    {"payloads", payloads_suite},
    {"warmup", warmup_suite},
    {"sweep", sweep_suite},
    {"failing", failing_suite},
    {"stop", stop_suite},
    {"fork", fork_suite},
    {"health", health_suite},
    {"documents", documents_suite},
    {"lifecycle", lifecycle_suite},
    {"threads", threads_suite},
    {"hooks", hooks_suite},
    {"rounds", rounds_suite},
    {"no_thread", no_thread_suite},
    {"follow", follow_suite},
    {"store", store_suite},
    {"store_lacking", store_lacking_suite},
    {"transform", transform_suite},
    {"results", results_suite},
    {"ticket", ticket_suite},
    {"ticket_waits", ticket_waits_suite},
    {"connections", connections_suite},
    {"redis_away", redis_away_suite},
    {"triggers", triggers_suite},
    {"wal", wal_suite},
    {"wal_losses", wal_losses_suite},
    {"wal_parts", wal_parts_suite},
    {"wal_tables", wal_tables_suite},
    {"unwatch", unwatch_suite},
    {"watch", watch_suite},
    {"watch_messages", watch_messages_suite},
    {"watch_reads", watch_reads_suite},
    {"hijack", hijack_suite},
    {"listing", listing_suite},
    {"isolation", isolation_suite},
    {"refusals", refusals_suite},
    {"proofs", proofs_suite},
    {"repairs", repairs_suite},
    {"contract", contract_suite},
    {"verify", verify_suite},
    {"audit", audit_suite},
    {"catalog", catalog_suite},
    {"unannounced", unannounced_suite},
    {"verify_repairs", verify_repairs_suite},
    {"sessions", sessions_suite},
    {"large", large_suite},
    {"standby", standby_suite},
    /* clang-format on */
};

static const size_t suite_count = sizeof suites / sizeof *suites;

static SRunner *add_suites(int count, char **names)
{
    SRunner *runner = srunner_create(NULL);
    for (int n = 0; n < count; n++) {
        size_t i = 0;
        while (i < suite_count && strcmp(suites[i].name, names[n]) != 0) {
            i++;
        }
        if (i == suite_count || !source_has(names[n])) {
            fprintf(stderr, "integration: there is no suite \"%s\"%s\n", names[n],
                    i < suite_count ? " over this source" : "");
            srunner_free(runner);
            return NULL;
        }
        srunner_add_suite(runner, suites[i].create());
    }
    for (size_t i = 0; i < suite_count && count == 0; i++) {
        if (source_has(suites[i].name)) {
            srunner_add_suite(runner, suites[i].create());
        }
    }
    return runner;
}

int main(int argc, char **argv)
{
    if (getenv("CP_DSN") == NULL || getenv("CP_REDIS") == NULL || getenv("CP_REDIS_TCP") == NULL) {
        fprintf(stderr,
                "integration: CP_DSN, CP_REDIS or CP_REDIS_TCP is not set: run it under scripts/with-servers\n");
        return EXIT_FAILURE;
    }
    SRunner *runner = add_suites(argc - 1, argv + 1);
    if (runner == NULL) {
        return EXIT_FAILURE;
    }
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    int ran = srunner_ntests_run(runner);
    srunner_free(runner);
    return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
