#include "suites.h"

#include "base/secret.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/cp-secret.XXXXXX";
static char file[64];
static char password[CPI_SECRET_BYTES];
static cp_error err;

static void set_up(void)
{
    memcpy(directory + strlen(directory) - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(file, sizeof file, "%s/password", directory);
    unsetenv("CREDENTIALS_DIRECTORY");
    memset(password, 'x', sizeof password);
}

static void tear_down(void)
{
    unlink(file);
    rmdir(directory);
}

static void write_file(const char *content, size_t length, mode_t mode)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(write(fd, content, length), (ssize_t)length);
    close(fd);
}

static void assert_refused(const char *path, const char *wanted)
{
    char message[256];
    ck_assert_int_eq(cpi_secret_read("redis_password_file", path, password, NULL, &err), CP_ERR_CONFIG);
    snprintf(message, sizeof message, "redis_password_file: %s: %s", file, wanted);
    ck_assert_str_eq(err.message, message);
}

START_TEST(the_first_line_without_its_end)
{
    static const char *const contents[] = {"hush \t", "hush \t\n", "hush \t\nsecond\n"};
    bool is_open = true;
    write_file(contents[_i], strlen(contents[_i]), 0600);
    ck_assert_int_eq(cpi_secret_read("s", file, password, &is_open, &err), CP_OK);
    ck_assert_str_eq(password, "hush \t");
    ck_assert(!is_open);
    cpi_secret_wipe(password);
    for (size_t i = 0; i < sizeof password; i++) {
        ck_assert_int_eq(password[i], 0);
    }
}
END_TEST

START_TEST(everybody_may_read_it)
{
    bool is_open = false;
    write_file("hush", 4, 0644);
    ck_assert_int_eq(cpi_secret_read("s", file, password, &is_open, &err), CP_OK);
    ck_assert(is_open);
    write_file("hush", 4, 0640);
    ck_assert_int_eq(chmod(file, 0640), 0);
    ck_assert_int_eq(cpi_secret_read("s", file, password, &is_open, &err), CP_OK);
    ck_assert(!is_open);
}
END_TEST

START_TEST(what_is_no_password)
{
    char longest[CPI_SECRET_BYTES];
    assert_refused(file, "No such file or directory");
    write_file("", 0, 0600);
    assert_refused(file, "its first line is empty");
    write_file("\nsecond", 7, 0600);
    assert_refused(file, "its first line is empty");
    write_file("a\0b\n", 4, 0600);
    assert_refused(file, "there is a zero byte in its first line");
    write_file("a\0b", 3, 0600);
    assert_refused(file, "there is a zero byte in its first line");
    memset(longest, 'a', sizeof longest);
    write_file(longest, sizeof longest, 0600);
    assert_refused(file, "its first line is longer than a password");
    write_file(longest, sizeof longest - 1, 0600);
    ck_assert_int_eq(cpi_secret_read("s", file, password, NULL, &err), CP_OK);
    ck_assert_uint_eq(strlen(password), sizeof longest - 1);
}
END_TEST

START_TEST(a_directory)
{
    ck_assert_int_eq(cpi_secret_read("s", directory, password, NULL, &err), CP_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.message, "Is a directory"));
}
END_TEST

START_TEST(a_credential_of_systemd)
{
    write_file("hush\n", 5, 0600);
    setenv("CREDENTIALS_DIRECTORY", directory, 1);
    ck_assert_int_eq(cpi_secret_read("s", "password", password, NULL, &err), CP_OK);
    ck_assert_str_eq(password, "hush");
    ck_assert_int_eq(cpi_secret_read("s", file, password, NULL, &err), CP_OK);
    unlink(file);
    assert_refused("password", "No such file or directory");
    setenv("CREDENTIALS_DIRECTORY", "", 1);
    ck_assert_int_eq(cpi_secret_read("s", "password", password, NULL, &err), CP_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.message, "s: password: No such file"));
}
END_TEST

Suite *secret_suite(void)
{
    Suite *suite = suite_create("secret");
    TCase *tcase = tcase_create("secret");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, the_first_line_without_its_end, 0, 3);
    tcase_add_test(tcase, everybody_may_read_it);
    tcase_add_test(tcase, what_is_no_password);
    tcase_add_test(tcase, a_directory);
    tcase_add_test(tcase, a_credential_of_systemd);
    suite_add_tcase(suite, tcase);
    return suite;
}
