/* Ids as the parameter of a statement: a binary array of bigint or text. */
#ifndef CPI_ID_ARRAY_H
#define CPI_ID_ARRAY_H

#include "model/id.h"
#include "postgres/pg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One under construction; its memory is used again from one statement to the next. Zero is a valid
 * empty one. */
struct cpi_id_array {
    char *bytes;
    size_t capacity;
    size_t length;
    uint32_t count;
    bool text;
};

/* Starts an array for an entity's ids. False, like add: out of memory. */
bool cpi_id_array_clear(struct cpi_id_array *array, enum cpi_id_type type);
bool cpi_id_array_add(struct cpi_id_array *array, const union cpi_id *id);
struct cpi_pg_parameter cpi_id_array_parameter(struct cpi_id_array *array);
void cpi_id_array_fini(struct cpi_id_array *array);

#endif
