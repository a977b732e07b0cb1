/* Telling those who want to know that an id has settled: the embedder, and the auditor. */
#ifndef CPI_SETTLED_H
#define CPI_SETTLED_H

#include "env.h"

/* When something settled: the same moment on three clocks. */
struct cpi_settling {
    int64_t real_us; /* since 1970 */
    int64_t now_us;  /* cpi_now_us() */
    cpi_ticks ticks; /* cpi_now_ticks() */
};

struct cpi_settling cpi_settling_now(void);

/* Redis has acknowledged a document of so many bytes, or (NULL) that there is none. The event stays the caller's.
 * False: the embedder was not told, for want of memory; nothing has been done, and the id has not settled. */
bool cpi_tell_settled(const struct cpi_env *env, const struct cpi_event *event, const char *document, size_t bytes,
                      const struct cpi_settling *when);

#endif
