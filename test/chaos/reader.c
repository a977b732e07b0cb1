#include "reader.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 40, REST_MS = 3, ANSWER_MS = 1000, HOT = 40 };

struct reader {
    struct cache *cache;
    struct history *history;
    int view;
    pthread_t thread;
    uint64_t random;
    atomic_bool stopping;
    atomic_uint_fast64_t samples;
};

/* The last thing in a document; an address may hold text that looks the same, but not at the end. */
static bool read_version(const char *document, size_t length, uint64_t *version)
{
    static const char mark[] = "\"version\":";
    const char *at = memrchr(document, ',', length);
    if (at == NULL || strncmp(at + 1, mark, sizeof mark - 1) != 0) {
        return false;
    }
    char *end;
    *version = strtoull(at + sizeof mark, &end, 10);
    return strcmp(end, "}") == 0;
}

static void judge(struct reader *reader, int id, const redisReply *document, unsigned epoch)
{
    uint64_t version;
    if (document->type == REDIS_REPLY_NIL) {
        history_saw_none(reader->history, reader->view, id, epoch);
    } else if (document->type == REDIS_REPLY_STRING && read_version(document->str, document->len, &version)) {
        history_saw(reader->history, reader->view, id, version, epoch);
    } else if (document->type == REDIS_REPLY_STRING) {
        blame("customer %d: not a whole document: %.100s", id, document->str);
    }
    atomic_fetch_add(&reader->samples, 1);
}

/* Half of them from those that change most. False: the connection is of no use any more. */
static bool sample(struct reader *reader, redisContext *redis, unsigned epoch)
{
    char command[16 * (AT_ONCE + 1)] = "MGET";
    int ids[AT_ONCE];
    size_t length = strlen(command);
    for (int i = 0; i < AT_ONCE; i++) {
        ids[i] = 1 + (int)roll(&reader->random, i % 2 == 0 ? HOT : CUSTOMERS);
        length += (size_t)snprintf(command + length, sizeof command - length, " customer:%d", ids[i]);
    }
    redisReply *reply = redisCommand(redis, command);
    if (reply == NULL) {
        return false;
    }
    if (reply->type == REDIS_REPLY_ARRAY) { /* else LOADING, BUSY and the like */
        for (size_t i = 0; i < reply->elements; i++) {
            judge(reader, ids[i], reply->element[i], epoch);
        }
    }
    freeReplyObject(reply);
    return true;
}

static void *work(void *context)
{
    struct reader *reader = context;
    redisContext *redis = NULL;
    const struct node *node = NULL;
    while (!atomic_load(&reader->stopping)) {
        unsigned epoch = history_epoch(reader->history, reader->view);
        if (redis != NULL && node != cache_primary(reader->cache)) {
            redisFree(redis);
            redis = NULL;
        }
        if (redis == NULL) {
            node = cache_primary(reader->cache);
            redis = cache_connect(node, ANSWER_MS);
        }
        if (redis != NULL && !sample(reader, redis, epoch)) {
            redisFree(redis);
            redis = NULL;
        }
        poll(NULL, 0, REST_MS); /* the load, not a wait for anything */
    }
    if (redis != NULL) {
        redisFree(redis);
    }
    return NULL;
}

struct reader *reader_start(struct cache *cache, struct history *history, int view, uint64_t seed)
{
    struct reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        die("out of memory");
    }
    reader->cache = cache;
    reader->history = history;
    reader->view = view;
    reader->random = seed;
    if (pthread_create(&reader->thread, NULL, work, reader) != 0) {
        die("cannot start the reader");
    }
    return reader;
}

uint64_t reader_samples(struct reader *reader)
{
    return atomic_load(&reader->samples);
}

void reader_stop(struct reader *reader)
{
    atomic_store(&reader->stopping, true);
    pthread_join(reader->thread, NULL);
    free(reader);
}
