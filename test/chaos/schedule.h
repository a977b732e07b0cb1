/* Which faults strike when: drawn from a seed (the same seed gives the same schedule), or one after the other. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "fault.h"
#include "probe.h"

struct schedule {
    struct strike *strikes; /* in order of time */
    size_t count;
};

/* Which faults there can be. */
struct scope {
    bool wal;   /* the daemons have the wal source */
    bool redis; /* there is one */
};

/* Random faults, all healed after that many seconds. names: a comma-separated list to draw from; NULL: all that there
 * can be. False: a name is unknown, or of a fault that there cannot be. */
bool schedule_draw(struct schedule *schedule, uint64_t seed, int seconds, const char *names, struct scope scope);

/* Each fault once, or every of-th, starting with the part-th (1 to of). Times do not matter: each waits until the one
 * before has healed. */
void schedule_each(struct schedule *schedule, uint64_t seed, int part, int of, struct scope scope);

void schedule_print(const struct schedule *schedule);
void schedule_fini(struct schedule *schedule);

/* Both return early if something is blamed, and otherwise with everything healed. */
void schedule_run(struct schedule *schedule, struct world *world, struct probes *probes);
void schedule_run_each(struct schedule *schedule, struct world *world, struct probes *probes);

/* The longest time allowed until everything is well again. */
int heal_timeout_ms(void);

#endif
