/*
 * Tells the crowds: which sessions announce so many ids that those of others go first.
 *
 * One statement over a million rows, or a role that may do nothing but NOTIFY, must not make the document of another
 * session's one row wait. What a session announces beyond its share of a tenth of a second is of a crowd; the workers
 * take it in turn with everything else, at full speed when there is nothing else. A leaky bucket for each session: what
 * it announced beyond its share counts in the windows that follow, for a second at most, so that a listener which takes
 * its time over a million ids (a busy machine) does not grant them a new share in each window.
 *
 * The table is small, and the busiest sessions are always in it: a session that is not takes the place of the one that
 * has announced least, and its count (the Space-Saving algorithm of Metwally and others, 2005). So no session is taken
 * for quieter than it is, and one that is quiet for busier only while more sessions are busy than there are places.
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
    CPI_CROWD_DEBT = 10 * CPI_CROWD_SHARE,
    CPI_CROWD_SESSIONS = 16
};

/* Zero is a valid empty one. */
struct cpi_crowds {
    int64_t window;
    struct {
        int session;
        size_t count; /* ids announced and not allowed for yet; at most CPI_CROWD_DEBT */
    } places[CPI_CROWD_SESSIONS];
};

/* Counts n ids that a session announced at this time (cpi_now_ms()), and returns whether they are of a crowd. */
bool cpi_crowds_count(struct cpi_crowds *crowds, int session, size_t n, int64_t now_ms);

#endif
