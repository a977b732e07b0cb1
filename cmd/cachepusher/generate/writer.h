/* JSON that is laid out by hand: what is written knows how far the line has come. */
#ifndef CMD_GENERATE_WRITER_H
#define CMD_GENERATE_WRITER_H

#include <stddef.h>
#include <stdio.h>

enum { WRITER_WIDTH = 120 }; /* of a line, where it can be helped */

struct writer {
    FILE *out; /* NULL: it only measures, in one line */
    size_t column;
};

void writer_put(struct writer *writer, const char *text);

/* The next line begins after so many spaces. */
void writer_break(struct writer *writer, size_t indent);

/* Before what needs so much room, with a comma behind it: a space, or a new line if it would become too long. */
void writer_separate(struct writer *writer, size_t width, size_t indent);

void writer_put_string(struct writer *writer, const char *text);
void writer_put_escaped(struct writer *writer, const char *text); /* its inside */
void writer_put_member(struct writer *writer, const char *name, const char *value);
size_t writer_width(const char *string);

/* Members "// about", "// about 1", … with a line of the text each, every one with a comma and a new line behind it. */
void writer_put_comment(struct writer *writer, const char *about, const char *text, size_t indent);

#endif
