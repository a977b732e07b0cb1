/* alloc [SUITE]: what is made of allocations that fail. Needs the servers of scripts/with-servers. */
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    Suite *(*create)(void);
} suites[] = {
    {"configuration", configuration_suite},
    {"parts", parts_suite},
    {"syncer", syncer_suite},
    {"store", store_suite},
    {"dropping", dropping_suite},
    {"holding", holding_suite},
    {"transform", transform_suite},
};

int main(int argc, char **argv)
{
    if (getenv("CP_DSN") == NULL || getenv("CP_REDIS") == NULL) {
        fprintf(stderr, "alloc: CP_DSN or CP_REDIS is not set: run it under scripts/with-servers\n");
        return EXIT_FAILURE;
    }
    SRunner *runner = srunner_create(NULL);
    int chosen = 0;
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        if (argc < 2 || strcmp(argv[1], suites[i].name) == 0) {
            srunner_add_suite(runner, suites[i].create());
            chosen++;
        }
    }
    if (chosen == 0) {
        fprintf(stderr, "alloc: there is no suite \"%s\"\n", argv[1]);
        srunner_free(runner);
        return EXIT_FAILURE;
    }
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    int ran = srunner_ntests_run(runner);
    srunner_free(runner);
    return failed == 0 && ran > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
