#include "base/bell.h"

#include "base/error.h"
#include "base/pulse.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

cp_code cpi_bell_init(struct cpi_bell *bell, cp_error *err)
{
    atomic_init(&bell->sleeping, false);
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell->fd < 0) {
        return cpi_error(err, CP_ERR_SYSTEM, true, "eventfd: %s", strerror(errno));
    }
    return CP_OK;
}

void cpi_bell_fini(struct cpi_bell *bell)
{
    if (bell->fd >= 0) {
        close(bell->fd);
        bell->fd = -1;
    }
}

void cpi_bell_ring(struct cpi_bell *bell)
{
    /* acq_rel: the release half pairs with the acquire half in cpi_bell_arm(): an owner that arms later must see the
     * work. The acquire half publishes nothing. */
    if (atomic_exchange_explicit(&bell->sleeping, false, memory_order_acq_rel)) {
        eventfd_write(bell->fd, 1);
    }
}

void cpi_bell_arm(struct cpi_bell *bell)
{
    /* acq_rel: the acquire half pairs with the release half in cpi_bell_ring(). */
    atomic_exchange_explicit(&bell->sleeping, true, memory_order_acq_rel);
}

void cpi_bell_disarm(struct cpi_bell *bell)
{
    /* Only the write is needed, but it has to be a read-modify-write: a plain store would end the release sequence of
     * an earlier ring, and the next arm, which reads that store, would not see the work. acquire for the same reason.
     */
    atomic_exchange_explicit(&bell->sleeping, false, memory_order_acquire);
}

void cpi_bell_sleep(struct cpi_bell *bell, int other_fd, int timeout_ms)
{
    struct pollfd fds[] = {{.fd = bell->fd, .events = POLLIN}, {.fd = other_fd, .events = POLLIN}};
    cpi_pulse_waits(CP_WAIT_WORK);
    int ready = poll(fds, 2, timeout_ms);
    cpi_pulse_waits(CP_WAIT_NONE);
    if (ready > 0 && (fds[0].revents & POLLIN) != 0) {
        eventfd_t rings;
        eventfd_read(bell->fd, &rings);
    }
}
