/*
 * Whether a daemon with the wal source that was killed goes on where it was, as it has to.
 *
 * The dead daemon leaves a checkpoint in Redis and a slot in Postgres. If the two agree, and nothing else that a start
 * goes by has changed or is away, the next writer has to resume, and to read nothing else. And if the kill is all that
 * has happened for a while, they have to agree in time: there is no checkpoint only while ids fail, a resync is owed,
 * or the first position has not settled.
 *
 * What takes the obligation away: Redis has lost data since the kill, or its connections are being tampered with, so
 * that what was on its way may arrive late; a fault of Postgres, or of the way there, is active, so that what documents
 * hang on, and what is published, cannot be looked at; either has changed, and no daemon has had the time to look; a
 * daemon is stopped, or kept from looking, before it has resumed.
 */
#ifndef RESUMING_H
#define RESUMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault;
struct world;

enum {
    RESUMING_TARGETS = 5,
    RESUMING_DAEMONS = 2,
    RESUMING_CALM_MS =
        5000 /* a daemon looks at functions and tables every two seconds, at what is published every three */
};

struct resuming {
    int active[RESUMING_TARGETS]; /* faults */
    int64_t calm_since; /* since then every daemon could look at what a start goes by, and that was the same */
    bool calms;         /* calm_since counts */

    bool is_due;    /* somebody has to resume */
    unsigned epoch; /* of the history, at the kill */
    struct {
        int incarnation;
        long offset;
    } read[RESUMING_DAEMONS]; /* its log, up to there */

    unsigned kills; /* of a writer */
    unsigned owed;
    unsigned seen;
};

/* One of Postgres that leaves its sessions, and everything a start looks at, alone. */
bool resuming_is_harmless(const struct fault *fault);

/* A fault begins or ends. */
void resuming_note(struct world *world, const struct fault *fault, bool begins);

/* kill -9, and started again. own: how many of the active faults this one is. */
void resuming_kill(struct world *world, int daemon, int own);

/* Blames the daemon that reads everything, or nothing, although it is due to resume. Call it often. */
void resuming_watch(struct world *world);

/* At the end of the run, with all daemons at rest. */
void resuming_finish(struct world *world);

#endif
