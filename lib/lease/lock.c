#include "lease/lock.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* A lock's number is made of a text. pg_locks shows it in two halves. */
#define KEY_OF(text, seed) "pg_catalog.hashtextextended('cachepusher ' operator(pg_catalog.||) " text ", " seed ")"
#define KEY(text) KEY_OF(text, "0")
#define LISTENER_KEY(text) KEY_OF(text, "1")
#define NAMES_LOCK(l, key)                                                                                             \
    l ".locktype operator(pg_catalog.=) 'advisory' and " l ".objsubid operator(pg_catalog.=) 1 and"                    \
      " " l ".database operator(pg_catalog.=) (select oid from pg_catalog.pg_database"                                 \
      " where datname operator(pg_catalog.=) pg_catalog.current_database()) and (" l ".classid::bigint"                \
      " operator(pg_catalog.<<) 32 operator(pg_catalog.|) " l ".objid::bigint) operator(pg_catalog.=) " key
#define IS_LOCK_OF(l, key) l ".granted and " NAMES_LOCK(l, key)
#define IS_LOCK(l, text) IS_LOCK_OF(l, KEY(text))

/* The holder's process, whether it is the session of token $2, whether it is silent, a line for people, whether it is
 * our role's, what it is called. What another
 * role does may not be ours to see: then it is not silent. */
static const char holder_sql[] =
    "select l.pid,"
    " exists (select from pg_catalog.pg_locks t where t.pid operator(pg_catalog.=) l.pid and " IS_LOCK(
        "t", "$2") "),"
                   " coalesce(a.state operator(pg_catalog.=) 'idle'"
                   " and (pg_catalog.clock_timestamp() operator(pg_catalog.-) a.state_change) operator(pg_catalog.>)"
                   " ($3::double precision operator(pg_catalog.*) interval '1 ms'), false),"
                   " pg_catalog.concat('Postgres process ', l.pid, ' from ' operator(pg_catalog.||) "
                   "pg_catalog.host(a.client_addr), ' of role ', a.usename),"
                   " coalesce(a.usename operator(pg_catalog.=) session_user, true), a.application_name"
                   " from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a on a.pid "
                   "operator(pg_catalog.=) l.pid"
                   " where " IS_LOCK("l", "$1");

/* What all owners of the lease have in common, former ones too; $1 is the name. */
#define GROUP(database)                                                                                                \
    "pg_catalog.to_hex(pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', $1::pg_catalog.text,"                     \
    " pg_catalog.current_database(), c.system_identifier, " database "::pg_catalog.text), 0))"

static const char take_sql[] = "select case when pg_catalog.pg_try_advisory_lock(" KEY(
    "$1") ")"
          " then pg_catalog.pg_try_advisory_lock(" KEY("$2") ") else false end, " GROUP(
              "$3") " from pg_catalog.pg_control_system() c";

static const char group_sql[] = "select " GROUP("$2") " from pg_catalog.pg_control_system() c";

cp_code cpi_lock_find_group(struct cpi_pg *pg, const char *name, int database, char group[CPI_LEASE_GROUP_BYTES],
                            cp_error *err)
{
    char number[16];
    snprintf(number, sizeof number, "%d", database);
    struct cpi_pg_parameter parameters[] = {{.value = name}, {.value = number}};
    struct cpi_rows *rows = cpi_pg_query(pg, group_sql, parameters, 2, false, err);
    snprintf(group, CPI_LEASE_GROUP_BYTES, "%s", cpi_rows_value(rows, 0, 0));
    cpi_rows_free(rows);
    return rows != NULL ? CP_OK : CP_ERR_POSTGRES;
}

cp_code cpi_lock_try(struct cpi_pg *pg, const char *name, int database, struct cpi_lease_session *session,
                     bool *acquired, cp_error *err)
{
    char number[16];
    snprintf(number, sizeof number, "%d", database);
    struct cpi_pg_parameter parameters[] = {{.value = name}, {.value = session->token}, {.value = number}};
    struct cpi_rows *taken = cpi_pg_query(pg, take_sql, parameters, 3, false, err);
    if (taken == NULL) {
        return CP_ERR_POSTGRES;
    }
    *acquired = cpi_rows_is_true(taken, 0);
    if (*acquired) {
        snprintf(session->group, sizeof session->group, "%s", cpi_rows_value(taken, 0, 1));
    }
    cpi_rows_free(taken);
    return CP_OK;
}

cp_code cpi_lock_find_holder(struct cpi_pg *pg, const char *name, const char *token, struct cpi_lock_holder *holder,
                             cp_error *err)
{
    char silent_ms[16];
    snprintf(silent_ms, sizeof silent_ms, "%d", CPI_LEASE_SILENT_MS);
    struct cpi_pg_parameter parameters[] = {{.value = name}, {.value = token}, {.value = silent_ms}};
    struct cpi_rows *rows = cpi_pg_query(pg, holder_sql, parameters, 3, false, err);
    if (rows == NULL) {
        return CP_ERR_POSTGRES;
    }
    *holder = (struct cpi_lock_holder){.exists = cpi_rows_count(rows) > 0};
    if (holder->exists) {
        holder->is_token = cpi_rows_is_true(rows, 1);
        holder->is_silent = cpi_rows_is_true(rows, 2);
        holder->is_ours = cpi_rows_is_true(rows, 4);
        snprintf(holder->pid, sizeof holder->pid, "%s", cpi_rows_value(rows, 0, 0));
        snprintf(holder->line, sizeof holder->line, "%s", cpi_rows_value(rows, 0, 3));
        snprintf(holder->role, sizeof holder->role, "%s", cpi_rows_value(rows, 0, 5));
    }
    cpi_rows_free(rows);
    return CP_OK;
}

/* Another name than ours tells something only where it is one of a cachepusher. */
cp_code cpi_lock_differs(struct cpi_pg *pg, const char *name, const char *role, bool *differs, cp_error *err)
{
    static const char common[] = "cachepusher lease";
    struct cpi_lock_holder holder;
    cp_code code = cpi_lock_find_holder(pg, name, "", &holder, err);
    *differs = code == CP_OK && holder.exists && strncmp(holder.role, common, strlen(common)) == 0 &&
               strcmp(holder.role, role) != 0;
    return code;
}

/* Shared: a former session that cannot be ended now must not keep us from listening. Whether one may be ended is
 * decided beforehand, since a refusal would fail the statement. Never waited for: any role can hold it, for ever. */
static const char claim_sql[] = "select pg_catalog.pg_try_advisory_lock_shared(" LISTENER_KEY(
    "$1") "),"
          " pg_catalog.count(pg_catalog.pg_terminate_backend(l.pid))"
          " from (select l.pid from pg_catalog.pg_locks l"
          " join pg_catalog.pg_stat_activity a on a.pid operator(pg_catalog.=) l.pid"
          " where l.pid operator(pg_catalog.<>) pg_catalog.pg_backend_pid()"
          " and pg_catalog.pg_has_role(a.usesysid, 'USAGE') and " IS_LOCK_OF("l", LISTENER_KEY("$1")) ") as l";

/* Who keeps others from sharing it. Whoever waits for it does so too. */
static const char squatter_sql[] =
    "select l.pid, pg_catalog.concat('Postgres process ', l.pid, ' of role ', a.usename)"
    " from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a on a.pid operator(pg_catalog.=) l.pid"
    " where l.mode operator(pg_catalog.=) 'ExclusiveLock' and a.usename operator(pg_catalog.<>) session_user"
    " and " NAMES_LOCK("l", LISTENER_KEY("$1")) " limit 1";

static cp_code find_squatter(struct cpi_pg *pg, const char *name, struct cpi_lock_holder *stranger, cp_error *err)
{
    struct cpi_pg_parameter parameter = {.value = name};
    struct cpi_rows *rows = cpi_pg_query(pg, squatter_sql, &parameter, 1, false, err);
    if (rows == NULL) {
        return CP_ERR_POSTGRES;
    }
    stranger->exists = cpi_rows_count(rows) > 0;
    if (stranger->exists) {
        snprintf(stranger->pid, sizeof stranger->pid, "%s", cpi_rows_value(rows, 0, 0));
        snprintf(stranger->line, sizeof stranger->line, "%s", cpi_rows_value(rows, 0, 1));
    }
    cpi_rows_free(rows);
    return stranger->exists ? CP_OK
                            : cpi_error(err, CP_ERR_POSTGRES, true,
                                        "the lock of those that listen is held by another session of our role");
}

cp_code cpi_lock_claim_listening(struct cpi_pg *pg, const char *name, struct cpi_lock_holder *stranger, cp_error *err)
{
    struct cpi_pg_parameter parameter = {.value = name};
    *stranger = (struct cpi_lock_holder){.exists = false};
    struct cpi_rows *rows = cpi_pg_query(pg, claim_sql, &parameter, 1, false, err);
    if (rows == NULL) {
        return CP_ERR_POSTGRES;
    }
    bool claimed = cpi_rows_is_true(rows, 0);
    cpi_rows_free(rows);
    return claimed ? CP_OK : find_squatter(pg, name, stranger, err);
}

cp_code cpi_lock_end_session(struct cpi_pg *pg, const char *pid, cp_error *err)
{
    struct cpi_pg_parameter parameter = {.value = pid};
    struct cpi_rows *ended =
        cpi_pg_query(pg, "select pg_catalog.pg_terminate_backend($1::int)", &parameter, 1, false, err);
    cpi_rows_free(ended);
    return ended != NULL ? CP_OK : CP_ERR_POSTGRES;
}

cp_code cpi_lock_check(struct cpi_pg *pg, const char *name, bool must_be_free, cp_error *err)
{
    struct cpi_lock_holder holder;
    struct cpi_rows *cluster =
        cpi_pg_query(pg, "select system_identifier from pg_catalog.pg_control_system()", NULL, 0, false, err);
    cpi_rows_free(cluster);
    if (cluster == NULL || cpi_lock_find_holder(pg, name, "", &holder, err) != CP_OK) {
        return CP_ERR_POSTGRES;
    }
    if (holder.exists && must_be_free) {
        return cpi_error(err, CP_ERR_POSTGRES, true,
                         "another cachepusher named \"%.*s\" writes already (%s): stop it first, or have it read "
                         "everything again with SIGHUP; one that writes other keys, or to another Redis, needs another "
                         "name",
                         cpi_shown(name), name, holder.line);
    }
    return CP_OK;
}
