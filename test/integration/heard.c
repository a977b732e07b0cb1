#include "heard.h"

#include "servers.h"

#include <stdio.h>
#include <string.h>

PGconn *listen_to(struct fixture *f, const char *channel)
{
    PGconn *ear = connect_again(f);
    char *name = PQescapeIdentifier(ear, channel, strlen(channel));
    char statement[256];
    snprintf(statement, sizeof statement, "listen %s; listen fence", name);
    PQfreemem(name);
    sql_on(ear, statement);
    sql(f, "set client_min_messages = warning; create temp table if not exists heard (channel text, payload text)");
    return ear;
}

static void keep(struct fixture *f, const PGnotify *notification)
{
    const char *values[] = {notification->relname, notification->extra};
    PGresult *result = PQexecParams(f->pg, "insert into heard values ($1, $2)", 2, NULL, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    REQUIRE(status == PGRES_COMMAND_OK);
}

static PGnotify *next_notification(PGconn *ear)
{
    PGnotify *notification = PQnotifies(ear);
    if (notification == NULL) {
        REQUIRE(PQconsumeInput(ear) == 1);
        notification = PQnotifies(ear);
    }
    return notification;
}

void gather(struct fixture *f, PGconn *ear)
{
    sql(f, "delete from heard; notify fence");
    for (bool done = false; !done;) {
        PGnotify *notification = NULL;
        WAIT_UNTIL((notification = next_notification(ear)) != NULL);
        done = strcmp(notification->relname, "fence") == 0;
        if (!done) {
            keep(f, notification);
        }
        PQfreemem(notification);
    }
}

void expect_gathered(struct fixture *f, PGconn *ear, const char *statements, const char *expected)
{
    gather(f, ear);
    PGresult *result = PQexec(
        f->pg, "select coalesce(string_agg(distinct id collate \"C\", ' ' order by id collate \"C\"), '') from heard,"
               " lateral (select '*' where payload = '*' union all"
               " select i::text from json_array_elements(nullif(payload, '*')::json) i)"
               " as ids(id)");
    char heard[1024];
    snprintf(heard, sizeof heard, "%s",
             PQresultStatus(result) == PGRES_TUPLES_OK ? PQgetvalue(result, 0, 0) : PQerrorMessage(f->pg));
    PQclear(result);
    if (strcmp(heard, expected) != 0) {
        fail_at(__FILE__, __LINE__, "%.300s: announced %s; expected %s", statements, heard, expected);
    }
}

void gather_watched(struct fixture *f, PGconn *ear)
{
    gather(f, ear);
    REQUIRE_INT(sql_number(f, "select count(*) from heard where payload = '*'"), >, 0);
}

void expect_heard(struct fixture *f, PGconn *ear, const char *statements, const char *expected)
{
    sql(f, statements);
    expect_gathered(f, ear, statements, expected);
}

void expect_error(struct fixture *f, const char *statement, const char *part)
{
    PGresult *result = PQexec(f->pg, statement);
    char message[512];
    snprintf(message, sizeof message, "%s", PQresultErrorMessage(result));
    PQclear(result);
    REQUIRE_CONTAINS(message, part);
}
