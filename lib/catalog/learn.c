#include "catalog/learn.h"

#include "base/error.h"
#include "catalog/catalog_sql.h"
#include "catalog/unannounced.h"

#include <stdio.h>
#include <stdlib.h>

static int compare_things(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

bool cpi_things_has(const struct cpi_things *things, int64_t thing)
{
    return things->count > 0 &&
           bsearch(&thing, things->items, things->count, sizeof *things->items, compare_things) != NULL;
}

bool cpi_things_take(struct cpi_things *things, const struct cpi_things *more)
{
    int64_t *items = realloc(things->items, (things->count + more->count + 1) * sizeof *items);
    size_t count = things->count;
    if (items == NULL) {
        return false;
    }
    things->items = items;
    for (size_t i = 0; i < more->count; i++) {
        if (!cpi_things_has(&(struct cpi_things){.items = items, .count = count}, more->items[i])) {
            items[things->count++] = more->items[i];
        }
    }
    qsort(items, things->count, sizeof *items, compare_things);
    return things->count > count;
}

void cpi_things_fini(struct cpi_things *things)
{
    free(things->items);
    *things = (struct cpi_things){0};
}

/* A statement whose rows are of no interest; takes over the text. */
static bool run(struct cpi_pg *pg, char *sql, const struct cpi_pg_parameter *parameter, cp_error *err)
{
    if (sql == NULL) {
        return cpi_pg_no_memory(pg, err) == CP_OK;
    }
    struct cpi_rows *rows = cpi_pg_query(pg, sql, parameter, parameter != NULL, false, err);
    free(sql);
    cpi_rows_free(rows);
    return rows != NULL;
}

static bool run_fixed(struct cpi_pg *pg, const char *sql, cp_error *err)
{
    struct cpi_rows *rows = cpi_pg_query(pg, sql, NULL, 0, false, err);
    cpi_rows_free(rows);
    return rows != NULL;
}

/* A few ids to try, others each time, since documents can lead to different things; one that no document need have if
 * there are none or if listing takes too long. */
static bool find_ids(struct cpi_pg *pg, const struct cpi_entity *entity, struct cpi_id_array *ids, cp_error *err)
{
    char *sql = NULL;
    if (asprintf(
            &sql,
            "select sample.id from (select listed.id::%s as id from (%s\n) as listed(id) where listed.id is not null"
            " limit 1000) as sample order by pg_catalog.random() limit 2",
            cpi_id_wire_type(entity->id_type), entity->list) < 0 ||
        !cpi_id_array_clear(ids, entity->id_type)) {
        return cpi_pg_no_memory(pg, err) == CP_OK;
    }
    struct cpi_rows *rows = run_fixed(pg, "savepoint listing", err) ? cpi_pg_query(pg, sql, NULL, 0, true, err) : NULL;
    free(sql);
    bool added = true;
    for (int row = 0; row < cpi_rows_count(rows) && added; row++) {
        union cpi_id id = cpi_fetch_id(entity, rows, row, 0);
        added = cpi_id_array_add(ids, &id);
    }
    bool listed = rows != NULL;
    cpi_rows_free(rows);
    if (!listed && (!cpi_pg_is_open(pg) || !run_fixed(pg, "rollback to savepoint listing", err))) {
        return false;
    }
    union cpi_id none = {.number = 0};
    if (cpi_id_is_text(entity->id_type)) {
        none.text = entity->id_type == CPI_ID_UUID ? "00000000-0000-0000-0000-000000000000" : "";
    }
    if (added && ids->count == 0) {
        added = cpi_id_array_add(ids, &none);
    }
    return added || cpi_pg_no_memory(pg, err) == CP_OK;
}

static bool read_documents(struct cpi_pg *pg, const struct cpi_entity *entity, struct cpi_id_array *ids, cp_error *err)
{
    const char *type = cpi_id_sql_type(entity->id_type);
    const char *wire = cpi_id_wire_type(entity->id_type);
    char *sql = NULL;
    int length = entity->fetch_many
                     ? asprintf(&sql, "select pg_catalog.count(f.document) from %s($1::%s[]::%s[]) as f(id, document)",
                                entity->fetch, wire, type)
                     : asprintf(&sql, "select pg_catalog.count(%s(u.id)) from pg_catalog.unnest($1::%s[]::%s[]) u(id)",
                                entity->fetch, wire, type);
    struct cpi_pg_parameter parameter = cpi_id_array_parameter(ids);
    return run(pg, length < 0 ? NULL : sql, &parameter, err);
}

/* The planner locks what the listing would read. */
static bool explain(struct cpi_pg *pg, const struct cpi_entity *entity, cp_error *err)
{
    char *sql = NULL;
    return run(pg, asprintf(&sql, "explain %s", entity->list) < 0 ? NULL : sql, NULL, err);
}

static bool take_things(struct cpi_pg *pg, const struct cpi_rows *rows, struct cpi_things *things, cp_error *err)
{
    size_t count = (size_t)cpi_rows_count(rows);
    int64_t *items = malloc((count + 1) * sizeof *items);
    if (items == NULL) {
        return cpi_pg_no_memory(pg, err) == CP_OK;
    }
    for (size_t i = 0; i < count; i++) {
        items[i] = strtoll(cpi_rows_value(rows, (int)i, 0), NULL, 10);
    }
    cpi_things_fini(things);
    *things = (struct cpi_things){.items = items, .count = count};
    return true;
}

/* The way in: its fetch function, by name. */
static void add_own(struct cpi_things *things, uint32_t index)
{
    things->items[things->count++] = ((int64_t)CPI_THING_ENTRY << 32) + index;
    qsort(things->items, things->count, sizeof *things->items, compare_things);
}

/* What the entity's documents are found by, as text whose words are looked up. From malloc; NULL: out of memory. */
static char *sources_of(const struct cpi_entity *entity)
{
    char *sources = NULL;
    int length = asprintf(&sources, "%s %s", entity->list, entity->fetch);
    for (size_t i = 0; i < entity->watch_count && length >= 0; i++) {
        char *longer = NULL;
        if (entity->watch[i].maps != NULL) {
            length = asprintf(&longer, "%s %s", sources, entity->watch[i].maps);
            free(sources);
            sources = longer;
        }
    }
    return length < 0 ? NULL : sources;
}

static bool add_names(struct cpi_id_array *ids, char *const *names, size_t count)
{
    bool added = true;
    for (size_t i = 0; i < count && added; i++) {
        added = cpi_id_array_add(ids, &(union cpi_id){.text = names[i]});
    }
    return added;
}

/* Its own, and those of what is mapped to it. */
static bool add_channels(struct cpi_id_array *ids, const struct cpi_entity *entity)
{
    bool added = cpi_id_array_clear(ids, CPI_ID_TEXT) && add_names(ids, entity->channels, entity->channel_count);
    for (size_t i = 0; i < entity->watch_count && added; i++) {
        const struct cpi_watch *watch = &entity->watch[i];
        added = watch->maps == NULL || add_names(ids, watch->channels.items, watch->channels.count);
    }
    return added;
}

/* Where something is to announce: on its own ones, unless it is declared, when each of its tables has one. */
static bool add_expected_channels(struct cpi_id_array *ids, const struct cpi_entity *entity)
{
    bool is_declared = entity->document != NULL;
    bool added = cpi_id_array_clear(ids, CPI_ID_TEXT) &&
                 add_names(ids, entity->channels, is_declared ? 0 : entity->channel_count);
    for (size_t i = 0; i < entity->watch_count && added; i++) {
        added = add_names(ids, entity->watch[i].channels.items, entity->watch[i].channels.count);
    }
    return added;
}

/* With the entity's channels in `ids`. */
static bool ask_catalog(struct cpi_pg *pg, const struct cpi_entity *entity, struct cpi_id_array *ids,
                        struct cpi_things *things, cp_error *err)
{
    char *sources = sources_of(entity);
    if (sources == NULL) {
        return cpi_pg_no_memory(pg, err) == CP_OK;
    }
    struct cpi_pg_parameter parameters[] = {{.value = sources}, cpi_id_array_parameter(ids)};
    struct cpi_rows *rows = run_fixed(pg, cpi_catalog_pin_sql, err)
                                ? cpi_pg_query(pg, cpi_catalog_learn_sql, parameters, 2, false, err)
                                : NULL;
    bool taken = rows != NULL && take_things(pg, rows, things, err);
    cpi_rows_free(rows);
    free(sources);
    return taken;
}

static bool ask(struct cpi_pg *pg, const struct cp_config *config, const struct cpi_entity *entity,
                struct cpi_id_array *ids, struct cpi_learned *learned, cp_error *err)
{
    if (!add_expected_channels(ids, entity)) {
        return cpi_pg_no_memory(pg, err) == CP_OK;
    }
    learned->unannounced = cpi_unannounced_ask(pg, config, entity, ids, err);
    if (learned->unannounced == NULL || !add_channels(ids, entity)) {
        return learned->unannounced != NULL && cpi_pg_no_memory(pg, err) == CP_OK;
    }
    return ask_catalog(pg, entity, ids, &learned->things, err);
}

/* A fetch function that writes fails with 25006 here. That is no sign of a server that has been demoted, which a
 * session that has run prepared statements would take it for and end. */
static bool try_documents(struct cpi_pg *pg, const struct cpi_entity *entity, struct cpi_id_array *ids, cp_error *err)
{
    bool proven = pg->proven;
    pg->proven = false;
    bool read = find_ids(pg, entity, ids, err) && explain(pg, entity, err) && read_documents(pg, entity, ids, err);
    pg->proven = proven && cpi_pg_is_open(pg);
    return read;
}

cp_code cpi_learn(struct cpi_pg *pg, const struct cp_config *config, uint32_t index, struct cpi_id_array *ids,
                  struct cpi_learned *learned, cp_error *err)
{
    static const char begin[] = "begin isolation level read committed read only";
    const struct cpi_entity *entity = &config->entities[index];
    if (!run_fixed(pg, begin, err)) {
        return CP_ERR_POSTGRES;
    }
    learned->complete = try_documents(pg, entity, ids, err);
    cp_error unread = *err;
    bool asked = cpi_pg_is_open(pg) &&
                 (learned->complete || (run_fixed(pg, "rollback", err) && run_fixed(pg, begin, err))) &&
                 ask(pg, config, entity, ids, learned, err);
    if (asked) {
        add_own(&learned->things, index);
        *err = unread;
    }
    return cpi_pg_is_open(pg) && run_fixed(pg, "rollback", err) && asked ? CP_OK : CP_ERR_POSTGRES;
}

void cpi_learned_fini(struct cpi_learned *learned)
{
    cpi_things_fini(&learned->things);
    cpi_rows_free(learned->unannounced);
    *learned = (struct cpi_learned){0};
}
