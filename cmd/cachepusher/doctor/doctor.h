/*
 * The doctor: looks at both servers with the library's own means, and changes nothing on either.
 *
 * Each group of checks has a file of its own and is a table of them. What is asked of Postgres is a query of
 * doctor/sql, whose rows are the findings, or a plan of setup, whose rows are what is missing (setup/plan.h).
 *
 * Everything has a deadline: each statement and command its own, and all those of a server together one more, since
 * entities can be many. A server that is lost in between is told of once, and the rest of its groups left out.
 */
#ifndef CMD_DOCTOR_DOCTOR_H
#define CMD_DOCTOR_DOCTOR_H

#include "common/escape.h"
#include "config/config.h"
#include "doctor/findings.h"
#include "lease/lease.h"
#include "options.h"
#include "postgres/pg.h"
#include "setup/names.h"
#include "setup/watched.h"

enum { DOCTOR_STATEMENT_MS = 5000, DOCTOR_SERVER_S = 60, DOCTOR_PARAMETERS = 5 };

struct doctor {
    const struct options *options;
    cp_syncer *syncer; /* never started: it owns the configuration, and compares the sample */
    const struct cp_config *config;
    struct names names;
    struct findings findings;
    int deadline_fd;  /* readable: the server's time is up */
    char setup[1024]; /* the command that mends what setup makes */
    bool has_postgres;
    bool has_redis;
    bool has_writer;                   /* somebody holds the lease */
    bool writer_differs;               /* and serves other versions of declared documents */
    char group[CPI_LEASE_GROUP_BYTES]; /* in the names of its owners' connections to Redis; "": unknown */
    bool has_others;                   /* other cachepushers are connected to the same database of Redis */
    bool has_been_filled;              /* a marker is in Redis */
    bool has_unreadable;               /* a document that was tried cannot be read */

    struct cpi_pg pg;
    char *entities;           /* JSON for the queries: name, fetch function, channels that triggers announce on */
    struct cpi_rows *watched; /* what setup_watched.sql has made of the tables that are watched */
};

const char *doctor_watched(const struct doctor *doctor, enum watched_column column);

/* The groups, in this order: what one finds out, later ones use. */
void doctor_check_postgres(struct doctor *doctor);
void doctor_check_documents(struct doctor *doctor);
void doctor_check_watch(struct doctor *doctor);
void doctor_check_wal(struct doctor *doctor);
void doctor_check_redis(struct doctor *doctor);
void doctor_check_sample(struct doctor *doctor);

/* ---- asking Postgres: ask.c ---- */

/* A query whose rows are findings: verdict, point, message, what mends it. */
struct doctor_query {
    const char *point; /* what it is about, for when it fails */
    const char *sql;
    const char *parameters[DOCTOR_PARAMETERS];
    int count;
};
void doctor_ask(struct doctor *doctor, const struct doctor_query *query);

/* A plan of setup: what it would do is what is wrong, and how it is mended. */
struct doctor_plan {
    const char *point;
    const char *sql;
    const char *parameters[DOCTOR_PARAMETERS];
    int count;
    const char *lacks; /* what it is when there is something to do, and setup does not say why */
    const char *fine;  /* what to say when there is nothing to do */
    bool skips_notes;  /* they are about what a query tells as well */
    bool is_for_owner; /* that this role may not do it is a warning: a daemon's role need not */
};

void doctor_ask_plan(struct doctor *doctor, const struct doctor_plan *plan);

/* What Postgres has failed with, and what mends it where that is known, such as a grant. */
void doctor_tell_error(struct doctor *doctor, const char *point, const cp_error *err);

/* Runs a statement without parameters whose rows are of no interest. */
bool doctor_run(struct doctor *doctor, const char *sql, cp_error *err);

/* From now on a server has DOCTOR_SERVER_S for all that is asked of it. */
void doctor_set_deadline(struct doctor *doctor);

/* Instead of what is said of a wait that was cut short: that it was the time for all. */
const char *doctor_reason(const cp_error *err);

/* A word for a shell, quoted where it has to be. */
void doctor_add_word(struct text *text, const char *word);

/* ---- clocks: clock.c ---- */

/* In seconds since 1970. */
double doctor_host_time(void);

/* its: what a server's clock showed between before and after. */
void doctor_tell_clock(struct doctor *doctor, const char *server, double its, double before, double after);

#endif
