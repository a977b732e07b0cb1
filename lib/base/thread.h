/* Starting and joining the library's threads. */
#ifndef CPI_THREAD_H
#define CPI_THREAD_H

#include "cachepusher.h"

#include <pthread.h>

struct cpi_thread {
    pthread_t id;
    bool started;
};

/* Runs body(context) in a thread called name (15 bytes at most), with every signal blocked: signals belong to the
 * embedder, and hiredis would raise SIGPIPE on a dead socket. */
cp_code cpi_thread_start(struct cpi_thread *thread, const char *name, void *(*body)(void *), void *context,
                         cp_error *err);

/* Waits for the thread to end, if it was started. */
void cpi_thread_join(struct cpi_thread *thread);

#endif
