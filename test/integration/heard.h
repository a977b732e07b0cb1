/* What statements announce: what a connection hears that listens as the daemon does. */
#ifndef HEARD_H
#define HEARD_H

#include "harness.h"

/* A connection of its own that listens; what it hears is kept in a table "heard" (channel, payload) of f->pg. */
PGconn *listen_to(struct fixture *f, const char *channel);

/* Everything announced up to now, instead of what the table held. */
void gather(struct fixture *f, PGconn *ear);

/* Gathers and compares what was announced: the set of ids as JSON, and *, in order. The statements are what a message
 * shows. */
void expect_gathered(struct fixture *f, PGconn *ear, const char *statements, const char *expected);

/* Runs the statements, then that. */
void expect_heard(struct fixture *f, PGconn *ear, const char *statements, const char *expected);

/* The statement has to fail, with this in the message. */
void expect_error(struct fixture *f, const char *statement, const char *part);

#endif
