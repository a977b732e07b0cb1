#include "postgres/pg_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/pulse.h"
#include "postgres/message.h"

#include <libpq-fe.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* The server is given this much longer than its own timeout before it counts as gone. */
enum { TIMEOUT_MARGIN_MS = 1000, WATCH_EVERY_MS = 500, MAX_PARAMETERS = 5, STREAM_PATIENCE = 10 };

bool cpi_pg_is_open(const struct cpi_pg *pg)
{
    return pg->connection != NULL;
}

void cpi_pg_close(struct cpi_pg *pg)
{
    if (pg->connection != NULL && pg->is_counted) {
        cpi_stats_add(pg->stats, CPI_STAT_POSTGRES_CONNECTIONS, -1);
        cpi_sockets_remove(&pg->stats->sockets, pg->socket);
    }
    pg->is_counted = false;
    PQfinish(pg->connection);
    pg->connection = NULL;
}

int cpi_pg_fd(const struct cpi_pg *pg)
{
    return PQsocket(pg->connection);
}

cp_code cpi_pg_no_memory(struct cpi_pg *pg, cp_error *err)
{
    pg->failure = CPI_FAILURE_MEMORY;
    return cpi_error_memory(err);
}

cp_code cpi_pg_give_up(struct cpi_pg *pg)
{
    cpi_pg_close(pg);
    pg->failure = CPI_FAILURE_CONNECTION;
    return CP_ERR_POSTGRES;
}

enum cpi_failure cpi_pg_strange(struct cpi_pg *pg, cp_error *err)
{
    cpi_error(err, CP_ERR_POSTGRES, true,
              "Postgres: not the answer that this statement has; is there a proxy in between?");
    cpi_pg_give_up(pg);
    return pg->failure;
}

/* ---- waiting ---- */

/* Waits until the socket is ready, the deadline (-1: none) has passed or we are to give up. */
static cp_code wait_in_pieces(struct cpi_pg *pg, short events, int64_t deadline_ms, cp_error *err)
{
    struct pollfd fds[] = {{.fd = PQsocket(pg->connection), .events = events}, {.fd = pg->cancel_fd, .events = POLLIN}};
    int ready;
    bool is_late;
    do {
        cpi_pulse_beat();
        int64_t now_ms = cpi_now_ms();
        if (pg->watch != NULL && now_ms - pg->watched_ms >= WATCH_EVERY_MS) {
            pg->watched_ms = now_ms;
            if (!pg->watch(pg->watch_context)) {
                break;
            }
        }
        /* Looked at whether or not something is there: a server that never ends its answer is late, too. */
        is_late = deadline_ms >= 0 && now_ms >= deadline_ms;
        int left_ms = deadline_ms < 0 ? -1 : cpi_left_ms(deadline_ms);
        bool watching = pg->watch != NULL && (left_ms < 0 || left_ms > WATCH_EVERY_MS);
        ready = is_late ? 0 : poll(fds, 2, watching ? WATCH_EVERY_MS : cpi_pulse_slice(left_ms));
        if (ready < 0 && errno != EINTR) {
            return cpi_error(err, CP_ERR_SYSTEM, true, "poll: %s", strerror(errno));
        }
        if (ready > 0 && fds[1].revents != 0) {
            return cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: given up, stopping");
        }
        if (ready > 0) {
            return CP_OK;
        }
    } while (!is_late);
    return cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: no answer in time");
}

cp_code cpi_pg_wait_socket(struct cpi_pg *pg, short events, int64_t deadline_ms, cp_error *err)
{
    cpi_pulse_waits(CP_WAIT_POSTGRES);
    cp_code code = wait_in_pieces(pg, events, deadline_ms, err);
    cpi_pulse_waits(CP_WAIT_NONE);
    return code;
}

cp_code cpi_pg_connection_lost(struct cpi_pg *pg, cp_error *err)
{
    cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: %s", PQerrorMessage(pg->connection));
    return cpi_pg_give_up(pg);
}

/* Sends what libpq holds. Keeps reading meanwhile: a server that blocks on its own output reads nothing. */
static cp_code flush(struct cpi_pg *pg, int64_t deadline_ms, cp_error *err)
{
    int left;
    while ((left = PQflush(pg->connection)) > 0) {
        if (cpi_pg_wait_socket(pg, POLLIN | POLLOUT, deadline_ms, err) != CP_OK) {
            return cpi_pg_give_up(pg);
        }
        if (PQconsumeInput(pg->connection) == 0) {
            return cpi_pg_connection_lost(pg, err);
        }
    }
    return left < 0 ? cpi_pg_connection_lost(pg, err) : CP_OK;
}

static int64_t deadline_from(const struct cpi_pg *pg, int64_t now_ms)
{
    return pg->statement_timeout_ms > 0 ? now_ms + pg->statement_timeout_ms + TIMEOUT_MARGIN_MS : -1;
}

/* The next result, NULL in *result when there is none left. extend_until_ms: what moves is waited for until then; 0: no
 * longer than the deadline. */
static cp_code next_result(struct cpi_pg *pg, int64_t deadline_ms, int64_t extend_until_ms, PGresult **result,
                           cp_error *err)
{
    while (PQisBusy(pg->connection) != 0) {
        if (cpi_pg_wait_socket(pg, POLLIN, deadline_ms, err) != CP_OK) {
            return cpi_pg_give_up(pg);
        }
        if (PQconsumeInput(pg->connection) == 0) {
            return cpi_pg_connection_lost(pg, err);
        }
        int64_t extended_ms = deadline_from(pg, cpi_now_ms());
        if (extend_until_ms > 0 && deadline_ms >= 0) {
            deadline_ms = extended_ms < extend_until_ms ? extended_ms : extend_until_ms;
        }
    }
    *result = PQgetResult(pg->connection);
    return CP_OK;
}

/* ---- statements ---- */

static bool has_class(const char *sqlstate, const char *const *classes)
{
    while (*classes != NULL && strncmp(sqlstate, *classes, strlen(*classes)) != 0) {
        classes++;
    }
    return *classes != NULL;
}

/* Whether an error calls for another connection: when the server ends this one (FATAL), and, unless this one is new,
 * when it may be the session that is wrong: 25006 read-only after a demotion, 0A "cached plan must not change result
 * type", 26 "prepared statement does not exist". Every other ERROR is the statement's own, whatever its code says: a
 * function can raise any, and one corrupt row (XX) or huge document (53) is no reason to give up a connection. */
static bool calls_for_reconnect(const struct cpi_pg *pg, const PGresult *result)
{
    static const char *const session[] = {"25006", "0A", "26", NULL};
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (severity == NULL || sqlstate == NULL || PQstatus(pg->connection) != CONNECTION_OK) {
        return true;
    }
    return strcmp(severity, "ERROR") != 0 || (pg->proven && has_class(sqlstate, session));
}

static cp_code statement_failed(struct cpi_pg *pg, const PGresult *result, cp_error *err)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    bool trouble = calls_for_reconnect(pg, result);
    cpi_message_of_server(message != NULL ? message : PQresultErrorMessage(result),
                          PQresultErrorField(result, PG_DIAG_MESSAGE_HINT), trouble, err);
    pg->failure = CPI_FAILURE_STATEMENT;
    return trouble ? cpi_pg_give_up(pg) : CP_ERR_POSTGRES;
}

/* Sends what has been queued and collects its one result. */
static PGresult *pg_finish(struct cpi_pg *pg, int sent, cp_error *err)
{
    if (sent == 0) {
        cpi_pg_connection_lost(pg, err);
        return NULL;
    }
    int64_t deadline_ms = deadline_from(pg, cpi_now_ms());
    PGresult *result = NULL;
    if (flush(pg, deadline_ms, err) != CP_OK || next_result(pg, deadline_ms, 0, &result, err) != CP_OK) {
        return NULL;
    }
    /* libpq wants to be asked until it says that there is no more. */
    PGresult *more = NULL;
    if (next_result(pg, deadline_ms, 0, &more, err) != CP_OK) {
        PQclear(result);
        return NULL;
    }
    PQclear(more);

    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        statement_failed(pg, result, err);
        PQclear(result);
        return NULL;
    }
    return result;
}

static cp_code finish_without_rows(struct cpi_pg *pg, int sent, cp_error *err)
{
    PGresult *result = pg_finish(pg, sent, err);
    if (result == NULL) {
        return CP_ERR_POSTGRES;
    }
    PQclear(result);
    return CP_OK;
}

/* libpq wants parameters as parallel arrays. */
struct unzipped {
    Oid types[MAX_PARAMETERS];
    const char *values[MAX_PARAMETERS];
    int lengths[MAX_PARAMETERS];
    int formats[MAX_PARAMETERS];
};

static struct unzipped unzip(const struct cpi_pg_parameter *parameters, int count)
{
    struct unzipped out = {0};
    for (int i = 0; i < count && i < MAX_PARAMETERS; i++) {
        out.types[i] = parameters[i].type;
        out.values[i] = parameters[i].value;
        out.lengths[i] = (int)parameters[i].length;
        out.formats[i] = parameters[i].type != 0;
    }
    return out;
}

struct cpi_rows *cpi_pg_query(struct cpi_pg *pg, const char *sql, const struct cpi_pg_parameter *parameters, int count,
                              bool binary, cp_error *err)
{
    struct unzipped p = unzip(parameters, count);
    return (struct cpi_rows *)pg_finish(
        pg, PQsendQueryParams(pg->connection, sql, count, p.types, p.values, p.lengths, p.formats, binary), err);
}

struct cpi_rows *cpi_pg_execute(struct cpi_pg *pg, const char *name, const struct cpi_pg_parameter *parameters,
                                int count, bool binary, cp_error *err)
{
    struct unzipped p = unzip(parameters, count);
    PGresult *result =
        pg_finish(pg, PQsendQueryPrepared(pg->connection, name, count, p.values, p.lengths, p.formats, binary), err);
    pg->proven = pg->proven || result != NULL;
    return (struct cpi_rows *)result;
}

cp_code cpi_pg_stream(struct cpi_pg *pg, const char *name, const struct cpi_pg_parameter *parameters, int count,
                      cp_error *err)
{
    struct unzipped p = unzip(parameters, count);
    if (PQsendQueryPrepared(pg->connection, name, count, p.values, p.lengths, p.formats, true) == 0 ||
        PQsetSingleRowMode(pg->connection) == 0) {
        return cpi_pg_connection_lost(pg, err);
    }
    pg->streaming_ms = cpi_now_ms();
    return flush(pg, deadline_from(pg, pg->streaming_ms), err);
}

/* The next result of rows that are streamed. What has arrived is taken without a look at the clock, which would be one
 * a row: a server that never ends its answer has us wait between. */
static cp_code next_streamed(struct cpi_pg *pg, PGresult **result, cp_error *err)
{
    int64_t deadline_ms = -1;
    int64_t until_ms = pg->streaming_ms + STREAM_PATIENCE * (int64_t)pg->statement_timeout_ms + TIMEOUT_MARGIN_MS;
    if (pg->statement_timeout_ms > 0 && PQisBusy(pg->connection) != 0) {
        int64_t now_ms = cpi_now_ms();
        if (now_ms > until_ms) {
            cpi_error(err, CP_ERR_POSTGRES, true, "Postgres: no end of the rows in time");
            return cpi_pg_give_up(pg);
        }
        deadline_ms = deadline_from(pg, now_ms);
    }
    return next_result(pg, deadline_ms, until_ms, result, err);
}

cp_code cpi_pg_stream_next(struct cpi_pg *pg, struct cpi_rows **rows, cp_error *err)
{
    PGresult *result = NULL;
    *rows = NULL;
    if (next_streamed(pg, &result, err) != CP_OK) {
        return CP_ERR_POSTGRES;
    }
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_SINGLE_TUPLE) {
        *rows = (struct cpi_rows *)result;
        return CP_OK;
    }
    PGresult *more = NULL;
    if (next_streamed(pg, &more, err) != CP_OK) {
        PQclear(result);
        return CP_ERR_POSTGRES;
    }
    PQclear(more);
    cp_code code = CP_OK;
    if (status != PGRES_TUPLES_OK) {
        statement_failed(pg, result, err);
        code = CP_ERR_POSTGRES;
    }
    pg->proven = pg->proven || code == CP_OK;
    PQclear(result);
    return code;
}

cp_code cpi_pg_prepare(struct cpi_pg *pg, const char *name, const char *sql, cp_error *err)
{
    return finish_without_rows(pg, PQsendPrepare(pg->connection, name, sql, 0, NULL), err);
}

cp_code cpi_pg_column_type(struct cpi_pg *pg, const char *name, int column, Oid *type, cp_error *err)
{
    PGresult *result = pg_finish(pg, PQsendDescribePrepared(pg->connection, name), err);
    if (result == NULL) {
        return CP_ERR_POSTGRES;
    }
    *type = column < PQnfields(result) ? PQftype(result, column) : 0;
    PQclear(result);
    return CP_OK;
}

cp_code cpi_pg_describe(struct cpi_pg *pg, const char *name, struct cpi_pg_shape *shape, cp_error *err)
{
    PGresult *result = pg_finish(pg, PQsendDescribePrepared(pg->connection, name), err);
    if (result == NULL) {
        return CP_ERR_POSTGRES;
    }
    *shape = (struct cpi_pg_shape){.parameters = PQnparams(result), .columns = PQnfields(result)};
    shape->type = shape->columns > 0 ? PQftype(result, 0) : 0;
    shape->parameter = shape->parameters > 0 ? PQparamtype(result, 0) : 0;
    PQclear(result);
    return CP_OK;
}
