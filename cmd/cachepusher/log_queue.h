#ifndef CMD_LOG_QUEUE_H
#define CMD_LOG_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Lines on their way to a log, and the thread that writes them. Whoever reads the log may stop reading: then lines are
 * kept, up to a bound, and dropped and counted beyond it; who has something to say never waits.
 */
struct log_queue;

/* Writes one line, in the queue's thread, and may wait for as long as the reader lets it. kind is the caller's. */
typedef void log_queue_write(void *context, int kind, const char *line, size_t length);

/* Tells, in the queue's thread, how many lines were dropped before the next one. */
typedef void log_queue_dropped(void *context, unsigned long count);

/* NULL: no memory or no thread. Signals are blocked in the thread. */
struct log_queue *log_queue_create(log_queue_write *write, log_queue_dropped *dropped, void *context);

/* Any thread; never waits. */
void log_queue_put(struct log_queue *queue, int kind, const char *line, size_t length);

/* Waits until everything is written, timeout_ms at most, and ends the thread. False: a reader is stuck, and the thread,
 * with what it uses, is left behind for the end of the process. */
bool log_queue_finish(struct log_queue *queue, int timeout_ms);

#endif
