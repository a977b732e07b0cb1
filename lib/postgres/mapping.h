/*
 * Mapping: the statement that says of which documents the rows of a table are a part, and its result.
 *
 * Values travel as the text of an array whose type Postgres infers from the configured query. Ids of documents come in
 * their order, a page at a time, each page a statement of its own: so the largest result is never held, and while
 * nobody has room for the next page no transaction is open. A row that is linked between two pages is not missed, since
 * the link is an event, too.
 *
 * The connection comes as a struct of functions, so that tests can have their own.
 */
#ifndef CPI_MAPPING_H
#define CPI_MAPPING_H

#include "model/event.h"
#include "postgres/fetch.h"

/* Ids to a page. */
enum { CPI_MAPPING_PAGE = 16384 };

/* A row of a page: the target's id, as a number where its type is one. Valid until the next call. */
struct cpi_mapped {
    int64_t number;
    const char *text;
    size_t length;
};

/* Every function gets the connection. */
struct cpi_mapping_ops {
    enum cpi_failure (*open)(void *connection, cp_error *err);
    bool (*is_open)(const void *connection);
    void (*close)(void *connection);
    /* Called every little while during a wait; see cpi_pg. */
    void (*watch)(void *connection, bool (*watch)(void *context), void *context);
    /* How long a statement may take from now on: milliseconds. */
    void (*limit)(void *connection, int timeout_ms);
    /* Makes the statement of a mapping, by its index: once for each connection and mapping, before run. */
    enum cpi_failure (*prepare)(void *connection, uint32_t mapping, cp_error *err);
    /* Begins a page: the ids behind `after` (their text; NULL: from the first one) for n values. */
    enum cpi_failure (*run)(void *connection, uint32_t mapping, const struct cpi_event *values, uint32_t n,
                            const char *after, cp_error *err);
    /* The next row; *has_row false: the statement has succeeded, and there are no more. */
    enum cpi_failure (*next)(void *connection, uint32_t mapping, struct cpi_mapped *row, bool *has_row, cp_error *err);
};

/* A connection that maps; all but fetch.pg and fetch.entities begins as zero. */
struct cpi_mapping {
    struct cpi_fetch fetch; /* of which only the session is used */
    struct cpi_rows *row;
    char *array;
    size_t array_capacity;
};

/* For a struct cpi_mapping. */
extern const struct cpi_mapping_ops cpi_mapping_ops;

/* Closes the connection and frees what was used for it. */
void cpi_mapping_fini(struct cpi_mapping *mapping);

/* Whether the query can be used: it has one parameter, and one column, whose type fits the target's ids, and we may
 * read what it reads. The message names the entity and the table. */
cp_code cpi_mapping_check(struct cpi_pg *pg, const struct cpi_entity *mapping, const struct cpi_entity *target,
                          const struct cpi_watch *watch, cp_error *err);

#endif
