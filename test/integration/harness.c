#include "harness.h"

#include "servers.h"
#include "sources.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

enum { DEADLINE_MS = 30000, LOOK_MS = 2, LOG_SHOWN = 20000, LOG_CAPACITY_MAX = 1 << 24 };

struct fixture *current;

/* ---- time ---- */

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int slowness(void)
{
#ifdef SANITIZED
    return 4;
#else
    return 1;
#endif
}

int timeout_ms(void)
{
    return DEADLINE_MS * slowness();
}

int64_t deadline_ms(void)
{
    return now_ms() + timeout_ms();
}

void wait_more(int64_t until_ms, const char *file, int line, const char *condition)
{
    if (now_ms() > until_ms) {
        fail_at(file, line, "not within %d s: %s", timeout_ms() / 1000, condition);
    }
    poll(NULL, 0, LOOK_MS);
}

/* ---- the log ---- */

static void write_log(void *context, cp_level level, const char *message)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    struct fixture *f = context;
    char line[1024];
    int length = snprintf(line, sizeof line, "%lld.%03lld %s: %s\n", (long long)now_ms() / 1000 % 1000,
                          (long long)now_ms() % 1000, names[level], message);
    size_t used = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;

    pthread_mutex_lock(&f->log_mutex);
    if (f->log_length + used + 1 > f->log_capacity && f->log_capacity < LOG_CAPACITY_MAX) {
        size_t capacity = 2 * f->log_capacity + sizeof line;
        char *log = realloc(f->log, capacity);
        f->log = log != NULL ? log : f->log;
        f->log_capacity = log != NULL ? capacity : f->log_capacity;
    }
    if (f->log_length + used + 1 <= f->log_capacity) {
        memcpy(f->log + f->log_length, line, used + 1);
        f->log_length += used;
    }
    pthread_mutex_unlock(&f->log_mutex);
    if (f->logged != NULL) {
        f->logged(f, message);
    }
}

size_t count_logged(struct fixture *f, const char *text)
{
    size_t count = 0;
    pthread_mutex_lock(&f->log_mutex);
    for (char *at = f->log; at != NULL && (at = strstr(at, text)) != NULL; count++) {
        at = strchr(at, '\n');
    }
    pthread_mutex_unlock(&f->log_mutex);
    return count;
}

static void show_log(struct fixture *f)
{
    pthread_mutex_lock(&f->log_mutex);
    size_t from = f->log_length > LOG_SHOWN ? f->log_length - LOG_SHOWN : 0;
    fprintf(stderr, "---- the end of the syncers' log (%s, %s)\n%s----\n", f->database, f->prefix,
            f->log != NULL ? f->log + from : "");
    pthread_mutex_unlock(&f->log_mutex);
    for (size_t i = 0; i < FIXTURE_SYNCERS; i++) {
        if (f->syncers[i] != NULL) {
            cp_stats s = stats_of(f->syncers[i]);
            fprintf(stderr,
                    "---- syncer %zu: events %llu, resync_ids %llu, coalesced %llu, fetches %llu, stored %llu,"
                    " deleted %llu, failures %llu, reconnects %llu, overflows %llu, resyncs %llu, pending %llu,"
                    " failing %llu, ready %d\n",
                    i, (unsigned long long)s.events, (unsigned long long)s.resync_ids, (unsigned long long)s.coalesced,
                    (unsigned long long)s.fetches, (unsigned long long)s.stored, (unsigned long long)s.deleted,
                    (unsigned long long)s.failures, (unsigned long long)s.reconnects, (unsigned long long)s.overflows,
                    (unsigned long long)s.resyncs, (unsigned long long)s.pending, (unsigned long long)s.failing,
                    s.ready);
        }
    }
}

/* ---- failing ---- */

void fail_at(const char *file, int line, const char *format, ...)
{
    char message[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);

    /* Not again, when it is the cleaning up that fails. */
    struct fixture *f = current;
    current = NULL;
    if (f != NULL) {
        fprintf(stderr, "---- failed at %s:%d: %s\n", file, line, message);
        show_log(f);
        fixture_close(f);
    }
    _ck_assert_failed(file, line, "failed", "%s", message);
    abort(); /* the line above does not return, but does not say so either */
}

/* ---- the fixture ---- */

char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t capacity = 0;
    ssize_t length = file != NULL ? getdelim(&text, &capacity, '\0', file) : -1;
    if (file != NULL) {
        fclose(file);
    }
    if (length <= 0) {
        free(text);
        fail_at(__FILE__, __LINE__, "cannot read %s", path);
    }
    return text;
}

static void load(struct fixture *f, const char *path)
{
    char *statements = read_file(path);
    sql(f, statements);
    free(statements);
}

static void run_as_admin(const char *format, const char *database)
{
    char statement[256];
    snprintf(statement, sizeof statement, format, database);
    PGconn *admin = connect_postgres(getenv("CP_DSN"));
    if (admin != NULL) {
        PGresult *result = PQexec(admin, statement);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            fprintf(stderr, "%s: %s", statement, PQerrorMessage(admin));
        }
        PQclear(result);
    }
    PQfinish(admin);
}

struct fixture *fixture_open(void)
{
    return fixture_open_as("");
}

struct fixture *fixture_open_as(const char *options)
{
    char create[160];
    static struct fixture fixture;
    static unsigned number;
    struct fixture *f = &fixture;
    memset(f, 0, sizeof *f);
    pthread_mutex_init(&f->log_mutex, NULL);
    int pid = (int)getpid();
    number++;
    snprintf(f->base, sizeof f->base, "t%d_%u", pid, number);
    snprintf(f->prefix, sizeof f->prefix, "t%d_%u", pid, number);
    snprintf(f->database, sizeof f->database, "cp_t%d_%u", pid, number);
    snprintf(f->dsn, sizeof f->dsn, "%.400s dbname=%.60s", getenv("CP_DSN"), f->database);
    snprintf(f->redis_address, sizeof f->redis_address, "%s", getenv("CP_REDIS"));
    current = f;

    snprintf(create, sizeof create, "create database %%s %s", options);
    run_as_admin(create, f->database);
    f->pg = connect_postgres(f->dsn);
    REQUIRE(f->pg != NULL);
    f->redis = connect_redis(f->redis_address);
    REQUIRE(f->redis != NULL);
    load(f, DB_DIR "/cachepusher.sql");
    load(f, DB_DIR "/schema.sql");
    source_open(f);
    return f;
}

static void delete_keys(struct fixture *f)
{
    char cursor[32] = "0";
    do {
        redisReply *keys = redisCommand(f->redis, "SCAN %s MATCH %s* COUNT 5000", cursor, f->base);
        if (keys == NULL || keys->type != REDIS_REPLY_ARRAY) {
            freeReplyObject(keys);
            return;
        }
        snprintf(cursor, sizeof cursor, "%s", keys->element[0]->str);
        for (size_t i = 0; i < keys->element[1]->elements; i++) {
            const redisReply *key = keys->element[1]->element[i];
            freeReplyObject(redisCommand(f->redis, "UNLINK %b", key->str, key->len));
        }
        freeReplyObject(keys);
    } while (strcmp(cursor, "0") != 0);
}

/* First what holds up others: a connection's lock holds up a thread, a thread may use a syncer. */
void fixture_close(struct fixture *f)
{
    atomic_store(&f->abandoned, true);
    for (size_t i = 0; i < FIXTURE_CONNECTIONS; i++) {
        PQfinish(f->connections[i]);
    }
    for (size_t i = 0; i < f->thread_count; i++) {
        pthread_join(f->threads[i], NULL);
    }
    for (size_t i = 0; i < FIXTURE_SYNCERS; i++) {
        cp_syncer_destroy(f->syncers[i]);
    }
    if (f->own_redis == 0 && f->redis != NULL) {
        delete_keys(f);
    }
    if (f->redis != NULL) {
        redisFree(f->redis);
        f->redis = NULL;
    }
    if (f->own_redis > 0) {
        kill(f->own_redis, SIGKILL);
        waitpid(f->own_redis, NULL, 0);
    }
    if (f->own_pooler > 0) {
        kill(f->own_pooler, SIGKILL);
        waitpid(f->own_pooler, NULL, 0);
    }
    if (strncmp(f->redis_address, "unix:", 5) == 0 && strcmp(f->redis_address, getenv("CP_REDIS")) != 0) {
        unlink(f->redis_address + 5);
    }
    PQfinish(f->pg);
    run_as_admin("drop database if exists %s with (force)", f->database);
    for (size_t i = 0; i < f->stranger_count; i++) {
        free(f->strangers[i]);
    }
    free(f->log);
    pthread_mutex_destroy(&f->log_mutex);
    current = NULL;
}

void fixture_thread(struct fixture *f, void *(*run)(void *context), void *context)
{
    REQUIRE(f->thread_count < FIXTURE_THREADS);
    REQUIRE(pthread_create(&f->threads[f->thread_count], NULL, run, context) == 0);
    f->thread_count++;
}

void fixture_join(struct fixture *f)
{
    while (f->thread_count > 0) {
        pthread_join(f->threads[--f->thread_count], NULL);
    }
    REQUIRE_INT(atomic_load(&f->thread_fault), ==, 0);
}

/* ---- syncers ---- */

static cp_code set_all(cp_config *config, const char *const *settings, cp_error *err)
{
    cp_code code = CP_OK;
    for (size_t i = 0; settings != NULL && settings[i] != NULL && code == CP_OK; i += 2) {
        code = cp_config_set(config, settings[i], settings[i + 1], err);
    }
    return code;
}

cp_syncer *make_syncer(struct fixture *f, const char *entities, const char *const *settings)
{
    cp_error err = {0};
    cp_config *config = cp_config_create(&err);
    REQUIRE(config != NULL);
    cp_code code = cp_config_set(config, "postgres", f->dsn, &err);
    code = code == CP_OK ? cp_config_set(config, "redis", f->redis_address, &err) : code;
    code = code == CP_OK ? cp_config_set(config, "prefix", f->prefix, &err) : code;
    code = code == CP_OK && entities != NULL ? cp_config_parse(config, entities, "test", &err) : code;
    /* Tests that count resyncs replace functions, too. */
    code = code == CP_OK ? cp_config_set(config, "catalog_check_ms", "0", &err) : code;
    source_prepare(f, entities);
    code = code == CP_OK ? set_all(config, source_settings(), &err) : code;
    code = code == CP_OK ? set_all(config, settings, &err) : code;
    cp_callbacks callbacks = {.size = sizeof callbacks,
                              .log = write_log,
                              .settled = f->settled,
                              .context = f,
                              .thread_start = f->thread_start,
                              .thread_end = f->thread_end,
                              .store = f->store,
                              .transform = f->transform,
                              .state = f->state,
                              .results = f->results};
    cp_syncer *syncer = code == CP_OK ? cp_syncer_create(config, &callbacks, &err) : NULL;
    if (syncer == NULL) {
        cp_config_destroy(config);
        fail_at(__FILE__, __LINE__, "no syncer: %s", err.message);
    }
    size_t i = 0;
    while (i + 1 < FIXTURE_SYNCERS && f->syncers[i] != NULL) {
        i++;
    }
    REQUIRE(f->syncers[i] == NULL);
    f->syncers[i] = syncer;
    return syncer;
}

void start_syncer(cp_syncer *syncer)
{
    cp_error err = {0};
    REQUIRE_OK(cp_syncer_start(syncer, &err), err);
}

void wait_ready(cp_syncer *syncer)
{
    cp_error err = {0};
    REQUIRE_OK(cp_syncer_wait_ready(syncer, timeout_ms(), &err), err);
}

cp_syncer *run_syncer(struct fixture *f, const char *entities, const char *const *settings)
{
    cp_syncer *syncer = make_syncer(f, entities, settings);
    start_syncer(syncer);
    wait_ready(syncer);
    return syncer;
}

void destroy_syncer(struct fixture *f, cp_syncer *syncer)
{
    for (size_t i = 0; i < FIXTURE_SYNCERS; i++) {
        if (f->syncers[i] == syncer) {
            f->syncers[i] = NULL;
        }
    }
    cp_syncer_destroy(syncer);
}

void stop_syncer(struct fixture *f, cp_syncer *syncer)
{
    cp_error err = {0};
    cp_code code = cp_syncer_stop(syncer, timeout_ms(), &err);
    if (code != CP_OK && strstr(err.message, "a resync that events called for") == NULL) {
        fail_at(__FILE__, __LINE__, "cp_syncer_stop: %s", err.message);
    }
    destroy_syncer(f, syncer);
}

cp_stats stats_of(const cp_syncer *syncer)
{
    cp_stats stats = {.size = sizeof stats};
    cp_syncer_stats(syncer, &stats, NULL);
    return stats;
}
