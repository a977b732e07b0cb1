/* What report.c builds and report_print.c shows. */
#ifndef BENCH_REPORT_INTERNAL_H
#define BENCH_REPORT_INTERNAL_H

#include "report/report.h"

#include <jansson.h>

struct report {
    json_t *json; /* the document as it will be written */
    struct table *tables;
    bool silent;
    bool begun; /* what it is about has been printed */
};

struct table {
    struct report *report;
    struct table *next;
    json_t *json;    /* the rest borrows from this, which belongs to the report's */
    json_t *columns; /* {name, heading, unit} */
    json_t *rows;
    size_t cells; /* in the last row */
};

/* Ends the program when out of memory, which is when jansson returns -1. */
void report_must(int result);

/* The first lines: what, where, which servers. Once. */
void report_begin(struct report *report);

#endif
