/* One server as a target: rounds of commands, and what becomes of its connection. */
#include "suites.h"

#include "redis/single_fixture.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

static void set(const char *id, const char *value)
{
    ck_assert_int_eq(target->ops->set(target, &key, id, value, strlen(value), 0, NULL, &err), CP_OK);
}

/* S: SET, D: DEL, E: EXISTS, G: GET. */
static void append(char command)
{
    if (command == 'S') {
        set("1", "{}");
    } else if (command == 'D') {
        ck_assert_int_eq(target->ops->del(target, &key, "1", &err), CP_OK);
    } else if (command == 'E') {
        ck_assert_int_eq(target->ops->exists(target, &key, "1", &err), CP_OK);
    } else {
        ck_assert_int_eq(target->ops->get(target, &key, "1", &err), CP_OK);
    }
}

static void flush(void)
{
    ck_assert_msg(target->ops->flush(target, NULL, &err) == CP_OK, "%s", err.message);
}

/* ---- replies ---- */

static const struct {
    char command; /* see append() */
    const char *reply;
    enum cpi_answer answer;
    enum cpi_value kind;
    bool stays_open;
} replies[] = {
    {'S', "+OK\r\n", CPI_ANSWER_DONE, 0, true},
    {'D', ":1\r\n", CPI_ANSWER_DONE, 0, true},
    {'D', ":0\r\n", CPI_ANSWER_DONE, 0, true},
    {'E', ":1\r\n", CPI_ANSWER_DONE, 0, true},
    {'E', ":0\r\n", CPI_ANSWER_DONE, 0, true},
    {'G', "$-1\r\n", CPI_ANSWER_DONE, CPI_VALUE_NONE, true},
    {'G', "$2\r\n{}\r\n", CPI_ANSWER_DONE, CPI_VALUE_STRING, true},
    {'G', "$0\r\n\r\n", CPI_ANSWER_DONE, CPI_VALUE_STRING, true},
    {'G', "-WRONGTYPE Operation against a key\r\n", CPI_ANSWER_DONE, CPI_VALUE_OTHER_TYPE, true},

    {'S', "-OOM command not allowed\r\n", CPI_ANSWER_WAIT, 0, true},
    {'D', "-BUSY Redis is busy\r\n", CPI_ANSWER_WAIT, 0, true},
    {'G', "-LOADING Redis is loading\r\n", CPI_ANSWER_WAIT, 0, true},
    {'S', "-READONLY You can't write\r\n", CPI_ANSWER_RECONNECT, 0, false},
    {'G', "-MOVED 3999 127.0.0.1:6381\r\n", CPI_ANSWER_RECONNECT, 0, false},
    {'S', "-NOPERM no permissions\r\n", CPI_ANSWER_REFUSED, 0, true},
    {'S', "-WRONGTYPE Operation against a key\r\n", CPI_ANSWER_REFUSED, 0, true},
    {'S', "-\r\n", CPI_ANSWER_REFUSED, 0, true},

    {'S', ":1\r\n", CPI_ANSWER_NONSENSE, 0, false},
    {'S', "$-1\r\n", CPI_ANSWER_NONSENSE, 0, false},
    {'S', "$2\r\nOK\r\n", CPI_ANSWER_NONSENSE, 0, false},
    {'S', "*-1\r\n", CPI_ANSWER_NONSENSE, 0, false},
    {'S', "*1\r\n+OK\r\n", CPI_ANSWER_NONSENSE, 0, false},
    {'D', "+OK\r\n", CPI_ANSWER_NONSENSE, 0, false},
    {'D', "$1\r\n1\r\n", CPI_ANSWER_NONSENSE, 0, false},
    {'E', ":2\r\n", CPI_ANSWER_NONSENSE, 0, false},
    {'E', "+OK\r\n", CPI_ANSWER_NONSENSE, 0, false},
    {'E', "$1\r\n1\r\n", CPI_ANSWER_NONSENSE, 0, false},
    {'G', "+OK\r\n", CPI_ANSWER_NONSENSE, 0, false},
    {'G', ":1\r\n", CPI_ANSWER_NONSENSE, 0, false},
    {'G', "*0\r\n", CPI_ANSWER_NONSENSE, 0, false},

    {'S', "HTTP/1.1 400 Bad Request\r\n", CPI_ANSWER_NONE, 0, false},
    {'G', "$x\r\n", CPI_ANSWER_NONE, 0, false},
};

START_TEST(sorts_replies)
{
    const char *const script[] = {replies[_i].reply, NULL};
    start(script);
    open_target();
    append(replies[_i].command);
    flush();
    struct cpi_result result = target->ops->result(target, 0);
    ck_assert_msg(result.answer == replies[_i].answer, "%s: %d", replies[_i].reply, (int)result.answer);
    ck_assert_int_eq(is_open(), replies[_i].stays_open);
    if (result.answer == CPI_ANSWER_DONE) {
        ck_assert_int_eq(result.kind, replies[_i].kind);
        ck_assert(replies[_i].command != 'E' || result.exists == (replies[_i].reply[1] == '1'));
    } else {
        ck_assert_ptr_nonnull(result.message);
        ck_assert_str_ne(result.message, "");
    }
    if (result.answer == CPI_ANSWER_DONE && result.kind == CPI_VALUE_STRING) {
        ck_assert_uint_eq(result.length, strtoul(replies[_i].reply + 1, NULL, 10));
        ck_assert_mem_eq(result.bytes, "{}", result.length);
    }
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(each_command_has_a_result_of_its_own)
{
    static const char *const script[] = {"+OK\r\n",       "-NOPERM no\r\n", "$3\r\na\r\n\r\n",
                                         "-OOM full\r\n", ":1\r\n",         NULL};
    start(script);
    open_target();
    append('S');
    append('S');
    append('G');
    append('D');
    append('D');
    flush();
    ck_assert_int_eq(target->ops->result(target, 0).answer, CPI_ANSWER_DONE);
    struct cpi_result refused = target->ops->result(target, 1);
    ck_assert_int_eq(refused.answer, CPI_ANSWER_REFUSED);
    ck_assert_str_eq(refused.message, "Redis: SET: NOPERM no");
    struct cpi_result value = target->ops->result(target, 2);
    ck_assert_uint_eq(value.length, 3);
    ck_assert_mem_eq(value.bytes, "a\r\n", 3);
    struct cpi_result full = target->ops->result(target, 3);
    ck_assert_int_eq(full.answer, CPI_ANSWER_WAIT);
    ck_assert_str_eq(full.message, "Redis: DEL: OOM full");
    ck_assert_int_eq(target->ops->result(target, 4).answer, CPI_ANSWER_DONE);
    ck_assert(is_open());
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(a_second_round_has_results_of_its_own)
{
    static const char *const script[] = {"+OK\r\n", ":1\r\n", "$-1\r\n", NULL};
    start(script);
    open_target();
    append('S');
    append('D');
    flush();
    ck_assert_int_eq(target->ops->result(target, 0).answer, CPI_ANSWER_DONE);
    ck_assert_int_eq(target->ops->result(target, 1).answer, CPI_ANSWER_DONE);
    append('G');
    flush();
    struct cpi_result none = target->ops->result(target, 0);
    ck_assert_int_eq(none.answer, CPI_ANSWER_DONE);
    ck_assert_int_eq(none.kind, CPI_VALUE_NONE);
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(behind_a_lost_connection_nothing_is_answered)
{
    static const char *const script[] = {"+OK\r\n", "-READONLY replica\r\n", "+OK\r\n", "+OK\r\n", NULL};
    start(script);
    open_target();
    for (int i = 0; i < 4; i++) {
        append('S');
    }
    flush();
    ck_assert_int_eq(target->ops->result(target, 0).answer, CPI_ANSWER_DONE);
    ck_assert_int_eq(target->ops->result(target, 1).answer, CPI_ANSWER_RECONNECT);
    for (uint32_t i = 2; i < 4; i++) { /* not even those that have arrived: they are another server's */
        struct cpi_result result = target->ops->result(target, i);
        ck_assert_int_eq(result.answer, CPI_ANSWER_NONE);
        ck_assert_str_eq(result.message, "Redis: SET: READONLY replica");
    }
    ck_assert_int_eq(target->ops->flush(target, NULL, &err), CP_ERR_REDIS);
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(results_that_nobody_took_are_not_the_next_rounds)
{
    static const char *const script[] = {"+OK\r\n", "+OK\r\n", NULL};
    start(script);
    open_target();
    append('S');
    append('S');
    flush();
    ck_assert_int_eq(target->ops->result(target, 0).answer, CPI_ANSWER_DONE);
    ck_assert_int_eq(target->ops->set(target, &key, "2", "{}", 2, 0, NULL, &err), CP_ERR_REDIS);
    ck_assert(!is_open());
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(a_result_that_is_not_of_the_round)
{
    static const char *const script[] = {"+OK\r\n", NULL};
    start(script);
    open_target();
    append('S');
    flush();
    ck_assert_int_eq(target->ops->result(target, 0).answer, CPI_ANSWER_DONE);
    ck_assert_int_eq(target->ops->result(target, 1).answer, CPI_ANSWER_NONE);
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(a_round_of_many)
{
    enum { MANY = 1000 };
    static const char *script[MANY + 1];
    for (int i = 0; i < MANY; i++) {
        script[i] = i % 2 == 0 ? "+OK\r\n" : ":1\r\n";
    }
    start(script);
    open_target();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY / 2; i++) {
            append(i % 2 == 0 ? 'S' : 'D');
        }
        flush();
        for (uint32_t i = 0; i < MANY / 2; i++) {
            ck_assert_int_eq(target->ops->result(target, i).answer, CPI_ANSWER_DONE);
        }
    }
    fake_redis_stop(&fake);
}
END_TEST

/* ---- what is sent ---- */

START_TEST(commands_are_sent_byte_for_byte)
{
    static const char expected[] = "*3\r\n$3\r\nSET\r\n$10\r\nshop:17:v1\r\n$4\r\n\0\r\n\xFF\r\n"
                                   "*5\r\n$3\r\nSET\r\n$9\r\nshop:a:v1\r\n$0\r\n\r\n$2\r\nEX\r\n$5\r\n86400\r\n"
                                   "*2\r\n$3\r\nDEL\r\n$10\r\nshop:-1:v1\r\n"
                                   "*2\r\n$3\r\nGET\r\n$8\r\nshop::v1\r\n"
                                   "*2\r\n$6\r\nEXISTS\r\n$9\r\nshop:9:v1\r\n";
    static const char *const script[] = {"+OK\r\n", "+OK\r\n", ":0\r\n", "$-1\r\n", ":0\r\n", NULL};
    start(script);
    open_target();
    ck_assert_int_eq(target->ops->set(target, &key, "17", "\0\r\n\xFF", 4, 0, NULL, &err), CP_OK);
    ck_assert_int_eq(target->ops->set(target, &key, "a", "", 0, 86400, NULL, &err), CP_OK);
    ck_assert_int_eq(target->ops->del(target, &key, "-1", &err), CP_OK);
    ck_assert_int_eq(target->ops->get(target, &key, "", &err), CP_OK);
    ck_assert_int_eq(target->ops->exists(target, &key, "9", &err), CP_OK);
    flush();
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert_int_eq(target->ops->result(target, i).answer, CPI_ANSWER_DONE);
    }
    fake_redis_stop(&fake);
    ck_assert_uint_eq(fake.scripted_used, sizeof expected - 1);
    ck_assert_mem_eq(fake.scripted, expected, sizeof expected - 1);
}
END_TEST

START_TEST(nothing_is_written_before_it_is_admitted)
{
    static const char *const script[] = {"$-1\r\n", "+OK\r\n", NULL};
    struct cpi_keys keys = {0};
    uint64_t count = 0;
    ck_assert(cpi_keys_add(&keys, "shop:1:v1", 9));
    start(script);
    ck_assert_int_eq(target->ops->open(target, &err), CP_OK);
    ck_assert(!target->ops->is_admitted(target));
    ck_assert_int_eq(target->ops->set(target, &key, "1", "{}", 2, 0, NULL, &err), CP_ERR_REDIS);
    ck_assert_int_eq(target->ops->del(target, &key, "1", &err), CP_ERR_REDIS);
    ck_assert_int_eq(target->ops->unlink(target, &key, &keys, &count, &err), CP_ERR_REDIS);
    ck_assert_int_eq(target->ops->write_marker(target, "marker", 1, &err), CP_ERR_REDIS);
    append('G'); /* reading is free, and its result is the first */
    flush();
    ck_assert_int_eq(target->ops->result(target, 0).answer, CPI_ANSWER_DONE);
    target->ops->admit(target);
    append('S');
    flush();
    ck_assert_int_eq(target->ops->result(target, 0).answer, CPI_ANSWER_DONE);

    target->ops->close(target);
    ck_assert(!target->ops->is_admitted(target));
    target->ops->admit(target);
    ck_assert(!target->ops->is_admitted(target)); /* it is closed */
    ck_assert_int_eq(target->ops->open(target, &err), CP_OK);
    ck_assert(!target->ops->is_admitted(target)); /* another connection */
    fake_redis_stop(&fake);
    cpi_keys_fini(&keys);
    ck_assert(!has_seen("DEL") && !has_seen("UNLINK") && !has_seen("marker"));
}
END_TEST

/* ---- connections ---- */

START_TEST(a_command_that_may_still_run_is_ended_on_the_server)
{
    create_target(SHORT_MS);
    start(NULL);
    open_target();
    append('S');
    flush();
    ck_assert_int_eq(target->ops->result(target, 0).answer, CPI_ANSWER_NONE); /* no answer in time */
    ck_assert(!is_open());
    open_target();
    fake_redis_stop(&fake);
    ck_assert(has_seen("CLIENT KILL ID 7\n"));
}
END_TEST

START_TEST(a_connection_that_owes_nothing_is_not)
{
    static const char *const script[] = {"+OK\r\n", NULL};
    start(script);
    open_target();
    append('S');
    flush();
    ck_assert_int_eq(target->ops->result(target, 0).answer, CPI_ANSWER_DONE);
    target->ops->close(target);
    open_target();
    fake_redis_stop(&fake);
    ck_assert(!has_seen("CLIENT KILL"));
}
END_TEST

/* What was sent stays as it is while the replies are read, even where the connection is lost in between. */
START_TEST(what_was_sent_is_lent)
{
    static const char *const script[] = {"+OK\r\n", "+OK\r\n", ":1\r\n",  "nonsense\r\n",
                                         "+OK\r\n", "+OK\r\n", "+OK\r\n", NULL};
    struct cpi_output output = {0};
    size_t at[2] = {0};
    start(script);
    for (int round = 0; round < 2; round++) {
        open_target();
        ck_assert_int_eq(target->ops->set(target, &key, "1", "{\"a\":1}", 7, 0, &at[0], &err), CP_OK);
        ck_assert_int_eq(target->ops->set(target, &key, "2", "{}", 2, 60, &at[1], &err), CP_OK);
        append('D');
        ck_assert_int_eq(target->ops->flush(target, &output, &err), CP_OK);
        ck_assert_int_eq(target->ops->result(target, 0).answer, round == 0 ? CPI_ANSWER_DONE : CPI_ANSWER_NONE);
        ck_assert_int_eq(is_open(), round == 0);
        ck_assert_mem_eq(output.bytes + at[0], "{\"a\":1}\r\n", 9);
        ck_assert_mem_eq(output.bytes + at[1], "{}\r\n", 4);
        for (uint32_t i = 1; i < 3; i++) {
            ck_assert_int_eq(target->ops->result(target, i).answer, round == 0 ? CPI_ANSWER_DONE : CPI_ANSWER_NONE);
        }
        target->ops->give_back(target, &output);
        ck_assert_ptr_null(output.bytes);
    }
    open_target();
    append('S');
    flush();
    ck_assert_int_eq(target->ops->result(target, 0).answer, CPI_ANSWER_DONE);
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(stopping_ends_a_wait)
{
    start(NULL);
    open_target();
    append('S');
    flush();
    ck_assert_int_eq(eventfd_write(cancel_fd, 1), 0);
    ck_assert_int_eq(target->ops->result(target, 0).answer, CPI_ANSWER_NONE);
    ck_assert(!is_open());
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(a_server_that_is_gone_answers_nothing)
{
    start(NULL);
    open_target();
    fake_redis_stop(&fake);
    append('S');
    if (target->ops->flush(target, NULL, &err) == CP_OK) { /* as far as the socket's buffer */
        ck_assert_int_eq(target->ops->result(target, 0).answer, CPI_ANSWER_NONE);
    }
    ck_assert(!is_open());
    ck_assert_int_eq(target->ops->open(target, &err), CP_ERR_REDIS);
    ck_assert(err.retriable);
}
END_TEST

START_TEST(a_replica_is_refused)
{
    fake.role = "slave";
    start(NULL);
    ck_assert_int_eq(target->ops->open(target, &err), CP_ERR_REDIS);
    ck_assert(!is_open());
    ck_assert_ptr_nonnull(strstr(err.message, "replica"));
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(a_node_of_a_cluster_is_refused)
{
    static const char *const modes[] = {"redis_mode:cluster", "server_mode:cluster"}; /* Redis, Valkey */
    char warning[256];
    fake.mode = modes[_i];
    start(NULL);
    open_target();
    ck_assert_int_eq(target->ops->prove(target, NULL, 0, "marker", warning, sizeof warning, &err), CP_ERR_REDIS);
    ck_assert_ptr_nonnull(strstr(err.message, "in cluster mode"));
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(another_process_may_have_other_data)
{
    start(NULL);
    open_target();
    ck_assert(!target->ops->data_may_differ(target, false));
    open_target();
    ck_assert(!target->ops->data_may_differ(target, false));
    fake_redis_stop(&fake);
    fake.run_id = "run-2";
    start(NULL);
    open_target();
    ck_assert(target->ops->data_may_differ(target, true));
    ck_assert(target->ops->data_may_differ(target, false));
    ck_assert(!target->ops->data_may_differ(target, true));
    fake_redis_stop(&fake);
}
END_TEST

START_TEST(another_primary_may_have_other_data)
{
    fake.history_later = "history-2";
    start(NULL);
    open_target();
    ck_assert(!target->ops->data_may_differ(target, true));
    ck_assert_int_eq(target->ops->check_primary(target, &err), CP_OK);
    ck_assert(target->ops->data_may_differ(target, false));
    ck_assert_int_eq(target->ops->check_primary(target, &err), CP_OK);
    ck_assert(!target->ops->data_may_differ(target, false));
    fake_redis_stop(&fake);
}
END_TEST

Suite *single_suite(void)
{
    Suite *suite = suite_create("single");
    TCase *tcase = tcase_create("single");
    tcase_add_checked_fixture(tcase, single_set_up, single_tear_down);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, sorts_replies, 0, (int)(sizeof replies / sizeof *replies));
    tcase_add_test(tcase, each_command_has_a_result_of_its_own);
    tcase_add_test(tcase, a_second_round_has_results_of_its_own);
    tcase_add_test(tcase, behind_a_lost_connection_nothing_is_answered);
    tcase_add_test(tcase, results_that_nobody_took_are_not_the_next_rounds);
    tcase_add_test(tcase, a_result_that_is_not_of_the_round);
    tcase_add_test(tcase, a_round_of_many);
    tcase_add_test(tcase, commands_are_sent_byte_for_byte);
    tcase_add_test(tcase, nothing_is_written_before_it_is_admitted);
    tcase_add_test(tcase, a_command_that_may_still_run_is_ended_on_the_server);
    tcase_add_test(tcase, a_connection_that_owes_nothing_is_not);
    tcase_add_test(tcase, what_was_sent_is_lent);
    tcase_add_test(tcase, stopping_ends_a_wait);
    tcase_add_test(tcase, a_server_that_is_gone_answers_nothing);
    tcase_add_test(tcase, a_replica_is_refused);
    tcase_add_loop_test(tcase, a_node_of_a_cluster_is_refused, 0, 2);
    tcase_add_test(tcase, another_process_may_have_other_data);
    tcase_add_test(tcase, another_primary_may_have_other_data);
    suite_add_tcase(suite, tcase);
    return suite;
}
