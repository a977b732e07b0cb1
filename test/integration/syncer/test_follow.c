/* Followers: syncers without Redis, which tell their hosts. */
#include "equal.h"
#include "servers.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUSTOMERS = 200 };

/* What a host knows from its callback alone. */
struct cache {
    pthread_mutex_t mutex;
    bool exists[CUSTOMERS + 1];
    unsigned told[CUSTOMERS + 1];
    char newest[1024]; /* document of any */
};

static struct cache caches[2];

static void begin(void)
{
    for (size_t i = 0; i < 2; i++) {
        caches[i] = (struct cache){.mutex = PTHREAD_MUTEX_INITIALIZER};
    }
}

static void hear(struct cache *cache, const struct fixture *f, const cp_document *document)
{
    long id = strtol(document->key + strlen(f->prefix) + 1, NULL, 10);
    pthread_mutex_lock(&cache->mutex);
    if (id >= 1 && id <= CUSTOMERS) {
        cache->exists[id] = document->exists;
        cache->told[id]++;
        snprintf(cache->newest, sizeof cache->newest, "%.*s", (int)document->bytes,
                 document->exists ? document->document : "");
    }
    pthread_mutex_unlock(&cache->mutex);
}

static void hear_first(void *context, const cp_document *document)
{
    hear(&caches[0], context, document);
}

static void hear_second(void *context, const cp_document *document)
{
    hear(&caches[1], context, document);
}

static cp_syncer *run_follower(struct fixture *f, void (*settled)(void *, const cp_document *))
{
    f->settled = settled;
    cp_syncer *follower = run_syncer(f, NULL, SETTINGS("role", "follow"));
    f->settled = NULL;
    return follower;
}

static bool knows(struct cache *cache, long id, bool exists, unsigned told)
{
    pthread_mutex_lock(&cache->mutex);
    bool does = cache->exists[id] == exists && cache->told[id] >= told;
    pthread_mutex_unlock(&cache->mutex);
    return does;
}

static size_t count_existing(struct cache *cache)
{
    size_t count = 0;
    for (long id = 1; id <= CUSTOMERS; id++) {
        count += knows(cache, id, true, 1);
    }
    return count;
}

static void insert_customers(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i",
         CUSTOMERS);
}

/* Beside the writer of the same name, and each other: all hear of everything, and the writer alone writes. */
START_TEST(all_followers_hear_of_everything)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    cp_syncer *first = run_follower(f, hear_first);
    cp_syncer *second = run_follower(f, hear_second);
    REQUIRE_INT(count_existing(&caches[0]), ==, CUSTOMERS);
    REQUIRE_INT(count_existing(&caches[1]), ==, CUSTOMERS);
    sql(f, "update customer set name = 'other' where id_customer = 7; delete from customer where id_customer = 8");
    for (size_t i = 0; i < 2; i++) {
        WAIT_UNTIL(knows(&caches[i], 7, true, 2) && knows(&caches[i], 8, false, 2));
    }
    REQUIRE_INT(count_keys(f), ==, 0);
    REQUIRE_INT(stats_of(first).redis_connections, ==, 0);

    cp_syncer *writer = run_syncer(f, NULL, NO_SETTINGS);
    sql(f, "update customer set name = 'third' where id_customer = 9");
    expect_customers(f);
    for (size_t i = 0; i < 2; i++) {
        WAIT_UNTIL(knows(&caches[i], 9, true, 2));
        REQUIRE_CONTAINS(caches[i].newest, "{\"id_customer\":9,\"name\":\"third\"");
    }
    stop_syncer(f, first);
    stop_syncer(f, second);
    require_customers(f);
    stop_syncer(f, writer);
    fixture_close(f);
}
END_TEST

/* Which no resync lists: the host has to be told. */
START_TEST(what_went_while_nobody_listened_is_told)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    cp_syncer *follower = run_follower(f, hear_first);
    sql(f, "set session_replication_role = replica; delete from customer where id_customer = 17;"
           "update customer set name = 'unheard' where id_customer = 18; reset session_replication_role");
    REQUIRE_INT(terminate_backends(f, "cachepusher listener"), ==, 1);
    WAIT_UNTIL(knows(&caches[0], 17, false, 2) && knows(&caches[0], 18, true, 2));
    REQUIRE_INT(count_existing(&caches[0]), ==, CUSTOMERS - 1);
    stop_syncer(f, follower);
    fixture_close(f);
}
END_TEST

/* A resync tells of no more deletions than it may make, and truncation is told. */
START_TEST(deletions_are_bounded_as_a_writers_are)
{
    struct fixture *f = fixture_open();
    insert_customers(f);
    f->settled = hear_first;
    cp_syncer *follower = run_syncer(f, NULL, SETTINGS("role", "follow", "max_delete_percent", "0"));
    sql(f, "truncate customer cascade");
    for (long id = 1; id <= CUSTOMERS; id++) {
        WAIT_UNTIL(knows(&caches[0], id, false, 2));
    }
    stop_syncer(f, follower);
    fixture_close(f);
}
END_TEST

/* A host that fills a cache reads its own writes: what a ticket is behind has been told. */
START_TEST(what_a_ticket_is_behind_has_been_told)
{
    struct fixture *f = fixture_open();
    cp_error err = {0};
    insert_customers(f);
    cp_syncer *first = run_follower(f, hear_first);
    cp_syncer *second = run_follower(f, hear_second);
    for (unsigned round = 2; round < 30; round++) {
        cp_ticket tickets[2];
        sqlf(f, "update customer set name = 'round %u' where id_customer = 7", round);
        REQUIRE_OK(cp_syncer_ticket(first, &tickets[0], &err), err);
        REQUIRE_OK(cp_syncer_ticket(second, &tickets[1], &err), err);
        REQUIRE_OK(cp_syncer_wait(first, tickets[0], timeout_ms(), &err), err);
        REQUIRE(knows(&caches[0], 7, true, round));
        REQUIRE_OK(cp_syncer_wait(second, tickets[1], timeout_ms(), &err), err);
        REQUIRE(knows(&caches[1], 7, true, round));
        sql(f, "set session_replication_role = replica; update customer set name = 'unheard' where id_customer = 9;"
               "reset session_replication_role");
        REQUIRE_OK(cp_syncer_enqueue_wait(second, "customer", "9", timeout_ms(), &err), err);
        REQUIRE(knows(&caches[1], 9, true, round));
    }
    REQUIRE(knows(&caches[0], 9, true, 1) && !knows(&caches[0], 9, true, 2)); /* nobody has told the other one */
    stop_syncer(f, first);
    stop_syncer(f, second);
    fixture_close(f);
}
END_TEST

static void refuse(struct fixture *f, bool has_callback, const char *name, const char *value, const char *message)
{
    cp_error err = {0};
    cp_config *config = cp_config_create(&err);
    REQUIRE(config != NULL);
    REQUIRE_OK(cp_config_set(config, "role", "follow", &err), err);
    REQUIRE_OK(cp_config_set(config, name, value, &err), err);
    cp_callbacks callbacks = {.size = sizeof callbacks, .settled = has_callback ? hear_first : NULL, .context = f};
    REQUIRE(cp_syncer_create(config, &callbacks, &err) == NULL);
    REQUIRE_INT(err.code, ==, CP_ERR_CONFIG);
    REQUIRE_CONTAINS(err.message, message);
    cp_config_destroy(config);
}

START_TEST(what_a_follower_cannot_do_is_refused)
{
    struct fixture *f = fixture_open();
    refuse(f, false, "threads", "2", "role: follow is of no use to a host that sets no callback \"settled\"");
    refuse(f, true, "source", "wal", "role: follow does not go with source wal");
    refuse(f, true, "warmup", "touch", "role: follow does not go with warmup touch");
    refuse(f, true, "flush", "true", "role: follow does not go with flush");
    refuse(f, true, "audit_per_second", "5", "role: follow does not go with audit_per_second");
    cp_syncer *follower = run_follower(f, hear_first);
    cp_error err = {0};
    cp_verify_result result = {.size = sizeof result};
    REQUIRE_INT(cp_syncer_verify(follower, NULL, &result, &err), ==, CP_ERR_ARGUMENT);
    REQUIRE_CONTAINS(err.message, "there is no Redis");
    stop_syncer(f, follower);
    fixture_close(f);
}
END_TEST

Suite *follow_suite(void)
{
    Suite *suite = suite_create("follow");
    TCase *tcase = tcase_create("follow");
    tcase_set_timeout(tcase, 240);
    tcase_add_checked_fixture(tcase, begin, NULL);
    tcase_add_test(tcase, all_followers_hear_of_everything);
    tcase_add_test(tcase, what_went_while_nobody_listened_is_told);
    tcase_add_test(tcase, deletions_are_bounded_as_a_writers_are);
    tcase_add_test(tcase, what_a_ticket_is_behind_has_been_told);
    tcase_add_test(tcase, what_a_follower_cannot_do_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
