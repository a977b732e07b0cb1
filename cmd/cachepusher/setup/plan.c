#include "setup/plan.h"

#include "common/complain.h"
#include "common/escape.h"
#include "setup/database.h"
#include "embedded.h"

#include <stdio.h>
#include <string.h>

#define QUERY_CANCELED "57014"
#define LOCK_NOT_AVAILABLE "55P03"

enum pass { PASS_ASK, PASS_PRINT, PASS_RUN };

enum column { COLUMN_KIND, COLUMN_BODY, COLUMN_WHY };

static const char *value_of(const PGresult *rows, int row, enum column column)
{
    return PQgetvalue(rows, row, (int)column);
}

static void print_comment(const char *comment)
{
    char line[2048];
    struct text text = {.data = line, .size = sizeof line};
    if (*comment != '\0') {
        text_add_plain(&text, comment);
        printf("-- %s\n", line);
    }
}

/* The one that holds it up: what a slot waits for are transactions that have written, wherever in the server. */
static void complain_of_wait(PGconn *pg)
{
    static const char oldest[] =
        "select who from (select pg_catalog.format('process %s of role %s in database %s (%s), since %s', pid, usename,"
        "   datname, coalesce(nullif(application_name, ''), state), pg_catalog.date_trunc('second', xact_start)) as "
        "who,"
        "   xact_start as since from pg_catalog.pg_stat_activity where backend_xid is not null"
        "  union all select pg_catalog.format('prepared transaction %L of role %s in database %s, since %s', gid, "
        "owner,"
        "   database, pg_catalog.date_trunc('second', prepared)), prepared from pg_catalog.pg_prepared_xacts) as t"
        " order by since limit 1";
    PGresult *rows = database_query(pg, oldest, 0, NULL);
    if (rows != NULL && PQntuples(rows) > 0) {
        complain("the replication slot waits for transactions to end, and could not be made in time; the oldest: %s",
                 PQgetvalue(rows, 0, 0));
    } else {
        complain("the replication slot could not be made in time, or this was interrupted; run it again");
    }
    PQclear(rows);
}

/* A lock that is waited for holds up the application behind it, so not for long. The slot's wait is one for locks,
 * too, but holds up nobody; so is an index that is built concurrently. Stricter limits of the role stay. */
static bool run_statement(PGconn *pg, const char *kind, const char *statement)
{
    static const char limits[] =
        "select set_config('lock_timeout', case when $1::boolean or $2::boolean then '0' else '5s' end, false),"
        " set_config('statement_timeout', case when (select setting::int8 from pg_settings"
        "  where name = 'statement_timeout') between 1 and 60000 then current_setting('statement_timeout')"
        "  when $1::boolean then '60s' else '0' end, false)";
    bool waits = strcmp(kind, "wait") == 0;
    const char *const parameters[] = {waits ? "true" : "false", strcmp(kind, "build") == 0 ? "true" : "false"};
    char sqlstate[6];
    PGresult *set = database_query(pg, limits, 2, parameters);
    PQclear(set);
    if (set == NULL) {
        return false;
    }
    if (database_run(pg, statement, waits ? QUERY_CANCELED : LOCK_NOT_AVAILABLE, sqlstate)) {
        return true;
    }
    if (waits && strcmp(sqlstate, QUERY_CANCELED) == 0) {
        complain_of_wait(pg);
    } else if (strcmp(sqlstate, LOCK_NOT_AVAILABLE) == 0) {
        complain("a table was locked for 5 s by another transaction, which was not to be held up: run it again");
    }
    return false;
}

/* The file says that it was loaded by hand. */
static bool load_functions(PGconn *pg)
{
    static const char say_by_whom[] = "select format('comment on schema cachepusher is %L',"
                                      " substring($1::text from 'cachepusher\\.sql [0-9a-f]{32}'))";
    const char *const text[] = {embedded_cachepusher_sql};
    char sqlstate[6];
    if (!run_statement(pg, "run", embedded_cachepusher_sql)) {
        return false;
    }
    PGresult *comment = database_query(pg, say_by_whom, 1, text);
    bool is_done = comment != NULL && database_run(pg, PQgetvalue(comment, 0, 0), "", sqlstate);
    PQclear(comment);
    return is_done;
}

static bool do_row(PGconn *pg, const PGresult *rows, int row, enum pass pass, size_t *changes)
{
    const char *kind = value_of(rows, row, COLUMN_KIND);
    const char *body = value_of(rows, row, COLUMN_BODY);
    if (strcmp(kind, "error") == 0) {
        complain("%s", body);
        return false;
    }
    bool is_note = strcmp(kind, "note") == 0;
    *changes += !is_note;
    if (pass == PASS_ASK) {
        return true;
    }
    print_comment(is_note ? body : value_of(rows, row, COLUMN_WHY));
    if (is_note) {
        return true;
    }
    bool loads = strcmp(kind, "load") == 0;
    printf("%s%s\n", loads ? "\\i db/cachepusher.sql" : body, loads ? "" : ";");
    fflush(stdout); /* before a statement that may take a while */
    if (pass == PASS_PRINT) {
        return true;
    }
    return loads ? load_functions(pg) : run_statement(pg, kind, body);
}

static bool go_through(PGconn *pg, const struct plan_step *steps, size_t count, enum pass pass, size_t *changes)
{
    bool has_functions = true;
    *changes = 0;
    for (size_t i = 0; i < count; i++) {
        const struct plan_step *step = &steps[i];
        if (step->needs_functions && !has_functions) {
            continue;
        }
        PGresult *rows = database_query(pg, step->query, step->parameter_count, step->parameters);
        bool is_done = rows != NULL;
        for (int row = 0; is_done && row < PQntuples(rows); row++) {
            has_functions =
                has_functions && (pass == PASS_RUN || strcmp(value_of(rows, row, COLUMN_KIND), "load") != 0);
            is_done = do_row(pg, rows, row, pass, changes);
        }
        PQclear(rows);
        if (!is_done) {
            return false;
        }
    }
    if (pass == PASS_PRINT && !has_functions) {
        print_comment("and cachepusher.watch() for each watched table whose triggers that does not find right");
    }
    return true;
}

bool plan_carry_out(PGconn *pg, const struct plan_step *steps, size_t count, bool is_dry, size_t *changes)
{
    return go_through(pg, steps, count, PASS_ASK, changes) &&
           go_through(pg, steps, count, is_dry ? PASS_PRINT : PASS_RUN, changes);
}
