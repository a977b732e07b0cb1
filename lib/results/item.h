/* A result that waits: one piece of memory, with copies of all that it points to. */
#ifndef CPI_ITEM_H
#define CPI_ITEM_H

#include "cachepusher.h"

#include <stddef.h>

struct cpi_item {
    struct cpi_item *next; /* the queue's */
    size_t bytes;          /* of all of it */
    cp_dropped dropped;    /* behind it, for want of room; the queue's */
    cp_result result;
    max_align_t body[]; /* what result points to */
};

/* How many bytes one takes. */
size_t cpi_item_document_bytes(const cp_document *document, bool with_bytes);
size_t cpi_item_log_bytes(const cp_log_entry *entry);
size_t cpi_item_state_bytes(void);

/* Makes one, for free(); NULL: out of memory. */
struct cpi_item *cpi_item_of_document(cp_syncer *syncer, const cp_document *document, bool with_bytes);
struct cpi_item *cpi_item_of_log(cp_syncer *syncer, const cp_log_entry *entry);
struct cpi_item *cpi_item_of_state(cp_syncer *syncer, const cp_health *health);

#endif
