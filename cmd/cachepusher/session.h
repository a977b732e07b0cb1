#ifndef CMD_SESSION_H
#define CMD_SESSION_H

#include "cachepusher.h"
#include "logger.h"
#include "options.h"

struct admin;
struct detach;

enum session_outcome { SESSION_STARTED, SESSION_FAILED, SESSION_MISCONFIGURED, SESSION_INTERRUPTED };

/* What the commands have in common: a syncer that writes to the log. */
struct session {
    const struct options *options;
    struct logger *logger;
    struct detach *detach; /* let go of once the syncer works, or waits; NULL: none */
    cp_syncer *syncer;
    struct admin *admin; /* is told that the main thread is well; NULL: none */
};

/* Creates the syncer of a session that has the rest; it takes config whatever comes of it. With --wait it looks up what
 * is declared until that is there or a signal comes. Unless it answers SESSION_STARTED the reason has been told and
 * there is nothing to close. */
enum session_outcome session_create(struct session *session, cp_config *config);

/* Starts one that has been created; with --wait until that succeeds or a signal comes. Unless it answers
 * SESSION_STARTED the reason has been told; it is to be closed all the same. */
enum session_outcome session_begin(struct session *session);

/* Creates and starts one. Unless it answers SESSION_STARTED the reason has been told and there is nothing to close. */
enum session_outcome session_start(struct session *session, cp_config *config);

/* What belongs behind an error: that there is no configuration, where it is about what that would have named; or "". */
const char *session_hint(const struct session *session, const cp_error *err);

/* Settles what is queued, within --grace. False: the reason has been told. */
bool session_stop(struct session *session);

void session_close(struct session *session);

#endif
