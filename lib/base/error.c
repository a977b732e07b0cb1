#include "base/error.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES = 80 };

/* Length of the UTF-8 character that begins here, as far as it is complete. */
static size_t shown_character_length(const char *text)
{
    size_t length = 1;
    while (((unsigned char)text[length] & 0xC0) == 0x80) {
        length++;
    }
    return length;
}

/* A character that a terminal or a reader would take for more than itself: controls (C0, DEL, C1), those that turn the
 * direction of what follows (bidi), and separators of lines. Messages quote ids, payloads and what servers say. */
static bool is_dangerous(const char *character, size_t length)
{
    const unsigned char *at = (const unsigned char *)character;
    if (length == 1) {
        return at[0] < 0x20 || at[0] == 0x7F;
    }
    if (length == 2) {
        return (at[0] == 0xC2 && at[1] < 0xA0) || (at[0] == 0xD8 && at[1] == 0x9C); /* C1, U+061C */
    }
    return length == 3 && at[0] == 0xE2 &&
           ((at[1] == 0x80 && ((at[2] >= 0x8B && at[2] <= 0x8F) || (at[2] >= 0xA8 && at[2] <= 0xAE))) ||
            (at[1] == 0x81 && at[2] >= 0xA0 && at[2] <= 0xAF)); /* U+200B-200F, U+2028-202E, U+2060-206F */
}

/* The bytes of a character as "\xNN" each. */
static size_t escape_character(const char *character, size_t length, char escaped[16])
{
    size_t written = 0;
    for (size_t i = 0; i < length; i++) {
        written += (size_t)snprintf(escaped + written, 16 - written, "\\x%02x", (unsigned char)character[i]);
    }
    return written;
}

void cpi_fold(char *out, size_t size, const char *text)
{
    char escaped[16];
    size_t length = 0;
    while (*text != '\0') {
        const char *piece = text;
        size_t piece_length = 0;
        if (strspn(text, "\r\n") > 0) {
            text += strspn(text, "\r\n\t ");
            piece = "; ";
            piece_length = *text != '\0' && length > 0 ? 2 : 0;
        } else {
            piece_length = shown_character_length(text);
            text += piece_length;
            if (!cpi_utf8_valid(piece, piece_length)) {
                piece = "?";
                piece_length = 1;
            } else if (is_dangerous(piece, piece_length)) {
                piece_length = escape_character(piece, piece_length, escaped);
                piece = escaped;
            }
        }
        if (length + piece_length >= size) {
            break;
        }
        memcpy(out + length, piece, piece_length);
        length += piece_length;
    }
    out[length] = '\0';
}

void cpi_format(char *out, size_t size, const char *format, va_list arguments)
{
    char text[2048];
    int length = vsnprintf(text, sizeof text, format, arguments);
    if (length >= (int)sizeof text) { /* the last character may be incomplete */
        size_t end = sizeof text - 1;
        while (end > 0 && ((unsigned char)text[end - 1] & 0xC0) == 0x80) {
            end--;
        }
        text[end > 0 && ((unsigned char)text[end - 1] & 0x80) != 0 ? end - 1 : end] = '\0';
    }
    cpi_fold(out, size, text);
}

cp_code cpi_error(cp_error *err, cp_code code, bool retriable, const char *format, ...)
{
    if (err == NULL) {
        return code;
    }
    err->code = code;
    err->retriable = retriable;

    va_list arguments;
    va_start(arguments, format);
    cpi_format(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return code;
}

cp_code cpi_error_memory(cp_error *err)
{
    return cpi_error(err, CP_ERR_SYSTEM, true, "out of memory");
}

cp_code cpi_need(const void *argument, const char *function, const char *name, cp_error *err)
{
    return argument != NULL ? CP_OK : cpi_error(err, CP_ERR_ARGUMENT, false, "%s: %s is NULL", function, name);
}

int cpi_shown(const char *text)
{
    size_t length = strnlen(text, SHOWN_BYTES);
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) {
        length--;
    }
    return (int)length;
}

const char *cp_code_name(cp_code code)
{
    switch (code) {
    case CP_OK:
        return "ok";
    case CP_ERR_ARGUMENT:
        return "argument";
    case CP_ERR_CONFIG:
        return "config";
    case CP_ERR_SYSTEM:
        return "system";
    case CP_ERR_POSTGRES:
        return "postgres";
    case CP_ERR_REDIS:
        return "redis";
    case CP_ERR_TIMEOUT:
        return "timeout";
    case CP_ERR_STOPPED:
        return "stopped";
    case CP_ERR_STANDBY:
        return "standby";
    case CP_ERR_PARKED:
        return "parked";
    }
    return "unknown";
}

const char *cp_version(void)
{
    return CP_VERSION;
}
