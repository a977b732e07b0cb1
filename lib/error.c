#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_BYTES = 80 };

/* Copies text, making each run of newlines in it "; " and dropping one at its end: server messages have both. Cuts at a
 * character's boundary. */
static void copy_folded(char *out, size_t size, const char *text)
{
    size_t length = 0;
    while (*text != '\0') {
        size_t newlines = strspn(text, "\r\n");
        const char *piece = text;
        size_t piece_length = 1;
        if (newlines > 0) {
            text += strspn(text, "\r\n\t ");
            piece = "; ";
            piece_length = *text != '\0' ? 2 : 0;
        } else {
            text++;
            while (((unsigned char)*text & 0xC0) == 0x80) { /* the rest of a UTF-8 character */
                text++;
                piece_length++;
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

cp_code cpi_error(cp_error *err, cp_code code, bool retriable, const char *format, ...)
{
    if (err == NULL) {
        return code;
    }
    err->code = code;
    err->retriable = retriable;

    char text[2 * sizeof err->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    copy_folded(err->message, sizeof err->message, text);
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
