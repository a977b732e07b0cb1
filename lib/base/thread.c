#include "base/thread.h"

#include "base/error.h"

#include <signal.h>
#include <string.h>

cp_code cpi_thread_start(struct cpi_thread *thread, const char *name, void *(*body)(void *), void *context,
                         cp_error *err)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&thread->id, NULL, body, context); /* inherits the mask */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        return cpi_error(err, CP_ERR_SYSTEM, true, "cannot start a thread: %s", strerror(failure));
    }
    pthread_setname_np(thread->id, name);
    thread->started = true;
    return CP_OK;
}

void cpi_thread_join(struct cpi_thread *thread)
{
    if (thread->started) {
        pthread_join(thread->id, NULL);
        thread->started = false;
    }
}
