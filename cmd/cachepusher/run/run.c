#include "admin/admin.h"
#include "commands.h"
#include "common/clock.h"
#include "common/exit_code.h"
#include "logger.h"
#include "run/detach.h"
#include "run/pidfile.h"
#include "run/reload.h"
#include "run/service.h"
#include "session.h"
#include "signals.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SUMMARY_EVERY_S 10.0

enum { FACT_BYTES = 256 }; /* more than a name has */

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
    logger_printf(session->logger, CP_LOG_INFO, "%s: stopping; %" PRIu64 " id%s to settle within %.1f s",
                  cause_of(signal_number), stats.pending, stats.pending == 1 ? "" : "s",
                  session->options->grace_ms / 1000.0);
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

static int follow(struct session *session, struct reload *reload)
{
    struct summary summary = {.since_s = clock_now_s()};
    struct service service = {0};
    bool has_terminal = isatty(STDERR_FILENO);
    for (;;) {
        admin_main_is_well(session->admin);
        service_update(&service, session->syncer, session->admin);
        int due_ms = summary_due_ms(&summary);
        int signal_number = signals_wait(service_due_ms(&service) < due_ms ? service_due_ms(&service) : due_ms);
        if (signal_number == SIGUSR2) {
            reload_now(reload, "SIGUSR2");
        } else if (signal_number == SIGHUP && !terminal_has_gone(has_terminal)) {
            reload_now(reload, "SIGHUP");
            resync(session);
        } else if (signal_number != 0) {
            service_stops(&service);
            return stop(session, signal_number);
        }
        if (summary_due_ms(&summary) == 0) {
            summary_write(&summary, session);
        }
    }
}

static int exit_code_of(enum session_outcome outcome)
{
    switch (outcome) {
    case SESSION_INTERRUPTED:
        return EXIT_DONE; /* there was nothing to settle */
    case SESSION_MISCONFIGURED:
        return EXIT_USAGE;
    default:
        return EXIT_FAILED;
    }
}

static int serve_session(struct session *session, cp_config *config, struct reload *reload)
{
    enum session_outcome outcome = session_create(session, config);
    if (outcome != SESSION_STARTED) {
        return exit_code_of(outcome);
    }
    outcome = session_begin(session);
    return outcome == SESSION_STARTED ? follow(session, reload) : exit_code_of(outcome);
}

/* The admin server answers from before the start, which may wait for servers, until after the end. */
static int serve(const struct options *options, cp_config *config, struct logger *logger, struct detach *detach,
                 struct reload *reload)
{
    struct session session = {.options = options, .logger = logger, .detach = detach};
    char name[FACT_BYTES] = "";
    char source[FACT_BYTES] = "";
    const struct admin_facts facts = {.name = name, .source = source};
    cp_config_get(config, "name", name, sizeof name, NULL);
    cp_config_get(config, "source", source, sizeof source, NULL);
    if (options->admin != NULL) {
        session.admin = admin_open(options->admin, &facts, logger);
        if (session.admin == NULL) {
            cp_config_destroy(config);
            return EXIT_FAILED;
        }
    }
    int exit_code = serve_session(&session, config, reload);
    admin_close(session.admin);
    session_close(&session);
    return exit_code;
}

int run(const struct options *options, cp_config *config)
{
    struct pidfile pidfile = {.fd = -1};
    struct logger logger;
    struct detach detach;
    struct reload reload;
    int exit_code = EXIT_FAILED;
    if (!reload_init(&reload, options, &logger) ||
        !logger_open(&logger, options->log_format, options_log_level(config), options->log_file, options->detach)) {
        cp_config_destroy(config);
        reload_fini(&reload);
        return EXIT_FAILED;
    }
    if (detach_begin(&detach, options->detach, &exit_code) == DETACH_PARENT) {
        cp_config_destroy(config);
        reload_fini(&reload);
        logger_close(&logger);
        return exit_code;
    }
    if (logger_start(&logger) && pidfile_open(&pidfile, options->pidfile) && signals_init(pidfile.path, &logger)) {
        signals_tell_ignored(&logger);
        exit_code = serve(options, config, &logger, &detach, &reload);
    } else {
        cp_config_destroy(config);
    }
    signals_fini();
    pidfile_close(&pidfile);
    reload_fini(&reload);
    detach_failed(&detach, exit_code);
    logger_close(&logger);
    return exit_code;
}
