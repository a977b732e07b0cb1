/*
 * How long a warm-up of the customers takes, with or without a settled callback that looks at each document.
 *
 *     documents POSTGRES REDIS PREFIX with|without
 *
 * Prints documents, milliseconds, and the process' own CPU time in milliseconds.
 */
#include <cachepusher.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct seen {
    pthread_mutex_t mutex;
    unsigned long long count;
    unsigned long long bytes;
};

static void look(void *context, const cp_document *document)
{
    struct seen *seen = context;
    pthread_mutex_lock(&seen->mutex);
    seen->count += document->exists && document->document[document->bytes - 1] == '}';
    seen->bytes += document->bytes;
    pthread_mutex_unlock(&seen->mutex);
}

static double now_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
    cp_error err;
    cp_config *config = cp_config_create(&err);
    if (argc != 5 || config == NULL || cp_config_set(config, "postgres", argv[1], &err) != CP_OK ||
        cp_config_set(config, "redis", argv[2], &err) != CP_OK ||
        cp_config_set(config, "prefix", argv[3], &err) != CP_OK) {
        fprintf(stderr, "usage: documents POSTGRES REDIS PREFIX with|without\n");
        return 2;
    }
    struct seen seen = {.mutex = PTHREAD_MUTEX_INITIALIZER};
    const cp_callbacks callbacks = {
        .size = sizeof callbacks, .settled = strcmp(argv[4], "with") == 0 ? look : NULL, .context = &seen};
    double began_ms = now_ms(CLOCK_MONOTONIC);
    cp_syncer *syncer = cp_syncer_create(config, &callbacks, &err);
    cp_stats stats = {.size = sizeof stats};
    int code = 1;
    if (syncer == NULL || cp_syncer_start(syncer, &err) != CP_OK ||
        cp_syncer_wait_ready(syncer, 300000, &err) != CP_OK || cp_syncer_stats(syncer, &stats, &err) != CP_OK) {
        fprintf(stderr, "%s\n", err.message);
    } else {
        printf("%llu %.0f %.0f\n", (unsigned long long)stats.stored, now_ms(CLOCK_MONOTONIC) - began_ms,
               now_ms(CLOCK_PROCESS_CPUTIME_ID));
        code = callbacks.settled != NULL && (seen.count != stats.stored || seen.bytes != stats.bytes);
    }
    cp_syncer_destroy(syncer);
    return code;
}
