#ifndef CMD_ESCAPE_H
#define CMD_ESCAPE_H

#include <stddef.h>

/*
 * Text of a bounded size, put together piece by piece; "…" stands for what no longer fits. data is always terminated.
 *
 * Keys hold ids that anybody may have written to the database, so nothing of them reaches a log as it is.
 */
struct text {
    char *data;
    size_t size;
    size_t length;
};

/* Trusted text as it is. */
void text_add(struct text *text, const char *string);

/* A message for people: control characters become \xNN, so that it stays on its line and sends nothing to a terminal;
 * bytes that are not UTF-8 become U+FFFD. */
void text_add_plain(struct text *text, const char *message);

/* The same as the inside of a JSON string. */
void text_add_json(struct text *text, const char *message);

#endif
