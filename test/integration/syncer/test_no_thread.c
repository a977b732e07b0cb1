/* Threads that cannot be started: one line says so, nothing is left behind, and another syncer works. */
#include "equal.h"
#include "servers.h"
#include "suites.h"
#include "syncer/census.h"

#include <errno.h>
#include <string.h>

enum { MOST = 40 };

/* ---- in the place of pthread_create(), for all of this program (CMakeLists.txt) ---- */

static atomic_int until_failure; /* that many calls from now one fails, 1 being the next; 0: none does */
static atomic_bool refuses_attributes;

int __real_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *), void *context);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *), void *context);

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *), void *context)
{
    if (atomic_load(&until_failure) > 0 && atomic_fetch_sub(&until_failure, 1) == 1) {
        return EAGAIN;
    }
    if (atomic_load(&refuses_attributes) && attributes != NULL) {
        return EINVAL;
    }
    return __real_pthread_create(id, attributes, run, context);
}

/* ---- the tests ---- */

static void expect_one_line(const cp_error *err)
{
    REQUIRE_INT(err->code, ==, CP_ERR_SYSTEM);
    REQUIRE_CONTAINS(err->message, "cannot start the thread cp-");
    REQUIRE_CONTAINS(err->message, "Resource temporarily unavailable");
    REQUIRE(strchr(err->message, '\n') == NULL);
}

/* The first thread is that of the checks. Before any other nothing has run, and the call may be repeated. */
static void expect_ended(cp_syncer *syncer, bool may_start)
{
    cp_error err = {0};
    cp_health health = {.size = sizeof health};
    if (may_start) {
        start_syncer(syncer);
        wait_ready(syncer);
        return;
    }
    REQUIRE_INT(cp_syncer_start(syncer, &err), ==, CP_ERR_STOPPED);
    REQUIRE_CONTAINS(err.message, "stopped already");
    REQUIRE_OK(cp_syncer_health(syncer, &health, &err), err);
    REQUIRE_INT(health.state, ==, CP_STATE_STOPPED);
    REQUIRE_INT(cp_syncer_wait_ready(syncer, -1, &err), ==, CP_ERR_STOPPED);
    REQUIRE_INT(cp_syncer_stop(syncer, 0, &err), ==, CP_ERR_TIMEOUT);
    REQUIRE_CONTAINS(err.message, "1 id had not settled");
}

/* With every thread that there can be. */
static cp_syncer *make_full_syncer(struct fixture *f)
{
    static const char entities[] =
        "{\"entities\": [{\"name\": \"customer\", \"key\": \"{prefix}:{id}\", \"channels\": [\"customer_updated\"],"
        " \"watch\": [{\"table\": \"customer\", \"column\": \"id_customer\"},"
        " {\"table\": \"address\", \"column\": \"id_address\", \"channel\": \"address_mapped\","
        " \"maps\": \"select fk_customer from address where id_address = any ($1)\"}],"
        " \"fetch_many\": \"customer_get_many\", \"list\": \"select id_customer from customer\"}]}";
    return make_syncer(f, entities, SETTINGS("threads", "2", "audit_per_second", "5", "catalog_check_ms", "1000"));
}

START_TEST(each_thread_of_a_start)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 20) i");
    cp_syncer *first = make_full_syncer(f);
    start_syncer(first);
    wait_ready(first);
    stop_syncer(f, first); /* what is opened, or started by a sanitizer, once and for all is there now */
    size_t threads = count_threads("");
    size_t descriptors = count_descriptors();
    int n = 0;
    cp_code code = CP_ERR_SYSTEM;
    while (code != CP_OK) {
        cp_error err = {0};
        REQUIRE_INT(++n, <, MOST);
        cp_syncer *syncer = make_full_syncer(f);
        REQUIRE_OK(cp_syncer_enqueue(syncer, "customer", "1", &err), err);
        atomic_store(&until_failure, n);
        code = cp_syncer_start(syncer, &err);
        atomic_store(&until_failure, 0);
        if (code != CP_OK) {
            expect_one_line(&err);
            REQUIRE_INT(err.retriable, ==, n == 1);
            expect_ended(syncer, n == 1);
        }
        destroy_syncer(f, syncer);
        WAIT_UNTIL(count_threads("") == threads);
        REQUIRE_INT(count_descriptors(), ==, descriptors);
    }
    REQUIRE_INT(n, >=, 10); /* the checks, the lease, two workers, and one for each of the rest */
    cp_syncer *next = make_full_syncer(f);
    start_syncer(next);
    wait_ready(next);
    expect_customers(f);
    stop_syncer(f, next);
    fixture_close(f);
}
END_TEST

START_TEST(each_thread_of_a_verification)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 20) i");
    cp_syncer *syncer = run_syncer(f, NULL, SETTINGS("threads", "3"));
    int n = 0;
    cp_code code = CP_ERR_SYSTEM;
    while (code != CP_OK) {
        cp_error err = {0};
        cp_verify_result result = {.size = sizeof result};
        REQUIRE_INT(++n, <, MOST);
        atomic_store(&until_failure, n);
        code = cp_syncer_verify(syncer, NULL, &result, &err);
        atomic_store(&until_failure, 0);
        if (code != CP_OK) {
            expect_one_line(&err);
        }
    }
    REQUIRE_INT(n, >=, 2);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

/* As glibc does where a program's thread-local variables leave too little of a stack. */
START_TEST(with_the_programs_own_stack_size)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (id_customer, name) values (1, 'Ada')");
    atomic_store(&refuses_attributes, true);
    cp_syncer *syncer = make_syncer(f, NULL, NO_SETTINGS);
    cp_error err = {0};
    cp_code code = cp_syncer_start(syncer, &err);
    atomic_store(&refuses_attributes, false);
    REQUIRE_OK(code, err);
    wait_ready(syncer);
    expect_customers(f);
    stop_syncer(f, syncer);
    fixture_close(f);
}
END_TEST

Suite *no_thread_suite(void)
{
    Suite *suite = suite_create("no_thread");
    TCase *tcase = tcase_create("no_thread");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, each_thread_of_a_start);
    tcase_add_test(tcase, each_thread_of_a_verification);
    tcase_add_test(tcase, with_the_programs_own_stack_size);
    suite_add_tcase(suite, tcase);
    return suite;
}
