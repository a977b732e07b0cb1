/*
 * Memory that is given back all at once: what is read of a declaration lives as long as it does. There is always some:
 * without it the program ends, with a message. It has changed nothing then, since that happens in transactions.
 */
#ifndef CMD_DOCUMENT_MEMORY_H
#define CMD_DOCUMENT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Zero is a valid one that holds nothing. */
struct memory {
    struct memory_block *blocks;
};

/* Zeroed, for any type. */
void *memory_take(struct memory *memory, size_t size);
char *memory_print(struct memory *memory, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What release() is called with when the memory is given back. */
void memory_keep(struct memory *memory, void *kept, void (*release)(void *kept));
void memory_fini(struct memory *memory);

/* From now on jansson, too, ends the program for want of memory: values that are put into each other need no look, and
 * no table is left out of a document's because there was none. */
void memory_serve_jansson(void);

/* A text that is written with fprintf(), and read once. */
struct writing {
    FILE *stream;
    char *data;
    size_t size;
};

void writing_begin(struct writing *writing);

/* The text, which the memory keeps. */
char *writing_end(struct writing *writing, struct memory *memory);

#endif
