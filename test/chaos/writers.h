/* The application: threads that write customers and addresses directly to Postgres, whatever happens to it. */
#ifndef WRITERS_H
#define WRITERS_H

#include "cluster.h"
#include "history.h"

struct writers;

struct writers *writers_start(const struct cluster *cluster, struct history *history, int count, uint64_t seed);

/* How many transactions have been committed so far. */
uint64_t writers_commits(struct writers *writers);

/* Ends what is under way and the threads; frees. */
void writers_stop(struct writers *writers);

#endif
