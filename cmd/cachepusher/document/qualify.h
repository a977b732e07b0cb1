/* Expressions as Postgres writes them, with the schema of what is its own: pg_get_expr() leaves that out of names that
 * it would find by itself, where a search_path may have others that fit more exactly, or come first. */
#ifndef CMD_DOCUMENT_QUALIFY_H
#define CMD_DOCUMENT_QUALIFY_H

#include "document/memory.h"

/* sql: what pg_get_expr() or pg_get_viewdef() has written with nothing but pg_catalog in its search_path, without
 * pretty-printing: each operation in parentheses, keywords in upper case. */
const char *qualify(const char *sql, struct memory *memory);

#endif
