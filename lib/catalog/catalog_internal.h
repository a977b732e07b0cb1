/* What the two files of the catalogue share: catalog.c looks and learns, catalog_compare.c finds what has changed. */
#ifndef CPI_CATALOG_INTERNAL_H
#define CPI_CATALOG_INTERNAL_H

#include "catalog/catalog.h"

#include "base/thread.h"
#include "catalog/changes.h"
#include "catalog/learn.h"
#include "catalog/unannounced.h"
#include "catalog/watched_tables.h"

struct watched {
    struct cpi_things things;
    struct cpi_unannounced unannounced;
    bool failing;      /* its documents could not be read when last tried */
    bool warned;       /* of that */
    unsigned pause;    /* how many looks from one such try to the next */
    unsigned next_try; /* by catalog->looks */
    bool learn;        /* what it hangs on has to be learned again */
    bool is_outdated;  /* setup has made another version of its document */
    struct cpi_changes changes;
};

struct cpi_catalog {
    const struct cpi_env *env;
    struct cpi_thread thread;
    struct cpi_pulse pulse;
    /* Of the thread, and before it runs of the one that starts it. */
    struct cpi_pg pg;
    struct watched *entities;
    struct cpi_rows *rows; /* the last look; NULL: none yet */
    struct cpi_id_array things;
    struct cpi_id_array names;
    struct cpi_watched_tables tables;
    char session[40];      /* fingerprint of what new sessions are like; "": none yet */
    bool sessions_changed; /* seen by the last look */
    unsigned looks;
    bool began; /* cpi_catalog_begin() has been called */
    struct cpi_outage outage;
};

/* Notes for each entity what differs between the last look and this one. */
void cpi_catalog_compare(struct cpi_catalog *catalog, const struct cpi_rows *now);

#endif
