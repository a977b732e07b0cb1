/*
 * What the wal source makes of a logical replication stream, without a server: a catalog to look watched tables up in,
 * messages of pgoutput made byte by byte, and what has arrived as text.
 *
 * Entity "customer" has integer ids, from customer.id, from address.customer_id and, with whatever inherits from it,
 * from contact.customer_id; "note" has text ids, from note.code and address.note, and from line.tenant and line.number
 * together, and reads line.title.
 */
#ifndef WAL_FIXTURE_H
#define WAL_FIXTURE_H

#include "source/wal_changes.h"

/* Relations that the catalog has; CHILD inherits from CONTACT. */
enum { CUSTOMER = 101, ADDRESS, NOTE, CONTACT, CHILD, LINE = 120 };

enum { WAL_ENTITIES = 2, MAX_PENDING = 600 };

/* The oid of a domain over character(n): the type of all that is watched, as far as the catalog knows. */
#define PADDED_DOMAIN "9001"

/* On channels "customer", "note" and "both"; the syncer's own is "own". */
struct wal_fixture {
    struct cpi_env env;
    struct cp_config config;
    struct cpi_entity entities[WAL_ENTITIES];
    struct cpi_stats stats;
    struct cpi_wal_changes changes;
    struct cpi_arrivals arrivals;
    bool marks[4 * WAL_ENTITIES]; /* those of arrivals */
    unsigned warnings;
    uint32_t part_of; /* the transaction of which a part comes; 0: none */
};

/* The tables have been looked up, and a stream begun at position 1. */
void wal_fixture_init(struct wal_fixture *wal);
void wal_fixture_fini(struct wal_fixture *wal);

/* Messages. Rows are "1,abc"; a value "-" is null and "=" unchanged. Columns are "*id 23,v 25": a star for those of the
 * identity, and the type's number. An old row is given as pgoutput has it, with 'K' or 'O' in front. */
void wal_begin(struct wal_fixture *wal, uint32_t xid);
void wal_commit(struct wal_fixture *wal, uint64_t end_lsn);
void wal_relation(struct wal_fixture *wal, uint32_t relid, const char *name, const char *columns);
void wal_insert(struct wal_fixture *wal, uint32_t relid, const char *row);
void wal_update(struct wal_fixture *wal, uint32_t relid, const char *old_row, const char *row);
void wal_delete(struct wal_fixture *wal, uint32_t relid, const char *old_row);
void wal_truncate(struct wal_fixture *wal, uint32_t relid, uint32_t other);
void wal_message(struct wal_fixture *wal, const char *prefix, const char *content);

/* One that comes in parts. */
void wal_start_part(struct wal_fixture *wal, uint32_t xid);
void wal_stop_part(struct wal_fixture *wal);
void wal_commit_parts(struct wal_fixture *wal, uint32_t xid, uint64_t end_lsn);
void wal_abort_parts(struct wal_fixture *wal, uint32_t xid, uint32_t subxid);

/* Announces all five: customer(id, name), address(id, customer_id, note), note(code char(n), body), and two of
 * contact(customer_id). What they refer to is in their identities. */
void wal_relations(struct wal_fixture *wal);

/* The next message is not taken: CP_ERR_POSTGRES, retriable. */
void wal_refuses_begin(struct wal_fixture *wal, uint32_t xid);
void wal_refuses_commit(struct wal_fixture *wal, uint64_t end_lsn);
void wal_refuses_commit_parts(struct wal_fixture *wal, uint32_t xid, uint64_t end_lsn);
void wal_refuses_insert(struct wal_fixture *wal, uint32_t relid, const char *row);

void wal_see(struct wal_fixture *wal, const char *snapshot);

/* Compares what has arrived since the last call: "customer 1, note a, customer lost, barrier 5", with "(crowd)" behind
 * ids of one. */
void wal_assert_arrived(struct wal_fixture *wal, const char *want);

/* How many events have arrived, and how many of them of a crowd; takes them away. */
size_t wal_take_arrived(struct wal_fixture *wal, size_t *of_crowd);

#endif
