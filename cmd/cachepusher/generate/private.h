/* What a proposal had better leave out: by name or type alone, for no row is read. */
#ifndef CMD_GENERATE_PRIVATE_H
#define CMD_GENERATE_PRIVATE_H

#include "document/catalog.h"

#include <stdbool.h>

/* Whether a column or table of this name obviously holds what is for nobody's eyes: "password_hash", "ApiKeys". */
bool private_name(const char *name);

/* Why a column is left out: it looks private, changes all the time and says little, or is of a type that nobody reads
 * in a document. NULL: it is not. */
const char *private_reason(const struct catalog_column *column);

#endif
