/*
 * Admission: what a connection to Redis has to pass before it writes. "Fencing" is keeping a former owner out: here by
 * killing its connections, confirmed by the lock.
 *
 *   1. The connection names itself in Redis after the lease and this syncer.
 *   2. It has Redis kill every connection that is named after the same lease and another syncer.
 *   3. It asks Postgres whether the very session that held the lock before step 1 still holds it.
 *
 * Why no former owner F writes after the first write of the present owner P: P's session has held the lock throughout
 * P's step 2, which step 3 shows. Take any connection of F's. If it named itself before P's step 2, P killed it there:
 * Redis executes one command after the other, so what it had sent either was executed before or never will be. If it
 * named itself later, F asked its step 3 later still, while P held the lock, and was told no. What F wrote before P's
 * step 2, P reads and writes again, since every term begins with a resync.
 */
#ifndef CPI_ADMISSION_H
#define CPI_ADMISSION_H

#include "lease/lease.h"
#include "postgres/pg.h"
#include "redis/target.h"

/* Any thread, for connections of its own that are both open: the three steps. Afterwards the target is admitted. When
 * Postgres says no, the keeper learns of it. */
cp_code cpi_lease_admit(struct cpi_lease *lease, struct cpi_pg *pg, struct cpi_target *target, cp_error *err);

/* Any thread, for a session of its own: whether the lease is held by the session we know of, in the very database that
 * pg is connected to. When it is not, the keeper learns of it. */
cp_code cpi_lease_confirm(struct cpi_lease *lease, struct cpi_pg *pg, cp_error *err);

#endif
