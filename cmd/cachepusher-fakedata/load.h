#ifndef FAKEDATA_LOAD_H
#define FAKEDATA_LOAD_H

#include "db.h"

#include <stdbool.h>

/*
 * Adds customers with 0 to 5 addresses each, all in one transaction. False after an error or a
 * signal, which it has reported. Nothing was added then, unless the connection broke in the commit.
 */
bool load_customers(struct db *db, int customers, long seed, bool quiet);

#endif
