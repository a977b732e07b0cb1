#ifndef FAKEDATA_SIMULATE_H
#define FAKEDATA_SIMULATE_H

#include "db.h"
#include "options.h"

#include <stdbool.h>

/*
 * Changes rows at options->rate until the duration is over or a signal comes, across lost
 * connections. False after an error, which it has reported.
 */
bool simulate(struct db *db, const struct options *options);

#endif
