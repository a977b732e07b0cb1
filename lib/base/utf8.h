/* Whether bytes from outside are UTF-8. */
#ifndef CPI_UTF8_H
#define CPI_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Strict: no overlong forms, no surrogates, nothing above U+10FFFF, and no NUL either. */
bool cpi_utf8_valid(const char *text, size_t length);

#endif
