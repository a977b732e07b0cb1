/*
 * How soon a host hears of a change: from settled_us to the entry of its settled callback, and from the return of the
 * change's commit to that entry.
 *
 *     callbacks POSTGRES REDIS|- RATE SECONDS
 *
 * Changes customers 1 to RATE * SECONDS, each once, RATE a second at times fixed in advance. "-" follows without a
 * Redis. Prints changes, those the host has not heard of within 10 s of the last, and in microseconds p50, p99 and the
 * greatest of either.
 */
#include <cachepusher.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WRITERS = 4, MOST = 1000000, HEARD_MS = 10000, LOOK_MS = 5 };

/* One of a change's, by id. Written once: by the thread that changes it, and by the one that tells of it. */
struct change {
    int64_t committed_us;
    int64_t settled_us;
    int64_t told_us; /* 0: not yet */
};

static struct change changes[MOST + 1];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* over all below, and told_us and settled_us above */
static long told;
static long wanted; /* 0: not yet changing */

struct writer {
    pthread_t thread;
    PGconn *postgres;
    long first;
    double rate;
    int64_t from_us;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void hear(void *context, const cp_document *document)
{
    int64_t entered_us = now_us();
    long id = strtol(document->id, NULL, 10);
    (void)context;
    if (document->origin == CP_ORIGIN_EVENT && id >= 1 && id <= MOST) {
        pthread_mutex_lock(&mutex);
        if (id <= wanted && changes[id].told_us == 0) {
            changes[id].settled_us = document->settled_us;
            changes[id].told_us = entered_us;
            told++;
        }
        pthread_mutex_unlock(&mutex);
    }
}

static void sleep_until(int64_t until_us)
{
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &until, NULL) != 0) {
    }
}

static void change_one(PGconn *postgres, long id)
{
    char text[24];
    const char *const values[] = {text};
    snprintf(text, sizeof text, "%ld", id);
    PGresult *result = PQexecPrepared(postgres, "change", 1, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fprintf(stderr, "%s", PQerrorMessage(postgres));
        exit(1);
    }
    PQclear(result);
    changes[id].committed_us = now_us();
}

static void *change_all(void *context)
{
    const struct writer *writer = context;
    for (long id = writer->first; id <= wanted; id += WRITERS) {
        sleep_until(writer->from_us + (int64_t)(1e6 * (double)id / writer->rate));
        change_one(writer->postgres, id);
    }
    return NULL;
}

static void change_and_wait(const char *dsn, double rate)
{
    struct writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        PGconn *postgres = PQconnectdb(dsn);
        PQclear(PQexec(postgres, "set synchronous_commit = off"));
        PQclear(PQprepare(postgres, "change",
                          "update customer set name = 'changed ' || clock_timestamp() where id_customer = $1", 1,
                          NULL));
        if (PQstatus(postgres) != CONNECTION_OK) {
            fprintf(stderr, "%s", PQerrorMessage(postgres));
            exit(1);
        }
        writers[i] = (struct writer){.postgres = postgres, .first = i + 1, .rate = rate};
    }
    int64_t from_us = now_us() + 100000;
    for (int i = 0; i < WRITERS; i++) {
        writers[i].from_us = from_us;
        pthread_create(&writers[i].thread, NULL, change_all, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        PQfinish(writers[i].postgres);
    }
    for (int64_t until_us = now_us() + 1000 * HEARD_MS; now_us() < until_us;) {
        pthread_mutex_lock(&mutex);
        long left = wanted - told;
        pthread_mutex_unlock(&mutex);
        if (left == 0) {
            return;
        }
        sleep_until(now_us() + 1000 * LOOK_MS);
    }
}

static int by_size(const void *a, const void *b)
{
    return (*(const int64_t *)a > *(const int64_t *)b) - (*(const int64_t *)a < *(const int64_t *)b);
}

static void print_times(int64_t *times, long count)
{
    qsort(times, (size_t)count, sizeof *times, by_size);
    printf(" %lld %lld %lld", (long long)times[count / 2], (long long)times[count * 99 / 100],
           (long long)times[count - 1]);
}

static int print_all(void)
{
    int64_t *since_settled = malloc((size_t)wanted * sizeof *since_settled);
    int64_t *since_commit = malloc((size_t)wanted * sizeof *since_commit);
    long count = 0;
    if (since_settled == NULL || since_commit == NULL) {
        return 1;
    }
    pthread_mutex_lock(&mutex);
    for (long id = 1; id <= wanted; id++) {
        if (changes[id].told_us != 0) {
            since_settled[count] = changes[id].told_us - changes[id].settled_us;
            since_commit[count++] = changes[id].told_us - changes[id].committed_us;
        }
    }
    pthread_mutex_unlock(&mutex);
    printf("%ld %ld", wanted, wanted - count);
    if (count > 0) {
        print_times(since_settled, count);
        print_times(since_commit, count);
    }
    puts("");
    free(since_settled);
    free(since_commit);
    return count != wanted;
}

int main(int argc, char **argv)
{
    cp_error err;
    cp_config *config = cp_config_create(&err);
    bool follows = argc == 5 && strcmp(argv[2], "-") == 0;
    double rate = argc == 5 ? strtod(argv[3], NULL) : 0;
    long count = argc == 5 ? (long)(rate * strtod(argv[4], NULL)) : 0;
    if (config == NULL || count < 1 || count > MOST || cp_config_set(config, "postgres", argv[1], &err) != CP_OK ||
        cp_config_set(config, follows ? "role" : "redis", follows ? "follow" : argv[2], &err) != CP_OK) {
        fprintf(stderr, "usage: callbacks POSTGRES REDIS|- RATE SECONDS, of %d changes at most\n", MOST);
        return 2;
    }
    const cp_callbacks callbacks = {.size = sizeof callbacks, .settled = hear};
    cp_syncer *syncer = cp_syncer_create(config, &callbacks, &err);
    int code = 1;
    if (syncer == NULL || cp_syncer_start(syncer, &err) != CP_OK ||
        cp_syncer_wait_ready(syncer, 300000, &err) != CP_OK) {
        fprintf(stderr, "%s\n", err.message);
    } else {
        pthread_mutex_lock(&mutex);
        wanted = count;
        pthread_mutex_unlock(&mutex);
        change_and_wait(argv[1], rate);
        cp_syncer_stop(syncer, 1000, NULL);
        code = print_all();
    }
    cp_syncer_destroy(syncer);
    return code;
}
