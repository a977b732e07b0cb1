/* The hosts of a connection string, with names that the test program itself resolves. Nothing is connected to. */
#include "suites.h"

#include "base/clock.h"
#include "base/fake_names.h"
#include "postgres/hosts.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHORT_MS = 400, LONG_MS = 60000 };

static struct cpi_hosts hosts;
static cp_error err;

static void create(void)
{
    static const char *const variables[] = {"PGHOST",    "PGHOSTADDR",    "PGPORT",
                                            "PGSERVICE", "PGSERVICEFILE", "PGTARGETSESSIONATTRS"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        unsetenv(variables[i]);
    }
    hosts = (struct cpi_hosts){.hosts = NULL};
}

static void destroy(void)
{
    cpi_hosts_fini(&hosts);
    fake_names_release();
}

static cp_code resolve(const char *conninfo, unsigned turn, int within_ms)
{
    const struct cpi_pg pg = {.conninfo = conninfo, .turn = turn, .cancel_fd = -1};
    cpi_hosts_fini(&hosts);
    return cpi_hosts_resolve(&hosts, &pg, cpi_now_ms() + within_ms, &err);
}

static void assert_lists(const char *names, const char *addresses, const char *ports)
{
    ck_assert_pstr_eq(hosts.hosts, names);
    ck_assert_pstr_eq(hosts.addresses, addresses);
    ck_assert_pstr_eq(hosts.ports, ports);
}

static void assert_resolved(const char *conninfo, unsigned turn, const char *names, const char *addresses,
                            const char *ports)
{
    ck_assert_msg(resolve(conninfo, turn, LONG_MS) == CP_OK, "%s", err.message);
    assert_lists(names, addresses, ports);
}

/* ---- lists and turns ---- */

START_TEST(each_turn_begins_with_another_host)
{
    static const char several[] = "host=one.test,192.0.2.5,192.0.2.6 port=1,2,3";
    assert_resolved(several, 0, "one.test,192.0.2.5,192.0.2.6", "192.0.2.1,192.0.2.5,192.0.2.6", "1,2,3");
    assert_resolved(several, 1, "192.0.2.5,192.0.2.6,one.test", "192.0.2.5,192.0.2.6,192.0.2.1", "2,3,1");
    assert_resolved(several, 2, "192.0.2.6,one.test,192.0.2.5", "192.0.2.6,192.0.2.1,192.0.2.5", "3,1,2");
    assert_resolved(several, 3, "one.test,192.0.2.5,192.0.2.6", "192.0.2.1,192.0.2.5,192.0.2.6", "1,2,3");
}
END_TEST

START_TEST(each_turn_begins_with_another_address_of_a_host)
{
    assert_resolved("host=two.test", 0, "two.test,two.test", "192.0.2.2,192.0.2.3", "5432,5432");
    assert_resolved("host=two.test", 1, "two.test,two.test", "192.0.2.3,192.0.2.2", "5432,5432");
    assert_resolved("host=two.test", 2, "two.test,two.test", "192.0.2.2,192.0.2.3", "5432,5432");
}
END_TEST

START_TEST(one_port_serves_all_hosts)
{
    assert_resolved("postgresql://one.test,two.test/db?port=7", 0, "one.test,two.test,two.test",
                    "192.0.2.1,192.0.2.2,192.0.2.3", "7,7,7");
}
END_TEST

START_TEST(sockets_stay_in_the_list)
{
    assert_resolved("host=/nowhere", 0, NULL, NULL, NULL);
    assert_resolved("host=/nowhere,one.test,@abstract", 0, "/nowhere,one.test,@abstract", ",192.0.2.1,",
                    "5432,5432,5432");
}
END_TEST

START_TEST(libpqs_environment_counts)
{
    setenv("PGHOST", "one.test,two.test", 1);
    setenv("PGPORT", "7,8", 1);
    assert_resolved("dbname=db", 0, "one.test,two.test,two.test", "192.0.2.1,192.0.2.2,192.0.2.3", "7,8,8");
    assert_resolved("host=192.0.2.5 port=9", 0, "192.0.2.5", "192.0.2.5", "9");
}
END_TEST

START_TEST(what_libpq_need_not_look_up_is_left_to_it)
{
    assert_resolved("", 0, NULL, NULL, NULL);
    assert_resolved("host=unknown.test hostaddr=192.0.2.5", 0, NULL, NULL, NULL);
    assert_resolved("service=some host=unknown.test", 0, NULL, NULL, NULL);
    setenv("PGHOSTADDR", "192.0.2.5", 1);
    assert_resolved("host=unknown.test", 0, NULL, NULL, NULL);
}
END_TEST

/* ---- names that are not found ---- */

START_TEST(a_name_that_is_not_found_is_left_out)
{
    assert_resolved("host=unknown.test,one.test port=1,2", 0, "one.test", "192.0.2.1", "2");
    assert_resolved("host=unknown.test,/nowhere", 0, "/nowhere", "", "5432");
}
END_TEST

START_TEST(when_none_is_found_it_fails)
{
    ck_assert_int_eq(resolve("host=unknown.test,missing.test", 0, LONG_MS), CP_ERR_POSTGRES);
    ck_assert(err.retriable);
    ck_assert_ptr_nonnull(strstr(err.message, "Postgres: looking up \"missing.test\": "));
    assert_lists(NULL, NULL, NULL);
}
END_TEST

START_TEST(a_name_that_hangs_leaves_the_others_their_time)
{
    fake_names_hang();
    int64_t began_ms = cpi_now_ms();
    ck_assert_int_eq(resolve("host=slow.test,one.test", 0, SHORT_MS), CP_OK);
    assert_lists("one.test", "192.0.2.1", "5432");
    ck_assert_int_ge(cpi_now_ms() - began_ms, SHORT_MS / 2);

    ck_assert_int_eq(resolve("host=slow.test", 0, SHORT_MS), CP_ERR_POSTGRES);
    ck_assert_str_eq(err.message, "Postgres: looking up \"slow.test\": no answer in time");
}
END_TEST

/* ---- which of several is wanted ---- */

/* What libpq makes of it. */
static void assert_wanted(const char *conninfo, const char *wanted)
{
    struct cpi_pg pg = {.conninfo = conninfo, .role = "test", .cancel_fd = -1};
    ck_assert_int_eq(cpi_hosts_connect(&hosts, &pg, &err), CP_OK);
    PGconn *connection = pg.connection;
    PQconninfoOption *options = PQconninfo(connection);
    ck_assert_ptr_nonnull(options);
    const char *value = NULL;
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        value = strcmp(option->keyword, "target_session_attrs") == 0 ? option->val : value;
    }
    ck_assert_pstr_eq(value, wanted);
    PQconninfoFree(options);
    PQfinish(connection);
}

static const char *primary(void)
{
    return PQlibVersion() >= 140000 ? "primary" : "read-write";
}

START_TEST(of_several_hosts_the_primary_is_wanted)
{
    assert_wanted("host=/nowhere", "any");
    assert_wanted("host=/nowhere,/elsewhere", primary());
    assert_wanted("host=/nowhere,/elsewhere target_session_attrs=any", "any");
    assert_wanted("host=/nowhere target_session_attrs=read-only", "read-only");
    setenv("PGHOST", "/nowhere,/elsewhere", 1);
    assert_wanted("dbname=db", primary());
    assert_wanted("host=/nowhere", "any");
}
END_TEST

START_TEST(the_environment_may_say_which_is_wanted)
{
    setenv("PGTARGETSESSIONATTRS", "read-write", 1);
    assert_wanted("host=/nowhere,/elsewhere", "read-write");
    assert_wanted("host=/nowhere,/elsewhere target_session_attrs=any", "any");
}
END_TEST

START_TEST(a_service_may_say_which_is_wanted)
{
    static const char service[] = "[some]\nhost=/nowhere,/elsewhere\ntarget_session_attrs=read-only\n";
    char path[] = "/tmp/pg_service.XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, service, sizeof service - 1), sizeof service - 1);
    close(fd);
    setenv("PGSERVICEFILE", path, 1);
    assert_wanted("service=some", "read-only");
    assert_wanted("service=some host=/here,/there", "read-only");
    setenv("PGSERVICE", "some", 1);
    assert_wanted("host=/here,/there", "read-only");
    unlink(path);
}
END_TEST

Suite *hosts_suite(void)
{
    Suite *suite = suite_create("hosts");
    TCase *tcase = tcase_create("hosts");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_set_timeout(tcase, 90);
    tcase_add_test(tcase, each_turn_begins_with_another_host);
    tcase_add_test(tcase, each_turn_begins_with_another_address_of_a_host);
    tcase_add_test(tcase, one_port_serves_all_hosts);
    tcase_add_test(tcase, sockets_stay_in_the_list);
    tcase_add_test(tcase, libpqs_environment_counts);
    tcase_add_test(tcase, what_libpq_need_not_look_up_is_left_to_it);
    tcase_add_test(tcase, a_name_that_is_not_found_is_left_out);
    tcase_add_test(tcase, when_none_is_found_it_fails);
    tcase_add_test(tcase, a_name_that_hangs_leaves_the_others_their_time);
    tcase_add_test(tcase, of_several_hosts_the_primary_is_wanted);
    tcase_add_test(tcase, the_environment_may_say_which_is_wanted);
    tcase_add_test(tcase, a_service_may_say_which_is_wanted);
    suite_add_tcase(suite, tcase);
    return suite;
}
