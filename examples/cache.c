/*
 * A cache in the process that stays equal to Postgres, kept by the settled callback alone.
 *
 *     cache POSTGRES
 *
 * A follower: it has no Redis, and any number may run beside the daemon that has. Follows the customers of
 * db/schema.sql, and answers on standard output what is asked on standard input, a line each: an id with its document
 * or "none", as the cache has it. Its documents are text without a NUL, as JSON is.
 *
 *     cc cache.c $(pkg-config --cflags --libs cachepusher)
 */
#define _POSIX_C_SOURCE 200809L
#include <cachepusher.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Without memory the cache would be wrong, and so the program ends. */
static void *sure(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* ---- the cache: a hash table under a mutex ---- */

enum { BUCKETS = 65536 };

struct cached {
    struct cached *next;
    char *document; /* NULL: there is none, any more */
    char id[];
};

static struct cached *buckets[BUCKETS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Where an id is, or would be. Numbers need no hashing. */
static struct cached **find(const char *id)
{
    struct cached **place = &buckets[strtoul(id, NULL, 10) % BUCKETS];
    while (*place != NULL && strcmp((*place)->id, id) != 0) {
        place = &(*place)->next;
    }
    return place;
}

/* Called by the syncer's threads. An id's calls come in order, from one of them: the last is right. */
static void keep(void *context, const cp_document *document)
{
    (void)context;
    char *copy = document->exists ? sure(strndup(document->document, document->bytes)) : NULL;
    pthread_mutex_lock(&mutex);
    struct cached **place = find(document->id);
    if (*place == NULL) {
        *place = sure(calloc(1, sizeof **place + strlen(document->id) + 1));
        strcpy((*place)->id, document->id);
    }
    free((*place)->document);
    (*place)->document = copy;
    pthread_mutex_unlock(&mutex);
}

/* A copy for the caller to free; NULL: there is no such document. */
static char *get(const char *id)
{
    pthread_mutex_lock(&mutex);
    const struct cached *found = *find(id);
    char *copy = found != NULL && found->document != NULL ? sure(strdup(found->document)) : NULL;
    pthread_mutex_unlock(&mutex);
    return copy;
}

/* ---- the rest of a program ---- */

static void log_line(void *context, cp_level level, const char *message)
{
    (void)context;
    if (level <= CP_LOG_WARN) {
        fprintf(stderr, "%s\n", message);
    }
}

static void answer_questions(void)
{
    char id[1024];
    while (fgets(id, sizeof id, stdin) != NULL) {
        id[strcspn(id, "\n")] = '\0';
        char *document = get(id);
        printf("%s %s\n", id, document != NULL ? document : "none");
        fflush(stdout);
        free(document);
    }
}

int main(int argc, char **argv)
{
    cp_error err;
    cp_config *config = argc == 2 ? cp_config_create(&err) : NULL;
    if (config == NULL || cp_config_set(config, "postgres", argv[1], &err) != CP_OK ||
        cp_config_set(config, "role", "follow", &err) != CP_OK) {
        fprintf(stderr, "%s\n", argc == 2 ? err.message : "usage: cache POSTGRES");
        return 2;
    }
    const cp_callbacks callbacks = {.size = sizeof callbacks, .log = log_line, .settled = keep};
    cp_syncer *syncer = cp_syncer_create(config, &callbacks, &err); /* owns config from here on */
    int code = 1;
    if (syncer == NULL || cp_syncer_start(syncer, &err) != CP_OK ||
        cp_syncer_wait_ready(syncer, 60000, &err) != CP_OK) {
        fprintf(stderr, "%s\n", err.message);
    } else {
        puts("ready");
        fflush(stdout);
        answer_questions();
        code = cp_syncer_stop(syncer, 5000, NULL) == CP_OK ? 0 : 1;
    }
    cp_syncer_destroy(syncer);
    return code;
}
