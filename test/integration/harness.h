/*
 * What the integration tests share. Each test opens a fixture: a database of its own with the customer example, a key
 * prefix of its own in Redis, and the log of its syncers. Tests can run at the same time on the same servers.
 *
 * A failing test prints the log and cleans up before it unwinds, whether or not Check runs it in a process of its own.
 * Only the test's own thread may fail; threads started with fixture_thread() record what they see.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include "cachepusher.h"

#include <check.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

enum { FIXTURE_SYNCERS = 4, FIXTURE_CONNECTIONS = 8, FIXTURE_THREADS = 16, FIXTURE_STRANGERS = 64 };

struct fixture {
    char database[64];
    char dsn[512];    /* of that database */
    char base[64];    /* every key that the test writes begins with it */
    char prefix[128]; /* the syncers' prefix; base unless the test changes it */
    char redis_address[256];
    PGconn *pg;
    redisContext *redis;

    /* Everything below is cleaned up by fixture_close(). */
    cp_syncer *syncers[FIXTURE_SYNCERS];
    PGconn *connections[FIXTURE_CONNECTIONS];
    pthread_t threads[FIXTURE_THREADS];
    size_t thread_count;
    char *strangers[FIXTURE_STRANGERS]; /* unmanaged keys under base, which have to stay */
    size_t stranger_count;
    pid_t own_redis;  /* 0: the shared one */
    pid_t own_pooler; /* 0: none */

    atomic_bool abandoned;    /* the test has failed or ended; threads have to return */
    _Atomic int thread_fault; /* how many threads saw something wrong */
    void (*settled)(void *context, const cp_document *document); /* set before make_syncer() */
    void *settled_context;
    void (*thread_start)(void *context, const char *name); /* both as well */
    void (*thread_end)(void *context, const char *name);
    const cp_store *store; /* the same; NULL: Redis */
    cp_code (*transform)(void *context, const cp_document *document, cp_output *out, cp_error *err); /* the same */
    void (*state)(void *context, const cp_health *health); /* these two as well */
    cp_results *results;
    void (*logged)(struct fixture *f, const char *message); /* called in the thread that logs; it may block */

    pthread_mutex_t log_mutex;
    char *log;
    size_t log_length;
    size_t log_capacity;
};

/* The fixture that is open. */
extern struct fixture *current;

struct fixture *fixture_open(void);

/* The same with options of CREATE DATABASE, say of its encoding. */
struct fixture *fixture_open_as(const char *options);
void fixture_close(struct fixture *f);

/* A file's text. The caller frees it. */
char *read_file(const char *path);

/* Starts a thread that fixture_join() joins, or fixture_close() after a failure. It has to return soon after
 * f->abandoned is set. */
void fixture_thread(struct fixture *f, void *(*run)(void *context), void *context);
void fixture_join(struct fixture *f);

/* ---- syncers ---- */

/* A list of names and values for make_syncer(). */
#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_SETTINGS NULL

/* A syncer with the fixture's servers and prefix. entities: the text of a JSON file; NULL: the customer example. */
cp_syncer *make_syncer(struct fixture *f, const char *entities, const char *const *settings);

/* The same, started and ready. */
cp_syncer *run_syncer(struct fixture *f, const char *entities, const char *const *settings);
void start_syncer(cp_syncer *syncer);
void wait_ready(cp_syncer *syncer);

/* Stops and destroys. All ids have to settle. A resync after an overflow or "*" may be cut short, since Redis can equal
 * Postgres before it ends. */
void stop_syncer(struct fixture *f, cp_syncer *syncer);
void destroy_syncer(struct fixture *f, cp_syncer *syncer);

cp_stats stats_of(const cp_syncer *syncer);

/* How many of the log's lines contain the text. */
size_t count_logged(struct fixture *f, const char *text);

/* ---- failing, waiting ---- */

_Noreturn void fail_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fail_at(__FILE__, __LINE__, "not so: %s", #condition);                                                     \
        }                                                                                                              \
    } while (0)

#define REQUIRE_INT(left, operator, right)                                                                             \
    do {                                                                                                               \
        long long left_ = (long long)(left);                                                                           \
        long long right_ = (long long)(right);                                                                         \
        if (!(left_ operator right_)) {                                                                                \
            fail_at(__FILE__, __LINE__, "not so: %s %s %s (%lld, %lld)", #left, #operator, #right, left_, right_);     \
        }                                                                                                              \
    } while (0)

#define REQUIRE_OK(call, err)                                                                                          \
    do {                                                                                                               \
        if ((call) != CP_OK) {                                                                                         \
            fail_at(__FILE__, __LINE__, "%s: %s", #call, (err).message);                                               \
        }                                                                                                              \
    } while (0)

#define REQUIRE_CONTAINS(text, part)                                                                                   \
    do {                                                                                                               \
        if (strstr(text, part) == NULL) {                                                                              \
            fail_at(__FILE__, __LINE__, "\"%s\" does not contain \"%s\"", text, part);                                 \
        }                                                                                                              \
    } while (0)

/* Checks the condition until it holds, and fails at the deadline. */
#define WAIT_UNTIL(condition)                                                                                          \
    for (int64_t until_ms_ = deadline_ms(); !(condition);)                                                             \
    wait_more(until_ms_, __FILE__, __LINE__, #condition)

int64_t now_ms(void);
int64_t deadline_ms(void);
void wait_more(int64_t until_ms, const char *file, int line, const char *condition);

/* A factor for deadlines: 1, or more under a sanitizer. */
int slowness(void);

/* The timeout for calls that take one. */
int timeout_ms(void);

#endif
