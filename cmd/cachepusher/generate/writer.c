#include "generate/writer.h"

#include <string.h>

void writer_put(struct writer *writer, const char *text)
{
    if (writer->out != NULL) {
        fputs(text, writer->out);
    }
    writer->column += strlen(text);
}

void writer_break(struct writer *writer, size_t indent)
{
    if (writer->out != NULL) {
        fprintf(writer->out, "\n%*s", (int)indent, "");
    }
    writer->column = indent;
}

void writer_separate(struct writer *writer, size_t width, size_t indent)
{
    if (writer->out != NULL && writer->column + strlen(" ,") + width > WRITER_WIDTH) {
        writer_break(writer, indent);
    } else {
        writer_put(writer, " ");
    }
}

/* The inside of a string; as many bytes of it as given. */
static void put_escaped(struct writer *writer, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)text[i];
        char piece[8] = {(char)byte, '\0'};
        if (byte < 0x20 || byte == 0x7F) {
            snprintf(piece, sizeof piece, "\\u%04x", byte);
        } else if (byte == '"' || byte == '\\') {
            snprintf(piece, sizeof piece, "\\%c", byte);
        }
        writer_put(writer, piece);
    }
}

void writer_put_string(struct writer *writer, const char *text)
{
    writer_put(writer, "\"");
    put_escaped(writer, text, strlen(text));
    writer_put(writer, "\"");
}

void writer_put_escaped(struct writer *writer, const char *text)
{
    put_escaped(writer, text, strlen(text));
}

void writer_put_member(struct writer *writer, const char *name, const char *value)
{
    writer_put_string(writer, name);
    writer_put(writer, ": ");
    writer_put_string(writer, value);
}

size_t writer_width(const char *text)
{
    struct writer measure = {.out = NULL};
    writer_put_string(&measure, text);
    return measure.column;
}

void writer_put_comment(struct writer *writer, const char *about, const char *text, size_t indent)
{
    for (unsigned line = 0; *text != '\0'; line++) {
        char name[64];
        size_t length = 0;
        snprintf(name, sizeof name, line == 0 ? "//%s%s" : "//%s%s %u", *about != '\0' ? " " : "", about, line);
        const size_t room = WRITER_WIDTH - indent - writer_width(name) - strlen(": \"\",");
        for (size_t next = 0; text[next] != '\0';) {
            next += strspn(text + next, " ");
            next += strcspn(text + next, " ");
            struct writer measure = {.out = NULL};
            put_escaped(&measure, text, next);
            if (length > 0 && measure.column > room) {
                break;
            }
            length = next;
        }
        writer_put_string(writer, name);
        writer_put(writer, ": \"");
        put_escaped(writer, text, length);
        writer_put(writer, "\",");
        writer_break(writer, indent);
        text += length + strspn(text + length, " ");
    }
}
