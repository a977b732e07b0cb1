/*
 * Comparing: what Postgres gives for some ids against what Redis holds under their keys. Writes to neither.
 *
 * Postgres is read first, then Redis: a change that a syncer is about to bring over has the better chance to have
 * arrived. Still, a single look proves nothing; suspects.h tells when a difference counts.
 */
#ifndef CPI_COMPARE_H
#define CPI_COMPARE_H

#include "env.h"
#include "postgres/fetch.h"
#include "redis/redis.h"

enum {
    CPI_SLICE = 256, /* ids to a comparison at most */
    CPI_EXCERPT = 64 /* bytes of an excerpt, its end included */
};

/* Some ids of one entity, their texts owned. Zero is a valid empty one. */
struct cpi_slice {
    uint32_t entity;
    uint32_t count;
    union cpi_id ids[CPI_SLICE];
};

/* Copies the id. False: out of memory, or the slice is full. */
bool cpi_slice_add(struct cpi_slice *slice, const struct cpi_entity *entity, const union cpi_id *id);
void cpi_slice_clear(struct cpi_slice *slice, const struct cpi_entity *entities);

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
    char held[CPI_EXCERPT];
};

/* Owns a connection to either server, makes them when needed, and belongs to one thread at a time. */
struct cpi_compare {
    const struct cpi_env *env;
    struct cpi_pg pg;
    struct cpi_redis redis;
    struct cpi_id_array ids;
    bool *prepared;     /* by entity: its statement, on this connection */
    size_t usual_bytes; /* of a document: up at once, down slowly */
    struct {
        const char *bytes; /* NULL: there is none. Points into a result */
        size_t length;
    } documents[CPI_SLICE];
    cp_error unreadable; /* why the last unreadable document was */
};

/* The roles name its connections on the servers: "cachepusher verify". They and env have to outlive it. Messages about
 * a lost server are the caller's. */
cp_code cpi_compare_init(struct cpi_compare *compare, const struct cpi_env *env, const char *pg_role,
                         const char *redis_role, cp_error *err);
void cpi_compare_fini(struct cpi_compare *compare);
void cpi_compare_close(struct cpi_compare *compare);

/* How many ids to compare at once: fewer while documents are large. */
uint32_t cpi_compare_limit(const struct cpi_compare *compare);

/* Compares n ids, CPI_SLICE at most. On failure nothing in out counts, and the same call may be made again when
 * err->retriable. */
cp_code cpi_compare_run(struct cpi_compare *compare, uint32_t entity, const union cpi_id *ids, uint32_t n,
                        struct cpi_compared *out, cp_error *err);

/* Takes the ids that Postgres lists out of the slice. On failure it is as it was. */
cp_code cpi_compare_drop_listed(struct cpi_compare *compare, struct cpi_slice *slice, cp_error *err);

#endif
