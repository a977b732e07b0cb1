#include "failing.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 256 };

enum mode { NONE, NTH, EVERY, EACH_PLACE };

static struct {
    pthread_mutex_t mutex; /* of everything below: any thread allocates */
    enum mode mode;
    unsigned n;
    unsigned seen; /* since the mode was chosen */
    unsigned failed;
    const void *places[PLACES];
    size_t place_count;
} state = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void choose(enum mode mode, unsigned n)
{
    pthread_mutex_lock(&state.mutex);
    state.mode = mode;
    state.n = n;
    state.seen = 0;
    state.failed = 0;
    state.place_count = 0;
    pthread_mutex_unlock(&state.mutex);
}

void fail_nth(unsigned n)
{
    choose(NTH, n);
}

void fail_every(unsigned k)
{
    choose(EVERY, k);
}

void fail_each_place(void)
{
    choose(EACH_PLACE, 0);
}

unsigned fail_none(void)
{
    unsigned failed = failed_so_far();
    choose(NONE, 0);
    return failed;
}

unsigned failed_so_far(void)
{
    pthread_mutex_lock(&state.mutex);
    unsigned failed = state.failed;
    pthread_mutex_unlock(&state.mutex);
    return failed;
}

static bool is_new(const void *place)
{
    for (size_t i = 0; i < state.place_count; i++) {
        if (state.places[i] == place) {
            return false;
        }
    }
    if (state.place_count == PLACES) {
        abort(); /* more than the table was made for */
    }
    state.places[state.place_count++] = place;
    return true;
}

/* Returns whether this one is to fail, which it then does as malloc() would. */
static bool fails(const void *place)
{
    pthread_mutex_lock(&state.mutex);
    state.seen++;
    bool failing = false;
    switch (state.mode) {
    case NONE:
        break;
    case NTH:
        failing = state.seen == state.n;
        break;
    case EVERY:
        failing = state.seen % state.n == 0;
        break;
    case EACH_PLACE:
        failing = is_new(place);
        break;
    }
    state.failed += failing;
    pthread_mutex_unlock(&state.mutex);
    if (failing) {
        errno = ENOMEM;
    }
    return failing;
}

#define FAILS() fails(__builtin_return_address(0))

void *failing_malloc(size_t size)
{
    return FAILS() ? NULL : malloc(size);
}

void *failing_calloc(size_t count, size_t size)
{
    return FAILS() ? NULL : calloc(count, size);
}

void *failing_realloc(void *memory, size_t size)
{
    return FAILS() ? NULL : realloc(memory, size);
}

void *failing_aligned_alloc(size_t alignment, size_t size)
{
    return FAILS() ? NULL : aligned_alloc(alignment, size);
}

char *failing_strdup(const char *text)
{
    return FAILS() ? NULL : strdup(text);
}

char *failing_strndup(const char *text, size_t length)
{
    return FAILS() ? NULL : strndup(text, length);
}

int failing_asprintf(char **text, const char *format, ...)
{
    if (FAILS()) {
        *text = (char *)1; /* not to be used: the manual leaves it undefined */
        return -1;
    }
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(text, format, arguments);
    va_end(arguments);
    return length;
}
