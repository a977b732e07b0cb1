/* Numbers that were measured, and what is quoted of them. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stddef.h>

/* Zero is a valid empty one. */
struct samples {
    double *values;
    size_t count;
    size_t capacity;
};

void samples_add(struct samples *samples, double value);
void samples_fini(struct samples *samples);

/* NAN when there is none. quantile: 0.5 is the median, 1 the largest; the nearest rank. */
double samples_quantile(const struct samples *samples, double quantile);
double samples_median(const struct samples *samples); /* of an even number, between the two in the middle */

/* The median of a[i] / b[i]: the two were taken in turn, so that each pair saw the same machine. */
double samples_ratio(const struct samples *a, const struct samples *b);
/* All of them, for a figure with its spread. */
void samples_ratios(const struct samples *a, const struct samples *b, struct samples *ratios);

#endif
