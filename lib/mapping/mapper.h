/*
 * The mapper: a thread that finds out of which documents the rows are a part that have announced themselves, and gives
 * their ids back to the listener, which puts them into the lanes.
 *
 * To the listener it is one more lane: values are kept as a set, and a mark comes back when everything put before it
 * has been mapped, which is when the ids that came of it have been brought, or was parked. It reads after the rows'
 * commit; what is linked to a row later, or no longer, has an event of its own (ARCHITECTURE: Mapped events).
 *
 * Its session is like a worker's: of the lease's term and of the generation of sessions (queue/requests.h).
 */
#ifndef CPI_MAPPER_H
#define CPI_MAPPER_H

#include "base/pulse.h"
#include "env.h"
#include "mapping/mail.h"
#include "postgres/mapping.h"

struct cpi_mapper;

/* What a mapper maps with. */
struct cpi_mapper_session {
    const struct cpi_mapping_ops *ops;
    void *connection;
    void (*destroy)(void *connection);
};

/* The real one, closed. connection is NULL: out of memory. */
struct cpi_mapper_session cpi_mapper_session(const struct cpi_env *env);

/* Takes over the session, on failure too. env, of whose configuration something is mapped, and listener_bell have to
 * outlive it. */
struct cpi_mapper *cpi_mapper_create(const struct cpi_env *env, const struct cpi_mapper_session *session,
                                     struct cpi_bell *listener_bell, cp_error *err);
cp_code cpi_mapper_start(struct cpi_mapper *mapper, cp_error *err);

/* Once the listener has ended, or will not begin. NULL is allowed, in destroy and unsettled too. */
void cpi_mapper_join(struct cpi_mapper *mapper);
void cpi_mapper_destroy(struct cpi_mapper *mapper);

/* After join: how many values were not mapped, and how many ids did not reach the listener. */
uint64_t cpi_mapper_unsettled(struct cpi_mapper *mapper);

/* The listener's side. */
struct cpi_mail *cpi_mapper_mail(struct cpi_mapper *mapper);

/* Of its thread, between create and destroy; any thread may look at it. */
struct cpi_pulse *cpi_mapper_pulse(struct cpi_mapper *mapper);

/* Values that cannot be mapped, and why, for any thread. */
struct cpi_parked *cpi_mapper_parked(struct cpi_mapper *mapper);

/* What the thread does over and over, for tests: takes what has been put, and brings some of what comes of it. */
void cpi_mapper_cycle(struct cpi_mapper *mapper);

#endif
