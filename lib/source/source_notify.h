/*
 * The source "notify": LISTEN on the channels of every entity.
 *
 * Notifications are lost while nobody listens, so there is nothing to confirm. A connection can look healthy and bring
 * nothing; the heartbeat (heartbeat.h) finds that out.
 */
#ifndef CPI_SOURCE_NOTIFY_H
#define CPI_SOURCE_NOTIFY_H

#include "env.h"
#include "source/source.h"

/* env has to outlive it. NULL: out of memory. */
struct cpi_source *cpi_source_notify_create(const struct cpi_env *env);

#endif
