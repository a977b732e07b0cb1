#include "commands.h"
#include "common/exit_code.h"
#include "logger.h"
#include "progress.h"
#include "session.h"
#include "signals.h"
#include "verify/report.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

struct verification {
    cp_error err; /* what report.problem points into */
    struct session session;
    struct progress progress;
    struct report report;
    bool interrupted;
};

static void note_difference(void *context, const cp_difference *difference)
{
    struct verification *verification = context;
    report_add(&verification->report, difference);
}

static void show_progress(void *context, const cp_verify_result *so_far)
{
    struct verification *verification = context;
    char text[128];
    int signal_number = signals_wait(0);
    if (signal_number == SIGINT || signal_number == SIGTERM || signal_number == SIGHUP) {
        verification->interrupted = true;
        cp_syncer_stop(verification->session.syncer, 0, NULL);
        return;
    }
    switch (so_far->stage) {
    case CP_VERIFY_COMPARING:
        progress_update(&verification->progress, so_far->compared, so_far->expected);
        return;
    case CP_VERIFY_RECHECKING:
        snprintf(text, sizeof text, "%" PRIu64 " not equal, looking again", so_far->rechecking);
        break;
    case CP_VERIFY_REPAIRING:
        snprintf(text, sizeof text, "%" PRIu64 " of %" PRIu64 " repaired", so_far->repaired,
                 so_far->missing + so_far->different + so_far->orphans);
        break;
    }
    progress_tell(&verification->progress, text);
}

static int compare(struct verification *verification, const struct options *options, struct logger *logger)
{
    struct report *report = &verification->report;
    cp_error *err = &verification->err;
    const cp_verify_options verify_options = {.size = sizeof verify_options,
                                              .sample = options->sample,
                                              .repair = options->repair,
                                              .progress = show_progress,
                                              .difference = note_difference,
                                              .context = verification};

    report->result.size = sizeof report->result;
    progress_begin(&verification->progress, command_name(options->command), logger);
    cp_code code = cp_syncer_verify(verification->session.syncer, &verify_options, &report->result, err);
    report->seconds = progress_end(&verification->progress);
    if (code != CP_OK) {
        report->problem = verification->interrupted ? "interrupted" : err->message;
        logger_fail(logger, "%s%s", report->problem, session_hint(&verification->session, err));
    }
    signals_fini(); /* nothing is left to be ended in order, and whoever reads the report may have stopped reading */
    if (options->json) {
        report_print_json(report);
    } else {
        report_print(report);
    }
    if (options->repair && code == CP_OK && report_differences(report) > 0) {
        logger_fail(logger, "%" PRIu64 " could not be repaired%s", report_differences(report),
                    report->result.writer_differs
                        ? ": the daemon that writes serves another version of the declared documents, or has another "
                          "configuration; restart it"
                        : "");
    }
    return report_exit_code(report);
}

static int check(const struct options *options, cp_config *config, struct logger *logger)
{
    static struct verification verification; /* for its size */
    verification.session = (struct session){.options = options, .logger = logger};
    enum session_outcome outcome =
        options->repair ? session_start(&verification.session, config) : session_create(&verification.session, config);

    if (outcome != SESSION_STARTED) {
        verification.report.problem = "it could not start";
        if (options->json) {
            report_print_json(&verification.report);
        }
        return EXIT_CANNOT_TELL;
    }
    int exit_code = compare(&verification, options, logger);
    report_fini(&verification.report);
    cp_syncer_stop(verification.session.syncer, options->grace_ms, NULL); /* changes that it follows may be under way */
    session_close(&verification.session);
    return exit_code;
}

int verify(const struct options *options, cp_config *config)
{
    struct logger logger;
    int exit_code = EXIT_CANNOT_TELL;
    if (!logger_open(&logger, options->log_format, options_log_level(config), options->log_file, false)) {
        cp_config_destroy(config);
        return EXIT_CANNOT_TELL;
    }
    if (logger_start(&logger) && signals_init(NULL, &logger)) {
        exit_code = check(options, config, &logger);
        signals_fini();
    } else {
        cp_config_destroy(config);
    }
    logger_close(&logger);
    return exit_code;
}
