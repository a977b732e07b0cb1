/* Names of hosts, looked up by a resolver that hangs. */
#include "suites.h"

#include "base/clock.h"
#include "base/fake_names.h"
#include "base/resolve.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* SOON: the machine is busy. LOOKUPS_MAX: as many may be under way in a process. */
enum { SHORT_MS = 100, SOON_MS = 10000, LONG_MS = 60000, LOOKUPS_MAX = 32 };

static int cancel_fd;
static cp_error err;

static void create(void)
{
    cancel_fd = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_ge(cancel_fd, 0);
    err = (cp_error){0};
}

static void destroy(void)
{
    fake_names_release();
    close(cancel_fd);
}

static cp_code resolve(const char *host, int within_ms, struct addrinfo **addresses)
{
    *addresses = NULL;
    return cpi_resolve(host, 6379, cpi_now_ms() + within_ms, cancel_fd, addresses, &err);
}

static void assert_found(const char *host, const char *address)
{
    struct addrinfo *found = NULL;
    char text[INET_ADDRSTRLEN];
    ck_assert_msg(resolve(host, LONG_MS, &found) == CP_OK, "%s", err.message);
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)found->ai_addr;
    ck_assert_int_eq(found->ai_family, AF_INET);
    ck_assert_uint_eq(ntohs(in->sin_port), 6379);
    ck_assert_str_eq(inet_ntop(AF_INET, &in->sin_addr, text, sizeof text), address);
    freeaddrinfo(found);
}

static void assert_fails(const char *host, int within_ms, const char *message)
{
    struct addrinfo *found = NULL;
    ck_assert_int_eq(resolve(host, within_ms, &found), CP_ERR_SYSTEM);
    ck_assert_ptr_null(found);
    ck_assert(err.retriable);
    ck_assert_str_eq(err.message, message);
}

START_TEST(names_and_addresses_are_found)
{
    assert_found("192.0.2.7", "192.0.2.7");
    assert_found("one.test", "192.0.2.1");
    assert_found("slow.test", "192.0.2.9"); /* it does not hang yet */
}
END_TEST

START_TEST(a_name_that_is_not_known_is_said_at_once)
{
    int64_t began_ms = cpi_now_ms();
    struct addrinfo *found = NULL;
    ck_assert_int_eq(resolve("unknown.test", LONG_MS, &found), CP_ERR_SYSTEM);
    ck_assert(err.retriable);
    ck_assert_ptr_nonnull(strstr(err.message, "\"unknown.test\""));
    ck_assert_int_lt(cpi_now_ms() - began_ms, SOON_MS);
}
END_TEST

START_TEST(the_deadline_is_kept)
{
    fake_names_hang();
    int64_t began_ms = cpi_now_ms();
    assert_fails("slow.test", SHORT_MS, "looking up \"slow.test\": no answer in time");
    int64_t took_ms = cpi_now_ms() - began_ms;
    ck_assert_int_ge(took_ms, SHORT_MS);
    ck_assert_int_lt(took_ms, SOON_MS);

    /* Others are found meanwhile, and an address needs nobody. */
    fake_names_await(1);
    assert_found("one.test", "192.0.2.1");
    assert_found("192.0.2.7", "192.0.2.7");
}
END_TEST

static void *stop_when_it_hangs(void *context)
{
    (void)context;
    uint64_t one = 1;
    fake_names_await(1);
    return write(cancel_fd, &one, sizeof one) == sizeof one ? &cancel_fd : NULL;
}

START_TEST(a_stop_cuts_it_short)
{
    pthread_t thread;
    void *stopped = NULL;
    fake_names_hang();
    ck_assert_int_eq(pthread_create(&thread, NULL, stop_when_it_hangs, NULL), 0);
    int64_t began_ms = cpi_now_ms();
    struct addrinfo *found = NULL;
    cp_code code = resolve("slow.test", LONG_MS, &found);
    ck_assert_int_eq(pthread_join(thread, &stopped), 0);
    ck_assert_ptr_nonnull(stopped);
    ck_assert_int_eq(code, CP_ERR_SYSTEM);
    ck_assert_ptr_null(found);
    ck_assert_int_lt(cpi_now_ms() - began_ms, SOON_MS);
}
END_TEST

/* A thread that was left behind owns what it finds, and what it was told; its end makes room for another. */
START_TEST(threads_left_behind_are_bounded_and_end)
{
    fake_names_hang();
    for (unsigned i = 0; i < LOOKUPS_MAX; i++) {
        assert_fails("slow.test", 1, "looking up \"slow.test\": no answer in time");
    }
    fake_names_await(LOOKUPS_MAX);
    assert_fails("one.test", LONG_MS, "looking up \"one.test\": 32 lookups are under way already");
    assert_found("192.0.2.7", "192.0.2.7");

    fake_names_release();
    struct addrinfo *found = NULL;
    int64_t until_ms = cpi_now_ms() + LONG_MS;
    while (resolve("slow.test", LONG_MS, &found) != CP_OK) {
        ck_assert_msg(cpi_now_ms() < until_ms, "%s", err.message);
        poll(NULL, 0, 1);
    }
    freeaddrinfo(found);
}
END_TEST

Suite *resolve_suite(void)
{
    Suite *suite = suite_create("resolve");
    TCase *tcase = tcase_create("resolve");
    tcase_add_checked_fixture(tcase, create, destroy);
    tcase_set_timeout(tcase, 90);
    tcase_add_test(tcase, names_and_addresses_are_found);
    tcase_add_test(tcase, a_name_that_is_not_known_is_said_at_once);
    tcase_add_test(tcase, the_deadline_is_kept);
    tcase_add_test(tcase, a_stop_cuts_it_short);
    tcase_add_test(tcase, threads_left_behind_are_bounded_and_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
