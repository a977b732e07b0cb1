/*
 * The faults. For one target only one fault is active at a time; faults of different targets overlap.
 *
 * All run in the main thread. Inject and heal may take a while; strikes due meanwhile come late.
 */
#ifndef FAULT_H
#define FAULT_H

#include "world.h"

enum target { TARGET_DAEMON, TARGET_REDIS, TARGET_POSTGRES, TARGET_REDIS_LINK, TARGET_POSTGRES_LINK, TARGETS };

/* The state of one strike between inject and heal. */
struct strike {
    const struct fault *fault;
    int64_t at_ms; /* since the load began */
    int lasts_ms;
    uint64_t random; /* the strike's own random numbers */

    pid_t stopped[64]; /* processes that were sent SIGSTOP */
    int stopped_count;
    redisContext *redis; /* kept open during the strike */
    PGconn *postgres;
    struct transaction *prepared;
    int daemon; /* which */
};

struct fault {
    const char *name;
    enum target target;
    int min_ms;
    int max_ms;
    void (*inject)(struct world *world, struct strike *strike);
    void (*heal)(struct world *world, struct strike *strike);
    bool never_heals; /* the connections hit never recover; the recovery time counts from the injection */
    bool of_wal;      /* nothing happens unless the daemons have the wal source */
};

/* The whole table, 0 to fault_count() - 1. */
const struct fault *fault_at(size_t index);
size_t fault_count(void);

const struct fault *fault_find(const char *name, size_t length);

/* Its parts, one file each. Each ends with an entry without a name. */
extern const struct fault daemon_faults[];
extern const struct fault redis_faults[];
extern const struct fault failover_faults[];
extern const struct fault postgres_faults[];
extern const struct fault link_faults[];
extern const struct fault wal_faults[];

/* Sends SIGSTOP; strike_continue() undoes it. */
void strike_stop(struct strike *strike, pid_t pid);
void strike_continue(struct strike *strike);

#endif
