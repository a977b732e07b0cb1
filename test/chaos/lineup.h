/* Who runs: daemons that fill Redis, and hosts with a cache in their process. And what is to be equal to Postgres
 * therefore. */
#ifndef LINEUP_H
#define LINEUP_H

#include "world.h"

struct lineup {
    const char *name; /* of --target */
    bool has_redis;
    bool has_wal; /* the wal source goes with it */
    int least;    /* how many run */
    int most;
    enum daemon_kind kinds[DAEMONS_MAX];
};

/* NULL: there is none of that name. */
const struct lineup *lineup_find(const char *name);

/* Makes the views of what runs, and the history of these. */
void lineup_make_views(struct world *world);

/* A daemon is about to end, or has been started again: what its process kept is lost. */
void lineup_ends(struct world *world, const struct daemon *daemon);
void lineup_begins(struct world *world, const struct daemon *daemon);

#endif
