/*
 * Reading documents by their ids, some hundred in one statement.
 *
 * The reader owns nothing but its memory: it works through a connection that it is given, prepares the statement of
 * each entity when that is first needed, matches rows to ids, keeps batches small while documents are large or slow,
 * and finds the ids that make a statement fail. It belongs to one thread.
 *
 * The connection comes as a struct of functions, of which fetch.h has the real ones; tests have their own.
 */
#ifndef CPI_READER_H
#define CPI_READER_H

#include "model/entity.h"
#include "postgres/pg.h"

/* A document of Postgres. Its bytes point into the result. */
struct cpi_document {
    const char *bytes; /* NULL: there is no such document */
    size_t length;
};

struct cpi_fetched_row {
    union cpi_id id; /* a text points into the result */
    struct cpi_document document;
};

/* Every function gets the connection that the reader was created with. */
struct cpi_reader_ops {
    /* Opens the connection, once more if it is open. */
    enum cpi_failure (*open)(void *connection, cp_error *err);
    bool (*is_open)(const void *connection);
    void (*close)(void *connection);
    /* Called every little while during a wait; see cpi_pg. */
    void (*watch)(void *connection, bool (*watch)(void *context), void *context);
    /* How long a statement may take from now on: milliseconds; 0: as long as the connection lets it. */
    void (*limit)(void *connection, int timeout_ms);
    /* Makes the statement of an entity: once for each connection and entity, before run. */
    enum cpi_failure (*prepare)(void *connection, uint32_t entity, cp_error *err);
    /* Begins to run it for n ids. */
    enum cpi_failure (*run)(void *connection, uint32_t entity, const union cpi_id *ids, uint32_t n, cp_error *err);
    /* The next row, in *row; *has_row false: the statement has succeeded, and there are no more. Rows stay until they
     * are released. */
    enum cpi_failure (*next)(void *connection, uint32_t entity, struct cpi_fetched_row *row, bool *has_row,
                             cp_error *err);
    void (*release)(void *connection);
};

/* Where documents go. Positions are those in the ids that were asked for; each is reported exactly once, unless reading
 * ends early. */
struct cpi_reader_sink {
    void *context;
    /* A statement is about to be run. May be NULL. */
    void (*statement)(void *context);
    /* Documents, and that there is none, of n positions; valid during the call. They come in portions while the
     * statement runs, so that large ones are not held all at once; that there is no document is told when it has
     * succeeded. False ends the reading, err says why. */
    bool (*documents)(void *context, const uint32_t *positions, const struct cpi_document *documents, uint32_t n,
                      cp_error *err);
    /* The statement has given more than one row for this id; the first counts. May be NULL. */
    void (*doubled)(void *context, uint32_t position);
    /* The statement fails whenever this id is in it, and fails for it alone. */
    void (*failed)(void *context, uint32_t position, const cp_error *why);
    /* Time was up before these had been tried by themselves. May be NULL if search_ms is CPI_READER_NO_LIMIT. */
    void (*untried)(void *context, const uint32_t *positions, uint32_t n);
};

#define CPI_READER_NO_LIMIT INT64_MAX

struct cpi_reader;

/* For up to `most` ids at once, whose documents are handed on as soon as there are portion_bytes of them. ops,
 * connection and entities have to outlive it. NULL: out of memory. */
struct cpi_reader *cpi_reader_create(const struct cpi_reader_ops *ops, void *connection,
                                     const struct cpi_entity *entities, size_t entity_count, uint32_t most,
                                     size_t portion_bytes);

/* Closes the connection. NULL is allowed. */
void cpi_reader_destroy(struct cpi_reader *reader);

/* Opens a new connection, in place of the old one if there is one. */
enum cpi_failure cpi_reader_open(struct cpi_reader *reader, cp_error *err);
bool cpi_reader_is_open(const struct cpi_reader *reader);
void cpi_reader_close(struct cpi_reader *reader);

/* Called every little while during a wait; false gives up the connection. */
void cpi_reader_watch(struct cpi_reader *reader, bool (*watch)(void *context), void *context);

/* How long a statement may take, milliseconds, at most what the connection lets it; those that look for the ids that
 * made one fail, less. 0, as at first: what the connection lets it. */
void cpi_reader_set_timeout(struct cpi_reader *reader, int timeout_ms);

/* How many ids to read at once: `most`, or fewer while documents are large, or of unknown size. */
uint32_t cpi_reader_limit(const struct cpi_reader *reader, uint32_t most);

/* How many ids of an entity one statement can be expected to read in a second, or in a fifth of its timeout if that is
 * less: at least 1, and more than cpi_reader_read() takes while documents come fast. */
uint32_t cpi_reader_entity_limit(const struct cpi_reader *reader, uint32_t entity);

/* Reads the documents of n ids of one entity; the connection has to be open. A statement that fails by itself is tried
 * again with half of its ids, until each culprit is alone and the others are served. Once that has taken search_ms what
 * has not been tried yet is reported as such; at least one id is found or served before.
 *
 * Equal ids may stand in the list, and each gets the document. A row that was not asked for, or a second one of the
 * same id, is ignored; an id without a row has no document.
 *
 * CPI_FAILURE_NONE: every id has been reported. STATEMENT: the entity's statement cannot even be prepared, and no id
 * has been reported. SINK: the sink ended it. CONNECTION, MEMORY: some may have been reported. err is never NULL. */
enum cpi_failure cpi_reader_read(struct cpi_reader *reader, uint32_t entity, const union cpi_id *ids, uint32_t n,
                                 const struct cpi_reader_sink *sink, int64_t search_ms, cp_error *err);

#endif
