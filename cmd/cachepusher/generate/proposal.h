/*
 * A document that is proposed for a table, as a tree of tables which the foreign keys lead to.
 *
 *     parent -> table            one: a lookup, such as the customer of an order
 *     parent <- table            a list of rows; one where the foreign key is unique
 *     parent <- link -> table    a list through a link table, which has nothing of its own to show
 *     root <- root               a list of rows that hang on each other, nested
 *
 * Tables that are nearer to the root come first, until there are enough: every bound is here, and what one of them cuts
 * off has a note that says so.
 */
#ifndef CMD_GENERATE_PROPOSAL_H
#define CMD_GENERATE_PROPOSAL_H

#include "document/catalog.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    PROPOSAL_NODES_MAX = 33,      /* the root and 32 includes */
    PROPOSAL_ROWS_MAX = 1000,     /* of one table in a document, on average, as far as Postgres has estimates */
    PROPOSAL_NESTED_DEPTH = 3,    /* of rows that hang on each other */
    PROPOSAL_NAME_BYTES_MAX = 256 /* of a member, with the terminator */
};

struct node {
    const struct catalog_table *table;
    size_t parent;                                /* the index of a node before this one */
    const struct catalog_foreign_key *key;        /* between the parent and the table, or the link; NULL: the root's */
    const struct catalog_foreign_key *target_key; /* from the link table to the table; NULL: there is no link */
    char name[PROPOSAL_NAME_BYTES_MAX];
    bool is_lookup;
    bool is_one;
    bool is_nested;
    bool is_ambiguous; /* other foreign keys join the same tables, so that it has to be said which is meant */

    size_t level;        /* of lists above it */
    size_t lookups_left; /* how many lookups it may be followed by, one behind the other */
    double rows;         /* in a document, on average */
};

/* A relation that is not part of the document, of a node. */
struct note {
    size_t node;
    const struct catalog_table *table;
    char *why;
};

struct proposal {
    const struct catalog_index *root_key;
    size_t depth;
    struct node nodes[PROPOSAL_NODES_MAX];
    size_t node_count;
    struct note *notes;
    size_t note_count;
};

/* depth: how many lists, one below the other. False: the reason has been told. Call proposal_fini() in any case. */
bool proposal_make(struct proposal *proposal, const struct catalog_table *table, size_t depth);
void proposal_fini(struct proposal *proposal);

/* Whether a column is shown by a node: not if it says no more than where the node hangs, if an include of the node
 * stands for it, or if it had better be left out, which *why then tells (else NULL). */
bool proposal_shows(const struct proposal *proposal, size_t node, const struct catalog_column *column,
                    const char **why);

#endif
