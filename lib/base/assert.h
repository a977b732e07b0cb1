/*
 * CPI_ASSERT: a condition that only a mistake in this library can make false. On in every build, since a mistake that
 * is found by a stale document is found too late; so it stands where a comparison costs nothing beside the work.
 *
 * Never for what comes from outside (payloads, replies, configuration, a full disk, no memory): that is an error, which
 * travels up as a cp_error. Sizes and orders that are known when compiling are for _Static_assert.
 */
#ifndef CPI_ASSERT_H
#define CPI_ASSERT_H

#include <pthread.h>
#include <stdbool.h>

/* Evaluates the condition once. Where it is false, writes one line to stderr (file, line, condition) and aborts. */
#define CPI_ASSERT(condition)                                                                                          \
    ((__builtin_expect(!(condition), 0)) ? cpi_assert_failed(__FILE__, __LINE__, #condition) : (void)0)

_Noreturn void cpi_assert_failed(const char *file, int line, const char *condition) __attribute__((cold));

/* The one thread that may use a structure: the first that does. Zero: nobody has yet. */
struct cpi_owner {
    pthread_t thread;
    bool known;
};

/* Says that the structure belongs to the calling thread. Fails when it belongs to another one. */
static inline void cpi_owner_check(struct cpi_owner *owner)
{
    if (!owner->known) {
        *owner = (struct cpi_owner){.thread = pthread_self(), .known = true};
    }
    CPI_ASSERT(pthread_equal(owner->thread, pthread_self()));
}

#endif
