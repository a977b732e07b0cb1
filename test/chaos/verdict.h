/* Whether Redis holds what Postgres holds, and nothing else. */
#ifndef VERDICT_H
#define VERDICT_H

#include "world.h"

/* Every document, byte for byte, and no other key but markers. False: `why` names the first difference. Ends the run
 * when Postgres itself lacks what was committed. */
bool verdict_is_equal(struct world *world, char *why, size_t size);

#endif
