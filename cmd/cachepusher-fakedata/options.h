#ifndef FAKEDATA_OPTIONS_H
#define FAKEDATA_OPTIONS_H

#include "changes.h"

#include <stdbool.h>
#include <stdint.h>

enum options_verdict { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_VERSION, OPTIONS_WRONG };

struct options {
    int customers;     /* 0: load none */
    double rate;       /* changes per second; 0: simulate nothing */
    double duration_s; /* 0: until a signal */
    uint32_t mix[CHANGES];
    long seed;
    const char *dsn; /* points into argv or the environment; NULL: libpq's defaults */
    bool quiet;
};

/* OPTIONS_WRONG: the mistake has been reported. */
enum options_verdict options_parse(int argc, char **argv, struct options *options);

void options_print_help(void);

#endif
