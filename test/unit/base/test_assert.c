#include "suites.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs body in a process of its own, which has to abort; stderr is what it wrote there. */
static void assert_aborts(void (*body)(void), char *text, size_t size)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t n;
    while (length < size - 1 && (n = read(ends[0], text + length, size - 1 - length)) > 0) {
        length += (size_t)n;
    }
    text[length] = '\0';
    close(ends[0]);
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGABRT);
}

static int calls;

static void fail_once(void)
{
    CPI_ASSERT(++calls == 2);
}

START_TEST(aborts_with_one_line)
{
    char text[512];
    assert_aborts(fail_once, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "test_assert.c:"));
    ck_assert_ptr_nonnull(strstr(text, ": assertion failed: ++calls == 2\n"));
    ck_assert_uint_eq(strcspn(text, "\n"), strlen(text) - 1);
}
END_TEST

START_TEST(looks_once_and_goes_on)
{
    calls = 1;
    CPI_ASSERT(++calls == 2);
    ck_assert_int_eq(calls, 2);
}
END_TEST

static void *use(void *owner)
{
    cpi_owner_check(owner);
    return NULL;
}

static void use_in_two_threads(void)
{
    struct cpi_owner owner = {0};
    pthread_t thread;
    cpi_owner_check(&owner);
    if (pthread_create(&thread, NULL, use, &owner) == 0) {
        pthread_join(thread, NULL);
    }
}

START_TEST(a_second_thread_is_no_owner)
{
    char text[512];
    assert_aborts(use_in_two_threads, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "pthread_equal"));
}
END_TEST

START_TEST(the_first_thread_is_the_owner)
{
    struct cpi_owner owner = {0};
    cpi_owner_check(&owner);
    cpi_owner_check(&owner);
    ck_assert(owner.known);
}
END_TEST

Suite *assert_suite(void)
{
    Suite *suite = suite_create("assert");
    TCase *tcase = tcase_create("assert");
    tcase_add_test(tcase, aborts_with_one_line);
    tcase_add_test(tcase, looks_once_and_goes_on);
    tcase_add_test(tcase, the_first_thread_is_the_owner);
    tcase_add_test(tcase, a_second_thread_is_no_owner);
    suite_add_tcase(suite, tcase);
    return suite;
}
