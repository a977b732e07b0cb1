#include "postgres/message.h"

#include "suites.h"

#include <stdio.h>
#include <string.h>

/* Messages as Postgres 15 sends them. */
static const struct {
    const char *message;
    const char *shown;
} messages[] = {
    {"invalid input syntax for type integer: \"card 4111-1111\"", "invalid input syntax for type integer: \"…\""},
    {"invalid input syntax for type integer: \"a \"quoted\" one\"", "invalid input syntax for type integer: \"…\""},
    {"invalid input syntax for type json", "invalid input syntax for type json"},
    {"malformed array literal: \"{4111\"", "malformed array literal: \"…\""},
    {"date/time field value out of range: \"1850-13-01\"", "date/time field value out of range: \"…\""},
    {"value \"99999999999\" is out of range for type integer", "value \"…\" is out of range for type integer"},
    {"invalid input value for enum mood: \"secret\"", "invalid input value for enum mood: \"…\""},
    {"duplicate key value violates unique constraint \"customer_pkey\"",
     "duplicate key value violates unique constraint \"customer_pkey\""},
    {"relation \"customer\" does not exist", "relation \"customer\" does not exist"},
    {"function customer_get(integer) does not exist", "function customer_get(integer) does not exist"},
    {"database \"shop\" does not exist", "database \"shop\" does not exist"},
    {"permission denied for table customer",
     "permission denied for table customer (grant select on table customer to the daemon's role)"},
    {"permission denied for schema shop",
     "permission denied for schema shop (grant usage on schema shop to the daemon's role)"},
    {"permission denied for database shop", "permission denied for database shop"},
    {": \"", ": \"…\""},
    {"value \"", "value \"…\""},
    {"", ""},
};

START_TEST(shows_names_and_no_values)
{
    cp_error err;
    char want[256];
    snprintf(want, sizeof want, "Postgres: %s", messages[_i].shown);
    ck_assert_int_eq(cpi_message_of_server(messages[_i].message, NULL, true, &err), CP_ERR_POSTGRES);
    ck_assert_str_eq(err.message, want);
    ck_assert(err.retriable);
}
END_TEST

START_TEST(row_level_security_has_its_own_hint)
{
    cp_error err;
    cpi_message_of_server("query would be affected by row-level security policy for table \"customer\"", "ask", false,
                          &err);
    ck_assert_ptr_nonnull(strstr(err.message, "for table \"customer\" (the daemon's role would not see all rows"));
    cpi_message_of_server("no", "ask", false, &err);
    ck_assert_str_eq(err.message, "Postgres: no (ask)");
    cpi_message_of_server(NULL, NULL, false, &err);
    ck_assert_str_eq(err.message, "Postgres: an error without a message");
}
END_TEST

Suite *message_suite(void)
{
    Suite *suite = suite_create("message");
    TCase *tcase = tcase_create("message");
    tcase_add_loop_test(tcase, shows_names_and_no_values, 0, (int)(sizeof messages / sizeof *messages));
    tcase_add_test(tcase, row_level_security_has_its_own_hint);
    suite_add_tcase(suite, tcase);
    return suite;
}
