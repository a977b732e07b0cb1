#include "equal.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUSTOMERS = 500, MANY = 12000, WRITERS = 2, ROUNDS = 500, QUEUED = 25 };

static void insert_customers(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
}

static cp_ticket take_ticket(cp_syncer *syncer)
{
    cp_error err = {0};
    cp_ticket ticket = 0;
    REQUIRE_OK(cp_syncer_ticket(syncer, &ticket, &err), err);
    return ticket;
}

static void wait_for(cp_syncer *syncer, cp_ticket ticket)
{
    cp_error err = {0};
    REQUIRE_OK(cp_syncer_wait(syncer, ticket, timeout_ms(), &err), err);
}

/* Everything that has been written so far has settled. */
static void settle(cp_syncer *syncer)
{
    wait_for(syncer, take_ticket(syncer));
}

struct writer {
    struct fixture *f;
    cp_syncer *syncer;
    int id;
    int rounds;
    bool by_hand; /* no trigger sees it: the id is enqueued */
    PGconn *pg;
    redisContext *redis;
};

/* Commits, takes a ticket, waits, and looks at once. */
static bool write_and_look(struct writer *writer, int round)
{
    char statement[160];
    char name[32];
    char id[16];
    snprintf(name, sizeof name, "round %d.", round);
    snprintf(id, sizeof id, "%d", writer->id);
    snprintf(statement, sizeof statement, "update customer set name = '%s' where id_customer = %s", name, id);
    PGresult *result = PQexec(writer->pg, statement);
    bool is_well = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    cp_ticket ticket = 0;
    is_well = is_well && (!writer->by_hand || cp_syncer_enqueue(writer->syncer, "customer", id, NULL) == CP_OK) &&
              cp_syncer_ticket(writer->syncer, &ticket, NULL) == CP_OK &&
              cp_syncer_wait(writer->syncer, ticket, timeout_ms(), NULL) == CP_OK;
    redisReply *reply = redisCommand(writer->redis, "GET %s:%s", writer->f->prefix, id);
    is_well = is_well && reply != NULL && reply->type == REDIS_REPLY_STRING && strstr(reply->str, name) != NULL;
    if (!is_well) {
        fprintf(stderr, "round %d: %s\n", round, reply != NULL && reply->str != NULL ? reply->str : "no document");
    }
    freeReplyObject(reply);
    return is_well;
}

static void *write_in_thread(void *context)
{
    struct writer *writer = context;
    for (int i = 0; i < writer->rounds && !atomic_load(&writer->f->abandoned); i++) {
        if (!write_and_look(writer, i)) {
            atomic_fetch_add(&writer->f->thread_fault, 1);
            break;
        }
    }
    return NULL;
}

static void write_by_many(struct fixture *f, bool by_hand)
{
    struct writer writers[WRITERS];
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.f = f,
                                     .syncer = syncer,
                                     .id = i + 1,
                                     .rounds = ROUNDS / slowness() / (is_over_wal() ? 4 : 1),
                                     .by_hand = by_hand,
                                     .pg = connect_again(f),
                                     .redis = connect_redis(f->redis_address)};
        if (by_hand) {
            sql_on(writers[i].pg, "set session_replication_role = replica");
        }
        fixture_thread(f, write_in_thread, &writers[i]);
    }
    fixture_join(f);
    for (int i = 0; i < WRITERS; i++) {
        redisFree(writers[i].redis);
    }
    REQUIRE_INT(atomic_load(&f->thread_fault), ==, 0);
    stop_syncer(f, syncer);
}

START_TEST(what_was_committed_has_settled)
{
    struct fixture *f = fixture_open();
    write_by_many(f, false);
    fixture_close(f);
}
END_TEST

START_TEST(what_was_enqueued_has_settled)
{
    struct fixture *f = fixture_open();
    write_by_many(f, true);
    fixture_close(f);
}
END_TEST

/* Not before the document can be read, and not before the warm-up. */
START_TEST(not_before_it_has)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    cp_error err = {0};
    insert_customers(f);
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    cp_ticket before = take_ticket(syncer);
    REQUIRE_INT(cp_syncer_wait(syncer, before, 0, &err), ==, CP_ERR_TIMEOUT);
    REQUIRE_INT(cp_syncer_wait(syncer, before + 1, 0, &err), ==, CP_ERR_ARGUMENT);
    start_syncer(syncer);
    wait_for(syncer, before);
    require_customers(f);
    hold_fetches(holder);
    REQUIRE_OK(cp_syncer_enqueue(syncer, "customer", "7", &err), err);
    cp_ticket ticket = take_ticket(syncer);
    REQUIRE_INT(cp_syncer_wait(syncer, ticket, 300, &err), ==, CP_ERR_TIMEOUT);
    REQUIRE(err.retriable);
    wait_for(syncer, before);
    release_fetches(holder);
    wait_for(syncer, ticket);
    REQUIRE_INT(stats_of(syncer).pending, ==, 0);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* What nobody listened to, and what was dropped, is read again before a ticket passes. */
START_TEST(after_what_was_missed_or_dropped)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "1", "max_pending", "1000"));
    for (int i = 0; i < 3; i++) {
        sqlf(f, "update customer set name = 'before %d'", i);
        terminate_backends(f, "cachepusher listener%");
        sqlf(f, "update customer set name = 'after %d'", i);
        settle(syncer);
        require_customers(f);
    }
    hold_fetches(holder);
    sqlf(f, "insert into customer (id_customer, name) select i, 'new' from generate_series(1001, %d) i", 1000 + MANY);
    cp_ticket ticket = take_ticket(syncer);
    if (!is_over_wal()) { /* which brings no more than there is room for */
        WAIT_UNTIL(stats_of(syncer).overflows > 0);
    }
    release_fetches(holder);
    wait_for(syncer, ticket);
    require_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

START_TEST(after_redis_was_away)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    for (int i = 0; i < 5; i++) {
        sqlf(f, "update customer set name = 'round %d'", i);
        cp_ticket ticket = take_ticket(syncer);
        kill_redis_clients(f, "cachepusher-worker");
        wait_for(syncer, ticket);
        require_customers(f);
    }
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* One that fails by itself does not hold the mark up; whoever waits for that one hears why. */
START_TEST(one_that_is_parked)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    insert_customers(f);
    keep_customer_get(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    define_customer_get(f, "if id = 7 then raise 'no such luck'; end if;");
    REQUIRE_INT(cp_syncer_enqueue_wait(syncer, "customer", "7", timeout_ms(), &err), ==, CP_ERR_PARKED);
    REQUIRE_CONTAINS(err.message, "no such luck");
    REQUIRE(err.retriable);
    REQUIRE_OK(cp_syncer_enqueue_wait(syncer, "customer", "8", timeout_ms(), &err), err);
    REQUIRE_INT(cp_syncer_enqueue_wait(syncer, "customer", "x", 0, &err), ==, CP_ERR_ARGUMENT);
    cp_error newest;
    REQUIRE_INT(cp_syncer_last_error(syncer, &newest), ==, CP_OK);
    REQUIRE_INT(newest.code, ==, CP_OK); /* that one's own: no thread fails */
    terminate_backends(f, "cachepusher listener%");
    WAIT_UNTIL(cp_syncer_last_error(syncer, &newest) == CP_OK && newest.code == CP_ERR_POSTGRES);
    REQUIRE(*newest.message != '\0');
    REQUIRE_INT(cp_syncer_last_error(syncer, NULL), ==, CP_ERR_ARGUMENT);
    define_customer_get(f, "");
    REQUIRE_OK(cp_syncer_enqueue_wait(syncer, "customer", "7", timeout_ms(), &err), err);
    settle(syncer);
    require_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

struct waiter {
    cp_syncer *syncer;
    cp_ticket ticket;
    cp_code code;
};

static void *wait_in_thread(void *context)
{
    struct waiter *waiter = context;
    waiter->code = cp_syncer_wait(waiter->syncer, waiter->ticket, -1, NULL);
    return NULL;
}

START_TEST(stopping_wakes_who_waits)
{
    struct fixture *f = fixture_open();
    PGconn *holder = connect_again(f);
    struct waiter waiters[3];
    cp_error err = {0};
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    hold_fetches(holder);
    REQUIRE_OK(cp_syncer_enqueue(syncer, "customer", "7", &err), err);
    for (size_t i = 0; i < 3; i++) {
        waiters[i] = (struct waiter){.syncer = syncer, .ticket = take_ticket(syncer), .code = CP_OK};
        fixture_thread(f, wait_in_thread, &waiters[i]);
    }
    REQUIRE_INT(cp_syncer_wait(syncer, waiters[2].ticket, 50, &err), ==, CP_ERR_TIMEOUT);
    cp_syncer_stop(syncer, 0, NULL);
    fixture_join(f);
    for (size_t i = 0; i < 3; i++) {
        REQUIRE_INT(waiters[i].code, ==, CP_ERR_STOPPED);
    }
    cp_ticket ticket;
    REQUIRE_INT(cp_syncer_ticket(syncer, &ticket, &err), ==, CP_ERR_STOPPED);
    destroy_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Only the writer knows what has settled; a ticket of before is good for whoever writes at last. */
START_TEST(while_another_one_writes)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    cp_ticket refused;
    insert_customers(f);
    cp_syncer *first = run_syncer(f, NULL, NO_SETTINGS);
    cp_syncer *second = make_syncer(f, NULL, NO_SETTINGS);
    cp_ticket early = take_ticket(second);
    start_syncer(second);
    WAIT_UNTIL(count_logged(f, "standing by") == 1);
    REQUIRE_INT(cp_syncer_wait(second, early, -1, &err), ==, CP_ERR_STANDBY);
    REQUIRE_INT(cp_syncer_ticket(second, &refused, &err), ==, CP_ERR_STANDBY);
    REQUIRE(err.retriable);
    stop_syncer(f, first);
    WAIT_UNTIL(cp_syncer_wait(second, early, 100, &err) == CP_OK);
    sql(f, "update customer set name = 'changed'");
    settle(second);
    require_customers(f);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

/* ---- a host's queue with acknowledgement ---- */

/* Events that no trigger sees: the rows of a batch are written, and their ids stand in a queue of the host's. */
static void write_batch(struct fixture *f, int batch)
{
    sqlf(f,
         "set session_replication_role = replica; update customer set name = 'batch %d.' where id_customer > %d and"
         " id_customer <= %d; reset session_replication_role",
         batch, batch * QUEUED, (batch + 1) * QUEUED);
}

static void hand_over(cp_syncer *syncer, int batch)
{
    for (int i = 1; i <= QUEUED; i++) {
        char id[16];
        cp_error err = {0};
        snprintf(id, sizeof id, "%d", batch * QUEUED + i);
        REQUIRE_OK(cp_syncer_enqueue(syncer, "customer", id, &err), err);
    }
}

/* Once a batch may be acknowledged, whoever takes the queue over need not see it again. */
static void require_batch(struct fixture *f, int batch)
{
    char name[32];
    snprintf(name, sizeof name, "\"batch %d.\"", batch);
    for (int i = 1; i <= QUEUED; i++) {
        char *document = redis_text(f, "GET %s:%d", f->prefix, batch * QUEUED + i);
        REQUIRE_CONTAINS(document, name);
        free(document);
    }
}

/* One process ends in the midst of a batch; the next one is given it again, since nobody has acknowledged it. */
START_TEST(a_hosts_queue_is_acknowledged_once_it_has_settled)
{
    struct fixture *f = fixture_open();
    int acknowledged = 0;
    insert_customers(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    while (acknowledged < CUSTOMERS / QUEUED) {
        write_batch(f, acknowledged);
        hand_over(syncer, acknowledged);
        if (acknowledged == CUSTOMERS / QUEUED / 2) {
            destroy_syncer(f, syncer);
            syncer = run_syncer(f, NULL, SETTINGS("warmup", "none"));
            hand_over(syncer, acknowledged);
        }
        settle(syncer);
        require_batch(f, acknowledged++);
    }
    for (int batch = 0; batch < acknowledged; batch++) {
        require_batch(f, batch);
    }
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *ticket_suite(void)
{
    Suite *suite = suite_create("ticket");
    TCase *tcase = tcase_create("ticket");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, what_was_committed_has_settled);
    add_test(tcase, what_was_enqueued_has_settled);
    add_test(tcase, not_before_it_has);
    add_test(tcase, after_what_was_missed_or_dropped);
    add_test(tcase, after_redis_was_away);
    add_test(tcase, one_that_is_parked);
    add_test(tcase, stopping_wakes_who_waits);
    add_test(tcase, while_another_one_writes);
    tcase_add_test(tcase, a_hosts_queue_is_acknowledged_once_it_has_settled);
    suite_add_tcase(suite, tcase);
    return suite;
}
