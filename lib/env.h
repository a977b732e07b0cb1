/* What every thread of one syncer shares. Wired up by cp_syncer_create() and constant from then on. */
#ifndef CPI_ENV_H
#define CPI_ENV_H

#include "config/config.h"
#include "queue/lane.h"
#include "lease/lease.h"
#include "base/log.h"
#include "base/stats.h"
#include "base/stop.h"

struct cpi_recent;

struct cpi_env {
    const struct cp_config *config;
    struct cpi_log log;
    void (*settled)(void *context, const cp_document *document); /* NULL: not wanted */
    void *settled_context;
    uint64_t seed;       /* random, for backoffs */
    const char *channel; /* a Postgres channel of this syncer alone, on which it sends notifications to itself */
    struct cpi_stats *stats;
    struct cpi_recent *recent; /* where workers tell what has settled; NULL: nobody audits */
    struct cpi_lease *lease;
    struct cpi_stop *stop;
    struct cpi_lane *lanes; /* config->threads of them */
};

#endif
