#include "util.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

enum { LOOK_MS = 5 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int64_t began_ms;
static char first_reason[1024];
static atomic_bool blamed;

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((constructor)) static void begin(void)
{
    began_ms = now_ms();
}

double elapsed_s(int64_t at_ms)
{
    return (double)(at_ms - began_ms) / 1000.0;
}

/* splitmix64 */
uint32_t roll(uint64_t *state, uint32_t sides)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(((z ^ (z >> 31)) >> 32) * sides >> 32);
}

int slowness(void)
{
#ifdef SANITIZED
    return 2;
#else
    return 1;
#endif
}

bool wait_until(bool (*holds)(void *context), void *context, int timeout_ms)
{
    int64_t until_ms = now_ms() + timeout_ms;
    while (!holds(context)) {
        if (now_ms() > until_ms) {
            return false;
        }
        poll(NULL, 0, LOOK_MS);
    }
    return true;
}

/* ---- telling ---- */

/* The wall clock too: it is what the servers' and the daemon's logs show. */
static void write_line(const char *mark, const char *format, va_list arguments)
{
    char line[1024];
    vsnprintf(line, sizeof line, format, arguments);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm local;
    localtime_r(&now.tv_sec, &local);
    printf("%7.3f  %02d:%02d:%02d.%03ld  %s%s\n", elapsed_s(now_ms()), local.tm_hour, local.tm_min, local.tm_sec,
           now.tv_nsec / 1000000, mark, line);
    fflush(stdout);
}

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&mutex);
    write_line("", format, arguments);
    pthread_mutex_unlock(&mutex);
    va_end(arguments);
}

void blame(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    pthread_mutex_lock(&mutex);
    write_line("FAILED: ", format, arguments);
    if (!atomic_load(&blamed)) {
        vsnprintf(first_reason, sizeof first_reason, format, again);
        atomic_store(&blamed, true);
    }
    pthread_mutex_unlock(&mutex);
    va_end(again);
    va_end(arguments);
}

bool is_blamed(void)
{
    return atomic_load(&blamed);
}

const char *reason(void)
{
    return first_reason; /* written once, before is_blamed() turns true */
}

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line("the test itself has failed: ", format, arguments);
    va_end(arguments);
    _Exit(2);
}

void format_into(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= size) {
        die("too long: %s", buffer);
    }
}
