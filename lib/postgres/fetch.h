/*
 * Reading documents: the statement of an entity's fetch function, and its result.
 *
 * One statement reads a batch. Ids travel as a binary array of bigint or text and are cast to their type by Postgres;
 * documents come back in binary format, which for json and text is the text itself.
 */
#ifndef CPI_FETCH_H
#define CPI_FETCH_H

#include "postgres/id_array.h"
#include "postgres/reader.h"

/* Names in SQL, qualified, since anybody may have made a type of the same name: how ids of the type travel, both ways
 * (int8 or text), and the type itself. */
const char *cpi_id_wire_type(enum cpi_id_type type);
const char *cpi_id_sql_type(enum cpi_id_type type);

/* The id in a binary result's column. A text id points into the result and lives as long as that. */
union cpi_id cpi_fetch_id(const struct cpi_entity *entity, const struct cpi_rows *result, int row, int column);

/* What an entity's prepared statement is called. It takes an array of ids and returns rows (id, document). */
enum { CPI_FETCH_STATEMENT_BYTES = 32 };
void cpi_fetch_statement(uint32_t index, char name[CPI_FETCH_STATEMENT_BYTES]);

/* Prepares the entity's statement on a new connection, which also shows that the function is there and returns what can
 * be stored: json, jsonb, text or varchar. */
cp_code cpi_fetch_prepare(struct cpi_pg *pg, const struct cpi_entity *entity, uint32_t index, cp_error *err);

/* Prepares it, and shows that we may call the function, without calling it: a lock must not keep us from starting. */
cp_code cpi_fetch_check(struct cpi_pg *pg, const struct cpi_entity *entity, uint32_t index, cp_error *err);

/* A connection that reads documents: what a reader works through. Its pg may be used for other statements between two
 * calls of the reader. */
struct cpi_fetch {
    struct cpi_pg pg;
    const struct cpi_entity *entities;
    struct cpi_id_array ids;
    struct cpi_rows **held; /* rows that have been handed out, one each */
    uint32_t held_count;
    uint32_t held_capacity;
    int timeout_ms;     /* of a statement, as configured; 0: not connected yet */
    int limit_ms;       /* what it may take now, if that is less; 0: it is not */
    int64_t began_ms;   /* the statement under way, or the last one */
    int64_t planned_ms; /* when plans were last thrown away */
    bool is_slow;       /* a statement has been, since then */
};

/* For cpi_reader_create(), with a struct cpi_fetch as the connection. */
extern const struct cpi_reader_ops cpi_fetch_ops;

/* For another kind of statement on such a connection (mapping.h): before it, which makes the session's timeout what it
 * is to be and has bad plans made anew, and when it has succeeded. False: see pg.failure. */
bool cpi_fetch_begin(struct cpi_fetch *fetch, cp_error *err);
void cpi_fetch_end(struct cpi_fetch *fetch);

/* Closes the connection and frees what was used for it. */
void cpi_fetch_fini(struct cpi_fetch *fetch);

#endif
