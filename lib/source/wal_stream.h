/*
 * A connection that streams from a replication slot: Postgres' copy-both protocol, without ever waiting once it
 * streams.
 *
 * The slot advances only by cpi_wal_stream_confirm(). Every other status says "received, nothing flushed": a client
 * that reports a flushed position behind what it was sent keeps Postgres from shutting down, since Postgres waits for
 * it.
 *
 * Texts come in the encoding of the server's database, which nothing is converted from.
 *
 * Belongs to the listener's thread.
 */
#ifndef CPI_WAL_STREAM_H
#define CPI_WAL_STREAM_H

#include "env.h"
#include "source/wal/frames.h"

enum { CPI_SYSTEM_BYTES = 48 };

struct cpi_wal_stream {
    struct cpi_pg pg;
    char system[CPI_SYSTEM_BYTES]; /* the cluster and its timeline, as the server names them */
    uint64_t end_lsn;              /* how far its log went when it was opened */
    uint64_t received;             /* how far it has sent */
    int64_t heard_ms;              /* when it last sent anything */
    int64_t status_at_ms;          /* when a status is due */
    bool is_gone;                  /* the stream has ended because the slot cannot be read any more */
    bool is_stuck;                 /* it was ended by an error that may come again at every try */
    bool is_foreign;               /* the encoding is neither UTF-8 nor none: of a text only ASCII can be read */
    bool has_unsent;               /* libpq holds some of what is to be sent */
};

/* Begins to stream from where the slot stands. early: parts of large transactions may come while these are open. */
cp_code cpi_wal_stream_open(struct cpi_wal_stream *stream, const char *slot, const char *publication, bool early,
                            cp_error *err);
void cpi_wal_stream_close(struct cpi_wal_stream *stream);

/* The process that serves it, as pg_replication_slots.active_pid tells it. */
int cpi_wal_stream_pid(const struct cpi_wal_stream *stream);

/* Takes what has come from the socket; then next() until *frame is of no data. *bytes is libpq's until free(). */
cp_code cpi_wal_stream_receive(struct cpi_wal_stream *stream, cp_error *err);
cp_code cpi_wal_stream_next(struct cpi_wal_stream *stream, struct cpi_frame *frame, void **bytes, cp_error *err);
void cpi_wal_stream_free(void *bytes);

/* Sends the status that is due, if one is. A server that is silent for too long is taken for dead, unless what it sends
 * is not being read. */
cp_code cpi_wal_stream_beat(struct cpi_wal_stream *stream, bool is_read, cp_error *err);
int cpi_wal_stream_due_ms(const struct cpi_wal_stream *stream);

/* The slot need not keep what was committed up to here. */
cp_code cpi_wal_stream_confirm(struct cpi_wal_stream *stream, uint64_t position, cp_error *err);

#endif
