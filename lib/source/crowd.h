/*
 * Tells the crowds: which sessions announce so many ids that those of others go first.
 *
 * One statement over a million rows, or a role that may do nothing but NOTIFY, must not make the document of another
 * session's one row wait. What a session announces beyond its share of a tenth of a second is of a crowd; the workers
 * take it in turn with everything else, at full speed when there is nothing else.
 *
 * Belongs to the listener's thread. Sessions are told apart by their server process, as notifications name it.
 */
#ifndef CPI_CROWD_H
#define CPI_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CPI_CROWD_WINDOW_MS = 100,
    CPI_CROWD_SHARE = 512, /* ids in one window */
    CPI_CROWD_SESSIONS = 256
};

/* Zero is a valid empty one. Two sessions that fall on the same place take it from each other: each begins anew, and is
 * told as a crowd later or not at all. */
struct cpi_crowds {
    struct {
        int session;
        int64_t window;
        size_t count; /* ids announced in it */
    } places[CPI_CROWD_SESSIONS];
};

/* Counts n ids that a session announced at this time (cpi_now_ms()), and returns whether they are of a crowd. */
bool cpi_crowds_count(struct cpi_crowds *crowds, int session, size_t n, int64_t now_ms);

#endif
