/*
 * The library in a loop of libuv's: a handle that polls the queue of results, beside whatever else the loop does.
 *
 *     libuv POSTGRES
 *
 * A follower: it has no Redis, and any number may run beside the daemon that has. Follows the customers of
 * db/schema.sql, and prints a line for each document and each state, until SIGINT or SIGTERM.
 *
 *     cc libuv.c $(pkg-config --cflags --libs cachepusher libuv)
 */
#define _GNU_SOURCE
#include <cachepusher.h>
#include <signal.h>
#include <stdio.h>
#include <uv.h>

static void take_results(cp_results *results)
{
    for (const cp_result *result; (result = cp_results_next(results)) != NULL;) {
        if (result->kind == CP_RESULT_DOCUMENT) {
            printf("%s %s\n", result->document->id, result->document->exists ? result->document->document : "none");
        } else if (result->kind == CP_RESULT_STATE) {
            printf("state %s\n", cp_state_name(result->health->state));
        } else if (result->kind == CP_RESULT_LOG) {
            fprintf(stderr, "%s\n", result->log->message);
        }
    }
    fflush(stdout);
}

static void on_results(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    take_results(poll->data);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

/* Runs until a signal comes. */
static void run_loop(uv_loop_t *loop, cp_results *results)
{
    static const int numbers[2] = {SIGINT, SIGTERM};
    uv_signal_t signals[2];
    uv_poll_t poll;
    poll.data = results;
    uv_poll_init(loop, &poll, cp_results_fd(results));
    uv_poll_start(&poll, UV_READABLE, on_results);
    for (int i = 0; i < 2; i++) {
        uv_signal_init(loop, &signals[i]);
        uv_signal_start(&signals[i], on_signal, numbers[i]);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&poll, NULL); /* the descriptor stays the queue's */
    for (int i = 0; i < 2; i++) {
        uv_close((uv_handle_t *)&signals[i], NULL);
    }
    uv_run(loop, UV_RUN_DEFAULT);
}

int main(int argc, char **argv)
{
    cp_error err;
    cp_config *config = argc == 2 ? cp_config_create(&err) : NULL;
    if (config == NULL || cp_config_set(config, "postgres", argv[1], &err) != CP_OK ||
        cp_config_set(config, "role", "follow", &err) != CP_OK) {
        fprintf(stderr, "%s\n", argc == 2 ? err.message : "usage: libuv POSTGRES");
        cp_config_destroy(config);
        return 2;
    }
    uv_loop_t *loop = uv_default_loop();
    const cp_results_options options = {.size = sizeof options, .when_full = CP_RESULTS_HOLD};
    cp_results *results = cp_results_create(&options, &err);
    const cp_callbacks callbacks = {.size = sizeof callbacks, .results = results};
    cp_syncer *syncer = results != NULL ? cp_syncer_create(config, &callbacks, &err) : NULL;
    if (syncer == NULL) {
        cp_config_destroy(config); /* which the syncer would own */
    }
    int code = 1;
    if (syncer == NULL || cp_syncer_start(syncer, &err) != CP_OK) {
        fprintf(stderr, "%s\n", err.message);
    } else {
        run_loop(loop, results);
        code = cp_syncer_stop(syncer, 5000, NULL) == CP_OK ? 0 : 1;
        take_results(results); /* the last of them, that it has been stopped */
    }
    cp_syncer_destroy(syncer);
    cp_results_destroy(results);
    uv_loop_close(loop);
    return code;
}
