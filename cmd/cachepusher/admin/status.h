/* Everything that there is to be seen of a daemon, as JSON; doc/monitoring.md says for whom. */
#ifndef CMD_ADMIN_STATUS_H
#define CMD_ADMIN_STATUS_H

#include "admin/admin.h"

/* From malloc; NULL: out of memory. */
char *status_json(const cp_syncer *syncer, const struct admin_facts *facts, double started);

#endif
