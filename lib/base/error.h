/* Filling a cp_error. */
#ifndef CPI_ERROR_H
#define CPI_ERROR_H

#include "cachepusher.h"

#include <stdarg.h>

/* Fills *err (unless NULL) and returns code, so that a failing function ends in `return cpi_error(…)`. Newlines in the
 * formatted message become "; ": messages are one line. An over-long message is cut at a character's boundary. */
cp_code cpi_error(cp_error *err, cp_code code, bool retriable, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* cpi_error() for memory that could not be had. */
cp_code cpi_error_memory(cp_error *err);

/* The precision for printf("%.*s") that shows as much of a user's text as a message has room for,
 * in whole characters. */
int cpi_shown(const char *text);

/* One line of a formatted text: runs of newlines in it become "; ", one at either end goes, and what is too long is cut
 * at a character's boundary; what is not UTF-8 becomes "?". For messages: servers and users write newlines, and names
 * of files and ids that are refused may hold any byte. */
void cpi_format(char *out, size_t size, const char *format, va_list arguments);
void cpi_fold(char *out, size_t size, const char *text);

#endif
