/*
 * What the fuzz targets share. Each has a LLVMFuzzerTestOneInput() that reads an arbitrary text and aborts where
 * something does not hold that always should; libFuzzer then saves the text.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "cachepusher.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                                                             \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input, or a part of it, as text: exactly as much memory as it needs, so that a read past its end is noticed.
 * Ends at the first NUL. From malloc. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    size_t length = size > 0 ? strnlen((const char *)data, size) : 0;
    char *text = malloc(length + 1);
    REQUIRE(text != NULL);
    if (length > 0) {
        memcpy(text, data, length);
    }
    text[length] = '\0';
    return text;
}

/* What the public header promises of every error. */
static inline void fuzz_check_error(const cp_error *err, cp_code code, cp_code expected)
{
    REQUIRE(code == expected);
    REQUIRE(err->code == code);
    REQUIRE(!err->retriable);
    size_t length = strnlen(err->message, sizeof err->message);
    REQUIRE(length > 0 && length < sizeof err->message);
    REQUIRE(cpi_utf8_valid(err->message, length));
    REQUIRE(strpbrk(err->message, "\r\n") == NULL);
}

#endif
