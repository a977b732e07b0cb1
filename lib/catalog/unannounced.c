#include "catalog/unannounced.h"

#include "base/nearest.h"
#include "catalog/catalog_sql.h"

#include <stdlib.h>
#include <string.h>

enum { KIND, NAME };

/* ---- asking ---- */

/* By the role's own search_path: the fetch function, and the tables of "watch". */
static const char look_up_sql[] =
    "select coalesce(pg_catalog.to_regproc($1::pg_catalog.text)::pg_catalog.oid, 0),"
    " coalesce((select pg_catalog.array_agg(r.oid) from (select pg_catalog.to_regclass(u.name)::pg_catalog.oid as oid"
    "   from pg_catalog.unnest($2::pg_catalog.text[]) as u(name)) as r where r.oid is not null), '{}')";

/* $1: the channels. $2: the fetch function. $3: the tables whose rows are read from the log; null: triggers announce.
 *
 * What announces: a trigger with the channel as its argument, as watch() makes them, or one whose function names it, or
 * calls a function that does. A rule may do anything. A function that names it may be the application's to call.
 *
 * A table that is a part of one that is read as well is not worth a word of its own, and what belongs to an extension
 * does not change. */
/* clang-format off */
static const char ask_sql[] =
    "with recursive channels as (select channel, quote_literal(channel) as quoted,"
    "   '\\m' || regexp_replace(channel, '([^[:alnum:]_])', '\\\\\\1', 'g') || '\\M' as word from unnest($1::text[]) channel),"
    " functions as (select oid, proname::text as name, prosrc from pg_proc where oid >= 16384 and prolang not in (12, 13)),"
    " naming(channel, oid, name) as ("
    "  select c.channel, f.oid, f.name from channels c join functions f on f.prosrc ~ c.word or position(c.quoted in f.prosrc) > 0"
    "  union"
    "  select n.channel, f.oid, f.name from naming n join functions f on position(n.name in f.prosrc) > 0),"
    " triggers as ("
    "  select c.channel, t.tgrelid as oid from channels c join pg_trigger t on not t.tgisinternal and position('\\x00'::bytea"
    "   || convert_to(c.channel, getdatabaseencoding()) || '\\x00'::bytea in '\\x00'::bytea || t.tgargs) > 0"
    "  union select n.channel, t.tgrelid from naming n join pg_trigger t on t.tgfoid = n.oid and not t.tgisinternal),"
    " silent as (select channel from channels where $3::oid[] is null and channel not in (select channel from triggers)"
    "  and channel not in (select channel from naming) and not exists (select from pg_rewrite r where r.oid >= 16384"
    "    and r.ev_type <> '1' and position(channel in pg_get_ruledef(r.oid)) > 0)),"
    " announced(oid) as ("
    "  select oid from triggers where $3::oid[] is null union select unnest($3::oid[])"
    "  union select ev_class from pg_rewrite where oid >= 16384 and ev_type <> '1' and $3::oid[] is null),"
    " family(oid) as ("
    "  select oid from announced"
    "  union select case when i.inhparent = f.oid then i.inhrelid else i.inhparent end"
    "   from family f join pg_inherits i on f.oid in (i.inhparent, i.inhrelid)),"
    " read(oid) as ("
    "  select relation from pg_locks where pid = pg_backend_pid() and locktype = 'relation'"
    "   and database = (select oid from pg_database where datname = current_database())"
    "  union select refobjid from pg_depend where classid = 'pg_proc'::regclass and objid = $2::oid"
    "   and refclassid = 'pg_class'::regclass),"
    " tables as (select c.oid, format('%I.%I', s.nspname, c.relname) as name from read join pg_class c using (oid)"
    "   join pg_namespace s on s.oid = c.relnamespace"
    "  where c.oid >= 16384 and c.relkind in ('r', 'p', 'f') and c.relpersistence <> 't'"
    "   and c.oid not in (select inhrelid from pg_inherits where inhparent in (select oid from read))"
    "   and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid"
    "     and d.deptype = 'e'))"
    " select 'channel', channel from silent"
    " union all select 'table', name from tables where oid not in (select oid from family)"
    "  and exists (select from announced)"
    " union all select 'other', name from (select distinct unnest(string_to_array(encode(tgargs, 'escape'), '\\000')) as name"
    "  from pg_trigger where not tgisinternal and tgnargs > 0 and exists (select from silent)) other"
    "  where name <> '' and name <> all ($1::text[])"
    " order by 1, 2";
/* clang-format on */

/* Fills in the array of what "watch" names. False: out of memory. */
static bool add_tables(struct cpi_id_array *tables, const struct cpi_entity *entity)
{
    bool added = cpi_id_array_clear(tables, CPI_ID_TEXT);
    for (size_t i = 0; i < entity->watch_count && added; i++) {
        added = cpi_id_array_add(tables, &(union cpi_id){.text = entity->watch[i].table});
    }
    return added;
}

static struct cpi_rows *look_up(struct cpi_pg *pg, const struct cpi_entity *entity, cp_error *err)
{
    struct cpi_id_array tables = {0};
    struct cpi_rows *rows = NULL;
    if (add_tables(&tables, entity)) {
        struct cpi_pg_parameter parameters[] = {{.value = entity->fetch}, cpi_id_array_parameter(&tables)};
        rows = cpi_pg_query(pg, look_up_sql, parameters, 2, false, err);
    } else {
        cpi_pg_no_memory(pg, err);
    }
    cpi_id_array_fini(&tables);
    return rows;
}

struct cpi_rows *cpi_unannounced_ask(struct cpi_pg *pg, const struct cp_config *config, const struct cpi_entity *entity,
                                     struct cpi_id_array *channels, cp_error *err)
{
    struct cpi_rows *found = look_up(pg, entity, err);
    struct cpi_rows *pinned =
        cpi_rows_count(found) == 1 ? cpi_pg_query(pg, cpi_catalog_pin_sql, NULL, 0, false, err) : NULL;
    struct cpi_rows *rows = NULL;
    if (pinned != NULL) {
        struct cpi_pg_parameter parameters[] = {
            cpi_id_array_parameter(channels),
            {.value = cpi_rows_value(found, 0, 0)},
            {.value = cpi_config_has_triggers(config) ? NULL : cpi_rows_value(found, 0, 1)}};
        rows = cpi_pg_query(pg, ask_sql, parameters, 3, false, err);
    }
    cpi_rows_free(found);
    cpi_rows_free(pinned);
    return rows;
}

/* ---- telling ---- */

/* What somebody who wrote `name` may have meant; NULL: none of the others is like it. */
static const char *nearest_other(const char *name, const struct cpi_rows *rows)
{
    struct cpi_nearest nearest = {.name = name};
    for (int row = 0; row < cpi_rows_count(rows); row++) {
        if (strcmp(cpi_rows_value(rows, row, KIND), "other") == 0) {
            cpi_nearest_offer(&nearest, cpi_rows_value(rows, row, NAME));
        }
    }
    return nearest.found;
}

/* Whether it is to be said now. */
static bool note(struct cpi_unannounced *unannounced, const char *name)
{
    for (size_t i = 0; i < unannounced->count; i++) {
        if (strcmp(unannounced->told[i], name) == 0) {
            return false;
        }
    }
    char **told = realloc(unannounced->told, (unannounced->count + 1) * sizeof *told);
    if (told != NULL) {
        unannounced->told = told;
        told[unannounced->count] = strdup(name);
        unannounced->count += told[unannounced->count] != NULL;
    }
    return true;
}

static void tell_channel(const struct cpi_env *env, const struct cpi_entity *entity, const char *channel,
                         const char *meant)
{
    cpi_log_about(&env->log, CP_LOG_WARN, &(struct cpi_log_about){.entity = entity->name},
                  "%s: nothing announces on its channel \"%s\"%s%s%s: expected a trigger, such as cachepusher.watch() "
                  "makes, or a function that names it; unless the application notifies there by itself, changes go "
                  "unnoticed",
                  entity->name, channel, meant != NULL ? " (is \"" : "", meant != NULL ? meant : "",
                  meant != NULL ? "\" meant?)" : "");
}

static void tell_table(const struct cpi_env *env, const struct cpi_entity *entity, const char *table)
{
    cpi_log_about(&env->log, CP_LOG_WARN, &(struct cpi_log_about){.entity = entity->name},
                  "%s: its documents (%s) read %s, which nothing watches: expected %s; a change of it is seen by the "
                  "next resync only",
                  entity->name, entity->fetch, table,
                  cpi_config_has_triggers(env->config)
                      ? "a trigger, such as cachepusher.watch() makes, unless the application notifies by itself"
                      : "the table in \"watch\" of the entity");
}

void cpi_unannounced_tell(struct cpi_unannounced *unannounced, const struct cpi_env *env,
                          const struct cpi_entity *entity, const struct cpi_rows *rows)
{
    for (int row = 0; row < cpi_rows_count(rows); row++) {
        const char *kind = cpi_rows_value(rows, row, KIND);
        const char *name = cpi_rows_value(rows, row, NAME);
        bool is_channel = strcmp(kind, "channel") == 0;
        if (strcmp(kind, "other") == 0 || !note(unannounced, name)) {
            continue;
        }
        if (is_channel) {
            tell_channel(env, entity, name, nearest_other(name, rows));
        } else {
            tell_table(env, entity, name);
        }
    }
}

void cpi_unannounced_fini(struct cpi_unannounced *unannounced)
{
    for (size_t i = 0; i < unannounced->count; i++) {
        free(unannounced->told[i]);
    }
    free(unannounced->told);
    *unannounced = (struct cpi_unannounced){0};
}
