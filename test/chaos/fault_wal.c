/* What happens to the wal source: its slot, its walsender, what is published to it. */
#include "fault.h"
#include "transaction.h"

#include <signal.h>
#include <stdlib.h>

enum { SENDERS = 8 };

static int find_senders(struct world *world, pid_t pids[SENDERS])
{
    return cluster_backends(&world->cluster, "cachepusher wal%", pids, SENDERS);
}

static void inject_sender(struct world *world, struct strike *strike)
{
    (void)strike;
    pid_t pids[SENDERS];
    for (int i = find_senders(world, pids); i > 0; i--) {
        kill(pids[i - 1], SIGTERM);
    }
}

static void inject_sender_stop(struct world *world, struct strike *strike)
{
    pid_t pids[SENDERS];
    for (int i = find_senders(world, pids); i > 0; i--) {
        strike_stop(strike, pids[i - 1]);
    }
}

static void heal_sender_stop(struct world *world, struct strike *strike)
{
    (void)world;
    strike_continue(strike);
}

/* With everything that is in it. The daemon may be quicker and stream from it again: then it stays. */
static void inject_slot(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_do(&world->cluster,
               "do $$ declare slot record; begin"
               " for slot in select * from pg_replication_slots loop"
               "  perform pg_terminate_backend(slot.active_pid, 1000);"
               "  begin perform pg_drop_replication_slot(slot.slot_name); exception when others then null; end;"
               " end loop; end $$");
}

/* Asked for, and not waited for long: where a link that is held up keeps a walsender from being ended, Postgres waits
 * for that, and what holds the link up ends only after us. */
static void want_checkpoint(struct world *world)
{
    PGconn *connection = cluster_connect(&world->cluster);
    if (connection != NULL) {
        PQclear(PQexec(connection, "set statement_timeout = '1s'"));
        PQclear(PQexec(connection, "checkpoint"));
    }
    PQfinish(connection);
}

/* Past max_slot_wal_keep_size: what it needs is removed at the next checkpoint. */
static void inject_limit(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_do(&world->cluster, "alter system set max_slot_wal_keep_size = '1MB'");
    cluster_do(&world->cluster, "select pg_reload_conf()");
    cluster_do(&world->cluster, "select pg_switch_wal()");
    want_checkpoint(world);
}

static void heal_limit(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_do(&world->cluster, "select pg_switch_wal()");
    want_checkpoint(world);
    cluster_do(&world->cluster, "alter system reset max_slot_wal_keep_size");
    cluster_do(&world->cluster, "select pg_reload_conf()");
}

static void inject_publication(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_do(&world->cluster, "alter publication cachepusher_customer drop table address");
}

static void heal_publication(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_do(&world->cluster, "alter publication cachepusher_customer add table address");
}

static void inject_identity(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_do(&world->cluster, "alter table address replica identity default");
}

static void heal_identity(struct world *world, struct strike *strike)
{
    (void)strike;
    cluster_do(&world->cluster, "alter table address replica identity full");
}

static void inject_copy(struct world *world, struct strike *strike)
{
    transaction_copy(world, &strike->random);
}

/* It is decoded when it is committed, from what was logged long before. */
static void inject_prepared(struct world *world, struct strike *strike)
{
    strike->prepared = calloc(1, sizeof *strike->prepared);
    if (strike->prepared == NULL) {
        die("out of memory");
    }
    transaction_prepare(world, &strike->random, strike->prepared);
}

static void heal_prepared(struct world *world, struct strike *strike)
{
    transaction_end(world, strike->prepared, roll(&strike->random, 3) > 0);
    free(strike->prepared);
    strike->prepared = NULL;
}

/* A daemon that has seen none of it is there when it is committed. */
static void heal_prepared_kill(struct world *world, struct strike *strike)
{
    resuming_kill(world, (int)roll(&strike->random, (uint32_t)world->daemon_count), 0);
    heal_prepared(world, strike);
}

/* Too large for the memory that Postgres decodes with (cluster.c): parts of it come while it is open, and it may be
 * rolled back. */
static void inject_parts(struct world *world, struct strike *strike)
{
    strike->postgres = cluster_connect(&world->cluster);
    if (strike->postgres != NULL) {
        PQclear(PQexec(strike->postgres,
                       "begin; insert into customer (id_customer, name)"
                       " select id, repeat('part ', 20) || id from generate_series(6001, 8000) as id"));
    }
}

static void heal_parts(struct world *world, struct strike *strike)
{
    if (strike->postgres != NULL) {
        PQclear(PQexec(strike->postgres, roll(&strike->random, 2) == 0 ? "commit" : "rollback"));
    }
    PQfinish(strike->postgres);
    strike->postgres = NULL;
    cluster_do(&world->cluster, "delete from customer where id_customer > 6000");
}

const struct fault wal_faults[] = {
    {"wal-sender", TARGET_POSTGRES, 0, 0, inject_sender, NULL, false, true},
    {"wal-sender-stop", TARGET_POSTGRES, 200, 4000, inject_sender_stop, heal_sender_stop, false, true},
    {"wal-slot", TARGET_POSTGRES, 0, 0, inject_slot, NULL, false, true},
    {"wal-limit", TARGET_POSTGRES, 500, 3000, inject_limit, heal_limit, false, true},
    {"wal-publication", TARGET_POSTGRES, 0, 3000, inject_publication, heal_publication, false, true},
    {"wal-identity", TARGET_POSTGRES, 0, 3000, inject_identity, heal_identity, false, true},
    {"wal-copy", TARGET_POSTGRES, 0, 0, inject_copy, NULL, false, true},
    {"wal-prepared", TARGET_POSTGRES, 200, 4000, inject_prepared, heal_prepared, false, true},
    {"wal-prepared-kill", TARGET_POSTGRES, 200, 3000, inject_prepared, heal_prepared_kill, false, true},
    {"wal-parts", TARGET_POSTGRES, 200, 4000, inject_parts, heal_parts, false, true},
    {0},
};
