/* The frontend: a thread that reads documents directly from a view throughout the run, and checks them with the
 * history. */
#ifndef READER_H
#define READER_H

#include "cache.h"
#include "history.h"

struct reader;

struct reader *reader_start(struct cache *cache, struct history *history, int view, uint64_t seed);
uint64_t reader_samples(struct reader *reader);
void reader_stop(struct reader *reader);

#endif
