#include "common/escape.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char ellipsis[] = "…";
static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

/* Room is kept for the ellipsis until the end. */
static bool add_bytes(struct text *text, const char *bytes, size_t length)
{
    if (text->length + length + sizeof ellipsis > text->size) {
        return false;
    }
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
    return true;
}

static void add_ellipsis(struct text *text)
{
    if (text->length + sizeof ellipsis <= text->size) {
        memcpy(text->data + text->length, ellipsis, sizeof ellipsis);
        text->length += sizeof ellipsis - 1;
    }
}

/* Bytes of the UTF-8 character that text starts with; 0: none. Never looks behind a NUL. */
static size_t character_length(const unsigned char *text)
{
    unsigned char first = text[0];
    size_t length = 0;
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        length = 2;
    } else if (first >= 0xE0 && first <= 0xEF) {
        length = 3;
    } else if (first >= 0xF0 && first <= 0xF4) {
        length = 4;
    }
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    /* Longer than need be, a surrogate, or beyond U+10FFFF. */
    if ((first == 0xE0 && text[1] < 0xA0) || (first == 0xED && text[1] > 0x9F) || (first == 0xF0 && text[1] < 0x90) ||
        (first == 0xF4 && text[1] > 0x8F)) {
        return 0;
    }
    return length;
}

/* Controls beyond ASCII (C1), characters that turn the direction of what follows (bidi) or are not to be seen, and
 * separators of lines. */
static bool is_deceptive(const unsigned char *at, size_t length)
{
    if (length == 2) {
        return (at[0] == 0xC2 && at[1] < 0xA0) || (at[0] == 0xD8 && at[1] == 0x9C); /* U+0080-009F, U+061C */
    }
    return length == 3 && at[0] == 0xE2 &&
           ((at[1] == 0x80 && ((at[2] >= 0x8B && at[2] <= 0x8F) || (at[2] >= 0xA8 && at[2] <= 0xAE))) ||
            (at[1] == 0x81 && at[2] >= 0xA0 && at[2] <= 0xAF)); /* U+200B-200F, U+2028-202E, U+2060-206F */
}

/* Its number as JSON writes it, which people can read as well. */
static unsigned code_point(const unsigned char *at, size_t length)
{
    return length == 2 ? (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu)
                       : (at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
}

static void add_escaped(struct text *text, const char *message, const char *control, bool quotes)
{
    const unsigned char *next = (const unsigned char *)message;
    while (*next != '\0') {
        size_t length = character_length(next);
        const char *piece = (const char *)next;
        size_t piece_length = length;
        char escape[8];
        if (length == 0) {
            piece = replacement;
            piece_length = sizeof replacement - 1;
            length = 1;
        } else if (*next < 0x20 || *next == 0x7F) {
            piece_length = (size_t)snprintf(escape, sizeof escape, "%s%02x", control, *next);
            piece = escape;
        } else if (is_deceptive(next, length)) {
            piece_length = (size_t)snprintf(escape, sizeof escape, "\\u%04x", code_point(next, length));
            piece = escape;
        } else if (quotes && (*next == '"' || *next == '\\')) {
            piece_length = (size_t)snprintf(escape, sizeof escape, "\\%c", *next);
            piece = escape;
        }
        if (!add_bytes(text, piece, piece_length)) {
            add_ellipsis(text);
            return;
        }
        next += length;
    }
}

void text_add(struct text *text, const char *string)
{
    if (!add_bytes(text, string, strlen(string))) {
        add_ellipsis(text);
    }
}

void text_add_plain(struct text *text, const char *message)
{
    add_escaped(text, message, "\\x", false);
}

void text_add_json(struct text *text, const char *message)
{
    add_escaped(text, message, "\\u00", true);
}
