#include "queue/requests.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdlib.h>

cp_code cpi_requests_init(struct cpi_requests *requests, uint32_t entity_count, cp_error *err)
{
    *requests =
        (struct cpi_requests){.entity_count = entity_count, .resync_bell = {.fd = -1}, .listener_bell = {.fd = -1}};
    requests->renewed_ms = cpi_now_ms();
    pthread_mutex_init(&requests->mutex, NULL);
    requests->wanted = calloc(entity_count, sizeof *requests->wanted);
    requests->announced = calloc(entity_count, sizeof *requests->announced);
    requests->filled = calloc(entity_count, sizeof *requests->filled);
    if (requests->wanted == NULL || requests->announced == NULL || requests->filled == NULL) {
        return cpi_error_memory(err);
    }
    cp_code code = cpi_bell_init(&requests->resync_bell, err);
    return code == CP_OK ? cpi_bell_init(&requests->listener_bell, err) : code;
}

void cpi_requests_fini(struct cpi_requests *requests)
{
    free(requests->wanted);
    free(requests->announced);
    free(requests->filled);
    cpi_bell_fini(&requests->resync_bell);
    cpi_bell_fini(&requests->listener_bell);
    pthread_mutex_destroy(&requests->mutex);
}

void cpi_requests_resync(struct cpi_requests *requests, uint32_t entity, cp_cause cause)
{
    pthread_mutex_lock(&requests->mutex);
    requests->owed_ms = (requests->causes | requests->taken) == 0 ? cpi_now_ms() : requests->owed_ms;
    requests->causes |= 1u << cause;
    requests->requested += cause != CP_CAUSE_RESUME;
    requests->repairs += cause != CP_CAUSE_RESUME && cause != CP_CAUSE_REQUEST && cause != CP_CAUSE_RETRY;
    requests->started = requests->started || cause == CP_CAUSE_START || cause == CP_CAUSE_RESUME;
    for (uint32_t e = 0; e < requests->entity_count && cause != CP_CAUSE_START; e++) {
        requests->wanted[e] = requests->wanted[e] || entity == CPI_ALL_ENTITIES || entity == e;
        requests->announced[e] = requests->announced[e] || (cause == CP_CAUSE_TRUNCATE && entity == e);
        requests->filled[e] = requests->filled[e] || cause == CP_CAUSE_RESUME;
    }
    pthread_mutex_unlock(&requests->mutex);
    cpi_bell_ring(&requests->resync_bell);
    cpi_bell_ring(&requests->listener_bell); /* a checkpoint is not complete any more */
}

bool cpi_requests_is_idle(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    bool idle = requests->started && requests->listening && !requests->busy && requests->causes == 0;
    pthread_mutex_unlock(&requests->mutex);
    return idle;
}

uint64_t cpi_requests_owe_nothing(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    bool nothing = requests->started && requests->listening && !requests->owing &&
                   (requests->causes & ~(1u << CP_CAUSE_RESUME)) == 0 && !requests->incomplete;
    for (uint32_t e = 0; e < requests->entity_count; e++) {
        nothing = nothing && requests->filled[e];
    }
    uint64_t number = nothing ? requests->requested + 1 : 0;
    pthread_mutex_unlock(&requests->mutex);
    return number;
}

unsigned cpi_requests_owed(struct cpi_requests *requests, int64_t *since_ms)
{
    pthread_mutex_lock(&requests->mutex);
    unsigned owed = requests->causes | requests->taken;
    *since_ms = requests->owed_ms;
    pthread_mutex_unlock(&requests->mutex);
    return owed;
}

void cpi_requests_note_enqueued(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    requests->requested++;
    pthread_mutex_unlock(&requests->mutex);
}

void cpi_requests_set_fingerprint(struct cpi_requests *requests, uint64_t fingerprint)
{
    pthread_mutex_lock(&requests->mutex);
    requests->fingerprint = fingerprint;
    pthread_mutex_unlock(&requests->mutex);
}

uint64_t cpi_requests_fingerprint(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    uint64_t fingerprint = requests->fingerprint;
    pthread_mutex_unlock(&requests->mutex);
    return fingerprint;
}

void cpi_requests_note_marker(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    requests->has_marker = true;
    pthread_mutex_unlock(&requests->mutex);
}

bool cpi_requests_has_marker(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    bool has = requests->has_marker;
    pthread_mutex_unlock(&requests->mutex);
    return has;
}

uint64_t cpi_requests_repairs(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    uint64_t repairs = requests->repairs;
    pthread_mutex_unlock(&requests->mutex);
    return repairs;
}

uint64_t cpi_requests_repaired(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    uint64_t repaired = requests->repaired;
    pthread_mutex_unlock(&requests->mutex);
    return repaired;
}

void cpi_requests_relay(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    requests->relay = true;
    pthread_mutex_unlock(&requests->mutex);
    cpi_bell_ring(&requests->listener_bell);
}

/* ---- sessions ---- */

/* Begins another generation if the present one is older. Call it with the mutex held. */
static void renew_sessions(struct cpi_requests *requests, int64_t age_ms)
{
    int64_t now_ms = cpi_now_ms();
    if (now_ms - requests->renewed_ms >= age_ms) {
        requests->generation++;
        requests->renewed_ms = now_ms;
    }
}

uint64_t cpi_requests_generation(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    renew_sessions(requests, CPI_SESSION_AGE_MS);
    uint64_t generation = requests->generation;
    pthread_mutex_unlock(&requests->mutex);
    return generation;
}

void cpi_requests_renew_sessions(struct cpi_requests *requests, bool urgent)
{
    pthread_mutex_lock(&requests->mutex);
    renew_sessions(requests, urgent ? 0 : CPI_RENEWAL_EVERY_MS);
    pthread_mutex_unlock(&requests->mutex);
}

/* ---- the resync thread ---- */

bool cpi_requests_has_any(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    bool any = requests->causes != 0;
    pthread_mutex_unlock(&requests->mutex);
    return any;
}

bool cpi_requests_may_begin(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    bool may = requests->started && requests->listening && requests->causes != 0;
    pthread_mutex_unlock(&requests->mutex);
    return may;
}

bool cpi_requests_has(struct cpi_requests *requests, cp_cause cause)
{
    pthread_mutex_lock(&requests->mutex);
    bool has = (requests->causes & (1u << cause)) != 0;
    pthread_mutex_unlock(&requests->mutex);
    return has;
}

unsigned cpi_requests_take(struct cpi_requests *requests, bool *wanted)
{
    pthread_mutex_lock(&requests->mutex);
    unsigned causes = requests->causes;
    requests->causes = 0;
    requests->taken |= causes;
    requests->busy = true;
    requests->repairing = requests->repairs;
    requests->owing = (causes & ~(1u << CP_CAUSE_RESUME)) != 0;
    if ((causes & ~(1u << CP_CAUSE_START | 1u << CP_CAUSE_RESUME)) != 0) { /* at the start they are new as it is */
        renew_sessions(requests, (causes & (1u << CP_CAUSE_REQUEST)) != 0 ? 0 : CPI_RENEWAL_EVERY_MS);
    }
    for (uint32_t e = 0; e < requests->entity_count; e++) {
        wanted[e] = wanted[e] || requests->wanted[e];
        requests->wanted[e] = false;
    }
    pthread_mutex_unlock(&requests->mutex);
    return causes;
}

void cpi_requests_take_announced(struct cpi_requests *requests, bool *announced)
{
    pthread_mutex_lock(&requests->mutex);
    for (uint32_t e = 0; e < requests->entity_count; e++) {
        announced[e] = announced[e] || requests->announced[e];
        requests->announced[e] = false;
    }
    pthread_mutex_unlock(&requests->mutex);
}

void cpi_requests_note_filled(struct cpi_requests *requests, uint32_t entity)
{
    pthread_mutex_lock(&requests->mutex);
    requests->filled[entity] = true;
    pthread_mutex_unlock(&requests->mutex);
}

void cpi_requests_end_run(struct cpi_requests *requests, bool incomplete)
{
    pthread_mutex_lock(&requests->mutex);
    requests->busy = false;
    requests->owing = false;
    requests->incomplete = incomplete;
    requests->taken = incomplete ? requests->taken : 0;
    requests->repaired = incomplete ? requests->repaired : requests->repairing;
    pthread_mutex_unlock(&requests->mutex);
    cpi_bell_ring(&requests->listener_bell); /* tickets may wait for it */
}

/* ---- the listener ---- */

void cpi_requests_set_listening(struct cpi_requests *requests, bool listening)
{
    pthread_mutex_lock(&requests->mutex);
    requests->listening = listening;
    pthread_mutex_unlock(&requests->mutex);
    cpi_bell_ring(&requests->resync_bell);
}

bool cpi_requests_has_for_listener(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    bool any = requests->relay;
    pthread_mutex_unlock(&requests->mutex);
    return any;
}

bool cpi_requests_take_relay(struct cpi_requests *requests)
{
    pthread_mutex_lock(&requests->mutex);
    bool relay = requests->relay;
    requests->relay = false;
    pthread_mutex_unlock(&requests->mutex);
    return relay;
}
