/*
 * A source of events: something that says which documents have changed. The listener reads it and knows no more of it
 * than this interface.
 *
 * Belongs to the listener's thread. After a failure the source is closed: open it again, then have everything read
 * again, since whatever happened meanwhile may have been missed, unless it says that it goes on where it was.
 */
#ifndef CPI_SOURCE_H
#define CPI_SOURCE_H

#include "model/event.h"

/* What has come in. Between ids order means nothing; a barrier counts for all that came with it or before. */
struct cpi_arrivals {
    struct cpi_events events; /* their ids are owned */
    bool *everything;         /* by entity: every document of it may have changed (TRUNCATE) */
    bool *again;              /* by entity: somebody asks for a resync */
    bool *lost;               /* by entity: an event could not be kept for want of memory */
    bool *unreadable;         /* by entity: an event could not be read, and may have named any document */
    int64_t barrier;          /* the number of the newest that has come back; 0: none */
    uint64_t position;        /* everything up to here has come by now; 0: there is nothing to confirm */
    uint32_t room;            /* set by the caller: a source that can bring ids later had better bring no more */
};

/* False: out of memory; it may be given to fini all the same. */
bool cpi_arrivals_init(struct cpi_arrivals *arrivals, size_t entity_count);
void cpi_arrivals_fini(struct cpi_arrivals *arrivals, const struct cpi_entity *entities);

struct cpi_source {
    const struct cpi_source_ops *ops;
};

struct cpi_source_ops {
    /* Connects. When it returns CP_OK, every change committed from then on will be read; *resumed: and every one since
     * the last that was confirmed, to whichever syncer of this name. */
    cp_code (*open)(struct cpi_source *source, bool *resumed, cp_error *err);

    /* Adds what has come to arrivals, and does what is due: never waits for a server. */
    cp_code (*read)(struct cpi_source *source, struct cpi_arrivals *arrivals, cp_error *err);

    /* While open: a descriptor that is readable when there is something to read, and the time in milliseconds after
     * which read() is to be called even though nothing has come. */
    int (*fd)(const struct cpi_source *source);
    int (*due_ms)(const struct cpi_source *source);

    /* While open: sends a barrier that comes back, as arrivals->barrier, behind every change committed so far; never,
     * when the source is closed before. A newer one may take the place of one that has not been sent. */
    void (*barrier)(struct cpi_source *source, int64_t number);

    /* While open: whatever came before arrivals->position was this, or with it, has settled or failed by itself: it
     * need not come again. complete: every lane tells what failed, and nothing else is owed. */
    void (*confirm)(struct cpi_source *source, uint64_t position, bool complete);

    /* Closing a closed one is harmless. */
    void (*close)(struct cpi_source *source);
    void (*destroy)(struct cpi_source *source);
};

#endif
