#include "suites.h"

#include "base/error.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

/* An error with memory behind it that has to stay as it is. */
struct guarded {
    cp_error err;
    char guard[sizeof(cp_error)];
};

enum { GUARD = 0x5A };

static struct guarded make(const char *text)
{
    struct guarded made;
    char guard[sizeof made.guard];
    memset(&made, GUARD, sizeof made);
    memset(guard, GUARD, sizeof guard);
    ck_assert_int_eq(cpi_error(&made.err, CP_ERR_POSTGRES, true, "%s", text), CP_ERR_POSTGRES);
    ck_assert_mem_eq(made.guard, guard, sizeof guard);
    return made;
}

static const struct {
    const char *text;
    const char *message;
} lines[] = {
    {"", ""},
    {"plain", "plain"},
    {"a\nb", "a; b"},
    {"a\nb\nc\nd", "a; b; c; d"},
    {"a\n\tb", "a; b"},
    {"a\r\nb", "a; b"},
    {"a\n\n\r\n \t b", "a; b"},
    {"a\n", "a"},
    {"a\r\n", "a"},
    {"a\nb\n\t ", "a; b"},
    {"\n", ""},
    {"tab\there", "tab\\x09here"},
    {"Z\xC3\xBCrich\nZ\xC3\xBCrich", "Z\xC3\xBCrich; Z\xC3\xBCrich"},
    {"\xFFthreads", "?threads"},
    {"caf\xE9 au lait", "caf? au lait"},
    {"\xED\xA0\x80\n\xC3", "?; ?"},
    /* What libpq says of a host with two addresses. */
    {"connection to ::1 failed: refused\n\tIs the server running?\nconnection to 127.0.0.1 failed\n",
     "connection to ::1 failed: refused; Is the server running?; connection to 127.0.0.1 failed"},
};

START_TEST(messages_are_one_line)
{
    struct guarded made = make(lines[_i].text);
    ck_assert_str_eq(made.err.message, lines[_i].message);
}
END_TEST

START_TEST(folding_makes_room_or_cuts)
{
    char text[2 * sizeof(((cp_error *)NULL)->message)];
    for (size_t length = 0; length < sizeof text; length++) {
        for (size_t i = 0; i < length; i++) {
            text[i] = i % 2 == 0 ? 'a' : '\n';
        }
        text[length] = '\0';
        struct guarded made = make(text);
        size_t got = strlen(made.err.message);
        size_t letters = (length + 1) / 2;
        size_t want = letters > 0 ? 3 * letters - 2 : 0;
        ck_assert_ptr_null(strchr(made.err.message, '\n'));
        ck_assert(want < sizeof made.err.message ? got == want : got + 2 >= sizeof made.err.message - 1);
    }
}
END_TEST

/* Every character length, cut at every place. */
START_TEST(cuts_at_a_character)
{
    static const char *const characters[] = {"\xC3\xBC", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    enum { SIZE = sizeof(((cp_error *)NULL)->message) };
    const char *character = characters[_i];
    size_t width = strlen(character);
    for (size_t before = SIZE - 12; before <= SIZE; before++) {
        char text[SIZE + 32];
        memset(text, 'x', before);
        text[before] = '\0';
        for (size_t n = 0; n < 5; n++) {
            strcat(text, character);
        }
        struct guarded made = make(text);
        size_t got = strlen(made.err.message);
        ck_assert(cpi_utf8_valid(made.err.message, got));
        ck_assert_mem_eq(made.err.message, text, got);
        ck_assert_msg(got + width >= SIZE && got < SIZE, "%zu bytes", got);
    }
}
END_TEST

START_TEST(fills_in_all_of_it)
{
    cp_error err = {.code = CP_OK, .retriable = true, .message = "before"};
    ck_assert_int_eq(cpi_error(&err, CP_ERR_CONFIG, false, "%s: line %d", "file", 7), CP_ERR_CONFIG);
    ck_assert_int_eq(err.code, CP_ERR_CONFIG);
    ck_assert(!err.retriable);
    ck_assert_str_eq(err.message, "file: line 7");

    ck_assert_int_eq(cpi_error(&err, CP_ERR_REDIS, true, "gone"), CP_ERR_REDIS);
    ck_assert_int_eq(err.code, CP_ERR_REDIS);
    ck_assert(err.retriable);

    ck_assert_int_eq(cpi_error_memory(&err), CP_ERR_SYSTEM);
    ck_assert_int_eq(err.code, CP_ERR_SYSTEM);
    ck_assert(err.retriable);
    ck_assert_str_eq(err.message, "out of memory");
}
END_TEST

START_TEST(an_error_may_be_of_no_interest)
{
    ck_assert_int_eq(cpi_error(NULL, CP_ERR_TIMEOUT, true, "%d", 1), CP_ERR_TIMEOUT);
    ck_assert_int_eq(cpi_error_memory(NULL), CP_ERR_SYSTEM);
}
END_TEST

START_TEST(codes_have_names)
{
    static const struct {
        cp_code code;
        const char *name;
    } codes[] = {
        {CP_OK, "ok"},
        {CP_ERR_ARGUMENT, "argument"},
        {CP_ERR_CONFIG, "config"},
        {CP_ERR_SYSTEM, "system"},
        {CP_ERR_POSTGRES, "postgres"},
        {CP_ERR_REDIS, "redis"},
        {CP_ERR_TIMEOUT, "timeout"},
        {CP_ERR_STOPPED, "stopped"},
        {CP_ERR_STANDBY, "standby"},
        {CP_ERR_PARKED, "parked"},
        {(cp_code)(CP_ERR_PARKED + 1), "unknown"},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        ck_assert_str_eq(cp_code_name(codes[i].code), codes[i].name);
    }
    ck_assert_str_eq(cp_version(), CP_VERSION);
}
END_TEST

Suite *error_suite(void)
{
    Suite *suite = suite_create("error");
    TCase *tcase = tcase_create("error");
    tcase_add_loop_test(tcase, messages_are_one_line, 0, (int)(sizeof lines / sizeof *lines));
    tcase_add_test(tcase, folding_makes_room_or_cuts);
    tcase_add_loop_test(tcase, cuts_at_a_character, 0, 3);
    tcase_add_test(tcase, fills_in_all_of_it);
    tcase_add_test(tcase, an_error_may_be_of_no_interest);
    tcase_add_test(tcase, codes_have_names);
    suite_add_tcase(suite, tcase);
    return suite;
}
