#include "results/results.h"

#include "base/abi.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/pulse.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <unistd.h>

enum { DOCUMENT_BYTES = 16 << 20, LOG_BYTES = 1 << 20, STATE_BYTES = 64 << 10 };
enum { DEFAULT_KINDS = CP_RESULTS_DOCUMENTS | CP_RESULTS_STATES | CP_RESULTS_ERRORS };

struct cp_results {
    int fd;
    pid_t process; /* that made it */
    unsigned kinds;
    bool holds;
    bool with_bytes;

    /* What the host has taken; its thread's. */
    struct cpi_item *taken;
    cp_result taken_result; /* of dropped ones */
    cp_dropped taken_dropped;

    pthread_mutex_t mutex;  /* over all below, and writing to and reading from fd */
    pthread_cond_t changed; /* there may be room, or no reason to wait any more */
    struct cpi_item *first;
    struct cpi_item *last;
    cp_dropped before_first;
    cp_dropped dropped; /* of all time */
    size_t room[CP_RESULT_KINDS];
    size_t used[CP_RESULT_KINDS];
    uint64_t waiting;
    unsigned held;
    unsigned users;
    bool is_full; /* documents wait until half of their room is free */
    bool is_readable;
    bool is_closed; /* by the host */
};

/* ---- from its making to its end ---- */

static void init_locks(struct cp_results *results)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&results->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&results->mutex, NULL);
}

static cp_code check_options(const cp_results_options *wanted, cp_error *err)
{
    static const unsigned known = CP_RESULTS_DOCUMENTS | CP_RESULTS_STATES | CP_RESULTS_ERRORS | CP_RESULTS_LOG;
    if ((wanted->kinds & ~known) != 0) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "cp_results_options.kinds is 0x%x; known are the bits of 0x%x",
                         wanted->kinds, known);
    }
    if (wanted->when_full != CP_RESULTS_DROP && wanted->when_full != CP_RESULTS_HOLD) {
        return cpi_error(err, CP_ERR_ARGUMENT, false,
                         "cp_results_options.when_full is %d; it is CP_RESULTS_DROP or CP_RESULTS_HOLD",
                         (int)wanted->when_full);
    }
    return CP_OK;
}

cp_results *cp_results_create(const cp_results_options *options, cp_error *err)
{
    cp_results_options wanted = {.size = sizeof wanted};
    if ((options != NULL && cpi_abi_read(&wanted, sizeof wanted, options, "cp_results_options", err) != CP_OK) ||
        check_options(&wanted, err) != CP_OK) {
        return NULL;
    }
    struct cp_results *results = calloc(1, sizeof *results);
    if (results == NULL) {
        cpi_error_memory(err);
        return NULL;
    }
    results->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (results->fd < 0) {
        cpi_error(err, CP_ERR_SYSTEM, true, "eventfd: %s", strerror(errno));
        free(results);
        return NULL;
    }
    init_locks(results);
    results->process = getpid();
    results->kinds = wanted.kinds != 0 ? wanted.kinds : DEFAULT_KINDS;
    results->holds = wanted.when_full == CP_RESULTS_HOLD;
    results->with_bytes = !wanted.without_bytes;
    results->room[CP_RESULT_DOCUMENT] = wanted.max_bytes != 0 ? wanted.max_bytes : DOCUMENT_BYTES;
    results->room[CP_RESULT_STATE] = STATE_BYTES;
    results->room[CP_RESULT_LOG] = LOG_BYTES;
    return results;
}

static void free_items(struct cpi_item *item)
{
    while (item != NULL) {
        struct cpi_item *next = item->next;
        free(item);
        item = next;
    }
}

/* Once neither host nor syncers have it. */
static void free_results(struct cp_results *results)
{
    free_items(results->first);
    pthread_cond_destroy(&results->changed);
    pthread_mutex_destroy(&results->mutex);
    free(results);
}

void cp_results_destroy(cp_results *results)
{
    if (results == NULL) {
        return;
    }
    if (results->process != getpid()) {
        close(results->fd);
        return;
    }
    free(results->taken);
    pthread_mutex_lock(&results->mutex);
    close(results->fd);
    results->is_closed = true;
    bool is_used = results->users > 0;
    pthread_cond_broadcast(&results->changed);
    pthread_mutex_unlock(&results->mutex);
    if (!is_used) {
        free_results(results);
    }
}

static cp_code check_process(const struct cp_results *results, cp_error *err)
{
    if (results == NULL) {
        return cpi_error(err, CP_ERR_ARGUMENT, false, "results is NULL");
    }
    return results->process == getpid()
               ? CP_OK
               : cpi_error(err, CP_ERR_ARGUMENT, false,
                           "the results belong to process %lld; after a fork they can only be destroyed",
                           (long long)results->process);
}

cp_code cpi_results_join(struct cp_results *results, cp_error *err)
{
    cp_code code = check_process(results, err);
    if (code == CP_OK) {
        pthread_mutex_lock(&results->mutex);
        results->users++;
        pthread_mutex_unlock(&results->mutex);
    }
    return code;
}

void cpi_results_leave(struct cp_results *results)
{
    pthread_mutex_lock(&results->mutex);
    results->users--;
    bool is_done = results->is_closed && results->users == 0;
    pthread_mutex_unlock(&results->mutex);
    if (is_done) {
        free_results(results);
    }
}

bool cpi_results_wants(const struct cp_results *results, cp_result_kind kind)
{
    static const unsigned kinds[CP_RESULT_KINDS] = {[CP_RESULT_DOCUMENT] = CP_RESULTS_DOCUMENTS,
                                                    [CP_RESULT_STATE] = CP_RESULTS_STATES,
                                                    [CP_RESULT_LOG] = CP_RESULTS_ERRORS | CP_RESULTS_LOG};
    return (results->kinds & kinds[kind]) != 0;
}

bool cpi_results_wants_log(const struct cp_results *results, cp_level level)
{
    return (results->kinds & (level <= CP_LOG_WARN ? CP_RESULTS_ERRORS | CP_RESULTS_LOG : CP_RESULTS_LOG)) != 0;
}

/* ---- with the mutex held ---- */

static bool is_any(const cp_dropped *dropped)
{
    return dropped->documents > 0 || dropped->states > 0 || dropped->log > 0;
}

static void update_readable(struct cp_results *results)
{
    bool is_something = results->first != NULL || is_any(&results->before_first);
    eventfd_t count;
    if (is_something && !results->is_readable) {
        eventfd_write(results->fd, 1);
    } else if (!is_something && results->is_readable) {
        eventfd_read(results->fd, &count);
    }
    results->is_readable = is_something;
}

static void count_dropped(cp_dropped *dropped, cp_result_kind kind)
{
    dropped->documents += kind == CP_RESULT_DOCUMENT;
    dropped->states += kind == CP_RESULT_STATE;
    dropped->log += kind == CP_RESULT_LOG;
}

static void drop(struct cp_results *results, cp_result_kind kind)
{
    count_dropped(results->last != NULL ? &results->last->dropped : &results->before_first, kind);
    count_dropped(&results->dropped, kind);
    update_readable(results);
}

static void release(struct cp_results *results, cp_result_kind kind, size_t bytes)
{
    results->used[kind] -= bytes;
    if (results->is_full && results->used[CP_RESULT_DOCUMENT] <= results->room[CP_RESULT_DOCUMENT] / 2) {
        results->is_full = false;
        pthread_cond_broadcast(&results->changed);
    }
}

static bool may_hold(const struct cp_results *results, const struct cpi_stop *stop)
{
    return results->holds && !results->is_closed && cpi_stop_phase(stop) == CPI_RUNNING;
}

/* Comes back once there is room, or no reason to wait. Those that wait are all let in at half of the room, so that they
 * and the host do not take turns for each document, and none is overtaken for ever. */
static void wait_for_room(struct cp_results *results, const struct cpi_stop *stop)
{
    size_t *used = &results->used[CP_RESULT_DOCUMENT];
    if (!results->is_full && *used < results->room[CP_RESULT_DOCUMENT]) {
        return;
    }
    cpi_pulse_waits(CP_WAIT_HOST);
    results->held++;
    while ((results->is_full || *used >= results->room[CP_RESULT_DOCUMENT]) && may_hold(results, stop)) {
        int64_t until_ms = cpi_now_ms() + CPI_PULSE_EVERY_MS;
        struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
        results->is_full = true;
        pthread_cond_timedwait(&results->changed, &results->mutex, &until);
        cpi_pulse_beat();
    }
    results->held--;
    cpi_pulse_waits(CP_WAIT_NONE);
}

/* ---- filling it ---- */

/* Takes room for a result. False: there is none, and it counts as dropped, or nobody wants it. */
static bool reserve_room(struct cp_results *results, cp_result_kind kind, size_t bytes, const struct cpi_stop *stop)
{
    pthread_mutex_lock(&results->mutex);
    if (kind == CP_RESULT_DOCUMENT && may_hold(results, stop)) {
        wait_for_room(results, stop);
    }
    bool has_room = !results->is_closed && results->used[kind] < results->room[kind];
    if (has_room) {
        results->used[kind] += bytes;
    } else if (!results->is_closed) {
        drop(results, kind);
    }
    pthread_mutex_unlock(&results->mutex);
    return has_room;
}

static void append_item(struct cp_results *results, struct cpi_item *item)
{
    pthread_mutex_lock(&results->mutex);
    if (results->is_closed) {
        release(results, item->result.kind, item->bytes);
    } else {
        *(results->last != NULL ? &results->last->next : &results->first) = item;
        results->last = item;
        results->waiting++;
        update_readable(results);
        item = NULL;
    }
    pthread_mutex_unlock(&results->mutex);
    free(item);
}

/* There was no memory for what had been reserved. */
static void give_up(struct cp_results *results, cp_result_kind kind, size_t bytes, bool is_dropped)
{
    pthread_mutex_lock(&results->mutex);
    release(results, kind, bytes);
    if (is_dropped && !results->is_closed) {
        drop(results, kind);
    }
    pthread_mutex_unlock(&results->mutex);
}

bool cpi_results_put_document(struct cp_results *results, cp_syncer *syncer, const struct cpi_stop *stop,
                              const cp_document *document)
{
    size_t bytes = cpi_item_document_bytes(document, results->with_bytes);
    if (!reserve_room(results, CP_RESULT_DOCUMENT, bytes, stop)) {
        return true;
    }
    struct cpi_item *item = cpi_item_of_document(syncer, document, results->with_bytes);
    if (item == NULL) {
        give_up(results, CP_RESULT_DOCUMENT, bytes, false);
        return false;
    }
    append_item(results, item);
    return true;
}

/* Neither messages nor states wait: whoever tells of something may hold up others. */
static void put_at_once(struct cp_results *results, cp_result_kind kind, size_t bytes, struct cpi_item *item)
{
    if (item == NULL) {
        give_up(results, kind, bytes, true);
    } else {
        append_item(results, item);
    }
}

void cpi_results_put_log(struct cp_results *results, cp_syncer *syncer, const cp_log_entry *entry)
{
    size_t bytes = cpi_item_log_bytes(entry);
    if (reserve_room(results, CP_RESULT_LOG, bytes, NULL)) {
        put_at_once(results, CP_RESULT_LOG, bytes, cpi_item_of_log(syncer, entry));
    }
}

void cpi_results_put_state(struct cp_results *results, cp_syncer *syncer, const cp_health *health)
{
    size_t bytes = cpi_item_state_bytes();
    if (reserve_room(results, CP_RESULT_STATE, bytes, NULL)) {
        put_at_once(results, CP_RESULT_STATE, bytes, cpi_item_of_state(syncer, health));
    }
}

void cpi_results_wake(struct cp_results *results)
{
    pthread_mutex_lock(&results->mutex);
    pthread_cond_broadcast(&results->changed);
    pthread_mutex_unlock(&results->mutex);
}

/* ---- emptying it ---- */

int cp_results_fd(const cp_results *results)
{
    return check_process(results, NULL) == CP_OK ? results->fd : -1;
}

static const cp_result *take_dropped(struct cp_results *results)
{
    results->taken_dropped = results->before_first;
    results->taken_dropped.size = sizeof results->taken_dropped;
    results->before_first = (cp_dropped){.documents = 0};
    results->taken_result = (cp_result){
        .size = sizeof results->taken_result, .kind = CP_RESULT_DROPPED, .dropped = &results->taken_dropped};
    return &results->taken_result;
}

static const cp_result *take_first(struct cp_results *results)
{
    struct cpi_item *item = results->first;
    results->first = item->next;
    results->last = item->next != NULL ? results->last : NULL;
    results->before_first = item->dropped;
    results->waiting--;
    release(results, item->result.kind, item->bytes);
    results->taken = item;
    return &item->result;
}

const cp_result *cp_results_next(cp_results *results)
{
    const cp_result *result = NULL;
    if (check_process(results, NULL) != CP_OK) {
        return NULL;
    }
    free(results->taken);
    results->taken = NULL;
    pthread_mutex_lock(&results->mutex);
    if (is_any(&results->before_first)) {
        result = take_dropped(results);
    } else if (results->first != NULL) {
        result = take_first(results);
    }
    update_readable(results);
    pthread_mutex_unlock(&results->mutex);
    return result;
}

cp_code cp_results_look(cp_results *results, cp_results_usage *usage, cp_error *err)
{
    cp_code code = check_process(results, err);
    code = code == CP_OK ? cpi_abi_check(usage, "cp_results_usage", err) : code;
    if (code != CP_OK) {
        return code;
    }
    pthread_mutex_lock(&results->mutex);
    const size_t *used = results->used;
    cp_results_usage own = {.size = sizeof own,
                            .waiting = results->waiting,
                            .bytes = used[CP_RESULT_DOCUMENT] + used[CP_RESULT_STATE] + used[CP_RESULT_LOG],
                            .held = results->held,
                            .dropped_documents = results->dropped.documents,
                            .dropped_states = results->dropped.states,
                            .dropped_log = results->dropped.log};
    pthread_mutex_unlock(&results->mutex);
    cpi_abi_write(usage, &own, sizeof own);
    return CP_OK;
}
