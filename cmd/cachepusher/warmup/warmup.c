#include "commands.h"
#include "common/exit_code.h"
#include "logger.h"
#include "progress.h"
#include "session.h"
#include "signals.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

/* How long a signal or the next drawing of the bar may have to wait. */
enum { LOOK_EVERY_MS = 50 };

enum ending { ENDING_READY, ENDING_INTERRUPTED, ENDING_FAILED };

static enum ending watch(struct session *session, struct progress *progress)
{
    cp_error err = {0};
    for (;;) {
        cp_stats stats = {.size = sizeof stats};
        cp_code code = cp_syncer_wait_ready(session->syncer, LOOK_EVERY_MS, &err);
        if (code == CP_OK) {
            return ENDING_READY;
        }
        if (code != CP_ERR_TIMEOUT) {
            logger_status(session->logger, "");
            logger_fail(session->logger, "%s", err.message);
            return ENDING_FAILED;
        }
        int signal_number = signals_wait(0);
        if (signal_number == SIGINT || signal_number == SIGTERM || signal_number == SIGHUP) {
            return ENDING_INTERRUPTED;
        }
        cp_syncer_stats(session->syncer, &stats, NULL);
        progress_update(progress, stats.stored, stats.resync_estimate);
    }
}

static void print_summary(const cp_stats *stats, double seconds)
{
    printf("warmup: %" PRIu64 " document%s in %.1f s (%.0f/s)", stats->stored, stats->stored == 1 ? "" : "s", seconds,
           seconds > 0 ? (double)stats->stored / seconds : 0.0);
    if (stats->deleted > 0) {
        printf(", %" PRIu64 " key%s without a row removed", stats->deleted, stats->deleted == 1 ? "" : "s");
    }
    putchar('\n');
    fflush(stdout);
}

/* The ids that fail are asked for before the stop: it does not wait for them. */
static int finish(struct session *session, double seconds)
{
    cp_stats stats = {.size = sizeof stats};

    cp_syncer_stats(session->syncer, &stats, NULL);
    bool stopped = session_stop(session);
    print_summary(&stats, seconds);
    if (stats.failing > 0) {
        logger_fail(session->logger, "%" PRIu64 " document%s could not be stored; the log tells which and why",
                    stats.failing, stats.failing == 1 ? "" : "s");
        return EXIT_FAILED;
    }
    return stopped ? EXIT_DONE : EXIT_FAILED;
}

static int give_up(struct session *session, bool interrupted)
{
    cp_stats stats = {.size = sizeof stats};

    /* That ids are left is no news now. */
    cp_syncer_stop(session->syncer, session->options->grace_ms, NULL);
    cp_syncer_stats(session->syncer, &stats, NULL);
    if (interrupted) {
        logger_fail(session->logger, "interrupted after %" PRIu64 " document%s; those not reached are as they were",
                    stats.stored, stats.stored == 1 ? "" : "s");
    }
    return EXIT_FAILED;
}

static int warm(const struct options *options, cp_config *config, struct logger *logger)
{
    struct session session = {.options = options, .logger = logger};
    struct progress progress;
    enum session_outcome outcome = session_start(&session, config);
    if (outcome == SESSION_INTERRUPTED) {
        logger_fail(logger, "interrupted after 0 documents; those not reached are as they were");
    }
    if (outcome != SESSION_STARTED) {
        return outcome == SESSION_MISCONFIGURED ? EXIT_USAGE : EXIT_FAILED;
    }
    progress_begin(&progress, "warmup", logger);
    enum ending ending = watch(&session, &progress);
    double seconds = progress_end(&progress);
    int exit_code =
        ending == ENDING_READY ? finish(&session, seconds) : give_up(&session, ending == ENDING_INTERRUPTED);
    session_close(&session);
    return exit_code;
}

int warmup(const struct options *options, cp_config *config)
{
    struct logger logger;
    int exit_code = EXIT_FAILED;
    if (!logger_open(&logger, options->log_format, options_log_level(config), options->log_file, false)) {
        cp_config_destroy(config);
        return EXIT_FAILED;
    }
    cp_config_set(config, "source", "notify", NULL); /* a slot would be left behind, and keep Postgres' log for ever */
    if (logger_start(&logger) && signals_init(NULL, &logger)) {
        exit_code = warm(options, config, &logger);
        signals_fini();
    } else {
        cp_config_destroy(config);
    }
    logger_close(&logger);
    return exit_code;
}
