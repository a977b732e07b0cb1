/* Drawing with gnuplot: what plot_warmup.c and plot_latency.c share. */
#ifndef BENCH_PLOT_H
#define BENCH_PLOT_H

#include "report/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* False: gnuplot is missing; what to install has been reported. */
bool plot_is_possible(void);

/* A script for gnuplot, which grows. */
struct plot {
    char *script;
    size_t size;
    FILE *stream;
};

/* Its look, and a title above the machine and the servers. path: where the SVG goes. */
void plot_begin(struct plot *plot, const struct report *report, const char *title, const char *path);

/* 'text', as gnuplot quotes. */
void plot_quote(struct plot *plot, const char *text);

/* Runs gnuplot. False: it failed; the reason has been reported. */
bool plot_end(struct plot *plot, const char *path);

#endif
