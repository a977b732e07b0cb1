/* What statements announce, as heard by a connection that listens like the daemon. */
#ifndef HEARD_H
#define HEARD_H

#include "harness.h"

/* Opens a connection that listens. What it hears goes into table "heard" (channel, payload) of f->pg. */
PGconn *listen_to(struct fixture *f, const char *channel);

/* Replaces the content of the table with everything announced since. */
void gather(struct fixture *f, PGconn *ear);

/* Collects what was announced and compares it: the set of ids as JSON, and *, in order. A failure shows the statements.
 */
void expect_gathered(struct fixture *f, PGconn *ear, const char *statements, const char *expected);

/* Runs the statements, then does the same. */
void expect_heard(struct fixture *f, PGconn *ear, const char *statements, const char *expected);

/* Discards what was announced: all of it has to be read, as watch() says. */
void gather_watched(struct fixture *f, PGconn *ear);

/* The statement has to fail with a message that contains this. */
void expect_error(struct fixture *f, const char *statement, const char *part);

#endif
