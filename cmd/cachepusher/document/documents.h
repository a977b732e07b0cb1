/*
 * The declared documents of a configuration, for setup and teardown: what is to be done for them, as rows of a plan
 * (setup/plan.h).
 */
#ifndef CMD_DOCUMENT_DOCUMENTS_H
#define CMD_DOCUMENT_DOCUMENTS_H

#include "cachepusher.h"
#include "document/catalog.h"
#include "document/memory.h"
#include "setup/plan.h"

#include <jansson.h>

struct documents {
    size_t count;
    struct catalog catalog;
    struct memory memory;
    json_t *rows;
    char *rows_text;
    json_t *missing; /* indexes */
    char *missing_text;
};

/* Resolves each declaration and puts what it needs into the configuration: with the tables that its former versions
 * watch, which a daemon may be at work with. search_path has to be the role's own. False: the reason has been told.
 * Call documents_fini() in any case. */
bool documents_resolve(struct documents *documents, cp_config *config, PGconn *pg);

/* The same to take away all that there is of them. */
bool documents_take_away(struct documents *documents, cp_config *config, PGconn *pg);

/* Makes and drops functions, and says so in cachepusher.document. */
struct plan_step documents_step(const struct documents *documents);

/* Tells of the indexes that are missing, or makes them. */
struct plan_step documents_index_step(const struct documents *documents, bool makes);

void documents_fini(struct documents *documents);

#endif
