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

void cpi_fold(char *out, size_t size, const char *text)
{
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
    }
    return "unknown";
}

const char *cp_version(void)
{
    return CP_VERSION;
}
