/* What a daemon, or a host, is started with. */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include "daemon.h"

/* Ended by NULL; valid until the next call. Main thread. */
const char *const *command_line(const struct daemon *daemon);

#endif
