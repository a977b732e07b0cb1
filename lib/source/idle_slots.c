#include "source/idle_slots.h"

#include <stdio.h>

/* $1 our slot, $2 whether we read it, $3 bytes. The log before a slot that is lost (restart_lsn is null) is gone. */
static const char idle_sql[] =
    "select slot.name, slot.bytes operator(pg_catalog./) 1048576::bigint from (select s.slot_name as name,"
    "   pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn)::bigint as bytes"
    "  from pg_catalog.pg_replication_slots as s"
    "  where s.plugin operator(pg_catalog.=) 'pgoutput'::pg_catalog.name and not s.active"
    "  and s.database operator(pg_catalog.=) pg_catalog.current_database()"
    "  and s.restart_lsn is not null) as slot"
    " where case when slot.name operator(pg_catalog.=) $1::pg_catalog.name then not $2::boolean"
    "  else pg_catalog.starts_with(slot.name::pg_catalog.text, 'cachepusher_')"
    "  and slot.bytes operator(pg_catalog.>) $3::bigint end"
    " order by slot.name";

void cpi_idle_slots_warn(const struct cpi_env *env, struct cpi_pg *pg)
{
    char name[CPI_SLOT_BYTES];
    char bytes[24];
    cp_error ignored;
    cpi_config_slot(env->config, name);
    snprintf(bytes, sizeof bytes, "%lld", (long long)env->config->source_retained_mb * 1024 * 1024);
    struct cpi_pg_parameter parameters[] = {
        {.value = name}, {.value = env->config->source == CPI_SOURCE_WAL ? "t" : "f"}, {.value = bytes}};
    struct cpi_rows *rows = cpi_pg_query(pg, idle_sql, parameters, 3, false, &ignored);
    for (int row = 0; rows != NULL && row < cpi_rows_count(rows); row++) {
        const char *slot = cpi_rows_value(rows, row, 0);
        cpi_log(&env->log, CP_LOG_WARN,
                "start: nobody reads replication slot \"%s\", and Postgres keeps %s MiB of its log for it; if no "
                "cachepusher is to go on with it: select pg_drop_replication_slot('%s')",
                slot, cpi_rows_value(rows, row, 1), slot);
    }
    cpi_rows_free(rows);
}
