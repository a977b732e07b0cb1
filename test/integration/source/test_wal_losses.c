/* The wal source, while Redis loses data: what was settled may not be, and a checkpoint that says so is wrong. */
#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"
#include "wal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(notices_a_redis_that_lost_the_checkpoint)
{
    struct fixture *f = open_wal();
    cp_syncer *syncer = run_wal(f);
    wait_confirmed(f);
    redis_run(f, "DEL %s", source_checkpoint(f));
    sql(f, "update customer set name = 'next' where id_customer = 1");
    WAIT_UNTIL(stats_of(syncer).causes[CP_CAUSE_REDIS] == 1);
    expect_customers(f);
    wait_confirmed(f); /* there is one again */
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static void empty_redis(struct fixture *f, const char *message)
{
    if (strstr(message, "replication: resumed") != NULL) {
        redisContext *redis = connect_redis(f->redis_address);
        redisReply *reply = redis != NULL ? redisCommand(redis, "FLUSHALL") : NULL;
        atomic_fetch_add(&f->thread_fault, reply == NULL || reply->type != REDIS_REPLY_STATUS);
        freeReplyObject(reply);
        redisFree(redis);
    }
}

/* Between the look at the checkpoint and the marker, which knows of no loss before it was planted. */
START_TEST(notices_a_redis_that_is_emptied_as_it_resumes)
{
    struct fixture *f = open_wal();
    own_redis_start(f);
    cp_syncer *first = run_wal(f);
    wait_confirmed(f);
    stop_syncer(f, first);
    f->logged = empty_redis;
    cp_syncer *second = run_wal(f);
    WAIT_UNTIL(stats_of(second).causes[CP_CAUSE_REDIS] == 1);
    expect_customers(f);
    stop_syncer(f, second);
    REQUIRE_INT(atomic_load(&f->thread_fault), ==, 0);
    fixture_close(f);
}
END_TEST

/* The same while the marker cannot be planted: the checkpoint is left alone, and tells. */
START_TEST(notices_a_redis_that_is_emptied_before_the_marker)
{
    struct fixture *f = open_wal();
    own_redis_start(f);
    cp_syncer *first = run_wal(f);
    wait_confirmed(f);
    stop_syncer(f, first);
    PGconn *holder = connect_again(f);
    hold_connections(f, holder, "cachepusher resync");
    cp_syncer *second = make_syncer(f, NULL, SETTINGS(WAL));
    start_syncer(second);
    WAIT_UNTIL(count_logged(f, "resync: resumed") == 1);
    sql(f, "update customer set name = 'meanwhile' where id_customer < 50");
    WAIT_UNTIL(stats_of(second).stored >= 49);
    int64_t until_ms = now_ms() + 1000; /* in which the key would have been written, or deleted, several times */
    WAIT_UNTIL(now_ms() > until_ms);
    redis_run(f, "FLUSHALL");
    release_connections(holder);
    WAIT_UNTIL(stats_of(second).causes[CP_CAUSE_REDIS] == 1);
    expect_customers(f);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* ---- between two looks at the marker ---- */

static long long marker_number(struct fixture *f)
{
    long long number = 0;
    redisReply *keys = redis_do(f, "KEYS cachepusher:marker:*");
    for (size_t i = 0; i < keys->elements; i++) {
        if (strstr(keys->element[i]->str, ":wal") == NULL) {
            char *text = redis_text(f, "GET %s", keys->element[i]->str);
            number = strtoll(text, NULL, 10);
            free(text);
        }
    }
    freeReplyObject(keys);
    return number;
}

static void copy_redis(struct fixture *f)
{
    redisReply *keys = redis_do(f, "KEYS *");
    for (size_t i = 0; i < keys->elements; i++) {
        redis_run(f, "COPY %s %s DB 1 REPLACE", keys->element[i]->str, keys->element[i]->str);
    }
    freeReplyObject(keys);
}

/* "": there is none. The caller frees it. */
static char *checkpoint_text(struct fixture *f)
{
    redisReply *reply = redis_do(f, "GET %s", source_checkpoint(f));
    char *text = strdup(reply->type == REDIS_REPLY_STRING ? reply->str : "");
    REQUIRE(text != NULL);
    freeReplyObject(reply);
    return text;
}

static bool checkpoint_is(struct fixture *f, const char *expected)
{
    char *text = checkpoint_text(f);
    bool is = strcmp(text, expected) == 0;
    free(text);
    return is;
}

/* A copy of Redis that has the checkpoint of now, and a marker that has moved on since, just now: the next look at it
 * is most of a second away. Returns the checkpoint. */
static char *copy_before_the_marker_moves(struct fixture *f)
{
    char *text = NULL;
    do {
        free(text);
        text = checkpoint_text(f);
        long long number = marker_number(f);
        copy_redis(f);
        WAIT_UNTIL(marker_number(f) != number);
    } while (*text == '\0' || !checkpoint_is(f, text));
    return text;
}

static atomic_bool swaps;

/* The copy takes the place of what has just been stored, before anybody knows that it has settled. */
static void swap_redis(void *context, const cp_document *document)
{
    struct fixture *f = context;
    (void)document;
    if (atomic_exchange(&swaps, false)) {
        redisContext *redis = connect_redis(f->redis_address);
        redisReply *reply = redis != NULL ? redisCommand(redis, "SWAPDB 0 1") : NULL;
        atomic_fetch_add(&f->thread_fault, reply == NULL || reply->type != REDIS_REPLY_STATUS);
        freeReplyObject(reply);
        redisFree(redis);
    }
}

/* An older copy of everything takes the place of what has just been stored, with the checkpoint that is known to stand
 * there. The next one would say that all is well, and the process ends before it looks at the marker by itself. While
 * the document cannot be read there is no other checkpoint, and the next is due once it is stored. */
START_TEST(no_checkpoint_of_what_has_been_lost)
{
    struct fixture *f = open_wal();
    own_redis_start(f);
    f->settled = swap_redis;
    cp_syncer *first = run_wal(f);
    wait_confirmed(f);
    PGconn *resyncs = connect_again(f);
    PGconn *fetches = connect_again(f);
    hold_connections(f, resyncs, "cachepusher resync"); /* else it may be mended before anybody looks */
    hold_fetches(fetches);
    uint64_t events = stats_of(first).events;
    sql(f, "update customer set name = 'lost' where id_customer = 5");
    WAIT_UNTIL(stats_of(first).events > events);
    char *before = copy_before_the_marker_moves(f);
    atomic_store(&swaps, true);
    release_fetches(fetches);
    WAIT_UNTIL(!atomic_load(&swaps) && !checkpoint_is(f, before));
    free(before);
    destroy_syncer(f, first);
    release_connections(resyncs);
    cp_syncer *second = run_wal(f);
    require_customers(f);
    require_warmed(second);
    stop_syncer(f, second);
    REQUIRE_INT(atomic_load(&f->thread_fault), ==, 0);
    fixture_close(f);
}
END_TEST

Suite *wal_losses_suite(void)
{
    Suite *suite = suite_create("wal_losses");
    TCase *tcase = tcase_create("wal_losses");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, notices_a_redis_that_lost_the_checkpoint);
    tcase_add_test(tcase, notices_a_redis_that_is_emptied_as_it_resumes);
    tcase_add_test(tcase, notices_a_redis_that_is_emptied_before_the_marker);
    tcase_add_test(tcase, no_checkpoint_of_what_has_been_lost);
    suite_add_tcase(suite, tcase);
    return suite;
}
