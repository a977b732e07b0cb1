/* The command's logger: what a message becomes as text, as JSON and in the journal. The journal is a function here. */
#define SD_JOURNAL_SUPPRESS_LOCATION /* as journal.c does: else it is a macro */

#include "logger.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

static char sent[16384];
static int journal_answer;
static char path[] = "/tmp/cp-logger.XXXXXX";
static int stderr_before;

int sd_journal_sendv(const struct iovec *iov, int n)
{
    for (int i = 0; i < n && journal_answer == 0; i++) {
        size_t length = strlen(sent);
        snprintf(sent + length, sizeof sent - length, "%.*s|", (int)iov[i].iov_len, (const char *)iov[i].iov_base);
    }
    return journal_answer;
}

/* Standard error is a file, of which JOURNAL_STREAM says that it is the journal. */
static void set_up(void)
{
    struct stat status;
    char stream[64];
    sent[0] = '\0';
    journal_answer = 0;
    memcpy(path + strlen(path) - 6, "XXXXXX", 6);
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    fflush(stderr);
    stderr_before = dup(STDERR_FILENO);
    dup2(fd, STDERR_FILENO);
    close(fd);
    ck_assert_int_eq(fstat(STDERR_FILENO, &status), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev, (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
}

static void tear_down(void)
{
    dup2(stderr_before, STDERR_FILENO);
    close(stderr_before);
    unlink(path);
    unsetenv("JOURNAL_STREAM");
}

static const char *written(void)
{
    static char text[16384];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    ck_assert_int_ge(length, 0);
    text[length] = '\0';
    return text;
}

static const cp_log_entry full = {.size = sizeof full,
                                  .level = CP_LOG_WARN,
                                  .message = "customer 7: no \"luck\"\nPRIORITY=0",
                                  .entity = "customer",
                                  .key = "customer:7\nMESSAGE=x",
                                  .host = "db:5432/shop",
                                  .duration_ms = 1200,
                                  .count = 3};

static void write_with(enum log_format format, const cp_log_entry *entry)
{
    struct logger logger;
    ck_assert(logger_open(&logger, format, CP_LOG_INFO, NULL, false));
    ck_assert(logger_start(&logger));
    logger_write(&logger, entry);
    logger_write(&logger, &(cp_log_entry){.size = sizeof(cp_log_entry), .level = CP_LOG_DEBUG, .message = "debug"});
    logger_close(&logger);
}

START_TEST(fields_reach_the_journal)
{
    write_with(LOG_FORMAT_USUAL, &full);
    ck_assert_str_eq(sent, "PRIORITY=4|MESSAGE=customer 7: no \"luck\"\\x0aPRIORITY=0|CACHEPUSHER_ENTITY=customer|"
                           "CACHEPUSHER_KEY=customer:7\\x0aMESSAGE=x|CACHEPUSHER_HOST=db:5432/shop|"
                           "CACHEPUSHER_DURATION_MS=1200|CACHEPUSHER_COUNT=3|");
    ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(each_level_has_its_priority)
{
    static const char *const wanted[] = {"PRIORITY=3|MESSAGE=m|", "PRIORITY=4|MESSAGE=m|", "PRIORITY=6|MESSAGE=m|"};
    const cp_log_entry entry = {.size = sizeof entry, .level = (cp_level)_i, .message = "m"};
    write_with(LOG_FORMAT_JOURNAL, &entry);
    ck_assert_str_eq(sent, wanted[_i]);
}
END_TEST

START_TEST(a_journal_out_of_reach)
{
    journal_answer = -ENOENT;
    write_with(LOG_FORMAT_JOURNAL, &full);
    ck_assert_str_eq(written(), "<4>customer 7: no \"luck\"\\x0aPRIORITY=0\n");
}
END_TEST

START_TEST(another_stderr_is_no_journal)
{
    setenv("JOURNAL_STREAM", "1:2", 1);
    write_with(LOG_FORMAT_USUAL, &full);
    ck_assert_str_eq(sent, "");
    ck_assert_ptr_ne(strstr(written(), " warn  customer 7: no \"luck\"\\x0aPRIORITY=0\n"), NULL);
}
END_TEST

START_TEST(what_was_asked_for_is_done_there_too)
{
    write_with(LOG_FORMAT_TEXT, &full);
    ck_assert_str_eq(sent, "");
    ck_assert_ptr_ne(strstr(written(), "Z warn  customer 7"), NULL);
}
END_TEST

START_TEST(fields_of_json)
{
    write_with(LOG_FORMAT_JSON, &full);
    ck_assert_ptr_ne(strstr(written(),
                            "\",\"level\":\"warn\",\"message\":\"customer 7: no \\\"luck\\\"\\u000aPRIORITY=0\","
                            "\"entity\":\"customer\",\"key\":\"customer:7\\u000aMESSAGE=x\","
                            "\"host\":\"db:5432/shop\",\"duration_ms\":1200,\"count\":3}\n"),
                     NULL);
    ck_assert_int_eq(written()[0], '{');
}
END_TEST

START_TEST(json_without_fields)
{
    const cp_log_entry entry = {.size = sizeof entry, .level = CP_LOG_INFO, .message = "m"};
    write_with(LOG_FORMAT_JSON, &entry);
    ck_assert_ptr_ne(strstr(written(), "\"level\":\"info\",\"message\":\"m\"}\n"), NULL);
}
END_TEST

/* However long each is, and all of it escaped, the line is an object with all of them. */
START_TEST(json_that_is_cut)
{
    static char longest[3000];
    memset(longest, '\x01', sizeof longest - 1);
    const cp_log_entry entry = {.size = sizeof entry,
                                .level = CP_LOG_INFO,
                                .message = longest,
                                .entity = longest,
                                .key = longest,
                                .host = longest,
                                .duration_ms = INT64_MAX,
                                .count = UINT64_MAX};
    write_with(LOG_FORMAT_JSON, &entry);
    const char *line = written();
    ck_assert_ptr_ne(strstr(line, "…\",\"entity\":\""), NULL);
    ck_assert_ptr_ne(strstr(line, "…\",\"key\":\""), NULL);
    ck_assert_ptr_ne(strstr(line, "…\",\"host\":\""), NULL);
    ck_assert_ptr_ne(strstr(line, "…\",\"duration_ms\":9223372036854775807,\"count\":18446744073709551615}\n"), NULL);
}
END_TEST

START_TEST(the_level_changes_while_it_runs)
{
    const cp_log_entry entry = {.size = sizeof entry, .level = CP_LOG_DEBUG, .message = "m"};
    struct logger logger;
    ck_assert(logger_open(&logger, LOG_FORMAT_JOURNAL, CP_LOG_INFO, NULL, false));
    ck_assert(logger_start(&logger));
    logger_write(&logger, &entry);
    logger_set_level(&logger, CP_LOG_DEBUG);
    logger_write(&logger, &entry);
    logger_set_level(&logger, CP_LOG_WARN);
    logger_write(&logger, &entry);
    logger_close(&logger);
    ck_assert_str_eq(sent, "PRIORITY=7|MESSAGE=m|");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("logger");
    TCase *tests = tcase_create("logger");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, fields_reach_the_journal);
    tcase_add_loop_test(tests, each_level_has_its_priority, 0, 3);
    tcase_add_test(tests, a_journal_out_of_reach);
    tcase_add_test(tests, another_stderr_is_no_journal);
    tcase_add_test(tests, what_was_asked_for_is_done_there_too);
    tcase_add_test(tests, fields_of_json);
    tcase_add_test(tests, json_without_fields);
    tcase_add_test(tests, json_that_is_cut);
    tcase_add_test(tests, the_level_changes_while_it_runs);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
