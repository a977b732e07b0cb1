/*
 * A scan: every id of one entity, or of all entities one after the other, in slices. One kind asks Postgres for the
 * listing, page by page. The other uses SCAN in Redis, for the keys that can be documents.
 *
 * Owns its connection. After a failure the call can be repeated and continues where it was, except that a lost SCAN
 * starts over with its entity. Keys then come again, which SCAN may do anyway. Belongs to one thread at a time.
 */
#ifndef CPI_SCAN_H
#define CPI_SCAN_H

#include "env.h"
#include "scan/slice.h"

enum cpi_scan_kind { CPI_FROM_POSTGRES, CPI_FROM_REDIS };

struct cpi_scan {
    const struct cpi_env *env;
    enum cpi_scan_kind kind;
    uint32_t end;       /* the entity after the last */
    uint32_t entity;    /* the one under way; end: all are through */
    uint64_t unfit;     /* listed, and no ids of their entity */
    uint64_t unmanaged; /* keys under an entity's prefix that are no documents of it, in entities that are through */

    struct cpi_pg pg;
    struct cpi_rows *page; /* under way; NULL: none */
    int row;               /* the next of it */
    int last;              /* of it, behind which the next page begins; -1: it is the last page */

    struct cpi_target *target;
    struct cpi_cursor cursor; /* without a pattern: not begun */
    struct cpi_keys keys;     /* under way */
    bool has_keys;
    size_t key; /* the next of these */
    uint64_t unmanaged_here;
};

/* Of every entity, to begin with. A page has as long as a batch of documents. */
cp_code cpi_scan_init(struct cpi_scan *scan, enum cpi_scan_kind kind, const struct cpi_env *env, const char *pg_role,
                      const char *redis_role, cp_error *err);
void cpi_scan_fini(struct cpi_scan *scan);
void cpi_scan_close(struct cpi_scan *scan);

/* Begins anew, with every entity or with one alone. Connections that are open stay so. */
void cpi_scan_begin(struct cpi_scan *scan, enum cpi_scan_kind kind);
void cpi_scan_begin_entity(struct cpi_scan *scan, enum cpi_scan_kind kind, uint32_t entity);

/* Continues with the next entity, because something is wrong with this one. */
void cpi_scan_skip(struct cpi_scan *scan);

/* The next ids, `limit` at most, into an empty slice. Makes one round trip at most, and may bring none. On failure the
 * slice is to be cleared. */
cp_code cpi_scan_next(struct cpi_scan *scan, uint32_t limit, struct cpi_slice *slice, cp_error *err);
bool cpi_scan_is_done(const struct cpi_scan *scan);

/* Whether the next call has ids at hand, and asks no server. */
bool cpi_scan_has_more(const struct cpi_scan *scan);

#endif
