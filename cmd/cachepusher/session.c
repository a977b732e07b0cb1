#include "session.h"

#include "admin/admin.h"
#include "common/complain.h"
#include "run/detach.h"
#include "signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    RETRY_FIRST_MS = 200,
    RETRY_LONGEST_MS = 5000,
    START_LOOK_MS = 10,
    STANDBY_TURNS = 200,
    TURN_MS = 500,
    SETTLED_BYTES = 2048
};

static void log_settled(void *context, const cp_document *document)
{
    char message[SETTLED_BYTES];
    if (document->exists) {
        snprintf(message, sizeof message, "%s stored, %zu byte%s", document->key, document->bytes,
                 document->bytes == 1 ? "" : "s");
    } else {
        snprintf(message, sizeof message, "%s deleted", document->key);
    }
    logger_write(context, &(cp_log_entry){.size = sizeof(cp_log_entry),
                                          .level = CP_LOG_DEBUG,
                                          .message = message,
                                          .entity = document->entity,
                                          .key = document->key});
}

/* True: no signal asks to stop. */
static bool rest(const struct session *session, int wait_ms)
{
    int signal_number = 0;
    for (; wait_ms > 0 && signal_number != SIGINT && signal_number != SIGTERM; wait_ms -= TURN_MS) {
        admin_main_is_well(session->admin);
        signal_number = signals_wait(wait_ms < TURN_MS ? wait_ms : TURN_MS);
    }
    return signal_number != SIGINT && signal_number != SIGTERM;
}

static bool is_worth_a_retry(const struct session *session, const cp_error *err)
{
    return session->options->wait && err->code != CP_ERR_CONFIG && err->code != CP_ERR_ARGUMENT &&
           err->code != CP_ERR_SYSTEM && err->code != CP_ERR_STOPPED;
}

const char *session_hint(const struct session *session, const cp_error *err)
{
    return strstr(err->message, "does not exist") != NULL && options_config_file(session->options) == NULL
               ? " (no --config: this is the customer example)"
               : "";
}

static void tell_obstacle(const struct session *session, const cp_error *err)
{
    logger_printf(session->logger, CP_LOG_WARN, "waiting: %s%s", err->message, session_hint(session, err));
    if (session->detach != NULL && detach_is_pending(session->detach)) {
        complain("waiting in the background: %s", err->message);
    }
}

/* A daemon that waits for its servers works as far as the terminal is concerned. */
static bool let_go(const struct session *session)
{
    if (session->detach == NULL || detach_started(session->detach, session->logger->fd)) {
        return true;
    }
    logger_printf(session->logger, CP_LOG_ERROR, "stopped: the command that started this daemon was interrupted");
    return false;
}

/* A start under way, in a thread of its own: it asks servers, which may take their time, and signals are ours to see.
 */
struct attempt {
    cp_syncer *syncer; /* NULL: what is declared is looked up, before there is one */
    cp_config *config;
    cp_code code;
    cp_error err;
};

static void *attempt_to_start(void *context)
{
    struct attempt *attempt = context;
    attempt->code = attempt->syncer != NULL ? cp_syncer_start(attempt->syncer, &attempt->err)
                                            : cp_config_resolve(attempt->config, &attempt->err);
    return NULL;
}

/* False: a signal has ended it. SIGHUP and SIGUSR2 are kept for when the syncer runs. */
static bool try_to_start(struct session *session, cp_config *config, struct attempt *attempt)
{
    pthread_t thread;
    bool is_wanted = true;
    int kept = 0;
    *attempt = (struct attempt){.syncer = session->syncer, .config = config};
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&thread, NULL, attempt_to_start, attempt);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        attempt_to_start(attempt);
        return true;
    }
    while (pthread_tryjoin_np(thread, NULL) != 0) {
        int signal_number = signals_wait(START_LOOK_MS);
        admin_main_is_well(session->admin);
        kept = signal_number == SIGHUP || (signal_number == SIGUSR2 && kept == 0) ? signal_number : kept;
        if (is_wanted && (signal_number == SIGINT || signal_number == SIGTERM)) {
            is_wanted = false;
            if (session->syncer != NULL) {
                cp_syncer_stop(session->syncer, 0, NULL); /* gives up whatever it waits for */
            }
        }
    }
    if (kept != 0 && is_wanted) {
        raise(kept);
    }
    return is_wanted;
}

/* Between one try and the next. */
struct retrying {
    int wait_ms;
    cp_error told;
};

/* SESSION_STARTED: it is to be tried again. */
static enum session_outcome wait_out(const struct session *session, struct retrying *retrying, const cp_error *err)
{
    if (!is_worth_a_retry(session, err)) {
        logger_fail(session->logger, "%s%s", err->message, session_hint(session, err));
        return err->code == CP_ERR_CONFIG ? SESSION_MISCONFIGURED : SESSION_FAILED;
    }
    /* Once for each obstacle, not for each try. */
    if (strcmp(retrying->told.message, err->message) != 0) {
        tell_obstacle(session, err);
        retrying->told = *err;
    }
    if (!let_go(session)) {
        return SESSION_FAILED;
    }
    if (!rest(session, retrying->wait_ms)) {
        logger_printf(session->logger, CP_LOG_WARN, "stopped while waiting");
        return SESSION_INTERRUPTED;
    }
    retrying->wait_ms = 2 * retrying->wait_ms < RETRY_LONGEST_MS ? 2 * retrying->wait_ms : RETRY_LONGEST_MS;
    return SESSION_STARTED;
}

/* Until it succeeds; without --wait once. */
static enum session_outcome go_on_trying(struct session *session, cp_config *config)
{
    struct retrying retrying = {.wait_ms = RETRY_FIRST_MS};
    struct attempt attempt;
    for (;;) {
        if (!try_to_start(session, config, &attempt)) {
            logger_printf(session->logger, CP_LOG_WARN, "stopped while starting");
            return SESSION_INTERRUPTED;
        }
        if (attempt.code == CP_OK) {
            return SESSION_STARTED;
        }
        enum session_outcome outcome = wait_out(session, &retrying, &attempt.err);
        if (outcome != SESSION_STARTED) {
            return outcome;
        }
    }
}

/* Whoever has detached it would take "started" for "writes". Who writes is known within moments of the start. */
static void tell_standby(const struct session *session)
{
    cp_health health = {.size = sizeof health, .state = CP_STATE_STARTING};
    for (int turns = STANDBY_TURNS; turns > 0 && health.state == CP_STATE_STARTING; turns--) {
        cp_syncer_wait_ready(session->syncer, START_LOOK_MS, NULL);
        cp_syncer_health(session->syncer, &health, NULL);
    }
    if (health.state == CP_STATE_STANDBY) {
        complain("started, and standing by: another instance of its name writes; one that writes other keys, or to "
                 "another Redis, needs another name (--set name=NAME)");
    }
}

enum session_outcome session_begin(struct session *session)
{
    enum session_outcome outcome = go_on_trying(session, NULL);
    if (outcome == SESSION_STARTED && session->detach != NULL && detach_is_pending(session->detach)) {
        tell_standby(session);
    }
    return outcome != SESSION_STARTED || let_go(session) ? outcome : SESSION_FAILED;
}

enum session_outcome session_create(struct session *session, cp_config *config)
{
    cp_callbacks callbacks = {.size = sizeof callbacks, .log_entry = logger_write, .context = session->logger};
    cp_error err = {0};
    /* Not for nothing: it is called for each document. */
    if (options_log_level(config) == CP_LOG_DEBUG) {
        callbacks.settled = log_settled;
    }
    cp_declaration first = {.size = sizeof first};
    bool is_declared = cp_config_declaration(config, 0, &first, NULL) == CP_OK;
    enum session_outcome outcome = is_declared ? go_on_trying(session, config) : SESSION_STARTED;
    if (outcome != SESSION_STARTED) {
        cp_config_destroy(config);
        return outcome;
    }
    session->syncer = cp_syncer_create(config, &callbacks, &err);
    if (session->syncer == NULL) {
        cp_config_destroy(config);
        logger_fail(session->logger, "%s", err.message);
        return err.code == CP_ERR_CONFIG ? SESSION_MISCONFIGURED : SESSION_FAILED;
    }
    admin_tell_of(session->admin, session->syncer);
    return SESSION_STARTED;
}

enum session_outcome session_start(struct session *session, cp_config *config)
{
    enum session_outcome outcome = session_create(session, config);
    if (outcome != SESSION_STARTED) {
        return outcome;
    }
    outcome = session_begin(session);
    if (outcome != SESSION_STARTED) {
        session_close(session);
    }
    return outcome;
}

bool session_stop(struct session *session)
{
    cp_error err = {0};
    admin_main_stops(session->admin);
    if (cp_syncer_stop(session->syncer, session->options->grace_ms, &err) == CP_OK) {
        return true;
    }
    logger_fail(session->logger, "%s", err.message);
    return false;
}

void session_close(struct session *session)
{
    cp_syncer_destroy(session->syncer);
    session->syncer = NULL;
}
