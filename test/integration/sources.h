/*
 * Over which source the tests run: the environment's CP_TEST_SOURCE, notify or wal.
 *
 * A test writes rows, or says by hand what has changed: select announce('customer_updated', '*'), a function of the
 * fixture's database that notifies or writes a message into the log. So it need not know which source it is.
 */
#ifndef SOURCES_H
#define SOURCES_H

#include "harness.h"

/* For entities' JSON: what the wal source reads, and notify does not look at. */
#define WATCHES(table, column) "{\"table\": \"" table "\", \"column\": \"" column "\"}"
#define WATCHED(table, column) "\"watch\": [" WATCHES(table, column) "],"
#define WATCHED_CUSTOMERS "\"watch\": [" WATCHES("customer", "id_customer") "," WATCHES("address", "fk_customer") "],"

bool is_over_wal(void);

/* Whether a suite or a test of that name makes sense over it; sources.c has the list of those that do not. */
bool source_has(const char *name);

/* tcase_add_test(), if so. */
void add_test(TCase *tcase, const TTest *test);

/* Makes announce() and, over wal, takes away the triggers of the customer example. */
void source_open(struct fixture *f);

/* Over wal, what cachepusher setup makes for these entities, as make_syncer() has them: a publication of the tables
 * they watch, whose rows tell which documents they belonged to, and the slot. make_syncer() does it; a test that holds
 * transactions open from before has it done earlier, since a slot waits for them. */
void source_prepare(struct fixture *f, const char *entities);

/* The settings that go with it, for make_syncer(). */
const char *const *source_settings(void);

/* How often a syncer has begun to listen again: then it reads everything, or, over wal, goes on where it was. */
uint64_t new_beginnings(const cp_syncer *syncer);

/* The checkpoint's key in Redis, of the fixture's syncers; "": there is none. Valid until the next call. */
char *source_checkpoint(struct fixture *f);

/* The next syncer does not go on where the last one was: it begins with a warm-up, as over notify. */
void source_forget(struct fixture *f);

#endif
