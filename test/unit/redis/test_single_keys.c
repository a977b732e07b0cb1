/* One server as a target: fencing, keys, the marker, and replies that make no sense. */
#include "suites.h"

#include "redis/single_fixture.h"

#include <string.h>

static struct cpi_cursor cursor;
static struct cpi_keys keys;

static void set_up_cursor(void)
{
    single_set_up();
    ck_assert_int_eq(cpi_cursor_init(&cursor, &key, false, &err), CP_OK);
}

static void tear_down_cursor(void)
{
    cpi_cursor_fini(&cursor);
    cpi_keys_fini(&keys);
    single_tear_down();
}

static cp_code scan(void)
{
    return target->ops->scan(target, &cursor, &keys, &err);
}

static void expect_key(size_t i, const char *expected)
{
    size_t length = 0;
    const char *text = cpi_keys_at(&keys, i, &length);
    ck_assert_uint_eq(length, strlen(expected));
    ck_assert_mem_eq(text, expected, length);
}

/* ---- fencing ---- */

START_TEST(fencing_ends_former_owners)
{
    fake.clients = "id=3 addr=1 name=cachepusher-worker:group:theirs age=1\n"
                   "id=4 addr=1 name=cachepusher-worker:group:ours age=1\n"
                   "id=5 addr=1 name= age=1\n"
                   "id=6 addr=1 name=cachepusher-marker:group:others age=1\n"
                   "id=8 addr=1 name=cachepusher-worker:another:theirs age=1\n";
    start(NULL);
    open_target();
    ck_assert_int_eq(target->ops->fence(target, "group", "ours", &err), CP_OK);
    fake_redis_stop(&fake);
    const char *named = strstr(fake.commands, "CLIENT SETNAME cachepusher-test:group:ours\n");
    ck_assert_ptr_nonnull(named);
    ck_assert_str_eq(strchr(named, '\n') + 1, "CLIENT LIST\nCLIENT KILL ID 3\nCLIENT KILL ID 6\n");
}
END_TEST

/* ---- keys ---- */

START_TEST(scans_page_by_page)
{
    static const char *const script[] = {"*2\r\n$2\r\n17\r\n*2\r\n$9\r\nshop:1:v1\r\n$0\r\n\r\n",
                                         "*2\r\n$20\r\n18446744073709551615\r\n*0\r\n",
                                         "*2\r\n$1\r\n0\r\n*1\r\n$9\r\nshop:2:v1\r\n", NULL};
    start(script);
    open_target();
    ck_assert_int_eq(scan(), CP_OK);
    ck_assert_uint_eq(keys.count, 2);
    expect_key(0, "shop:1:v1");
    expect_key(1, "");
    ck_assert_int_eq(scan(), CP_OK);
    ck_assert_uint_eq(keys.count, 0);
    ck_assert(!cursor.done);
    ck_assert_int_eq(scan(), CP_OK);
    ck_assert_uint_eq(keys.count, 1);
    expect_key(0, "shop:2:v1");
    ck_assert(cursor.done);
    fake_redis_stop(&fake);
    ck_assert(has_seen("SCAN 0 MATCH shop:*:v1 COUNT 1000\nSCAN 17 MATCH shop:*:v1 COUNT 1000\n"
                       "SCAN 18446744073709551615 MATCH shop:*:v1 COUNT 1000\n"));
}
END_TEST

START_TEST(a_refused_scan_stays_where_it_is)
{
    static const char *const script[] = {"-NOPERM no permissions to run 'scan'\r\n",
                                         "*2\r\n$1\r\n0\r\n*1\r\n$9\r\nshop:1:v1\r\n", NULL};
    start(script);
    open_target();
    ck_assert_int_eq(scan(), CP_ERR_REDIS);
    ck_assert(!err.retriable);
    ck_assert(is_open());
    ck_assert(!cursor.done);
    ck_assert_int_eq(scan(), CP_OK);
    ck_assert_uint_eq(keys.count, 1);
    fake_redis_stop(&fake);
}
END_TEST

static const char *const no_pages[] = {
    "+OK\r\n",
    ":1\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "*0\r\n",
    "*1\r\n$1\r\n0\r\n",
    "*2\r\n:0\r\n*0\r\n",
    "*2\r\n$-1\r\n*0\r\n",
    "*2\r\n$1\r\n0\r\n$1\r\n0\r\n",
    "*2\r\n$1\r\n0\r\n*-1\r\n",
    "*2\r\n*0\r\n*0\r\n",
    "*3\r\n$1\r\n0\r\n*0\r\n*0\r\n",
};

START_TEST(what_is_not_a_page_closes)
{
    const char *const script[] = {no_pages[_i], NULL};
    start(script);
    open_target();
    ck_assert_msg(scan() == CP_ERR_REDIS, "%s", no_pages[_i]);
    ck_assert(!is_open());
    ck_assert(!cursor.done);
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(what_is_not_a_key_is_left_out)
{
    static const char *const script[] = {"*2\r\n$1\r\n0\r\n*4\r\n$-1\r\n:7\r\n*1\r\n$1\r\na\r\n$9\r\nshop:1:v1\r\n",
                                         NULL};
    start(script);
    open_target();
    ck_assert_int_eq(scan(), CP_OK);
    ck_assert_uint_eq(keys.count, 1);
    expect_key(0, "shop:1:v1");
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(unlinks_what_has_the_prefix)
{
    static const char *const script[] = {":2\r\n", NULL};
    static const char *const found[] = {"shop:1:v1", "shop", "shopx1:v1", "", "a shop:1:v1", "shop:anything"};
    uint64_t count = 40;
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        ck_assert(cpi_keys_add(&keys, found[i], strlen(found[i])));
    }
    start(script);
    open_target();
    ck_assert_int_eq(target->ops->unlink(target, &key, &keys, &count, &err), CP_OK);
    ck_assert_uint_eq(count, 42);
    cpi_keys_clear(&keys);
    ck_assert_int_eq(target->ops->unlink(target, &key, &keys, &count, &err), CP_OK); /* asks nothing */
    ck_assert_uint_eq(count, 42);
    fake_redis_stop(&fake);
    ck_assert(has_seen("UNLINK shop:1:v1 shop:anything\n"));
}
END_TEST

/* ---- the marker ---- */

static void expect_marker(int64_t expected)
{
    int64_t number = -1;
    ck_assert_int_eq(target->ops->advance_marker(target, "marker", &number, &err), CP_OK);
    ck_assert_int_eq(number, expected);
}

START_TEST(advances_the_marker)
{
    static const char *const script[] = {":1234567\r\n",
                                         ":1\r\n",
                                         "-WRONGTYPE no string\r\n",
                                         "-ERR value is not an integer or out of range\r\n",
                                         "$1\r\n1\r\n",
                                         "-NOPERM no\r\n",
                                         "-OOM full\r\n",
                                         NULL};
    int64_t number;
    start(script);
    open_target();
    expect_marker(1234567);
    expect_marker(1);
    expect_marker(0); /* not ours */
    expect_marker(0);
    expect_marker(0);
    ck_assert_int_eq(target->ops->advance_marker(target, "marker", &number, &err), CP_ERR_REDIS);
    ck_assert(!err.retriable);
    ck_assert_int_eq(target->ops->advance_marker(target, "marker", &number, &err), CP_ERR_REDIS);
    ck_assert(err.retriable);
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(writes_the_marker)
{
    static const char *const script[] = {"+OK\r\n", "-OOM full\r\n", NULL};
    start(script);
    open_target();
    ck_assert_int_eq(target->ops->write_marker(target, "marker", 12, &err), CP_OK);
    ck_assert_int_eq(target->ops->write_marker(target, "marker", 13, &err), CP_ERR_REDIS);
    ck_assert(err.retriable);
    fake_redis_stop(&fake);
    ck_assert(has_seen("SET marker 12\nSET marker 13\n"));
}
END_TEST

/* ---- nonsense ---- */

static const char *const nonsense[] = {
    "+OK\r\n",
    "+\r\n",
    ":7\r\n",
    ":-1\r\n",
    "$-1\r\n",
    "$0\r\n\r\n",
    "$9\r\nrun_id:\r\n\r\n",
    "*-1\r\n",
    "*0\r\n",
    "*1\r\n*1\r\n*0\r\n",
    "*2\r\n$1\r\n0\r\n:1\r\n",
    "*2\r\n$-1\r\n*1\r\n$-1\r\n",
    "-\r\n",
    "-ERR\r\n",
    "-MOVED\r\n",
    "\r\n",
    "garbage\r\n",
};

enum { OPERATIONS = 7 };

/* One after the other, by number. What comes of them is the caller's to know. */
static cp_code run_operation(int operation)
{
    int64_t number = 0;
    uint64_t count = 0;
    switch (operation) {
    case 0:
        return target->ops->fence(target, "group", "token", &err);
    case 1:
        return target->ops->write_marker(target, "marker", 1, &err);
    case 2:
        return target->ops->check_primary(target, &err);
    case 3:
        return scan();
    case 4:
        ck_assert(cpi_keys_add(&keys, "shop:1:v1", 9));
        return target->ops->unlink(target, &key, &keys, &count, &err);
    case 5:
        return target->ops->advance_marker(target, "marker", &number, &err);
    default:
        target->ops->get(target, &key, "1", &err);
        target->ops->set(target, &key, "1", "{}", 2, 0, NULL, &err);
        target->ops->del(target, &key, "1", &err);
        return target->ops->flush(target, NULL, &err);
    }
}

static void take_results(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        target->ops->result(target, i);
    }
}

/* Whatever a server says, nothing crashes; the memory checkers look on. */
START_TEST(survives_nonsense)
{
    fake.always = nonsense[_i];
    start(NULL);
    for (int operation = 0; operation < OPERATIONS; operation++) {
        if (target->ops->open(target, &err) == CP_OK) {
            target->ops->admit(target);
            run_operation(operation);
            take_results();
        } else {
            ck_assert(!is_open());
        }
    }
    fake_redis_stop(&fake);
}
END_TEST

/* The same when only what follows the greeting makes no sense. */
START_TEST(survives_nonsense_later)
{
    const char *const script[] = {nonsense[_i], nonsense[_i], nonsense[_i], NULL};
    for (int operation = 0; operation < OPERATIONS; operation++) {
        start(script);
        open_target();
        run_operation(operation);
        take_results();
        fake_redis_stop(&fake);
    }
}
END_TEST

START_TEST(a_closed_target_does_nothing)
{
    start(NULL);
    for (int operation = 0; operation < OPERATIONS; operation++) {
        open_target();
        target->ops->close(target);
        target->ops->close(target);
        ck_assert_int_eq(run_operation(operation), CP_ERR_REDIS);
        ck_assert(err.retriable);
        take_results();
    }
    fake_redis_stop(&fake);
}
END_TEST

Suite *single_keys_suite(void)
{
    Suite *suite = suite_create("single_keys");
    TCase *tcase = tcase_create("single_keys");
    tcase_add_checked_fixture(tcase, set_up_cursor, tear_down_cursor);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, fencing_ends_former_owners);
    tcase_add_test(tcase, scans_page_by_page);
    tcase_add_test(tcase, a_refused_scan_stays_where_it_is);
    tcase_add_loop_test(tcase, what_is_not_a_page_closes, 0, (int)(sizeof no_pages / sizeof *no_pages));
    tcase_add_test(tcase, what_is_not_a_key_is_left_out);
    tcase_add_test(tcase, unlinks_what_has_the_prefix);
    tcase_add_test(tcase, advances_the_marker);
    tcase_add_test(tcase, writes_the_marker);
    tcase_add_loop_test(tcase, survives_nonsense, 0, (int)(sizeof nonsense / sizeof *nonsense));
    tcase_add_loop_test(tcase, survives_nonsense_later, 0, (int)(sizeof nonsense / sizeof *nonsense));
    tcase_add_test(tcase, a_closed_target_does_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
