/* The listener's part in tickets (queue/tickets.h): sends their barriers through the source, and looks whether the
 * lanes have passed them. Belongs to the listener's thread. */
#ifndef CPI_TICKETING_H
#define CPI_TICKETING_H

#include "env.h"
#include "source/asking.h"
#include "source/source.h"

/* Sends a barrier if tickets wait for one. source: NULL while it is closed. */
void cpi_ticketing_send(const struct cpi_env *env, struct cpi_source *source);

/* Takes note of what the lanes have passed and the resyncs have read again. Worker and resync thread ring the
 * listener's bell for it. */
void cpi_ticketing_look(const struct cpi_env *env, const struct cpi_asking *asking);

/* Whether either has something to do. */
bool cpi_ticketing_has_work(const struct cpi_env *env, const struct cpi_asking *asking, bool is_listening);

#endif
