/* What happens to Postgres. */
#include "fault.h"

#include <signal.h>
#include <string.h>
#include <sys/types.h>

enum { BACKENDS = 64, LOCK_MS = 20000 };

static void inject_fast(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_stop(&world->cluster, SIGINT);
}

static void inject_immediate(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_stop(&world->cluster, SIGQUIT);
}

static void heal_start(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_start(&world->cluster);
}

static int choose_backends(struct world *world, struct strike *strike, pid_t pids[BACKENDS])
{
    static const char *const names[] = {"cachepusher%", "cachepusher lease", "cachepusher listener",
                                        "cachepusher worker%", "cachepusher wal%"};
    const char *name = names[roll(&strike->random, sizeof names / sizeof *names)];
    return cluster_backends(&world->cluster, name, pids, BACKENDS);
}

/* One dies, and Postgres ends all the others and recovers. */
static void inject_crash(struct world *world, struct strike *strike)
{
    pid_t pids[BACKENDS];
    if (choose_backends(world, strike, pids) > 0) {
        kill(pids[0], SIGKILL);
    }
}

static void inject_terminate(struct world *world, struct strike *strike)
{
    pid_t pids[BACKENDS];
    int count = choose_backends(world, strike, pids);
    count = roll(&strike->random, 2) == 0 ? count : count > 0;
    for (int i = 0; i < count; i++) {
        kill(pids[i], SIGTERM); /* what pg_terminate_backend() does */
    }
}

/* One of them freezes, or all. */
static void inject_stop(struct world *world, struct strike *strike)
{
    pid_t pids[BACKENDS];
    int count = choose_backends(world, strike, pids);
    count = roll(&strike->random, 2) == 0 ? count : count > 0;
    for (int i = 0; i < count; i++) {
        strike_stop(strike, pids[i]);
    }
}

static void heal_stop(struct world *world, struct strike *strike)
{
    (void)world;
    strike_continue(strike);
}

static void inject_refuse(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_do(&world->cluster, "alter role cachepusher nologin");
    cluster_do(&world->cluster, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'cachepusher'");
}

static void heal_refuse(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_do(&world->cluster, "alter role cachepusher login");
}

struct lock {
    struct world *world;
    PGconn *connection;
};

static void say_who_holds(struct world *world)
{
    PGresult *result =
        cluster_query(&world->cluster, "select coalesce(string_agg(application_name || ', ' || state, '; '), 'nobody')"
                                       " from pg_locks join pg_stat_activity using (pid)"
                                       " where relation = 'address'::regclass and granted");
    say("the table could not be locked within 2 s; held by %s", PQgetvalue(result, 0, 0));
    PQclear(result);
}

/* May have to wait for Postgres to be back from a crash, but not for long for a session that has read the table and
 * whose link is held up, or whose daemon is stopped: that ends only after us. */
static bool has_locked(void *context)
{
    struct lock *lock = context;
    lock->connection = cluster_connect(&lock->world->cluster);
    if (lock->connection == NULL) {
        return false;
    }
    PQclear(PQexec(lock->connection, "set lock_timeout = '2s'"));
    PGresult *result = PQexec(lock->connection, "begin; lock table address in access exclusive mode");
    const char *code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool is_held = code != NULL && strcmp(code, "55P03") == 0; /* lock_not_available */
    bool locked = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (!locked) {
        PQfinish(lock->connection);
        lock->connection = NULL;
    }
    if (is_held) {
        say_who_holds(lock->world);
    }
    return locked || is_held;
}

/* Every read waits for a lock, longer than a statement may take. */
static void inject_lock(struct world *world, struct strike *strike)
{
    struct lock lock = {.world = world};
    if (!wait_until(has_locked, &lock, LOCK_MS)) {
        die("cannot lock the table");
    }
    strike->postgres = lock.connection;
}

static void heal_lock(struct world *world, struct strike *strike)
{
    (void)world;
    PQfinish(strike->postgres);
    strike->postgres = NULL;
}

/* Sessions that are made now find no function and no table. */
static void inject_role(struct world *world, struct strike *strike)
{
    static const char *const settings[] = {"search_path = nowhere", "statement_timeout = 1", "lock_timeout = 1",
                                           "default_transaction_isolation = 'serializable'", "timezone = 'Asia/Tokyo'"};
    const char *setting = settings[roll(&strike->random, sizeof settings / sizeof *settings)];
    char statement[128];
    format_into(statement, sizeof statement, "alter role cachepusher set %s", setting);
    cluster_do(&world->cluster, statement);
    if (roll(&strike->random, 2) == 0) {
        cluster_do(&world->cluster,
                   "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'cachepusher'");
    }
}

static void heal_role(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_do(&world->cluster, "alter role cachepusher reset all");
}

/* One document of 50 MB, beside the others. */
static void inject_large(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_do(&world->cluster, "insert into customer (id_customer, name) values (5000, repeat('large', 10000000))"
                                " on conflict do nothing");
}

static void heal_large(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_do(&world->cluster, "delete from customer where id_customer = 5000");
}

const struct fault postgres_faults[] = {
    {"postgres-fast", TARGET_POSTGRES, 0, 3000, inject_fast, heal_start, false, false},
    {"postgres-immediate", TARGET_POSTGRES, 0, 3000, inject_immediate, heal_start, false, false},
    {"postgres-crash", TARGET_POSTGRES, 0, 0, inject_crash, NULL, false, false},
    {"postgres-terminate", TARGET_POSTGRES, 0, 0, inject_terminate, NULL, false, false},
    {"postgres-stop", TARGET_POSTGRES, 200, 4000, inject_stop, heal_stop, false, false},
    {"postgres-refuse", TARGET_POSTGRES, 200, 3000, inject_refuse, heal_refuse, false, false},
    {"postgres-role", TARGET_POSTGRES, 200, 3000, inject_role, heal_role, false, false},
    {"postgres-large", TARGET_POSTGRES, 500, 3000, inject_large, heal_large, false, false},
    {"postgres-lock", TARGET_POSTGRES, 500, 4500, inject_lock, heal_lock, false, false},
    {0},
};
