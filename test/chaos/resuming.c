#include "resuming.h"

#include "fault.h"
#include "lineup.h"
#include "schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GONE_MS = 1000, LOOK_MS = 30000, CHECKPOINT_BYTES = 512 };

/* ---- what has happened ---- */

static bool is_any(const struct fault *fault, const char *const *names)
{
    bool is = false;
    for (int i = 0; names[i] != NULL; i++) {
        is = is || strcmp(fault->name, names[i]) == 0;
    }
    return is;
}

_Static_assert(TARGETS == (int)RESUMING_TARGETS && DAEMONS_MAX == (int)RESUMING_DAEMONS, "there is room for all");

bool resuming_is_harmless(const struct fault *fault)
{
    return is_any(fault, (const char *const[]){"wal-copy", "wal-prepared", "wal-prepared-kill", "wal-parts", NULL});
}

static bool changes_what_a_start_goes_by(const struct fault *fault)
{
    return is_any(fault, (const char *const[]){"postgres-role", "wal-publication", "wal-identity", NULL});
}

static bool can_look(const struct resuming *resuming)
{
    return resuming->active[TARGET_POSTGRES] == 0 && resuming->active[TARGET_POSTGRES_LINK] == 0;
}

static void let_off(struct resuming *resuming, const char *why)
{
    if (resuming->is_due) {
        say("nobody has to resume any more: %s", why);
    }
    resuming->is_due = false;
}

void resuming_note(struct world *world, const struct fault *fault, bool begins)
{
    struct resuming *resuming = &world->resuming;
    if (resuming_is_harmless(fault)) {
        return;
    }
    bool is_of_postgres = fault->target == TARGET_POSTGRES || fault->target == TARGET_POSTGRES_LINK;
    /* Those that end it, or keep it from looking at Postgres. */
    bool is_of_daemon = is_any(fault, (const char *const[]){"daemon-restart", "daemon-files", "daemon-dns", NULL});
    /* It comes back with what it had, or does not let the marker be written until what was missed is read again. */
    bool is_of_redis = is_any(fault, (const char *const[]){"redis-kill-kept", "redis-acl", NULL});
    resuming->active[fault->target] += begins ? 1 : -1;
    if (is_of_postgres || is_of_daemon || is_of_redis) {
        let_off(resuming, fault->name);
    }
    if (changes_what_a_start_goes_by(fault)) {
        resuming->calms = true;
        resuming->calm_since = now_ms();
    } else if (is_of_postgres && resuming->calms) {
        resuming->calm_since = now_ms(); /* it may not have looked yet */
    }
}

static bool is_calm(const struct resuming *resuming)
{
    return can_look(resuming) && (!resuming->calms || now_ms() - resuming->calm_since >= RESUMING_CALM_MS * slowness());
}

static bool nothing_else(const struct resuming *resuming, int own)
{
    int count = 0;
    for (int target = 0; target < TARGETS; target++) {
        count += resuming->active[target];
    }
    return count == own && is_calm(resuming);
}

/* ---- whether checkpoint and slot agree ---- */

/* "2 SYSTEM SLOT PUBLISHED SINCE CONFIGURATION CATALOG POSITION {IDS}", cut; "" if there is none. */
static void read_checkpoint(struct world *world, char text[CHECKPOINT_BYTES])
{
    redisContext *redis = cache_connect(cache_primary(&world->cache), GONE_MS);
    redisReply *keys = redis != NULL ? redisCommand(redis, "KEYS cachepusher:marker:*:wal") : NULL;
    text[0] = '\0';
    if (keys != NULL && keys->type == REDIS_REPLY_ARRAY && keys->elements == 1) {
        redisReply *reply = redisCommand(redis, "GET %s", keys->element[0]->str);
        if (reply != NULL && reply->type == REDIS_REPLY_STRING) {
            snprintf(text, CHECKPOINT_BYTES, "%s", reply->str);
        }
        freeReplyObject(reply);
    }
    freeReplyObject(keys);
    if (redis != NULL) {
        redisFree(redis);
    }
}

/* since: when the server's statistics began, which they do anew after a crash. */
static bool slot_agrees(struct world *world, const char *slot, const char *since, const char *position)
{
    PGconn *connection = cluster_connect(&world->cluster);
    PGresult *result =
        connection != NULL
            ? PQexecParams(
                  connection,
                  "select from pg_replication_slots where slot_name = $1 and wal_status is distinct from 'lost'"
                  " and confirmed_flush_lsn <= $2::pg_lsn and $2::pg_lsn <= pg_current_wal_lsn()"
                  " and $3 = (select (extract(epoch from stats_reset) * 1000000)::bigint::text from pg_stat_archiver)",
                  3, NULL, (const char *const[]){slot, position, since}, NULL, NULL, 0)
            : NULL;
    bool agrees = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    PQclear(result);
    PQfinish(connection);
    return agrees;
}

/* Until a daemon that could not look when it started has looked at what documents hang on, its checkpoints do not say
 * what that is. */
static bool agree(void *context)
{
    static const char unknown[] = "0000000000000000";
    char text[CHECKPOINT_BYTES];
    char slot[64];
    char since[32];
    char catalog[32];
    char position[32];
    read_checkpoint(context, text);
    return sscanf(text, "2 %*s %63s %*s %31s %*s %31s %31s", slot, since, catalog, position) == 4 &&
           strcmp(catalog, unknown) != 0 && slot_agrees(context, slot, since, position);
}

/* One is made only when the transactions have ended that are open, and those may be ours (wal-prepared, wal-parts). */
static bool has_slot(struct world *world)
{
    PGconn *connection = cluster_connect(&world->cluster);
    PGresult *result =
        connection != NULL
            ? PQexec(connection, "select from pg_replication_slots where confirmed_flush_lsn is not null")
            : NULL;
    bool has = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    PQclear(result);
    PQfinish(connection);
    return has;
}

/* Whatever it had sent has been executed once Redis has closed its connection. */
static bool nothing_is_on_its_way(void *context)
{
    struct world *world = context;
    redisContext *redis = cache_connect(cache_primary(&world->cache), GONE_MS);
    redisReply *reply = redis != NULL ? redisCommand(redis, "CLIENT LIST") : NULL;
    bool is_gone = reply != NULL && reply->str != NULL && strstr(reply->str, "name=cachepusher-checkpoint") == NULL;
    freeReplyObject(reply);
    if (redis != NULL) {
        redisFree(redis);
    }
    return is_gone;
}

/* ---- watching ---- */

/* Causes of a run that do not speak against it: writers truncate tables, and operators ask. */
static bool is_cause_of_its_own(const char *line)
{
    static const char mark[] = "info  resync: ";
    const char *at = strstr(line, mark);
    return at != NULL && strstr(at, "documents settled") == NULL && strstr(at, "resync: resumed") == NULL &&
           strstr(at, "resync: truncate") == NULL && strstr(at, "resync: request") == NULL;
}

/* On a busy machine a look at the catalogue takes its time, and the pause behind it 49 times as much: the daemon that
 * was killed may not have looked since a role's settings were others. */
static bool may_not_have_looked(const struct resuming *resuming, const char *line)
{
    return strstr(line, "what documents hang on has changed") != NULL && resuming->calms &&
           now_ms() - resuming->calm_since < LOOK_MS * slowness();
}

static void judge_line(struct resuming *resuming, const struct daemon *daemon, const char *line)
{
    if (may_not_have_looked(resuming, line)) {
        let_off(resuming, "what it went by had changed");
    } else if (strstr(line, "replication: reading slot") != NULL || is_cause_of_its_own(line)) {
        blame("checkpoint and slot agreed when the daemon was killed, and the next one does not resume: %.*s; see %s",
              (int)strcspn(line, "\n"), line, daemon->process.log);
        resuming->is_due = false;
    } else if (strstr(line, "info  resumed:") != NULL || strstr(line, "info  ready:") != NULL ||
               strstr(line, "info  resync done:") != NULL) {
        resuming->seen++;
        resuming->is_due = false;
    }
}

static void read_log(struct world *world, int index)
{
    struct resuming *resuming = &world->resuming;
    const struct daemon *daemon = &world->daemons[index];
    if (resuming->read[index].incarnation != daemon->incarnation) {
        resuming->read[index].incarnation = daemon->incarnation;
        resuming->read[index].offset = 0;
    }
    FILE *file = fopen(daemon->process.log, "r");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length = 0;
    if (file != NULL && fseek(file, resuming->read[index].offset, SEEK_SET) == 0) {
        while (resuming->is_due && (length = getline(&line, &capacity, file)) > 0 && line[length - 1] == '\n') {
            judge_line(resuming, daemon, line);
            resuming->read[index].offset += length;
        }
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
}

void resuming_watch(struct world *world)
{
    struct resuming *resuming = &world->resuming;
    if (history_epoch(world->history, VIEW_REDIS) != resuming->epoch) {
        let_off(resuming, "Redis has lost data");
    }
    for (int i = 0; i < world->daemon_count && resuming->is_due; i++) {
        read_log(world, i);
    }
}

/* ---- killing ---- */

static void read_from_here(struct world *world)
{
    for (int i = 0; i < world->daemon_count; i++) {
        world->resuming.read[i].incarnation = world->daemons[i].incarnation;
        world->resuming.read[i].offset = daemon_log_size(&world->daemons[i]);
    }
}

/* Parked ids rest for half a minute at most. */
static void expect_agreement(struct world *world)
{
    int patience_ms = 3 * heal_timeout_ms();
    if (!wait_until(agree, world, patience_ms)) {
        blame("nothing is wrong, and checkpoint and slot do not agree within %d s", patience_ms / 1000);
    }
}

/* Why nobody has to resume, now that the daemon is dead; NULL: the next writer has to. */
static const char *excuse(struct world *world, bool is_writer, int own)
{
    const struct resuming *resuming = &world->resuming;
    return !is_writer                                                        ? "it did not write"
           : !is_calm(resuming)                                              ? "Postgres is or was disturbed"
           : resuming->active[TARGET_REDIS_LINK] > 0                         ? "the way to Redis is disturbed"
           : resuming->active[TARGET_DAEMON] > own                           ? "a daemon is disturbed"
           : !wait_until(nothing_is_on_its_way, world, GONE_MS * slowness()) ? "Redis is away"
           : !agree(world)                                                   ? "checkpoint and slot do not agree"
                                                                             : NULL;
}

void resuming_kill(struct world *world, int index, int own)
{
    struct resuming *resuming = &world->resuming;
    struct daemon *daemon = &world->daemons[index];
    bool is_wal = strcmp(daemon->source, "wal") == 0;
    bool is_writer = is_wal && daemon_writes(daemon);
    if (is_writer && nothing_else(resuming, own) && has_slot(world)) {
        expect_agreement(world);
    }
    unsigned epoch = history_epoch(world->history, VIEW_REDIS);
    lineup_ends(world, daemon);
    daemon_kill(daemon);
    resuming_watch(world); /* what it has still said */
    read_from_here(world);
    bool was_due = resuming->is_due; /* one that was killed before it had resumed has changed nothing */
    const char *why = excuse(world, is_writer || was_due, own);
    resuming->is_due = why == NULL;
    resuming->epoch = epoch;
    resuming->kills += is_writer;
    resuming->owed += resuming->is_due && !was_due;
    if (is_wal) {
        say("a daemon is killed: %s", why != NULL ? why : "the next writer has to resume");
    }
    daemon_start(daemon);
    lineup_begins(world, daemon);
}

void resuming_finish(struct world *world)
{
    resuming_watch(world);
    if (world->resuming.is_due && !is_blamed()) {
        blame("checkpoint and slot agreed when the daemon was killed, and nobody has resumed since");
    }
}
