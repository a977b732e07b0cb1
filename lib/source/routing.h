/* Events that the listener has, from the source or by hand, on their way to the lanes: counted, and where there are too
 * many of them, a resync is asked for instead. */
#ifndef CPI_ROUTING_H
#define CPI_ROUTING_H

#include "env.h"
#include "queue/live_feed.h"
#include "source/asking.h"

/* Takes over all of them; events is empty afterwards. False: there were none. */
bool cpi_route(const struct cpi_env *env, struct cpi_live_feed *feed, struct cpi_asking *asking,
               struct cpi_events *events);

#endif
