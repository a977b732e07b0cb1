/*
 * What the host makes of a document before it is stored (cp_callbacks.transform), for whoever stores documents or
 * compares them. For any thread.
 */
#ifndef CPI_TRANSFORM_H
#define CPI_TRANSFORM_H

#include "model/entity.h"

struct cpi_transform {
    cp_code (*make)(void *context, const cp_document *document, cp_output *out, cp_error *err); /* NULL: none */
    void *context;
};

/* Makes it of a document; NULL, which is none, stays none, and without a transform all stays what it is. *out has to be
 * released, and is what the document is until then. Fails as the host does, or for want of memory: then there is
 * nothing to release. */
cp_code cpi_transform_run(const struct cpi_transform *transform, const struct cpi_entity *entity,
                          const union cpi_id *id, const char *document, size_t length, cp_output *out, cp_error *err);
void cpi_transform_release(const cp_output *out);

#endif
