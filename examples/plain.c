/*
 * A plain loop that polls nothing: a game, a simulation, a control loop, which does its own work tick by tick and takes
 * what the library has told since the last one.
 *
 *     plain POSTGRES
 *
 * A follower: it has no Redis, and any number may run beside the daemon that has. Follows the customers of
 * db/schema.sql, and prints a line for each document and each state, until SIGINT or SIGTERM. What it has no time for
 * is dropped, and read again.
 *
 *     cc plain.c $(pkg-config --cflags --libs cachepusher)
 */
#define _POSIX_C_SOURCE 200809L
#include <cachepusher.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

enum { A_TICK = 1000 }; /* results are taken in one tick, at most */

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

/* True: documents have been dropped. */
static bool take_results(cp_results *results, int most)
{
    bool is_incomplete = false;
    const cp_result *result = NULL;
    for (int i = 0; i < most && (result = cp_results_next(results)) != NULL; i++) {
        if (result->kind == CP_RESULT_DOCUMENT) {
            printf("%s %s\n", result->document->id, result->document->exists ? result->document->document : "none");
        } else if (result->kind == CP_RESULT_STATE) {
            printf("state %s\n", cp_state_name(result->health->state));
        } else if (result->kind == CP_RESULT_LOG) {
            fprintf(stderr, "%s\n", result->log->message);
        } else if (result->kind == CP_RESULT_DROPPED) {
            is_incomplete = is_incomplete || result->dropped->documents > 0;
        }
    }
    fflush(stdout);
    return is_incomplete;
}

/* Where a program would do its own work. */
static void tick(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static void loop(cp_syncer *syncer, cp_results *results)
{
    while (!is_over) {
        if (take_results(results, A_TICK)) {
            cp_syncer_resync(syncer, NULL, NULL);
        }
        tick();
    }
}

int main(int argc, char **argv)
{
    cp_error err;
    cp_config *config = argc == 2 ? cp_config_create(&err) : NULL;
    if (config == NULL || cp_config_set(config, "postgres", argv[1], &err) != CP_OK ||
        cp_config_set(config, "role", "follow", &err) != CP_OK) {
        fprintf(stderr, "%s\n", argc == 2 ? err.message : "usage: plain POSTGRES");
        cp_config_destroy(config);
        return 2;
    }
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    cp_results *results = cp_results_create(NULL, &err);
    const cp_callbacks callbacks = {.size = sizeof callbacks, .results = results};
    cp_syncer *syncer = results != NULL ? cp_syncer_create(config, &callbacks, &err) : NULL;
    if (syncer == NULL) {
        cp_config_destroy(config); /* which the syncer would own */
    }
    int code = 1;
    if (syncer == NULL || cp_syncer_start(syncer, &err) != CP_OK) {
        fprintf(stderr, "%s\n", err.message);
    } else {
        loop(syncer, results);
        code = cp_syncer_stop(syncer, 5000, NULL) == CP_OK ? 0 : 1;
        take_results(results, INT_MAX); /* the last of them, that it has been stopped */
    }
    cp_syncer_destroy(syncer);
    cp_results_destroy(results);
    return code;
}
