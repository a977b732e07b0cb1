/* What a second signal does, in children that raise it themselves: from outside two can arrive as one. */
#include "signals.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRIES = 50, SURVIVED = 7 };

static int ending_of(void (*child)(void))
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        child();
        _exit(SURVIVED);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void raise_twice(int first, int second, int wait_ms)
{
    signals_init(NULL, NULL);
    raise(first);
    if (signals_wait(0) != first || (wait_ms > 0 && signals_wait(wait_ms) != 0)) {
        _exit(EXIT_FAILURE);
    }
    raise(second);
}

static void at_once(void)
{
    raise_twice(SIGTERM, SIGTERM, 0);
}

static void later(void)
{
    raise_twice(SIGTERM, SIGTERM, 2 * SIGNALS_SAME_MS);
}

static void another_one(void)
{
    raise_twice(SIGTERM, SIGINT, 0);
}

/* Where the machine does something else in between, it is a later one. */
START_TEST(the_same_within_milliseconds_is_one)
{
    int status = 0;
    for (int i = 0; i < TRIES && !WIFEXITED(status = ending_of(at_once)); i++) {
    }
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), SURVIVED);
}
END_TEST

START_TEST(a_later_one_ends_it)
{
    int status = ending_of(later);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGTERM);
}
END_TEST

START_TEST(another_one_ends_it)
{
    int status = ending_of(another_one);
    ck_assert(WIFSIGNALED(status));
    ck_assert_int_eq(WTERMSIG(status), SIGINT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signals");
    TCase *tests = tcase_create("signals");
    signal(SIGINT, SIG_DFL); /* whoever runs this may have it ignored */
    tcase_add_test(tests, the_same_within_milliseconds_is_one);
    tcase_add_test(tests, a_later_one_ends_it);
    tcase_add_test(tests, another_one_ends_it);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed > 0;
}
