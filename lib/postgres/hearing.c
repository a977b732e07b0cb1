#include "postgres/hearing.h"

#include "base/clock.h"
#include "base/error.h"

#include <libpq-fe.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>

/* A commit that waits, for a standby for instance, holds up notifications of others as well. */
enum { HEARING_MS = 5000 };

static cp_code run_statement(struct cpi_pg *pg, const char *sql, cp_error *err)
{
    struct cpi_rows *rows = cpi_pg_query(pg, sql, NULL, 0, false, err);
    cpi_rows_free(rows);
    return rows != NULL ? CP_OK : CP_ERR_POSTGRES;
}

static bool has_heard(struct cpi_pg *pg, const char *channel)
{
    bool heard = false;
    PGnotify *notification;
    while ((notification = PQnotifies(pg->connection)) != NULL) {
        heard = heard || strcmp(notification->relname, channel) == 0;
        PQfreemem(notification);
    }
    return heard;
}

static cp_code wait_to_hear(struct cpi_pg *pg, const char *channel, const char *cure, cp_error *err)
{
    int64_t deadline_ms = cpi_now_ms() + HEARING_MS;
    while (!has_heard(pg, channel)) {
        struct pollfd fds[] = {{.fd = cpi_pg_fd(pg), .events = POLLIN}, {.fd = pg->cancel_fd, .events = POLLIN}};
        int left_ms = cpi_left_ms(deadline_ms);
        if (left_ms == 0) {
            return cpi_error(err, CP_ERR_POSTGRES, false,
                             "Postgres: a notification to ourselves has not come back within %d s; %s",
                             HEARING_MS / 1000, cure);
        }
        poll(fds, 2, left_ms);
        if (fds[1].revents != 0) {
            return cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: given up, stopping");
        }
        if (PQconsumeInput(pg->connection) == 0) {
            return cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: %s", PQerrorMessage(pg->connection));
        }
    }
    return CP_OK;
}

cp_code cpi_hearing_prove(struct cpi_pg *pg, struct cpi_pg *other, const char *channel, const char *cure, cp_error *err)
{
    char sql[128];
    snprintf(sql, sizeof sql, "listen %s", channel);
    cp_code code = run_statement(pg, sql, err);
    code = code == CP_OK ? cpi_pg_open(other, err) : code;
    snprintf(sql, sizeof sql, "notify %s, 'proof'", channel);
    code = code == CP_OK ? run_statement(other, sql, err) : code;
    code = code == CP_OK ? wait_to_hear(pg, channel, cure, err) : code;
    cpi_pg_close(other);
    /* Behind a pooler the session is somebody else's next. */
    cp_code ended = cpi_pg_is_open(pg) ? run_statement(pg, "unlisten *", code == CP_OK ? err : NULL) : CP_OK;
    return code == CP_OK ? ended : code;
}
