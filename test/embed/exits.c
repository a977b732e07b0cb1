/*
 * exits ROUNDS: a program that leaves with exit() while its syncer runs, in as many processes one after another, each
 * somewhere else in what the threads do. With TLS, whose library ends at exit() as well, it crashed now and then. Needs
 * the servers that CP_DSN and CP_REDIS name. The exit code is 0 if every process ended as it meant to.
 */
#include <cachepusher.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MEANT = 7, CANNOT_START = 8, STILL_RUNS = 9, CHILD_MAX_S = 120 };

static void rest(long microseconds)
{
    struct timespec time = {.tv_sec = 0, .tv_nsec = microseconds * 1000};
    nanosleep(&time, NULL);
}

static cp_syncer *syncer;

/* Registered first, so it is called last: nothing of the syncer is left running then. */
static void look_whether_it_runs(void)
{
    cp_health health = {.size = sizeof health};
    if (cp_syncer_health(syncer, &health, NULL) != CP_OK || health.state != CP_STATE_STOPPED) {
        fprintf(stderr, "exits: the syncer is %s\n", cp_state_name(health.state));
        _exit(STILL_RUNS);
    }
}

static void run_and_exit(long microseconds)
{
    cp_error err = {0};
    cp_config *config = cp_config_create(&err);
    if (config == NULL || cp_config_set(config, "postgres", getenv("CP_DSN"), &err) != CP_OK ||
        cp_config_set(config, "redis", getenv("CP_REDIS"), &err) != CP_OK ||
        (syncer = cp_syncer_create(config, NULL, &err)) == NULL || atexit(look_whether_it_runs) != 0 ||
        cp_syncer_start(syncer, &err) != CP_OK) {
        fprintf(stderr, "exits: %s\n", err.message);
        _exit(CANNOT_START);
    }
    rest(microseconds);
    exit(MEANT);
}

int main(int argc, char **argv)
{
    int rounds = argc == 2 ? atoi(argv[1]) : 0;
    int failed = rounds > 0 ? 0 : 1;
    for (int i = 0; i < rounds; i++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            alarm(CHILD_MAX_S);
            run_and_exit(i * 7919L % 60000);
        }
        if (child < 0 || waitpid(child, &status, 0) != child) {
            fprintf(stderr, "exits: %s\n", strerror(errno));
            return 1;
        }
        if (!WIFEXITED(status) || WEXITSTATUS(status) != MEANT) {
            fprintf(stderr, "exits: round %d: %s %d\n", i, WIFSIGNALED(status) ? "killed by signal" : "exit code",
                    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            failed++;
        }
    }
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
