/* What report.c builds and report_print.c shows. */
#ifndef BENCH_REPORT_INTERNAL_H
#define BENCH_REPORT_INTERNAL_H

#include "report/report.h"

#include <jansson.h>

struct report {
    json_t *json; /* the document as it will be written */
    struct table *tables;
    bool silent;
    bool begun; /* the first lines have been printed */
};

struct table {
    struct report *report;
    struct table *next;
    json_t *json;    /* part of the report's document; the rest points into it */
    json_t *columns; /* {name, heading, unit} */
    json_t *rows;
    size_t cells; /* in the last row */
};

/* Ends the program if jansson returned -1, which means out of memory. */
void report_must(int result);

/* Prints the first lines once: command, machine, servers. */
void report_begin(struct report *report);

#endif
