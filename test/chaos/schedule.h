/* Which faults strike when: drawn from a seed, the same ones for the same seed, or one after the other. */
#ifndef SCHEDULE_H
#define SCHEDULE_H

#include "fault.h"
#include "probe.h"

struct schedule {
    struct strike *strikes; /* in order of time */
    size_t count;
};

/* Random ones that are all healed after that many seconds. names: a list with commas of those to draw from; NULL: all.
 * False: one of them is unknown. */
bool schedule_draw(struct schedule *schedule, uint64_t seed, int seconds, const char *names);

/* Each of them once, or every of-th from the part-th on: part is 1 to of. Their times mean nothing: each waits until
 * the one before has healed. */
void schedule_each(struct schedule *schedule, uint64_t seed, int part, int of);

void schedule_print(const struct schedule *schedule);
void schedule_fini(struct schedule *schedule);

/* Both leave early when something is blamed, and return with everything healed otherwise. */
void schedule_run(struct schedule *schedule, struct world *world, struct probes *probes);
void schedule_run_each(struct schedule *schedule, struct world *world, struct probes *probes);

/* The longest that may pass until all is well again. */
int heal_timeout_ms(void);

#endif
