#include "daemon.h"

#include "command_line.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { START_MS = 5000, STOP_MS = 30000 };

static void name_log(const struct daemon *daemon, int incarnation, char *log, size_t size)
{
    format_into(log, size, "%s/daemon%d.%d.log", daemon->dir, daemon->slot, incarnation);
}

/* Whether a line contains one of the texts; if so, the line (size 0: it is not wanted). */
static bool log_has(const char *log, const char *const *texts, char *found, size_t size)
{
    FILE *file = fopen(log, "r");
    char *line = NULL;
    size_t capacity = 0;
    bool has = false;
    while (!has && file != NULL && getline(&line, &capacity, file) > 0) {
        for (int i = 0; texts[i] != NULL && !has; i++) {
            has = strstr(line, texts[i]) != NULL;
        }
    }
    if (has && size > 0) {
        snprintf(found, size, "%.*s", (int)strcspn(line, "\n"), line);
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return has;
}

/* The daemon has ended, and its log has been read to the end. */
static void end_log_reader(struct daemon *daemon)
{
    if (daemon->log_reader.pid != 0) {
        process_signal(&daemon->log_reader, SIGCONT);
        if (!process_wait(&daemon->log_reader, STOP_MS)) {
            die("the reader of %s does not end", daemon->log_reader.log);
        }
    }
}

/* A log shipper: what comes through a pipe is written to the log. */
static void start_log_reader(struct daemon *daemon, const char *pipe_path, const char *log)
{
    end_log_reader(daemon);
    unlink(pipe_path);
    if (mkfifo(pipe_path, 0600) != 0) {
        die("cannot make %s", pipe_path);
    }
    process_start(&daemon->log_reader, log, AS_OURSELVES, (const char *const[]){"cat", pipe_path, NULL});
}

pid_t daemon_log_reader(const struct daemon *daemon)
{
    return daemon->log_reader.pid;
}

void daemon_start(struct daemon *daemon)
{
    char log[2 * PATH_BYTES];
    char pipe_path[2 * PATH_BYTES];
    name_log(daemon, ++daemon->incarnation, log, sizeof log);
    format_into(pipe_path, sizeof pipe_path, "%s/daemon%d.pipe", daemon->dir, daemon->slot);
    start_log_reader(daemon, pipe_path, log);
    process_start(&daemon->process, pipe_path, AS_OURSELVES, command_line(daemon));
    format_into(daemon->process.log, sizeof daemon->process.log, "%s", log);
}

bool daemon_is_there(const struct daemon *daemon)
{
    return daemon->process.pid != 0;
}

bool daemon_has_started(const struct daemon *daemon)
{
    return log_has(daemon->process.log, (const char *const[]){"resync: start", "resync: resumed", "standing by", NULL},
                   NULL, 0);
}

struct condition {
    bool leased; /* or standing by: it knows who writes */
    bool listens;
    bool stands_by;
    bool resyncs;
};

static void learn(struct condition *now, const char *line)
{
    if (strstr(line, "listener: ") != NULL && strstr(line, "connecting again") != NULL) {
        now->listens = now->stands_by; /* who stands by does not listen, and says so once more at most */
    } else if (strstr(line, "lease: ") != NULL && strstr(line, "connecting again") != NULL) {
        now->leased = false;
    } else if (strstr(line, "standing by") != NULL) {
        *now = (struct condition){.leased = true, .listens = true, .stands_by = true};
    } else if (strstr(line, "lease: held again") != NULL) {
        now->leased = true;
        now->resyncs = true;
    } else if (strstr(line, "listening again") != NULL) {
        now->listens = true;
        now->resyncs = true;
    } else if (strstr(line, "taking over") != NULL || strstr(line, "resync: start") != NULL ||
               strstr(line, "replication: resumed") != NULL) {
        *now = (struct condition){.leased = true, .listens = true, .resyncs = true};
    } else if (strstr(line, "info  resync: ") != NULL && strstr(line, "documents settled") == NULL) {
        now->resyncs = true; /* the cause of one that begins */
    } else if (strstr(line, "resync done:") != NULL || strstr(line, "ready:") != NULL ||
               strstr(line, "info  resumed:") != NULL) {
        now->resyncs = false;
    }
}

static struct condition condition_of(const struct daemon *daemon)
{
    FILE *file = fopen(daemon->process.log, "r");
    char *line = NULL;
    size_t capacity = 0;
    struct condition now = {0};
    while (file != NULL && getline(&line, &capacity, file) > 0) {
        learn(&now, line);
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return now;
}

bool daemon_is_at_rest(const struct daemon *daemon)
{
    struct condition now = condition_of(daemon);
    return now.leased && now.listens && (now.stands_by || !now.resyncs);
}

bool daemon_writes(const struct daemon *daemon)
{
    struct condition now = condition_of(daemon);
    return now.leased && now.listens && !now.stands_by;
}

long daemon_log_size(const struct daemon *daemon)
{
    struct stat about;
    return stat(daemon->process.log, &about) == 0 ? (long)about.st_size : 0;
}

void daemon_kill(struct daemon *daemon)
{
    daemon_watch(daemon);
    process_kill(&daemon->process);
    end_log_reader(daemon);
}

void daemon_watch(struct daemon *daemon)
{
    if (daemon->process.pid != 0 && !process_is_running(&daemon->process)) {
        char how[64];
        blame("the daemon has ended by itself: %s; see %s", process_ending(&daemon->process, how, sizeof how),
              daemon->process.log);
    }
}

static bool has_said_something(void *context)
{
    const struct daemon *daemon = context;
    return log_has(daemon->process.log, (const char *const[]){"", NULL}, NULL, 0);
}

/* A resync that a TRUNCATE called for has been cut short. That is no more than it says, and Redis is compared all the
 * same: who truncated tables has stopped long before, and the documents can be right before the resync has ended. */
static bool is_cut_short(const struct daemon *daemon)
{
    static const char *const words[] = {"error a resync that events called for was cut short", NULL};
    return log_has(daemon->process.log, words, NULL, 0);
}

void daemon_stop(struct daemon *daemon, bool may_fail)
{
    static const int unsettled = 1 << 8; /* exit code 1, as waitpid() has it */
    char how[64];
    wait_until(has_said_something, daemon, START_MS); /* sooner, the signal still has its usual effect */
    daemon_watch(daemon);
    if (daemon->process.pid == 0) {
        return;
    }
    process_signal(&daemon->process, SIGTERM);
    if (!process_wait(&daemon->process, STOP_MS)) {
        blame("the daemon does not stop; see %s", daemon->process.log);
        process_signal(&daemon->process, SIGABRT); /* a core tells where it hangs */
    } else if (daemon->process.status != 0 &&
               !(daemon->process.status == unsettled && (may_fail || is_cut_short(daemon)))) {
        blame("the daemon has stopped with %s; see %s", process_ending(&daemon->process, how, sizeof how),
              daemon->process.log);
    }
    end_log_reader(daemon);
}

void daemon_read_logs(const struct daemon *daemon)
{
    for (int i = 1; i <= daemon->incarnation; i++) {
        char log[2 * PATH_BYTES];
        char line[256];
        name_log(daemon, i, log, sizeof log);
        if (log_has(log, (const char *const[]){"Sanitizer", "runtime error:", "Assertion", NULL}, line, sizeof line)) {
            blame("%s: %s", log, line);
        }
    }
}
