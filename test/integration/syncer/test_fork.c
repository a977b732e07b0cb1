/*
 * What a forked child may do with its parent's syncer, which is to destroy it, and that the parent never notices: not
 * by a connection made again, not by a resync, and every change still arrives at once.
 */
#include "equal.h"
#include "servers.h"
#include "suites.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static cp_syncer *inherited;
static int sockets_of_fixture;

/* ---- children; each returns or exits with 0, or says with another number what was not so ---- */

enum { FINE = 0, NOT_REFUSED = 3, BAD_MESSAGE = 4, HARMFUL_VALUE = 5, SOCKETS_LEFT = 6 };

static int count_sockets(void)
{
    int count = 0;
    DIR *list = opendir("/proc/self/fd");
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        struct stat file;
        count += fstat(atoi(entry->d_name), &file) == 0 && entry->d_name[0] != '.' && S_ISSOCK(file.st_mode);
    }
    closedir(list);
    return count;
}

/* How many descriptors there are that an exec would hand on. */
static int count_inheritable(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        count += flags >= 0 && (flags & FD_CLOEXEC) == 0;
    }
    return count;
}

static void ignore_parked(void *context, const cp_parked *parked)
{
    (void)context;
    (void)parked;
}

static int expect_refusals(void)
{
    cp_error errs[16] = {{0}};
    cp_ticket ticket;
    uint64_t more;
    cp_stats stats = {.size = sizeof stats};
    cp_health health = {.size = sizeof health};
    cp_histogram histogram = {.size = sizeof histogram};
    cp_entity_stats entity = {.size = sizeof entity};
    cp_lane lane = {.size = sizeof lane};
    cp_thread thread = {.size = sizeof thread};
    cp_verify_result result = {.size = sizeof result};
    const cp_code codes[] = {cp_syncer_start(inherited, &errs[0]),
                             cp_syncer_wait_ready(inherited, -1, &errs[1]),
                             cp_syncer_enqueue(inherited, "customer", "1", &errs[2]),
                             cp_syncer_resync(inherited, NULL, &errs[3]),
                             cp_syncer_stop(inherited, 1000, &errs[4]),
                             cp_syncer_verify(inherited, NULL, &result, &errs[5]),
                             cp_syncer_stats(inherited, &stats, &errs[6]),
                             cp_syncer_health(inherited, &health, &errs[7]),
                             cp_syncer_histogram(inherited, 0, &histogram, &errs[8]),
                             cp_syncer_entity(inherited, 0, &entity, &errs[9]),
                             cp_syncer_lane(inherited, 0, &lane, &errs[10]),
                             cp_syncer_thread(inherited, 0, &thread, &errs[11]),
                             cp_syncer_ticket(inherited, &ticket, &errs[12]),
                             cp_syncer_wait(inherited, 0, -1, &errs[13]),
                             cp_syncer_enqueue_wait(inherited, "customer", "1", -1, &errs[14]),
                             cp_syncer_parked(inherited, ignore_parked, NULL, &more, &errs[15])};
    char expected[128];
    snprintf(expected, sizeof expected, "the syncer belongs to process %d; after a fork it can only be destroyed",
             (int)getppid());
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i] != CP_ERR_ARGUMENT) {
            return NOT_REFUSED;
        }
        if (strcmp(errs[i].message, expected) != 0) {
            return BAD_MESSAGE;
        }
    }
    cp_error newest;
    bool is_harmless = cp_syncer_stat(inherited, 0) == 0 && cp_syncer_last_error(inherited, &newest) == CP_ERR_ARGUMENT;
    return is_harmless ? FINE : HARMFUL_VALUE;
}

static void destroy_inherited(void)
{
    cp_syncer_destroy(inherited);
}

static int asks_and_destroys(void)
{
    int found = expect_refusals();
    destroy_inherited();
    _exit(found);
}

static int destroys_at_exit(void)
{
    atexit(destroy_inherited);
    exit(FINE);
}

static int only_exits(void)
{
    exit(FINE);
}

static int execs(void)
{
    execl("/bin/true", "true", (char *)NULL);
    _exit(127);
}

static int fails_to_exec(void)
{
    execl("/nonexistent", "nonexistent", (char *)NULL);
    destroy_inherited(); /* as the destructor of a static object would */
    exit(FINE);
}

static int closes_sockets(void)
{
    destroy_inherited();
    _exit(count_sockets() == sockets_of_fixture ? FINE : SOCKETS_LEFT);
}

/* Runs it in a forked child. */
static int fork_and(int (*act)(void))
{
    int status = 0;
    fflush(NULL); /* or what is buffered would be written twice */
    pid_t child = fork();
    if (child == 0) {
        alarm((unsigned)timeout_ms() / 1000);
        _exit(act());
    }
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int (*const acts[])(void) = {asks_and_destroys, destroys_at_exit, only_exits, execs, fails_to_exec};

/* ---- parents ---- */

static struct fixture *open_with_customers(void)
{
    struct fixture *f = fixture_open();
    sql(f, "insert into customer (name) select 'customer ' || i from generate_series(1, 20) i");
    sockets_of_fixture = count_sockets();
    return f;
}

START_TEST(of_a_running_one)
{
    struct fixture *f = open_with_customers();
    int inheritable = count_inheritable();
    inherited = run_syncer(f, NULL, NO_SETTINGS);
    WAIT_UNTIL(count_inheritable() == inheritable); /* libpq's sockets are so a moment after they are made */
    WAIT_UNTIL(stats_of(inherited).resyncs == 1);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        REQUIRE_INT(fork_and(acts[i]), ==, FINE);
        sqlf(f, "update customer set name = 'round %zu'", i);
        expect_customers(f);
    }
    WAIT_UNTIL(fork_and(closes_sockets) == FINE); /* none is being opened when it forks */
    REQUIRE_INT(stats_of(inherited).reconnects, ==, 0);
    REQUIRE_INT(stats_of(inherited).resyncs, ==, 1);
    stop_syncer(f, inherited);
    fixture_close(f);
}
END_TEST

/* Made, and then a daemon forks: what was made is the parent's. */
START_TEST(of_one_not_started)
{
    struct fixture *f = open_with_customers();
    inherited = make_syncer(f, NULL, NO_SETTINGS);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        REQUIRE_INT(fork_and(acts[i]), ==, FINE);
    }
    start_syncer(inherited);
    wait_ready(inherited);
    sql(f, "update customer set name = 'changed'");
    expect_customers(f);
    stop_syncer(f, inherited);
    fixture_close(f);
}
END_TEST

Suite *fork_suite(void)
{
    Suite *suite = suite_create("fork");
    TCase *tcase = tcase_create("children");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, of_a_running_one);
    tcase_add_test(tcase, of_one_not_started);
    suite_add_tcase(suite, tcase);
    return suite;
}
