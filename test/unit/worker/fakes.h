/*
 * What a worker stands between, in memory: a Postgres (fake_postgres.h) and a Redis, and the rest of a syncer that an
 * applier and a worker look at. No server, no thread.
 */
#ifndef FAKES_H
#define FAKES_H

#include "postgres/fake_postgres.h"
#include "worker/servers.h"

enum {
    FAKE_BATCH = 8,
    FAKE_BATCH_BYTES = 1000000,
    FAKE_DOCUMENTS = 2048,
    FAKE_PERCENT = 50,
    FAKE_TEXT = 32,
    FAKE_OUTPUT = FAKE_BATCH * FAKE_TEXT
};

struct fake_command {
    int64_t id;
    enum fake_kind { FAKE_SET, FAKE_DEL, FAKE_EXISTS } kind;
    size_t length;
};

struct fake_target {
    struct cpi_target target; /* first: what is handed out */

    /* What it does. */
    bool away;              /* cannot be opened */
    bool not_admitted;      /* somebody else is the writer */
    bool full;              /* no memory for another command, on our side */
    enum cpi_answer answer; /* to the commands about `odd`, to all while that is empty; DONE at first */
    struct fake_ids odd;
    enum fake_kind odd_kind; /* of the commands that get it, unless odd_any */
    bool odd_any;            /* at first */
    struct fake_ids keys;    /* that are there, for EXISTS; a DEL takes them away, a SET does not bring them */

    /* What has been done to it. */
    bool open;
    bool admitted; /* since it was opened */
    unsigned opened;
    unsigned flushed;
    struct fake_command acknowledged[FAKE_DOCUMENTS]; /* in order */
    uint32_t count;

    struct fake_command commands[FAKE_BATCH]; /* of the batch */
    enum cpi_answer answers[FAKE_BATCH];
    uint32_t appended;
    bool sent; /* the next command begins another round */
    char output[FAKE_OUTPUT];
    size_t output_length;
    bool lent; /* nothing may be appended meanwhile */
    unsigned lendings;
};

struct fakes {
    struct cpi_env env;
    struct cp_config config;
    struct cpi_entity entity;
    struct cpi_stats stats;
    struct cpi_stop stop;
    struct cpi_lease lease;
    struct cpi_requests requests;
    struct cpi_allowance allowance;
    struct cpi_lane lane;

    struct fake_postgres postgres;
    struct fake_target target;
};

/* One entity, one lane, batches of FAKE_BATCH, and the lease is held. */
void fakes_init(struct fakes *fakes);
void fakes_fini(struct fakes *fakes);

/* Servers that are these fakes. */
struct cpi_servers *fakes_servers(struct fakes *fakes);

/* The lease's next term begins. */
void fakes_begin_term(struct fakes *fakes);

/* How often the document of an id has been stored, or deleted. */
unsigned fakes_stored(const struct fakes *fakes, int64_t id);
unsigned fakes_deleted(const struct fakes *fakes, int64_t id);

/* Whether it is among target.keys. */
bool fakes_has_key(const struct fakes *fakes, int64_t id);

#endif
