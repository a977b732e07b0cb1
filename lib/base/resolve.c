#include "base/resolve.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/pulse.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Lookups under way in this process, those included that nobody waits for any more. A resolver that hangs would collect
 * a thread for each try. */
enum { LOOKUPS_MAX = 32 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* over lookups, and is_abandoned of each */
static unsigned lookups;

/* Belongs to the thread and to whoever waits for it; freed by the last of them. */
struct lookup {
    struct cpi_thread thread; /* which tells nobody of itself: it may outlive the syncer that it looks up for */
    char *host;
    char port[16];
    int done_fd; /* readable when the thread has finished */
    bool is_abandoned;
    bool is_finished;
    int failure; /* of getaddrinfo(); valid, like the next, when finished */
    struct addrinfo *addresses;
};

static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};

static void lookup_free(struct lookup *lookup)
{
    if (lookup->addresses != NULL) {
        freeaddrinfo(lookup->addresses);
    }
    if (lookup->done_fd >= 0) {
        close(lookup->done_fd);
    }
    free(lookup->host);
    free(lookup);
}

static void *look_up(void *context)
{
    struct lookup *lookup = context;
    struct addrinfo *addresses = NULL;
    int failure = getaddrinfo(lookup->host, lookup->port, &hints, &addresses);
    pthread_mutex_lock(&mutex);
    lookup->failure = failure;
    lookup->addresses = failure == 0 ? addresses : NULL;
    lookup->is_finished = true;
    bool is_abandoned = lookup->is_abandoned;
    if (!is_abandoned) {
        uint64_t one = 1;
        ssize_t written = write(lookup->done_fd, &one, sizeof one); /* an eventfd takes it always */
        (void)written;
    }
    lookups--;
    pthread_mutex_unlock(&mutex);
    if (is_abandoned) {
        lookup_free(lookup);
    }
    return NULL;
}

static bool may_begin(void)
{
    pthread_mutex_lock(&mutex);
    bool may = lookups < LOOKUPS_MAX;
    lookups += may;
    pthread_mutex_unlock(&mutex);
    return may;
}

static cp_code lookup_begin(struct lookup *lookup, cp_error *err)
{
    if (!may_begin()) {
        return cpi_error(err, CP_ERR_SYSTEM, true, "looking up \"%s\": %d lookups are under way already", lookup->host,
                         LOOKUPS_MAX);
    }
    cp_code code = cpi_thread_start(&lookup->thread, NULL, "cp-resolve", look_up, lookup, err);
    if (code != CP_OK) {
        pthread_mutex_lock(&mutex);
        lookups--;
        pthread_mutex_unlock(&mutex);
        return code;
    }
    pthread_detach(lookup->thread.id);
    return CP_OK;
}

/* Waits for the thread, or leaves it to itself. True: it has finished, and the lookup is the caller's alone. */
static bool wait_for_it(struct lookup *lookup, int64_t deadline_ms, int cancel_fd)
{
    struct pollfd fds[] = {{.fd = lookup->done_fd, .events = POLLIN}, {.fd = cancel_fd, .events = POLLIN}};
    int ready;
    int left_ms;
    cpi_pulse_waits(CP_WAIT_NAMES);
    do {
        left_ms = cpi_left_ms(deadline_ms);
        ready = poll(fds, 2, cpi_pulse_slice(left_ms));
        cpi_pulse_beat();
    } while (ready < 0 ? errno == EINTR : ready == 0 && left_ms > 0);
    cpi_pulse_waits(CP_WAIT_NONE);
    pthread_mutex_lock(&mutex);
    bool finished = lookup->is_finished;
    lookup->is_abandoned = !finished;
    pthread_mutex_unlock(&mutex);
    return finished;
}

static cp_code look_up_in_time(struct lookup *lookup, int64_t deadline_ms, int cancel_fd, struct addrinfo **addresses,
                               cp_error *err)
{
    cp_code code = lookup_begin(lookup, err);
    if (code != CP_OK) {
        lookup_free(lookup);
        return code;
    }
    /* Not the lookup's own, which is gone with the thread once it is abandoned. */
    char host[128];
    snprintf(host, sizeof host, "%s", lookup->host);
    if (!wait_for_it(lookup, deadline_ms, cancel_fd)) {
        return cpi_error(err, CP_ERR_SYSTEM, true, "looking up \"%s\": no answer in time", host);
    }
    code = lookup->failure == 0
               ? CP_OK
               : cpi_error(err, CP_ERR_SYSTEM, true, "looking up \"%s\": %s", host, gai_strerror(lookup->failure));
    *addresses = lookup->addresses;
    lookup->addresses = NULL;
    lookup_free(lookup);
    return code;
}

cp_code cpi_resolve(const char *host, int port, int64_t deadline_ms, int cancel_fd, struct addrinfo **addresses,
                    cp_error *err)
{
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    const struct addrinfo numeric = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    if (getaddrinfo(host, service, &numeric, addresses) == 0) {
        return CP_OK;
    }
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL) {
        return cpi_error_memory(err);
    }
    lookup->host = strdup(host);
    memcpy(lookup->port, service, sizeof lookup->port);
    lookup->done_fd = eventfd(0, EFD_CLOEXEC);
    if (lookup->host == NULL || lookup->done_fd < 0) {
        cp_code code = lookup->host == NULL ? cpi_error_memory(err)
                                            : cpi_error(err, CP_ERR_SYSTEM, true, "eventfd: %s", strerror(errno));
        lookup_free(lookup);
        return code;
    }
    return look_up_in_time(lookup, deadline_ms, cancel_fd, addresses, err); // NOLINT(clang-analyzer-unix.Malloc)
}
