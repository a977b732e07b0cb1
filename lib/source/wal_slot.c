#include "source/wal_slot.h"

#include "base/error.h"
#include "source/wal/frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_true_at(const struct cpi_rows *rows, int column)
{
    return strcmp(cpi_rows_value(rows, 0, column), "t") == 0;
}

/* ---- before it runs ---- */

/* 19 has effective_wal_level: there a slot raises the level by itself. */
static const char server_sql[] =
    "select pg_catalog.current_setting('server_version_num')::integer operator(pg_catalog.>=) 140000,"
    " pg_catalog.current_setting('wal_level') operator(pg_catalog.=) 'logical'"
    " or pg_catalog.current_setting('effective_wal_level', true) is not null,"
    " pg_catalog.current_setting('wal_level'),"
    " (select r.rolreplication or r.rolsuper from pg_catalog.pg_roles as r"
    "  where r.rolname operator(pg_catalog.=) current_user),"
    " current_user,"
    " exists (select from pg_catalog.pg_publication as p where p.pubname operator(pg_catalog.=) $1::pg_catalog.text"
    "  and p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate),"
    " exists (select from pg_catalog.pg_replication_slots as s"
    "  where s.slot_name operator(pg_catalog.=) $2::pg_catalog.text and (s.plugin is null or"
    "  s.plugin operator(pg_catalog.<>) 'pgoutput' or s.database operator(pg_catalog.<>) "
    "pg_catalog.current_database()))";

static cp_code judge_server(const struct cpi_rows *rows, const char *slot, const char *publication, cp_error *err)
{
    if (!is_true_at(rows, 0)) {
        return cpi_error(err, CP_ERR_POSTGRES, false, "wal source: Postgres 14 or newer is needed");
    }
    if (!is_true_at(rows, 1)) {
        return cpi_error(
            err, CP_ERR_POSTGRES, false,
            "wal source: wal_level is %s; it has to be logical (alter system set wal_level = 'logical', and "
            "a restart of Postgres)",
            cpi_rows_value(rows, 0, 2));
    }
    if (!is_true_at(rows, 3)) {
        return cpi_error(err, CP_ERR_POSTGRES, false,
                         "wal source: the role may not replicate (alter role %s replication)",
                         cpi_rows_value(rows, 0, 4));
    }
    if (!is_true_at(rows, 5)) {
        return cpi_error(
            err, CP_ERR_POSTGRES, false,
            "wal source: there is no publication \"%s\" of inserts, updates, deletes and truncates; cachepusher "
            "setup makes it",
            publication);
    }
    if (is_true_at(rows, 6)) {
        return cpi_error(err, CP_ERR_POSTGRES, false,
                         "wal source: slot \"%s\" is of another database or plugin; name another one (source_slot)",
                         slot);
    }
    return CP_OK;
}

cp_code cpi_wal_slot_check(const struct cpi_env *env, struct cpi_pg *pg, cp_error *err)
{
    const struct cp_config *config = env->config;
    char slot[CPI_SLOT_BYTES];
    char publication[CPI_SLOT_BYTES];
    cpi_config_slot(config, slot);
    cpi_config_publication(config, publication);
    struct cpi_pg_parameter parameters[] = {{.value = publication}, {.value = slot}};
    struct cpi_rows *rows = cpi_pg_query(pg, server_sql, parameters, 2, false, err);
    if (rows == NULL) {
        return CP_ERR_POSTGRES;
    }
    cp_code code = judge_server(rows, slot, publication, err);
    cpi_rows_free(rows);
    return code;
}

/* ---- reading, making, taking ---- */

static const char read_sql[] =
    "select s.confirmed_flush_lsn, s.wal_status operator(pg_catalog.=) 'lost', s.active_pid,"
    " a.usename operator(pg_catalog.=) current_user and a.application_name operator(pg_catalog.=) $2::pg_catalog.text,"
    " pg_catalog.concat('process ', s.active_pid, ' (', a.application_name, ' of role ', a.usename, ')')"
    " from pg_catalog.pg_replication_slots as s"
    " left join pg_catalog.pg_stat_activity as a on a.pid operator(pg_catalog.=) s.active_pid"
    " where s.slot_name operator(pg_catalog.=) $1::pg_catalog.text";

/* Postgres cuts names after 63 bytes. */
void cpi_wal_slot_reader(const struct cp_config *config, char reader[CPI_WAL_READER_BYTES])
{
    char key[CPI_MARKER_KEY_BYTES];
    cpi_config_marker_key(config, key);
    snprintf(reader, CPI_WAL_READER_BYTES, "cachepusher wal %s", key + strlen(CPI_MARKER_PREFIX));
}

cp_code cpi_wal_slot_read(struct cpi_pg *pg, const char *name, const char *reader, struct cpi_wal_slot *slot,
                          cp_error *err)
{
    *slot = (struct cpi_wal_slot){.exists = false};
    struct cpi_pg_parameter parameters[] = {{.value = name}, {.value = reader}};
    struct cpi_rows *rows = cpi_pg_query(pg, read_sql, parameters, 2, false, err);
    if (rows == NULL) {
        return CP_ERR_POSTGRES;
    }
    if (cpi_rows_count(rows) > 0) {
        slot->exists = true;
        cpi_lsn_parse(cpi_rows_value(rows, 0, 0), &slot->confirmed);
        slot->is_lost = is_true_at(rows, 1);
        slot->is_active = !cpi_rows_is_null(rows, 0, 2);
        slot->active_pid = atoi(cpi_rows_value(rows, 0, 2));
        slot->is_ours = is_true_at(rows, 3);
        snprintf(slot->active, sizeof slot->active, "%s", cpi_rows_value(rows, 0, 4));
    }
    cpi_rows_free(rows);
    return CP_OK;
}

static cp_code run_for_slot(struct cpi_pg *pg, const char *sql, const char *parameter, cp_error *err)
{
    struct cpi_pg_parameter parameters[] = {{.value = parameter}};
    struct cpi_rows *rows = cpi_pg_query(pg, sql, parameters, 1, false, err);
    cpi_rows_free(rows);
    return rows != NULL ? CP_OK : CP_ERR_POSTGRES;
}

/* 17 and later keep it on a standby that is set up for it. */
cp_code cpi_wal_slot_create(struct cpi_pg *pg, const char *name, cp_error *err)
{
    struct cpi_rows *rows = cpi_pg_query(
        pg, "select pg_catalog.current_setting('server_version_num')::integer operator(pg_catalog.>=) 170000", NULL, 0,
        false, err);
    bool has_failover = rows != NULL && cpi_rows_is_true(rows, 0);
    cpi_rows_free(rows);
    if (rows == NULL) {
        return CP_ERR_POSTGRES;
    }
    return run_for_slot(pg,
                        has_failover
                            ? "select pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput', failover => true)"
                            : "select pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')",
                        name, err);
}

void cpi_wal_slot_name_oldest(struct cpi_pg *pg, char name[CPI_WAL_OLDEST_BYTES])
{
    cp_error ignored;
    struct cpi_rows *rows =
        cpi_pg_query(pg,
                     "select pg_catalog.concat('process ', a.pid, ' of role ', a.usename) from pg_catalog.pg_locks as l"
                     " join pg_catalog.pg_stat_activity as a on a.pid operator(pg_catalog.=) l.pid"
                     " where l.locktype operator(pg_catalog.=) 'transactionid' and l.granted"
                     " and l.pid operator(pg_catalog.<>) pg_catalog.pg_backend_pid()"
                     " order by pg_catalog.age(l.transactionid) desc limit 1",
                     NULL, 0, false, &ignored);
    bool any = rows != NULL && cpi_rows_count(rows) > 0;
    snprintf(name, CPI_WAL_OLDEST_BYTES, "%s", any ? cpi_rows_value(rows, 0, 0) : "");
    cpi_rows_free(rows);
}

cp_code cpi_wal_slot_drop(struct cpi_pg *pg, const char *name, cp_error *err)
{
    return run_for_slot(pg, "select pg_catalog.pg_drop_replication_slot($1)", name, err);
}

cp_code cpi_wal_slot_take(struct cpi_pg *pg, const char *name, const struct cpi_wal_slot *slot, cp_error *err)
{
    if (!slot->is_active) {
        return CP_OK;
    }
    if (!slot->is_ours) {
        return cpi_error(err, CP_ERR_POSTGRES, true,
                         "replication: slot \"%s\" is in use by %s, which is none of ours: give each name a "
                         "slot of its own (source_slot)",
                         name, slot->active);
    }
    char pid[16];
    snprintf(pid, sizeof pid, "%d", slot->active_pid);
    if (run_for_slot(pg, "select pg_catalog.pg_terminate_backend($1::integer)", pid, err) != CP_OK) {
        return CP_ERR_POSTGRES;
    }
    return cpi_error(err, CP_ERR_POSTGRES, true, "replication: slot \"%s\" was in use by %s, which is being ended",
                     name, slot->active);
}
