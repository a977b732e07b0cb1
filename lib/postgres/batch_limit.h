/*
 * How many documents to read at once, learned from the statements before: fewer while they are large, since a batch is
 * held in memory, or slow, since later changes wait for it and a statement that times out has been in vain.
 *
 * Belongs to one thread.
 */
#ifndef CPI_BATCH_LIMIT_H
#define CPI_BATCH_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpi_batch_limit {
    size_t usual_bytes; /* of a document: up at once, down slowly */
    bool has_size;      /* some have been read */
    struct cpi_entity_limit *entities;
};

/* False: out of memory. */
bool cpi_batch_limit_init(struct cpi_batch_limit *limit, size_t entity_count);
void cpi_batch_limit_fini(struct cpi_batch_limit *limit);

/* A statement for n ids has given documents of so many bytes. */
void cpi_batch_limit_note_bytes(struct cpi_batch_limit *limit, uint32_t n, size_t bytes);

/* A statement for n ids of an entity, which might take timeout_ms (0: much), has succeeded or failed after took_ms. */
void cpi_batch_limit_note_time(struct cpi_batch_limit *limit, uint32_t entity, uint32_t n, int64_t took_ms,
                               int timeout_ms, bool succeeded);

/* At most `most`, at least 1: ids of all entities together. */
uint32_t cpi_batch_limit_get(const struct cpi_batch_limit *limit, uint32_t most);

/* At least 1, and more than any batch while documents come fast: ids of one entity. */
uint32_t cpi_batch_limit_of_entity(const struct cpi_batch_limit *limit, uint32_t entity);

#endif
