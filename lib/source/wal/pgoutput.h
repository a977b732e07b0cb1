/*
 * Decodes what the output plugin pgoutput sends (protocol versions 1 and 2, with messages; Postgres 14 to 18). Nothing
 * is copied or allocated: strings and values point into the caller's bytes and are good for as long as these are.
 *
 * Times are microseconds since 2000-01-01 UTC.
 */
#ifndef CPI_WAL_PGOUTPUT_H
#define CPI_WAL_PGOUTPUT_H

#include "source/wal/cursor.h"

#include "cachepusher.h"

#include <stdbool.h>

enum cpi_pgoutput_kind {
    CPI_PGOUTPUT_UNKNOWN, /* of a later Postgres; no reason to stop the stream */
    CPI_PGOUTPUT_BEGIN,
    CPI_PGOUTPUT_COMMIT,
    CPI_PGOUTPUT_ORIGIN,
    CPI_PGOUTPUT_RELATION,
    CPI_PGOUTPUT_TYPE,
    CPI_PGOUTPUT_INSERT,
    CPI_PGOUTPUT_UPDATE,
    CPI_PGOUTPUT_DELETE,
    CPI_PGOUTPUT_TRUNCATE,
    CPI_PGOUTPUT_MESSAGE,
    CPI_PGOUTPUT_STREAM_START, /* what follows is of a transaction that has not been committed, */
    CPI_PGOUTPUT_STREAM_STOP,  /* up to here; more of it may come */
    CPI_PGOUTPUT_STREAM_COMMIT,
    CPI_PGOUTPUT_STREAM_ABORT
};

enum cpi_wal_value_kind {
    CPI_WAL_VALUE_NULL = 'n',
    CPI_WAL_VALUE_UNCHANGED = 'u', /* a TOASTed value that the statement did not touch: not sent */
    CPI_WAL_VALUE_TEXT = 't',
    CPI_WAL_VALUE_BINARY = 'b'
};

struct cpi_wal_value {
    enum cpi_wal_value_kind kind;
    const char *bytes; /* no NUL follows */
    size_t length;
};

/* A row, or a list of columns or relation ids, that is read item by item. A copy starts where the original stands. */
struct cpi_items {
    struct cpi_wal_cursor cursor;
    uint32_t count; /* of those not yet read */
};

struct cpi_column {
    bool in_identity;
    const char *name;
    uint32_t type;
    int32_t typmod;
};

enum cpi_old_row {
    CPI_OLD_NONE = 0,
    CPI_OLD_KEY = 'K', /* the identity's columns; others are null */
    CPI_OLD_FULL = 'O'
};

enum { CPI_TRUNCATE_CASCADE = 1, CPI_TRUNCATE_RESTART_IDENTITY = 2 };

struct cpi_pgoutput {
    enum cpi_pgoutput_kind kind;
    union {
        struct {
            uint64_t final_lsn;
            int64_t time;
            uint32_t xid;
        } begin;
        struct {
            uint64_t lsn;
            uint64_t end_lsn;
            int64_t time;
            uint32_t xid; /* of STREAM_COMMIT */
        } commit;
        struct {
            uint32_t xid;
            uint32_t subxid; /* of STREAM_ABORT: what has been aborted, xid itself or a subtransaction */
        } stream;
        struct {
            uint64_t lsn;
            const char *name;
        } origin;
        struct {
            uint32_t relid;
            const char *schema; /* "pg_catalog" where Postgres sends none */
            const char *name;
            char identity;            /* d, n, f or i as in pg_class.relreplident */
            struct cpi_items columns; /* cpi_pgoutput_column() */
        } relation;
        struct {
            uint32_t oid;
            const char *schema;
            const char *name;
        } type;
        struct {
            uint32_t relid;
            enum cpi_old_row has_old;
            struct cpi_items old_row; /* cpi_pgoutput_value(); empty if there is none */
            struct cpi_items new_row;
        } row;
        struct {
            unsigned options;
            struct cpi_items relids; /* cpi_pgoutput_relid() */
        } truncate;
        struct {
            bool transactional;
            uint64_t lsn;
            const char *prefix;
            const char *content; /* no NUL follows */
            size_t length;
        } message;
    };
};

/* Decodes one message: all bytes after XLogData's header. in_stream: between STREAM_START and STREAM_STOP, where
 * messages have a number of a transaction in front that others lack. One that ends early, goes on after its end or
 * holds what it cannot is CP_ERR_POSTGRES; so the items of one that was decoded can be read without looking for errors.
 */
cp_code cpi_pgoutput_decode(const void *data, size_t size, bool in_stream, struct cpi_pgoutput *message, cp_error *err);

/* The next item. False: there are no more. */
bool cpi_pgoutput_value(struct cpi_items *row, struct cpi_wal_value *value);
bool cpi_pgoutput_column(struct cpi_items *columns, struct cpi_column *column);
bool cpi_pgoutput_relid(struct cpi_items *relids, uint32_t *relid);

#endif
