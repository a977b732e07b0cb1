#include "suites.h"

#include "redis/redis_address.h"

#include <string.h>

struct sample {
    const char *text;
    const char *name;
    const char *user;
    const char *password;
    int database;
};

static const struct sample samples[] = {
    {"localhost", "localhost:6379", NULL, NULL, 0},
    {"127.0.0.1:6380", "127.0.0.1:6380", NULL, NULL, 0},
    {"redis-1.prod_eu.example.com:65535", "redis-1.prod_eu.example.com:65535", NULL, NULL, 0},
    {"[::1]", "[::1]:6379", NULL, NULL, 0},
    {"[fe80::1%eth0]:1", "[fe80::1%eth0]:1", NULL, NULL, 0},
    {"redis://h", "h:6379", NULL, NULL, 0},
    {"REDIS://h/", "h:6379", NULL, NULL, 0},
    {"redis://h:1/15", "h:1", NULL, NULL, 15},
    {"redis://[::1]:6390/2", "[::1]:6390", NULL, NULL, 2},
    {"redis://:secret@h", "h:6379", NULL, "secret", 0},
    {"redis://ann:secret@h:7/3", "h:7", "ann", "secret", 3},
    {"redis://a%40b:p%2Fa%3as%25@[::1]:7", "[::1]:7", "a@b", "p/a:s%", 0},
    {"redis://:p@ss:word@h", "h:6379", NULL, "p@ss:word", 0},
    {"redis://:@h", "h:6379", NULL, NULL, 0},
    {"redis://user:@h", "h:6379", "user", NULL, 0}, /* whose password is in a file: see config.c */
    {"unix:/run/redis.sock", "unix:/run/redis.sock", NULL, NULL, 0},
    {"unix:redis:1.sock", "unix:redis:1.sock", NULL, NULL, 0},
};

static void assert_same(const char *actual, const char *expected)
{
    if (expected == NULL) {
        ck_assert_ptr_null(actual);
    } else {
        ck_assert_str_eq(actual, expected);
    }
}

START_TEST(parses)
{
    const struct sample *sample = &samples[_i];
    struct cpi_redis_address address;
    cp_error err = {0};
    ck_assert_msg(cpi_redis_address_parse(&address, sample->text, &err) == CP_OK, "%s: %s", sample->text, err.message);
    char name[64];
    cpi_redis_address_name(&address, name, sizeof name);
    ck_assert_str_eq(name, sample->name);
    assert_same(address.user, sample->user);
    assert_same(address.password, sample->password);
    ck_assert_int_eq(address.database, sample->database);
    ck_assert((address.path == NULL) == (address.host != NULL));
    cpi_redis_address_fini(&address);
    ck_assert_ptr_null(address.host);
    ck_assert_ptr_null(address.password);
}
END_TEST

static const struct {
    const char *text;
    const char *message;
} refused[] = {
    {"", "the host is missing"},
    {":6379", "the host is missing"},
    {"a b:6379", "characters that no host has"},
    {"a/b", "characters that no host has"},
    {"h:", "port is not a number from 1 to 65535"},
    {"h:0", "port is not a number from 1 to 65535"},
    {"h:65536", "port is not a number from 1 to 65535"},
    {"h:-1", "port is not a number from 1 to 65535"},
    {"h:redis", "port is not a number from 1 to 65535"},
    {"h:6379 ", "port is not a number from 1 to 65535"},
    {"h:6379/1", "port is not a number from 1 to 65535"},
    {"[::1]6379", "port is not a number from 1 to 65535"},
    {"::1", "an IPv6 address needs brackets"},
    {"[::1", "the ] of an IPv6 address is missing"},
    {"[]", "not an IPv6 address"},
    {"[127.0.0.1]", "not an IPv6 address"},
    {"[::1%]", "not an IPv6 address"},
    {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]", "not an IPv6 address"},
    {"unix:", "path of the socket is missing"},
    {"unix:ann:hunter2@/run/redis.sock", "an @, a ? or //"},
    {"unix://:hunter2@/run/redis.sock", "an @, a ? or //"},
    {"unix:///run/hunter2", "an @, a ? or //"},
    {"unix:/run/redis.sock?password=hunter2", "an @, a ? or //"},
    {"unix:/"
     "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012"
     "3456789"
     "0123456",
     "longer than a socket's path may be"},
    {"rediss://h", "TLS"},
    {"rediss://:hunter2@h", "TLS"},
    {"http://:hunter2@h", "the scheme of the URI is not redis"},
    {":hunter2@h", "a password can be given in a URI only"},
    {"redis://", "the host is missing"},
    {"redis:///1", "the host is missing"},
    {"redis://:hunter2@", "the host is missing"},
    {"redis://hunter2@h", "a colon is missing before the password"},
    {"redis://@h", "a colon is missing before the password"},
    {"redis://:hunter2%@h", "two hex digits"},
    {"redis://:hunter2%4@h", "two hex digits"},
    {"redis://:hunter2%4g@h", "two hex digits"},
    {"redis://:hunter2%00@h", "two hex digits"},
    {"redis://hunter%zz2:a@h", "two hex digits"},
    {"redis://ann:hunter%zz2@h", "two hex digits"},
    {"redis://:hunt/er2@h", "%2F"},
    {"redis://:hunter2?@h", "%3F"},
    {"redis://:hunter2#x@h", "%23"},
    {"redis://h:hunter2", "port is not a number"},
    {"redis://h/hunter2", "not the number of a database"},
    {"redis://h/-1", "not the number of a database"},
    {"redis://h/1/", "not the number of a database"},
    {"redis://h/99999999999", "not the number of a database"},
    {"redis://h?db=1", "not the number of a database"},
};

START_TEST(refuses_and_shows_no_password)
{
    struct cpi_redis_address address;
    cp_error err = {0};
    ck_assert_int_eq(cpi_redis_address_parse(&address, refused[_i].text, &err), CP_ERR_CONFIG);
    ck_assert_int_eq(err.code, CP_ERR_CONFIG);
    ck_assert_msg(strstr(err.message, refused[_i].message) != NULL, "%s: %s", refused[_i].text, err.message);
    ck_assert_ptr_null(strstr(err.message, "hunt"));
    ck_assert_ptr_null(address.host);
    ck_assert_ptr_null(address.path);
    cpi_redis_address_fini(&address);
}
END_TEST

START_TEST(a_name_is_cut_to_what_fits)
{
    struct cpi_redis_address address;
    ck_assert_int_eq(cpi_redis_address_parse(&address, "redis.example.com", NULL), CP_OK);
    char name[6];
    cpi_redis_address_name(&address, name, sizeof name);
    ck_assert_str_eq(name, "redis");
    cpi_redis_address_fini(&address);
}
END_TEST

Suite *redis_address_suite(void)
{
    Suite *suite = suite_create("redis_address");
    TCase *tcase = tcase_create("redis_address");
    tcase_add_loop_test(tcase, parses, 0, (int)(sizeof samples / sizeof *samples));
    tcase_add_loop_test(tcase, refuses_and_shows_no_password, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(tcase, a_name_is_cut_to_what_fits);
    suite_add_tcase(suite, tcase);
    return suite;
}
