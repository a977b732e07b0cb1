/*
 * A Postgres for the reader, in memory. The document of id 17 is {"id":17}, of each id that is not absent.
 *
 * Zero, with entities whose ids are numbers, is a server that does as it should.
 */
#ifndef FAKE_POSTGRES_H
#define FAKE_POSTGRES_H

#include "postgres/reader.h"

enum { FAKE_ROWS = 512, FAKE_IDS = 8 };

/* Some ids that stand out. */
struct fake_ids {
    int64_t numbers[FAKE_IDS];
    uint32_t count;
};

struct fake_postgres {
    /* What it does. */
    enum cpi_failure open_failure;
    enum cpi_failure prepare_failure;
    enum cpi_failure run_failure; /* of every run */
    struct fake_ids broken;       /* the statement fails when one of these is in it */
    int64_t broken_but;           /* the statement fails when any other id is in it; 0: not */
    bool breaks_late;             /* such a statement gives the rows before that id first */
    struct fake_ids lethal;       /* the connection is lost */
    struct fake_ids absent;       /* they have no row */
    /* Called when a run has made its rows, unless NULL: may change them. */
    void (*arrange)(struct fake_postgres *postgres);
    int run_ms;    /* how long a run takes */
    int64_t hangs; /* with this id in it, hang_ms longer; 0: with none */
    int hang_ms;
    size_t document_bytes; /* documents are filled up to this length; 0: not */

    /* What has been done to it. */
    bool open;
    unsigned opened;
    unsigned prepared;
    unsigned runs;
    unsigned released;
    unsigned hung;      /* runs with the id that hangs */
    uint32_t hung_with; /* ids of the largest of them */
    uint32_t last_n;    /* ids of the last run */
    int64_t first_read; /* the first id of the first run */

    struct cpi_fetched_row rows[FAKE_ROWS];
    uint32_t count;
    uint32_t taken; /* of these */
    enum cpi_failure late;
    char texts[FAKE_ROWS][32];
};

extern const struct cpi_reader_ops fake_postgres_ops;

#endif
