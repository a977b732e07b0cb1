#include "base/clock.h"
#include "base/error.h"
#include "base/thread.h"
#include "syncer_internal.h"

#include <stdlib.h>
#include <unistd.h>

/* What exit() waits for threads: they end at once, but for one that a callback holds, or a call that hangs. */
enum { EXIT_WAIT_MS = 5000 };

/* The thread that exit() has stop them, which is none of a syncer's. */
#define STOPPER "cp-exit"

/* ---- the syncers of this process, for exit() alone ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* over the list; held while exit() stops what is in it */
static struct cp_syncer *syncers;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_once_t once_forks = PTHREAD_ONCE_INIT;

static void lock_list(void)
{
    pthread_mutex_lock(&mutex);
}

static void unlock_list(void)
{
    pthread_mutex_unlock(&mutex);
}

/* So that a child, which may make syncers of its own, does not find it locked by a thread that it does not have. */
static void hold_while_forking(void)
{
    pthread_atfork(lock_list, unlock_list, unlock_list);
}

void cpi_syncer_enter(struct cp_syncer *syncer)
{
    pthread_once(&once_forks, hold_while_forking);
    lock_list();
    syncer->next = syncers;
    syncers = syncer;
    unlock_list();
}

void cpi_syncer_leave(struct cp_syncer *syncer)
{
    lock_list();
    struct cp_syncer **at = &syncers;
    while (*at != syncer) {
        at = &(*at)->next;
    }
    *at = syncer->next;
    unlock_list();
}

/* ---- exit() ---- */

static bool is_of_this_process(const struct cp_syncer *syncer)
{
    return syncer->process == getpid();
}

/* All are told before any is waited for. */
static void *stop_all(void *context)
{
    (void)context;
    lock_list();
    for (struct cp_syncer *syncer = syncers; syncer != NULL; syncer = syncer->next) {
        if (is_of_this_process(syncer)) {
            cpi_stop_drain(&syncer->stop, 0);
        }
    }
    for (struct cp_syncer *syncer = syncers; syncer != NULL; syncer = syncer->next) {
        if (is_of_this_process(syncer)) {
            cpi_thread_tell_start(&syncer->env.hooks, STOPPER);
            cp_syncer_stop(syncer, 0, NULL);
            cpi_thread_tell_end(&syncer->env.hooks, STOPPER);
        }
    }
    unlock_list();
    return NULL;
}

/* In a thread of its own, so that what does not end holds up nobody for ever: without a thread, or after the time, the
 * process ends with threads running, as it would without us. */
static void stop_at_exit(void)
{
    static struct cpi_thread thread; /* which may outlast this */
    bool any = false;
    lock_list();
    for (const struct cp_syncer *syncer = syncers; syncer != NULL; syncer = syncer->next) {
        any = any || is_of_this_process(syncer);
    }
    unlock_list();
    if (any && cpi_thread_start(&thread, NULL, STOPPER, stop_all, NULL, NULL) == CP_OK) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += EXIT_WAIT_MS / 1000;
        pthread_timedjoin_np(thread.id, NULL, &until);
    }
}

static void register_at_exit(void)
{
    atexit(stop_at_exit);
}

void cpi_syncer_stop_at_exit(void)
{
    pthread_once(&once, register_at_exit);
}

/* ---- a forked child ---- */

cp_code cpi_syncer_check_process(const struct cp_syncer *syncer, cp_error *err)
{
    if (syncer == NULL) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "the syncer is NULL");
    }
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
