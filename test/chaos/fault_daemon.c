/* What happens to the daemon's own process. */
#include "fault.h"
#include "lineup.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { START_MS = 3000 };

static struct daemon *choose(struct world *world, struct strike *strike)
{
    strike->daemon = (int)roll(&strike->random, (uint32_t)world->daemon_count);
    return &world->daemons[strike->daemon];
}

/* Started again at once, as a supervisor would. Mostly the one that writes, if it has to resume then. */
static void inject_kill(struct world *world, struct strike *strike)
{
    bool wants_writer = strcmp(choose(world, strike)->source, "wal") == 0 && roll(&strike->random, 4) > 0;
    for (int i = 0; i < world->daemon_count && wants_writer; i++) {
        strike->daemon = daemon_writes(&world->daemons[i]) ? i : strike->daemon;
    }
    resuming_kill(world, strike->daemon, 1);
}

/* A restart as an operator would do it. Where servers are away ids may be left, and it tells. */
static void inject_restart(struct world *world, struct strike *strike)
{
    struct daemon *daemon = choose(world, strike);
    lineup_ends(world, daemon);
    daemon_stop(daemon, true);
    daemon_start(daemon);
    lineup_begins(world, daemon);
}

static void inject_resync(struct world *world, struct strike *strike)
{
    struct daemon *daemon = choose(world, strike);
    if (daemon_has_started(daemon)) { /* before, the signal may still have its usual effect */
        process_signal(&daemon->process, SIGHUP);
    }
}

static void inject_stop(struct world *world, struct strike *strike)
{
    strike_stop(strike, choose(world, strike)->process.pid);
}

static void heal_stop(struct world *world, struct strike *strike)
{
    (void)world;
    strike_continue(strike);
}

static bool has_started(void *context)
{
    return daemon_has_started(context);
}

/* No more files, and its connections are reset: it cannot make them again. One that is being started when that happens
 * may give up. */
static void inject_files(struct world *world, struct strike *strike)
{
    struct rlimit none = {.rlim_cur = 3, .rlim_max = 4096};
    struct daemon *daemon = choose(world, strike);
    if (!wait_until(has_started, daemon, START_MS)) {
        return; /* the servers are away, too */
    }
    if (prlimit(daemon->process.pid, RLIMIT_NOFILE, &none, NULL) != 0) {
        die("prlimit fails");
    }
    proxy_reset(world->proxy, world->postgres_door);
    proxy_reset(world->proxy, world->redis_door);
}

static void heal_files(struct world *world, struct strike *strike)
{
    struct rlimit enough = {.rlim_cur = 1024, .rlim_max = 4096};
    if (prlimit(world->daemons[strike->daemon].process.pid, RLIMIT_NOFILE, &enough, NULL) != 0) {
        die("prlimit fails");
    }
}

/* Whoever reads the log stops reading: the pipe fills up. */
static void inject_log(struct world *world, struct strike *strike)
{
    strike_stop(strike, daemon_log_reader(choose(world, strike)));
}

static void name_dns(const struct world *world, char *path, size_t size)
{
    format_into(path, size, "%s/%s", world->daemons[0].dir, DAEMON_DNS_HANGS);
}

/* Names are no longer resolved, and every connection has to be made again. */
static void inject_dns(struct world *world, struct strike *strike)
{
    char path[2 * PATH_BYTES];
    (void)strike;
    name_dns(world, path, sizeof path);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        die("cannot make %s", path);
    }
    close(fd);
    proxy_reset(world->proxy, world->postgres_door);
    proxy_reset(world->proxy, world->redis_door);
}

static void heal_dns(struct world *world, struct strike *strike)
{
    char path[2 * PATH_BYTES];
    (void)strike;
    name_dns(world, path, sizeof path);
    unlink(path);
}

const struct fault daemon_faults[] = {
    {"daemon-kill", TARGET_DAEMON, 0, 0, inject_kill, NULL, false, false},
    {"daemon-restart", TARGET_DAEMON, 0, 0, inject_restart, NULL, false, false},
    {"daemon-resync", TARGET_DAEMON, 0, 0, inject_resync, NULL, false, false},
    {"daemon-stop", TARGET_DAEMON, 100, 4000, inject_stop, heal_stop, false, false},
    {"daemon-files", TARGET_DAEMON, 500, 3000, inject_files, heal_files, false, false},
    {"daemon-dns", TARGET_DAEMON, 200, 4000, inject_dns, heal_dns, false, false},
    {"daemon-log", TARGET_DAEMON, 500, 4000, inject_log, heal_stop, false, false},
    {0},
};
