#include "report/samples.h"

#include "fatal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void samples_add(struct samples *samples, double value)
{
    if (samples->count == samples->capacity) {
        size_t capacity = samples->capacity == 0 ? 16 : 2 * samples->capacity;
        double *values = realloc(samples->values, capacity * sizeof *values);
        if (values == NULL) {
            fatal("out of memory");
        }
        samples->values = values;
        samples->capacity = capacity;
    }
    samples->values[samples->count++] = value;
}

void samples_fini(struct samples *samples)
{
    free(samples->values);
    *samples = (struct samples){0};
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* A sorted copy, for the caller to free; what was measured keeps its order, which pairs it with others. */
static double *sorted(const struct samples *samples)
{
    double *values = malloc(samples->count * sizeof *values);
    if (values == NULL) {
        fatal("out of memory");
    }
    memcpy(values, samples->values, samples->count * sizeof *values);
    qsort(values, samples->count, sizeof *values, compare);
    return values;
}

double samples_quantile(const struct samples *samples, double quantile)
{
    if (samples->count == 0) {
        return NAN;
    }
    double *values = sorted(samples);
    /* Less a hair, for 0.9 * 10 may be a little more than 9. */
    double rank = ceil(quantile * (double)samples->count - 1e-9);
    size_t index = rank < 1 ? 0 : (size_t)rank - 1;
    double value = values[index < samples->count ? index : samples->count - 1];
    free(values);
    return value;
}

double samples_median(const struct samples *samples)
{
    if (samples->count == 0) {
        return NAN;
    }
    double *values = sorted(samples);
    size_t middle = samples->count / 2;
    double median = samples->count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
    free(values);
    return median;
}

void samples_ratios(const struct samples *a, const struct samples *b, struct samples *ratios)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        if (b->values[i] != 0) {
            samples_add(ratios, a->values[i] / b->values[i]);
        }
    }
}

double samples_ratio(const struct samples *a, const struct samples *b)
{
    struct samples ratios = {0};
    samples_ratios(a, b, &ratios);
    double median = samples_median(&ratios);
    samples_fini(&ratios);
    return median;
}
