/* Filling in a cp_error. */
#ifndef CPI_ERROR_H
#define CPI_ERROR_H

#include "cachepusher.h"

#include <stdarg.h>

/* Fills in *err (unless NULL) and returns code, so that a failing function can end in `return cpi_error(…)`. Messages
 * are one line: newlines become "; ". A message that is too long is cut at a character boundary. */
cp_code cpi_error(cp_error *err, cp_code code, bool retriable, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* cpi_error() for a failed allocation. */
cp_code cpi_error_memory(cp_error *err);

/* CP_ERR_ARGUMENT, "FUNCTION: NAME is NULL", where a caller's argument is. */
cp_code cpi_need(const void *argument, const char *function, const char *name, cp_error *err);

/* The precision for printf("%.*s") that shows as much of a user's text as fits into a message, in whole characters. */
int cpi_shown(const char *text);

/* Formats one line for a message. Runs of newlines become "; ", newlines at either end are removed, and text that is
 * too long is cut at a character boundary. Bytes that are not UTF-8 become "?". Servers and users write newlines, and
 * names of files and refused ids may hold any byte. */
void cpi_format(char *out, size_t size, const char *format, va_list arguments);
void cpi_fold(char *out, size_t size, const char *text);

#endif
