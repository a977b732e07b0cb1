/* Measured numbers, and the figures that are reported of them. */
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

/* The nearest rank; NAN without samples. quantile: 0.5 is the median, 1 the maximum. */
double samples_quantile(const struct samples *samples, double quantile);
double samples_median(const struct samples *samples); /* of an even number, the mean of the two in the middle */

/* The median of a[i] / b[i]. The two were measured in turns, so each pair had the same conditions. */
double samples_ratio(const struct samples *a, const struct samples *b);
/* All of them, for a figure with its spread. A pair whose b[i] is 0 has none. */
void samples_ratios(const struct samples *a, const struct samples *b, struct samples *ratios);

#endif
