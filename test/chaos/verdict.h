/* Whether all views equal Postgres. */
#ifndef VERDICT_H
#define VERDICT_H

#include "world.h"

/* Every document byte for byte, and no other keys except markers. A cache whose process has been ended is not looked
 * at. False: `why` describes the first difference. Ends the run if Postgres itself lacks a commit. */
bool verdict_is_equal(struct world *world, char *why, size_t size);

#endif
