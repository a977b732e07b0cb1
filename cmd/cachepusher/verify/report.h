#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include "cachepusher.h"

/* Of each kind. */
enum { REPORT_EXAMPLES = 10, REPORT_KINDS = 3 };

/* What a verification has found, put together while it runs. Zero is a valid empty one. */
struct report {
    struct example {
        char *entity;
        char *key;
        size_t at;
        char *document;
        char *held;
    } examples[REPORT_KINDS][REPORT_EXAMPLES];
    size_t counts[REPORT_KINDS]; /* of the examples */
    cp_verify_result result;
    double seconds;
    const char *problem; /* why it could not tell; NULL: it has run to its end */
};

/* The callback of cp_syncer_verify(); context is the report. */
void report_add(struct report *report, const cp_difference *difference);

/* What is different still. */
uint64_t report_differences(const struct report *report);

/* 0, 1 or 2. */
int report_exit_code(const struct report *report);

/* To stdout: for people, and as one JSON object. */
void report_print(const struct report *report);
void report_print_json(const struct report *report);

void report_fini(struct report *report);

#endif
