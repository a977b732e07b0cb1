/*
 * An event loop of one thread, with epoll: signals, and what the library tells, on the thread that waits for both.
 *
 *     epoll POSTGRES
 *
 * A follower: it has no Redis, and any number may run beside the daemon that has. Follows the customers of
 * db/schema.sql, and prints a line for each document and each state, until SIGINT or SIGTERM.
 *
 *     cc epoll.c $(pkg-config --cflags --libs cachepusher)
 */
#define _GNU_SOURCE
#include <cachepusher.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void print(const cp_result *result)
{
    switch (result->kind) {
    case CP_RESULT_DOCUMENT:
        printf("%s %s\n", result->document->id, result->document->exists ? result->document->document : "none");
        break;
    case CP_RESULT_STATE:
        printf("state %s%s%s\n", cp_state_name(result->health->state), result->health->why[0] != '\0' ? ": " : "",
               result->health->why);
        break;
    case CP_RESULT_LOG:
        fprintf(stderr, "%s\n", result->log->message);
        break;
    case CP_RESULT_DROPPED: /* not with CP_RESULTS_HOLD, before the end */
        fprintf(stderr, "%llu documents dropped\n", (unsigned long long)result->dropped->documents);
        break;
    default: /* of a newer library */
        break;
    }
}

static void take_results(cp_results *results)
{
    for (const cp_result *result; (result = cp_results_next(results)) != NULL;) {
        print(result);
    }
    fflush(stdout);
}

static int watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Runs until a signal comes. */
static void loop(cp_results *results, int signals)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ready;
    if (epoll < 0 || watch(epoll, cp_results_fd(results)) != 0 || watch(epoll, signals) != 0) {
        perror("epoll");
    } else {
        while (epoll_wait(epoll, &ready, 1, -1) != 1 || ready.data.fd != signals) {
            take_results(results);
        }
    }
    close(epoll);
}

/* Signals come as something to read: in this thread alone, since the library's have all of them blocked. */
static int open_signals(void)
{
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGINT);
    sigaddset(&wanted, SIGTERM);
    sigprocmask(SIG_BLOCK, &wanted, NULL);
    return signalfd(-1, &wanted, SFD_CLOEXEC);
}

int main(int argc, char **argv)
{
    cp_error err;
    cp_config *config = argc == 2 ? cp_config_create(&err) : NULL;
    if (config == NULL || cp_config_set(config, "postgres", argv[1], &err) != CP_OK ||
        cp_config_set(config, "role", "follow", &err) != CP_OK) {
        fprintf(stderr, "%s\n", argc == 2 ? err.message : "usage: epoll POSTGRES");
        cp_config_destroy(config);
        return 2;
    }
    const cp_results_options options = {.size = sizeof options, .when_full = CP_RESULTS_HOLD};
    cp_results *results = cp_results_create(&options, &err);
    const cp_callbacks callbacks = {.size = sizeof callbacks, .results = results};
    cp_syncer *syncer = results != NULL ? cp_syncer_create(config, &callbacks, &err) : NULL;
    if (syncer == NULL) {
        cp_config_destroy(config); /* which the syncer would own */
    }
    int signals = open_signals();
    int code = 1;
    if (syncer == NULL || cp_syncer_start(syncer, &err) != CP_OK) {
        fprintf(stderr, "%s\n", err.message);
    } else {
        loop(results, signals);
        code = cp_syncer_stop(syncer, 5000, NULL) == CP_OK ? 0 : 1;
        take_results(results); /* the last of them, that it has been stopped */
    }
    cp_syncer_destroy(syncer);
    cp_results_destroy(results);
    close(signals);
    return code;
}
