#ifndef FAKEDATA_CHANGES_H
#define FAKEDATA_CHANGES_H

#include "db.h"
#include "rng.h"

enum change { CHANGE_INSERT, CHANGE_UPDATE, CHANGE_MOVE, CHANGE_DELETE, CHANGES };

/* Ids to choose from. Gaps are fine: a choice that hits no row takes the next one. */
struct id_range {
    int first;
    int last;
};

struct changes {
    struct db *db;
    struct rng rng;
    struct id_range customers;
    struct id_range addresses;
};

void changes_init(struct changes *changes, struct db *db, long seed);

/* Prepares the statements and looks up the ids: once for each connection. */
enum db_status changes_prepare(struct changes *changes);

/*
 * Makes one change in one transaction. `*change` is the kind wanted, and afterwards the kind made:
 * if there is no row to update, move or delete, it is an insert.
 */
enum db_status changes_apply(struct changes *changes, enum change *change);

#endif
