/*
 * What is to be done to a database, step by step. Each step asks a query of setup/sql what is missing; its rows are
 *
 *     kind    what           why
 *     error   the message    -           nothing can be done
 *     note    the message    -           for whoever reads it; nothing is done
 *     run     a statement    or null     run as it is printed
 *     wait    a statement    or null     the same, for one that waits for other transactions
 *     build   a statement    or null     the same, and for one that takes long and holds up nobody
 *     load    -              why         db/cachepusher.sql
 *
 * All steps are asked before anything is changed, so that an error is found while there is nothing to undo; and each
 * again when its turn has come.
 */
#ifndef CMD_SETUP_PLAN_H
#define CMD_SETUP_PLAN_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

struct plan_step {
    const char *query;
    const char *parameters[5];
    int parameter_count;
    bool needs_functions; /* asked only once schema cachepusher is as it should be */
};

/* Prints each statement to stdout, and runs it unless is_dry. *changes is how many there are. False: the reason has
 * been told. */
bool plan_carry_out(PGconn *pg, const struct plan_step *steps, size_t count, bool is_dry, size_t *changes);

#endif
