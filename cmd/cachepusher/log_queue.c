#include "log_queue.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { QUEUE_BYTES = 1024 * 1024 };

struct line {
    struct line *next;
    int kind;
    size_t length;
    char text[];
};

struct log_queue {
    log_queue_write *write;
    log_queue_dropped *tell_dropped;
    void *context;
    pthread_t thread;

    pthread_mutex_t mutex; /* over all below; never held while a line is written */
    pthread_cond_t changed;
    struct line *first;
    struct line **last;
    size_t bytes;
    unsigned long dropped; /* since the last line that was kept */
    bool is_ending;
    bool has_ended;
};

/* The next line, or NULL when there is none and none will come. *dropped lines are missing before it. */
static struct line *take(struct log_queue *queue, unsigned long *dropped)
{
    pthread_mutex_lock(&queue->mutex);
    while (queue->first == NULL && queue->dropped == 0 && !queue->is_ending) {
        pthread_cond_wait(&queue->changed, &queue->mutex);
    }
    struct line *line = queue->first;
    *dropped = 0;
    if (line != NULL) {
        queue->first = line->next;
        queue->last = queue->first == NULL ? &queue->first : queue->last;
        queue->bytes -= line->length + sizeof *line;
    } else { /* told once what was kept before is through */
        *dropped = queue->dropped;
        queue->dropped = 0;
    }
    pthread_mutex_unlock(&queue->mutex);
    return line;
}

static void *write_lines(void *context)
{
    struct log_queue *queue = context;
    for (;;) {
        unsigned long dropped;
        struct line *line = take(queue, &dropped);
        if (dropped > 0) {
            queue->tell_dropped(queue->context, dropped);
        } else if (line == NULL) {
            break;
        }
        if (line != NULL) {
            queue->write(queue->context, line->kind, line->text, line->length);
            free(line);
        }
    }
    pthread_mutex_lock(&queue->mutex);
    queue->has_ended = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    return NULL;
}

struct log_queue *log_queue_create(log_queue_write *write, log_queue_dropped *dropped, void *context)
{
    struct log_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) {
        return NULL;
    }
    *queue = (struct log_queue){.write = write, .tell_dropped = dropped, .context = context, .last = &queue->first};
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&queue->mutex, NULL);

    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&queue->thread, NULL, write_lines, queue);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0) {
        free(queue);
        return NULL;
    }
    return queue;
}

void log_queue_put(struct log_queue *queue, int kind, const char *text, size_t length)
{
    struct line *line = malloc(sizeof *line + length);
    pthread_mutex_lock(&queue->mutex);
    /* Once one has been dropped the others wait for the count to be told, so that it stands where they are missing. */
    bool fits = line != NULL && queue->dropped == 0 && queue->bytes + length + sizeof *line <= QUEUE_BYTES;
    if (fits) {
        *line = (struct line){.kind = kind, .length = length};
        memcpy(line->text, text, length);
        *queue->last = line;
        queue->last = &line->next;
        queue->bytes += length + sizeof *line;
    } else {
        queue->dropped++;
    }
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->mutex);
    if (!fits) {
        free(line);
    }
}

bool log_queue_finish(struct log_queue *queue, int timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&queue->mutex);
    queue->is_ending = true;
    pthread_cond_broadcast(&queue->changed);
    int failure = 0;
    while (!queue->has_ended && failure == 0) {
        failure = pthread_cond_timedwait(&queue->changed, &queue->mutex, &until);
    }
    bool has_ended = queue->has_ended;
    pthread_mutex_unlock(&queue->mutex);
    if (has_ended) {
        pthread_join(queue->thread, NULL);
        pthread_cond_destroy(&queue->changed);
        pthread_mutex_destroy(&queue->mutex);
        free(queue);
    }
    return has_ended;
}
