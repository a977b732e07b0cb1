/*
 * Shows a cache in the process to whoever asks on a Unix socket, as Redis would: GET, MGET, EXISTS and SCAN, of keys
 * that are "customer:" and an id. Threads of its own, one a connection, until the process ends.
 */
#ifndef ANSWERS_H
#define ANSWERS_H

#include <stdio.h>

struct answers {
    char *(*get)(const char *id); /* a copy, to be freed; NULL: there is no such document */

    /* Calls found for each id of which there is a document, and says how many it were. */
    size_t (*list)(void (*found)(FILE *reply, const char *id), FILE *reply);
};

/* Ends the process if that cannot be. */
void answers_start(const char *socket_path, const struct answers *answers);

#endif
