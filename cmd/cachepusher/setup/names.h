/* The settings that say what setup makes. */
#ifndef CMD_SETUP_NAMES_H
#define CMD_SETUP_NAMES_H

#include "cachepusher.h"

#include <stdbool.h>

struct names {
    char source[16];   /* notify or wal */
    char announce[16]; /* tables or messages */
    char slot[64];
    char publication[64];
};

/* False: the reason has been told. */
bool names_read(struct names *names, const cp_config *config);

#endif
