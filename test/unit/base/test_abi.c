/* Structs that grow: callers compiled with an older and with a newer header than the library's. */
#include "suites.h"

#include "base/abi.h"

#include <stddef.h>
#include <string.h>

enum { CANARY = 0xA5, ROOM = 64 };

static cp_syncer *make_syncer(const cp_callbacks *callbacks, cp_error *err)
{
    cp_config *config = cp_config_create(err);
    ck_assert_ptr_nonnull(config);
    cp_syncer *syncer = cp_syncer_create(config, callbacks, err);
    if (syncer == NULL) {
        cp_config_destroy(config);
    }
    return syncer;
}

/* A caller's struct of `size` bytes, and what must not be touched behind it. */
struct figures {
    union {
        cp_stats stats;
        unsigned char bytes[sizeof(cp_stats) + ROOM];
    };
};

static struct figures figures_of(size_t size)
{
    struct figures figures;
    memset(&figures, CANARY, sizeof figures);
    figures.stats.size = size;
    return figures;
}

static void expect_canary_from(const struct figures *figures, size_t from)
{
    for (size_t i = from; i < sizeof figures->bytes; i++) {
        ck_assert_uint_eq(figures->bytes[i], CANARY);
    }
}

START_TEST(a_shorter_struct_gets_what_it_knows)
{
    cp_error err;
    cp_syncer *syncer = make_syncer(NULL, &err);
    static const size_t sizes[] = {offsetof(cp_stats, resync_ids), offsetof(cp_stats, causes),
                                   offsetof(cp_stats, pending), sizeof(cp_stats)};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct figures figures = figures_of(sizes[i]);
        ck_assert_int_eq(cp_syncer_stats(syncer, &figures.stats, &err), CP_OK);
        ck_assert_uint_eq(figures.stats.size, sizes[i]);
        ck_assert_uint_eq(figures.stats.events, 0);
        expect_canary_from(&figures, sizes[i]);
    }
    cp_syncer_destroy(syncer);
}
END_TEST

START_TEST(a_longer_struct_is_zero_where_it_is_not_known)
{
    cp_error err;
    cp_syncer *syncer = make_syncer(NULL, &err);
    struct figures figures = figures_of(sizeof(cp_stats) + ROOM / 2);
    ck_assert_int_eq(cp_syncer_stats(syncer, &figures.stats, &err), CP_OK);
    for (size_t i = sizeof(cp_stats); i < sizeof(cp_stats) + ROOM / 2; i++) {
        ck_assert_uint_eq(figures.bytes[i], 0);
    }
    expect_canary_from(&figures, sizeof(cp_stats) + ROOM / 2);
    cp_syncer_destroy(syncer);
}
END_TEST

START_TEST(a_size_that_cannot_be_true_is_refused)
{
    cp_error err;
    cp_syncer *syncer = make_syncer(NULL, &err);
    static const size_t sizes[] = {0, 1, sizeof(size_t), 4097, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct figures figures = figures_of(sizes[i]);
        ck_assert_int_eq(cp_syncer_stats(syncer, &figures.stats, &err), CP_ERR_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(err.message, "set it to sizeof(cp_stats)"));
        expect_canary_from(&figures, sizeof(size_t));

        cp_verify_result result = {.size = sizes[i]};
        ck_assert_int_eq(cp_syncer_verify(syncer, NULL, &result, &err), CP_ERR_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(err.message, "cp_verify_result.size"));

        cp_verify_options options = {.size = sizes[i]};
        result.size = sizeof result;
        ck_assert_int_eq(cp_syncer_verify(syncer, &options, &result, &err), CP_ERR_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(err.message, "cp_verify_options.size"));

        cp_callbacks callbacks = {.size = sizes[i]};
        ck_assert_ptr_null(make_syncer(&callbacks, &err));
        ck_assert_int_eq(err.code, CP_ERR_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(err.message, "cp_callbacks.size"));
    }
    ck_assert_int_eq(cp_syncer_stats(syncer, NULL, &err), CP_ERR_ARGUMENT);
    ck_assert_int_eq(cp_syncer_verify(syncer, NULL, NULL, &err), CP_ERR_ARGUMENT);
    cp_syncer_destroy(syncer);
}
END_TEST

/* What an older caller has behind its struct is not read. */
START_TEST(only_what_the_size_covers_is_read)
{
    cp_error err;
    cp_verify_options callers;
    cp_verify_options own;
    memset(&callers, CANARY, sizeof callers);
    callers.size = offsetof(cp_verify_options, progress);
    callers.sample = 7;
    callers.repair = true;
    callers.recheck_ms = 300;
    ck_assert_int_eq(cpi_abi_read(&own, sizeof own, &callers, "cp_verify_options", &err), CP_OK);
    ck_assert_uint_eq(own.size, sizeof own);
    ck_assert_uint_eq(own.sample, 7);
    ck_assert(own.repair);
    ck_assert_int_eq(own.recheck_ms, 300);
    ck_assert(own.progress == NULL);
    ck_assert(own.difference == NULL);
    ck_assert_ptr_null(own.context);
}
END_TEST

START_TEST(what_the_library_does_not_know_may_not_be_asked_for)
{
    cp_error err;
    struct {
        cp_callbacks known;
        void *unknown;
    } newer = {.known = {.size = sizeof newer}};
    cp_syncer *syncer = make_syncer(&newer.known, &err);
    ck_assert_ptr_nonnull(syncer);
    cp_syncer_destroy(syncer);

    newer.unknown = &newer;
    ck_assert_ptr_null(make_syncer(&newer.known, &err));
    ck_assert_int_eq(err.code, CP_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "cp_callbacks asks for something"));
}
END_TEST

/* Or both would free it. */
START_TEST(a_configuration_makes_one_syncer)
{
    cp_error err;
    cp_config *config = cp_config_create(&err);
    cp_syncer *syncer = cp_syncer_create(config, NULL, &err);
    ck_assert_ptr_nonnull(syncer);
    ck_assert_ptr_null(cp_syncer_create(config, NULL, &err));
    ck_assert_int_eq(err.code, CP_ERR_ARGUMENT);
    cp_syncer_destroy(syncer);
}
END_TEST

Suite *abi_suite(void)
{
    Suite *suite = suite_create("abi");
    TCase *tcase = tcase_create("abi");
    tcase_add_test(tcase, a_shorter_struct_gets_what_it_knows);
    tcase_add_test(tcase, a_longer_struct_is_zero_where_it_is_not_known);
    tcase_add_test(tcase, a_size_that_cannot_be_true_is_refused);
    tcase_add_test(tcase, only_what_the_size_covers_is_read);
    tcase_add_test(tcase, what_the_library_does_not_know_may_not_be_asked_for);
    tcase_add_test(tcase, a_configuration_makes_one_syncer);
    suite_add_tcase(suite, tcase);
    return suite;
}
