#include "burst/queue_usage.h"

#include "fatal.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { LOOK_EVERY_MS = 20 };

struct queue_usage {
    PGconn *pg;
    int enough; /* an eventfd */
    pthread_t thread;
    double highest_kib; /* of the thread until it has ended */
};

double queue_usage_kib(PGconn *pg)
{
    PGresult *result = PQexec(pg, "select pg_catalog.pg_notification_queue_usage() operator(pg_catalog.*) 8388608");
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fatal("pg_notification_queue_usage(): %s", PQerrorMessage(pg));
    }
    double kib = strtod(PQgetvalue(result, 0, 0), NULL);
    PQclear(result);
    return kib;
}

static void *run(void *context)
{
    struct queue_usage *usage = context;
    struct pollfd enough = {.fd = usage->enough, .events = POLLIN};
    while (poll(&enough, 1, LOOK_EVERY_MS) <= 0) {
        usage->highest_kib = fmax(usage->highest_kib, queue_usage_kib(usage->pg));
    }
    return NULL;
}

struct queue_usage *queue_usage_start(const struct servers *servers)
{
    struct queue_usage *usage = calloc(1, sizeof *usage);
    if (usage == NULL) {
        fatal("out of memory");
    }
    usage->pg = servers_postgres(servers);
    usage->enough = eventfd(0, EFD_CLOEXEC);
    int error = usage->enough == -1 ? errno : pthread_create(&usage->thread, NULL, run, usage);
    if (error != 0) {
        fatal("cannot start a thread: %s", strerror(error));
    }
    return usage;
}

double queue_usage_stop(struct queue_usage *usage)
{
    if (eventfd_write(usage->enough, 1) != 0) {
        fatal("eventfd: %s", strerror(errno));
    }
    pthread_join(usage->thread, NULL);
    double highest_kib = usage->highest_kib;
    close(usage->enough);
    PQfinish(usage->pg);
    free(usage);
    return highest_kib;
}
