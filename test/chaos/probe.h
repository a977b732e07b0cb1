/* Measures recovery times. A few rows are committed, and a thread waits until they can be read in every view, together
 * with rows from before: those of the start, and those committed during the fault. */
#ifndef PROBE_H
#define PROBE_H

#include "world.h"

struct probes;

struct probes *probes_start(const struct world *world);

/* Writes rows now that later probes look for. */
void probes_mark(struct probes *probes);

/* Writes new rows now and records under the fault's name how long after from_ms they have arrived. A figure is clean
 * only if no other fault was active: is_clean says so for the past, probes_disturb() for the time that follows. */
void probes_ask(struct probes *probes, const char *fault, int64_t from_ms, bool is_clean);
void probes_disturb(struct probes *probes);

/* How many have not arrived. */
int probes_pending(struct probes *probes);

void probes_stop(struct probes *probes);

#endif
