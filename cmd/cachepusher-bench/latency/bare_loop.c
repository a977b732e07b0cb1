#include "latency/bare_loop.h"

#include "fatal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
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

static void follow(PGconn *pg, redisContext *redis)
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

/* ---- its process ---- */

static void serve(const struct servers *servers, int ready)
{
    PGconn *pg = servers_postgres(servers);
    redisContext *redis = servers_redis(servers);
    PGresult *result = PQprepare(pg, "fetch", "select customer_get($1)", 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        fatal("bare loop: %s", PQerrorMessage(pg));
    }
    PQclear(result);
    pg_do(pg, "listen customer_updated");
    pg_do(pg, "listen customer_deleted");
    if (write(ready, "", 1) != 1) {
        fatal("bare loop: %s", strerror(errno));
    }
    follow(pg, redis);
}

pid_t bare_loop_start(const struct servers *servers)
{
    int ready[2];
    pid_t parent = getpid();
    char byte;
    if (pipe2(ready, O_CLOEXEC) == -1) {
        fatal("cannot make a pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid == -1) {
        fatal("cannot start the bare loop: %s", strerror(errno));
    }
    if (pid == 0) {
        close(ready[0]);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent) { /* it has not died in between */
            serve(servers, ready[1]);
        }
        _exit(1);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) {
        fatal("the bare loop did not start");
    }
    close(ready[0]);
    return pid;
}

/* There is nothing it would have to finish. */
void bare_loop_stop(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) == -1 && errno == EINTR) {
    }
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        fatal("the bare loop has ended by itself");
    }
}
