#include "latency/paced.h"

#include "fatal.h"
#include "servers/process.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

static void sleep_until(double at_s)
{
    struct timespec at = {.tv_sec = (time_t)at_s};
    at.tv_nsec = (long)((at_s - (double)at.tv_sec) * 1e9);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}

static void *run(void *argument)
{
    struct paced_thread *self = argument;
    const struct paced *paced = self->paced;
    double end_s = paced->start_s + (double)paced->calls / paced->rate;
    /* The kernel lets sleepers of the ordinary kind oversleep by 50 µs, to wake several at once. */
    prctl(PR_SET_TIMERSLACK, 1UL);
    for (uint64_t number = self->index; number < paced->calls; number += paced->threads) {
        double due_s = paced->start_s + (double)number / paced->rate;
        double now_s = clock_s();
        if (now_s < due_s) {
            sleep_until(due_s);
            now_s = clock_s();
        }
        if (paced->gives_up && now_s > end_s) {
            break;
        }
        self->latest_s = fmax(self->latest_s, now_s - due_s);
        paced->call(paced->context, self->connection, number);
        self->made++;
    }
    return NULL;
}

void paced_start(struct paced *paced)
{
    for (unsigned i = 0; i < paced->threads; i++) {
        struct paced_thread *thread = &paced->of[i];
        thread->paced = paced;
        thread->index = i;
        thread->made = 0;
        thread->latest_s = 0;
        int error = pthread_create(&thread->thread, NULL, run, thread);
        if (error != 0) {
            fatal("cannot start a thread: %s", strerror(error));
        }
    }
}

void paced_join(struct paced *paced)
{
    for (unsigned i = 0; i < paced->threads; i++) {
        pthread_join(paced->of[i].thread, NULL);
    }
}

uint64_t paced_made(const struct paced *paced)
{
    uint64_t made = 0;
    for (unsigned i = 0; i < paced->threads; i++) {
        made += paced->of[i].made;
    }
    return made;
}

double paced_latest_s(const struct paced *paced)
{
    double latest_s = 0;
    for (unsigned i = 0; i < paced->threads; i++) {
        latest_s = fmax(latest_s, paced->of[i].latest_s);
    }
    return latest_s;
}
