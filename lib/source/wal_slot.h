/*
 * The replication slot of the wal source, as an ordinary session sees and makes it.
 *
 * Belongs to the listener's thread, and before that one runs to the one that starts the syncer.
 */
#ifndef CPI_WAL_SLOT_H
#define CPI_WAL_SLOT_H

#include "env.h"

enum { CPI_WAL_OLDEST_BYTES = 128, CPI_WAL_READER_BYTES = 64 };

struct cpi_wal_slot {
    bool exists;
    bool is_lost;       /* Postgres has removed what it would need */
    bool is_active;     /* somebody streams from it */
    bool is_ours;       /* and that is an instance of our name and role */
    int active_pid;     /* who */
    char active[96];    /* for people */
    uint64_t confirmed; /* the slot's confirmed_flush_lsn */
};

/* Whether the wal source can work: wal_level, the role, the publication, the slot's plugin and database.
 * CP_ERR_POSTGRES, not retriable, with what to do. */
cp_code cpi_wal_slot_check(const struct cpi_env *env, struct cpi_pg *pg, cp_error *err);

/* What instances of this name call themselves while they stream. */
void cpi_wal_slot_reader(const struct cp_config *config, char reader[CPI_WAL_READER_BYTES]);

/* reader: as above, whose it is then. */
cp_code cpi_wal_slot_read(struct cpi_pg *pg, const char *name, const char *reader, struct cpi_wal_slot *slot,
                          cp_error *err);

/* Makes one: nothing that is committed afterwards is missed. Waits for the transactions that are open, and more than
 * once for those that have begun meanwhile, as long as pg's statements may take. */
cp_code cpi_wal_slot_create(struct cpi_pg *pg, const char *name, cp_error *err);

/* Names who has been writing for longest, whom that would wait for, for people; "" if nobody is. */
void cpi_wal_slot_name_oldest(struct cpi_pg *pg, char name[CPI_WAL_OLDEST_BYTES]);
cp_code cpi_wal_slot_drop(struct cpi_pg *pg, const char *name, cp_error *err);

/* Ends whoever streams from it, if that is ours: a former owner, which may be frozen. To be called by whoever holds the
 * lease. CP_ERR_POSTGRES names anybody else; retriable. */
cp_code cpi_wal_slot_take(struct cpi_pg *pg, const char *name, const struct cpi_wal_slot *slot, cp_error *err);

#endif
