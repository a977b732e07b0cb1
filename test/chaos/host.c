/*
 * A host: a program with a cache in its process, which the settled callback alone fills. The cache is the one of
 * examples/cache.c, every line of it.
 *
 *     chaos_host SOCKET info|debug NAME=VALUE...
 *
 * The settings are the syncer's. What the cache has is shown on the socket (answers.h), the log on standard output.
 * SIGHUP has everything read again, SIGTERM ends it.
 */
int cache_main(int argc, char **argv);
#define main cache_main /* the example's own is not called */
#include "../../examples/cache.c"
#undef main

#include "answers.h"

#include <signal.h>
#include <stdbool.h>
#include <time.h>

enum { GRACE_MS = 3000, AGAIN_MS = 100, LOOK_MS = 10 };

/* ---- the cache, seen from outside ---- */

static size_t list_cached(void (*found)(FILE *reply, const char *id), FILE *reply)
{
    size_t count = 0;
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (const struct cached *cached = buckets[i]; cached != NULL; cached = cached->next) {
            if (cached->document != NULL) {
                found(reply, cached->id);
                count++;
            }
        }
    }
    pthread_mutex_unlock(&mutex);
    return count;
}

static void forget_all(void)
{
    pthread_mutex_lock(&mutex);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct cached *cached = buckets[i]; cached != NULL; cached = cached->next) {
            free(cached->document);
            cached->document = NULL;
        }
    }
    pthread_mutex_unlock(&mutex);
}

/* ---- the log, in the command's form ---- */

static cp_level threshold = CP_LOG_INFO;

static void write_log(void *context, cp_level level, const char *message)
{
    static const char *const names[] = {"error", "warn ", "info ", "debug"};
    struct timespec now;
    struct tm local;
    char when[32];
    (void)context;
    if (level <= threshold) {
        clock_gettime(CLOCK_REALTIME, &now);
        localtime_r(&now.tv_sec, &local);
        strftime(when, sizeof when, "%H:%M:%S", &local);
        printf("%s.%03ld %s %s\n", when, now.tv_nsec / 1000000, names[level], message);
    }
}

/* ---- what a writer's host has to do (callbacks.h) ---- */

static uint64_t times_to_forget(const cp_syncer *syncer)
{
    cp_stats stats = {.size = sizeof stats};
    cp_syncer_stats(syncer, &stats, NULL);
    return stats.causes[CP_CAUSE_REDIS] + stats.causes[CP_CAUSE_LISTENER] + stats.causes[CP_CAUSE_RESUME];
}

static void forget_if_due(cp_syncer *syncer, uint64_t *known)
{
    uint64_t now = times_to_forget(syncer);
    if (now != *known) {
        *known = now;
        forget_all();
        cp_syncer_resync(syncer, NULL, NULL);
        write_log(NULL, CP_LOG_INFO, "host: everything is forgotten, and read again");
    }
}

/* ---- the program ---- */

static cp_config *configure(char **settings, cp_error *err)
{
    cp_config *config = cp_config_create(err);
    for (; config != NULL && *settings != NULL; settings++) {
        char *value = strchr(*settings, '=');
        if (value != NULL) {
            *value++ = '\0';
        }
        if (value == NULL || cp_config_set(config, *settings, value, err) != CP_OK) {
            cp_config_destroy(config);
            config = NULL;
        }
    }
    return config;
}

static int next_signal(const sigset_t *signals, int timeout_ms)
{
    const struct timespec timeout = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    return sigtimedwait(signals, NULL, &timeout);
}

/* Servers that are away come back. False: it is to end. */
static bool start_syncer(cp_syncer *syncer, const sigset_t *signals)
{
    cp_error err;
    while (cp_syncer_start(syncer, &err) != CP_OK) {
        write_log(NULL, CP_LOG_WARN, err.message);
        if (next_signal(signals, AGAIN_MS) == SIGTERM) {
            return false;
        }
    }
    return true;
}

static void follow(cp_syncer *syncer, const sigset_t *signals, bool forgets)
{
    uint64_t known = 0;
    int signal_number;
    while ((signal_number = next_signal(signals, LOOK_MS)) != SIGTERM) {
        if (signal_number == SIGHUP) {
            cp_syncer_resync(syncer, NULL, NULL);
        }
        if (forgets) {
            forget_if_due(syncer, &known);
        }
    }
}

int main(int argc, char **argv)
{
    cp_error err = {.message = "usage: chaos_host SOCKET info|debug NAME=VALUE..."};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);

    const cp_callbacks callbacks = {.size = sizeof callbacks, .log = write_log, .settled = keep};
    cp_config *config = argc > 3 ? configure(argv + 3, &err) : NULL;
    char role[16] = "";
    if (config != NULL) {
        cp_config_get(config, "role", role, sizeof role, NULL);
        threshold = strcmp(argv[2], "debug") == 0 ? CP_LOG_DEBUG : CP_LOG_INFO;
    }
    cp_syncer *syncer = config != NULL ? cp_syncer_create(config, &callbacks, &err) : NULL;
    if (syncer == NULL) {
        fprintf(stderr, "%s\n", err.message);
        return 2;
    }
    answers_start(argv[1], &(struct answers){.get = get, .list = list_cached});
    if (start_syncer(syncer, &signals)) {
        follow(syncer, &signals, strcmp(role, "write") == 0);
    }
    cp_code code = cp_syncer_stop(syncer, GRACE_MS, &err);
    if (code != CP_OK) {
        write_log(NULL, CP_LOG_ERROR, err.message);
    }
    cp_syncer_destroy(syncer);
    return code == CP_OK ? 0 : 1;
}
