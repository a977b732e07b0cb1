#ifndef CMD_PROGRESS_H
#define CMD_PROGRESS_H

#include "cachepusher.h"
#include "logger.h"

#include <stdbool.h>
#include <stdint.h>

/* How far a command has come: a bar at the bottom of a terminal, else a line on stderr now and then. */
struct progress {
    const char *command;   /* what lines begin with */
    struct logger *logger; /* owns the terminal's last line */
    bool is_terminal;
    double began_s;
    double next_s;
    double measured_s; /* when `rate` was last brought up to date */
    uint64_t measured;
    double rate; /* documents a second, of late */
};

void progress_begin(struct progress *progress, const char *command, struct logger *logger);

/* Call it often; it shows something when it is time to. `expected` is an estimate; 0: none. */
void progress_update(struct progress *progress, uint64_t done, uint64_t expected);

/* The same of a stage that is not counted in documents done. */
void progress_tell(struct progress *progress, const char *text);

/* Takes the bar away. Seconds since progress_begin(). */
double progress_end(struct progress *progress);

#endif
