#include "lease/lease.h"

#include <string.h>

void cpi_lease_init(struct cpi_lease *lease, const char *name, const char *token, void (*changed)(void *context),
                    void *context)
{
    *lease = (struct cpi_lease){
        .name = name, .token = token, .changed = changed, .changed_context = context, .state = CPI_LEASE_NONE};
    pthread_mutex_init(&lease->mutex, NULL);
}

void cpi_lease_fini(struct cpi_lease *lease)
{
    pthread_mutex_destroy(&lease->mutex);
}

enum cpi_lease_state cpi_lease_read(struct cpi_lease *lease, struct cpi_lease_session *session)
{
    pthread_mutex_lock(&lease->mutex);
    enum cpi_lease_state state = lease->state;
    *session = lease->session;
    pthread_mutex_unlock(&lease->mutex);
    return state;
}

enum cpi_lease_state cpi_lease_state(struct cpi_lease *lease)
{
    pthread_mutex_lock(&lease->mutex);
    enum cpi_lease_state state = lease->state;
    pthread_mutex_unlock(&lease->mutex);
    return state;
}

bool cpi_lease_is_held(struct cpi_lease *lease)
{
    enum cpi_lease_state state = cpi_lease_state(lease);
    return state == CPI_LEASE_HELD || state == CPI_LEASE_INHERITED;
}

uint64_t cpi_lease_term(struct cpi_lease *lease)
{
    pthread_mutex_lock(&lease->mutex);
    uint64_t term = lease->term;
    pthread_mutex_unlock(&lease->mutex);
    return term;
}

bool cpi_lease_was_taken(struct cpi_lease *lease)
{
    pthread_mutex_lock(&lease->mutex);
    bool was_taken = lease->was_taken;
    pthread_mutex_unlock(&lease->mutex);
    return was_taken;
}

void cpi_lease_begin_term(struct cpi_lease *lease, const struct cpi_lease_session *session)
{
    pthread_mutex_lock(&lease->mutex);
    lease->session = *session;
    lease->state = CPI_LEASE_HELD;
    lease->term++;
    pthread_mutex_unlock(&lease->mutex);
    lease->changed(lease->changed_context);
}

void cpi_lease_set(struct cpi_lease *lease, enum cpi_lease_state state)
{
    pthread_mutex_lock(&lease->mutex);
    bool differs = lease->state != state;
    lease->state = state;
    lease->was_taken = lease->was_taken || state == CPI_LEASE_TAKEN;
    pthread_mutex_unlock(&lease->mutex);
    if (differs) {
        lease->changed(lease->changed_context);
    }
}

void cpi_lease_report_loss(struct cpi_lease *lease, const struct cpi_lease_session *session, bool taken)
{
    pthread_mutex_lock(&lease->mutex);
    bool is_current = strcmp(lease->session.token, session->token) == 0;
    if (is_current) {
        lease->state = taken ? CPI_LEASE_TAKEN : CPI_LEASE_NONE;
        lease->was_taken = lease->was_taken || taken;
    }
    pthread_mutex_unlock(&lease->mutex);
    if (is_current) {
        lease->changed(lease->changed_context);
    }
}
