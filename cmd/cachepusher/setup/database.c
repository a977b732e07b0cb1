#include "setup/database.h"

#include "common/complain.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { CONNINFO_BYTES = 8192 };

/* For the handler, which PQcancel() may be called from. */
static PGcancel *cancel;

static void cancel_statement(int signal_number)
{
    char reason[256];
    (void)signal_number;
    PQcancel(cancel, reason, sizeof reason);
}

static void cancel_on_signals(PGconn *pg)
{
    const struct sigaction action = {.sa_handler = cancel_statement, .sa_flags = SA_RESTART};
    cancel = PQgetCancel(pg);
    if (cancel != NULL) {
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
    }
}

/* Postgres' messages are for psql: several lines, with a hint that is often what helps. */
static void complain_of(const PGresult *result, PGconn *pg)
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    if (primary == NULL) {
        const char *message = PQerrorMessage(pg);
        complain("Postgres: %.*s", (int)strcspn(message, "\n"), message);
    } else {
        complain("Postgres: %s%s%s", primary, hint != NULL ? "; " : "", hint != NULL ? hint : "");
    }
}

static void keep_silent(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

PGconn *database_open(const cp_config *config)
{
    char conninfo[CONNINFO_BYTES];
    char password[CONNINFO_BYTES] = "";
    char timeout_ms[16];
    char timeout_s[16];
    cp_error err;
    if (cp_config_get(config, "postgres", conninfo, sizeof conninfo, &err) != CP_OK ||
        cp_config_password(config, "postgres_password_file", password, sizeof password, &err) != CP_OK ||
        cp_config_get(config, "connect_timeout_ms", timeout_ms, sizeof timeout_ms, &err) != CP_OK) {
        complain("%s", err.message);
        return NULL;
    }
    snprintf(timeout_s, sizeof timeout_s, "%.*s", strlen(timeout_ms) > 3 ? (int)strlen(timeout_ms) - 3 : 0, timeout_ms);
    /* The connection string, which comes later, beats what stands before it. */
    const char *const keywords[] = {"connect_timeout",
                                    "target_session_attrs",
                                    "dbname",
                                    "client_encoding",
                                    "fallback_application_name",
                                    "password",
                                    NULL};
    const char *const values[] = {
        *timeout_s != '\0' ? timeout_s : "1", "primary", conninfo, "UTF8", "cachepusher setup",
        *password != '\0' ? password : NULL,  NULL};
    PGconn *pg = PQconnectdbParams(keywords, values, 1);
    explicit_bzero(password, sizeof password);
    if (pg == NULL || PQstatus(pg) != CONNECTION_OK) {
        const char *message = pg != NULL ? PQerrorMessage(pg) : "out of memory";
        complain("Postgres: %.*s", (int)strcspn(message, "\n"), message);
        PQfinish(pg);
        return NULL;
    }
    PQsetNoticeReceiver(pg, keep_silent, NULL);
    cancel_on_signals(pg);
    return pg;
}

void database_close(PGconn *pg)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    PQfreeCancel(cancel);
    cancel = NULL;
    PQfinish(pg);
}

bool database_pin_path(PGconn *pg)
{
    PGresult *result =
        database_query(pg, "select pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)", 0, NULL);
    PQclear(result);
    return result != NULL;
}

PGresult *database_query(PGconn *pg, const char *query, int parameter_count, const char *const *parameters)
{
    PGresult *result = PQexecParams(pg, query, parameter_count, NULL, parameters, NULL, NULL, 0);
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        return result;
    }
    complain_of(result, pg);
    PQclear(result);
    return NULL;
}

bool database_run(PGconn *pg, const char *statements, const char *silent_about, char sqlstate[6])
{
    PGresult *result = PQexec(pg, statements);
    ExecStatusType status = PQresultStatus(result);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool is_done = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    snprintf(sqlstate, 6, "%s", state != NULL ? state : "");
    if (!is_done && strcmp(sqlstate, silent_about) != 0) {
        complain_of(result, pg);
    }
    PQclear(result);
    return is_done;
}
