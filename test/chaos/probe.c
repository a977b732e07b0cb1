#include "probe.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PENDING = 64,
    ROWS = 8, /* of a probe: each of the daemon's workers should get one */
    FIRST_ID = 1000000,
    LOOK_MS = 3,
    ANSWER_MS = 500
};

struct probe {
    const char *fault; /* NULL: a mark, nobody waits for it */
    int64_t from_ms;
    bool is_clean;
    bool is_written;
    int id;   /* of the first row */
    int mark; /* the same of the last mark before */
};

struct probes {
    const struct world *world;
    pthread_t thread;
    pthread_mutex_t mutex; /* for what follows */
    bool stopping;
    struct probe pending[PENDING];
    int count;
    int next_id;
    int mark;

    /* Of the thread. */
    PGconn *postgres;
    struct connection {
        redisContext *redis;
        const struct node *node;
    } to[VIEWS];
};

/* Again when it is not known whether it succeeded. */
static bool write_rows(struct probes *probes, int id)
{
    if (probes->postgres == NULL && (probes->postgres = cluster_connect(&probes->world->cluster)) == NULL) {
        return false;
    }
    char statement[192];
    FORMAT(statement,
           "insert into customer (id_customer, name) select id, 'probe' from generate_series(%d, %d) as id"
           " on conflict do nothing",
           id, id + ROWS - 1);
    PGresult *result = PQexec(probes->postgres, statement);
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (!done) {
        PQfinish(probes->postgres);
        probes->postgres = NULL;
    }
    return done;
}

static void disconnect(struct connection *connection)
{
    if (connection->redis != NULL) {
        redisFree(connection->redis);
        connection->redis = NULL;
    }
}

static bool have_arrived_in(struct connection *connection, struct cache *cache, const struct probe *probe)
{
    if (connection->node != cache_primary(cache)) {
        disconnect(connection);
    }
    if (connection->redis == NULL) {
        connection->node = cache_primary(cache);
        connection->redis = cache_connect(connection->node, ANSWER_MS);
    }
    char command[24 * (3 * ROWS + 1)] = "EXISTS";
    const int firsts[] = {FIRST_ID, probe->mark, probe->id};
    for (int i = 0; i < 3 * ROWS; i++) {
        size_t length = strlen(command);
        snprintf(command + length, sizeof command - length, " customer:%d", firsts[i / ROWS] + i % ROWS);
    }
    redisReply *reply = connection->redis != NULL ? redisCommand(connection->redis, command) : NULL;
    if (reply == NULL) {
        disconnect(connection);
        return false;
    }
    bool arrived = reply->type == REDIS_REPLY_INTEGER && reply->integer == 3 * ROWS;
    freeReplyObject(reply);
    return arrived;
}

static bool have_arrived(struct probes *probes, const struct probe *probe)
{
    bool arrived = true;
    for (int i = 0; i < probes->world->view_count; i++) {
        arrived = arrived && have_arrived_in(&probes->to[i], probes->world->views[i].cache, probe);
    }
    return arrived;
}

static void look_after(struct probes *probes, int index)
{
    pthread_mutex_lock(&probes->mutex);
    struct probe probe = probes->pending[index];
    pthread_mutex_unlock(&probes->mutex);
    bool is_written = probe.is_written || write_rows(probes, probe.id);
    bool arrived = is_written && have_arrived(probes, &probe);

    pthread_mutex_lock(&probes->mutex); /* only this thread removes any */
    probes->pending[index].is_written = is_written;
    if (arrived) {
        probe = probes->pending[index];
        probes->pending[index] = probes->pending[--probes->count];
    }
    pthread_mutex_unlock(&probes->mutex);
    if (arrived && probe.fault != NULL) {
        say("healed %s after %.3f s%s", probe.fault, (double)(now_ms() - probe.from_ms) / 1000.0,
            probe.is_clean ? "" : " (among others)");
    }
}

static void *work(void *context)
{
    struct probes *probes = context;
    for (bool stopping = false; !stopping;) {
        pthread_mutex_lock(&probes->mutex);
        int count = probes->count;
        stopping = probes->stopping;
        pthread_mutex_unlock(&probes->mutex);
        for (int i = count - 1; i >= 0 && !stopping; i--) {
            look_after(probes, i);
        }
        poll(NULL, 0, LOOK_MS);
    }
    PQfinish(probes->postgres);
    for (int i = 0; i < VIEWS; i++) {
        disconnect(&probes->to[i]);
    }
    return NULL;
}

struct probes *probes_start(const struct world *world)
{
    struct probes *probes = calloc(1, sizeof *probes);
    if (probes == NULL) {
        die("out of memory");
    }
    probes->world = world;
    probes->next_id = probes->mark = FIRST_ID;
    pthread_mutex_init(&probes->mutex, NULL);
    if (pthread_create(&probes->thread, NULL, work, probes) != 0) {
        die("cannot start the probes");
    }
    probes_mark(probes);
    return probes;
}

static void add(struct probes *probes, struct probe probe)
{
    pthread_mutex_lock(&probes->mutex);
    if (probes->count < PENDING) {
        probe.id = probes->next_id;
        probe.mark = probes->mark;
        probes->pending[probes->count++] = probe;
        probes->mark = probe.fault == NULL ? probe.id : probes->mark;
        probes->next_id += ROWS;
    }
    pthread_mutex_unlock(&probes->mutex);
}

void probes_mark(struct probes *probes)
{
    add(probes, (struct probe){.fault = NULL});
}

void probes_ask(struct probes *probes, const char *fault, int64_t from_ms, bool is_clean)
{
    add(probes, (struct probe){.fault = fault, .from_ms = from_ms, .is_clean = is_clean});
}

void probes_disturb(struct probes *probes)
{
    pthread_mutex_lock(&probes->mutex);
    for (int i = 0; i < probes->count; i++) {
        probes->pending[i].is_clean = false;
    }
    pthread_mutex_unlock(&probes->mutex);
}

int probes_pending(struct probes *probes)
{
    pthread_mutex_lock(&probes->mutex);
    int count = 0;
    for (int i = 0; i < probes->count; i++) {
        count += probes->pending[i].fault != NULL;
    }
    pthread_mutex_unlock(&probes->mutex);
    return count;
}

void probes_stop(struct probes *probes)
{
    pthread_mutex_lock(&probes->mutex);
    probes->stopping = true;
    pthread_mutex_unlock(&probes->mutex);
    pthread_join(probes->thread, NULL);
    pthread_mutex_destroy(&probes->mutex);
    free(probes);
}
