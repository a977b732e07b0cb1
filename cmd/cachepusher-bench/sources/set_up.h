/*
 * What a source needs of Postgres: `cachepusher setup` makes it, `cachepusher teardown` takes it away, for both tables
 * of the example. Its replication slot begins where it is made. Main thread.
 */
#ifndef BENCH_SET_UP_H
#define BENCH_SET_UP_H

#include "servers/servers.h"
#include "sources/source.h"

/* The names in Postgres. Slots belong to the whole server, which may have others. */
#define SET_UP_SLOT "cachepusher_bench"
#define SET_UP_PUBLICATION SET_UP_SLOT
#define SET_UP_SLOT_OF_WAL2JSON SET_UP_SLOT "_wal2json"

/* The settings that make cachepusher use it, as NAME=VALUE; NULL behind the last one. Not for SOURCE_WAL2JSON. */
enum { SET_UP_SETTINGS = 4 };
extern const char *const set_up_settings[SOURCES][SET_UP_SETTINGS];

/* Where nothing announces changes. */
void set_up(const struct servers *servers, PGconn *pg, enum source source);

/* Triggers, publication and slots, whichever there are. Waits until whoever has read a slot is gone. */
void set_up_nothing(const struct servers *servers, PGconn *pg);

/* Waits until somebody reads the slot, or nobody any more. */
void set_up_wait_for_reader(PGconn *pg, bool reads);

#endif
