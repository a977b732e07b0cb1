#include "base/histogram.h"

static const double bounds_s[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
                                  1,      2.5,   5,      10,    15,   30,    60,   120, 300};

_Static_assert(sizeof bounds_s / sizeof *bounds_s == CPI_HISTOGRAM_BUCKETS - 1, "one bucket has no bound");
_Static_assert((int)CPI_HISTOGRAM_BUCKETS <= (int)CP_BUCKETS_ROOM, "cp_histogram has room for each bucket");

void cpi_histogram_init(struct cpi_histogram *histogram)
{
    for (int i = 0; i < CPI_HISTOGRAM_BUCKETS; i++) {
        atomic_init(&histogram->counts[i], 0);
    }
    atomic_init(&histogram->sum_us, 0);
}

void cpi_observe(struct cpi_observations *observations, int64_t us)
{
    int bucket = 0;
    while (bucket < CPI_HISTOGRAM_BUCKETS - 1 && (double)us > bounds_s[bucket] * 1e6) {
        bucket++;
    }
    observations->counts[bucket]++;
    observations->sum_us += us > 0 ? (uint64_t)us : 0;
}

void cpi_histogram_add_all(struct cpi_histogram *histogram, const struct cpi_observations *observations)
{
    for (int i = 0; i < CPI_HISTOGRAM_BUCKETS; i++) {
        if (observations->counts[i] > 0) {
            atomic_fetch_add_explicit(&histogram->counts[i], observations->counts[i], memory_order_relaxed);
        }
    }
    if (observations->sum_us > 0) {
        atomic_fetch_add_explicit(&histogram->sum_us, observations->sum_us, memory_order_relaxed);
    }
}

void cpi_histogram_add(struct cpi_histogram *histogram, int64_t us)
{
    struct cpi_observations one = {0};
    cpi_observe(&one, us);
    cpi_histogram_add_all(histogram, &one);
}

void cpi_histogram_read(const struct cpi_histogram *histogram, cp_histogram *out)
{
    out->buckets = CPI_HISTOGRAM_BUCKETS;
    out->bounds = bounds_s;
    out->count = 0;
    for (int i = 0; i < CPI_HISTOGRAM_BUCKETS; i++) {
        out->counts[i] = atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
        out->count += out->counts[i];
    }
    out->sum = (double)atomic_load_explicit(&histogram->sum_us, memory_order_relaxed) / 1e6;
}
