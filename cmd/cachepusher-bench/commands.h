/* The commands. Each measures, adds its tables to the report and prints them. A file each: warmup.c, latency.c, … */
#ifndef BENCH_COMMANDS_H
#define BENCH_COMMANDS_H

#include "options.h"
#include "report/report.h"
#include "servers/servers.h"

void bench_warmup(struct servers *servers, const struct options *options, struct report *report);
void bench_latency(struct servers *servers, const struct options *options, struct report *report);
void bench_burst(struct servers *servers, const struct options *options, struct report *report);
void bench_source_cost(struct servers *servers, const struct options *options, struct report *report);
void bench_ring(const struct options *options, struct report *report); /* needs no server */

/* False, having told which program is missing that a command needs. */
bool warmup_is_possible(void);
bool source_cost_is_possible(void);

/* Where --plot is worth it: from the report's tables, with gnuplot. False, having told why. */
bool plot_warmup(const struct report *report, const char *path);
bool plot_latency(const struct report *report, const char *path);

#endif
