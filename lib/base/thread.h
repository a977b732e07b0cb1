/* Starting and joining the library's threads. */
#ifndef CPI_THREAD_H
#define CPI_THREAD_H

#include "cachepusher.h"

#include <pthread.h>

/*
 * How large a thread's stack is, whatever the program's limit (8 MiB mostly, of which each thread of 64 would reserve
 * as much; with musl a sixtieth of it). 256 KiB are the library's and what it calls, the rest is for callbacks:
 * callbacks.h promises 768 KiB. The deepest use measured was 22 KiB (embed.manners, case stack: TLS and a password),
 * and 28 KiB where libpq has a Kerberos ticket to try, by hand with a KDC of the test's own: 27 with GSS encryption and
 * a ticket for the service asked of the KDC, 28 where the KDC is looked up in DNS and not found.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CPI_THREAD_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(CPI_THREAD_SANITIZED)
enum { CPI_THREAD_STACK_BYTES = 4 << 20 };
#else
enum { CPI_THREAD_STACK_BYTES = 1 << 20 };
#endif

/* What a host is told of the threads of its syncer; zero: nothing. */
struct cpi_thread_hooks {
    void (*start)(void *context, const char *name);
    void (*end)(void *context, const char *name);
    void *context;
};

/* The first and the last that a thread does, and whoever runs the host's callbacks in a thread of nobody's. */
void cpi_thread_tell_start(const struct cpi_thread_hooks *hooks, const char *name);
void cpi_thread_tell_end(const struct cpi_thread_hooks *hooks, const char *name);

struct cpi_thread {
    pthread_t id;
    const struct cpi_thread_hooks *hooks;
    const char *name;
    void *(*body)(void *);
    void *context;
    bool started;
};

/* Runs body(context) in a thread called name (15 bytes at most), with every signal blocked: signals belong to the
 * embedder, and hiredis would raise SIGPIPE on a dead socket. hooks may be NULL; they and name outlive the thread, and
 * *thread its first steps. */
cp_code cpi_thread_start(struct cpi_thread *thread, const struct cpi_thread_hooks *hooks, const char *name,
                         void *(*body)(void *), void *context, cp_error *err);

/* Waits for the thread to end, if it was started. */
void cpi_thread_join(struct cpi_thread *thread);

#endif
