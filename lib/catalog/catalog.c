#include "catalog/catalog_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "catalog/catalog_sql.h"
#include "catalog/changes.h"
#include "catalog/fingerprint.h"
#include "catalog/learn.h"
#include "catalog/versions.h"
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
    cpi_catalog_compare(catalog, now);
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
        *learned = (struct cpi_things){0};
    } else if (cpi_things_take(&watched->things, learned)) {
        cpi_changes_note(&watched->changes, catalog->env->config->entities[e].fetch, "reads more than was known");
    }
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
    struct cpi_learned learned = {0};
    cp_error err = {0};
    bool asked = cpi_learn(&catalog->pg, catalog->env->config, e, &catalog->things, &learned, &err) == CP_OK;
    cpi_unannounced_tell(&watched->unannounced, catalog->env, &catalog->env->config->entities[e], learned.unannounced);
    if (asked && learned.complete) {
        take_learned(catalog, e, &learned.things);
        watched->failing = false;
        watched->pause = 0;
    } else {
        cpi_things_take(&watched->things, &learned.things);
        note_failure(catalog, e, &err);
    }
    cpi_learned_fini(&learned);
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

/* Tells it to whoever goes on after a restart. While a change is owed a resync it stays what it was. */
static void publish_fingerprint(struct cpi_catalog *catalog)
{
    for (size_t e = 0; e < catalog->env->config->entity_count; e++) {
        if (catalog->entities[e].changes.count > 0) {
            return;
        }
    }
    cpi_requests_set_fingerprint(catalog->env->requests, cpi_look_fingerprint(catalog->rows, catalog->session));
}

static void catalog_once(struct cpi_catalog *catalog)
{
    cp_error err = {0};
    bool first = catalog->rows == NULL && catalog->began;
    if (!look_and_learn(catalog, &err)) {
        if (cpi_stop_phase(catalog->env->stop) == CPI_RUNNING) {
            cpi_log_about(&catalog->env->log, cpi_outage_note(&catalog->outage) ? CP_LOG_WARN : CP_LOG_DEBUG,
                          &(struct cpi_log_about){.host = cpi_env_host(catalog->env, err.code)},
                          "catalogue: %s; until it can be looked at, changes of functions and tables go unnoticed",
                          err.message);
        }
        cpi_stats_add_error(catalog->env->stats, &err);
        cpi_pulse_fails(&err);
        cpi_pg_close(&catalog->pg);
        return;
    }
    cpi_pulse_succeeds();
    cpi_outage_end(&catalog->outage, &catalog->env->log, catalog->env->postgres_host, "catalogue: looked at again");
    for (size_t e = 0; e < catalog->env->config->entity_count && first; e++) {
        cpi_changes_note(&catalog->entities[e].changes, "catalogue", "nobody could look until now");
    }
    cpi_versions_look(catalog);
    publish_fingerprint(catalog);
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
    cpi_pulse_adopt(&catalog->pulse);
    cpi_pulse_does("looking at the catalogue");
    int64_t took_ms = 0;
    while (cpi_stop_sleep(catalog->env->stop, pause_ms(catalog, took_ms))) {
        int64_t began_ms = cpi_now_ms();
        catalog_once(catalog);
        took_ms = cpi_now_ms() - began_ms;
        request_all_due(catalog);
    }
    cpi_pg_close(&catalog->pg);
    cpi_pulse_adopt(NULL);
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
    cpi_pulse_init(&catalog->pulse, "cp-catalog");
    catalog->env = env;
    catalog->entities = entities;
    catalog->pg = cpi_env_pg(env, "cachepusher catalog", env->stop->drain_fd, STATEMENT_TIMEOUT_MS);
    return catalog;
}

cp_code cpi_catalog_start(struct cpi_catalog *catalog, cp_error *err)
{
    return catalog->env->config->catalog_check_ms > 0
               ? cpi_thread_start(&catalog->thread, &catalog->env->hooks, "cp-catalog", run_catalog, catalog, err)
               : CP_OK;
}

void cpi_catalog_join(struct cpi_catalog *catalog)
{
    cpi_thread_join(&catalog->thread);
}

struct cpi_pulse *cpi_catalog_pulse(struct cpi_catalog *catalog)
{
    return &catalog->pulse;
}

void cpi_catalog_destroy(struct cpi_catalog *catalog)
{
    if (catalog == NULL) {
        return;
    }
    cpi_pulse_fini(&catalog->pulse);
    for (size_t e = 0; e < catalog->env->config->entity_count; e++) {
        cpi_things_fini(&catalog->entities[e].things);
        cpi_unannounced_fini(&catalog->entities[e].unannounced);
    }
    cpi_pg_close(&catalog->pg);
    cpi_rows_free(catalog->rows);
    cpi_id_array_fini(&catalog->things);
    cpi_id_array_fini(&catalog->names);
    cpi_watched_tables_fini(&catalog->tables);
    free(catalog->entities);
    free(catalog);
}
