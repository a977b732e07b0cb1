#include "equal.h"
#include "mix.h"
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAL_PAUSE_MS = 2, RECHECK_MS = 300, ROWS = 700, SHOWN = 8 };

/* What a verification has told through its callbacks, some of it. */
struct told {
    pthread_mutex_t mutex;
    size_t count;
    char keys[SHOWN][200];
    cp_difference first;
    char document[100];
    char held[100];
    size_t reports;
    pthread_t caller;
    bool elsewhere; /* progress was called in another thread */
};

static struct told told;
static int recheck_ms = RECHECK_MS;

static void note_difference(void *context, const cp_difference *difference)
{
    struct told *t = context;
    pthread_mutex_lock(&t->mutex);
    if (t->count == 0) {
        t->first = *difference;
        snprintf(t->document, sizeof t->document, "%s", difference->document);
        snprintf(t->held, sizeof t->held, "%s", difference->held);
    }
    if (t->count < SHOWN) {
        snprintf(t->keys[t->count], sizeof t->keys[0], "%s", difference->key);
    }
    t->count++;
    pthread_mutex_unlock(&t->mutex);
}

static void note_progress(void *context, const cp_verify_result *so_far)
{
    struct told *t = context;
    t->reports++;
    t->elsewhere = t->elsewhere || pthread_equal(pthread_self(), t->caller) == 0 || so_far->equal > so_far->compared;
}

static cp_verify_options options_of(uint64_t sample, bool repair)
{
    told = (struct told){.mutex = PTHREAD_MUTEX_INITIALIZER, .caller = pthread_self()};
    return (cp_verify_options){.size = sizeof(cp_verify_options),
                               .sample = sample,
                               .repair = repair,
                               .recheck_ms = recheck_ms * slowness(),
                               .progress = note_progress,
                               .difference = note_difference,
                               .context = &told};
}

static cp_verify_result verify_with(cp_syncer *syncer, uint64_t sample, bool repair)
{
    cp_error err = {0};
    cp_verify_result result = {.size = sizeof result};
    cp_verify_options options = options_of(sample, repair);
    REQUIRE_OK(cp_syncer_verify(syncer, &options, &result, &err), err);
    REQUIRE(!told.elsewhere);
    REQUIRE_INT(told.reports, >, 0);
    REQUIRE_INT(told.count, ==, result.missing + result.different + result.orphans);
    REQUIRE_INT(result.rechecking, ==, 0);
    REQUIRE_INT(result.compared, ==,
                result.equal + result.missing + result.different + result.orphans + result.in_flight + result.expired +
                    result.unreadable);
    return result;
}

static cp_verify_result verify(cp_syncer *syncer)
{
    return verify_with(syncer, 0, false);
}

/* A fixture with customers 1 to ROWS in Redis, and a syncer that has not been started. */
static cp_syncer *fill(struct fixture *f)
{
    sqlf(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, %d) i", ROWS);
    stop_syncer(f, run_syncer(f, NULL, NO_SETTINGS));
    return make_syncer(f, NULL, NO_SETTINGS);
}

static void require_equal(cp_verify_result result, size_t compared)
{
    REQUIRE_INT(result.compared, ==, compared);
    REQUIRE_INT(result.equal, ==, compared);
}

static bool was_told(const char *key)
{
    bool found = false;
    for (size_t i = 0; i < told.count && i < SHOWN; i++) {
        found = found || strcmp(told.keys[i], key) == 0;
    }
    return found;
}

static void require_told(struct fixture *f, int id)
{
    char key[200];
    snprintf(key, sizeof key, "%s:%d", f->prefix, id);
    if (!was_told(key)) {
        fail_at(__FILE__, __LINE__, "%s was not told of", key);
    }
}

/* ---- what there is to find ---- */

START_TEST(equal)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = fill(f);
    add_stranger(f, "%s:17:cart", f->prefix);
    add_stranger(f, "%s:007", f->prefix);
    cp_verify_result result = verify(syncer);
    require_equal(result, ROWS);
    REQUIRE_INT(result.unmanaged, ==, 2);
    REQUIRE(!result.incomplete);
    require_equal(verify_with(syncer, 0, true), ROWS); /* nothing to repair takes no syncer that runs */
    fixture_close(f);
}
END_TEST

START_TEST(nothing_at_all)
{
    struct fixture *f = fixture_open();
    require_equal(verify(make_syncer(f, NULL, NO_SETTINGS)), 0);
    fixture_close(f);
}
END_TEST

START_TEST(each_kind)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = fill(f);
    redis_run(f, "DEL %s:17", f->prefix);
    redis_run(f, "SET %s:5000 left-over", f->prefix);
    redis_run(f, "HSET %s:5001 another type", f->prefix);
    redis_run(f, "DEL %s:18", f->prefix);
    redis_run(f, "LPUSH %s:18 of another type", f->prefix);
    redis_run(f, "APPEND %s:19 x", f->prefix);
    sql(f, "set session_replication_role = replica; update customer set name = 'unannounced' where id_customer = 20;"
           " insert into customer (id_customer, name) values (6000, 'unannounced');"
           " delete from customer where id_customer = 21; set session_replication_role = origin");
    cp_verify_result result = verify(syncer);
    REQUIRE_INT(result.missing, ==, 2);
    REQUIRE_INT(result.different, ==, 3);
    REQUIRE_INT(result.orphans, ==, 3);
    REQUIRE_INT(result.equal, ==, ROWS - 5);
    static const int ids[] = {17, 18, 19, 20, 21, 5000, 5001, 6000};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        require_told(f, ids[i]);
    }
    fixture_close(f);
}
END_TEST

/* Nobody is started: none of it may be written, and not even a marker be set. */
START_TEST(writes_nothing)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    cp_syncer *syncer = fill(f);
    redis_run(f, "DEL %s:17", f->prefix);
    redis_run(f, "SET %s:5000 left-over", f->prefix);
    redis_run(f, "CONFIG RESETSTAT");
    verify(syncer);
    char *commands = redis_text(f, "INFO commandstats");
    for (char *rest = NULL, *line = strtok_r(commands, "\r\n", &rest); line != NULL;
         line = strtok_r(NULL, "\r\n", &rest)) {
        static const char *const reading[] = {"# ",
                                              "cmdstat_get:",
                                              "cmdstat_scan:",
                                              "cmdstat_ping:",
                                              "cmdstat_info:",
                                              "cmdstat_client",
                                              "cmdstat_config"};
        bool reads = false;
        for (size_t i = 0; i < sizeof reading / sizeof *reading; i++) {
            reads = reads || strncmp(line, reading[i], strlen(reading[i])) == 0;
        }
        if (!reads) {
            fail_at(__FILE__, __LINE__, "a command that a verification has no use for: %s", line);
        }
    }
    free(commands);
    fixture_close(f);
}
END_TEST

START_TEST(tells_what_differs)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = fill(f);
    char *document = redis_text(f, "GET %s:30", f->prefix);
    document[40] = '#';
    redis_run(f, "SET %s:30 %s", f->prefix, document);
    free(document);
    verify(syncer);
    REQUIRE_INT(told.count, ==, 1);
    REQUIRE_INT(told.first.kind, ==, CP_DIFFERENT);
    REQUIRE_INT(told.first.at, ==, 40);
    REQUIRE_CONTAINS(told.held, "#");
    REQUIRE(strchr(told.document, '#') == NULL);
    REQUIRE(strncmp(told.document, told.held, 12) == 0);

    /* In the midst of characters of several bytes, with a NUL, and longer than an excerpt. */
    sql(f, "update customer set name = repeat('é', 100) where id_customer = 30");
    redis_run(f, "SET %s:30 %b", f->prefix, "{\"id_customer\":30,\xff\0\xc3", (size_t)21);
    verify(syncer);
    REQUIRE_INT(told.count, ==, 1);
    REQUIRE_INT(told.first.at, ==, 18);
    REQUIRE_CONTAINS(told.held, "30,\xff");
    size_t length = strlen(told.document);
    REQUIRE((unsigned char)told.document[length - 1] != 0xc3);
    fixture_close(f);
}
END_TEST

/* ---- changes in flight ---- */

struct writer {
    struct fixture *f;
    PGconn *pg;
    const char *statement; /* NULL: a random one */
    uint64_t seed;
    _Atomic bool done;
    _Atomic long long writes;
};

static void *write_on(void *context)
{
    struct writer *writer = context;
    struct mix mix = {.pg = writer->pg, .state = writer->seed, .ids = ROWS};
    while (!atomic_load(&writer->done) && !atomic_load(&writer->f->abandoned)) {
        PGresult *result = writer->statement != NULL ? PQexec(writer->pg, writer->statement) : NULL;
        bool fine = writer->statement != NULL ? PQresultStatus(result) == PGRES_COMMAND_OK : write_once(&mix);
        PQclear(result);
        if (!fine) {
            atomic_fetch_add(&writer->f->thread_fault, 1);
            break;
        }
        atomic_fetch_add(&writer->writes, 1);
        if (is_over_wal()) { /* one process decodes what three write: on two busy cores it would fall behind for good */
            poll(NULL, 0, WAL_PAUSE_MS);
        }
    }
    return NULL;
}

static void start_writer(struct fixture *f, struct writer *writer, const char *statement)
{
    *writer = (struct writer){
        .f = f, .pg = connect_again(f), .statement = statement, .seed = choose_seed() + f->thread_count};
    sql_on(writer->pg, "set synchronous_commit = off");
    fixture_thread(f, write_on, writer);
}

START_TEST(changes_in_flight)
{
    static struct writer writers[3];
    struct fixture *f = fixture_open();
    cp_syncer *other = fill(f);
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    struct mix rows = {.pg = f->pg, .state = choose_seed(), .ids = 50};
    recheck_ms = is_over_wal() ? 3000 : RECHECK_MS;
    sql(f, "truncate customer, address");
    insert_rows(&rows);
    for (int i = 0; i < 3; i++) {
        start_writer(f, &writers[i], NULL);
    }
    int64_t until_ms = now_ms() + 4000;
    for (int round = 0; round < 3 || now_ms() < until_ms; round++) {
        cp_verify_result result = verify(round % 2 == 0 ? syncer : other);
        REQUIRE_INT(told.count, ==, 0);
        REQUIRE_INT(result.compared, >, 0);
    }
    for (int i = 0; i < 3; i++) {
        REQUIRE_INT(atomic_load(&writers[i].writes), >, 20);
        atomic_store(&writers[i].done, true);
    }
    fixture_join(f);
    expect_customers(f);
    REQUIRE_INT(verify(other).in_flight, ==, 0);
    recheck_ms = RECHECK_MS;
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* Rows that change all the time, between two values only, and documents that take a while to read, so that Redis is as
 * often wrong as right, and often twice in a row with the same value. */
static const char slow[] =
    "{ \"entities\": [ { \"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"id_type\": \"integer\","
    "  \"channels\": [\"customer_updated\", \"customer_deleted\"]," WATCHED_CUSTOMERS " \"fetch\": \"slow_get\","
    "  \"list\": \"select id_customer from customer\" } ] }";

START_TEST(hot_rows)
{
    static struct writer writers[2];
    struct fixture *f = fixture_open();
    sql(f, "create function slow_get(id integer) returns json language plpgsql as $$"
           " declare document json := customer_get(id); begin perform pg_sleep(0.02); return document; end $$;"
           "insert into customer (id_customer, name) values (1, 'a'), (2, 'a')");
    cp_syncer *syncer = run_syncer(f, slow, NO_SETTINGS);
    static const char *const toggle[] = {
        "update customer set name = case name when 'a' then 'b' else 'a' end where id_customer = 1",
        "update customer set name = case name when 'a' then 'b' else 'a' end where id_customer = 2"};
    start_writer(f, &writers[0], toggle[0]);
    start_writer(f, &writers[1], toggle[1]);
    for (int round = 0; round < 12; round++) {
        cp_verify_result result = verify(syncer);
        REQUIRE_INT(told.count, ==, 0);
        REQUIRE_INT(result.compared, ==, 2);
    }
    atomic_store(&writers[0].done, true);
    atomic_store(&writers[1].done, true);
    fixture_join(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

static void *set_on(void *context)
{
    struct writer *writer = context;
    redisContext *redis = connect_redis(writer->f->redis_address);
    while (redis != NULL && !atomic_load(&writer->done) && !atomic_load(&writer->f->abandoned)) {
        redisReply *reply = redisCommand(redis, "SET %s:17 %lld", writer->f->prefix, atomic_load(&writer->writes));
        atomic_fetch_add(&writer->f->thread_fault, reply == NULL);
        freeReplyObject(reply);
        atomic_fetch_add(&writer->writes, 1);
    }
    atomic_fetch_add(&writer->f->thread_fault, redis == NULL);
    if (redis != NULL) {
        redisFree(redis);
    }
    return NULL;
}

/* Never equal, and never the same: somebody is at work. */
START_TEST(never_at_rest)
{
    static struct writer writer;
    struct fixture *f = fixture_open();
    cp_syncer *syncer = fill(f);
    writer = (struct writer){.f = f};
    fixture_thread(f, set_on, &writer);
    WAIT_UNTIL(atomic_load(&writer.writes) > 0);
    cp_verify_result result = verify(syncer);
    REQUIRE_INT(result.in_flight, ==, 1);
    REQUIRE_INT(told.count, ==, 0);
    atomic_store(&writer.done, true);
    fixture_join(f);
    REQUIRE_INT(verify(syncer).different, ==, 1);
    require_told(f, 17);
    fixture_close(f);
}
END_TEST

/* A row that changes all the time without anybody being told is stale all the same. */
START_TEST(hot_and_stale)
{
    static struct writer writer;
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) values (1, 'a'), (2, 'a')");
    cp_syncer *syncer = run_syncer(f, NULL, NO_SETTINGS);
    start_writer(f, &writer, "update customer set name = random()::text where id_customer = 1");
    sql_on(f->pg, "alter table customer disable trigger all");
    WAIT_UNTIL(atomic_load(&writer.writes) > 20);
    cp_verify_result result = verify(syncer);
    REQUIRE_INT(result.different, ==, 1);
    require_told(f, 1);
    atomic_store(&writer.done, true);
    fixture_join(f);
    fixture_close(f);
}
END_TEST

/* ---- samples ---- */

START_TEST(sample)
{
    struct fixture *f = fixture_open();
    cp_syncer *syncer = fill(f);
    cp_verify_result result = verify_with(syncer, 50, false);
    REQUIRE_INT(result.compared, >=, 50);
    REQUIRE_INT(result.compared, <=, 100);
    require_equal(result, result.compared);
    require_equal(verify_with(syncer, 1000000, false), ROWS);

    redis_run(f, "SET %s:5000 left-over", f->prefix);
    redis_run(f, "DEL %s:17", f->prefix);
    result = verify_with(syncer, ROWS + 1, false);
    REQUIRE_INT(result.missing, ==, 1);
    REQUIRE_INT(result.orphans, ==, 1);
    REQUIRE_INT(result.compared, ==, ROWS + 1);

    sql(f, "set session_replication_role = replica; update customer set name = 'unannounced';"
           " set session_replication_role = origin");
    result = verify_with(syncer, 20, false);
    REQUIRE_INT(result.different, >=, 19);

    cp_error err = {0};
    cp_verify_options too_many = {.size = sizeof too_many, .sample = 1000001};
    REQUIRE_INT(cp_syncer_verify(syncer, &too_many, &result, &err), ==, CP_ERR_ARGUMENT);
    fixture_close(f);
}
END_TEST

/* Each document has the same chance: that one of 20 is in none of 120 samples of 4 happens once in 10^10 runs. */
START_TEST(sample_is_even)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) select i, 'x' from generate_series(1, 20) i");
    cp_syncer *syncer = make_syncer(f, NULL, SETTINGS("threads", "1"));
    bool seen[21] = {false};
    for (int round = 0; round < 120; round++) {
        cp_verify_options options = options_of(4, false);
        cp_verify_result result = {.size = sizeof result};
        cp_error err = {0};
        options.recheck_ms = 1;
        REQUIRE_OK(cp_syncer_verify(syncer, &options, &result, &err), err);
        REQUIRE_INT(result.missing, ==, 4);
        for (size_t i = 0; i < 4; i++) {
            seen[atoi(strrchr(told.keys[i], ':') + 1)] = true;
        }
    }
    for (int id = 1; id <= 20; id++) {
        REQUIRE(seen[id]);
    }
    fixture_close(f);
}
END_TEST

Suite *verify_suite(void)
{
    Suite *suite = suite_create("verify");
    TCase *tcase = tcase_create("verify");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, equal);
    add_test(tcase, nothing_at_all);
    add_test(tcase, each_kind);
    add_test(tcase, writes_nothing);
    add_test(tcase, tells_what_differs);
    add_test(tcase, changes_in_flight);
    add_test(tcase, hot_rows);
    add_test(tcase, never_at_rest);
    add_test(tcase, hot_and_stale);
    add_test(tcase, sample);
    add_test(tcase, sample_is_even);
    suite_add_tcase(suite, tcase);
    return suite;
}
