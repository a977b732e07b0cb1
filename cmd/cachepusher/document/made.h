/* What setup has made of a declared document before: rows of cachepusher.document. */
#ifndef CMD_DOCUMENT_MADE_H
#define CMD_DOCUMENT_MADE_H

#include "document/catalog.h"
#include "document/memory.h"

#include <jansson.h>
#include <libpq-fe.h>
#include <stdbool.h>

struct made {
    const char *digest;
    const char *version;
    const char *entity;    /* JSON */
    const char *function;  /* as spelt in SQL */
    const char *signature; /* with its parameter */
    const char *body;      /* ""; it is not there, or not what setup makes */
};

struct made_list {
    struct made *items; /* the last first */
    size_t count;
};

/* False: the reason has been told. */
bool made_read(struct made_list *list, PGconn *pg, const char *entity, struct memory *memory);

/* An entity's JSON with the tables that other versions watch behind its own; with a catalog, those that are there
 * still.
 */
char *made_join(const char *entity, const struct made_list *others, const struct catalog *catalog,
                struct memory *memory);

/* Adds a row to a plan. */
void plan_add(json_t *rows, const char *kind, const char *body, const char *why);

/* What differs between two versions, as notes of a plan. */
void made_show_difference(json_t *rows, const char *entity, const struct made *before, const struct made *after,
                          struct memory *memory);

#endif
