/* The commands, each in a folder of its own. Each measures, adds its tables to the report and prints them. */
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

/* False: a program that the command needs is missing; this has been reported. */
bool warmup_is_possible(const struct options *options);
bool latency_is_possible(const struct options *options);
bool burst_is_possible(const struct options *options);
bool source_cost_is_possible(const struct options *options);

/* For commands with --plot: draws the report's tables with gnuplot. False: failed, and the reason has been reported. */
bool plot_warmup(const struct report *report, const char *path);
bool plot_latency(const struct report *report, const char *path);

#endif
