/* The frontend: a thread that reads documents straight from Redis, all along, and has the history judge them. */
#ifndef READER_H
#define READER_H

#include "cache.h"
#include "history.h"

struct reader;

struct reader *reader_start(struct cache *cache, struct history *history, uint64_t seed);
uint64_t reader_samples(struct reader *reader);
void reader_stop(struct reader *reader);

#endif
