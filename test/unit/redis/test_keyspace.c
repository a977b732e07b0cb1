#include "suites.h"

#include "redis/keyspace.h"

#include <string.h>

static struct cpi_entity entity;

static void make_entity(enum cpi_id_type type, const char *key_template)
{
    cp_error err = {0};
    entity = (struct cpi_entity){.id_type = type};
    ck_assert_msg(cpi_key_init(&entity.key, key_template, "", NULL, &err) == CP_OK, "%s", err.message);
}

static void free_entity(void)
{
    cpi_key_fini(&entity.key);
}

static bool is_document(const char *key, size_t length, union cpi_id *id)
{
    bool out_of_memory = false;
    bool found = cpi_keyspace_id(&entity, key, length, id, &out_of_memory);
    ck_assert(!out_of_memory);
    return found;
}

START_TEST(finds_the_id_of_a_document)
{
    union cpi_id id;
    make_entity(CPI_ID_BIGINT, "shop:{id}:v1");
    ck_assert(is_document("shop:17:v1", 10, &id));
    ck_assert_int_eq(id.number, 17);
    ck_assert(is_document("shop:-9223372036854775808:v1", 28, &id));
    ck_assert_int_eq(id.number, INT64_MIN);
    free_entity();

    make_entity(CPI_ID_TEXT, "shop:{id}");
    ck_assert(is_document("shop:a:b", 8, &id));
    ck_assert_str_eq(id.text, "a:b");
    cpi_id_fini(CPI_ID_TEXT, &id);
    free_entity();
}
END_TEST

START_TEST(leaves_other_keys_alone)
{
    static const struct {
        const char *key;
        size_t length;
    } others[] = {
        {"", 0},
        {"shop:", 5},
        {"shop:v1", 7},
        {"shop::v1", 8},
        {"shop:17", 7},
        {"shop:17:v2", 10},
        {"Shop:17:v1", 10},
        {"shop:x:v1", 9},
        {"shop:007:v1", 11},
        {"shop:+7:v1", 10},
        {"shop:-0:v1", 10},
        {"shop:9223372036854775808:v1", 27},
        {"shop: 7:v1", 10},
        {"shop:7\0:v1", 10},
        {"shop:7.0:v1", 11},
    };
    union cpi_id id;
    make_entity(CPI_ID_BIGINT, "shop:{id}:v1");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_assert_msg(!is_document(others[i].key, others[i].length, &id), "\"%s\"", others[i].key);
    }
    free_entity();
}
END_TEST

START_TEST(a_uuid_is_spelled_one_way)
{
    static const char lower[] = "u:0b0e2a8e-3f0c-4f0e-9d5c-0123456789ab";
    static const char upper[] = "u:0B0E2A8E-3F0C-4F0E-9D5C-0123456789AB";
    union cpi_id id;
    make_entity(CPI_ID_UUID, "u:{id}");
    ck_assert(is_document(lower, strlen(lower), &id));
    cpi_id_fini(CPI_ID_UUID, &id);
    ck_assert(!is_document(upper, strlen(upper), &id));
    free_entity();
}
END_TEST

START_TEST(a_page_holds_any_bytes)
{
    struct cpi_keys keys = {0};
    for (int round = 0; round < 2; round++) {
        cpi_keys_clear(&keys);
        ck_assert_uint_eq(keys.count, 0);
        ck_assert(cpi_keys_add(&keys, "", 0));
        ck_assert(cpi_keys_add(&keys, "a\0b", 3));
        ck_assert(cpi_keys_add(&keys, "", 0));
        ck_assert(cpi_keys_add(&keys, "\r\n", 2));
        size_t length = 9;
        ck_assert_ptr_nonnull(cpi_keys_at(&keys, 0, &length));
        ck_assert_uint_eq(length, 0);
        ck_assert_mem_eq(cpi_keys_at(&keys, 1, &length), "a\0b", 3);
        ck_assert_uint_eq(length, 3);
        cpi_keys_at(&keys, 2, &length);
        ck_assert_uint_eq(length, 0);
        ck_assert_mem_eq(cpi_keys_at(&keys, 3, &length), "\r\n", 2);
        ck_assert_uint_eq(length, 2);
    }
    cpi_keys_fini(&keys);
}
END_TEST

START_TEST(a_page_grows)
{
    struct cpi_keys keys = {0};
    char key[200];
    memset(key, 'k', sizeof key);
    for (size_t i = 0; i < 5000; i++) {
        ck_assert(cpi_keys_add(&keys, key, i % sizeof key));
    }
    ck_assert_uint_eq(keys.count, 5000);
    for (size_t i = 0; i < 5000; i++) {
        size_t length = 0;
        const char *text = cpi_keys_at(&keys, i, &length);
        ck_assert_uint_eq(length, i % sizeof key);
        ck_assert(memcmp(text, key, length) == 0);
    }
    cpi_keys_fini(&keys);
}
END_TEST

Suite *keyspace_suite(void)
{
    Suite *suite = suite_create("keyspace");
    TCase *tcase = tcase_create("keyspace");
    tcase_add_test(tcase, finds_the_id_of_a_document);
    tcase_add_test(tcase, leaves_other_keys_alone);
    tcase_add_test(tcase, a_uuid_is_spelled_one_way);
    tcase_add_test(tcase, a_page_holds_any_bytes);
    tcase_add_test(tcase, a_page_grows);
    suite_add_tcase(suite, tcase);
    return suite;
}
