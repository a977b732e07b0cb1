#include "latency/tracker.h"

#include "fatal.h"
#include "latency/paced.h"
#include "servers/process.h"
#include "servers/servers_given.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CHANNEL_BYTES = 64, FLOOR_RATE = 500, FLOOR_CHANGES = 500 };

struct tracker {
    const struct watched *watched;
    int64_t first;
    uint64_t changes;
    redisContext *events; /* subscribed */
    redisContext *reader;
    int all;    /* an eventfd, readable once every change has been seen */
    int enough; /* an eventfd, readable when the thread is to end */
    pthread_t thread;

    /* Of the thread, until it has ended. */
    double *seen_s;    /* by change */
    uint64_t seen;     /* of these */
    uint64_t *next;    /* by watched customer: its oldest change that has not been seen */
    bool *is_told;     /* by watched customer: its key has been set since it was read */
    uint32_t *to_read; /* watched customers whose keys are to be read */
    uint32_t to_read_count;
};

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size);
    if (memory == NULL) {
        fatal("out of memory");
    }
    return memory;
}

/* ---- whom to watch ---- */

void watched_init(struct watched *watched, PGconn *pg, uint32_t count)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "select pg_catalog.min(id_customer) from (select id_customer, pg_catalog.ntile(%" PRIu32
             ") over (order by id_customer) as tile"
             " from customer) as c group by tile order by 1",
             count);
    PGresult *result = PQexec(pg, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fatal("listing customers to watch: %s", PQerrorMessage(pg));
    }
    watched->count = (uint32_t)PQntuples(result);
    watched->ids = allocate(watched->count, sizeof *watched->ids);
    for (uint32_t i = 0; i < watched->count; i++) {
        watched->ids[i] = strtoll(PQgetvalue(result, (int)i, 0), NULL, 10);
    }
    PQclear(result);
}

void watched_fini(struct watched *watched)
{
    free(watched->ids);
    *watched = (struct watched){0};
}

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* UINT32_MAX: not a watched one. */
static uint32_t find_watched(const struct watched *watched, int64_t id)
{
    const int64_t *found = bsearch(&id, watched->ids, watched->count, sizeof *watched->ids, compare_ids);
    return found != NULL ? (uint32_t)(found - watched->ids) : UINT32_MAX;
}

/* ---- talking to Redis ---- */

static redisReply *reply_of(redisContext *redis, void *reply, const char *what)
{
    redisReply *answer = reply;
    if (answer == NULL) {
        fatal("%s: %s", what, redis->errstr);
    }
    if (answer->type == REDIS_REPLY_ERROR) {
        fatal("%s: %s", what, answer->str);
    }
    return answer;
}

void redis_notify_sets(redisContext *redis)
{
    redisReply *reply = reply_of(redis, redisCommand(redis, "CONFIG GET notify-keyspace-events"), "CONFIG GET");
    const char *before = reply->elements == 2 && reply->element[1]->str != NULL ? reply->element[1]->str : "";
    given_set_notify_back(before);
    redis_do(redis, "CONFIG SET notify-keyspace-events %sK$", before);
    freeReplyObject(reply);
}

/* The number of the database is part of the channels' names. */
static int database_of(redisContext *redis)
{
    redisReply *reply = reply_of(redis, redisCommand(redis, "CLIENT INFO"), "CLIENT INFO");
    const char *found = reply->str != NULL ? strstr(reply->str, " db=") : NULL;
    int database = found != NULL ? atoi(found + strlen(" db=")) : 0;
    freeReplyObject(reply);
    return database;
}

static void subscribe(struct tracker *tracker)
{
    const struct watched *watched = tracker->watched;
    int database = database_of(tracker->events);
    const char **arguments = allocate(watched->count + 1, sizeof *arguments);
    char(*channels)[CHANNEL_BYTES] = allocate(watched->count, sizeof *channels);

    arguments[0] = "SUBSCRIBE";
    for (uint32_t i = 0; i < watched->count; i++) {
        snprintf(channels[i], sizeof channels[i], "__keyspace@%d__:customer:%" PRId64, database, watched->ids[i]);
        arguments[i + 1] = channels[i];
    }
    redisAppendCommandArgv(tracker->events, (int)watched->count + 1, arguments, NULL);
    for (uint32_t i = 0; i < watched->count; i++) { /* each gets its own reply */
        void *reply = NULL;
        redisGetReply(tracker->events, &reply);
        freeReplyObject(reply_of(tracker->events, reply, "SUBSCRIBE"));
    }
    free(channels);
    free(arguments);
}

/* ---- the thread ---- */

/* Takes what has arrived. A key that was set several times is read once. */
static void take_events(struct tracker *tracker)
{
    void *reply = NULL;
    if (redisBufferRead(tracker->events) != REDIS_OK) {
        fatal("the subscription: %s", tracker->events->errstr);
    }
    while (redisGetReplyFromReader(tracker->events, &reply) == REDIS_OK && reply != NULL) {
        redisReply *event = reply;
        /* "message", channel, "set" */
        const char *id = event->elements == 3 ? strrchr(event->element[1]->str, ':') : NULL;
        uint32_t index = id != NULL ? find_watched(tracker->watched, strtoll(id + 1, NULL, 10)) : UINT32_MAX;
        if (index != UINT32_MAX && !tracker->is_told[index]) {
            tracker->is_told[index] = true;
            tracker->to_read[tracker->to_read_count++] = index;
        }
        freeReplyObject(event);
        reply = NULL;
    }
}

/* A document with change number k also has all earlier changes of its customer. */
static void note_document(struct tracker *tracker, uint32_t index, const char *document, double now_s)
{
    const char *name = document != NULL ? strstr(document, "\"bench ") : NULL;
    int64_t number = name != NULL ? strtoll(name + strlen("\"bench "), NULL, 10) : -1;
    if (number < tracker->first) {
        return;
    }
    uint64_t change = (uint64_t)(number - tracker->first);
    for (uint64_t k = tracker->next[index]; k <= change && k < tracker->changes; k += tracker->watched->count) {
        tracker->seen_s[k] = now_s;
        tracker->seen++;
        tracker->next[index] = k + tracker->watched->count;
    }
}

static void read_documents(struct tracker *tracker)
{
    for (uint32_t i = 0; i < tracker->to_read_count; i++) {
        uint32_t index = tracker->to_read[i];
        tracker->is_told[index] = false;
        redisAppendCommand(tracker->reader, "GET customer:%lld", (long long)tracker->watched->ids[index]);
    }
    for (uint32_t i = 0; i < tracker->to_read_count; i++) {
        void *reply = NULL;
        redisGetReply(tracker->reader, &reply);
        redisReply *document = reply_of(tracker->reader, reply, "GET");
        note_document(tracker, tracker->to_read[i], document->str, clock_s());
        freeReplyObject(document);
    }
    tracker->to_read_count = 0;
}

static void ring(int event)
{
    if (eventfd_write(event, 1) != 0) {
        fatal("eventfd: %s", strerror(errno));
    }
}

static void *run(void *context)
{
    struct tracker *tracker = context;
    struct pollfd fds[] = {{.fd = tracker->events->fd, .events = POLLIN}, {.fd = tracker->enough, .events = POLLIN}};
    while (tracker->seen < tracker->changes) {
        if (poll(fds, 2, -1) == -1 && errno != EINTR) {
            fatal("poll: %s", strerror(errno));
        }
        if ((fds[0].revents & (POLLIN | POLLERR | POLLHUP)) != 0) {
            take_events(tracker);
            read_documents(tracker);
        } else if ((fds[1].revents & POLLIN) != 0) {
            break;
        }
    }
    ring(tracker->all);
    return NULL;
}

/* ---- the public part ---- */

struct tracker *tracker_start(const struct servers *servers, const struct watched *watched, int64_t first,
                              uint64_t changes)
{
    struct tracker *tracker = allocate(1, sizeof *tracker);
    tracker->watched = watched;
    tracker->first = first;
    tracker->changes = changes;
    tracker->events = servers_redis(servers);
    tracker->reader = servers_redis(servers);
    tracker->seen_s = allocate(changes, sizeof *tracker->seen_s);
    tracker->next = allocate(watched->count, sizeof *tracker->next);
    tracker->is_told = allocate(watched->count, sizeof *tracker->is_told);
    tracker->to_read = allocate(watched->count, sizeof *tracker->to_read);
    for (uint64_t k = 0; k < changes; k++) {
        tracker->seen_s[k] = NAN;
    }
    for (uint32_t i = 0; i < watched->count; i++) {
        tracker->next[i] = i;
    }
    tracker->all = eventfd(0, EFD_CLOEXEC);
    tracker->enough = eventfd(0, EFD_CLOEXEC);
    subscribe(tracker);
    int error =
        tracker->all == -1 || tracker->enough == -1 ? errno : pthread_create(&tracker->thread, NULL, run, tracker);
    if (error != 0) {
        fatal("cannot start the tracker: %s", strerror(error));
    }
    return tracker;
}

double *tracker_finish(struct tracker *tracker, double patience_s)
{
    struct pollfd all = {.fd = tracker->all, .events = POLLIN};
    poll(&all, 1, (int)(patience_s * 1e3));
    ring(tracker->enough);
    pthread_join(tracker->thread, NULL);
    double *seen_s = tracker->seen_s;
    close(tracker->all);
    close(tracker->enough);
    redisFree(tracker->events);
    redisFree(tracker->reader);
    free(tracker->next);
    free(tracker->is_told);
    free(tracker->to_read);
    free(tracker);
    return seen_s;
}

struct floor {
    const struct watched *watched;
    int64_t first;
    double set_s[FLOOR_CHANGES];
};

static void set_by_hand(void *context, void *connection, uint64_t number)
{
    struct floor *floor = context;
    char document[64];
    snprintf(document, sizeof document, "{\"name\":\"bench %lld\"}", (long long)floor->first + (long long)number);
    redis_do(connection, "SET customer:%lld %s", (long long)floor->watched->ids[number % floor->watched->count],
             document);
    floor->set_s[number] = clock_s();
}

void tracker_floor(const struct servers *servers, const struct watched *watched, int64_t *number,
                   struct samples *milliseconds)
{
    struct floor floor = {.watched = watched, .first = *number};
    struct paced paced = {
        .rate = FLOOR_RATE, .calls = FLOOR_CHANGES, .threads = 1, .call = set_by_hand, .context = &floor};
    redisContext *redis = servers_redis(servers);
    struct tracker *tracker = tracker_start(servers, watched, *number, FLOOR_CHANGES);

    paced.of[0].connection = redis;
    paced.start_s = clock_s();
    paced_start(&paced);
    paced_join(&paced);
    double *seen_s = tracker_finish(tracker, 5);
    for (int i = 0; i < FLOOR_CHANGES; i++) {
        if (isnan(seen_s[i])) {
            fatal("Redis does not tell of keys that are set: is its version 6.2 or newer?");
        }
        samples_add(milliseconds, 1e3 * fmax(0, seen_s[i] - floor.set_s[i]));
    }
    *number += FLOOR_CHANGES;
    free(seen_s);
    redisFree(redis);
}
