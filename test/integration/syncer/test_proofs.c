/* Servers on which documents could not be kept equal are refused at the start, in words that say what they are. */
#include "servers.h"
#include "sources.h"
#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void expect_refused(struct fixture *f, cp_code code, bool retriable, const char *const *settings,
                           const char *why)
{
    cp_error err = {0};
    cp_syncer *syncer = make_syncer(f, NULL, settings);
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, code);
    REQUIRE_CONTAINS(err.message, why);
    REQUIRE_INT(err.retriable, ==, retriable);
    destroy_syncer(f, syncer);
}

/* ---- Redis ---- */

/* Nodes listen for each other on a port that follows from the first, which is 0 here: each test has a loopback address
 * of its own. */
START_TEST(a_node_of_a_cluster)
{
    struct fixture *f = fixture_open();
    char address[32];
    char nodes[sizeof f->base + 8];
    unsigned pid = (unsigned)getpid();
    snprintf(address, sizeof address, "127.%u.%u.%u", 64 + (pid >> 16) % 64, (pid >> 8) % 256, pid % 256);
    snprintf(nodes, sizeof nodes, "%s.nodes", f->base);
    own_redis_start_as(
        f, (const char *const[]){"--bind", address, "--cluster-enabled", "yes", "--cluster-config-file", nodes, NULL});
    expect_refused(f, CP_ERR_REDIS, false, NO_SETTINGS, "the server is in cluster mode; a single primary is needed");
    fixture_close(f);
}
END_TEST

/* It writes its state to the configuration file, and does not start without one. */
START_TEST(a_sentinel)
{
    struct fixture *f = fixture_open();
    char path[300];
    snprintf(path, sizeof path, "%s/%s.conf", getenv("CP_SERVERS_DIR"), f->base);
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL && fclose(file) == 0);
    own_redis_start_as(f, (const char *const[]){path, "--sentinel", NULL});
    expect_refused(f, CP_ERR_REDIS, false, NO_SETTINGS, "the server is in sentinel mode; a single primary is needed");
    REQUIRE(unlink(path) == 0);
    fixture_close(f);
}
END_TEST

/* It may be promoted yet. */
START_TEST(a_replica)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    redis_run(f, "REPLICAOF 127.0.0.1 1");
    expect_refused(f, CP_ERR_REDIS, true, NO_SETTINGS, "the server is a replica; the primary is needed");
    fixture_close(f);
}
END_TEST

/* ---- rights ---- */

START_TEST(rights_that_are_needed)
{
    static const struct {
        const char *rule;
        const char *why;
    } rights[] = {
        {"-client|list", "cachepusher needs CLIENT LIST"}, {"-client|kill", "cachepusher needs CLIENT KILL"},
        {"-set", "cannot be kept without SET (ACL"},       {"-del", "cannot be kept without DEL (ACL"},
        {"-get", "cannot be kept without GET (ACL"},       {"-scan", "cannot be kept without SCAN (ACL"},
        {"-exists", "cannot be kept without EXISTS (ACL"},
    };
    struct fixture *f = fixture_open();
    own_redis_start(f);
    become_admin(f);
    for (size_t i = 0; i < sizeof rights / sizeof *rights; i++) {
        redis_run(f, "ACL SETUSER default %s", rights[i].rule);
        expect_refused(f, CP_ERR_REDIS, false, NO_SETTINGS, rights[i].why);
        redis_run(f, "ACL SETUSER default +@all");
    }
    char keys[512];
    snprintf(keys, sizeof keys,
             "; documents at %s:* cannot be kept without SET (ACL SETUSER NAME +set +del +get +exists +scan ~%s:*)",
             f->prefix, f->prefix);
    redisReply *written = redis_do(f, "KEYS %s*", f->prefix); /* nothing, to find out */
    REQUIRE_INT(written->elements, ==, 0);
    freeReplyObject(written);
    redis_run(f, "ACL SETUSER default -set");
    expect_refused(f, CP_ERR_REDIS, false, NO_SETTINGS, keys);
    redis_run(f, "ACL SETUSER default +@all");
    stop_syncer(f, run_syncer(f, NULL, NO_SETTINGS));
    fixture_close(f);
}
END_TEST

/* Without these it goes on, and says what that costs. */
START_TEST(rights_that_are_missed)
{
    struct fixture *f = fixture_open();
    own_redis_start(f);
    become_admin(f);
    redis_run(f, "ACL SETUSER default -info");
    stop_syncer(f, run_syncer(f, NULL, NO_SETTINGS));
    REQUIRE_INT(count_logged(f, "has restarted or failed over with older data may go unnoticed"), ==, 1);
    redis_run(f, "ACL SETUSER default +@all -incr");
    stop_syncer(f, run_syncer(f, NULL, NO_SETTINGS));
    REQUIRE_INT(count_logged(f, "without the marker, FLUSHALL, evictions and older data may go unnoticed"), ==, 1);
    redis_run(f, "ACL SETUSER default +@all resetkeys ~cachepusher:marker:*");
    stop_syncer(f, run_syncer(f, NULL, NO_SETTINGS));
    REQUIRE_INT(count_logged(f, "documents whose keys are not allowed will be refused (ACL SETUSER NAME ~"), ==, 1);
    redis_run(f, "ACL SETUSER default allkeys -unlink");
    stop_syncer(f, run_syncer(f, NULL, NO_SETTINGS));
    REQUIRE_INT(count_logged(f, "--flush will fail (ACL SETUSER NAME +unlink)"), ==, 1);
    fixture_close(f);
}
END_TEST

/* ---- Postgres ---- */

static int number_on(PGconn *pg, const char *statement)
{
    PGresult *result = PQexec(pg, statement);
    bool is_one = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    int number = is_one ? atoi(PQgetvalue(result, 0, 0)) : 0;
    PQclear(result);
    if (!is_one) {
        fail_at(__FILE__, __LINE__, "%s: %s", statement, PQerrorMessage(pg));
    }
    return number;
}

/* A session there is lent to one client after another: what listens is not what waits to hear. Sessions of others are
 * left as they were, and the one that was lent to the syncer no longer listens. */
START_TEST(a_pooler_in_transaction_mode)
{
    static const char pid_sql[] = "select pg_backend_pid()";
    struct fixture *f = fixture_open();
    char pooled[640];
    char others[700];
    own_pooler_start(f, pooled, sizeof pooled);
    snprintf(others, sizeof others, "%s application_name=other", pooled);
    PGconn *busy = connect_to(f, others);
    PGconn *idle = connect_to(f, others);
    snprintf(others, sizeof others, "%s application_name=other", f->dsn);
    PGconn *direct = connect_to(f, others);
    sql_on(busy, "begin");
    int busy_pid = number_on(busy, pid_sql);
    int idle_pid = number_on(idle, pid_sql);
    int direct_pid = number_on(direct, pid_sql);
    REQUIRE_INT(busy_pid, !=, idle_pid);

    expect_refused(f, CP_ERR_POSTGRES, false, SETTINGS("postgres", pooled),
                   is_over_wal() ? "through a pooler no slot can be read" : "in transaction mode nothing is heard");
    REQUIRE_INT(number_on(idle, pid_sql), ==, idle_pid); /* the syncer's a moment ago, as the other one is busy */
    REQUIRE_INT(number_on(idle, "select count(*) from pg_listening_channels()"), ==, 0);
    REQUIRE_INT(number_on(busy, pid_sql), ==, busy_pid);
    sql_on(busy, "commit");
    REQUIRE_INT(number_on(direct, pid_sql), ==, direct_pid);
    fixture_close(f);
}
END_TEST

Suite *proofs_suite(void)
{
    Suite *suite = suite_create("proofs");
    TCase *tcase = tcase_create("redis");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, a_node_of_a_cluster);
    add_test(tcase, a_sentinel);
    add_test(tcase, a_replica);
    add_test(tcase, rights_that_are_needed);
    add_test(tcase, rights_that_are_missed);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("postgres");
    tcase_set_timeout(tcase, 240);
    add_test(tcase, a_pooler_in_transaction_mode);
    suite_add_tcase(suite, tcase);
    return suite;
}
