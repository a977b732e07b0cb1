#include "catalog/catalog.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "catalog/catalog_sql.h"
#include "catalog/changes.h"
#include "catalog/learn.h"
#include "catalog/watched_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STATEMENT_TIMEOUT_MS = 5000,
    LEARN_EVERY_LOOKS = 30, /* in case documents have come to read something else */
    PAUSE = 49,             /* times what a look has taken, at least */
    PAUSE_MAX_MS = 300000
};

struct watched {
    struct cpi_things things;
    bool failing;      /* its documents could not be read when last tried */
    bool warned;       /* of that */
    unsigned pause;    /* how many looks from one such try to the next */
    unsigned next_try; /* by catalog->looks */
    bool learn;        /* what it hangs on has to be learned again */
    struct cpi_changes changes;
};

struct cpi_catalog {
    const struct cpi_env *env;
    struct cpi_thread thread;
    /* Of the thread, and before it runs of the one that starts it. */
    struct cpi_pg pg;
    struct watched *entities;
    struct cpi_rows *rows; /* the last look; NULL: none yet */
    struct cpi_id_array things;
    struct cpi_id_array names;
    struct cpi_watched_tables tables;
    char session[40];      /* fingerprint of what new sessions are like; "": none yet */
    bool sessions_changed; /* seen by the last look */
    unsigned looks;
    bool began;   /* cpi_catalog_begin() has been called */
    bool failing; /* logged */
};

static int64_t thing_at(const struct cpi_rows *rows, int row)
{
    return strtoll(cpi_rows_value(rows, row, CPI_LOOK_THING), NULL, 10);
}

/* ---- what has changed ---- */

static void note_change(struct cpi_catalog *catalog, int64_t thing, const char *name, const char *what)
{
    for (size_t e = 0; e < catalog->env->config->entity_count; e++) {
        struct watched *watched = &catalog->entities[e];
        if (cpi_things_has(&watched->things, thing)) {
            cpi_changes_note(&watched->changes, name, what);
            watched->learn = true;
        }
    }
}

static bool same(const struct cpi_rows *a, int i, const struct cpi_rows *b, int j, int column)
{
    return cpi_rows_is_null(a, i, column) == cpi_rows_is_null(b, j, column) &&
           (cpi_rows_is_null(a, i, column) || strcmp(cpi_rows_value(a, i, column), cpi_rows_value(b, j, column)) == 0);
}

/* Documents are only as good as their triggers: what is amiss with them is said when it is first seen. */
static void note_amiss(struct cpi_catalog *catalog, const struct cpi_rows *rows, int row)
{
    if (!cpi_rows_is_null(rows, row, CPI_LOOK_AMISS)) {
        cpi_log(&catalog->env->log, CP_LOG_WARN,
                "table %s: %s, so that changes may go unnoticed; cachepusher.watch() for its table makes them anew",
                cpi_rows_value(rows, row, CPI_LOOK_NAME), cpi_rows_value(rows, row, CPI_LOOK_AMISS));
    }
}

static void compare_row(struct cpi_catalog *catalog, const struct cpi_rows *rows, int old, const struct cpi_rows *now,
                        int row)
{
    for (int column = CPI_LOOK_NAME; column < CPI_LOOK_COLUMNS; column++) {
        if (cpi_catalog_aspects[column] != NULL && !same(rows, old, now, row, column)) {
            note_change(catalog, thing_at(now, row), cpi_rows_value(now, row, CPI_LOOK_NAME),
                        cpi_catalog_aspects[column]);
        }
    }
    if (!same(rows, old, now, row, CPI_LOOK_AMISS)) {
        note_amiss(catalog, now, row);
    }
}

static void note_watched(struct cpi_catalog *catalog, const struct cpi_rows *now, int row)
{
    const char *name = cpi_rows_value(now, row, CPI_LOOK_NAME);
    if (!cpi_rows_is_null(now, row, CPI_LOOK_WATCHED) &&
        cpi_watched_tables_note(&catalog->tables, name, atoi(cpi_rows_value(now, row, CPI_LOOK_WATCHED)))) {
        cpi_log(&catalog->env->log, CP_LOG_WARN,
                "table %s: its triggers are gone, so that changes go unnoticed; cachepusher.watch() makes them anew",
                name);
    }
}

/* Both are in order. What is only there now has been learned since. */
static void compare_looks(struct cpi_catalog *catalog, const struct cpi_rows *now)
{
    const struct cpi_rows *rows = catalog->rows;
    int old = 0;
    for (int row = 0; row < cpi_rows_count(now); row++) {
        int64_t thing = thing_at(now, row);
        while (old < cpi_rows_count(rows) && thing_at(rows, old) < thing) {
            note_change(catalog, thing_at(rows, old), cpi_rows_value(rows, old, CPI_LOOK_NAME), "dropped");
            old++;
        }
        if (old < cpi_rows_count(rows) && thing_at(rows, old) == thing) {
            compare_row(catalog, rows, old++, now, row);
        } else {
            note_amiss(catalog, now, row);
        }
        note_watched(catalog, now, row);
    }
    for (; old < cpi_rows_count(rows); old++) {
        note_change(catalog, thing_at(rows, old), cpi_rows_value(rows, old, CPI_LOOK_NAME), "dropped");
    }
}

/* ---- looking ---- */

static bool gather(struct cpi_catalog *catalog)
{
    bool gathered =
        cpi_id_array_clear(&catalog->things, CPI_ID_BIGINT) && cpi_id_array_clear(&catalog->names, CPI_ID_TEXT);
    for (size_t e = 0; e < catalog->env->config->entity_count && gathered; e++) {
        const struct cpi_things *things = &catalog->entities[e].things;
        gathered = cpi_id_array_add(&catalog->names, &(union cpi_id){.text = catalog->env->config->entities[e].fetch});
        for (size_t i = 0; i < things->count && gathered; i++) {
            gathered = cpi_id_array_add(&catalog->things, &(union cpi_id){.number = things->items[i]});
        }
    }
    return gathered;
}

static const char look_statement[] = "cachepusher_catalog";

/* Whether sessions made now would differ from those made when the last look was made. */
static bool look_at_sessions(struct cpi_catalog *catalog, const struct cpi_rows *path, cp_error *err)
{
    struct cpi_pg_parameter parameter = {.value = cpi_rows_value(path, 0, 0)};
    struct cpi_rows *rows = cpi_pg_query(&catalog->pg, cpi_catalog_session_sql, &parameter, 1, false, err);
    if (cpi_rows_count(rows) == 1) {
        const char *session = cpi_rows_value(rows, 0, 0);
        catalog->sessions_changed = catalog->session[0] != '\0' && strcmp(catalog->session, session) != 0;
        snprintf(catalog->session, sizeof catalog->session, "%s", session);
    }
    cpi_rows_free(rows);
    return rows != NULL;
}

static bool prepare(struct cpi_pg *pg, cp_error *err)
{
    char *sql = NULL;
    if (asprintf(&sql, "%s%s", cpi_catalog_look_at_relations_sql, cpi_catalog_look_at_others_sql) < 0) {
        return cpi_pg_no_memory(pg, err) == CP_OK;
    }
    bool prepared = cpi_pg_prepare(pg, look_statement, sql, err) == CP_OK;
    free(sql);
    return prepared;
}

static struct cpi_rows *ask(struct cpi_catalog *catalog, cp_error *err)
{
    struct cpi_pg *pg = &catalog->pg;
    struct cpi_rows *path = cpi_pg_query(pg, cpi_catalog_pin_sql, NULL, 0, false, err);
    struct cpi_rows *now = NULL;
    if (cpi_rows_count(path) == 1 && look_at_sessions(catalog, path, err) && (pg->proven || prepare(pg, err))) {
        struct cpi_pg_parameter parameters[] = {cpi_id_array_parameter(&catalog->things),
                                                cpi_id_array_parameter(&catalog->names),
                                                {.value = cpi_rows_value(path, 0, 1)}};
        now = cpi_pg_execute(pg, look_statement, parameters, 3, false, err);
    }
    cpi_rows_free(path);
    return now;
}

/* Compares with the last look, and keeps this one instead. */
static bool look(struct cpi_catalog *catalog, cp_error *err)
{
    struct cpi_pg *pg = &catalog->pg;
    if (!gather(catalog)) {
        return cpi_pg_no_memory(pg, err) == CP_OK;
    }
    struct cpi_rows *begun = cpi_pg_query(pg, "begin isolation level read committed read only", NULL, 0, false, err);
    struct cpi_rows *now = begun != NULL ? ask(catalog, err) : NULL;
    struct cpi_rows *ended = now != NULL ? cpi_pg_query(pg, "rollback", NULL, 0, false, err) : NULL;
    cpi_rows_free(begun);
    cpi_rows_free(ended);
    if (now == NULL) {
        return false;
    }
    compare_looks(catalog, now);
    cpi_rows_free(catalog->rows);
    catalog->rows = now;
    return true;
}

/* The own session is as old as the others. What a new one is like is what to compare with from then on. */
static bool renew(struct cpi_catalog *catalog, cp_error *err)
{
    for (size_t e = 0; e < catalog->env->config->entity_count; e++) {
        cpi_changes_note(&catalog->entities[e].changes, "settings of the role, the database or the server", "changed");
        catalog->entities[e].learn = true;
    }
    cpi_requests_renew_sessions(catalog->env->requests, true);
    catalog->session[0] = '\0';
    cpi_pg_close(&catalog->pg);
    return cpi_pg_open(&catalog->pg, err) == CP_OK && look(catalog, err);
}

/* Where nothing has changed, other documents than those read before may lead to more, as may those that could not be
 * read for a while: what is found to be read may have been changed unnoticed. It is kept, since the next ones need not
 * lead there. */
static void take_learned(struct cpi_catalog *catalog, uint32_t e, struct cpi_things *learned)
{
    struct watched *watched = &catalog->entities[e];
    if (!watched->failing && (watched->things.count == 0 || watched->learn)) {
        cpi_things_fini(&watched->things);
        watched->things = *learned;
        return;
    }
    if (cpi_things_take(&watched->things, learned)) {
        cpi_changes_note(&watched->changes, catalog->env->config->entities[e].fetch, "reads more than was known");
    }
    cpi_things_fini(learned);
}

/* One document among many may fail: what fails twice in a row is told of, once. */
static void note_failure(struct cpi_catalog *catalog, uint32_t e, const cp_error *err)
{
    struct watched *watched = &catalog->entities[e];
    if (watched->failing && !watched->warned && cpi_stop_phase(catalog->env->stop) == CPI_RUNNING) {
        cpi_log(&catalog->env->log, CP_LOG_WARN,
                "%s: its documents could not be read to find what they hang on (%s); until they can, some changes of "
                "functions and tables may go unnoticed",
                catalog->env->config->entities[e].name, err->message);
        watched->warned = true;
    }
    watched->failing = true;
    watched->pause = watched->pause < LEARN_EVERY_LOOKS / 2 ? 2 * watched->pause + 1 : LEARN_EVERY_LOOKS;
    watched->next_try = catalog->looks + watched->pause;
}

static void learn_entity(struct cpi_catalog *catalog, uint32_t e)
{
    struct watched *watched = &catalog->entities[e];
    const struct cpi_entity *entity = &catalog->env->config->entities[e];
    struct cpi_things learned = {0};
    bool complete = false;
    cp_error err = {0};
    bool asked = cpi_learn(&catalog->pg, entity, e, &catalog->things, &learned, &complete, &err) == CP_OK;
    if (asked && complete) {
        take_learned(catalog, e, &learned);
        watched->failing = false;
        watched->pause = 0;
    } else {
        cpi_things_take(&watched->things, &learned);
        cpi_things_fini(&learned);
        note_failure(catalog, e, &err);
    }
    watched->learn = false;
}

/* One that fails for good, say because its function writes, costs a try now and then. */
static bool is_due(const struct watched *watched, unsigned looks)
{
    return watched->learn || (watched->failing && watched->next_try <= looks);
}

/* What one entity does to the session is no reason to leave the others out. */
static bool learn(struct cpi_catalog *catalog, bool all, cp_error *err)
{
    for (uint32_t e = 0; e < catalog->env->config->entity_count; e++) {
        if (!cpi_pg_is_open(&catalog->pg) && cpi_pg_open(&catalog->pg, err) != CP_OK) {
            return false;
        }
        if (all || is_due(&catalog->entities[e], catalog->looks)) {
            learn_entity(catalog, e);
        }
    }
    return cpi_pg_is_open(&catalog->pg) || cpi_pg_open(&catalog->pg, err) == CP_OK;
}

static bool needs_learning(const struct cpi_catalog *catalog)
{
    bool needed = catalog->looks % LEARN_EVERY_LOOKS == 0;
    for (size_t e = 0; e < catalog->env->config->entity_count; e++) {
        needed = needed || is_due(&catalog->entities[e], catalog->looks);
    }
    return needed;
}

/* What is learned is looked at at once, so that a change from then on is one. */
static bool look_and_learn(struct cpi_catalog *catalog, cp_error *err)
{
    if (!cpi_pg_is_open(&catalog->pg) && cpi_pg_open(&catalog->pg, err) != CP_OK) {
        return false;
    }
    if (catalog->rows != NULL && !look(catalog, err)) {
        return false;
    }
    if (catalog->sessions_changed && !renew(catalog, err)) {
        return false;
    }
    bool all = catalog->looks % LEARN_EVERY_LOOKS == 0;
    if (needs_learning(catalog) && (!learn(catalog, all, err) || !look(catalog, err))) {
        return false;
    }
    catalog->looks++;
    return true;
}

/* ---- what follows ---- */

/* One at a time, and only after the last run: something that changes all the time costs one resync a look at most, and
 * none is owed to a change that a run to come will see. */
static void request_all_due(struct cpi_catalog *catalog)
{
    bool taken = cpi_lease_state(catalog->env->lease) == CPI_LEASE_TAKEN;
    bool idle = cpi_requests_is_idle(catalog->env->requests);
    for (uint32_t e = 0; e < catalog->env->config->entity_count; e++) {
        struct watched *watched = &catalog->entities[e];
        if (watched->changes.count > 0 && taken) { /* the writer sees it, too */
            watched->changes.count = 0;
        } else if (watched->changes.count > 0 && idle) {
            cpi_changes_request(&watched->changes, catalog->env, e);
        }
    }
}

static void catalog_once(struct cpi_catalog *catalog)
{
    cp_error err = {0};
    bool first = catalog->rows == NULL && catalog->began;
    if (!look_and_learn(catalog, &err)) {
        if (cpi_stop_phase(catalog->env->stop) == CPI_RUNNING) {
            cpi_log(&catalog->env->log, catalog->failing ? CP_LOG_DEBUG : CP_LOG_WARN,
                    "catalogue: %s; until it can be looked at, changes of functions and tables go unnoticed",
                    err.message);
        }
        catalog->failing = true;
        cpi_pg_close(&catalog->pg);
        return;
    }
    catalog->failing = false;
    for (size_t e = 0; e < catalog->env->config->entity_count && first; e++) {
        cpi_changes_note(&catalog->entities[e].changes, "catalogue", "nobody could look until now");
    }
}

void cpi_catalog_begin(struct cpi_catalog *catalog)
{
    if (catalog->env->config->catalog_check_ms > 0) {
        catalog_once(catalog);
    }
    catalog->began = true;
}

/* A look at thousands of partitions takes its time: never more than two parts in a hundred. */
static int pause_ms(const struct cpi_catalog *catalog, int64_t took_ms)
{
    int64_t rest_ms = PAUSE * (took_ms < PAUSE_MAX_MS / PAUSE ? took_ms : PAUSE_MAX_MS / PAUSE);
    int every_ms = catalog->env->config->catalog_check_ms;
    return rest_ms > every_ms ? (int)rest_ms : every_ms;
}

static void *run_catalog(void *context)
{
    struct cpi_catalog *catalog = context;
    int64_t took_ms = 0;
    while (cpi_stop_sleep(catalog->env->stop, pause_ms(catalog, took_ms))) {
        int64_t began_ms = cpi_now_ms();
        catalog_once(catalog);
        took_ms = cpi_now_ms() - began_ms;
        request_all_due(catalog);
    }
    cpi_pg_close(&catalog->pg);
    return NULL;
}

/* ---- lifecycle ---- */

struct cpi_catalog *cpi_catalog_create(const struct cpi_env *env, cp_error *err)
{
    struct cpi_catalog *catalog = calloc(1, sizeof *catalog);
    struct watched *entities = calloc(env->config->entity_count, sizeof *entities);
    if (catalog == NULL || entities == NULL) {
        free(catalog);
        free(entities);
        cpi_error_memory(err);
        return NULL;
    }
    catalog->env = env;
    catalog->entities = entities;
    catalog->pg = cpi_env_pg(env, "cachepusher catalog", env->stop->drain_fd, STATEMENT_TIMEOUT_MS);
    return catalog;
}

cp_code cpi_catalog_start(struct cpi_catalog *catalog, cp_error *err)
{
    return catalog->env->config->catalog_check_ms > 0
               ? cpi_thread_start(&catalog->thread, "cp-catalog", run_catalog, catalog, err)
               : CP_OK;
}

void cpi_catalog_join(struct cpi_catalog *catalog)
{
    cpi_thread_join(&catalog->thread);
}

void cpi_catalog_destroy(struct cpi_catalog *catalog)
{
    if (catalog == NULL) {
        return;
    }
    for (size_t e = 0; e < catalog->env->config->entity_count; e++) {
        cpi_things_fini(&catalog->entities[e].things);
    }
    cpi_pg_close(&catalog->pg);
    cpi_rows_free(catalog->rows);
    cpi_id_array_fini(&catalog->things);
    cpi_id_array_fini(&catalog->names);
    cpi_watched_tables_fini(&catalog->tables);
    free(catalog->entities);
    free(catalog);
}
