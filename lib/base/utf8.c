#include "base/utf8.h"

/* The length of the well-formed character that text begins with; 0 when there is none. */
static size_t utf8_character_length(const unsigned char *text, size_t length)
{
    unsigned lead = text[0];
    size_t bytes;
    if (lead < 0x80) {
        return 1;
    } else if (lead >= 0xC2 && lead <= 0xDF) {
        bytes = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        bytes = 3;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        bytes = 4;
    } else {
        return 0;
    }
    if (bytes > length) {
        return 0;
    }
    for (size_t i = 1; i < bytes; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    /* The second byte tells overlong forms, surrogates and what lies above U+10FFFF. */
    unsigned second = text[1];
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
        (lead == 0xF4 && second > 0x8F)) {
        return 0;
    }
    return bytes;
}

bool cpi_utf8_valid(const char *text, size_t length)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + length;
    while (at < end) {
        size_t bytes = *at == '\0' ? 0 : utf8_character_length(at, (size_t)(end - at));
        if (bytes == 0) {
            return false;
        }
        at += bytes;
    }
    return true;
}
