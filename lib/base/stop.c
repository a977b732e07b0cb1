#include "base/stop.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/pulse.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

cp_code cpi_stop_init(struct cpi_stop *stop, cp_error *err)
{
    atomic_init(&stop->asked, false);
    atomic_init(&stop->grace_until_ms, INT64_MAX);
    atomic_init(&stop->phase, CPI_RUNNING);
    stop->drain_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    stop->grace_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (stop->drain_fd >= 0 && stop->grace_fd >= 0) {
        return CP_OK;
    }
    cp_code code = cpi_error(err, CP_ERR_SYSTEM, true, "eventfd: %s", strerror(errno));
    cpi_stop_fini(stop);
    return code;
}

void cpi_stop_fini(struct cpi_stop *stop)
{
    if (stop->drain_fd >= 0) {
        close(stop->drain_fd);
        stop->drain_fd = -1;
    }
    if (stop->grace_fd >= 0) {
        close(stop->grace_fd);
        stop->grace_fd = -1;
    }
}

/* Whoever lowers the time sets the timer, and looks whether it has been lowered further meanwhile: so the last setting
 * is the soonest. A time in the past makes the timer ring at once. seq_cst: it costs nothing here. */
static void set_grace(struct cpi_stop *stop, int64_t until_ms)
{
    int64_t soonest_ms = atomic_load(&stop->grace_until_ms);
    while (until_ms < soonest_ms && !atomic_compare_exchange_weak(&stop->grace_until_ms, &soonest_ms, until_ms)) {
    }
    do {
        soonest_ms = atomic_load(&stop->grace_until_ms);
        struct itimerspec grace = {
            .it_value = {.tv_sec = soonest_ms / 1000, .tv_nsec = soonest_ms % 1000 * 1000000L + 1}};
        timerfd_settime(stop->grace_fd, TFD_TIMER_ABSTIME, &grace, NULL);
    } while (soonest_ms != atomic_load(&stop->grace_until_ms));
}

void cpi_stop_drain(struct cpi_stop *stop, int grace_ms)
{
    set_grace(stop, cpi_now_ms() + grace_ms);
    /* relaxed: the flag only orders callers. */
    if (!atomic_exchange_explicit(&stop->asked, true, memory_order_relaxed)) {
        /* release, pairs with the acquire in cpi_stop_phase(): a thread that sees draining finds the timer set. */
        atomic_store_explicit(&stop->phase, CPI_DRAINING, memory_order_release);
        eventfd_write(stop->drain_fd, 1);
    }
}

void cpi_stop_close(struct cpi_stop *stop)
{
    /* release, pairs with the acquire in cpi_stop_phase(): a thread that sees closed finds in its rings everything that
     * the producers, joined before this call, have put there. */
    atomic_store_explicit(&stop->phase, CPI_CLOSED, memory_order_release);
}

enum cpi_phase cpi_stop_phase(const struct cpi_stop *stop)
{
    return (enum cpi_phase)atomic_load_explicit(&stop->phase, memory_order_acquire);
}

bool cpi_stop_sleep(const struct cpi_stop *stop, int timeout_ms)
{
    struct pollfd drain = {.fd = stop->drain_fd, .events = POLLIN};
    cpi_pulse_waits(CP_WAIT_WORK);
    poll(&drain, 1, timeout_ms);
    cpi_pulse_waits(CP_WAIT_NONE);
    return cpi_stop_phase(stop) == CPI_RUNNING;
}

bool cpi_stop_grace_passed(const struct cpi_stop *stop)
{
    struct pollfd grace = {.fd = stop->grace_fd, .events = POLLIN};
    return cpi_stop_phase(stop) != CPI_RUNNING && poll(&grace, 1, 0) > 0;
}
