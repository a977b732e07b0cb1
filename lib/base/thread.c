#include "base/thread.h"

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

void cpi_thread_tell_start(const struct cpi_thread_hooks *hooks, const char *name)
{
    if (hooks != NULL && hooks->start != NULL) {
        hooks->start(hooks->context, name);
    }
}

void cpi_thread_tell_end(const struct cpi_thread_hooks *hooks, const char *name)
{
    if (hooks != NULL && hooks->end != NULL) {
        hooks->end(hooks->context, name);
    }
}

static void *run(void *context)
{
    const struct cpi_thread *thread = context;
    const struct cpi_thread_hooks *hooks = thread->hooks; /* a thread that nobody joins may outlive its struct */
    const char *name = thread->name;
    pthread_setname_np(pthread_self(), name);
    cpi_thread_tell_start(hooks, name);
    thread->body(thread->context);
    cpi_thread_tell_end(hooks, name);
    return NULL;
}

static int create(struct cpi_thread *thread)
{
    pthread_attr_t attributes;
    pthread_t id;
    int failure = pthread_attr_init(&attributes);
    if (failure != 0) {
        return failure;
    }
    pthread_attr_setstacksize(&attributes, CPI_THREAD_STACK_BYTES);
    failure = pthread_create(&id, &attributes, run, thread);
    pthread_attr_destroy(&attributes);
    if (failure == EINVAL) { /* glibc takes the program's thread-local variables off the stack, and little is left */
        failure = pthread_create(&id, NULL, run, thread);
    }
    thread->id = failure == 0 ? id : thread->id;
    return failure;
}

cp_code cpi_thread_start(struct cpi_thread *thread, const struct cpi_thread_hooks *hooks, const char *name,
                         void *(*body)(void *), void *context, cp_error *err)
{
    sigset_t all;
    sigset_t before;
    thread->hooks = hooks;
    thread->name = name;
    thread->body = body;
    thread->context = context;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = create(thread); /* it inherits the mask */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        return cpi_error(err, CP_ERR_SYSTEM, true, "cannot start the thread %s: %s", name, strerror(failure));
    }
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
