#ifndef CMD_RUN_RELOAD_H
#define CMD_RUN_RELOAD_H

#include "logger.h"
#include "options.h"

/*
 * Reading the configuration again while the daemon runs (SIGHUP, SIGUSR2). What can be changed then, which is the log's
 * level, is taken; what cannot is said.
 */
struct reload {
    const struct options *options;
    struct logger *logger;
    cp_config *config; /* what the daemon goes by */
};

/* Before the configuration is given away. False: the reason has been told. */
bool reload_init(struct reload *reload, const struct options *options, struct logger *logger);
void reload_fini(struct reload *reload);

/* `signal` is what asked for it, for the log. */
void reload_now(struct reload *reload, const char *signal);

#endif
