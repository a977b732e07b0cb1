/* A number in decimal. Where each document needs three of them, snprintf() was a fifth of a worker's time. */
#ifndef CPI_DECIMAL_H
#define CPI_DECIMAL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { CPI_DECIMAL_BYTES = 20 }; /* of UINT64_MAX */

/* Writes the digits, without a NUL. Returns how many: 1 to CPI_DECIMAL_BYTES. */
static inline size_t cpi_decimal(char *out, uint64_t number)
{
    char digits[CPI_DECIMAL_BYTES];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(out, digits + first, sizeof digits - first);
    return sizeof digits - first;
}

#endif
