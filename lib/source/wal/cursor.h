/*
 * Reads numbers and strings, as Postgres' protocol writes them, from bytes whose end it never passes. The first problem
 * sticks: what is read after it is 0 or empty, so that callers look once, at the end.
 */
#ifndef CPI_WAL_CURSOR_H
#define CPI_WAL_CURSOR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cpi_wal_cursor {
    const uint8_t *data;
    size_t size;
    size_t at;
    const char *problem; /* NULL: none so far; otherwise `at` is where it is */
};

static inline void cpi_wal_cursor_fail(struct cpi_wal_cursor *cursor, const char *problem)
{
    if (cursor->problem == NULL) {
        cursor->problem = problem;
    }
}

/* NULL if there are not as many bytes. */
static inline const uint8_t *cpi_wal_cursor_bytes(struct cpi_wal_cursor *cursor, size_t count)
{
    if (cursor->problem != NULL || count > cursor->size - cursor->at) {
        cpi_wal_cursor_fail(cursor, "it ends early");
        return NULL;
    }
    const uint8_t *bytes = cursor->data + cursor->at;
    cursor->at += count;
    return bytes;
}

/* A big-endian number of `width` bytes, 8 at most. */
static inline uint64_t cpi_wal_cursor_number(struct cpi_wal_cursor *cursor, size_t width)
{
    const uint8_t *bytes = cpi_wal_cursor_bytes(cursor, width);
    uint64_t value = 0;
    for (size_t i = 0; bytes != NULL && i < width; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static inline uint8_t cpi_wal_cursor_u8(struct cpi_wal_cursor *cursor)
{
    return (uint8_t)cpi_wal_cursor_number(cursor, 1);
}

static inline uint16_t cpi_wal_cursor_u16(struct cpi_wal_cursor *cursor)
{
    return (uint16_t)cpi_wal_cursor_number(cursor, 2);
}

static inline uint32_t cpi_wal_cursor_u32(struct cpi_wal_cursor *cursor)
{
    return (uint32_t)cpi_wal_cursor_number(cursor, 4);
}

static inline uint64_t cpi_wal_cursor_u64(struct cpi_wal_cursor *cursor)
{
    return cpi_wal_cursor_number(cursor, 8);
}

/* A string that ends with a NUL, in place. */
static inline const char *cpi_wal_cursor_string(struct cpi_wal_cursor *cursor)
{
    size_t left = cursor->size - cursor->at;
    if (cursor->problem != NULL || left == 0 || memchr(cursor->data + cursor->at, '\0', left) == NULL) {
        cpi_wal_cursor_fail(cursor, "a string does not end");
        return "";
    }
    const char *text = (const char *)(cursor->data + cursor->at);
    cursor->at += strlen(text) + 1;
    return text;
}

#endif
