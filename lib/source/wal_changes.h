/*
 * From the messages of a logical replication stream to events.
 *
 * The stream brings transactions in the order in which they were committed, each as soon as its commit is on disk. Its
 * events are kept back until a snapshot has seen the transaction, since a document read before would be the old one: as
 * a rule that takes no longer than asking. Those of later transactions do not wait for it; only the position does.
 *
 * Of a transaction for which Postgres has not enough memory (logical_decoding_work_mem), most comes early, in parts,
 * while it is still open: by its commit there is little left to decode. What it brings waits for its end, and goes if
 * that is a rollback. Up to max_pending events are kept for such transactions. Where that does not do, the stream has
 * to be begun anew without early parts, which brings transactions as slowly as they are taken.
 *
 * Belongs to the listener's thread.
 */
#ifndef CPI_WAL_CHANGES_H
#define CPI_WAL_CHANGES_H

#include "env.h"
#include "source/source.h"
#include "source/wal/snapshot.h"
#include "source/wal_tables.h"

struct cpi_wal_transaction;

/* What has come for an entity besides ids; see struct cpi_arrivals. */
enum cpi_wal_mark { CPI_WAL_EVERYTHING = 1, CPI_WAL_AGAIN = 2, CPI_WAL_LOST = 4, CPI_WAL_UNREADABLE = 8 };

struct cpi_wal_changes {
    const struct cpi_env *env;
    struct cpi_wal_tables tables;
    struct cpi_snapshot snapshot; /* the last */
    struct cpi_wal_transaction
        *first; /* in the order of commit: those that have not been handed on, or not to their end */
    struct cpi_wal_transaction *last;
    struct cpi_wal_transaction *open;    /* come early, in parts; neither committed nor rolled back */
    struct cpi_wal_transaction *current; /* what messages belong to, of either list; NULL: none */
    size_t kept_back;                    /* events, of those that came after their commit */
    size_t kept_early;                   /* events, of those that came early */
    bool has_outgrown;                   /* more came early than may be kept: begin without. Stays, for good */
    uint64_t position;                   /* whatever was committed up to here has been handed on */
    struct cpi_arrivals *arrivals;       /* during a call */
    const struct cpi_wal_route *routes;  /* those found last */
    size_t route_count;
    uint32_t relid;  /* of these */
    bool is_foreign; /* texts are neither UTF-8 nor without an encoding: only what is ASCII can be read */
};

/* A new stream: forgets what has been announced and kept back, which comes again. The tables stay. */
void cpi_wal_changes_begin(struct cpi_wal_changes *changes, uint64_t position);

/* Takes one message of pgoutput. Events of a transaction that is visible go to arrivals at once; what has been kept
 * back of it goes in portions, which leave arrivals some room (hand_on). */
cp_code cpi_wal_changes_take(struct cpi_wal_changes *changes, const void *data, size_t size,
                             struct cpi_arrivals *arrivals, cp_error *err);

/* Everything up to end_lsn has been sent. */
void cpi_wal_changes_keepalive(struct cpi_wal_changes *changes, uint64_t end_lsn);

/* Hands on what is left of transactions that are visible, as far as there is room; whether there is more of them. */
void cpi_wal_changes_hand_on(struct cpi_wal_changes *changes, struct cpi_arrivals *arrivals);
bool cpi_wal_changes_have_more(const struct cpi_wal_changes *changes);

/* Whether a transaction waits to be seen. */
bool cpi_wal_changes_wait(const struct cpi_wal_changes *changes);

/* Whether so much is kept back until it is seen that no more had better come before. */
bool cpi_wal_changes_are_full(const struct cpi_wal_changes *changes);

/* Whether a transaction is under way that can be seen and has brought so many events that those of others go first
 * (event.h). */
bool cpi_wal_changes_in_crowd(const struct cpi_wal_changes *changes);

/* Takes a snapshot that was made after the last message had come, as text; hands on what it sees. */
cp_code cpi_wal_changes_see(struct cpi_wal_changes *changes, const char *snapshot, struct cpi_arrivals *arrivals,
                            cp_error *err);

/* ---- for wal_rows.h: what the message under way brings. add takes over the id; a mark of what is mapped is one
 * of its target ---- */

void cpi_wal_changes_add(struct cpi_wal_changes *changes, size_t entity, union cpi_id id);
void cpi_wal_changes_mark(struct cpi_wal_changes *changes, size_t index, enum cpi_wal_mark kind);
void cpi_wal_changes_barrier(struct cpi_wal_changes *changes, int64_t number);

void cpi_wal_changes_fini(struct cpi_wal_changes *changes);

#endif
