/*
 * Where changes are learned from: what cachepusher has, and what a person would write without it. Each needs something
 * else of Postgres, which is made here and taken away again.
 */
#ifndef BENCH_SOURCE_H
#define BENCH_SOURCE_H

#include <stdbool.h>

enum source {
    SOURCE_NOTIFY,   /* statement-level triggers notify: cachepusher.watch() */
    SOURCE_MESSAGES, /* statement-level triggers write messages into the log */
    SOURCE_TABLES,   /* the log itself, of tables in a publication */
    SOURCE_WAL2JSON, /* the same without cachepusher: pg_recvlogical prints what the plugin wal2json makes of it */
    SOURCES
};

/* As --sources has it: "notify". */
const char *source_name(enum source source);

/* Names with commas between. False: one is none of them. */
bool sources_parse(const char *names, bool chosen[SOURCES]);

/* False: what the chosen sources need is missing on this machine; reported. */
bool sources_are_possible(const bool chosen[SOURCES]);

#endif
