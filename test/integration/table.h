/*
 * A store of the host's own (cp_store) for tests: a hash table that any number of syncers share, with everything that a
 * store may have. What it is given it does in flush(). Its faults are set by the test, at any time.
 */
#ifndef TABLE_H
#define TABLE_H

#include "harness.h"

enum { TABLE_BUCKETS = 1024, TABLE_TEXT = 160 };

struct table_entry {
    struct table_entry *next;
    char *key;
    char *bytes;
    size_t length;
    int64_t ttl_s;
};

struct table {
    cp_store store; /* to be handed out; members may be set to NULL before */
    pthread_mutex_t mutex;
    pthread_cond_t released;
    struct table_entry *buckets[TABLE_BUCKETS];
    char marker_name[TABLE_TEXT];
    int64_t marker;
    char token[TABLE_TEXT]; /* of whoever may write; "": nobody has said so */

    cp_store_answer opens; /* what open() answers; set before a syncer uses it */

    /* Faults, of the calls to come; under the mutex. */
    char refused[TABLE_TEXT]; /* set() of this key is; "": of none */
    bool refused_late;        /* by flush() */
    bool loses_half;
    bool held;
    bool is_wild;
    unsigned waits;
    unsigned loses;

    /* What was done; under the mutex, see table_look(). */
    unsigned opened;
    unsigned closed;
    unsigned fenced;
    unsigned holding; /* calls of set() that are held */
};

void table_init(struct table *table);

/* Once no syncer uses it. */
void table_fini(struct table *table);

/* set() of a key is refused, or, late, by flush(); "": of none. */
void table_refuse(struct table *table, const char *key, bool late);

/* So many calls of set() and del() are put off. */
void table_put_off(struct table *table, unsigned calls);

/* So many flushes are lost, perhaps after half of what they were to do. */
void table_lose(struct table *table, unsigned flushes, bool half);

/* The next set() answers what is no answer. */
void table_go_wild(struct table *table);

/* set() does not return before table_release(). */
void table_hold(struct table *table);
void table_release(struct table *table);

/* One of the counters. */
unsigned table_look(struct table *table, const unsigned *counter);

/* By the test: what a host of another process might do. bytes NULL: deletes. */
void table_put(struct table *table, const char *key, const char *bytes);

/* Everything is lost, the marker too. */
void table_empty(struct table *table);

/* Somebody else calls fence(). */
void table_steal(struct table *table);

/* Copies a value, cut short; false: there is none. */
bool table_read(struct table *table, const char *key, char *bytes, size_t size);

/* Of keys that begin so. */
size_t table_count(struct table *table, const char *prefix);

/* The time to live that a key was given; -1: there is none. */
int64_t table_ttl(struct table *table, const char *key);

/* Whether it holds the customers' documents, byte for byte, between before and after, and `others` keys besides under
 * the fixture's prefix. */
bool table_is_equal(struct fixture *f, struct table *table, const char *before, const char *after, size_t others);

#endif
