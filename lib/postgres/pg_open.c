#include "postgres/pg_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "postgres/conninfo.h"
#include "postgres/hosts.h"

#include <libpq-fe.h>

#include <poll.h>
#include <stdio.h>

/* Without it libpq would print notices to standard error. */
static void log_notice(void *context, const PGresult *result)
{
    const struct cpi_pg *pg = context;
    cp_error notice;
    cpi_error(&notice, CP_OK, false, "%s", PQresultErrorMessage(result));
    if (pg->log != NULL) {
        cpi_log(pg->log, CP_LOG_DEBUG, "%s: %s", pg->role, notice.message);
    }
}

static cp_code connect_in_time(struct cpi_pg *pg, cp_error *err)
{
    int64_t deadline_ms = cpi_now_ms() + pg->connect_timeout_ms;
    struct cpi_hosts hosts;
    cp_code code = cpi_hosts_resolve(&hosts, pg, deadline_ms, err);
    if (code != CP_OK) {
        pg->failure = code == CP_ERR_SYSTEM ? CPI_FAILURE_MEMORY : CPI_FAILURE_CONNECTION;
        return code;
    }
    code = cpi_hosts_connect(&hosts, pg, err);
    cpi_hosts_fini(&hosts);
    if (code != CP_OK) {
        return code;
    }
    PQsetNoticeReceiver(pg->connection, log_notice, pg);
    PostgresPollingStatusType step =
        PQstatus(pg->connection) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
    while (step != PGRES_POLLING_OK) {
        if (step == PGRES_POLLING_FAILED) {
            bool needs_password = PQconnectionNeedsPassword(pg->connection) != 0;
            code = cpi_pg_connection_lost(pg, err);
            pg->failure = needs_password ? CPI_FAILURE_REFUSED : pg->failure;
            return code;
        }
        if (cpi_pg_wait_socket(pg, step == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms, err) != CP_OK) {
            pg->turn++; /* libpq waits for one host for ever, and asks the others afterwards */
            return cpi_pg_give_up(pg);
        }
        step = PQconnectPoll(pg->connection);
    }
    PQsetnonblocking(pg->connection, 1);
    return CP_OK;
}

/* Closes a connection to a server that was reached and is not to be used; err says why. */
static cp_code pg_refuse(struct cpi_pg *pg)
{
    cpi_pg_close(pg);
    pg->failure = CPI_FAILURE_REFUSED;
    return CP_ERR_POSTGRES;
}

/* What a session needs whatever its role and database are set to. Everything else (search_path, time zone, ...) is the
 * role's, since documents are made with it.
 *
 * Row-level security filters rows away without a word, which would be taken for deletions: off means that Postgres
 * refuses instead. A transaction that is serializable, read-only and deferrable waits for those that write, and the one
 * that sets the rest up would be the first: a SET by itself reads nothing, hence never waits. A session of ours may be
 * idle for long. Settings that came later (14, 17) are left out where there is no such setting. In a database without
 * an encoding, nothing could be read at all beside one text that is not UTF-8. */
static const char set_up_isolation[] = "set default_transaction_isolation = 'read committed'";
static const char set_up_sql[] =
    "select pg_catalog.pg_is_in_recovery(), pg_catalog.set_config(s.name, s.value, false)"
    " from (values ('jit', 'off'), ('statement_timeout', $1::pg_catalog.text), ('lock_timeout', '0'),"
    " ('row_security', 'off'),"
    " ('default_transaction_deferrable', 'off'), ('idle_in_transaction_session_timeout', '0'),"
    " ('idle_session_timeout', '0'), ('transaction_timeout', '0')) as s(name, value)"
    " where pg_catalog.current_setting(s.name, true) is not null"
    " union all select pg_catalog.pg_is_in_recovery(), pg_catalog.set_config('client_encoding', 'SQL_ASCII', false)"
    " where pg_catalog.current_setting('server_encoding') operator(pg_catalog.=) 'SQL_ASCII'";

/* Settings of the session, and whether the server is a standby. */
static cp_code set_up(struct cpi_pg *pg, cp_error *err)
{
    char timeout[16];
    snprintf(timeout, sizeof timeout, "%d", pg->statement_timeout_ms);
    struct cpi_pg_parameter parameter = {.value = timeout};
    struct cpi_rows *result = cpi_pg_query(pg, set_up_isolation, NULL, 0, false, err);
    if (result != NULL) {
        cpi_rows_free(result);
        result = cpi_pg_query(pg, set_up_sql, &parameter, 1, false, err);
    }
    if (result == NULL) {
        return pg->failure == CPI_FAILURE_STATEMENT ? pg_refuse(pg) : CP_ERR_POSTGRES;
    }
    if (cpi_rows_count(result) == 0 || cpi_rows_columns(result) != 2) {
        cpi_rows_free(result);
        cpi_error(err, CP_ERR_POSTGRES, true,
                  "Postgres: the first statement was answered without a row: this is no "
                  "Postgres, or a proxy that cannot be used");
        return cpi_pg_give_up(pg);
    }
    bool standby = cpi_rows_is_true(result, 0);
    cpi_rows_free(result);
    if (standby) {
        cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: the server is a standby; the primary is needed");
        return pg_refuse(pg);
    }
    return CP_OK;
}

cp_code cpi_pg_open(struct cpi_pg *pg, cp_error *err)
{
    cpi_pg_close(pg);
    pg->proven = false;
    pg->failure = CPI_FAILURE_NONE;
    cp_code code = connect_in_time(pg, err);
    if (code != CP_OK) {
        return code;
    }
    if (PQserverVersion(pg->connection) < 110000) {
        cpi_error(err, CP_ERR_POSTGRES, false, "Postgres: the server's version is %d; 11 or newer is needed",
                  PQserverVersion(pg->connection) / 10000);
        return pg_refuse(pg);
    }
    code = pg->replicates ? CP_OK : set_up(pg, err);
    if (code == CP_OK && pg->stats != NULL) {
        cpi_stats_add(pg->stats, CPI_STAT_POSTGRES_CONNECTIONS, 1);
        pg->is_counted = true;
        pg->socket = cpi_sockets_add(&pg->stats->sockets, cpi_pg_fd(pg));
    }
    return code;
}
