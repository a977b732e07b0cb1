#include "source/relay.h"

#include "base/clock.h"

enum { RETRY_BASE_MS = 50, RETRY_CAP_MS = 2000, ANNOUNCE_TIMEOUT_MS = 5000 };

void cpi_relay_init(struct cpi_relay *relay, const struct cpi_env *env)
{
    *relay = (struct cpi_relay){.env = env};
    relay->pg = cpi_env_pg(env, "cachepusher relay", env->stop->drain_fd, ANNOUNCE_TIMEOUT_MS);
    cpi_backoff_init(&relay->backoff, RETRY_BASE_MS, RETRY_CAP_MS, env->seed ^ 7);
}

void cpi_relay_close(struct cpi_relay *relay)
{
    cpi_pg_close(&relay->pg);
}

void cpi_relay_reset(struct cpi_relay *relay)
{
    cpi_pg_close(&relay->pg);
    relay->routed = 0;
    relay->unannounced = 0;
}

void cpi_relay_note_routed(struct cpi_relay *relay, size_t n)
{
    relay->routed += n;
}

void cpi_relay_note_resync(struct cpi_relay *relay)
{
    relay->unannounced++;
}

static void relay_note_failure(struct cpi_relay *relay, const cp_error *why)
{
    cpi_pg_close(&relay->pg);
    relay->retry_at_ms = cpi_now_ms() + cpi_backoff_next(&relay->backoff);
    cpi_stats_add(relay->env->stats, CPI_STAT_RETRIES, 1);
    if (cpi_stop_phase(relay->env->stop) == CPI_RUNNING) {
        cpi_log_about(&relay->env->log, cpi_outage_note(&relay->outage) ? CP_LOG_WARN : CP_LOG_DEBUG,
                      &(struct cpi_log_about){.host = cpi_env_host(relay->env, why->code)}, "relay: %s; trying again",
                      why->message);
    }
}

static cp_code open_relay(struct cpi_relay *relay, cp_error *err)
{
    return cpi_pg_is_open(&relay->pg) ? CP_OK : cpi_pg_open(&relay->pg, err);
}

static cp_code relay_announce(struct cpi_relay *relay, struct cpi_events *events, cp_error *err)
{
    const struct cp_config *config = relay->env->config;
    const struct cpi_announcer *announcer = relay->env->announcer;
    cp_code code = open_relay(relay, err);
    if (code == CP_OK && events->count > 0) {
        code = announcer->ids(&relay->pg, config->entities, events->items, sizeof *events->items, events->count, err);
        if (code == CP_OK) {
            cpi_events_truncate(events, 0, config->entities);
        }
    }
    if (code == CP_OK && relay->unannounced > 0) {
        code = announcer->everything(&relay->pg, config->entities, config->entity_count, err);
        if (code == CP_OK) {
            relay->unannounced = 0;
        }
    }
    return code;
}

/* A connection that was idle for long may be dead: then once more on a new one. */
static cp_code announce_again(struct cpi_relay *relay, struct cpi_events *events, cp_error *err)
{
    bool was_open = cpi_pg_is_open(&relay->pg);
    cp_code code = relay_announce(relay, events, err);
    if (code != CP_OK && was_open && !cpi_pg_is_open(&relay->pg)) {
        code = relay_announce(relay, events, err);
    }
    return code;
}

void cpi_relay_send(struct cpi_relay *relay, struct cpi_events *events)
{
    /* What was routed here may have come after the resync with which the other one took over. */
    relay->unannounced += relay->routed;
    relay->routed = 0;
    if (events->count == 0 && relay->unannounced == 0) {
        return;
    }
    cp_error err = {0};
    bool is_due = cpi_now_ms() >= relay->retry_at_ms;
    if (is_due && announce_again(relay, events, &err) == CP_OK) {
        cpi_backoff_reset(&relay->backoff);
        cpi_outage_end(&relay->outage, &relay->env->log, relay->env->postgres_host, "relay: announcing again");
        return;
    }
    relay->unannounced += events->count;
    cpi_events_truncate(events, 0, relay->env->config->entities);
    if (is_due) {
        relay_note_failure(relay, &err);
    }
}

int cpi_relay_due_ms(const struct cpi_relay *relay)
{
    return relay->unannounced + relay->routed > 0 ? cpi_left_ms(relay->retry_at_ms) : -1;
}

void cpi_relay_finish(struct cpi_relay *relay)
{
    relay->pg.cancel_fd = relay->env->stop->grace_fd;
    relay->retry_at_ms = 0;
}

uint64_t cpi_relay_owed(const struct cpi_relay *relay, bool is_taken)
{
    return relay->unannounced + (is_taken ? relay->routed : 0);
}
