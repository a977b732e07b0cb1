#include "commands.h"
#include "common/clock.h"
#include "common/exit_code.h"
#include "logger.h"
#include "run/detach.h"
#include "run/pidfile.h"
#include "session.h"
#include "signals.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SUMMARY_EVERY_S 10.0

/* What the next summary counts from. */
struct summary {
    double since_s;
    uint64_t stored;
    uint64_t deleted;
};

static int summary_due_ms(const struct summary *summary)
{
    double left_s = summary->since_s + SUMMARY_EVERY_S - clock_now_s();
    return left_s > 0 ? (int)(left_s * 1000) + 1 : 0;
}

/* Says nothing when nothing was settled: a quiet night leaves no lines. */
static void summary_write(struct summary *summary, const struct session *session)
{
    cp_stats stats = {.size = sizeof stats};
    char failing[48] = "";
    double now_s = clock_now_s();

    cp_syncer_stats(session->syncer, &stats, NULL);
    double seconds = now_s - summary->since_s;
    uint64_t stored = stats.stored - summary->stored;
    uint64_t deleted = stats.deleted - summary->deleted;
    if (stats.failing > 0) {
        snprintf(failing, sizeof failing, ", %" PRIu64 " failing", stats.failing);
    }
    if (stored + deleted > 0) {
        logger_printf(
            session->logger, CP_LOG_INFO,
            "settled %" PRIu64 " (%" PRIu64 " stored, %" PRIu64 " deleted) in %.1f s, %.0f/s; %" PRIu64 " pending%s",
            stored + deleted, stored, deleted, seconds, (double)(stored + deleted) / seconds, stats.pending, failing);
    }
    *summary = (struct summary){now_s, stats.stored, stats.deleted};
}

static void resync(const struct session *session)
{
    cp_error err;
    if (cp_syncer_resync(session->syncer, NULL, &err) == CP_OK) {
        logger_printf(session->logger, CP_LOG_INFO, "SIGHUP: reading every document again");
    } else {
        logger_printf(session->logger, CP_LOG_ERROR, "SIGHUP: %s", err.message);
    }
}

static const char *cause_of(int signal_number)
{
    switch (signal_number) {
    case SIGINT:
        return "SIGINT";
    case SIGTERM:
        return "SIGTERM";
    default:
        return "the terminal has gone";
    }
}

static int stop(struct session *session, int signal_number)
{
    cp_stats stats = {.size = sizeof stats};

    cp_syncer_stats(session->syncer, &stats, NULL);
    logger_printf(session->logger, CP_LOG_INFO, "%s: stopping; %" PRIu64 " ids to settle within %.1f s",
                  cause_of(signal_number), stats.pending, session->options->grace_ms / 1000.0);
    if (!session_stop(session)) {
        return EXIT_FAILED;
    }
    logger_printf(session->logger, CP_LOG_INFO, "stopped: everything that was announced has settled");
    return EXIT_DONE;
}

/* A terminal that is closed sends SIGHUP as well, and then takes the program in its foreground along. */
static bool terminal_has_gone(bool had_terminal)
{
    return had_terminal && !isatty(STDERR_FILENO);
}

static int follow(struct session *session)
{
    struct summary summary = {.since_s = clock_now_s()};
    bool has_terminal = isatty(STDERR_FILENO);
    for (;;) {
        int signal_number = signals_wait(summary_due_ms(&summary));
        if (signal_number == SIGHUP && !terminal_has_gone(has_terminal)) {
            resync(session);
        } else if (signal_number != 0) {
            return stop(session, signal_number);
        }
        if (summary_due_ms(&summary) == 0) {
            summary_write(&summary, session);
        }
    }
}

static int serve(const struct options *options, cp_config *config, struct logger *logger, struct detach *detach)
{
    struct session session;
    switch (session_start(&session, options, logger, detach, config)) {
    case SESSION_STARTED:
        break;
    case SESSION_INTERRUPTED:
        return EXIT_DONE; /* there was nothing to settle */
    case SESSION_MISCONFIGURED:
        return EXIT_USAGE;
    default:
        return EXIT_FAILED;
    }
    int exit_code = follow(&session);
    session_close(&session);
    return exit_code;
}

int run(const struct options *options, cp_config *config)
{
    struct pidfile pidfile = {.fd = -1};
    struct logger logger;
    struct detach detach;
    int exit_code = EXIT_FAILED;
    if (!logger_open(&logger, options->log_format, options->log_level, options->log_file, options->detach)) {
        cp_config_destroy(config);
        return EXIT_FAILED;
    }
    if (detach_begin(&detach, options->detach, &exit_code) == DETACH_PARENT) {
        cp_config_destroy(config);
        logger_close(&logger);
        return exit_code;
    }
    if (logger_start(&logger) && pidfile_open(&pidfile, options->pidfile) && signals_init(pidfile.path)) {
        exit_code = serve(options, config, &logger, &detach);
    } else {
        cp_config_destroy(config);
    }
    signals_fini();
    pidfile_close(&pidfile);
    detach_failed(&detach, exit_code);
    logger_close(&logger);
    return exit_code;
}
