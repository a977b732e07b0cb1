/* What the tests of the wal source share. */
#ifndef WAL_H
#define WAL_H

#include "harness.h"

enum { CUSTOMERS = 400 };

#define WAL "source", "wal"

/* What cachepusher setup makes for the customer example, no trigger, and CUSTOMERS rows. */
struct fixture *open_wal(void);

/* The customer example, ready. */
cp_syncer *run_wal(struct fixture *f);

/* Up to now everything is confirmed; and there is a checkpoint. */
void wait_moved_on(struct fixture *f);
void wait_confirmed(struct fixture *f);

/* The syncer has gone on where the last one was; it has read everything. */
void require_resumed(cp_syncer *syncer);
void require_warmed(cp_syncer *syncer);

#endif
