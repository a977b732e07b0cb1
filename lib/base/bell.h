/*
 * The doorbell: how a thread sleeps until another has left work for it.
 *
 * The owner, before it sleeps:            Anybody, after leaving work:
 *     cpi_bell_arm(bell);                     publish the work;
 *     if (there is no work)                   cpi_bell_ring(bell);
 *         cpi_bell_sleep(bell, timeout);
 *     cpi_bell_disarm(bell);
 *
 * No wake-up is lost. arm, disarm and ring are read-modify-writes of one flag, so one of them comes second and sees the
 * other. If ring is second, it finds the flag set and writes the eventfd. If arm is second, it synchronises with ring,
 * so the check for work that follows sees what was published before. Ringing an awake owner costs one atomic exchange
 * and no system call.
 */
#ifndef CPI_BELL_H
#define CPI_BELL_H

#include "cachepusher.h"

#include <stdatomic.h>

struct cpi_bell {
    atomic_bool sleeping; /* set by the owner, cleared by whoever wakes it */
    int fd;               /* eventfd, for the owner's poll(2) */
};

cp_code cpi_bell_init(struct cpi_bell *bell, cp_error *err);
void cpi_bell_fini(struct cpi_bell *bell);

/* Any thread. */
void cpi_bell_ring(struct cpi_bell *bell);

/* The owner. */
void cpi_bell_arm(struct cpi_bell *bell);
void cpi_bell_disarm(struct cpi_bell *bell);

/* Sleeps until rung, until other_fd (-1: none) is readable, or for timeout_ms (-1: without limit). */
void cpi_bell_sleep(struct cpi_bell *bell, int other_fd, int timeout_ms);

#endif
