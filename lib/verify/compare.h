/*
 * Compares what Postgres returns for some ids with what Redis holds under their keys. Writes to neither.
 *
 * Postgres is read first, then Redis, so that a change on its way to Redis is more likely to have arrived. Still, a
 * single look proves nothing; suspects.h has the rule when a mismatch counts.
 */
#ifndef CPI_COMPARE_H
#define CPI_COMPARE_H

#include "env.h"
#include "scan/slice.h"

/* Bytes of an excerpt, its end included. */
enum { CPI_EXCERPT = 64 };

enum cpi_verdict {
    CPI_EQUAL,      /* byte for byte, or neither has anything */
    CPI_MISSING,    /* there is a document, and no key */
    CPI_DIFFERENT,  /* another value than the document, or a value of another type */
    CPI_ORPHAN,     /* there is a key, and no document */
    CPI_UNREADABLE, /* the fetch function fails for this id */
    CPI_VERDICTS
};

struct cpi_compared {
    enum cpi_verdict verdict;
    uint64_t digest; /* of what Redis holds; set unless equal or unreadable */

    /* Of what is different: the first byte that is, and both sides around it. Strings. */
    size_t at;
    char document[CPI_EXCERPT];
    char redis_value[CPI_EXCERPT];
};

/* Owns a connection to either server, makes them when needed, and belongs to one thread at a time. */
struct cpi_compare {
    const struct cpi_env *env;
    struct cpi_fetch fetch;
    struct cpi_reader *reader; /* through fetch */
    struct cpi_target *target;
    cp_error unreadable; /* why the last unreadable document was */
};

/* The roles name its connections on the servers. They and env have to outlive it. */
cp_code cpi_compare_init(struct cpi_compare *compare, const struct cpi_env *env, const char *pg_role,
                         const char *redis_role, cp_error *err);
void cpi_compare_fini(struct cpi_compare *compare);
void cpi_compare_close(struct cpi_compare *compare);

/* Opens the Postgres connection, fetch.pg, unless it is open: for a statement of the caller's own. */
cp_code cpi_compare_open_postgres(struct cpi_compare *compare, cp_error *err);

/* How many ids to compare at once: fewer while documents are large. */
uint32_t cpi_compare_limit(const struct cpi_compare *compare);

/* Compares n ids, CPI_SLICE at most. On failure nothing in out counts, and the same call may be made again when
 * err->retriable. */
cp_code cpi_compare_run(struct cpi_compare *compare, uint32_t entity, const union cpi_id *ids, uint32_t n,
                        struct cpi_compared *out, cp_error *err);

/* Removes the ids that Postgres lists from the slice. A failure leaves it unchanged. */
cp_code cpi_compare_drop_listed(struct cpi_compare *compare, struct cpi_slice *slice, cp_error *err);

#endif
