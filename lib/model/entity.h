/* An entity: one kind of document, its key, and where its documents and ids come from. Read-only once configured. */
#ifndef CPI_ENTITY_H
#define CPI_ENTITY_H

#include "model/key.h"

/* Each notification is held against the channels of all entities, and each connection prepares a statement for each: a
 * thousand is more than any schema needs and keeps both cheap. The coalescing set has 16 bits for it (idset.c). */
enum { CPI_ENTITIES_MAX = 1000 };

/* An id can be made of so many columns. */
enum { CPI_ID_COLUMNS_MAX = 8 };

/* Names, or other texts, each owned. Zero is a valid empty list. */
struct cpi_names {
    char **items;
    size_t count;
};

/* A table whose rows name documents, by the value of their columns: it is the document's id, or it is mapped to those
 * of the documents that it is a part of. Of several columns the value is their values joined by ":", with "%25" for "%"
 * and "%3A" for ":" in them. Names are spelt as in SQL. */
struct cpi_watch {
    char *table;
    struct cpi_names columns;
    char *maps;                /* a query for ids, of which $1 is an array of values; NULL: the value is the id */
    bool has_reads;            /* else documents may read all of the table's columns */
    struct cpi_names reads;    /* what they read besides `columns`: an update that changes neither is no event */
    bool has_channel;          /* one of its own was configured */
    struct cpi_names channels; /* where its triggers announce, where these are not the entity's; see config_watch.c */
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
    size_t own_watch_count; /* declared: the first ones, which are the configuration's own; the others are resolved */
    char *fetch;            /* the fetch function, checked to be a plain name ("schema.name", quoted or not) */
    bool fetch_many;        /* it takes an array and returns rows (id, document) instead of one id and one document */
    char *list;             /* a query with one column: the id of every document */
    char *warmup_procedure; /* a name; NULL: none */
    int64_t ttl_s;          /* 0: keys do not expire */

    char *document;     /* declared: the declaration, as canonical JSON; else NULL */
    char *declared_key; /* declared: key_template as it was written, with the key's columns in it perhaps */
    char digest[17];    /* of the declaration */
    bool is_resolved;   /* declared: fetch, list, id_type and watch have been read from Postgres */

    /* Not an entity, but ids of a watched table's rows, as text, which a query maps to ids of an entity's documents:
     * the configuration keeps these behind its entities. */
    const char *maps;  /* NULL: an entity */
    const char *table; /* whose rows they are */
    uint16_t target;   /* the entity */
};

#endif
