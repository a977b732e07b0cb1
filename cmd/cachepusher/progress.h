#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "cachepusher.h"

#include "logger.h"

/* How far a warm-up has come: a bar at the bottom of a terminal, else a line on stderr now and then. */
struct progress {
    struct logger *logger; /* owns the terminal's last line */
    bool is_terminal;
    double began_s;
    double next_s;
    double measured_s; /* when `rate` was last brought up to date */
    uint64_t measured;
    double rate; /* documents a second, of late */
};

void progress_begin(struct progress *progress, struct logger *logger);

/* Call it often; it shows something when it is time to. */
void progress_update(struct progress *progress, const cp_stats *stats);

/* Takes the bar away. Seconds since progress_begin(). */
double progress_end(struct progress *progress);

#endif
