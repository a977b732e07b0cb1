#include "queue/tickets.h"

#include "base/clock.h"

#include <errno.h>

void cpi_tickets_init(struct cpi_tickets *tickets, struct cpi_bell *listener_bell)
{
    *tickets = (struct cpi_tickets){.listener_bell = listener_bell};
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&tickets->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&tickets->mutex, NULL);
}

void cpi_tickets_fini(struct cpi_tickets *tickets)
{
    pthread_cond_destroy(&tickets->changed);
    pthread_mutex_destroy(&tickets->mutex);
}

/* ---- any thread ---- */

uint64_t cpi_tickets_take(struct cpi_tickets *tickets)
{
    pthread_mutex_lock(&tickets->mutex);
    uint64_t number = ++tickets->taken;
    pthread_mutex_unlock(&tickets->mutex);
    cpi_bell_ring(tickets->listener_bell);
    return number;
}

bool cpi_tickets_knows(struct cpi_tickets *tickets, uint64_t number)
{
    pthread_mutex_lock(&tickets->mutex);
    bool knows = number <= tickets->taken;
    pthread_mutex_unlock(&tickets->mutex);
    return knows;
}

bool cpi_tickets_is_through(struct cpi_tickets *tickets, uint64_t number)
{
    pthread_mutex_lock(&tickets->mutex);
    bool is_through = tickets->through >= number;
    pthread_mutex_unlock(&tickets->mutex);
    return is_through;
}

static enum cpi_ticket_state state_of(const struct cpi_tickets *tickets, uint64_t number)
{
    if (tickets->settled >= number) {
        return CPI_TICKET_SETTLED;
    }
    return tickets->is_standby ? CPI_TICKET_STANDBY : CPI_TICKET_OPEN;
}

enum cpi_ticket_state cpi_tickets_wait(struct cpi_tickets *tickets, const struct cpi_stop *stop, uint64_t number,
                                       int timeout_ms)
{
    int64_t until_ms = cpi_now_ms() + timeout_ms;
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&tickets->mutex);
    int waited = timeout_ms == 0 ? ETIMEDOUT : 0;
    while (state_of(tickets, number) == CPI_TICKET_OPEN && cpi_stop_phase(stop) == CPI_RUNNING && waited != ETIMEDOUT) {
        waited = timeout_ms < 0 ? pthread_cond_wait(&tickets->changed, &tickets->mutex)
                                : pthread_cond_timedwait(&tickets->changed, &tickets->mutex, &until);
    }
    enum cpi_ticket_state state = state_of(tickets, number);
    pthread_mutex_unlock(&tickets->mutex);
    return state;
}

void cpi_tickets_wake(struct cpi_tickets *tickets)
{
    pthread_mutex_lock(&tickets->mutex);
    pthread_cond_broadcast(&tickets->changed);
    pthread_mutex_unlock(&tickets->mutex);
}

/* ---- the listener ---- */

static bool wants_barrier(const struct cpi_tickets *tickets)
{
    return tickets->barrier == 0 && tickets->taken > tickets->through;
}

bool cpi_tickets_wants_barrier(struct cpi_tickets *tickets)
{
    pthread_mutex_lock(&tickets->mutex);
    bool wants = wants_barrier(tickets);
    pthread_mutex_unlock(&tickets->mutex);
    return wants;
}

int64_t cpi_tickets_begin(struct cpi_tickets *tickets)
{
    int64_t number = 0;
    pthread_mutex_lock(&tickets->mutex);
    if (wants_barrier(tickets)) {
        number = ++tickets->barriers;
        tickets->barrier = number;
        tickets->covered = tickets->taken;
    }
    pthread_mutex_unlock(&tickets->mutex);
    return number;
}

int64_t cpi_tickets_barrier(struct cpi_tickets *tickets)
{
    pthread_mutex_lock(&tickets->mutex);
    int64_t number = tickets->barrier;
    pthread_mutex_unlock(&tickets->mutex);
    return number;
}

void cpi_tickets_lose(struct cpi_tickets *tickets)
{
    pthread_mutex_lock(&tickets->mutex);
    tickets->barrier = 0;
    pthread_mutex_unlock(&tickets->mutex);
}

void cpi_tickets_pass(struct cpi_tickets *tickets, uint64_t repairs)
{
    pthread_mutex_lock(&tickets->mutex);
    struct cpi_ticket_debt debt = {.number = tickets->covered, .repairs = repairs};
    tickets->through = tickets->covered;
    tickets->barrier = 0;
    *(tickets->first.number == 0 ? &tickets->first : &tickets->last) = debt;
    pthread_mutex_unlock(&tickets->mutex);
}

bool cpi_tickets_note_repaired(struct cpi_tickets *tickets, uint64_t repaired)
{
    bool any = false;
    pthread_mutex_lock(&tickets->mutex);
    while (tickets->first.number != 0 && tickets->first.repairs <= repaired) {
        tickets->settled = tickets->first.number;
        tickets->first = tickets->last;
        tickets->last = (struct cpi_ticket_debt){0};
        any = true;
    }
    if (any) {
        pthread_cond_broadcast(&tickets->changed);
    }
    pthread_mutex_unlock(&tickets->mutex);
    return any;
}

void cpi_tickets_stand_by(struct cpi_tickets *tickets, bool is_standby)
{
    pthread_mutex_lock(&tickets->mutex);
    if (is_standby && !tickets->is_standby) {
        pthread_cond_broadcast(&tickets->changed);
    }
    tickets->is_standby = is_standby;
    pthread_mutex_unlock(&tickets->mutex);
}
