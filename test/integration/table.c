#include "table.h"

#include "servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_BUCKETS = TABLE_BUCKETS / 4 };

/* What a session has been given and has not done yet. */
struct pending {
    struct table_entry *entry; /* without bytes: a deletion */
    struct pending *next;
};

struct session {
    struct table *table;
    struct pending *first;
    struct pending **last;
    char token[TABLE_TEXT];
    struct table_entry *read; /* what get() has returned */
};

/* ---- the table; the mutex is held ---- */

static size_t bucket_of(const char *key)
{
    size_t hash = 5381;
    for (; *key != '\0'; key++) {
        hash = hash * 33 + (unsigned char)*key;
    }
    return hash % TABLE_BUCKETS;
}

static struct table_entry **find(struct table *table, const char *key)
{
    struct table_entry **place = &table->buckets[bucket_of(key)];
    while (*place != NULL && strcmp((*place)->key, key) != 0) {
        place = &(*place)->next;
    }
    return place;
}

static struct table_entry *make_entry(const char *key, const char *bytes, size_t length, int64_t ttl_s)
{
    struct table_entry *entry = calloc(1, sizeof *entry);
    entry->key = strdup(key);
    entry->length = length;
    entry->ttl_s = ttl_s;
    if (bytes != NULL) {
        entry->bytes = calloc(1, length + 1);
        memcpy(entry->bytes, bytes, length);
    }
    return entry;
}

static void free_entry(struct table_entry *entry)
{
    if (entry != NULL) {
        free(entry->key);
        free(entry->bytes);
        free(entry);
    }
}

static void take_out(struct table *table, const char *key)
{
    struct table_entry **place = find(table, key);
    struct table_entry *old = *place;
    if (old != NULL) {
        *place = old->next;
        free_entry(old);
    }
}

/* Takes the entry over. */
static void apply(struct table *table, struct table_entry *entry)
{
    take_out(table, entry->key);
    if (entry->bytes == NULL) {
        free_entry(entry);
        return;
    }
    *find(table, entry->key) = entry;
}

/* ---- the store ---- */

static cp_store_answer answer(cp_error *err, cp_store_answer given, const char *why)
{
    snprintf(err->message, sizeof err->message, "%s", why);
    return given;
}

static cp_store_answer table_open(void *context, void **made, cp_error *err)
{
    struct table *table = context;
    pthread_mutex_lock(&table->mutex);
    cp_store_answer given = table->opens;
    table->opened += given == CP_STORE_DONE;
    pthread_mutex_unlock(&table->mutex);
    if (given != CP_STORE_DONE) {
        return answer(err, given, "the table is locked");
    }
    struct session *session = calloc(1, sizeof *session);
    session->table = table;
    session->last = &session->first;
    *made = session;
    return CP_STORE_DONE;
}

static void forget_pending(struct session *session)
{
    while (session->first != NULL) {
        struct pending *next = session->first->next;
        free_entry(session->first->entry);
        free(session->first);
        session->first = next;
    }
    session->last = &session->first;
}

static void table_close(void *made)
{
    struct session *session = made;
    forget_pending(session);
    free_entry(session->read);
    pthread_mutex_lock(&session->table->mutex);
    session->table->closed++;
    pthread_mutex_unlock(&session->table->mutex);
    free(session);
}

/* What becomes of a write; the mutex is held. */
static cp_store_answer judge(struct session *session, const char *key, bool is_set, cp_error *err)
{
    struct table *table = session->table;
    while (is_set && table->held) {
        table->holding++;
        pthread_cond_wait(&table->released, &table->mutex);
        table->holding--;
    }
    if (strcmp(session->token, table->token) != 0) {
        return answer(err, CP_STORE_LOST, "another one writes");
    }
    if (table->waits > 0) {
        table->waits--;
        return answer(err, CP_STORE_WAIT, "the table is busy");
    }
    if (is_set && !table->refused_late && strcmp(key, table->refused) == 0) {
        return answer(err, CP_STORE_REFUSED, "no room for this one");
    }
    bool is_wild = is_set && table->is_wild;
    table->is_wild = table->is_wild && !is_wild;
    return is_wild ? (cp_store_answer)77 : CP_STORE_DONE;
}

static cp_store_answer give(struct session *session, const char *key, const char *bytes, size_t length, int64_t ttl_s,
                            cp_error *err)
{
    pthread_mutex_lock(&session->table->mutex);
    cp_store_answer given = judge(session, key, bytes != NULL, err);
    pthread_mutex_unlock(&session->table->mutex);
    if (given == CP_STORE_DONE) {
        struct pending *pending = calloc(1, sizeof *pending);
        pending->entry = make_entry(key, bytes, length, ttl_s);
        *session->last = pending;
        session->last = &pending->next;
    }
    return given;
}

static cp_store_answer table_set(void *session, const char *key, const char *bytes, size_t length, int64_t ttl_s,
                                 cp_error *err)
{
    return give(session, key, bytes, length, ttl_s, err);
}

static cp_store_answer table_del(void *session, const char *key, cp_error *err)
{
    return give(session, key, NULL, 0, 0, err);
}

/* Those answered DONE, in order. The mutex is held. */
static void apply_pending(struct session *session, cp_store_answer *each, size_t count, size_t most, cp_error *err)
{
    struct table *table = session->table;
    for (size_t i = 0; i < count && most > 0; i++) {
        if (each[i] != CP_STORE_DONE) {
            continue;
        }
        struct pending *pending = session->first;
        session->first = pending->next;
        if (table->refused_late && pending->entry->bytes != NULL && strcmp(pending->entry->key, table->refused) == 0) {
            each[i] = answer(err, CP_STORE_REFUSED, "no room for this one");
            free_entry(pending->entry);
        } else {
            apply(table, pending->entry);
        }
        free(pending);
        most--;
    }
}

static cp_store_answer table_flush(void *made, cp_store_answer *each, size_t count, cp_error *err)
{
    struct session *session = made;
    struct table *table = session->table;
    pthread_mutex_lock(&table->mutex);
    bool is_stolen = strcmp(session->token, table->token) != 0;
    bool is_lost = table->loses > 0;
    table->loses -= is_lost;
    size_t most = is_stolen ? 0 : !is_lost ? count : table->loses_half ? count / 2 : 0;
    apply_pending(session, each, count, most, err);
    pthread_mutex_unlock(&table->mutex);
    forget_pending(session);
    return is_stolen || is_lost ? answer(err, CP_STORE_LOST, "the table was out of reach") : CP_STORE_DONE;
}

static cp_store_answer table_get(void *made, const char *key, const char **bytes, size_t *length, cp_error *err)
{
    struct session *session = made;
    (void)err;
    free_entry(session->read);
    session->read = NULL;
    pthread_mutex_lock(&session->table->mutex);
    const struct table_entry *found = *find(session->table, key);
    session->read = found != NULL ? make_entry(key, found->bytes, found->length, 0) : NULL;
    pthread_mutex_unlock(&session->table->mutex);
    *bytes = session->read != NULL ? session->read->bytes : NULL;
    *length = session->read != NULL ? session->read->length : 0;
    return CP_STORE_DONE;
}

/* Some buckets at a time. */
static cp_store_answer table_keys(void *made, const char *prefix, uint64_t *cursor, cp_store_found found, void *to,
                                  cp_error *err)
{
    struct table *table = ((struct session *)made)->table;
    (void)err;
    pthread_mutex_lock(&table->mutex);
    for (size_t i = 0; i < PAGE_BUCKETS; i++) {
        for (const struct table_entry *entry = table->buckets[*cursor + i]; entry != NULL; entry = entry->next) {
            if (strncmp(entry->key, prefix, strlen(prefix)) == 0) {
                found(to, entry->key);
            }
        }
    }
    pthread_mutex_unlock(&table->mutex);
    *cursor = (*cursor + PAGE_BUCKETS) % TABLE_BUCKETS;
    return CP_STORE_DONE;
}

static cp_store_answer table_advance_marker(void *made, const char *name, int64_t *number, cp_error *err)
{
    struct table *table = ((struct session *)made)->table;
    (void)err;
    pthread_mutex_lock(&table->mutex);
    bool is_there = strcmp(name, table->marker_name) == 0;
    table->marker += is_there;
    *number = is_there ? table->marker : 0;
    pthread_mutex_unlock(&table->mutex);
    return CP_STORE_DONE;
}

static cp_store_answer table_write_marker(void *made, const char *name, int64_t number, cp_error *err)
{
    struct table *table = ((struct session *)made)->table;
    (void)err;
    pthread_mutex_lock(&table->mutex);
    snprintf(table->marker_name, sizeof table->marker_name, "%s", name);
    table->marker = number;
    pthread_mutex_unlock(&table->mutex);
    return CP_STORE_DONE;
}

static cp_store_answer table_fence(void *made, const char *name, const char *token, cp_error *err)
{
    struct session *session = made;
    (void)name; /* of one only */
    (void)err;
    snprintf(session->token, sizeof session->token, "%s", token);
    pthread_mutex_lock(&session->table->mutex);
    snprintf(session->table->token, sizeof session->table->token, "%s", token);
    session->table->fenced++;
    pthread_mutex_unlock(&session->table->mutex);
    return CP_STORE_DONE;
}

void table_init(struct table *table)
{
    *table = (struct table){.store = {.size = sizeof table->store,
                                      .name = "the test's table",
                                      .context = table,
                                      .open = table_open,
                                      .close = table_close,
                                      .set = table_set,
                                      .del = table_del,
                                      .flush = table_flush,
                                      .get = table_get,
                                      .keys = table_keys,
                                      .advance_marker = table_advance_marker,
                                      .write_marker = table_write_marker,
                                      .fence = table_fence}};
    pthread_mutex_init(&table->mutex, NULL);
    pthread_cond_init(&table->released, NULL);
}

/* ---- the test ---- */

void table_refuse(struct table *table, const char *key, bool late)
{
    pthread_mutex_lock(&table->mutex);
    snprintf(table->refused, sizeof table->refused, "%s", key);
    table->refused_late = late;
    pthread_mutex_unlock(&table->mutex);
}

void table_put_off(struct table *table, unsigned calls)
{
    pthread_mutex_lock(&table->mutex);
    table->waits = calls;
    pthread_mutex_unlock(&table->mutex);
}

void table_lose(struct table *table, unsigned flushes, bool half)
{
    pthread_mutex_lock(&table->mutex);
    table->loses = flushes;
    table->loses_half = half;
    pthread_mutex_unlock(&table->mutex);
}

void table_go_wild(struct table *table)
{
    pthread_mutex_lock(&table->mutex);
    table->is_wild = true;
    pthread_mutex_unlock(&table->mutex);
}

void table_hold(struct table *table)
{
    pthread_mutex_lock(&table->mutex);
    table->held = true;
    pthread_mutex_unlock(&table->mutex);
}

unsigned table_look(struct table *table, const unsigned *counter)
{
    pthread_mutex_lock(&table->mutex);
    unsigned value = *counter;
    pthread_mutex_unlock(&table->mutex);
    return value;
}

static void clear(struct table *table)
{
    for (size_t i = 0; i < TABLE_BUCKETS; i++) {
        while (table->buckets[i] != NULL) {
            take_out(table, table->buckets[i]->key);
        }
    }
    table->marker_name[0] = '\0';
}

void table_fini(struct table *table)
{
    clear(table);
    pthread_cond_destroy(&table->released);
    pthread_mutex_destroy(&table->mutex);
}

void table_empty(struct table *table)
{
    pthread_mutex_lock(&table->mutex);
    clear(table);
    pthread_mutex_unlock(&table->mutex);
}

void table_put(struct table *table, const char *key, const char *bytes)
{
    pthread_mutex_lock(&table->mutex);
    apply(table, make_entry(key, bytes, bytes != NULL ? strlen(bytes) : 0, 0));
    pthread_mutex_unlock(&table->mutex);
}

void table_steal(struct table *table)
{
    pthread_mutex_lock(&table->mutex);
    snprintf(table->token, sizeof table->token, "stolen");
    pthread_mutex_unlock(&table->mutex);
}

void table_release(struct table *table)
{
    pthread_mutex_lock(&table->mutex);
    table->held = false;
    pthread_cond_broadcast(&table->released);
    pthread_mutex_unlock(&table->mutex);
}

bool table_read(struct table *table, const char *key, char *bytes, size_t size)
{
    pthread_mutex_lock(&table->mutex);
    const struct table_entry *entry = *find(table, key);
    snprintf(bytes, size, "%.*s", entry != NULL ? (int)entry->length : 0, entry != NULL ? entry->bytes : "");
    pthread_mutex_unlock(&table->mutex);
    return entry != NULL;
}

static size_t count_under(const struct table *table, const char *prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < TABLE_BUCKETS; i++) {
        for (const struct table_entry *entry = table->buckets[i]; entry != NULL; entry = entry->next) {
            count += strncmp(entry->key, prefix, strlen(prefix)) == 0;
        }
    }
    return count;
}

size_t table_count(struct table *table, const char *prefix)
{
    pthread_mutex_lock(&table->mutex);
    size_t count = count_under(table, prefix);
    pthread_mutex_unlock(&table->mutex);
    return count;
}

int64_t table_ttl(struct table *table, const char *key)
{
    pthread_mutex_lock(&table->mutex);
    const struct table_entry *entry = *find(table, key);
    int64_t ttl_s = entry != NULL ? entry->ttl_s : -1;
    pthread_mutex_unlock(&table->mutex);
    return ttl_s;
}

bool table_is_equal(struct fixture *f, struct table *table, const char *before, const char *after, size_t others)
{
    PGresult *result = PQexec(f->pg, "select id_customer, customer_get(id_customer) from customer");
    REQUIRE(PQresultStatus(result) == PGRES_TUPLES_OK);
    size_t rows = (size_t)PQntuples(result);
    size_t same = 0;
    pthread_mutex_lock(&table->mutex);
    for (size_t i = 0; i < rows; i++) {
        char key[TABLE_TEXT];
        char *expected = NULL;
        snprintf(key, sizeof key, "%s:%s", f->prefix, PQgetvalue(result, (int)i, 0));
        int length = asprintf(&expected, "%s%s%s", before, PQgetvalue(result, (int)i, 1), after);
        const struct table_entry *entry = *find(table, key);
        same += entry != NULL && entry->length == (size_t)length && memcmp(entry->bytes, expected, entry->length) == 0;
        free(expected);
    }
    bool is_equal = same == rows && count_under(table, f->prefix) == rows + others;
    pthread_mutex_unlock(&table->mutex);
    PQclear(result);
    return is_equal;
}
