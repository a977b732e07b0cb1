#include "source/listener.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "queue/live_feed.h"
#include "source/asking.h"
#include "source/confirming.h"
#include "source/detour.h"
#include "source/flush.h"
#include "source/relay.h"
#include "source/routing.h"
#include "source/ticketing.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BACKLOG_LOOK_MS = 5, /* at full rings: a worker empties one in about the time of a batch */
    RETRY_BASE_MS = 50,
    RETRY_CAP_MS = 2000
};

struct cpi_listener {
    const struct cpi_env *env;
    struct cpi_inbox *inbox;
    struct cpi_thread thread;
    struct cpi_pulse pulse;
    struct cpi_source *source;

    /* All below belongs to the thread. */
    struct cpi_arrivals arrivals; /* empty between cycles */
    struct cpi_events enqueued;   /* by hand; empty between cycles */
    struct cpi_live_feed *live_feed;
    struct cpi_relay relay;
    struct cpi_backoff backoff;
    int64_t retry_at_ms;
    uint64_t term; /* of the lease, when the source was opened */
    struct cpi_confirming confirming;
    bool has_backlog;  /* the live feed holds something, perhaps: its next flush tells */
    bool is_listening; /* the source is open */
    bool has_listened; /* once at least */
    bool has_flushed;  /* if that is configured, and made sure of what is left */
    struct cpi_outage outage;
    char why[sizeof((cp_error *)NULL)->message]; /* its reason, as last logged; another one is logged, too */
    struct cpi_asking asking;
    struct cpi_detour detour;
};

/* ---- into the lanes ---- */

static void ask_for_resync(struct cpi_listener *listener, uint32_t entity, cp_cause cause)
{
    cpi_requests_resync(listener->env->requests, entity, cause);
}

static void route(struct cpi_listener *listener, struct cpi_events *events)
{
    cpi_detour_send(&listener->detour, events);
    listener->has_backlog =
        cpi_route(listener->env, listener->live_feed, &listener->asking, events) || listener->has_backlog;
}

static void note_lost(struct cpi_listener *listener, uint32_t entity)
{
    cpi_stats_add(listener->env->stats, CPI_STAT_OVERFLOWS, 1);
    cpi_log(&listener->env->log, CP_LOG_ERROR, "out of memory for an event: requesting a resync");
    ask_for_resync(listener, entity, CP_CAUSE_OVERFLOW);
}

static void note_asked(struct cpi_listener *listener, uint32_t entity, enum cpi_asked kind, bool *arrived)
{
    if (*arrived) {
        cpi_asking_note(&listener->asking, entity, kind);
    }
    *arrived = false;
}

/* The workers are woken once for all of it. What came before a barrier has to be before it in the lanes. */
static void take_arrivals(struct cpi_listener *listener)
{
    struct cpi_arrivals *arrivals = &listener->arrivals;
    route(listener, &arrivals->events);
    for (uint32_t e = 0; e < listener->env->config->entity_count; e++) {
        note_asked(listener, e, CPI_ASKED_EVERYTHING, &arrivals->everything[e]);
        note_asked(listener, e, CPI_ASKED_AGAIN, &arrivals->again[e]);
        note_asked(listener, e, CPI_ASKED_UNREADABLE, &arrivals->unreadable[e]);
        if (arrivals->lost[e]) {
            note_lost(listener, e);
        }
        arrivals->lost[e] = false;
    }
    cpi_asking_request(&listener->asking, false);
    if (arrivals->barrier != 0) {
        cpi_detour_barrier(&listener->detour, arrivals->barrier);
        listener->has_backlog = true;
        arrivals->barrier = 0;
    }
    cpi_confirming_offer(&listener->confirming, arrivals->position);
    arrivals->position = 0;
}

static void take_mapped(struct cpi_listener *listener)
{
    listener->has_backlog = cpi_detour_take(&listener->detour, &listener->confirming) || listener->has_backlog;
}

static void put_position(struct cpi_listener *listener)
{
    int64_t number = cpi_confirming_put(&listener->confirming, listener->env->requests);
    if (number != 0) {
        cpi_detour_position(&listener->detour, number);
        listener->has_backlog = true;
    }
}

/* ---- listening ---- */

static void set_listening(struct cpi_listener *listener, bool listening)
{
    listener->is_listening = listening;
    cpi_stats_heard(listener->env->stats, listening ? cpi_now_ms() : 0);
    cpi_requests_set_listening(listener->env->requests, listening);
    cpi_stats_set(listener->env->stats, CPI_STAT_LISTENING, listening);
}

static void stop_listening(struct cpi_listener *listener)
{
    set_listening(listener, false);
    listener->source->ops->close(listener->source);
    cpi_confirming_forget(&listener->confirming);
    cpi_tickets_lose(listener->env->tickets);
}

static void listener_note_failure(struct cpi_listener *listener, const cp_error *why)
{
    const struct cpi_env *env = listener->env;
    stop_listening(listener);
    listener->retry_at_ms = cpi_now_ms() + cpi_backoff_next(&listener->backoff);
    cpi_stats_add(env->stats, CPI_STAT_RETRIES, 1);
    cpi_stats_add_error(env->stats, why);
    cpi_pulse_fails(why);
    if (cpi_stop_phase(env->stop) == CPI_RUNNING) {
        bool is_first = cpi_outage_note(&listener->outage);
        if (is_first || strcmp(listener->why, why->message) != 0) {
            cpi_log_repeated(&env->log, CPI_REPEAT_LISTENER, NULL, CP_LOG_WARN,
                             &(struct cpi_log_about){.host = cpi_env_host(env, why->code)},
                             "listener: %s; connecting again", why->message);
        }
        snprintf(listener->why, sizeof listener->why, "%s", why->message);
    }
}

static bool flush_once(struct cpi_listener *listener, cp_error *err)
{
    listener->has_flushed = listener->has_flushed || cpi_flush(listener->env, err) == CP_OK;
    return listener->has_flushed;
}

/* Whoever had the lease before may have left anything, whatever the warm-up is meant to be; and what was committed
 * while we did not listen has been missed. */
static void ask_for_what_was_missed(struct cpi_listener *listener, bool resumed)
{
    bool owes = cpi_relay_owed(&listener->relay, false) > 0;
    cpi_relay_reset(&listener->relay);
    if (resumed) {
        cpi_requests_resync(listener->env->requests, CPI_NO_ENTITY, CP_CAUSE_RESUME);
        if (owes) { /* what the writer before us has not heard of is in no source */
            ask_for_resync(listener, CPI_ALL_ENTITIES, CP_CAUSE_LISTENER);
        }
        listener->has_listened = true;
        return;
    }
    if (listener->has_listened || listener->term > 1 || cpi_lease_was_taken(listener->env->lease)) {
        ask_for_resync(listener, CPI_ALL_ENTITIES, CP_CAUSE_LISTENER);
    }
    if (!listener->has_listened) {
        ask_for_resync(listener, CPI_ALL_ENTITIES, CP_CAUSE_START);
    }
    listener->has_listened = true;
}

/* The order is what the argument in ARCHITECTURE rests on: the lease, its term, listening, the resync. Flushing comes
 * before anything is asked for, so that it takes away nothing newer. */
static void begin_to_listen(struct cpi_listener *listener)
{
    cp_error err = {0};
    uint64_t term = cpi_lease_term(listener->env->lease);
    bool resumed = false;
    if (!flush_once(listener, &err) || listener->source->ops->open(listener->source, &resumed, &err) != CP_OK) {
        listener_note_failure(listener, &err);
        return;
    }
    cpi_pulse_succeeds();
    cpi_outage_end(&listener->outage, &listener->env->log, listener->env->postgres_host, "listener: listening again");
    cpi_backoff_reset(&listener->backoff);
    cpi_stats_add(listener->env->stats, CPI_STAT_RECONNECTS, listener->has_listened);
    listener->term = term;
    ask_for_what_was_missed(listener, resumed);
    set_listening(listener, true);
}

/* Another syncer is the writer, and hears what we would. */
static void listener_stand_by(struct cpi_listener *listener)
{
    if (listener->is_listening) {
        stop_listening(listener);
    }
    cpi_asking_forget(&listener->asking);
    cpi_detour_forget(&listener->detour);
    if (!listener->has_flushed && listener->env->config->flush) {
        cpi_log(&listener->env->log, CP_LOG_WARN, "flush skipped: another cachepusher is the writer");
        listener->has_flushed = true; /* a takeover in the middle of the night is no time to flush */
    }
    cpi_pulse_succeeds();
    listener->outage = (struct cpi_outage){.tries = 0};
}

/* A new term means another session of the lease, perhaps in another database than the one we listen to, and another
 * syncer may have written in between: begin again. While it is not known who writes, listening goes on, and is not
 * begun. */
static void follow_lease(struct cpi_listener *listener)
{
    struct cpi_lease *lease = listener->env->lease;
    bool is_standby = cpi_lease_state(lease) == CPI_LEASE_TAKEN;
    cpi_tickets_stand_by(listener->env->tickets, is_standby);
    if (is_standby) {
        listener_stand_by(listener);
        return;
    }
    if (listener->is_listening && cpi_lease_term(lease) != listener->term) {
        stop_listening(listener);
    }
    if (!listener->is_listening && cpi_lease_is_held(lease) && cpi_now_ms() >= listener->retry_at_ms) {
        begin_to_listen(listener);
    }
}

static void read_source(struct cpi_listener *listener)
{
    cp_error err = {0};
    if (!listener->is_listening) {
        return;
    }
    listener->arrivals.room = cpi_detour_room(&listener->detour);
    cp_code code = listener->source->ops->read(listener->source, &listener->arrivals, &err);
    take_arrivals(listener);
    if (code != CP_OK) {
        listener_note_failure(listener, &err);
    }
}

/* ---- what is enqueued by hand ---- */

static void deal_with_enqueued(struct cpi_listener *listener)
{
    if (cpi_requests_take_relay(listener->env->requests)) {
        cpi_relay_note_resync(&listener->relay);
    }
    if (cpi_lease_state(listener->env->lease) == CPI_LEASE_TAKEN) {
        cpi_relay_send(&listener->relay, &listener->enqueued);
    } else {
        if (listener->enqueued.count > 0) {
            cpi_requests_note_enqueued(listener->env->requests);
        }
        cpi_relay_note_routed(&listener->relay, listener->enqueued.count);
        route(listener, &listener->enqueued);
    }
}

/* What is enqueued before a flush would be stored and then deleted by it. */
static bool may_take_inbox(const struct cpi_listener *listener)
{
    return listener->has_flushed || !listener->env->config->flush;
}

/* ---- the thread ---- */

static bool has_work(struct cpi_listener *listener)
{
    const struct cpi_env *env = listener->env;
    bool has_lease = cpi_lease_is_held(env->lease);
    bool new_term = listener->is_listening && cpi_lease_term(env->lease) != listener->term;
    bool may_listen = has_lease && !listener->is_listening && cpi_now_ms() >= listener->retry_at_ms;
    bool must_not = listener->is_listening && cpi_lease_state(env->lease) == CPI_LEASE_TAKEN;
    return new_term || may_listen || must_not || cpi_requests_has_for_listener(env->requests) ||
           (may_take_inbox(listener) && !cpi_inbox_is_empty(listener->inbox)) ||
           cpi_ticketing_has_work(env, &listener->asking, listener->is_listening) ||
           cpi_detour_has_come(&listener->detour) || cpi_stop_phase(env->stop) != CPI_RUNNING;
}

static int sooner(int a_ms, int b_ms)
{
    return a_ms < 0 || (b_ms >= 0 && b_ms < a_ms) ? b_ms : a_ms;
}

/* Milliseconds until there is something to do by itself; -1: never. */
static int listener_due_ms(const struct cpi_listener *listener)
{
    bool stands_by = cpi_lease_state(listener->env->lease) == CPI_LEASE_TAKEN; /* no worker empties a ring then */
    bool looks = listener->has_backlog || cpi_detour_is_held_up(&listener->detour);
    int due = looks && !stands_by ? BACKLOG_LOOK_MS : -1;
    if (listener->is_listening) {
        due = sooner(due, listener->source->ops->due_ms(listener->source));
        due = sooner(due, cpi_confirming_due_ms(&listener->confirming));
        due = sooner(due, cpi_asking_due_ms(&listener->asking));
    } else if (cpi_lease_is_held(listener->env->lease)) {
        due = sooner(due, cpi_left_ms(listener->retry_at_ms));
    } else if (stands_by) {
        due = sooner(due, cpi_relay_due_ms(&listener->relay));
    }
    return due;
}

/* Sleeps until the source has something, somebody has rung, or it is time to look again. */
static void listener_rest(struct cpi_listener *listener)
{
    struct cpi_bell *bell = &listener->env->requests->listener_bell;
    cpi_bell_arm(bell);
    if (!has_work(listener)) {
        cpi_bell_sleep(bell, listener->is_listening ? listener->source->ops->fd(listener->source) : -1,
                       listener_due_ms(listener));
    }
    cpi_bell_disarm(bell);
}

static void listener_finish(struct cpi_listener *listener)
{
    cpi_asking_request(&listener->asking, true); /* so that it is known what has not been read again */
    stop_listening(listener);
    cpi_inbox_close(listener->inbox, &listener->enqueued);
    cpi_relay_finish(&listener->relay);
    deal_with_enqueued(listener);
    bool is_done = false;
    while (!is_done && !cpi_stop_grace_passed(listener->env->stop)) {
        bool is_mapped = cpi_detour_is_over(&listener->detour);
        take_mapped(listener);
        is_done = cpi_live_feed_flush(listener->live_feed) && is_mapped;
        poll(NULL, 0, is_done ? 0 : BACKLOG_LOOK_MS);
    }
    cpi_asking_request(&listener->asking, true);
    cpi_relay_close(&listener->relay);
}

static void *run_listener(void *context)
{
    struct cpi_listener *listener = context;
    cpi_pulse_adopt(&listener->pulse);
    while (cpi_stop_phase(listener->env->stop) == CPI_RUNNING) {
        follow_lease(listener);
        /* What was enqueued before a ticket is routed before the ticket's barrier can be read. */
        cpi_ticketing_send(listener->env, listener->is_listening ? listener->source : NULL);
        if (may_take_inbox(listener)) {
            cpi_inbox_take(listener->inbox, &listener->enqueued);
        }
        deal_with_enqueued(listener);
        read_source(listener);
        take_mapped(listener);
        put_position(listener);
        listener->has_backlog = listener->has_backlog && !cpi_live_feed_flush(listener->live_feed);
        cpi_ticketing_look(listener->env, &listener->asking);
        /* Not while a resync that events before it ask for waits: once it is requested, that is known to be owed. */
        if (listener->is_listening && !cpi_asking_holds(&listener->asking, CPI_ASKING_POSITION)) {
            cpi_confirming_look(&listener->confirming, listener->env->requests, &listener->env->lanes,
                                listener->source);
        }
        listener_rest(listener);
    }
    listener_finish(listener);
    cpi_pulse_adopt(NULL);
    return NULL;
}

/* ---- lifecycle ---- */

struct cpi_listener *cpi_listener_create(const struct cpi_env *env, struct cpi_inbox *inbox, struct cpi_source *source,
                                         struct cpi_mapper *mapper, cp_error *err)
{
    struct cpi_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        source->ops->destroy(source);
        cpi_error_memory(err);
        return NULL;
    }
    cpi_pulse_init(&listener->pulse, "cp-listener");
    listener->env = env;
    listener->inbox = inbox;
    listener->source = source;
    cpi_relay_init(&listener->relay, env);
    cpi_backoff_init(&listener->backoff, RETRY_BASE_MS, RETRY_CAP_MS, env->seed ^ 1);
    listener->live_feed = cpi_live_feed_create(&env->lanes);
    bool arrives = cpi_arrivals_init(&listener->arrivals, env->config->entity_count);
    bool asks = cpi_asking_init(&listener->asking, env);
    listener->detour = (struct cpi_detour){.env = env,
                                           .mail = mapper != NULL ? cpi_mapper_mail(mapper) : NULL,
                                           .feed = listener->live_feed,
                                           .asking = &listener->asking};
    if (listener->live_feed == NULL || !arrives || !asks) {
        cpi_listener_destroy(listener);
        cpi_error_memory(err);
        return NULL;
    }
    return listener;
}

cp_code cpi_listener_start(struct cpi_listener *listener, cp_error *err)
{
    return cpi_thread_start(&listener->thread, &listener->env->hooks, "cp-listener", run_listener, listener, err);
}

void cpi_listener_join(struct cpi_listener *listener)
{
    cpi_thread_join(&listener->thread);
}

uint64_t cpi_listener_unsettled(const struct cpi_listener *listener)
{
    return cpi_live_feed_count(listener->live_feed);
}

uint64_t cpi_listener_unannounced(const struct cpi_listener *listener, bool is_taken)
{
    return cpi_relay_owed(&listener->relay, is_taken);
}

struct cpi_pulse *cpi_listener_pulse(struct cpi_listener *listener)
{
    return &listener->pulse;
}

void cpi_listener_destroy(struct cpi_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    cpi_pulse_fini(&listener->pulse);
    const struct cpi_entity *entities = listener->env->config->entities;
    listener->source->ops->destroy(listener->source);
    cpi_relay_close(&listener->relay);
    cpi_live_feed_destroy(listener->live_feed);
    cpi_arrivals_fini(&listener->arrivals, entities);
    cpi_events_fini(&listener->enqueued, entities);
    cpi_asking_fini(&listener->asking);
    cpi_detour_fini(&listener->detour);
    free(listener);
}
