/* The command's configuration file where nobody names one. The usual one is a file of this test. */
#include "options.h"

#include <check.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/cp-usual.XXXXXX";
static char why[WHY_BYTES];

/* In a directory of its own: the usual file's name is a relative one here (CMakeLists.txt). */
static void set_up(void)
{
    memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    unsetenv("CP_CONFIG");
    unsetenv("CP_PREFIX");
    unsetenv("CP_DSN");
    unsetenv("CP_REDIS");
}

static void tear_down(void)
{
    rmdir(CP_USUAL_CONFIG);
    unlink(CP_USUAL_CONFIG);
    unlink("named.json");
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(directory);
}

static void write_file(const char *name, const char *content)
{
    FILE *file = fopen(name, "w");
    ck_assert_ptr_nonnull(file);
    fputs(content, file);
    fclose(file);
}

static void assert_prefix(char *const *arguments, int count, const char *prefix)
{
    struct options options;
    cp_config *config;
    char value[64];
    char *argv[4] = {(char *)(uintptr_t) "run"};
    for (int i = 0; i < count; i++) {
        argv[i + 1] = arguments[i];
    }
    optind = 0; /* another command line */
    ck_assert_int_eq(options_parse(COMMAND_RUN, count + 1, argv, &options), OPTIONS_GO);
    ck_assert_msg(options_make_config(&options, &config, why) == OPTIONS_GO, "%s", why);
    ck_assert_int_eq(cp_config_get(config, "prefix", value, sizeof value, NULL), CP_OK);
    ck_assert_str_eq(value, prefix);
    cp_config_destroy(config);
    options_fini(&options);
}

static void assert_wrong(const char *beginning)
{
    struct options options;
    cp_config *config;
    char *argv[] = {(char *)(uintptr_t) "run", NULL};
    optind = 0; /* another command line */
    ck_assert_int_eq(options_parse(COMMAND_RUN, 1, argv, &options), OPTIONS_GO);
    ck_assert_int_eq(options_make_config(&options, &config, why), OPTIONS_WRONG);
    ck_assert_msg(strncmp(why, beginning, strlen(beginning)) == 0, "%s", why);
    cp_config_destroy(config);
    options_fini(&options);
}

START_TEST(it_need_not_be_there)
{
    assert_prefix(NULL, 0, "customer");
}
END_TEST

START_TEST(it_is_found)
{
    write_file(CP_USUAL_CONFIG, "{\"prefix\": \"usual\"}");
    assert_prefix(NULL, 0, "usual");
}
END_TEST

START_TEST(what_is_named_is_read_instead)
{
    char config[] = "--config";
    char named[] = "named.json";
    char *arguments[] = {config, named};
    write_file(CP_USUAL_CONFIG, "no JSON");
    write_file(named, "{\"prefix\": \"named\"}");
    assert_prefix(arguments, 2, "named");
    setenv("CP_CONFIG", "named.json", 1);
    assert_prefix(NULL, 0, "named");
    setenv("CP_CONFIG", "", 1); /* none at all */
    assert_prefix(NULL, 0, "customer");
}
END_TEST

START_TEST(one_that_cannot_be_read)
{
    ck_assert_int_eq(mkdir(CP_USUAL_CONFIG, 0700), 0);
    assert_wrong("configuration: " CP_USUAL_CONFIG ": Is a directory");
}
END_TEST

START_TEST(one_that_is_wrong)
{
    write_file(CP_USUAL_CONFIG, "{\"prefix\": 3}");
    assert_wrong("configuration: " CP_USUAL_CONFIG ": prefix: ");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config_file");
    TCase *tests = tcase_create("config_file");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, it_need_not_be_there);
    tcase_add_test(tests, it_is_found);
    tcase_add_test(tests, what_is_named_is_read_instead);
    tcase_add_test(tests, one_that_cannot_be_read);
    tcase_add_test(tests, one_that_is_wrong);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
