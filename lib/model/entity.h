/* An entity: one kind of document, its key, and where its documents and ids come from. Read-only once configured. */
#ifndef CPI_ENTITY_H
#define CPI_ENTITY_H

#include "model/key.h"

/* Each notification is held against the channels of all entities, and each connection prepares a statement for each: a
 * thousand is more than any schema needs and keeps both cheap. The coalescing set has 16 bits for it (idset.c). */
enum { CPI_ENTITIES_MAX = 1000 };

/* A table whose rows name documents: the column holds their ids. Both are spelt as in SQL. */
struct cpi_watch {
    char *table;
    char *column;
};

/* One kind of document. Every string is owned by the entity and never NULL unless said otherwise. */
struct cpi_entity {
    char *name;
    char *key_template;
    struct cpi_key key; /* parsed from key_template when the configuration is complete, since it needs the prefix */
    enum cpi_id_type id_type;
    char **channels; /* a notification means: read this id again. A channel may belong to several entities */
    size_t channel_count;
    struct cpi_watch *watch; /* what the entity's documents are made of, for setup and the wal source */
    size_t watch_count;
    char *fetch;            /* the fetch function, checked to be a plain name ("schema.name", quoted or not) */
    bool fetch_many;        /* it takes an array and returns rows (id, document) instead of one id and one document */
    char *list;             /* a query with one column: the id of every document */
    char *warmup_procedure; /* a name; NULL: none */
    int64_t ttl_s;          /* 0: keys do not expire */
};

#endif
