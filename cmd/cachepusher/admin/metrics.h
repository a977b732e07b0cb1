/* Figures in Prometheus' text format. */
#ifndef CMD_ADMIN_METRICS_H
#define CMD_ADMIN_METRICS_H

#include "admin/admin.h"

#include <stdio.h>

/* started: when the process did, in seconds since 1970. */
void metrics_write(FILE *out, const cp_syncer *syncer, const struct admin_facts *facts, double started);

#endif
