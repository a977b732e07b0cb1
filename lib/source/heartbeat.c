#include "source/heartbeat.h"

#include "base/clock.h"
#include "base/error.h"

#include <libpq-fe.h>

#include <stdio.h>
#include <string.h>

/* For finding out why nothing is heard: the listener has other things to do. */
enum { PROBE_TIMEOUT_MS = 1000 };

static const char BEAT[] = "beat"; /* other payloads on that channel are numbers of barriers */

void cpi_heartbeat_reset(struct cpi_heartbeat *heartbeat)
{
    heartbeat->heard_at_ms = cpi_now_ms();
    heartbeat->beat_at_ms = heartbeat->heard_at_ms;
}

void cpi_heartbeat_heard(struct cpi_heartbeat *heartbeat)
{
    heartbeat->heard_at_ms = cpi_now_ms();
}

int cpi_heartbeat_due_ms(const struct cpi_heartbeat *heartbeat)
{
    int64_t deaf_at_ms = heartbeat->heard_at_ms + CPI_HEARTBEAT_TIMEOUT_MS;
    return cpi_left_ms(deaf_at_ms < heartbeat->beat_at_ms ? deaf_at_ms : heartbeat->beat_at_ms);
}

bool cpi_heartbeat_is(const char *payload)
{
    return strcmp(payload, BEAT) == 0;
}

/* Whether our notification waits for a lock: all notifying commits queue up behind one that waits for a synchronous
 * standby, say. Then the connection is not deaf, and connecting again would be no cure. Asked on another connection,
 * once every CPI_HEARTBEAT_TIMEOUT_MS. */
static bool is_held_up(const struct cpi_pg *pg)
{
    if (PQtransactionStatus(pg->connection) != PQTRANS_ACTIVE) {
        return false;
    }
    char pid[16];
    snprintf(pid, sizeof pid, "%d", PQbackendPID(pg->connection));
    struct cpi_pg_parameter parameter = {.value = pid};
    struct cpi_pg other = *pg;
    other.connection = NULL;
    other.connect_timeout_ms = PROBE_TIMEOUT_MS;
    other.statement_timeout_ms = PROBE_TIMEOUT_MS;
    struct cpi_rows *result =
        cpi_pg_open(&other, NULL) != CP_OK
            ? NULL
            : cpi_pg_query(
                  &other,
                  "select from pg_catalog.pg_stat_activity where pid operator(pg_catalog.=) $1::pg_catalog.int4"
                  " and state operator(pg_catalog.=) 'active'"
                  " and wait_event_type operator(pg_catalog.=) any ('{Lock,IPC}'::pg_catalog.text[])",
                  &parameter, 1, false, NULL);
    bool held_up = cpi_rows_count(result) > 0;
    cpi_rows_free(result);
    cpi_pg_close(&other);
    return held_up;
}

/* Only the notification tells that one has arrived; the result of sending it is thrown away. */
bool cpi_heartbeat_beat(struct cpi_heartbeat *heartbeat, struct cpi_pg *pg, cp_error *err)
{
    PGconn *connection = pg->connection;
    while (PQisBusy(connection) == 0) {
        PGresult *result = PQgetResult(connection);
        if (result == NULL) {
            break;
        }
        PQclear(result);
    }
    int64_t now_ms = cpi_now_ms();
    if (now_ms - heartbeat->heard_at_ms >= CPI_HEARTBEAT_TIMEOUT_MS && is_held_up(pg)) {
        cpi_log_repeated(&heartbeat->env->log, CPI_REPEAT_HELD_UP, NULL, CP_LOG_WARN, NULL,
                         "listener: notifications are held up in Postgres, by a commit that waits");
        heartbeat->heard_at_ms = now_ms;
    }
    if (now_ms - heartbeat->heard_at_ms >= CPI_HEARTBEAT_TIMEOUT_MS) {
        cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: no notification has come back for %d s",
                  CPI_HEARTBEAT_TIMEOUT_MS / 1000);
        return false;
    }
    if (now_ms < heartbeat->beat_at_ms) {
        return true;
    }
    heartbeat->beat_at_ms = now_ms + CPI_HEARTBEAT_INTERVAL_MS;
    if (PQtransactionStatus(connection) == PQTRANS_ACTIVE) {
        return true; /* the one before is still under way */
    }
    char sql[80];
    snprintf(sql, sizeof sql, "notify %s, '%s'", heartbeat->env->channel, BEAT);
    if (PQsendQuery(connection, sql) == 0) {
        cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: %s", PQerrorMessage(connection));
        return false;
    }
    return true;
}
