/* The indexes that a document and its mappings need, and those that cover what is read of a table. */
#ifndef CMD_DOCUMENT_INDEXES_H
#define CMD_DOCUMENT_INDEXES_H

#include "document/resolve.h"

#include <jansson.h>

/* Adds those that are missing, for sql/document_indexes.sql: objects of table (oid), keys and includes (arrays of
 * attnum), entity, and replaces, the name of an index that is no longer needed then. */
void indexes_add_missing(json_t *missing, const struct document *document);

#endif
