#include "sources/bare_loop.h"

#include "fatal.h"
#include "sources/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the loop itself ---- */

/* The numbers of "[1,2,3]", or of "1". */
static const char *next_id(const char **rest)
{
    const char *id = *rest + strspn(*rest, "[, ");
    *rest = id + strspn(id, "-0123456789");
    return *rest != id ? id : NULL;
}

static void store(PGconn *pg, redisContext *redis, const char *id, size_t id_length)
{
    char text[24] = "";
    memcpy(text, id, id_length < sizeof text ? id_length : sizeof text - 1);

    const char *parameters[] = {text};
    PGresult *result = PQexecPrepared(pg, "fetch", 1, parameters, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fatal("bare loop: %s", PQerrorMessage(pg));
    }
    redisReply *reply = PQgetisnull(result, 0, 0)
                            ? redisCommand(redis, "DEL customer:%s", text)
                            : redisCommand(redis, "SET customer:%s %b", text, PQgetvalue(result, 0, 0),
                                           (size_t)PQgetlength(result, 0, 0));
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        fatal("bare loop: %s", reply == NULL ? redis->errstr : reply->str);
    }
    freeReplyObject(reply);
    PQclear(result);
}

static void follow_notifications(PGconn *pg, redisContext *redis)
{
    struct pollfd socket = {.fd = PQsocket(pg), .events = POLLIN};
    PGnotify *notification;

    for (;;) {
        while ((notification = PQnotifies(pg)) != NULL) {
            const char *rest = notification->extra;
            const char *id;
            while ((id = next_id(&rest)) != NULL) {
                store(pg, redis, id, (size_t)(rest - id));
            }
            PQfreemem(notification);
        }
        if (poll(&socket, 1, -1) == -1 && errno != EINTR) {
            fatal("bare loop: poll: %s", strerror(errno));
        }
        if (!PQconsumeInput(pg)) {
            fatal("bare loop: %s", PQerrorMessage(pg));
        }
    }
}

/* The id in a line of wal2json, {"action":"U","table":"customer","columns":[{"name":"id_customer",…,"value":17},…]}; of
 * a deletion, in "identity" instead. NULL: none. */
static const char *find_id(const char *line)
{
    static const char value[] = "\"value\":";
    const char *name =
        strstr(line, "\"table\":\"address\"") != NULL ? "\"name\":\"fk_customer\"" : "\"name\":\"id_customer\"";
    const char *found = strstr(line, name);
    found = found != NULL ? strstr(found, value) : NULL;
    return found != NULL ? found + strlen(value) : NULL;
}

static void follow_lines(PGconn *pg, redisContext *redis, int lines)
{
    FILE *file = fdopen(lines, "r");
    char *line = NULL;
    size_t size = 0;

    while (file != NULL && getline(&line, &size, file) > 0) {
        const char *rest = find_id(line);
        const char *id = rest != NULL ? next_id(&rest) : NULL;
        if (id == NULL) {
            fatal("bare loop: pg_recvlogical: %s", line);
        }
        store(pg, redis, id, (size_t)(rest - id));
    }
    fatal("bare loop: pg_recvlogical has ended");
}

/* ---- its process ---- */

static void serve(const struct servers *servers, const struct bare_loop *loop, int ready)
{
    PGconn *pg = servers_postgres(servers);
    redisContext *redis = servers_redis(servers);
    PGresult *result = PQprepare(pg, "fetch", "select customer_get($1)", 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fatal("bare loop: %s", PQerrorMessage(pg));
    }
    PQclear(result);
    if (loop->source == SOURCE_NOTIFY) {
        pg_do(pg, "listen customer_updated");
        pg_do(pg, "listen customer_deleted");
    }
    if (write(ready, "", 1) != 1) {
        fatal("bare loop: %s", strerror(errno));
    }
    if (loop->source == SOURCE_NOTIFY) {
        follow_notifications(pg, redis);
    } else {
        follow_lines(pg, redis, loop->stream.output);
    }
}

void bare_loop_start(struct bare_loop *loop, const struct servers *servers, PGconn *pg, enum source source)
{
    int ready[2];
    pid_t parent = getpid();
    char byte;
    *loop = (struct bare_loop){.source = source};
    if (source == SOURCE_WAL2JSON) {
        stream_start(&loop->stream, servers, pg, source);
    }
    if (pipe2(ready, O_CLOEXEC) == -1) {
        fatal("cannot make a pipe: %s", strerror(errno));
    }
    loop->pid = fork();
    if (loop->pid == -1) {
        fatal("cannot start the bare loop: %s", strerror(errno));
    }
    if (loop->pid == 0) {
        close(ready[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) { /* it has not died in between */
            serve(servers, loop, ready[1]);
        }
        _exit(1);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) {
        fatal("the bare loop did not start");
    }
    close(ready[0]);
}

/* There is nothing it would have to finish. */
void bare_loop_stop(struct bare_loop *loop)
{
    int status;
    kill(loop->pid, SIGKILL);
    while (waitpid(loop->pid, &status, 0) == -1 && errno == EINTR) {
    }
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fatal("the bare loop has ended by itself");
    }
    if (loop->source == SOURCE_WAL2JSON) {
        stream_stop(&loop->stream);
    }
}
