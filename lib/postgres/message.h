/* What of Postgres' messages is shown: they may hold values, and values belong to nobody's log. */
#ifndef CPI_MESSAGE_H
#define CPI_MESSAGE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Describes an error of the server: its message, without the values in it, and a hint; either may be NULL. Returns
 * CP_ERR_POSTGRES.
 *
 * Postgres' own messages put a value in quotes at their end (invalid input syntax for type integer: "4111 1111") or
 * behind the word "value" (value "4111 1111" is out of range for type integer); names, which an operator needs, stand
 * elsewhere. What a function says by RAISE is its author's business. */
cp_code cpi_message_of_server(const char *message, const char *hint, bool retriable, cp_error *err);

/* What gives the right that a message says is missing, "grant select on table film to ROLE". False: it says no such
 * thing. */
bool cpi_message_grant(const char *message, const char *role, char *grant, size_t size);

#endif
