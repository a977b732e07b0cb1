/*
 * What the files of a syncer share: syncer.c makes, starts and stops one, syncer_calls.c has what callers may have it
 * do meanwhile, and syncer_watch.c what they may see of it.
 */
#ifndef CPI_SYNCER_INTERNAL_H
#define CPI_SYNCER_INTERNAL_H

#include "catalog/catalog.h"
#include "env.h"
#include "lease/keeper.h"
#include "queue/allowance.h"
#include "queue/inbox.h"
#include "queue/recent.h"
#include "redis/kept_keys.h"
#include "resync/resync.h"
#include "source/checkpoint.h"
#include "source/listener.h"
#include "state_watch.h"
#include "verify/audit.h"
#include "worker/worker.h"

#include <pthread.h>
#include <sys/types.h>

struct cp_syncer {
    struct cp_config *config; /* owned */
    struct cpi_env env;
    struct cpi_stats stats;
    struct cpi_stop stop;
    struct cpi_lease lease;
    struct cpi_requests requests;
    struct cpi_tickets tickets;
    struct cpi_allowance allowance;
    struct cpi_inbox inbox;
    struct cpi_lane *lanes;
    struct cpi_worker **workers;
    struct cpi_keeper *keeper; /* of the lease */
    struct cpi_listener *listener;
    struct cpi_mapper *mapper;         /* NULL: nothing is mapped */
    struct cpi_checkpoint *checkpoint; /* of the wal source; NULL: another one */
    struct cpi_marker marker;
    struct cpi_resync *resync;
    struct cpi_catalog *catalog;
    struct cpi_recent recent; /* of use only to the auditor */
    struct cpi_audit *audit;  /* NULL: off */
    char token[20];           /* random: tells this syncer from every other one */
    char lease_name[48];      /* of a follower, which shares it with nobody */
    char lease_role[CPI_LEASE_ROLE_BYTES];
    cp_store store;            /* of the host, if it has given one */
    struct cpi_kept_keys kept; /* of a follower, or of that */
    char channel[48];
    char postgres_host[128]; /* both for messages */
    char redis_host[128];
    struct cpi_repeats repeats;
    struct cp_syncer *next;              /* of this process; syncer_process.c */
    cp_callbacks host;                   /* whom to tell, and how; syncer_told.c */
    struct cpi_state_watch *state_watch; /* NULL: nobody wants to know */
    bool uses_results;                   /* the host's queue knows of it */
    bool introduced;
    pid_t process; /* that made it: in another one, a forked child, it can only be destroyed */

    /* Of all threads, the workers' first. */
    struct cpi_pulse **pulses;
    size_t pulse_count;
    atomic_bool was_started; /* the threads run, or have run */
    atomic_bool has_ended;   /* and no more */

    /* start and stop against each other, and against callers that need to know which it is. Never held by the library's
     * own threads. */
    pthread_mutex_t lifecycle;
    enum { CREATED, RUNNING, STOPPED } state;
    uint64_t unsettled;     /* when stopped */
    bool resync_incomplete; /* when stopped */
};

/* ---- syncer_process.c ---- */

/* Enters it in the list of the process, from its making to its end, and takes it off. Neither with lifecycle held. */
void cpi_syncer_enter(struct cp_syncer *syncer);
void cpi_syncer_leave(struct cp_syncer *syncer);

/* Has exit() stop what runs then. Once libpq has initialised what it uses: whoever registers last is called first. */
void cpi_syncer_stop_at_exit(void);

/* CP_ERR_ARGUMENT in another process than the one that made it, and where there is none (NULL). */
cp_code cpi_syncer_check_process(const struct cp_syncer *syncer, cp_error *err);

/* What a forked child may do of cp_syncer_destroy(). */
void cpi_syncer_abandon(struct cp_syncer *syncer);

/* ---- syncer_told.c ---- */

bool cpi_syncer_wants_documents(const cp_callbacks *host);

/* Has the environment tell the host. Before the pulses are gathered, what that needs is made; and its end. */
void cpi_syncer_wire_host(struct cp_syncer *syncer, const cp_callbacks *host);
bool cpi_syncer_join_host(struct cp_syncer *syncer, cp_error *err);
void cpi_syncer_leave_host(struct cp_syncer *syncer);

/* It drains: nobody waits for the host any more. */
void cpi_syncer_wake_host(struct cp_syncer *syncer);

/* ---- syncer_watch.c ---- */

/* What health is worked out from, now. */
struct cpi_health_view cpi_syncer_view(const struct cp_syncer *syncer);

#endif
