#include "base/error.h"
#include "syncer_internal.h"

#include <unistd.h>

/* ---- a forked child ---- */

cp_code cpi_syncer_check_process(const struct cp_syncer *syncer, cp_error *err)
{
    return syncer->process == getpid()
               ? CP_OK
               : cpi_error(err, CP_ERR_ARGUMENT, false,
                           "the syncer belongs to process %lld; after a fork it can only be destroyed",
                           (long long)syncer->process);
}

/* Only the copies of descriptors: eventfds, timers and sessions are the parent's as well, and what the threads were
 * doing with memory and mutexes when it forked stays half done. */
void cpi_syncer_abandon(struct cp_syncer *syncer)
{
    cpi_sockets_close_copies(&syncer->stats.sockets);
    cpi_stop_fini(&syncer->stop);
    cpi_bell_fini(&syncer->requests.listener_bell);
    cpi_bell_fini(&syncer->requests.resync_bell);
    for (uint32_t i = 0; i < syncer->config->threads; i++) {
        cpi_bell_fini(&syncer->lanes[i].bell);
    }
}
