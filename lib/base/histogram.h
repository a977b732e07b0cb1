/*
 * A histogram of times, which any number of threads add to while others read it.
 *
 * Its buckets are the same for all: from half a millisecond, which a single change takes at best, to five minutes.
 */
#ifndef CPI_HISTOGRAM_H
#define CPI_HISTOGRAM_H

#include "cachepusher.h"

#include <stdatomic.h>

enum { CPI_HISTOGRAM_BUCKETS = 20 }; /* the last one without an upper bound */

struct cpi_histogram {
    /* relaxed everywhere: each figure publishes nothing but itself. */
    _Atomic uint64_t counts[CPI_HISTOGRAM_BUCKETS];
    _Atomic uint64_t sum_us;
};

/* What one thread gathers before it adds all of it. Zero is a valid empty one. */
struct cpi_observations {
    uint32_t counts[CPI_HISTOGRAM_BUCKETS];
    uint64_t sum_us;
};

void cpi_histogram_init(struct cpi_histogram *histogram);
void cpi_histogram_add(struct cpi_histogram *histogram, int64_t us);
void cpi_observe(struct cpi_observations *observations, int64_t us);
void cpi_histogram_add_all(struct cpi_histogram *histogram, const struct cpi_observations *observations);
void cpi_histogram_read(const struct cpi_histogram *histogram, cp_histogram *out);

#endif
