/* Questions about foreign keys, for proposals. */
#ifndef CMD_GENERATE_RELATIONS_H
#define CMD_GENERATE_RELATIONS_H

#include "document/catalog.h"

#include <stdbool.h>
#include <stddef.h>

bool relations_has(const struct catalog_column *const *columns, size_t count, const struct catalog_column *column);

/* Whether all columns of the first are among the second's. */
bool relations_within(const struct catalog_foreign_key *key, const struct catalog_column *const *columns, size_t count);

/* How many foreign keys there are from one table to the other. */
size_t relations_between(const struct catalog_table *from, const struct catalog_table *to);

/* The foreign key to the other side, where the table that `near` is of is nothing but a link: all of its columns are
 * those of two foreign keys, a number of its own, and times. NULL: it is more. */
const struct catalog_foreign_key *relations_far_side(const struct catalog_foreign_key *near);

/* Whether the table of a foreign key is better shown below another table that it references as well: the lines of an
 * order have the order's tenant. NULL: no. */
const struct catalog_table *relations_better_parent(const struct catalog_foreign_key *key);

#endif
