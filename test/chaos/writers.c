#include "writers.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HOT = 40, /* customers that half of the writing is about, so that their changes come thick and fast */
    FEW = 4,
    MANY = 200,
    TEXT_BYTES = 65536,
    REST_MS = 12, /* between transactions, at most */
    RECONNECT_MS = 20
};

struct writer {
    struct writers *writers;
    pthread_t thread;
    uint64_t random;
    PGconn *connection;
    int ids[CUSTOMERS];
    int id_count;
    char text[TEXT_BYTES];
};

struct writers {
    const struct cluster *cluster;
    struct history *history;
    atomic_bool stopping;
    atomic_uint_fast64_t commits;
    int count;
    struct writer *all;
};

/* ---- what to write ---- */

static void choose_ids(struct writer *writer, int count)
{
    writer->id_count = 0;
    for (int id = 1; count == CUSTOMERS && id <= CUSTOMERS; id++) {
        writer->ids[writer->id_count++] = id;
    }
    while (writer->id_count < count) {
        uint32_t range = roll(&writer->random, 2) == 0 && count <= FEW ? HOT : CUSTOMERS;
        int id = 1 + (int)roll(&writer->random, range);
        bool known = false;
        for (int i = 0; i < writer->id_count; i++) {
            known = known || writer->ids[i] == id;
        }
        if (!known) {
            writer->ids[writer->id_count++] = id;
        }
    }
}

static int choose_count(struct writer *writer)
{
    uint32_t n = roll(&writer->random, 100);
    if (n == 1 && roll(&writer->random, 4) == 0) {
        return CUSTOMERS;
    }
    return n == 0 ? MANY : n < 8 ? 20 : 1 + (int)(n % FEW);
}

/* Mostly short, sometimes longer than any buffer on the way. */
static const char *choose_text(struct writer *writer)
{
    uint32_t n = roll(&writer->random, 100);
    uint32_t length = 1 + roll(&writer->random, n == 0 ? TEXT_BYTES - 1 : n < 10 ? 4000 : 100);
    for (uint32_t i = 0; i < length && i < TEXT_BYTES - 1; i++) {
        writer->text[i] = (char)('a' + roll(&writer->random, 26));
    }
    writer->text[length < TEXT_BYTES ? length : TEXT_BYTES - 1] = '\0';
    return writer->text;
}

static const char *choose_operation(struct writer *writer)
{
    static const char *const operations[] = {"insert", "insert", "insert", "rename", "rename", "rename",
                                             "rename", "edit",   "edit",   "add",    "add",    "drop",
                                             "move",   "move",   "delete", "replace"};
    if (writer->id_count == CUSTOMERS) {
        return "truncate"; /* whose customers nobody names: it announces everything */
    }
    return operations[roll(&writer->random, sizeof operations / sizeof *operations)];
}

static void format_ids(const struct writer *writer, char *array, size_t size)
{
    size_t length = (size_t)snprintf(array, size, "{");
    for (int i = 0; i < writer->id_count; i++) {
        length += (size_t)snprintf(array + length, size - length, "%s%d", i > 0 ? "," : "", writer->ids[i]);
    }
    snprintf(array + length, size - length, "}");
}

/* ---- writing ---- */

/* NULL: it failed, as anything may while servers die and writers meet; unless the statement itself is wrong. */
static PGresult *run(struct writer *writer, const char *statement, int count, const char *const *values)
{
    static const char *const excused[] = {"08", "25P02", "40", "53", "55", "57", NULL};
    PGresult *result = PQexecParams(writer->connection, statement, count, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        return result;
    }
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool is_excused = sqlstate == NULL || PQstatus(writer->connection) != CONNECTION_OK;
    for (int i = 0; excused[i] != NULL && !is_excused; i++) {
        is_excused = strncmp(sqlstate, excused[i], strlen(excused[i])) == 0;
    }
    if (!is_excused) {
        die("%.100s: %s", statement, PQerrorMessage(writer->connection));
    }
    PQclear(result);
    return NULL;
}

static bool execute(struct writer *writer, const char *statement, int count, const char *const *values)
{
    PGresult *result = run(writer, statement, count, values);
    PQclear(result);
    return result != NULL;
}

/* What is about to be committed. One entry for each customer, in the version that the transaction has drawn last. */
struct intent {
    int ids[CUSTOMERS];
    bool stays[CUSTOMERS];
    int count;
    uint64_t version;
};

static void remember(struct intent *intent, const PGresult *changed)
{
    for (int row = 0; row < PQntuples(changed); row++) {
        int id = atoi(PQgetvalue(changed, row, 0));
        int i = 0;
        while (i < intent->count && intent->ids[i] != id) {
            i++;
        }
        intent->ids[i] = id;
        intent->stays[i] = PQgetvalue(changed, row, 1)[0] == 't';
        intent->count += i == intent->count;
    }
}

/* Locks the customers, and changes them up to three times; all changes of a transaction share one version. */
static bool prepare(struct writer *writer, struct intent *intent)
{
    char array[CUSTOMERS * 8];
    char version[24];
    format_ids(writer, array, sizeof array);
    if (!execute(writer, "begin", 0, NULL) ||
        !execute(writer, "select from chaos_version where id = any ($1::int[]) order by id for update", 1,
                 (const char *const[]){array})) {
        return false;
    }
    intent->version = history_draw(writer->writers->history);
    FORMAT(version, "%llu", (unsigned long long)intent->version);
    for (uint32_t n = 1 + (roll(&writer->random, 4) == 0 ? roll(&writer->random, 3) : 0); n > 0; n--) {
        const char *const values[] = {version, choose_operation(writer), array, choose_text(writer)};
        PGresult *changed = run(writer, "select * from chaos_write($1, $2, $3, $4)", 4, values);
        if (changed == NULL) {
            return false;
        }
        remember(intent, changed);
        PQclear(changed);
    }
    return true;
}

static void finish(struct writer *writer, const struct intent *intent)
{
    struct history *history = writer->writers->history;
    for (int i = 0; i < intent->count; i++) {
        history_intend(history, intent->ids[i], intent->version, intent->stays[i]);
    }
    bool gives_up = roll(&writer->random, 6) == 0;
    PGresult *result = run(writer, gives_up ? "rollback" : "commit", 0, NULL);
    if (result == NULL && PQstatus(writer->connection) != CONNECTION_OK) {
        return; /* nobody will ever know */
    }
    bool committed = result != NULL && strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);
    for (int i = 0; i < intent->count; i++) {
        if (committed) {
            history_committed(history, intent->ids[i], intent->version);
        } else {
            history_rolled_back(history, intent->ids[i], intent->version);
        }
    }
    atomic_fetch_add(&writer->writers->commits, committed && intent->count > 0);
}

static void write_once(struct writer *writer)
{
    struct intent intent = {0};
    choose_ids(writer, choose_count(writer));
    if (prepare(writer, &intent)) {
        finish(writer, &intent);
    } else if (PQstatus(writer->connection) == CONNECTION_OK) {
        execute(writer, "rollback", 0, NULL);
    }
}

static void *work(void *context)
{
    struct writer *writer = context;
    while (!atomic_load(&writer->writers->stopping)) {
        if (writer->connection == NULL) {
            writer->connection = cluster_connect(writer->writers->cluster);
        }
        if (writer->connection == NULL) {
            poll(NULL, 0, RECONNECT_MS);
            continue;
        }
        write_once(writer);
        if (PQstatus(writer->connection) != CONNECTION_OK) {
            PQfinish(writer->connection);
            writer->connection = NULL;
        }
        poll(NULL, 0, (int)roll(&writer->random, REST_MS)); /* the load, not a wait for anything */
    }
    PQfinish(writer->connection);
    return NULL;
}

/* ---- lifecycle ---- */

struct writers *writers_start(const struct cluster *cluster, struct history *history, int count, uint64_t seed)
{
    struct writers *writers = calloc(1, sizeof *writers);
    struct writer *all = calloc((size_t)count, sizeof *all);
    if (writers == NULL || all == NULL) {
        die("out of memory");
    }
    writers->cluster = cluster;
    writers->history = history;
    writers->count = count;
    writers->all = all;
    for (int i = 0; i < count; i++) {
        all[i].writers = writers;
        all[i].random = seed + (uint64_t)i;
        if (pthread_create(&all[i].thread, NULL, work, &all[i]) != 0) {
            die("cannot start a writer");
        }
    }
    return writers;
}

uint64_t writers_commits(struct writers *writers)
{
    return atomic_load(&writers->commits);
}

void writers_stop(struct writers *writers)
{
    atomic_store(&writers->stopping, true);
    for (int i = 0; i < writers->count; i++) {
        pthread_join(writers->all[i].thread, NULL);
    }
    free(writers->all);
    free(writers);
}
